"""Read-back: from attention on image tokens to a place in the image. What ``coverage`` does, the other way round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..regions.box import Box, Point
from ..regions.span import Span
from .frame import Frame
from .grid import Map
from .joined import Floats, joined
from .laid import frame_of, laid
from .text_frame import TextFrame

THRESHOLD = 0.25
"""What rises above the background by this share of the highest rise belongs to the place; see docs/evaluation.md."""


@dataclass(frozen=True)
class Where:
    """A place that attention lies on, in pixels of the upright original image.

    box: whole tokens, cut at the edges of the image. peak: the middle of the token with most attention in it. centre:
    the mean of the place, weighted by attention. share: of the attention on the image, what lies in the box, 0..1.
    image: which of several images, counted from 1; None where there is one. Of a text a pixel is a character, and its
    line is from 0 to 1 high. span, paragraph: the characters of the box, and which paragraph has most attention; None
    for an image, and for a text without paragraphs.
    """

    box: Box
    peak: Point
    centre: Point
    share: float
    image: int | None = None
    span: Span | None = None
    paragraph: int | None = None

    def __post_init__(self) -> None:
        checks.kinds(self, box=Box, peak=Point, centre=Point, share=(float, int), image=(int, type(None)))
        checks.kinds(self, span=(Span, type(None)), paragraph=(int, type(None)))

    def as_json(self) -> dict[str, Any]:
        """Numbers alone: box as x0, y0, x1, y1; peak and centre as x, y. Of a text span as start and end, peak and
        centre as characters."""
        box, image = self.box, {} if self.image is None else {"image": self.image}
        if self.span is not None:
            return {
                "span": [self.span.start, self.span.end],
                "paragraph": self.paragraph,
                "peak": round(self.peak.x, 2),
                "centre": round(self.centre.x, 2),
                "share": round(self.share, 4),
                **image,
            }
        return {
            "box": [round(value, 2) for value in (box.x0, box.y0, box.x1, box.y1)],
            "peak": [round(value, 2) for value in self.peak.centre],
            "centre": [round(value, 2) for value in self.centre.centre],
            "share": round(self.share, 4),
            **image,
        }


def read_back(maps: Sequence[Map], frame: Frame | None = None, *, threshold: float = THRESHOLD) -> Where:
    """The place that a map of attention lies on; never empty.

    maps: one (rows, cols) map of attention mass per token grid. frame: what they lie on; a gaze knows it. threshold:
    0..1. Method: the mass per square pixel, that of overlapping grids added; less its median over the image, which is
    the background; what reaches the threshold times the largest rise; of the patches that touch at an edge the one with
    the most attention. A map without any rise gives the whole image. OptionError.
    """
    threshold = checks.number("threshold", threshold, 0, 1, hint=f"{THRESHOLD:g} is usual")
    frame = frame_of("read_back", maps, frame)
    xs, ys, density = _densities(laid("read_back", maps, frame.grids), frame)
    areas = np.diff(ys)[:, None] * np.diff(xs)
    rise = np.clip(density - _median(density, areas), 0.0, None)
    if not rise.max() > 0:
        rise = np.ones_like(rise)
    weights = rise * areas
    patch = _heaviest(rise >= threshold * rise.max(), weights)
    rows, cols = np.flatnonzero(patch.any(axis=1)), np.flatnonzero(patch.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, cols[0], cols[-1] + 1
    across, down = (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2
    row, col = divmod(int(np.where(patch, rise, -1.0).argmax()), patch.shape[1])
    inside = np.where(patch, weights, 0.0)
    inside /= inside.sum()
    mass = density * areas
    every = float(mass.sum())
    box = Box(float(xs[left]), float(ys[top]), float(xs[right]), float(ys[bottom]))
    text: dict[str, Any] = {}
    if isinstance(frame, TextFrame):
        span = Span(int(box.x0), math.ceil(box.x1))
        box = Box(span.start, 0, span.end, 1)
        text = {"span": span, "paragraph": _paragraph(maps, frame)}
    return Where(
        box,
        Point(float(across[col]), float(down[row])),
        Point(float(inside.sum(axis=0) @ across), float(inside.sum(axis=1) @ down)),
        float(mass[top:bottom, left:right].sum()) / every if every > 0 else 1.0,
        **text,
    )


def _paragraph(maps: Sequence[Map], frame: TextFrame) -> int | None:
    """The paragraph with most attention, counted from 1; None where there is none."""
    if not frame.paragraphs:
        return None
    edges, (attended,) = frame.grids[0].x_edges, laid("read_back", maps, frame.grids)
    mass = np.where(np.diff(edges) > 0, attended[0], 0.0)
    starts, ends = np.interp(np.array(frame.paragraphs).T, edges, np.cumsum([0.0, *mass]))
    return int((ends - starts).argmax()) + 1


def _densities(maps: Sequence[Map], frame: Frame) -> tuple[Floats, Floats, Floats]:
    """(n + 1,) x and (m + 1,) y of all lines between tokens within the image, and (m, n) mass per square pixel."""
    xs = _lines([grid.x_edges for grid in frame.grids], frame.width)
    ys = _lines([grid.y_edges for grid in frame.grids], frame.height)
    return xs, ys, joined(maps, frame.grids, (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)


def _lines(edges: Sequence[Floats], length: int) -> Floats:
    """(n,) pixels, ascending, from 0 to the length; lines that rounding alone keeps apart are one."""
    found = np.unique(np.concatenate([*edges, [0.0, float(length)]]))
    found = found[(found >= 0) & (found <= length)]
    kept: Floats = found[np.append(True, np.diff(found) > min(1e-6 * length, 0.01))]
    kept[-1] = length
    return kept


def _median(values: Floats, areas: Floats) -> float:
    """The value that half of the area is below; where two share that place, their mean."""
    order = np.argsort(values, axis=None)
    reached = np.cumsum(areas.ravel()[order])
    middle = np.searchsorted(reached, reached[-1] * np.array([0.5 - 1e-9, 0.5 + 1e-9]))
    return float(values.ravel()[order][middle].mean())


def _heaviest(mask: NDArray[np.bool_], weights: Floats) -> NDArray[np.bool_]:
    """The patch of a mask with the largest sum of weights; cells that share an edge are of one patch."""
    rows, cols = mask.shape
    every: list[int] = np.flatnonzero(mask).tolist()
    left = set(every)
    best: list[int] = []
    most = -1.0
    flat = weights.ravel()
    for first in every:
        if first not in left:
            continue
        left.remove(first)
        patch = [first]
        for cell in patch:  # grows while it is read
            row, col = divmod(cell, cols)
            for y, x in ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)):
                if 0 <= y < rows and 0 <= x < cols and (near := y * cols + x) in left:
                    left.remove(near)
                    patch.append(near)
        heavy = float(flat[patch].sum())
        if heavy > most:
            best, most = patch, heavy
    found = np.zeros(mask.size, np.bool_)
    found[best] = True
    return found.reshape(mask.shape)
