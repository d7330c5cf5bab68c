"""Regions and coverage: where pixels meet tokens."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lookhere import Box, Panel, Point, RegionError
from lookhere.grid import SMALLEST_SHARE, TokenGrid, coverage, disjoint
from lookhere.region import as_regions, placed

WHOLE = st.integers(0, 96)


@st.composite
def boxes(draw, size=96):
    x0, x1 = sorted(draw(st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(draw(st.lists(st.integers(0, size), min_size=2, max_size=2, unique=True)))
    return Box(x0, y0, x1, y1)


@st.composite
def grids(draw):
    """Token grids of integer pixels around a 96 x 96 image, with padding."""
    width, height = draw(st.integers(3, 20)), draw(st.integers(3, 20))
    left, top = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    cols, rows = -(-(96 + left) // width), -(-(96 + top) // height)
    return TokenGrid(rows, cols, -left, -top, cols * width - left, rows * height - top)


def counted(regions, grid):
    """Coverage by counting pixels."""
    pixels = np.zeros((grid.rows, grid.cols))
    size = grid.token_width * grid.token_height
    for y in range(96):
        for x in range(96):
            if any(b.x0 <= x < b.x1 and b.y0 <= y < b.y1 for b in regions):
                pixels[grid.token_at(x + 0.5, y + 0.5)] += 1
    return pixels / size


@given(st.lists(boxes(), min_size=1, max_size=3), grids())
def test_coverage_is_what_counting_pixels_gives(regions, grid):
    assume(all(grid.shares(box).max() >= SMALLEST_SHARE for box in regions))
    (found,) = coverage(regions, [grid])
    assert found.dtype == np.float32
    assert found.shape == (grid.rows, grid.cols)
    np.testing.assert_allclose(found, counted(regions, grid), atol=1e-6)


@given(boxes(), grids())
def test_area_is_kept(box, grid):
    token = grid.token_width * grid.token_height
    assert math.isclose(grid.shares(box).sum() * token, box.area, rel_tol=1e-9)


@given(boxes(), grids(), st.floats(0.1, 50))
def test_scaling_image_and_region_together_changes_nothing(box, grid, factor):
    scaled = TokenGrid(grid.rows, grid.cols, *(factor * v for v in (grid.x0, grid.y0, grid.x1, grid.y1)))
    large = Box(*(factor * v for v in (box.x0, box.y0, box.x1, box.y1)))
    np.testing.assert_allclose(scaled.shares(large), grid.shares(box), atol=1e-6)


@given(boxes(), grids())
def test_flipping_image_and_region_together_flips_the_coverage(box, grid):
    flipped = TokenGrid(grid.rows, grid.cols, 96 - grid.x1, grid.y0, 96 - grid.x0, grid.y1)
    mirrored = Box(96 - box.x1, box.y0, 96 - box.x0, box.y1)
    np.testing.assert_allclose(flipped.shares(mirrored), grid.shares(box)[:, ::-1], atol=1e-9)


@given(st.floats(0, 95.99), st.floats(0, 95.99), st.floats(1e-6, 96), st.floats(1e-6, 96), grids())
def test_never_empty(x, y, width, height, grid):
    box = Box(x, y, min(x + width, 96), min(y + height, 96))
    (found,) = coverage([box], [grid])
    assert found.max() >= np.float32(SMALLEST_SHARE)
    assert found.min() >= 0
    assert found.max() <= 1
    (point,) = coverage([Point(x, y)], [grid])
    assert point.sum() == point.max() == 1
    assert point[grid.token_at(x, y)] == 1


@given(st.lists(boxes(), min_size=1, max_size=4))
def test_disjoint_boxes_cover_the_same(regions):
    pieces = disjoint(regions)
    grid = TokenGrid(96, 96, 0, 0, 96, 96)
    total = sum(grid.shares(piece) for piece in pieces)
    assert total.max() <= 1
    np.testing.assert_array_equal(total, counted(regions, grid))


def test_a_region_smaller_than_a_token_takes_the_one_under_its_centre():
    grid = TokenGrid(2, 3, 0, 0, 96, 64)
    (found,) = coverage([Box(30, 10, 33, 12)], [grid])
    assert found.tolist() == [[1, 0, 0], [0, 0, 0]]
    (both,) = coverage([Box(30, 10, 33, 12), Box(64, 32, 96, 64)], [grid])
    assert both.tolist() == [[1, 0, 0], [0, 0, 1]]


def test_tiles_each_get_their_map():
    left, right = TokenGrid(1, 2, 0, 0, 48, 96), TokenGrid(1, 2, 48, 0, 96, 96)
    maps = coverage([Box(24, 0, 72, 96)], [left, right])
    assert [each.tolist() for each in maps] == [[[0, 1]], [[1, 0]]]


def test_panels():
    assert Panel(2, 6).on(600, 100) == Box(100, 0, 200, 100)
    assert Panel(2, 3, 2, 3).on(300, 200) == Box(200, 100, 300, 200)
    assert Panel(2, 6) == Panel(1, 2, 1, 6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Box(3, 0, 3, 5),
        lambda: Box(5, 0, 3, 5),
        lambda: Box(float("nan"), 0, 3, 5),
        lambda: Box(0, 0, float("inf"), 5),
        lambda: Box("0", 0, 3, 5),
        lambda: Point(float("nan"), 0),
        lambda: Panel(7, 6),
        lambda: Panel(0, 6),
        lambda: Panel(1.5, 6),
        lambda: Panel(3, 1, 2, 2),
        lambda: Panel(1, 1, 2),
        lambda: as_regions((1, 2, 3, 4)),
        lambda: as_regions([]),
        lambda: as_regions("left"),
        lambda: placed([Box(0, 0, 101, 5)], 100, 50),
        lambda: placed([Box(-1, 0, 10, 5)], 100, 50),
        lambda: placed([Point(100, 5)], 100, 50),
    ],
)
def test_what_is_no_region(make):
    with pytest.raises(RegionError, match=r"expected|write"):
        make()


def test_plain_numbers_are_told_what_to_write():
    with pytest.raises(RegionError, match=r"lookhere\.Box\(1, 2, 3, 4\)"):
        as_regions([1, 2, 3, 4])


def test_numpy_numbers_are_numbers():
    values = np.array([1, 2, 30, 40])
    assert Box(*values).on(100, 100).area == 29 * 38
    assert Panel(*np.array([2, 6])).on(600, 100) == Box(100, 0, 200, 100)
