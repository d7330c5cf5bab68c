"""The tokens of a text as a grid of one row, each as many characters wide as it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..regions.box import Box
from .grid import TokenGrid


@dataclass(frozen=True)
class TextGrid(TokenGrid):
    """A pixel is a character here, and the text is one line, a pixel high.

    edges: (cols + 1,) characters: where the tokens begin and end. A token of some bytes of a character has that share
    of it; one of none, as the space that SentencePiece writes before a text, shows nothing.
    """

    edges: tuple[float, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, edges: Sequence[float] | NDArray[Any]) -> TextGrid:
        """The grid between these edges, ascending, the first of them 0; kept to a millionth of a character."""
        ends = tuple(round(float(edge), 6) for edge in edges)
        return cls(1, len(ends) - 1, 0.0, 0.0, ends[-1], 1.0, edges=ends)

    @property
    def x_edges(self) -> NDArray[np.float64]:
        """(cols + 1,) characters."""
        return np.array(self.edges)

    @property
    def areas(self) -> NDArray[np.float64]:
        """(1, cols) characters of each token; 1 for what shows none, so that nothing divides by 0."""
        widths = np.diff(self.x_edges)[None]
        return np.where(widths > 0, widths, 1.0)

    def cols_at(self, across: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which token shows each place, in whole numbers; those of no characters show none."""
        found = np.searchsorted(self.x_edges, across, side="right") - 1
        return np.where(across == self.x1, self.cols - 1, found).astype(np.float64)

    def box(self, row: int, col: int) -> Box:
        """The characters of one token, on the line."""
        return Box(self.edges[col], 0.0, self.edges[col + 1], 1.0)

    def token_at(self, x: float, y: float) -> tuple[int, int] | None:
        """(0, col) of the token that shows a character; None outside."""
        if not (0.0 <= x <= self.x1 and 0.0 <= y <= 1.0):
            return None
        return 0, int(self.cols_at(np.array([x]))[0])

    def scaled(self, scale: float) -> TokenGrid:
        """The grid itself: a text has one size."""
        return self
