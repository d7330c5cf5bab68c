"""Regions are values in pixels of the upright image; what is none is told what to write."""

import numpy as np
import pytest
from lookhere import Box, Mask, Panel, Point, Polygon, RegionError, Weighted
from lookhere.regions.region import as_regions, placed

TRIANGLE = Polygon([(0, 0), (8, 0), (0, 8)])


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
        lambda: as_regions(np.ones((4, 4))),
        lambda: as_regions([(0, 0), (8, 0), (0, 8)]),
        lambda: as_regions([[Point(0, 0)]]),
        lambda: Weighted(Point(0, 0), 0),
        lambda: Weighted(Point(0, 0), 1.5),
        lambda: Weighted(Point(0, 0), float("nan")),
        lambda: Weighted(Point(0, 0), "0.5"),
        lambda: Weighted(Point(0, 0), True),
        lambda: Weighted([Point(0, 0)], 0.5),
        lambda: Weighted(Weighted(Point(0, 0), 0.5), 0.5),
        lambda: placed([Weighted(Box(0, 0, 101, 5), 0.5)], 100, 50),
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
    assert Weighted(Point(0, 0), np.float32(0.5)).as_json() == {"kind": "point", "x": 0, "y": 0, "weight": 0.5}


def test_pairs_and_arrays_are_told_what_to_write():
    with pytest.raises(RegionError, match=r"lookhere\.Polygon\("):
        as_regions([(0, 0), (8, 0), (0, 8)])
    with pytest.raises(RegionError, match=r"\(4, 4\).*lookhere\.Mask\("):
        as_regions(np.ones((4, 4), bool))


@pytest.mark.parametrize("region", [Box(0, 0, 4, 4), Point(1, 1), Panel(2, 6), TRIANGLE, Mask(np.eye(8))])
def test_each_kind_is_a_value(region):
    half = Weighted(region, 0.5)
    assert as_regions(region) == as_regions([region]) == (region,)
    assert as_regions([half, region]) == (half, region)
    assert len({region, half, Weighted(region, 0.5), Weighted(region, 0.4)}) == 3
    assert half.as_json() == {**region.as_json(), "weight": 0.5}
    assert region.as_json()["kind"] == type(region).__name__.lower()
    assert half.on(8, 8) == Weighted(region.on(8, 8), 0.5)
    with pytest.raises(AttributeError):
        region.kind = "other"
