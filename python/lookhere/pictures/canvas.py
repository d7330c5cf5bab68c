"""The image as the ground of a picture: at a size that a person looks at, and the token grids at the same size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..images.image import Image
from ..tokens.grid import TokenGrid

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

LEAST = 32
"""Pixels that a token has at least in a picture of a small image, which is drawn a whole number of times larger."""


@dataclass(frozen=True)
class Canvas:
    """picture: the image, RGB. grids: in pixels of the picture. scale: of those, how many a pixel of the image has."""

    picture: PillowImage
    grids: tuple[TokenGrid, ...]
    scale: float

    @classmethod
    def of(cls, image: Image, grids: Sequence[TokenGrid], most: int) -> Canvas:
        """most: pixels of the long side, where the image alone has more it is drawn smaller."""
        from PIL import Image as pillow

        long = max(image.width, image.height)
        if long > most:
            scale, filtered = most / long, pillow.Resampling.BOX
        else:
            smallest = min((min(grid.token_width, grid.token_height) for grid in grids), default=float(LEAST))
            scale, filtered = float(max(1, min(int(-(-LEAST // smallest)), most // long))), pillow.Resampling.NEAREST
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        picture = image.pillow()
        if size != picture.size:
            picture = picture.resize(size, filtered, reducing_gap=2.0 if scale < 1 else None)
        return cls(picture, tuple(grid.scaled(scale) for grid in grids), scale)
