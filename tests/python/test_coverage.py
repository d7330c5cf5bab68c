"""Coverage: where pixels meet tokens. Exact, turned as the image is turned, never empty."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lookhere import Box, Mask, Point, Polygon, RegionError, Weighted
from lookhere.tokens.coverage import coverage, shares, target
from lookhere.tokens.grid import SMALLEST_SHARE, TokenGrid
from shapes import (
    SIZE,
    boxes,
    flipped,
    flipped_grid,
    grids,
    masks,
    rotated,
    rotated_grid,
    scribbles,
    simple_polygons,
    uneven_grids,
)

REGIONS = st.one_of(boxes(), simple_polygons(), scribbles(), masks())
UNIONS = st.lists(REGIONS, min_size=1, max_size=3)


def counted(regions, grid):
    """Coverage by boxes of whole pixels, by counting them."""
    pixels = np.zeros((grid.rows, grid.cols))
    y, x = np.nonzero(np.maximum.reduce([drawn(box).values for box in regions]))
    tokens = ((y + 0.5 - grid.y0) // grid.token_height, (x + 0.5 - grid.x0) // grid.token_width)
    np.add.at(pixels, tuple(each.astype(int) for each in tokens), 1)
    return pixels / token_area(grid)


def drawn(box):
    """The same as a mask."""
    values = np.zeros((SIZE, SIZE), bool)
    values[box.y0 : box.y1, box.x0 : box.x1] = True
    return Mask(values)


def large(regions, grid):
    """True if each of them reaches 1/16 of a token, and not just so: all coverage is by area then."""
    return all(shares([(region, 1.0)], grid).max() > 1.001 * SMALLEST_SHARE for region in regions)


def token_area(grid):
    return grid.token_width * grid.token_height


@given(st.lists(boxes(), min_size=1, max_size=3), grids())
def test_boxes_cover_what_counting_pixels_gives(regions, grid):
    assume(large(regions, grid))
    (found,) = coverage(regions, [grid])
    assert found.dtype == np.float32
    assert found.shape == (grid.rows, grid.cols)
    expected = counted(regions, grid)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not found[expected == 0].any()  # exactly nothing, not nearly


@given(st.lists(boxes(), min_size=1, max_size=3), st.lists(boxes(), min_size=1, max_size=2), uneven_grids())
def test_a_box_a_polygon_and_a_mask_of_the_same_place_are_alike(regions, more, grid):
    (expected,) = coverage(regions, [grid])
    if large(regions, grid):
        for alike in ([Polygon(box.corners) for box in regions], [drawn(box) for box in regions]):
            np.testing.assert_allclose(coverage(alike, [grid])[0], expected, atol=1e-6)
    mixed = [*regions, *[drawn(box) for box in more]]
    if large([*regions, *more], grid):
        np.testing.assert_allclose(coverage(mixed, [grid])[0], coverage([*regions, *more], [grid])[0], atol=1e-6)


@given(REGIONS, uneven_grids())
def test_area_is_kept(region, grid):
    assert math.isclose(shares([(region, 1.0)], grid).sum() * token_area(grid), region.area, rel_tol=1e-9)


@given(UNIONS, uneven_grids(), st.floats(0.1, 50))
def test_scaling_image_and_regions_together_changes_nothing(regions, grid, factor):
    regions = [region for region in regions if not isinstance(region, Mask)]  # masks are scaled below, by whole numbers
    assume(regions and large(regions, grid))
    scaled = TokenGrid(grid.rows, grid.cols, *(factor * v for v in (grid.x0, grid.y0, grid.x1, grid.y1)))
    larger = [Polygon((factor * x, factor * y) for x, y in region.corners) for region in regions]
    np.testing.assert_allclose(coverage(larger, [scaled])[0], coverage(regions, [grid])[0], atol=1e-5)


@given(masks(), uneven_grids(), st.integers(2, 3))
def test_scaling_image_and_mask_together_changes_nothing(mask, grid, factor):
    assume(large([mask], grid))
    scaled = TokenGrid(grid.rows, grid.cols, 0, 0, factor * grid.x1, factor * grid.y1)
    larger = Mask(np.kron(mask.values, np.ones((factor, factor))))
    np.testing.assert_allclose(coverage([larger], [scaled])[0], coverage([mask], [grid])[0], atol=1e-5)


@given(UNIONS, grids())
def test_flipping_and_turning_the_image_does_so_to_the_coverage(regions, grid):
    assume(large(regions, grid))
    (found,) = coverage(regions, [grid])
    (mirrored,) = coverage([flipped(region) for region in regions], [flipped_grid(grid)])
    np.testing.assert_allclose(mirrored, found[:, ::-1], atol=1e-5)
    (turned,) = coverage([rotated(region) for region in regions], [rotated_grid(grid)])
    np.testing.assert_allclose(turned, np.rot90(found), atol=1e-5)


@given(REGIONS, REGIONS, uneven_grids())
def test_a_union_covers_what_either_covers_and_no_more(one, other, grid):
    assume(large([one, other], grid))
    (first,), (second,), (both,) = (coverage(regions, [grid]) for regions in ([one], [other], [one, other]))
    assert (both >= np.maximum(first, second) - 1e-5).all()
    assert (both <= np.minimum(first + second, 1) + 1e-5).all()
    np.testing.assert_array_equal(coverage([one, one], [grid])[0], first)


@given(simple_polygons(), simple_polygons(), uneven_grids())
def test_a_union_of_polygons_by_inclusion_and_exclusion(one, other, grid):
    """One outline that runs through both counts what lies in one of them alone: the union is half of all three."""
    joined = [*one.corners, one.corners[0], *other.corners, other.corners[0]]
    try:
        either = Polygon(joined)
    except RegionError:
        assume(False)
    assume(large([one, other, either], grid))
    parts = [coverage([region], [grid])[0].astype(float) for region in (one, other, either)]
    np.testing.assert_allclose(coverage([one, other], [grid])[0], sum(parts) / 2, atol=1e-5)


@given(st.floats(0, 95.99), st.floats(0, 95.99), st.floats(1e-6, 96), st.floats(1e-6, 96), grids())
def test_never_empty(x, y, width, height, grid):
    right, bottom = min(x + width, SIZE), min(y + height, SIZE)
    corner = np.zeros((SIZE, SIZE))
    corner[int(y), int(x)] = 0.01
    for region in (Box(x, y, right, bottom), Polygon([(x, y), (right, y), (x, bottom)]), Mask(corner)):
        for each in (region, Weighted(region, 0.001)):
            for (found,) in (coverage([each], [grid]), target([each], [grid])):
                assert 0 <= found.min() <= found.max() <= 1
                assert found.max() > 0
        assert coverage([region], [grid])[0].max() >= np.float32(SMALLEST_SHARE)
    (point,) = coverage([Point(x, y)], [grid])
    assert point.sum() == point.max() == 1
    assert point[grid.token_at(x, y)] == 1


@given(UNIONS, grids(), st.data())
def test_cells_that_no_token_shows_are_never_aimed_at(regions, grid, data):
    """And a region that lies in such cells alone takes a token beside them."""
    every = list(range(grid.rows * grid.cols))
    blind = data.draw(st.lists(st.sampled_from(every), unique=True, max_size=len(every) - 1))
    (found,) = coverage(regions, [replace(grid, blind=tuple(blind))])
    (seen,) = coverage(regions, [grid])
    assert not found.ravel()[blind].any()
    if seen.any():
        assert found.any()
    shown = [cell for cell in every if cell not in blind]
    if large(regions, grid) and (seen.ravel()[shown] > 1.001 * SMALLEST_SHARE).any():
        reached = [replace(grid, blind=tuple(blind)).seen(shares([(region, 1.0)], grid)).max() for region in regions]
        if min(reached) > 1.001 * SMALLEST_SHARE:
            np.testing.assert_array_equal(found.ravel()[shown], seen.ravel()[shown])


def test_the_token_beside_a_blind_cell_is_the_nearest():
    grid = TokenGrid(3, 4, 0, 0, 40, 30, blind=(0, 1))
    assert grid.token_at(12, 8) == (1, 1)
    assert grid.token_at(19, 2) == (0, 2)
    assert grid.token_at(25, 2) == (0, 2)
    (found,) = coverage([Point(2, 2)], [grid])
    assert np.argwhere(found).tolist() == [[1, 0]]


def test_a_region_smaller_than_a_token_takes_one():
    grid = TokenGrid(2, 3, 0, 0, 96, 64)
    (found,) = coverage([Box(30, 10, 33, 12)], [grid])
    assert found.tolist() == [[1, 0, 0], [0, 0, 0]]
    (both,) = coverage([Box(30, 10, 33, 12), Box(64, 32, 96, 64)], [grid])
    assert both.tolist() == [[1, 0, 0], [0, 0, 1]]
    hook = Polygon([(30, 10), (33, 10), (33, 30), (32.5, 30), (32.5, 10.5), (30, 10.5)])  # most of it right of 32
    (found,) = coverage([hook], [grid])
    assert found.tolist() == [[0, 1, 0], [0, 0, 0]]
    faint = np.zeros((64, 96))
    faint[40, 70], faint[0, 0] = 0.02, 0.01
    (found,) = coverage([Mask(faint)], [grid])
    assert found.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_tiles_each_get_their_map():
    left, right = TokenGrid(1, 2, 0, 0, 48, 96), TokenGrid(1, 2, 48, 0, 96, 96)
    for region in (Box(24, 0, 72, 96), Polygon([(24, 0), (72, 0), (72, 96), (24, 96)]), drawn(Box(24, 0, 72, 96))):
        maps = coverage([region], [left, right])
        assert [each.tolist() for each in maps] == [[[0, 1]], [[1, 0]]]


def test_padding_is_not_covered():
    grid = TokenGrid(1, 2, 0, 0, 100, 40)  # around an image of 80 x 20
    everything = [Box(0, 0, 80, 20), Polygon([(0, 0), (80, 0), (80, 20), (0, 20)]), Mask(np.ones((20, 80)))]
    for region in everything:
        np.testing.assert_allclose(coverage([region], [grid])[0], [[0.5, 0.3]], rtol=1e-6)


class TestWeights:
    grid = TokenGrid(1, 4, 0, 0, 4, 1)

    def test_a_weight_scales_the_target_and_not_the_coverage(self):
        region = Weighted(Box(0, 0, 2.5, 1), 0.01)
        assert coverage([region], [self.grid])[0].tolist() == [[1, 1, 0.5, 0]]
        np.testing.assert_allclose(target([region], [self.grid])[0], [[0.01, 0.01, 0.005, 0]], rtol=1e-6)

    def test_what_is_covered_is_a_matter_of_area(self):
        (found,) = target([Weighted(Box(0, 0, 2, 1), 0.01), Box(2, 0, 3 + 1 / 17, 1)], [self.grid])
        np.testing.assert_allclose(found, [[0.01, 0.01, 1, 0]], rtol=1e-6)
        (found,) = target([Box(0, 0, 1 + 1 / 16, 1)], [self.grid])
        np.testing.assert_allclose(found, [[1, 1 / 16, 0, 0]], rtol=1e-6)

    def test_the_largest_weight_counts_where_regions_overlap(self):
        parts = [Weighted(Box(0, 0, 2, 1), 0.2), Weighted(Polygon([(0.5, 0), (3, 0), (3, 1), (0.5, 1)]), 0.8)]
        for regions in (parts, parts[::-1]):
            (found,) = target(regions, [self.grid])
            np.testing.assert_allclose(found, [[0.5 * 0.2 + 0.5 * 0.8, 0.8, 0.8, 0]], rtol=1e-6)

    def test_weighted_masks(self):
        mask = Mask(np.array([[1, 0.5, 0, 0]]))
        (found,) = target([Weighted(mask, 0.5), Weighted(Box(0, 0, 4, 0.5), 0.4)], [self.grid])
        np.testing.assert_allclose(found, [[0.5, 0.5 * 0.4 + 0.5 * 0.25, 0.2, 0.2]], rtol=1e-6)

    def test_points_and_small_regions(self):
        (found,) = target([Weighted(Point(1.5, 0.5), 0.25), Weighted(Box(3, 0, 3.01, 0.01), 0.5)], [self.grid])
        assert found.tolist() == [[0, 0.25, 0, 0.5]]
        (found,) = target([Weighted(Point(1.5, 0.5), 0.25), Box(1, 0, 2, 1)], [self.grid])
        assert found.tolist() == [[0, 1, 0, 0]]

    @given(st.lists(st.tuples(boxes(), st.booleans(), st.floats(0.001, 1)), min_size=1, max_size=4), uneven_grids())
    def test_against_the_largest_weight_of_each_pixel(self, parts, grid):
        assume(large([box for box, _, _ in parts], grid))
        regions = [Weighted(drawn(box) if as_mask else box, weight) for box, as_mask, weight in parts]
        values = np.maximum.reduce([weight * drawn(box).values for box, _, weight in parts])
        covered = coverage(regions, [grid])[0] >= SMALLEST_SHARE
        (found,) = target(regions, [grid])
        np.testing.assert_allclose(found, shares([(Mask(values), 1.0)], grid) * covered, atol=1e-6)
        assert (found[covered] > 0).all()

    @given(UNIONS, uneven_grids(), st.floats(0.001, 1))
    def test_one_weight_for_all_is_a_factor(self, regions, grid, weight):
        (plain,) = target(regions, [grid])
        (found,) = target([Weighted(region, weight) for region in regions], [grid])
        np.testing.assert_allclose(found, plain * weight, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_tiny_images(size):
    height, width = size
    grid = TokenGrid(1, 1, 0, 0, 28, 28)
    for region in (
        Box(0, 0, width, height),
        Point(0, 0),
        Mask(np.ones(size)),
        Polygon([(0, 0), (width, 0), (0, height)]),
    ):
        assert coverage([region], [grid])[0].max() >= SMALLEST_SHARE
