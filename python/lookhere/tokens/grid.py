"""The token grid: where a model's image tokens lie in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..regions.box import Box

Map: TypeAlias = NDArray[np.float32]
"""(rows, cols) float32, one value per image token of a grid."""

SMALLEST_SHARE = 1 / 16
"""A token counts as covered from this share on."""


def mean_maps(several: Sequence[tuple[Map, ...]]) -> tuple[Map, ...]:
    """One map per grid, the mean over several such tuples; empty ones do not count, of nothing else it is empty."""
    known = [maps for maps in several if maps]
    return tuple(np.stack(maps).mean(axis=0, dtype=np.float32) for maps in zip(*known, strict=True))


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

    def scaled(self, scale: float) -> TokenGrid:
        """The grid over the image at another size."""
        return TokenGrid(self.rows, self.cols, self.x0 * scale, self.y0 * scale, self.x1 * scale, self.y1 * scale)

    def token_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, col) of the token under a place in pixels, None outside of the grid."""
        if not (self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1):
            return None
        col = min(int((x - self.x0) / self.token_width), self.cols - 1)
        row = min(int((y - self.y0) / self.token_height), self.rows - 1)
        return row, col

    @property
    def x_edges(self) -> NDArray[np.float64]:
        """(cols + 1,) pixels: where the tokens' rectangles begin and end."""
        return self.x0 + (self.x1 - self.x0) * np.arange(self.cols + 1) / self.cols

    @property
    def y_edges(self) -> NDArray[np.float64]:
        """(rows + 1,) pixels."""
        return self.y0 + (self.y1 - self.y0) * np.arange(self.rows + 1) / self.rows
