"""Zoom: a window around small regions, enlarged to the size of the whole image, so that they take more tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..images.image import Image
from ..regions.box import Box, Point
from ..regions.region import Mask, Placed, weighed
from .grid import TokenGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 3.0
"""Tokens that a region shall have across and down; docs/evaluation.md says what zoom does by size."""
MOST = 8.0
"""Times that an image is enlarged at most."""
LEAST = 1.2
"""A window that would be enlarged less is not worth another image."""
MARGIN = 0.1
"""Of the region's size, on each side, stays in the window."""
_REACH = 3
"""Pixels around a part that its enlarging reads."""


def window(regions: Sequence[Placed], grids: Sequence[TokenGrid], width: int, height: int) -> Box | None:
    """The part of a width x height image to look at for regions in it; None where they are large enough.

    It has the shape of the image, so that it has as many tokens when it is enlarged, and is placed around the middle of
    the regions, moved where it would leave the image. It is as much smaller than the image as makes the regions'
    bounding box 3 tokens wide and high (of the finest grid), 8 times at most, and holds that box with a margin. A point
    counts as large as a token.
    """
    across = min(grid.token_width for grid in grids)
    down = min(grid.token_height for grid in grids)
    left, top, right, bottom = _bounds(regions, across, down)
    wanted = max(ENOUGH * across / (right - left), ENOUGH * down / (bottom - top))
    room = 1 + 2 * MARGIN
    possible = min(width / (room * (right - left)), height / (room * (bottom - top)))
    times = min(wanted, possible, MOST)
    if times < LEAST:
        return None
    wide, high = width / times, height / times
    x = min(max((left + right - wide) / 2, 0.0), width - wide)
    y = min(max((top + bottom - high) / 2, 0.0), height - high)
    return Box(x, y, x + wide, y + high)


def enlarged(image: Image, part: Box) -> NDArray[np.uint8]:
    """(height, width, 3) uint8: a part of an image, as large as the image itself; bicubic. Reads the part alone."""
    from PIL import Image as pillow

    left, top = (max(int(place) - _REACH, 0) for place in (part.x0, part.y0))
    right, bottom = (int(place) + 1 + _REACH for place in (part.x1, part.y1))
    near = pillow.fromarray(np.ascontiguousarray(image.pixels[top:bottom, left:right]))
    box = (part.x0 - left, part.y0 - top, part.x1 - left, part.y1 - top)
    picture = near.resize((image.width, image.height), pillow.Resampling.BICUBIC, box=box)
    return np.asarray(picture, dtype=np.uint8, order="C")


def close_up(image: Image, part: Box) -> Image:
    """The enlarged part as an image, which is drawn only if nobody has encoded it before."""
    told = f"{image.fingerprint} enlarged {part!r}"
    fingerprint = hashlib.sha256(told.encode()).hexdigest()
    return Image.later(
        lambda: enlarged(image, part), (image.width, image.height), fingerprint, f"a part of {image.name}"
    )


def in_image(grid: TokenGrid, part: Box, width: int, height: int) -> TokenGrid:
    """A grid of an enlarged part, in pixels of the image that the part was taken from."""
    across, down = (part.x1 - part.x0) / width, (part.y1 - part.y0) / height
    return replace(
        grid,
        x0=part.x0 + grid.x0 * across,
        y0=part.y0 + grid.y0 * down,
        x1=part.x0 + grid.x1 * across,
        y1=part.y0 + grid.y1 * down,
    )


def _bounds(regions: Sequence[Placed], across: float, down: float) -> tuple[float, float, float, float]:
    """left, top, right, bottom of all regions together; a point is across x down pixels large."""
    places: list[tuple[float, float]] = []
    for region in regions:
        shape = weighed(region)[0]
        if isinstance(shape, Mask):
            rows, cols = (np.flatnonzero(shape.values.any(axis=axis)) for axis in (1, 0))
            places += [(float(cols[0]), float(rows[0])), (cols[-1] + 1.0, rows[-1] + 1.0)]
        elif isinstance(shape, Point):
            places += [(shape.x - across / 2, shape.y - down / 2), (shape.x + across / 2, shape.y + down / 2)]
        else:
            places += shape.corners
    xs, ys = zip(*places, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
