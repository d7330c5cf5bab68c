"""The image tokens over the image: what the model sees as one, and which of them a region covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.image import Image
from ..tokens.grid import SMALLEST_SHARE, Map, TokenGrid
from .canvas import Canvas

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image as PillowImage

_LINE = (255, 255, 255)
_SHADOW = (20, 20, 30)
_COVERED = (255, 140, 0)

_LARGEST = 4096
"""Pixels of the long side: smaller images are drawn larger up to it, larger ones smaller."""


def grid_picture(image: Image, grids: Sequence[TokenGrid], coverage: Sequence[Map] = ()) -> PillowImage:
    """The image with a line around each token, and the covered ones tinted by their share; the rest is in grey then.

    coverage: one (rows, cols) map in 0..1 per grid, or none. The picture is as large as the image, or a whole multiple
    of it where tokens are small; 4096 pixels at most on its long side. Tokens below the share from which they count as
    covered stay grey.
    """
    from PIL import Image as pillow
    from PIL import ImageDraw

    canvas = Canvas.of(image, grids, _LARGEST)
    picture, size = canvas.picture, canvas.picture.size
    if len(coverage):
        grey = picture.convert("L").point([round(level * 0.6) + 40 for level in range(256)]).convert("RGB")
        tinted = pillow.blend(picture, pillow.new("RGB", size, _COVERED), 0.35)
        shares = _shares(coverage, canvas.grids, size)
        picture = pillow.composite(tinted, grey, pillow.fromarray((shares * 255).round().astype(np.uint8)))
    draw = ImageDraw.Draw(picture)
    for grid in canvas.grids:
        _draw_lines(draw, grid, size)
    return picture


def _shares(coverage: Sequence[Map], grids: Sequence[TokenGrid], size: tuple[int, int]) -> Map:
    """(height, width) float32 of the picture: the share of the token that a pixel lies in, the largest of all grids."""
    width, height = size
    total = np.zeros((height, width), np.float32)
    for shares, grid in zip(coverage, grids, strict=True):
        cols = _indices(width, grid.x0, grid.token_width, grid.cols)
        rows = _indices(height, grid.y0, grid.token_height, grid.rows)
        counted = np.pad(np.where(shares >= SMALLEST_SHARE, shares, 0), 1)  # places outside of the grid
        np.maximum(total, counted[np.ix_(rows + 1, cols + 1)], out=total)
    return total


def _indices(pixels: int, start: float, length: float, count: int) -> NDArray[np.intp]:
    """(pixels,) row or column of the token that each pixel's centre lies in; -1 and count outside."""
    places = np.floor((np.arange(pixels) + 0.5 - start) / length)
    indices: NDArray[np.intp] = np.clip(places, -1, count).astype(np.intp)
    return indices


def _draw_lines(draw: ImageDraw.ImageDraw, grid: TokenGrid, size: tuple[int, int]) -> None:
    """Light lines with a dark one beside them, so that they show on any image."""
    width, height = size
    left, right = max(grid.x0, 0), min(grid.x1, width)
    top, bottom = max(grid.y0, 0), min(grid.y1, height)
    for shift, colour in ((1, _SHADOW), (0, _LINE)):
        for col in range(grid.cols + 1):
            x = min(round(grid.x0 + col * grid.token_width), width - 1) + shift
            if left <= x <= right:
                draw.line((x, top, x, bottom), fill=colour)
        for row in range(grid.rows + 1):
            y = min(round(grid.y0 + row * grid.token_height), height - 1) + shift
            if top <= y <= bottom:
                draw.line((left, y, right, y), fill=colour)
