"""The token grid and coverage: the one place where pixels meet tokens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .region import Box, Point

Map: TypeAlias = NDArray[np.float32]
"""(rows, cols) float32, one value per image token of a grid."""

SMALLEST_SHARE = 1 / 16
"""A token counts as covered from this share on."""


@dataclass(frozen=True)
class TokenGrid:
    """rows x cols language-model tokens and the rectangle x0, y0, x1, y1 of the image, in pixels, that they cover.

    The rectangle exceeds the image where the model pads it.
    """

    rows: int
    cols: int
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def tokens(self) -> int:
        return self.rows * self.cols

    @property
    def token_width(self) -> float:
        """Pixels."""
        return (self.x1 - self.x0) / self.cols

    @property
    def token_height(self) -> float:
        """Pixels."""
        return (self.y1 - self.y0) / self.rows

    def box(self, row: int, col: int) -> Box:
        """The rectangle of one token in pixels; it may reach into the padding."""
        left, top = self.x0 + col * self.token_width, self.y0 + row * self.token_height
        return Box(left, top, left + self.token_width, top + self.token_height)

    def token_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, col) of the token under a place in pixels, None outside of the grid."""
        if not (self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1):
            return None
        col = min(int((x - self.x0) / self.token_width), self.cols - 1)
        row = min(int((y - self.y0) / self.token_height), self.rows - 1)
        return row, col

    def shares(self, box: Box) -> NDArray[np.float64]:
        """(rows, cols) float64 in 0..1: which share of each token's rectangle the box overlaps; exact."""
        across = _overlap(box.x0, box.x1, self.x0, self.x1, self.cols)
        down = _overlap(box.y0, box.y1, self.y0, self.y1, self.rows)
        return np.outer(down, across)


def _overlap(low: float, high: float, start: float, stop: float, count: int) -> NDArray[np.float64]:
    """(count,) share of each of count equal intervals of start..stop that low..high covers."""
    edges = start + (stop - start) * np.arange(count + 1, dtype=np.float64) / count
    overlap = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.clip(overlap * count / (stop - start), 0.0, 1.0)


def coverage(regions: Sequence[Box | Point], grids: Sequence[TokenGrid]) -> tuple[Map, ...]:
    """One (rows, cols) float32 map in 0..1 per grid: which share of each token the union of the regions covers.

    Exact area, padding included in a token's area. Never empty: a region that reaches 1/16 of no token takes the token
    under its centre with 1. Formula: rectangle overlap, the union by cutting it into disjoint rectangles.
    """
    boxes: list[Box] = []
    small: list[tuple[float, float]] = []
    for region in regions:
        if isinstance(region, Box) and any(g.shares(region).max() >= SMALLEST_SHARE for g in grids):
            boxes.append(region)
        else:
            small.append(region.centre)
    maps = []
    for grid in grids:
        total = np.zeros((grid.rows, grid.cols))
        for box in disjoint(boxes):
            total += grid.shares(box)
        for x, y in small:
            token = grid.token_at(x, y)
            if token is not None:
                total[token] = 1.0
        maps.append(np.clip(total, 0.0, 1.0).astype(np.float32))
    return tuple(maps)


def disjoint(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that do not overlap and cover the same pixels."""
    if len(boxes) < 2:
        return list(boxes)
    cuts = sorted({box.y0 for box in boxes} | {box.y1 for box in boxes})
    pieces = []
    for top, bottom in itertools.pairwise(cuts):
        row = sorted((box.x0, box.x1) for box in boxes if box.y0 <= top and box.y1 >= bottom)
        while row:
            left, right = row.pop(0)
            while row and row[0][0] <= right:
                right = max(right, row.pop(0)[1])
            pieces.append(Box(left, top, right, bottom))
    return pieces
