"""Areas of polygons in the cells of a grid of straight lines, exact but for float64 rounding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

_AT_ONCE = 2**18  # values; keeps the tables of a large polygon small


def union_areas(outlines: Sequence[Floats], xs: Floats, ys: Floats) -> Floats:
    """(len(ys) - 1, len(xs) - 1) float64, square pixels: how much of each cell lies inside of any of the outlines.

    outlines: (corners, 2) x, y of closed polygons; each one's inside by the even-odd rule. xs, ys: the grid's lines,
    ascending. Method: between two neighbouring corners, crossings or grid lines in y no two edges cross, so that the
    union is a row of trapezoids there; what of a trapezoid lies in a column is a difference of two quadratic functions.
    """
    total = np.zeros((len(ys) - 1, len(xs) - 1))
    first = np.concatenate(outlines)
    second = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    owner = np.repeat(np.arange(len(outlines)), [len(outline) for outline in outlines])
    level = first[:, 1] == second[:, 1]  # these bound no trapezoid at its sides
    first, second, owner = first[~level], second[~level], owner[~level]
    down = (first[:, 1] < second[:, 1])[:, None]
    top, bottom = np.where(down, first, second), np.where(down, second, first)
    cuts = np.unique(np.concatenate([ys, top[:, 1], bottom[:, 1], crossings(top, bottom)]))
    cuts = cuts[(cuts >= ys[0]) & (cuts <= ys[-1])]
    bands = max(1, _AT_ONCE // (len(top) + len(xs)))
    for start in range(0, len(cuts) - 1, bands):
        part = cuts[start : start + bands + 1]
        rows = np.searchsorted(ys, part[:-1], side="right") - 1
        band, left, right = _trapezoids(top, bottom, owner, part)
        if len(band):
            areas = np.diff(part)[band, None] * (_left_of(left, xs) - _left_of(right, xs))
            first_of_row = np.flatnonzero(np.diff(rows[band], prepend=-1))
            total[rows[band[first_of_row]]] += np.add.reduceat(areas, first_of_row, axis=0)
    return total


def _trapezoids(
    top: Floats, bottom: Floats, owner: NDArray[np.intp], cuts: Floats
) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The union between neighbouring cuts: (n,) band, (n, 2) x of the left side at its two ends, (n, 2) of the right.

    top, bottom: (edges, 2) x, y. owner: (edges,) the polygon of each edge.
    """
    band, edge = np.nonzero((top[:, 1] <= cuts[:-1, None]) & (bottom[:, 1] >= cuts[1:, None]))
    upper, lower = top[edge], bottom[edge]
    ends = np.stack([cuts[band], cuts[band + 1]], axis=1)
    along = (ends - upper[:, 1:]) / (lower[:, 1:] - upper[:, 1:])
    sides = upper[:, :1] + along * (lower[:, :1] - upper[:, :1])
    middle = sides.sum(axis=1)
    # a closed polygon has an even number of edges in a band: they enter it and leave it by turns
    step = np.empty(len(edge), np.intp)
    step[np.lexsort((middle, owner[edge], band))] = np.resize([1, -1], len(edge))
    order = np.lexsort((-step, middle, band))
    depth = np.cumsum(step[order])
    enters = order[(step[order] == 1) & (depth == 1)]
    leaves = order[(step[order] == -1) & (depth == 0)]
    return band[enters], sides[enters], sides[leaves]


def _left_of(sides: Floats, xs: Floats) -> Floats:
    """(n, len(xs) - 1) pixels: in each column, how much lies to the right of a side, averaged over the side's height.

    sides: (n, 2) x at the two ends.
    """
    low, high = sides.min(axis=1, keepdims=True), sides.max(axis=1, keepdims=True)
    run = high - low
    crossed = np.clip(xs - low, 0.0, run) ** 2 / (2 * np.where(run > 0, run, 1.0))
    widths = np.diff(crossed + np.maximum(xs - high, 0.0), axis=1)
    # exactly the column's width, so that the two sides of a trapezoid cancel there
    return np.where(xs[:-1] >= high, np.diff(xs), widths)


def crossings(top: Floats, bottom: Floats) -> Floats:
    """(n,) y where two edges cross. top, bottom: (edges, 2) x, y of their ends, in any order."""
    found = [np.empty(0)]
    run = bottom - top
    rows = max(1, _AT_ONCE // max(1, len(top)))
    for start in range(0, len(top), rows):
        here = slice(start, start + rows)
        apart = top[None, start:] - top[here, None]
        turn = _cross(run[here, None], run[None, start:])
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # nearly parallel ones meet far away
            along = _cross(apart, run[None, start:]) / turn
            across = _cross(apart, run[here, None]) / turn
        meet = (turn != 0) & (along > 0) & (along < 1) & (across > 0) & (across < 1)
        meet = np.triu(meet, 1)  # each pair once
        edge, _ = np.nonzero(meet)
        found.append(top[here, 1][edge] + along[meet] * run[here, 1][edge])
    return np.concatenate(found)


def _cross(a: Floats, b: Floats) -> Floats:
    product: Floats = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product
