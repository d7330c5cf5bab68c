"""Maps on several token grids as one: what a place gets is added, whichever grids show it.

Models look at an image in tiles and once more as a whole, so that a place is shown by several tokens. A map holds the
attention on each token; divided by the pixels that the token shows, it can be added up where grids overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .grid import Map, TokenGrid

Floats: TypeAlias = NDArray[np.float64]


def joined(
    maps: Sequence[Map], grids: Sequence[TokenGrid], across: Floats, down: Floats, *, smooth: bool = False
) -> Floats:
    """(len(down), len(across)) float64: the attention per square pixel at each place, of all grids that show it.

    across, down: x and y of the places in pixels, ascending. Places that a grid does not show get nothing of it.
    smooth: bicubic between the middles of tokens, never below 0; else the same all over a token.
    """
    total = np.zeros((len(down), len(across)))
    for values, grid in zip(maps, grids, strict=True):
        x, y = grid.cols_at(across), (down - grid.y0) / grid.token_height
        cols, rows = (x >= 0) & (x < grid.cols), (y >= 0) & (y < grid.rows)
        if not cols.any() or not rows.any():
            continue
        density = values.astype(np.float64) / grid.areas
        if smooth:
            part = np.clip(_cubic(y[rows], grid.rows) @ density @ _cubic(x[cols], grid.cols).T, 0.0, None)
        else:
            part = density[np.ix_(y[rows].astype(np.intp), x[cols].astype(np.intp))]
        total[_slice(rows), _slice(cols)] += part
    return total


def _slice(chosen: NDArray[np.bool_]) -> slice:
    """The places in a row that are chosen."""
    first = int(chosen.argmax())
    return slice(first, first + int(chosen.sum()))


def _cubic(places: Floats, count: int) -> Floats:
    """(len(places), count): how much of each token a place gets; of Keys' kernel with a = -0.5, as pictures are
    enlarged. places: in tokens from the first one's edge."""
    far = np.abs(places[:, None] - (np.arange(count) + 0.5))
    near = (1.5 * far - 2.5) * far**2 + 1
    wide = ((-0.5 * far + 2.5) * far - 4) * far + 2
    weights = np.where(far < 1, near, np.where(far < 2, wide, 0.0))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares
