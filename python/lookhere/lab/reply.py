"""An answer about one place, and all that is measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .outcome import Outcome, Pick, outcome
from .view import View


@dataclass(frozen=True)
class Reply:
    """What a model said.

    target: index of the caption that would be right. tokens: of the text. taken: share of the attention of the steered
    heads that steering took from text and gave to the image, mean over the answer's rows; None where nothing was
    steered or read. view: how it was asked, None where it is a part of a longer answer. area: of the place, in pixels;
    image_tokens: the same in image tokens of the whole image.
    """

    text: str
    target: int
    tokens: tuple[int, ...] = ()
    taken: float | None = None
    view: View | None = None
    area: float | None = None
    image_tokens: float | None = None


@dataclass(frozen=True)
class Record:
    """A reply that was judged and measured; what is kept of it.

    picks: by judge, the caption that the text was taken for. unchanged: whether it is the unsteered answer again, None
    where there is none to compare with. nats, counted: negative log-probability under the unsteered model, summed over
    so many tokens.
    """

    text: str
    target: int
    picks: Mapping[str, Pick]
    unchanged: bool | None = None
    nats: float | None = None
    counted: int = 0
    taken: float | None = None
    area: float | None = None
    image_tokens: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def outcome(self, judge: str) -> Outcome:
        """What a judge says, measured by the target."""
        return outcome(self.picks[judge], self.target)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without what is not known."""
        return {key: value for key, value in vars(self).items() if key == "picks" or value not in (None, {})}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """What ``as_dict`` made."""
        return cls(**data)
