"""Gaze as colours over the image: where the heads looked, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.heat_colours import colours
from ..images.image import Image
from ..regions.region import Box, Mask, Placed, Polygon, Shape, weighed
from ..tokens.grid import Map, TokenGrid

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_MARK = (0, 200, 255)


def spread(maps: Sequence[Map], grids: Sequence[TokenGrid], width: int, height: int) -> NDArray[np.float32]:
    """(height, width) float32 in 0..1: the maps over the image, smooth between tokens, 1 where most attention is.

    Where grids overlap, as tiles and an overview do, the larger value counts. The padding is cut off.
    """
    from PIL import Image as pillow

    total = np.zeros((height, width), np.float32)
    for values, grid in zip(maps, grids, strict=True):
        across = (np.arange(width) + 0.5 - grid.x0) / grid.token_width
        down = (np.arange(height) + 0.5 - grid.y0) / grid.token_height
        columns, rows = (across >= 0) & (across < grid.cols), (down >= 0) & (down < grid.rows)
        if not columns.any() or not rows.any():
            continue
        half_x, half_y = 0.5 / grid.token_width, 0.5 / grid.token_height
        size = (int(columns.sum()), int(rows.sum()))
        box = (
            max(float(across[columns][0]) - half_x, 0.0),
            max(float(down[rows][0]) - half_y, 0.0),
            min(float(across[columns][-1]) + half_x, float(grid.cols)),
            min(float(down[rows][-1]) + half_y, float(grid.rows)),
        )
        smooth = pillow.fromarray(values.astype(np.float32)).resize(size, pillow.Resampling.BICUBIC, box=box)
        window = np.ix_(rows, columns)
        total[window] = np.maximum(total[window], np.asarray(smooth))
    most = float(total.max())
    return total / most if most > 0 else total


def heat_map(
    image: Image, maps: Sequence[Map], grids: Sequence[TokenGrid], regions: Sequence[Placed] = ()
) -> PillowImage:
    """The image in grey with the maps as colours over it and the regions outlined; as large as the image."""
    from PIL import Image as pillow

    heat = spread(maps, grids, image.width, image.height)
    grey = np.asarray(image.pillow().convert("L"), dtype=np.float32)[..., None] * 0.75 + 48
    share = (0.12 + 0.68 * heat**0.7)[..., None]
    picture = pillow.fromarray((grey * (1 - share) + colours(heat) * share).astype(np.uint8))
    line = max(1, round(min(image.width, image.height) / 150))
    for region in regions:
        _outline(picture, weighed(region)[0], line)
    return picture


def _outline(picture: PillowImage, region: Shape, line: int) -> None:
    """Draws the border of a region, or a ring around a point. line: pixels, how thick."""
    from PIL import Image as pillow
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    if isinstance(region, Box):
        corners = (region.x0, region.y0, region.x1 - 1, region.y1 - 1)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            draw.rectangle(corners, outline=_MARK, width=line)
    elif isinstance(region, Polygon):
        draw.polygon(
            [(min(x, picture.width - 1), min(y, picture.height - 1)) for x, y in region.corners],
            outline=_MARK,
            width=line,
        )
    elif isinstance(region, Mask):
        border = _border(region.values >= region.values.max() / 2, line)
        picture.paste(_MARK, mask=pillow.fromarray(border.astype(np.uint8) * 255))
    else:
        (x, y), reach = region.centre, 3 * line
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=_MARK, width=line)


def _border(inside: NDArray[np.bool_], line: int) -> NDArray[np.bool_]:
    """(height, width): what of a mask of that shape lies within line pixels of its outside or of the image's edge."""
    deep = np.pad(inside, 1)
    for _ in range(line):
        deep[1:-1, 1:-1] &= deep[:-2, 1:-1] & deep[2:, 1:-1] & deep[1:-1, :-2] & deep[1:-1, 2:]
    border: NDArray[np.bool_] = inside & ~deep[1:-1, 1:-1]
    return border
