"""The image tokens over the image: what the model sees as one, and which of them a region covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.image import Image
from ..tokens.grid import SMALLEST_SHARE, Map, TokenGrid

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_LINE = (255, 255, 255)
_SHADOW = (20, 20, 30)
_COVERED = (255, 140, 0)

_LEAST = 32
"""Pixels that a token has at least in the picture; smaller images are drawn larger."""
_LARGEST = 4096
"""Pixels of a side up to which an image is drawn larger."""


def grid_picture(image: Image, grids: Sequence[TokenGrid], coverage: Sequence[Map] = ()) -> PillowImage:
    """The image with a line around each token, and the covered ones tinted by their share; the rest is in grey then.

    coverage: one (rows, cols) map in 0..1 per grid, or none. The picture is as large as the image, or a whole multiple
    of it where tokens are small. Tokens below the share from which they count as covered stay grey.
    """
    from PIL import Image as pillow
    from PIL import ImageDraw

    scale = _scale(image, grids)
    size = (image.width * scale, image.height * scale)
    pixels = np.asarray(image.pillow().resize(size, pillow.Resampling.NEAREST), dtype=np.float32)
    if len(coverage):
        grey = pixels.mean(axis=-1, keepdims=True) * 0.6 + 40
        share = _shares(coverage, grids, image, scale)[..., None]
        tinted = 0.65 * pixels + 0.35 * np.array(_COVERED, np.float32)
        pixels = grey * (1 - share) + tinted * share
    picture = pillow.fromarray(pixels.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for grid in grids:
        _draw_lines(draw, grid, scale, size)
    return picture


def _scale(image: Image, grids: Sequence[TokenGrid]) -> int:
    smallest = min((min(grid.token_width, grid.token_height) for grid in grids), default=float(_LEAST))
    wanted = int(-(-_LEAST // smallest))
    return max(1, min(wanted, _LARGEST // max(image.width, image.height)))


def _shares(coverage: Sequence[Map], grids: Sequence[TokenGrid], image: Image, scale: int) -> Map:
    """(height, width) float32 of the picture: the share of the token that a pixel lies in, the largest of all grids."""
    total = np.zeros((image.height * scale, image.width * scale), np.float32)
    for shares, grid in zip(coverage, grids, strict=True):
        cols = _indices(image.width * scale, scale, grid.x0, grid.token_width, grid.cols)
        rows = _indices(image.height * scale, scale, grid.y0, grid.token_height, grid.rows)
        counted = np.pad(np.where(shares >= SMALLEST_SHARE, shares, 0), 1)  # places outside of the grid
        total = np.maximum(total, counted[np.ix_(rows + 1, cols + 1)])
    return total.astype(np.float32)


def _indices(pixels: int, scale: int, start: float, length: float, count: int) -> NDArray[np.intp]:
    """(pixels,) row or column of the token that each pixel's centre lies in; -1 and count outside."""
    places = np.floor(((np.arange(pixels) + 0.5) / scale - start) / length)
    return np.clip(places, -1, count).astype(np.intp)


def _draw_lines(draw: object, grid: TokenGrid, scale: int, size: tuple[int, int]) -> None:
    """Light lines with a dark one beside them, so that they show on any image."""
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    width, height = size
    left, right = max(grid.x0 * scale, 0), min(grid.x1 * scale, width)
    top, bottom = max(grid.y0 * scale, 0), min(grid.y1 * scale, height)
    for shift, colour in ((1, _SHADOW), (0, _LINE)):
        for col in range(grid.cols + 1):
            x = min(round((grid.x0 + col * grid.token_width) * scale), width - 1) + shift
            if left <= x <= right:
                draw.line((x, top, x, bottom), fill=colour)
        for row in range(grid.rows + 1):
            y = min(round((grid.y0 + row * grid.token_height) * scale), height - 1) + shift
            if top <= y <= bottom:
                draw.line((left, y, right, y), fill=colour)
