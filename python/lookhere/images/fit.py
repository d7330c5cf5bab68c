"""Fit: how an image is given to a model that sees squares of one size."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from .. import checks, limits
from ..errors import ImageError, OptionError
from ..families import family_of
from .image import Image
from .square import stretched
from .tiles import View, count, cut

FITS = ("pad", "stretch", "tile")


@dataclass(frozen=True)
class Fitted:
    """What a projector gets of one image. views: the image alone, or an overview and then the tiles."""

    views: tuple[View, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Of all views, of which the first shows the whole image."""
        first = self.views[0].image.fingerprint
        tiles = len(self.views) - 1
        return hashlib.sha256(f"{first} in {tiles} tiles".encode()).hexdigest() if tiles else first


def checked_fit(fit: object, kind: str, side: int | None) -> str:
    """kind: of the projector. side: pixels of the square that it sees; None where it sees other shapes, too.
    OptionError."""
    chosen = checks.one_of("fit", fit, FITS)
    if chosen == "pad":
        return chosen
    if side is None:
        family = family_of(kind)
        named = f"models of the family {family.name}" if family else "this model"
        raise OptionError(
            f"fit={chosen!r}, but {named} (projector of the kind {kind or '?'}) take images in their own shape or in "
            "tiles; expected 'pad', which changes nothing there."
        )
    if not 1 <= side <= limits.IMAGE_SIDE:
        raise OptionError(
            f"fit={chosen!r}, but the projector does not say how large its square is ({side}); use 'pad'."
        )
    return chosen


def fitted(image: Image, fit: str, side: int, most: int) -> Fitted:
    """side: pixels of the square, where fit is not pad. most: tiles at most. ImageError if the image is too thin."""
    whole = (0, 0, image.width, image.height)
    tiles = count(image.width, image.height, most) if fit == "tile" else 1
    if fit == "stretch" or tiles > 1:
        overview = View(stretched(image, side), whole)
        return Fitted((overview, *(cut(image, tiles, side) if tiles > 1 else ())))
    long, short = max(image.width, image.height), min(image.width, image.height)
    if long > limits.IMAGE_ASPECT * short:
        raise ImageError(
            f"The image is {image.width} x {image.height} pixels; expected a long side of at most "
            f"{limits.IMAGE_ASPECT} times the short one. Cut it into pieces."
        )
    return Fitted((View(image, whole),))
