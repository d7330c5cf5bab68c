"""An ask: everything that is wanted of an answer, as one frozen value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from .. import checks
from ..errors import HeadSetError
from ..prompt.message import Message, as_messages
from ..regions.region import Region, as_regions
from ..steering.head_set import Head
from ..steering.push import Mode, PushChange, Queries
from ..steering.steering import Steering
from .sampling import Sampling


class AskOptions(TypedDict, total=False):
    """What an answer may be told beside its messages and where to look.

    strength: nats on the attention scores; mode, share, sharpness, queries: see ``Push``; None for the head set's.
    max_tokens, temperature (0 is greedy), top_k, top_p, min_p, repeat_penalty, seed, stop (texts that end the answer and
    are not part of it): see ``Sampling``. gaze, steered_gaze, head_gaze: which maps each step brings. readers: (layer,
    head) pairs that tell where the model looked, None for the head set's. zoom: whether small regions are enlarged first.
    """

    strength: float | None
    mode: Mode | None
    share: float | None
    sharpness: float | None
    queries: Queries | None
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    seed: int
    stop: str | Sequence[str] | None
    gaze: bool
    steered_gaze: bool
    head_gaze: bool
    readers: Sequence[Head] | None
    zoom: bool


PUSH_OPTIONS = ("mode", "strength", "share", "sharpness", "queries")
SAMPLING_OPTIONS = (
    "max_tokens", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "stop",
)  # fmt: skip
MAP_OPTIONS = ("gaze", "steered_gaze", "head_gaze")
OPTIONS = (*PUSH_OPTIONS, *SAMPLING_OPTIONS, *MAP_OPTIONS, "readers", "zoom")


@dataclass(frozen=True)
class Ask:
    """messages: the conversation, up to the user's message that is answered. at: where to look: regions, a whole
    steering, or None for where the model wants. push: what differs from the head set's. The others: ``AskOptions``.
    """

    messages: tuple[Message, ...]
    at: tuple[Region, ...] | Steering | None = None
    push: PushChange = PushChange()
    sampling: Sampling = Sampling()
    gaze: bool = True
    steered_gaze: bool = False
    head_gaze: bool = False
    readers: tuple[Head, ...] | None = None
    zoom: bool = False

    @classmethod
    def of(cls, messages: object, at: Region | Sequence[Region] | Steering | None = None, **options: object) -> Ask:
        """An ask from what a caller gives, checked. TypeError for an option that there is not; PromptError,
        RegionError, OptionError, HeadSetError."""
        unknown = sorted(options.keys() - set(OPTIONS))
        if unknown:
            raise TypeError(f"there is no option {unknown[0]!r}; expected some of {', '.join(OPTIONS)}")
        push = {name: options[name] for name in PUSH_OPTIONS if name in options}
        sampling = {name: options[name] for name in SAMPLING_OPTIONS if name in options}
        return cls(
            as_messages(messages),
            at if at is None or isinstance(at, Steering) else as_regions(at),
            PushChange(**push),  # type: ignore[arg-type]
            Sampling(**sampling),  # type: ignore[arg-type]
            gaze=checks.flag("gaze", options.get("gaze", True)),
            steered_gaze=checks.flag("steered_gaze", options.get("steered_gaze", False)),
            head_gaze=checks.flag("head_gaze", options.get("head_gaze", False)),
            readers=checked_heads("readers", options.get("readers")),
            zoom=checks.flag("zoom", options.get("zoom", False)),
        )

    @property
    def prompt(self) -> str:
        """The question: the texts of the last message."""
        return self.messages[-1].text

    @property
    def images(self) -> int:
        """How many images the messages hold."""
        return sum(len(message.images) for message in self.messages)


def checked_heads(name: str, heads: object) -> tuple[Head, ...] | None:
    """(layer, head) pairs of whole numbers, None for None. HeadSetError."""
    if heads is None:
        return None
    expected = f"{name}={checks.short(heads)}; expected (layer, head) pairs, counted from 0."
    if not isinstance(heads, Iterable) or isinstance(heads, (str, bytes)):
        raise HeadSetError(expected)
    found = []
    for pair in heads:
        numbers = [checks.as_whole(each) for each in pair] if isinstance(pair, Iterable) else []
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None or min(numbers[0], numbers[1]) < 0:
            raise HeadSetError(expected)
        found.append((numbers[0], numbers[1]))
    return tuple(found)
