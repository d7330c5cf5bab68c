"""Polygons: areas against independent references, and what is no polygon."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import Polygon, RegionError
from lookhere.regions.area import crossings, union_areas
from lookhere.regions.region import placed
from lookhere.tokens.coverage import coverage
from lookhere.tokens.grid import TokenGrid
from shapes import simple_polygons

ARROW = [(10.5, 2), (29, 17), (20, 17.25), (24, 29), (3, 29), (9, 20), (2.75, 9)]  # concave
STAR = [(15, 1), (23.5, 28), (1, 11), (29, 11), (6.5, 28)]  # crosses itself; even-odd: its middle is outside
KEYHOLE = [(2, 2), (28, 2), (28, 28), (2, 28), (2, 2), (9, 9), (9, 21), (21, 21), (21, 9), (9, 9)]
BOWTIE = [(2, 4), (28, 26), (28, 4), (2, 26)]


def shoelace(corners):
    """Square pixels of a polygon that does not cross itself."""
    pairs = zip(corners, [*corners[1:], corners[0]], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


def inside(corners, x, y):
    """True for each place from which a ray to the right meets an odd number of lines."""
    odd = np.zeros(np.broadcast(x, y).shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return odd


@given(simple_polygons())
def test_area(polygon):
    assert math.isclose(polygon.area, shoelace(polygon.corners), rel_tol=1e-9)


def test_area_where_lines_cross():
    assert math.isclose(Polygon(BOWTIE).area, 26 * 22 / 2)
    assert math.isclose(Polygon(KEYHOLE).area, 26 * 26 - 12 * 12)


@pytest.mark.parametrize("outlines", [[ARROW], [STAR], [KEYHOLE], [BOWTIE], [ARROW, STAR, BOWTIE]])
def test_coverage_is_what_many_samples_give(outlines):
    """480 x 480 samples of an image of 30 x 30; a token of 6 x 5 pixels holds 7,680 of them."""
    sample = (np.arange(480) + 0.5) / 16
    hit = np.logical_or.reduce([inside(outline, sample[None, :], sample[:, None]) for outline in outlines])
    expected = hit.reshape(6, 80, 5, 96).mean(axis=(1, 3))
    (found,) = coverage([Polygon(outline) for outline in outlines], [TokenGrid(6, 5, 0, 0, 30, 30)])
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_crossings():
    starts = np.array(STAR, float)
    found = crossings(starts, np.roll(starts, -1, axis=0))
    assert len(found) == 5  # the star's inner corners
    np.testing.assert_allclose(sorted(found)[:2], 11)
    assert not len(crossings(np.array(ARROW), np.roll(ARROW, -1, axis=0)))


def test_a_grid_that_shows_a_part():
    """Cells sum up to the same in any grid, and a tile's cells are those of the whole."""
    outlines = [np.array(STAR), np.array(ARROW)]
    xs, ys = np.linspace(0, 30, 8), np.linspace(0, 30, 10)
    whole = union_areas(outlines, xs, ys)
    assert math.isclose(whole.sum(), union_areas(outlines, xs[[0, -1]], ys[[0, -1]])[0, 0], rel_tol=1e-12)
    np.testing.assert_allclose(union_areas(outlines, xs[2:6], ys[3:8]), whole[3:7, 2:5], atol=1e-9)
    assert (union_areas(outlines, np.array([40.0, 50]), np.array([0.0, 30])) == 0).all()


def test_a_long_outline():
    turns = np.linspace(0, 2 * math.pi, 1000, endpoint=False)
    radius = 400 + 90 * np.sin(40 * turns)
    polygon = Polygon(np.stack([500 + radius * np.cos(turns), 500 + radius * np.sin(turns)], axis=1))
    assert math.isclose(polygon.area, shoelace(polygon.corners), rel_tol=1e-9)
    (found,) = coverage([polygon], [TokenGrid(40, 40, 0, 0, 1000, 1000)])
    assert math.isclose(found.sum(dtype=float) * 625, polygon.area, rel_tol=1e-6)


@given(st.integers(0, 10_000))
def test_where_an_outline_begins_and_which_way_it_runs_changes_nothing(seed):
    random = np.random.default_rng(seed)
    corners = [(x, y) for x, y in random.uniform(0, 30, (random.integers(3, 60), 2))]
    grid = TokenGrid(2, 2, 0, 0, 30, 30)
    (expected,) = coverage([Polygon(corners)], [grid])
    for other in (corners[::-1], corners[1:] + corners[:1], [*corners, corners[0]]):
        np.testing.assert_allclose(coverage([Polygon(other)], [grid])[0], expected, atol=1e-5)


def test_the_last_corner_may_repeat_the_first():
    assert Polygon([*ARROW, ARROW[0]]) == Polygon(ARROW)
    assert Polygon(np.array(ARROW)) == Polygon(ARROW)
    assert Polygon(ARROW).bounds.corners == ((2.75, 2), (29, 2), (29, 29), (2.75, 29))


def test_repr_is_short():
    assert repr(Polygon([(0, 0), (8, 0), (0, 8.5)])) == "Polygon([(0, 0), (8, 0), (0, 8.5)])"
    assert repr(Polygon(ARROW)) == "Polygon([(10.5, 2), (29, 17), (20, 17.25), ... 7 corners])"


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([], "0 corners; expected at least 3"),
        ([(0, 0), (5, 5)], "2 corners"),
        ([(0, 0), (5, 5), (0, 0)], "2 corners"),
        ([(0, 0), (5, 5), (10, 10)], "no area"),
        ([(0.1, 0.1), (0.2, 0.2), (0.3, 0.3)], "no area"),
        ([(0, 0), (5, 0), (10, 0)], "is a line"),
        ([(3, 0), (3, 9), (3, 4)], "is a line"),
        ([(1, 1), (1, 1), (1, 1), (1, 1)], "1 corners; expected at least 3 different ones"),
        ([(0, 0), (5, 0), (5, 5), (5, 0)], "no area"),
        ([(0, 0), (9, 0), (9, 9), (0, 0), (9, 0), (9, 9)], "no area"),
        ([(0, 0), (5, float("nan")), (5, 5)], "y is nan; expected a finite number"),
        ([(0, 0), (float("inf"), 0), (5, 5)], "x is inf"),
        ([(0, 0), (1e300, 0), (5, 5)], "far from any image"),
        ([("0", "0"), ("5", "0"), ("5", "5")], "x is '0'"),
        ([0, 0, 5, 0, 5, 5], r"a corner is 0; expected \(x, y\) pairs"),
        ([(0, 0, 0), (5, 0, 0), (5, 5, 0)], r"a corner is \(0, 0, 0\)"),
        ("0,0,5,0,5,5", r"expected \(x, y\) pairs"),
        (7, r"expected \(x, y\) pairs"),
        ([(k % 40, k // 40 + k % 2) for k in range(1001)], "1001 corners; expected at most 1000"),
        (np.random.default_rng(0).uniform(0, 99, (200, 2)), r"crosses itself \d{4} times; expected at most 1000"),
    ],
)
def test_what_is_no_polygon(corners, message):
    with pytest.raises(RegionError, match=message):
        Polygon(corners)


def test_outside_the_image():
    assert placed([Polygon(ARROW)], 29, 29) == (Polygon(ARROW),)
    with pytest.raises(RegionError, match=r"28 x 29 pixels, at \(29, 17\); expected 0 <= x <= 28"):
        placed([Polygon(ARROW)], 28, 29)
    with pytest.raises(RegionError, match="leaves the image"):
        placed([Polygon([(-0.5, 0), (5, 0), (5, 5)])], 30, 30)
