"""The token grid: where a model's image tokens lie in the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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

    The rectangle exceeds the image where the model pads it. blind: cells that no token shows, as row * cols + col (the
    first one of LLaVA-1.5).
    """

    rows: int
    cols: int
    x0: float
    y0: float
    x1: float
    y1: float
    blind: tuple[int, ...] = field(default=(), compare=False, repr=False)

    @property
    def tokens(self) -> int:
        """Cells, which is what a map has."""
        return self.rows * self.cols

    @property
    def token_width(self) -> float:
        """Pixels."""
        return (self.x1 - self.x0) / self.cols

    @property
    def token_height(self) -> float:
        """Pixels."""
        return (self.y1 - self.y0) / self.rows

    @property
    def areas(self) -> NDArray[np.float64]:
        """Of the tokens, in square pixels; broadcasts to (rows, cols)."""
        return np.array([[self.token_width * self.token_height]])

    def cols_at(self, across: NDArray[np.float64]) -> NDArray[np.float64]:
        """The columns that show places in pixels, with the fraction of each; outside of 0..cols for what none shows."""
        return (across - self.x0) / self.token_width

    def box(self, row: int, col: int) -> Box:
        """The rectangle of one token in pixels; it may reach into the padding."""
        left, top = self.x0 + col * self.token_width, self.y0 + row * self.token_height
        return Box(left, top, left + self.token_width, top + self.token_height)

    def scaled(self, scale: float) -> TokenGrid:
        """The grid over the image at another size."""
        return replace(self, x0=self.x0 * scale, y0=self.y0 * scale, x1=self.x1 * scale, y1=self.y1 * scale)

    def token_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(row, col) of the token under a place in pixels, or the nearest where none shows it; None outside of the
        grid."""
        if not (self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1):
            return None
        col = min(int((x - self.x0) / self.token_width), self.cols - 1)
        row = min(int((y - self.y0) / self.token_height), self.rows - 1)
        if row * self.cols + col not in self.blind:
            return row, col
        seen = [cell for cell in range(self.rows * self.cols) if cell not in self.blind]
        if not seen:
            return None
        rows, cols = np.divmod(seen, self.cols)
        across = self.x0 + (cols + 0.5) * self.token_width - x
        down = self.y0 + (rows + 0.5) * self.token_height - y
        nearest = int((across**2 + down**2).argmin())
        return int(rows[nearest]), int(cols[nearest])

    def seen(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The (rows, cols) values, 0 in the cells that no token shows."""
        if self.blind:
            values = values.copy()
            values.reshape(-1)[list(self.blind)] = 0.0
        return values

    @property
    def x_edges(self) -> NDArray[np.float64]:
        """(cols + 1,) pixels: where the tokens' rectangles begin and end."""
        return self.x0 + (self.x1 - self.x0) * np.arange(self.cols + 1) / self.cols

    @property
    def y_edges(self) -> NDArray[np.float64]:
        """(rows + 1,) pixels."""
        return self.y0 + (self.y1 - self.y0) * np.arange(self.rows + 1) / self.rows
