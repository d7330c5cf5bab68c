"""Random regions and token grids around an image of 96 x 96 pixels, and what happens to them when it is turned."""

import math

import numpy as np
from hypothesis import strategies as st
from lookhere import Box, Mask, Polygon, RegionError
from lookhere.tokens.grid import TokenGrid

SIZE = 96

whole = st.integers(0, SIZE)
corners = st.tuples(whole, whole)


@st.composite
def boxes(draw):
    x0, x1 = sorted(draw(st.lists(whole, min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(whole, min_size=2, max_size=2, unique=True)))
    return Box(x0, y0, x1, y1)


@st.composite
def simple_polygons(draw):
    """Mostly concave ones that never cross themselves: corners around a place, by their angle."""
    count = draw(st.integers(4, 9))
    parts = draw(st.lists(st.tuples(st.floats(0, 0.9), st.floats(0.05, 1)), min_size=count, max_size=count))
    return Polygon(
        (
            SIZE / 2 * (1 + far * math.cos(2 * math.pi * (k + part) / count)),
            SIZE / 2 * (1 + far * math.sin(2 * math.pi * (k + part) / count)),
        )
        for k, (part, far) in enumerate(parts)
    )


@st.composite
def scribbles(draw):
    """Polygons that cross themselves as they like."""
    return Polygon(draw(st.lists(corners, min_size=3, max_size=7, unique=True).filter(_has_area)))


def _has_area(pairs):
    try:
        Polygon(pairs)
    except RegionError:
        return False
    return True


@st.composite
def masks(draw):
    """Blocks of 8 x 8 pixels, with shares in between."""
    blocks = draw(st.lists(st.sampled_from([0, 0, 0.25, 0.5, 1]), min_size=144, max_size=144).filter(any))
    return Mask(np.kron(np.reshape(blocks, (12, 12)), np.ones((8, 8))))


@st.composite
def grids(draw):
    """Token grids of whole pixels, with padding all around."""
    width, height = draw(st.integers(3, 20)), draw(st.integers(3, 20))
    left, top = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    cols, rows = -(-(SIZE + left) // width), -(-(SIZE + top) // height)
    return TokenGrid(rows, cols, -left, -top, cols * width - left, rows * height - top)


@st.composite
def uneven_grids(draw):
    """Token grids whose borders lie within pixels, as they do in resized images; they cover all of the image."""
    rows, cols = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    right, below = draw(st.floats(SIZE, SIZE + 9)), draw(st.floats(SIZE, SIZE + 9))
    return TokenGrid(rows, cols, 0, 0, right, below)


def moved(region, place, values):
    """A region with each corner moved by place(x, y), or a mask with its pixels moved by values(array)."""
    if isinstance(region, Mask):
        return Mask(values(region.values))
    if isinstance(region, Polygon):
        return Polygon(place(x, y) for x, y in region.corners)
    (x0, y0), (x1, y1) = place(region.x0, region.y0), place(region.x1, region.y1)
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def flipped(region):
    """As the image is flipped left to right."""
    return moved(region, lambda x, y: (SIZE - x, y), lambda values: values[:, ::-1])


def rotated(region):
    """As the image is turned by 90 degrees, anticlockwise."""
    return moved(region, lambda x, y: (y, SIZE - x), np.rot90)


def flipped_grid(grid):
    return TokenGrid(grid.rows, grid.cols, SIZE - grid.x1, grid.y0, SIZE - grid.x0, grid.y1)


def rotated_grid(grid):
    return TokenGrid(grid.cols, grid.rows, grid.y0, SIZE - grid.x1, grid.y1, SIZE - grid.x0)
