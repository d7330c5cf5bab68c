"""Gaze: maps of attention, and what they lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import OptionError
from ..images import markup
from ..images.heat_colours import colours
from ..images.inline import inline
from .frame import Frame
from .grid import mean_maps
from .readback import THRESHOLD, Where, read_back
from .text_grid import TextGrid

Self = TypeVar("Self", bound="GridMaps")

SHOWN = 12
"""Grids that a notebook shows; a model that cuts large images into tiles has more."""
_WIDTH = 240
"""Pixels of a grid in a notebook, of its long side."""
_LINE = 12
"""Pixels of the line of a text in a notebook."""
_DRAWN = 24_000
"""Tokens that a notebook is given one by one, of all grids; of larger grids neighbours are joined."""


class GridMaps(tuple[NDArray[Any], ...]):
    """One (..., rows, cols) array of attention mass per token grid, of all images in their order; empty where nothing
    was read. frames: of each image, its size and token grids. Equal where the numbers and the frames are."""

    frames: tuple[Frame, ...]
    _dimensions: int | None = None  # of each array; None for any

    def __new__(cls: type[Self], maps: Sequence[NDArray[Any]] = (), frames: Sequence[Frame] = ()) -> Self:
        made = super().__new__(cls, _arrays(cls.__name__, maps, cls._dimensions))
        made.frames = _frames(cls.__name__, frames)
        grids = [(grid.rows, grid.cols) for frame in made.frames for grid in frame.grids]
        if made.frames and made and [each.shape[-2:] for each in made] != grids:
            raise OptionError(
                f"{cls.__name__}: maps of {checks.short([each.shape for each in made])} on token grids of "
                f"{checks.short(grids)}; expected one map of (rows, cols) for each grid."
            )
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple):
            return NotImplemented
        if isinstance(other, GridMaps) and self.frames != other.frames:
            return False
        pairs = zip(self, other, strict=False)
        return len(self) == len(other) and all(np.array_equal(one, two, equal_nan=True) for one, two in pairs)

    def __ne__(self, other: object) -> bool:  # a tuple's own would compare arrays by their truth
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(tuple(each.shape for each in self))

    def __repr__(self) -> str:
        name = type(self).__name__
        if not self:
            return f"<{name}, nothing was read>"
        shape = " x ".join(map(str, self[0].shape))
        grids = f" and {len(self) - 1} more grids" if len(self) > 1 else ""
        size = f" on {self.frames[0].width} x {self.frames[0].height} pixels" if self.frames else ""
        images = f" and {len(self.frames) - 1} more images" if len(self.frames) > 1 else ""
        return f"<{name} {shape}{grids}{size}{images}>"

    @property
    def frame(self) -> Frame | None:
        """What the maps lie on where there is one image; None where there is none, or several."""
        return self.frames[0] if len(self.frames) == 1 else None

    def on(self: Self, image: int) -> Self:
        """The maps of one image, counted from 1. OptionError."""
        if not self.frames:
            raise OptionError(
                "The maps lie on no image: nothing was read. Ask with gaze=True of a model with a head set."
            )
        image = checks.whole("image", image, 1, len(self.frames))
        before = sum(len(frame.grids) for frame in self.frames[: image - 1])
        frame = self.frames[image - 1]
        return type(self)(self[before : before + len(frame.grids)], (frame,))


class Gaze(GridMaps):
    """One (rows, cols) float32 map of attention mass per token grid, of all images in their order; empty where nothing
    was read. frames: of each image, its size and token grids."""

    _dimensions = 2

    @classmethod
    def mean(cls, several: Sequence[Gaze]) -> Gaze:
        """The mean over several of the same images; empty ones do not count, of nothing else it is empty.

        OptionError where they are of several sizes.
        """
        given = checks.items(several)
        if given is None or not all(isinstance(gaze, Gaze) for gaze in given):
            raise OptionError(f"Gaze.mean({checks.short(several)}); expected a list of Gaze values.")
        known = [gaze for gaze in given if gaze]
        if any([each.shape for each in gaze] != [each.shape for each in known[0]] for gaze in known):
            raise OptionError("Gaze.mean: maps of several sizes; expected gazes on the same images.")
        return cls(mean_maps(known), known[0].frames) if known else cls()

    def where(self, *, threshold: float = THRESHOLD) -> Where | None:
        """The place that the attention lies on; None where nothing was read. Of several images it is a place on the one
        that has most of the attention. See ``read_back``. OptionError."""
        if not self or not self.frames:
            return None
        if len(self.frames) == 1:
            return read_back(self, self.frames[0], threshold=threshold)
        every = [self.on(image) for image in range(1, len(self.frames) + 1)]
        masses = [sum(float(each.sum()) for each in gaze) for gaze in every]
        image = masses.index(max(masses)) + 1
        found = read_back(every[image - 1], self.frames[image - 1], threshold=threshold)
        return replace(found, image=image)

    def _repr_html_(self) -> str:
        """The maps in colours for a notebook, a pixel per token; bright where most of the attention is."""
        from PIL import Image as pillow

        grids = [grid for frame in self.frames for grid in frame.grids]
        most = max((float(np.nanmax(each)) for each in self if each.size), default=0.0)
        shown = []
        for index, values in enumerate(self[:SHOWN]):
            high, wide = values.shape
            if index < len(grids):
                high, wide = grids[index].y1 - grids[index].y0, grids[index].x1 - grids[index].x0
            scale = _WIDTH / max(wide, high, 1)
            low = _LINE if index < len(grids) and isinstance(grids[index], TextGrid) else 1
            tokens = pillow.fromarray(colours(np.nan_to_num(values / most if most > 0 else values)))
            joined = math.ceil(math.sqrt(values.size * min(len(self), SHOWN) / _DRAWN))
            size = f"width: {max(wide * scale, 1):.0f}px; height: {max(high * scale, low):.0f}px"
            style = f"image-rendering: pixelated; display: inline-block; {size}"
            source = inline(tokens.reduce(joined) if joined > 1 else tokens)
            shown.append(
                markup.picture(source, f"where the heads looked, {' x '.join(map(str, values.shape))} tokens", style)
            )
        more = f" and {len(self) - SHOWN} more" if len(self) > SHOWN else ""
        return f"<div>{' '.join(shown)}{more}</div>" if shown else "<div>no gaze was read</div>"


def _arrays(name: str, maps: object, dimensions: int | None) -> list[NDArray[Any]]:
    given = checks.items(maps)
    try:
        found = [np.asarray(each) for each in given or ()]
    except Exception:  # rows of several lengths, or of an object that nobody here made
        given, found = None, []
    fitting = (each.ndim == dimensions if dimensions else each.ndim >= 2 for each in found)
    if given is None or not all(fitting) or any(each.dtype.kind not in "buif" for each in found):
        raise OptionError(
            f"{name}: the maps are {checks.short(maps)}; expected arrays of numbers, (rows, cols) for each token grid."
        )
    return found


def _frames(name: str, frames: object) -> tuple[Frame, ...]:
    given = checks.items(frames)
    if given is None or not all(isinstance(each, Frame) for each in given):
        raise OptionError(f"{name}: frames={checks.short(frames)}; expected the frame of each image, as scene.frame.")
    return given
