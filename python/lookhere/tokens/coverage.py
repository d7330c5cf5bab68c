"""Coverage: which share of each token a region covers. The one place where pixels meet tokens.

Exact but for rounding: boxes and polygons by their areas, masks by what of each pixel lies in each token, unions by the
largest value at every place.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..regions.area import union_areas
from ..regions.region import Box, Mask, Placed, Polygon, Shape, weighed
from .grid import SMALLEST_SHARE, Map, TokenGrid

Part: TypeAlias = tuple[Shape, float]
"""A region without its weight, and the weight."""


def coverage(regions: Sequence[Placed], grids: Sequence[TokenGrid]) -> tuple[Map, ...]:
    """One (rows, cols) float32 map in 0..1 per grid: which share of each token the union of the regions covers.

    The padding is part of a token's area; weights do not count here. Never empty: a region that reaches 1/16 of no
    token takes one token with 1: a box or point the one under its centre, a polygon or mask the one it covers most.
    """
    return _maps([(weighed(region)[0], 1.0) for region in regions], grids)


def target(
    regions: Sequence[Placed], grids: Sequence[TokenGrid], covered: Sequence[Map] | None = None
) -> tuple[Map, ...]:
    """One (rows, cols) float32 map in 0..1 per grid, what a steering aims at: the coverage times the weight.

    0 where the regions cover less than 1/16 of a token, however large their weight, and above 0 elsewhere, however
    small. Where regions overlap, the largest weight counts. covered: their coverage, where it is known already.
    """
    covered = coverage(regions, grids) if covered is None else covered
    parts = [weighed(region) for region in regions]
    weighted = covered if all(weight == 1 for _, weight in parts) else _maps(parts, grids)
    return tuple(
        np.where(share >= SMALLEST_SHARE, value, np.float32(0)) for share, value in zip(covered, weighted, strict=True)
    )


def _maps(parts: Sequence[Part], grids: Sequence[TokenGrid]) -> tuple[Map, ...]:
    alone = [[shares([(region, 1.0)], grid) for grid in grids] for region, _ in parts]
    reached = [any(share.astype(np.float32).max() >= SMALLEST_SHARE for share in each) for each in alone]
    large = [part for part, enough in zip(parts, reached, strict=True) if enough]
    maps = []
    for index, grid in enumerate(grids):
        total = large[0][1] * alone[reached.index(True)][index] if len(large) == 1 else shares(large, grid)
        for (region, weight), enough, each in zip(parts, reached, alone, strict=True):
            token = None if enough else _token_of(region, grid, each[index])
            if token is not None:
                total[token] = max(total[token], weight)
        maps.append(total.astype(np.float32))
    return tuple(maps)


def _token_of(region: Shape, grid: TokenGrid, alone: NDArray[np.float64]) -> tuple[int, int] | None:
    """(row, col) that stands for a region which is too small for the grid; None outside of it."""
    if isinstance(region, (Polygon, Mask)) and alone.any():
        row, col = divmod(int(alone.argmax()), grid.cols)
        return row, col
    return grid.token_at(*region.centre)


def shares(parts: Sequence[Part], grid: TokenGrid) -> NDArray[np.float64]:
    """(rows, cols) float64 in 0..1: the largest weight at each place, averaged over each token's rectangle.

    parts: regions without their weights, and the weights. Points have no area.
    """
    shapes = [(region, weight) for region, weight in parts if isinstance(region, (Box, Polygon))]
    masks = [
        region.values if weight == 1 else region.values * np.float32(weight)
        for region, weight in parts
        if isinstance(region, Mask)
    ]
    total = np.zeros((grid.rows, grid.cols))
    if len(parts) == 1 and isinstance(box := parts[0][0], Box):  # what is pointed at while tokens stream by
        down, across = _within(grid.y_edges, box.y0, box.y1), _within(grid.x_edges, box.x0, box.x1)
        total += parts[0][1] * np.outer(down, across)
    elif masks:
        mask = reduce(np.maximum, masks)
        total += _mask_areas(mask, grid)
        if shapes:
            total += _beyond(shapes, mask, grid)
    elif shapes:
        total += _stacked(shapes, 0.0, grid.x_edges, grid.y_edges)
    return grid.seen(np.clip(total / grid.areas, 0.0, 1.0))


def _stacked(
    shapes: Sequence[tuple[Box | Polygon, float]],
    under: NDArray[np.float64] | float,
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(len(ys) - 1, len(xs) - 1) float64: what the shapes' weights add to a value under them, times square pixels.

    under: (len(ys) - 1, len(xs) - 1), the same all over a cell. From the highest weight down, each level adds what it
    rises above the next one, over the union of all that reach it.
    """
    levels = sorted({weight for _, weight in shapes}, reverse=True)
    total = np.zeros((len(ys) - 1, len(xs) - 1))
    for level, lower in zip(levels, [*levels[1:], 0.0], strict=True):
        outlines = [np.array(shape.corners, np.float64) for shape, weight in shapes if weight >= level]
        total += (np.maximum(level, under) - np.maximum(lower, under)) * union_areas(outlines, xs, ys)
    return total


def _beyond(
    shapes: Sequence[tuple[Box | Polygon, float]], mask: NDArray[np.float32], grid: TokenGrid
) -> NDArray[np.float64]:
    """(rows, cols) float64: what the shapes add to a mask, in square pixels; computed pixel by pixel around them."""
    total = np.zeros((grid.rows, grid.cols))
    corners = np.concatenate([np.array(shape.corners, np.float64) for shape, _ in shapes])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    xs, ys = _cuts(grid.x_edges, left, right), _cuts(grid.y_edges, top, bottom)
    if len(xs) > 1 and len(ys) > 1:
        across, down = (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2
        under = mask[np.ix_(down.astype(np.intp), across.astype(np.intp))].astype(np.float64)
        rows = np.searchsorted(grid.y_edges, down) - 1
        cols = np.searchsorted(grid.x_edges, across) - 1
        np.add.at(total, np.ix_(rows, cols), _stacked(shapes, under, xs, ys))
    return total


def _within(edges: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """(len(edges) - 1,) how much of low..high lies between two neighbouring edges."""
    lengths: NDArray[np.float64] = np.diff(np.clip(edges, low, high))
    return lengths


def _cuts(edges: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """(n,) the edges and the borders of pixels in low..high, and its ends, as far as the edges reach."""
    low, high = max(low, edges[0]), min(high, edges[-1])
    every = np.unique(np.concatenate([edges, np.arange(np.floor(low), np.ceil(high) + 1), [low, high]]))
    return every[(every >= low) & (every <= high)]


def _mask_areas(mask: NDArray[np.float32], grid: TokenGrid) -> NDArray[np.float64]:
    """(rows, cols) float64: the sum of a mask's pixels, each as far as it lies in the token."""
    height, width = mask.shape
    across = _overlaps(grid.x_edges, width)
    total = np.zeros((grid.rows, grid.cols))
    for row, lengths in enumerate(_overlaps(grid.y_edges, height)):
        pixels = np.flatnonzero(lengths)
        if len(pixels):
            touched = slice(pixels[0], pixels[-1] + 1)
            total[row] = across @ (lengths[touched] @ mask[touched])
    return total


def _overlaps(edges: NDArray[np.float64], pixels: int) -> NDArray[np.float64]:
    """(len(edges) - 1, pixels): how long each pixel lies between two neighbouring edges."""
    begin = np.arange(pixels)
    shared = np.minimum(edges[1:, None], begin + 1) - np.maximum(edges[:-1, None], begin)
    lengths: NDArray[np.float64] = np.clip(shared, 0.0, None)
    return lengths
