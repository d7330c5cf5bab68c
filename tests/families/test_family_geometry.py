"""Brute force: where pixels change, the tokens move that coverage names; in every grid of every family.

The pairs have random weights and hardly mix by attention: what a trained encoder makes of a spot may be seen elsewhere.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from lookhere.regions.box import Box
from spots import LEAST_SEEN, covered, moved, noise, painted, spots, views

SIZES = {"square": (500, 500), "wide": (900, 300), "strip": (700, 40), "tall": (260, 820), "tiny": (37, 29),
         "large": (1200, 900)}  # fmt: skip
if os.environ.get("CI"):  # time: the others run wherever a person runs them
    SIZES = {name: SIZES[name] for name in ("strip", "tiny", "large")}

ROUNDS = 3
"""In an image of one grid with one spot each; in one of several with one in every third grid, so that each has one."""
BLUR = 3
"""Pixels, of Lanczos."""


@pytest.mark.parametrize("size", SIZES)
def test_the_tokens_that_move_are_those_that_coverage_names(family, size):
    width, height = SIZES[size]
    rng = np.random.default_rng(0)
    pixels = noise(width, height)
    image = family.projector.encode(pixels)
    seen = views(image)
    before = image.embeddings()
    tried = 0
    for number in range(ROUNDS):
        grids = [view.grid for view in (seen if len(seen) == 1 else seen[number::ROUNDS])]
        boxes = [box for grid in grids for box in spots(grid, width, height, 1, rng)]
        if boxes:
            after = family.projector.encode(painted(pixels, boxes, rng)).embeddings()
            check(family, seen, boxes, moved(before, after))
            tried += len(boxes)
    assert tried >= len(seen) / 2


OVERLAPPING = {"step3-vl": 0.5, "mobilevlm": 0.5, "mobilevlm-v2": 0.5}
"""Families whose tokens see parts of their neighbours' cells, by convolutions: how much of a cell that is."""


def check(family, seen, boxes, distance):
    """Of the tokens around a box the one that moves most is among those that it covers most; those far from all boxes
    hardly move."""
    off = OVERLAPPING.get(family.name, 0.0)
    shares = [named(box, seen, off) for box in boxes]
    for number, view in enumerate(seen):
        found = distance[view.rows]
        around = [near(view, box) for box in boxes]
        for index, box in enumerate(boxes):
            where = f"{box} in grid {number} of {len(seen)}: {view.grid}"
            share = shares[index][number]
            others = [each[number] > 0 for k, each in enumerate(shares) if k != index]
            alone = around[index] & ~np.any([~around[index], *others], axis=0)
            if share.max() >= LEAST_SEEN and alone[share.argmax()]:
                tokens = np.where(alone, found, -1.0).argmax(), share.argmax()
                least = 0.0 if off else 0.49 * share.max()
                assert share[tokens[0]] > least, (where, *(at(view, token) for token in tokens))
        far = found[~np.any(around, axis=0)]
        if len(far):
            assert far.max() < 0.25 * distance.max(), (boxes, number, view.grid, at(view, int(found.argmax())))


def named(box, seen, off):
    """For each grid the (tokens,) shares that a box covers, grown by a pixel on every side: interpolation is off by up
    to half a pixel, which counts where images are enlarged. off: by so much of the grid's own cells, too."""
    if off:
        margins = [(BLUR + off * view.grid.token_width, BLUR + off * view.grid.token_height) for view in seen]
        return [covered([grown(box, *margin)], [view])[0] for margin, view in zip(margins, seen, strict=True)]
    return covered([grown(box, 1, 1)], seen)


def grown(box, across, down):
    """By so many pixels on every side."""
    return Box(box.x0 - across, box.y0 - down, box.x1 + across, box.y1 + down)


def near(view, box):
    """(tokens,) whether a token shows a cell that the box reaches, or one beside that. Where pixels are enlarged, what
    interpolation makes of one reaches three pixels far."""
    grid = view.grid
    rows, cols = np.divmod(view.cells, grid.cols)
    across, down = max(grid.token_width, BLUR), max(grid.token_height, BLUR)
    left, top = grid.x0 + cols * grid.token_width, grid.y0 + rows * grid.token_height
    beside = (left - across < box.x1) & (left + grid.token_width + across > box.x0)
    below = (top - down < box.y1) & (top + grid.token_height + down > box.y0)
    return (view.cells >= 0) & beside & below


def at(view, token):
    """(row, col) that a token shows."""
    return divmod(int(view.cells[token]), view.grid.cols)


@pytest.mark.parametrize("size", SIZES)
def test_grids_cover_the_image_and_every_token_has_its_cell(family, size):
    width, height = SIZES[size]
    image = family.projector.encode(noise(width, height))
    assert (image.width, image.height) == (width, height)
    whole = np.zeros((height, width), bool)
    for view in views(image):
        shown = view.cells[view.cells >= 0]
        assert len(set(shown.tolist())) == len(shown) or view.grid.tokens == 1  # a token of its own, or a whole slice
        grid = view.grid
        assert grid.x0 < grid.x1
        assert grid.y0 < grid.y1
        whole[max(0, round(grid.y0)) : round(grid.y1), max(0, round(grid.x0)) : round(grid.x1)] = True
    assert whole.mean() > 0.99
