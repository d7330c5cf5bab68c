"""Gaze as colours over the image: where the heads looked, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..images.heat_colours import colours
from ..images.image import Image
from ..regions.region import Box, Mask, Polygon, Region, Shape, as_regions, placed, weighed
from ..tokens.frame import Frame
from ..tokens.grid import Map, TokenGrid
from ..tokens.joined import joined
from ..tokens.laid import grids_of, laid
from .canvas import Canvas

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

LARGEST = 2048
"""Pixels of the long side: smaller images are drawn larger up to it, larger ones smaller."""
_MARK = (0, 200, 255)


def spread(maps: Sequence[Map], grids: Sequence[TokenGrid], width: int, height: int) -> NDArray[np.float32]:
    """(height, width) float32 in 0..1: the maps over the image, smooth between tokens, 1 where most attention is.

    Attention per pixel, that of grids which overlap added, as tiles and an overview do. The padding is cut off.
    """
    across, down = np.arange(width, dtype=np.float64) + 0.5, np.arange(height, dtype=np.float64) + 0.5
    total = joined(maps, grids, across, down, smooth=True).astype(np.float32)
    most = float(total.max())
    return total / most if most > 0 else total


def heat_map(
    image: Any,
    maps: Sequence[Map],
    grids: Frame | Sequence[TokenGrid] | None = None,
    regions: Region | Sequence[Region] = (),
) -> PillowImage:
    """The image in grey with the maps as colours over it and the regions outlined.

    image: a scene's, or anything that ``look`` takes. maps: a gaze, which knows its grids; or one (rows, cols) map per
    grid, with the grids or their frame. The picture is as large as the image, a whole multiple of it where tokens are
    small, and 2048 pixels at most on its long side. ImageError, RegionError, OptionError.
    """
    from PIL import Image as pillow

    shown = Image.open(image)
    on = grids_of("heat_map", maps, grids)
    known = laid("heat_map", maps, on)
    none = regions is None or (isinstance(regions, (list, tuple)) and not regions)
    places = () if none else placed(as_regions(regions), shown.width, shown.height)
    canvas = Canvas.of(shown, on, LARGEST)
    heat = pillow.fromarray((spread(known, canvas.grids, *canvas.picture.size) * 255).round().astype(np.uint8))
    levels = np.arange(256) / 255
    coloured = heat.copy()
    coloured.putpalette(colours(levels).tobytes())
    grey = canvas.picture.convert("L").point([round(level * 0.75) + 48 for level in range(256)]).convert("RGB")
    share = heat.point([round(255 * each) for each in (0.12 + 0.68 * levels**0.7).tolist()])
    picture = pillow.composite(coloured.convert("RGB"), grey, share)
    line = max(1, round(min(picture.size) / 150))
    for region in places:
        _outline(picture, weighed(region)[0], canvas.scale, line)
    return picture


def _outline(picture: PillowImage, region: Shape, scale: float, line: int) -> None:
    """Draws the border of a region, or a ring around a point. scale: of the picture. line: pixels, how thick."""
    from PIL import Image as pillow
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    if isinstance(region, Box):
        left, top = min(round(region.x0 * scale), picture.width - 1), min(round(region.y0 * scale), picture.height - 1)
        right, bottom = max(round(region.x1 * scale) - 1, left), max(round(region.y1 * scale) - 1, top)
        draw.rectangle((left, top, right, bottom), outline=_MARK, width=line)
    elif isinstance(region, Polygon):
        draw.polygon(
            [(min(x * scale, picture.width - 1), min(y * scale, picture.height - 1)) for x, y in region.corners],
            outline=_MARK,
            width=line,
        )
    elif isinstance(region, Mask):
        inside = pillow.fromarray(region.values >= region.values.max() / 2)
        border = _border(np.asarray(inside.resize(picture.size, pillow.Resampling.NEAREST)), line)
        picture.paste(_MARK, mask=pillow.fromarray(border.astype(np.uint8) * 255))
    else:
        (x, y), reach = region.centre, 3 * line
        x, y = x * scale, y * scale
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=_MARK, width=line)


def _border(inside: NDArray[np.bool_], line: int) -> NDArray[np.bool_]:
    """(height, width): what of a mask of that shape lies within line pixels of its outside or of the image's edge."""
    deep = np.pad(inside, 1)
    for _ in range(line):
        deep[1:-1, 1:-1] &= deep[:-2, 1:-1] & deep[2:, 1:-1] & deep[1:-1, :-2] & deep[1:-1, 2:]
    border: NDArray[np.bool_] = inside & ~deep[1:-1, 1:-1]
    return border
