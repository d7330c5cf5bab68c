"""An ask: everything that is wanted of an answer, as one frozen value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict

import numpy as np

from .. import checks
from ..errors import OptionError
from ..prompt.message import Message, as_messages
from ..regions.region import Region, as_regions
from ..steering.head_set import Head, as_heads
from ..steering.push import Mode, PushChange, Queries
from ..steering.steering import Steering
from .sampling import Sampling

HeadGaze: TypeAlias = bool | Literal["all"]
"""Whether each step brings the maps of single heads: of the head set's, or of every head of every layer."""


class AskOptions(TypedDict, total=False):
    """What an answer may be told beside its messages and where to look.

    strength: nats on the attention scores; mode, share, sharpness, queries: see ``Push``; None for the head set's.
    max_tokens, temperature (0 is greedy), top_k, top_p, min_p, repeat_penalty, seed, stop (texts that end the answer
    and are not part of it): see ``Sampling``. gaze, steered_gaze, head_gaze: which maps each step brings;
    head_gaze="all" brings those of every head of every layer. readers: (layer, head) pairs that tell where the model
    looked, None for the head set's. zoom: whether small regions are enlarged first.
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
    head_gaze: HeadGaze
    readers: Sequence[Head] | None
    zoom: bool


PUSH_OPTIONS = ("mode", "strength", "share", "sharpness", "queries")
SAMPLING_OPTIONS = (
    "max_tokens", "temperature", "top_k", "top_p", "min_p", "repeat_penalty", "seed", "stop",
)  # fmt: skip
MAP_OPTIONS = ("gaze", "steered_gaze", "head_gaze")
OPTIONS = (*PUSH_OPTIONS, *SAMPLING_OPTIONS, *MAP_OPTIONS, "readers", "zoom")


@dataclass(frozen=True, repr=False)
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
    head_gaze: HeadGaze = False
    readers: tuple[Head, ...] | None = None
    zoom: bool = False

    def __repr__(self) -> str:
        texts = sum(len(message.shown) for message in self.messages) - self.images
        images = "".join(
            f", {count} {what}{'s' * (count != 1)}"
            for count, what in ((self.images, "image"), (texts, "text"))
            if count
        )
        places = self.at.regions if isinstance(self.at, Steering) else self.at
        at = f", at {checks.short(places[0] if len(places) == 1 else list(places), 44)}" if places else ""
        return f"<Ask {checks.short(self.prompt, 48)}{images}{at}>"

    def __post_init__(self) -> None:
        at = self.at
        for name, kind in (("push", PushChange), ("sampling", Sampling)):
            if not isinstance(getattr(self, name), kind):
                raise OptionError(f"{name}={checks.short(getattr(self, name))}; expected a {kind.__name__}.")
        checked = {
            "messages": as_messages(self.messages),
            "at": at if at is None or isinstance(at, Steering) else as_regions(at),
            "readers": None if self.readers is None else as_heads("readers", self.readers),
            "head_gaze": _head_gaze(self.head_gaze),
            **{name: checks.flag(name, getattr(self, name)) for name in ("gaze", "steered_gaze", "zoom")},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, messages: object, at: Region | Sequence[Region] | Steering | None = None, **options: object) -> Ask:
        """An ask from what a caller gives, checked. TypeError for an option that there is not; PromptError,
        RegionError, OptionError, HeadSetError."""
        known_options("Ask.of", options, ("messages", "at"))
        push = {name: options[name] for name in PUSH_OPTIONS if name in options}
        sampling = {name: options[name] for name in SAMPLING_OPTIONS if name in options}
        others = {name: options[name] for name in options.keys() - {*PUSH_OPTIONS, *SAMPLING_OPTIONS}}
        return cls(messages, at, PushChange(**push), Sampling(**sampling), **others)  # type: ignore[arg-type]

    @property
    def prompt(self) -> str:
        """The question: the texts of the last message."""
        return self.messages[-1].text

    @property
    def images(self) -> int:
        """How many images the messages hold."""
        return sum(len(message.images) for message in self.messages)


def _head_gaze(value: object) -> HeadGaze:
    """True, False or "all"; OptionError."""
    if isinstance(value, str) and value == "all":
        return "all"
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"head_gaze={checks.short(value)}; expected True, False or 'all'.")
    return bool(value)


def known_options(method: str, options: Iterable[str], arguments: Sequence[str] = ()) -> None:
    """TypeError in Python's own words if one of them is no option; it names the method that the caller called.

    arguments: what the method takes beside the options.
    """
    for name in options:
        if name not in OPTIONS:
            near = difflib.get_close_matches(name, (*OPTIONS, *arguments), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected some of {', '.join((*arguments, *OPTIONS))}"
            raise TypeError(f"{method}() got an unexpected keyword argument {checks.short(name)}; {hint}")
