"""Tiles: a long image cut into pieces that are nearly square, for models that see squares of one size."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .image import Image
from .square import stretched

MOST = 12
"""Tiles of an image, as InternVL has; those of longer images are longer."""

Rectangle: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels, half open."""


class View(NamedTuple):
    """An image that a projector gets, and the part of the caller's image that it shows."""

    image: Image
    part: Rectangle


def count(width: int, height: int, most: int = MOST) -> int:
    """Tiles that an image is cut into along its long side: as many as it is longer than wide, rounded up from .6 on;
    1 for none. So photographs stay whole, and a tile is at most 1.3 times as long as wide, or as wide as long."""
    long, short = max(width, height), min(width, height)
    return max(1, min((5 * long + 2 * short) // (5 * short), most))


def rectangles(width: int, height: int, tiles: int) -> list[Rectangle]:
    """From left to right or from top to bottom; lengths differ by a pixel at most."""
    long = max(width, height)
    places = [(2 * k * long + tiles) // (2 * tiles) for k in range(tiles + 1)]
    return [(a, 0, b, height) if width >= height else (0, a, width, b) for a, b in pairwise(places)]


def cut(image: Image, tiles: int, side: int) -> list[View]:
    """The tiles of an image, each stretched to side x side pixels: what they were padded with would lie over their
    neighbours. Drawn only if nobody has encoded them before."""
    views = []
    for part in rectangles(image.width, image.height, tiles):
        x0, y0, x1, y1 = part
        fingerprint = hashlib.sha256(f"{image.fingerprint} cut {part}".encode()).hexdigest()
        piece = Image.later(partial(_pixels, image, part), (x1 - x0, y1 - y0), fingerprint, image.name)
        views.append(View(stretched(piece, side), part))
    return views


def _pixels(image: Image, part: Rectangle) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = part
    return image.pixels[y0:y1, x0:x1]
