"""What comes back: steps, one per generated token, and the finished answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from .. import checks
from ..errors import CancelledError, OptionError
from ..images import markup
from ..images.image import Image
from ..pictures.gaze_picture import gaze_picture
from ..regions.region import OnImage
from ..steering.steering import Steering
from ..tokens.frame import Frame
from ..tokens.gaze import Gaze, GridMaps
from ..tokens.readback import Where
from ..tokens.text_frame import TextFrame
from .attention import save_attention
from .shading import answer_html
from .word import Word, words_of

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Finish: TypeAlias = Literal["end", "length", "stop", "context", "cancelled"]
"""The model ended the answer; max_tokens; a stop text; the context is full; cancelled or closed."""


@dataclass(frozen=True, repr=False)
class Step:
    """One generated token.

    index: from 0. token: its id. text: what it adds to the answer, always valid text, may be empty. gaze: one (rows,
    cols) float32 map per token grid, the attention mass of the query that chose this token, averaged over the head set,
    as if no bias acted (natural). steered_gaze: the same as it acted. head_gaze: (heads, rows, cols) float32 per grid,
    natural, in the order of the head set; where all heads were asked for, (layers, heads, rows, cols) float16. reading:
    as gaze, averaged over the head set's readers where it names some; the heads that tell where the model looked. The
    maps that were not asked for are empty.
    """

    index: int
    token: int
    text: str
    gaze: Gaze = Gaze()
    steered_gaze: Gaze = Gaze()
    head_gaze: GridMaps = GridMaps()
    reading: Gaze = Gaze()

    def __post_init__(self) -> None:
        checks.kinds(
            self, index=int, token=int, text=str, gaze=Gaze, steered_gaze=Gaze, head_gaze=GridMaps, reading=Gaze
        )

    def __repr__(self) -> str:
        return f"<Step {self.index}, {checks.short(self.text, 60)}, token {self.token}>"

    def _repr_html_(self) -> str:
        """For a notebook."""
        told = markup.prose(escape(self.text)) + markup.small(f"step {self.index}, token {self.token}")
        return _html(told, self.reading or self.gaze)

    @property
    def frame(self) -> Frame | None:
        """What the maps cover; None where nothing was read, or with several images (``reading.frames`` has all)."""
        return (self.reading or self.gaze or self.steered_gaze or self.head_gaze).frame

    def where(self) -> Where | None:
        """Where the query that chose this token looked; None where no gaze was read."""
        return self.reading.where()


@dataclass(frozen=True, repr=False)
class Answer:
    """A finished answer. Answers are equal where all but cached_tokens is.

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
    cached_tokens: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        checks.kinds(self, text=str, steps=tuple, gaze=Gaze, finish=str, prompt=str, prompt_tokens=int)
        checks.kinds(self, steering=(Steering, type(None)), reading=Gaze, cached_tokens=int)
        if not all(isinstance(step, Step) for step in self.steps):
            raise OptionError(f"Answer: steps={checks.short(self.steps)}; expected Step values.")

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        steered = ", steered" if self.steering else ""
        return f"<Answer {checks.short(self.text, 76)}, {len(self.steps)} tokens, {self.finish}{steered}>"

    def _repr_html_(self) -> str:
        """For a notebook: the text, how it came about, and the gaze in colours. Words are tinted by how much of their
        gaze fell on what was pointed at. ``lookhere.show(answer, scene)`` shows the image, too."""
        texts, readings = [step.text for step in self.steps], [step.reading or step.gaze for step in self.steps]
        told = answer_html(self.text, texts, readings, self.steering, self.finish)
        return _html(told, self.reading or self.gaze)

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

    def heatmap(self, image: object = None, *, number: int = 1) -> PillowImage:
        """Where the model looked, as a Pillow image: over the image, with what was steered to outlined.

        image: the scene, or what ``Model.look`` takes; an answer holds no pixels, so that without it the map stands
        alone. number: which of several images, from 1. OptionError where no gaze was read; ImageError.
        """
        gaze = self.reading or self.gaze
        if not gaze.frames:
            raise OptionError(
                "This answer brings no gaze, so that there is nothing to draw; ask with gaze=True, of a model with a "
                "head set or with readers=."
            )
        shown = gaze.on(number)
        if isinstance(shown.frames[0], TextFrame):
            raise OptionError(
                "A heat map lies over an image, and this answer is about a text; answer.where().span and answer.gaze "
                "say where the model looked."
            )
        regions = [
            region for region in (self.steering.regions if self.steering else ())
            if not isinstance(region, OnImage) or region.image == number
        ]  # fmt: skip
        held = getattr(image, "__dict__", {}).get("image")  # a scene's
        opened = held if image is None or isinstance(held, Image) else Image.open(image)
        return gaze_picture(shown, shown.frames[0], opened, regions)

    def attention(self) -> GridMaps:
        """Natural attention of every head to every image token: (token, layer, head, row, col) float16 per token grid.

        ``frames`` says what they lie on. It is a copy of what the steps hold: two bytes for each token of the answer,
        layer, head and image token. OptionError unless it was asked for with ``head_gaze="all"``.
        """
        steps = [step.head_gaze for step in self.steps]
        if not steps or any(not each or each[0].ndim != 4 for each in steps):
            raise OptionError(
                f"This answer of {len(steps)} tokens does not bring the attention of all heads; ask with "
                "head_gaze='all'."
            )
        return GridMaps([np.stack(grid) for grid in zip(*steps, strict=True)], steps[0].frames)

    def save_attention(self, path: str | os.PathLike[str]) -> None:
        """Writes ``attention()`` as an ``.npz`` that NumPy reads by itself; docs/python.md names what is in it.

        OptionError as that of ``attention``, or where the file cannot be written.
        """
        save_attention(
            path,
            self.attention(),
            tokens=[step.token for step in self.steps],
            texts=[step.text for step in self.steps],
            prompt=self.prompt,
        )


def _html(told: str, gaze: Gaze) -> str:
    """told: HTML, in which nothing that a model or a caller wrote is read as such."""
    return markup.block(told, gaze._repr_html_() if gaze else "")


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
    given = checks.items(steps)
    if given is None or not all(isinstance(step, Step) for step in given):
        raise OptionError(f"steps={checks.short(steps)}; expected the Step values of the run.")
    steps = given
    if finish is not None:
        checks.one_of("finish", finish, get_args(Finish))
    if finish is None or finish == "cancelled":
        raise CancelledError("The answer was cancelled before its end.")
    return Answer(
        "".join(step.text for step in steps),
        steps,
        Gaze.mean([step.gaze for step in steps]),
        finish,
        prompt,
        prompt_tokens,
        steering,
        Gaze.mean([step.reading for step in steps]),
        cached_tokens,
    )
