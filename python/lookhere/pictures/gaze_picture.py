"""A gaze as a picture: over the image that it is on, or alone where there is none at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ImageError
from ..images.heat_colours import colours
from ..images.image import Image
from ..regions.region import Region, placed
from ..tokens.frame import Frame
from ..tokens.grid import Map
from .heat_map import heat_map, spread

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

LONG_SIDE = 640
"""Pixels of a map alone, at its long side."""


def gaze_picture(
    maps: Sequence[Map], frame: Frame, image: Image | None = None, regions: Sequence[Region] = ()
) -> PillowImage:
    """The maps over their image with the regions outlined; without an image the maps alone, in its shape.

    ImageError where the image is of another size than the one that was looked at.
    """
    from PIL import Image as pillow

    if image is not None:
        if (image.width, image.height) != (frame.width, frame.height):
            raise ImageError(
                f"The image {image.name} is {image.width} x {image.height} pixels; the answer is about one of "
                f"{frame.width} x {frame.height}. Give the image that was looked at."
            )
        return heat_map(image, maps, frame.grids, placed(regions, frame.width, frame.height))
    scale = LONG_SIDE / max(frame.width, frame.height)
    width, height = (max(1, round(length * scale)) for length in (frame.width, frame.height))
    grids = [grid.scaled(scale) for grid in frame.grids]
    return pillow.fromarray(colours(spread(maps, grids, width, height)))
