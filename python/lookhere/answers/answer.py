"""What comes back: steps, one per generated token, and the finished answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import CancelledError
from ..steering.steering import Steering
from ..tokens.frame import Frame
from ..tokens.gaze import Gaze
from ..tokens.readback import Where
from .word import Word, words_of

Finish: TypeAlias = Literal["end", "length", "stop", "context", "cancelled"]
"""The model ended the answer; max_tokens; a stop text; the context is full; cancelled or closed."""


@dataclass(frozen=True, eq=False)
class Step:
    """One generated token.

    index: from 0. token: its id. text: what it adds to the answer, always valid text, may be empty. gaze: one (rows,
    cols) float32 map per token grid, the attention mass of the query that chose this token, averaged over the head set,
    as if no bias acted (natural). steered_gaze: the same as it acted. head_gaze: (heads, rows, cols) per grid, natural,
    in the order of the head set. reading: as gaze, averaged over the head set's readers where it names some; the heads
    that tell where the model looked. The maps that were not asked for are empty.
    """

    index: int
    token: int
    text: str
    gaze: Gaze = Gaze()
    steered_gaze: Gaze = Gaze()
    head_gaze: tuple[NDArray[np.float32], ...] = ()
    reading: Gaze = Gaze()

    @property
    def frame(self) -> Frame | None:
        """What the maps cover; None where nothing was read, or with several images (``reading.frames`` has all)."""
        return (self.reading or self.gaze or self.steered_gaze).frame

    def where(self) -> Where | None:
        """Where the query that chose this token looked; None where no gaze was read."""
        return self.reading.where()


@dataclass(frozen=True, eq=False)
class Answer:
    """A finished answer.

    gaze, reading: natural, one (rows, cols) float32 map per token grid, mean over the steps. prompt: the question.
    prompt_tokens: of the whole prompt, images included; cached_tokens: those of them that were in the KV cache already.
    steering: what acted at the end.
    """

    text: str
    steps: tuple[Step, ...]
    gaze: Gaze
    finish: Finish
    prompt: str
    prompt_tokens: int
    steering: Steering | None
    reading: Gaze = Gaze()
    cached_tokens: int = 0

    def __str__(self) -> str:
        return self.text

    @property
    def frame(self) -> Frame | None:
        """What the maps cover; None where nothing was read, or with several images (``reading.frames`` has all)."""
        return (self.reading or self.gaze).frame

    def where(self) -> Where | None:
        """Where the model looked while it said this; None where no gaze was read."""
        return self.reading.where()

    def words(self) -> tuple[Word, ...]:
        """The words in order, each with where the model looked for it."""
        return words_of([step.text for step in self.steps], [step.reading for step in self.steps])


def joined_steps(
    steps: Sequence[Step],
    finish: Finish | None,
    *,
    prompt: str,
    prompt_tokens: int,
    cached_tokens: int,
    steering: Steering | None,
) -> Answer:
    """Steps as one answer. CancelledError where it was cancelled or has not ended."""
    if finish is None or finish == "cancelled":
        raise CancelledError("The answer was cancelled before its end.")
    return Answer(
        "".join(step.text for step in steps),
        tuple(steps),
        Gaze.mean([step.gaze for step in steps]),
        finish,
        prompt,
        prompt_tokens,
        steering,
        Gaze.mean([step.reading for step in steps]),
        cached_tokens,
    )
