"""Gaze: maps of attention, and what they lie on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .frame import Frame
from .grid import Map, mean_maps
from .readback import THRESHOLD, Where, read_back


class Gaze(tuple[Map, ...]):
    """One (rows, cols) float32 map of attention mass per token grid, of all images in their order; empty where nothing
    was read. frames: of each image, its size and token grids."""

    frames: tuple[Frame, ...]

    def __new__(cls, maps: Sequence[Map] = (), frames: Sequence[Frame] = ()) -> Gaze:
        made = super().__new__(cls, maps)
        made.frames = tuple(frames)
        return made

    @classmethod
    def mean(cls, several: Sequence[Gaze]) -> Gaze:
        """The mean over several of the same images; empty ones do not count, of nothing else it is empty."""
        known = [gaze for gaze in several if gaze]
        return cls(mean_maps(known), known[0].frames) if known else cls()

    @property
    def frame(self) -> Frame | None:
        """What the maps lie on where there is one image; None where there is none, or several."""
        return self.frames[0] if len(self.frames) == 1 else None

    def on(self, image: int) -> Gaze:
        """The maps of one image, counted from 1."""
        before = sum(len(frame.grids) for frame in self.frames[: image - 1])
        frame = self.frames[image - 1]
        return Gaze(self[before : before + len(frame.grids)], (frame,))

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
