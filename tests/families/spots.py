"""Spots: parts of an image that are painted, and the tokens that move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from lookhere.regions.box import Box
from lookhere.tokens.coverage import coverage
from lookhere.tokens.grid import TokenGrid

LEAST_SEEN = 0.3
"""How much of a cell must lie within the image to be painted."""
CHANGE = 48
"""Of a colour that is painted."""


@dataclass(frozen=True)
class View:
    """A token grid of an encoded image. rows: slice of the image's embeddings. cells: of each token, -1 for none."""

    grid: TokenGrid
    rows: slice
    cells: np.ndarray


def views(image) -> list[View]:
    """All token grids of an encoded image, in their order."""
    found, start = [], 0
    for part in image.parts:
        if part.kind != "image":
            continue
        assert part.grid is not None, "an image part without a grid"
        given = part.grid
        cells = np.arange(part.tokens) if part.cells is None else np.asarray(part.cells)
        assert len(cells) == part.tokens
        count = given.rows * given.cols
        assert cells.max() < count
        blind = tuple(sorted(set(range(count)) - set(cells.tolist())))
        grid = TokenGrid(given.rows, given.cols, given.x0, given.y0, given.x1, given.y1, blind)
        found.append(View(grid, slice(start, start + part.tokens), cells))
        start += part.tokens
    assert start == len(image.embeddings())
    return found


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """An image with contrasts of every size, so that no token is like another, however much it is shrunk."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for side in (1, 4, 16, 64):
        blocks = rng.uniform(-1, 1, (-(-height // side), -(-width // side), 3))
        total += blocks.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    return np.clip(128 + 40 * total, CHANGE, 255 - CHANGE).astype(np.uint8)


def spots(grid: TokenGrid, width: int, height: int, count: int, rng: np.random.Generator) -> Iterator[Box]:
    """Whole pixels that a cell shows, of some cells that lie mostly within the image."""
    for cell in rng.permutation(grid.rows * grid.cols):
        if count == 0:
            return
        if int(cell) in grid.blind:
            continue
        whole = grid.box(*divmod(int(cell), grid.cols))
        x0, x1 = _pixels(whole.x0, whole.x1, width)
        y0, y1 = _pixels(whole.y0, whole.y1, height)
        seen = max(0.0, min(whole.x1, width) - max(whole.x0, 0)) * max(0.0, min(whole.y1, height) - max(whole.y0, 0))
        if x1 > x0 and y1 > y0 and seen >= LEAST_SEEN * grid.token_width * grid.token_height:
            count -= 1
            yield Box(x0, y0, x1, y1)


def _pixels(low: float, high: float, length: int) -> tuple[int, int]:
    """The whole pixels nearest to a range, one at least where it lies in the image."""
    first = min(max(round(low), 0), length)
    last = min(max(round(high), 0), length)
    if first == last and 0 <= (low + high) / 2 < length:
        first = int((low + high) / 2)
        last = first + 1
    return first, last


def painted(pixels: np.ndarray, boxes: Sequence[Box], rng: np.random.Generator) -> np.ndarray:
    """A copy with another tint in each box. No stronger: a few pixels of a colour that stands out move a token as far
    as many."""
    copy = pixels.astype(np.int16)
    for box in boxes:
        tint = rng.choice([-CHANGE, CHANGE], size=3)
        copy[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] += tint.astype(np.int16)
    return copy.astype(np.uint8)


def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(tokens,) how far each token's embedding went."""
    return np.abs(after - before).sum(axis=1)


def covered(boxes: Sequence[Box], seen: list[View]) -> list[np.ndarray]:
    """For each grid the share of every token that the boxes cover, (tokens,); 0 where a token shows no cell."""
    maps = coverage(boxes, [view.grid for view in seen])
    return [np.where(view.cells >= 0, each.reshape(-1)[view.cells], 0.0) for view, each in zip(seen, maps, strict=True)]
