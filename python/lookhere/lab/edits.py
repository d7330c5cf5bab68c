"""Pointing by changing the image: crop to a box, dim what is outside of it, draw it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..regions.region import Box

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

DIMMED = 0.25
"""What is left of the brightness outside of the box."""
RED = (255, 0, 0)


def crop(image: PillowImage, box: Box) -> PillowImage:
    """The pixels that the box touches."""
    return image.crop(_pixels(box, image))


def dim(image: PillowImage, box: Box) -> PillowImage:
    """The image with a quarter of its brightness outside of the box."""
    dark = image.point(lambda value: int(value * DIMMED))
    left, top, *_ = pixels = _pixels(box, image)
    dark.paste(image.crop(pixels), (left, top))
    return dark


def draw_box(image: PillowImage, box: Box) -> PillowImage:
    """The image with a red frame on the edge of the box, 1/64 of the short side wide, 2 pixels at least."""
    from PIL import ImageDraw

    drawn = image.copy()
    left, top, right, bottom = _pixels(box, image)
    width = max(2, round(min(image.size) / 64))
    ImageDraw.Draw(drawn).rectangle((left, top, right - 1, bottom - 1), outline=RED, width=width)
    return drawn


def _pixels(box: Box, image: PillowImage) -> tuple[int, int, int, int]:
    """Whole pixels, inside the image, one at least."""
    left, top = min(int(box.x0), image.width - 1), min(int(box.y0), image.height - 1)
    right, bottom = min(math.ceil(box.x1), image.width), min(math.ceil(box.y1), image.height)
    return left, top, max(right, left + 1), max(bottom, top + 1)
