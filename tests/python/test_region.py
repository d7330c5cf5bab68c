"""Regions are values in pixels of the upright image; what is none is told what to write."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lookhere import Box, Mask, Panel, Point, Polygon, RegionError, Weighted
from lookhere.regions.region import as_regions, placed
from lookhere.regions.text import read_box, read_point, read_polygon

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
        lambda: placed([Box(0.1, 0, 0.5, 1)], 100, 50),
        lambda: placed([Point(0.5, 0.5)], 100, 50),
        lambda: placed([Polygon([(0, 0), (1, 0), (0, 1)])], 100, 50),
        lambda: Box.relative(0, 0, 1.1, 1),
        lambda: Box.relative(0.5, 0, 0.5, 1),
        lambda: Box.relative(float("nan"), 0, 0.5, 1),
        lambda: Box.thousandths(0, 0, 1001, 5),
        lambda: Point.relative(-0.1, 0),
        lambda: Point.thousandths("5", 0),
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


@pytest.mark.parametrize(
    "region",
    [
        Box(0, 0, 4, 4), Point(1, 1), Panel(2, 6), TRIANGLE, Mask(np.eye(8)), Box.relative(0, 0, 0.5, 1),
        Point.relative(0.5, 0.5),
    ],
)  # fmt: skip
def test_each_kind_is_a_value(region):
    half = Weighted(region, 0.5)
    assert as_regions(region) == as_regions([region]) == (region,)
    assert as_regions([half, region]) == (half, region)
    assert len({region, half, Weighted(region, 0.5), Weighted(region, 0.4)}) == 3
    assert half.as_json() == {**region.as_json(), "weight": 0.5}
    assert region.as_json()["kind"].replace("_", "") == type(region).__name__.lower()
    assert half.on(8, 8) == Weighted(region.on(8, 8), 0.5)
    with pytest.raises(AttributeError):
        region.kind = "other"


def test_relative_regions_are_placed_when_the_image_is_known():
    assert Box.relative(0.1, 0, 0.5, 1).on(200, 50) == Box(20, 0, 100, 50)
    assert Box.thousandths(100, 0, 500, 1000) == Box.relative(0.1, 0, 0.5, 1)
    assert Point.relative(0.5, 0.25).on(200, 40) == Point(100, 10)
    assert Point.thousandths(500, 250) == Point.relative(0.5, 0.25)
    assert Point.relative(1, 1).on(200, 40).on(200, 40).x < 200  # the far edge belongs to the last pixel


parts = st.floats(0, 1)


@given(parts, parts, parts, parts, st.integers(1, 5000), st.integers(1, 5000))
def test_relative_regions_lie_on_every_image(x0, y0, x1, y1, width, height):
    place = Point.relative(x0, y0).on(width, height)
    assert 0 <= place.x < width
    assert 0 <= place.y < height
    try:
        box = Box.relative(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)).on(width, height)
    except RegionError as error:
        assert "empty" in str(error)  # noqa: PT017  # also where rounding leaves nothing
        return
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height


@given(st.lists(parts, min_size=4, max_size=4))
def test_numbers_from_0_to_1_are_told_what_to_write(numbers):
    """And what is written works, in Python and on the command line."""
    x0, x1 = sorted(numbers[:2])
    y0, y1 = sorted(numbers[2:])
    try:
        box = Box(x0, y0, x1, y1)
    except RegionError:
        return
    assert box.on(1, 1) == box  # the only pixel
    with pytest.raises(RegionError, match=r"Box\.relative\(") as caught:
        box.on(640, 480)
    told = re.search(r"relative\(([^)]*)\), on the command line --box (\S+);", str(caught.value))
    assert [float(each) for each in told[1].split(",")] == pytest.approx([x0, y0, x1, y1])
    try:
        typed = read_box(told[2])
    except RegionError as error:
        assert "empty" in str(error)  # noqa: PT017  # twelve digits do not tell the two edges apart
        return
    assert [typed.x0, typed.y0, typed.x1, typed.y1] == pytest.approx([x0, y0, x1, y1])


def test_the_first_pixel_is_still_a_place():
    assert Point(0, 0).on(640, 480) == Point(0, 0)
    assert Box(0, 0, 2, 2).on(640, 480).area == 4
    with pytest.raises(RegionError, match=r"Point\.relative\(0\.5, 0\.25\), on the command line --point 50%,25%"):
        Point(0.5, 0.25).on(640, 480)
    with pytest.raises(RegionError, match=r"Polygon\.relative\(\[\(0, 0\), \(1, 0\), \(0, 1\)\]\)"):
        Polygon([(0, 0), (1, 0), (0, 1)]).on(640, 480)


def test_thousandths_are_told_what_to_write():
    with pytest.raises(
        RegionError, match=r"384 x 64.*Box\.thousandths\(167, 0, 333, 1000\).*--box 16\.7%,0%,33\.3%,100%"
    ):
        Box(167, 0, 333, 1000).on(384, 64)
    with pytest.raises(RegionError, match=r"Point\.thousandths\(500, 900\)"):
        Point(500, 900).on(384, 64)
    with pytest.raises(RegionError, match=r"Polygon\.thousandths\(\[\(0, 0\), \(900, 0\), "):
        Polygon([(0, 0), (900, 0), (0, 900)]).on(384, 64)
    for outside in (Box(0, 0, 1001, 5), Box(-1, 0, 500, 5), Point(-1, 900), Polygon([(0, 0), (1001, 0), (0, 9)])):
        with pytest.raises(RegionError, match="leaves the image") as caught:
            outside.on(384, 64)
        assert "thousandths" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("10%,0,50%,100%", Box.relative(0.1, 0, 0.5, 1)),
        ("10%, 0%, 50%, 100%", Box.relative(0.1, 0, 0.5, 1)),
        ("10,0,50,100", Box(10, 0, 50, 100)),
        ("50%,20%", Point.relative(0.5, 0.2)),
        ("50%,0", Point.relative(0.5, 0)),
        ("50,0", Point(50, 0)),
        ("10%,0,50%,0,0%,100%", Polygon.relative([(0.1, 0), (0.5, 0), (0, 1)])),
        ("10,0,50,0,0,100", Polygon([(10, 0), (50, 0), (0, 100)])),
    ],
)
def test_percent(text, region):
    assert {3: read_box, 1: read_point}.get(text.count(","), read_polygon)(text) == region


few = st.sampled_from([0.0, 5e-324, 1e-310, 0.5, 1.0])
outlines = st.lists(st.tuples(parts, parts) | st.tuples(few, few), min_size=3, max_size=8)


@given(outlines)
@example([(1, 0), (0, 0), (0, 1), (1, 0), (1, 0)])
@example([(0, 1), (1, 1), (1, 1e-320), (0, 0)])
def test_the_corners_of_a_polygon_make_the_same_one(corners):
    """Also where the outline is closed twice, or its lines are almost parallel."""
    try:
        polygon = Polygon(corners)
    except RegionError:
        return
    assert polygon.corners[0] != polygon.corners[-1]
    assert Polygon(polygon.corners) == polygon
    assert Polygon([*corners, corners[0], corners[0]]) == polygon
    assert Polygon.relative(corners).corners == polygon.corners
    assert Polygon.thousandths(polygon.corners) == Polygon.thousandths([*corners, corners[0]])


@given(outlines, st.integers(1, 9999))
@example([(1, 0), (0, 0), (0, 1), (1, 0), (1, 0)], 7)
def test_a_relative_polygon_is_that_part_of_any_image(corners, width):
    try:
        relative, pixels = Polygon.relative(corners), Polygon([(x * width, y * 480) for x, y in corners])
    except RegionError:  # no outline, or one that rounding leaves nothing of
        return
    assert relative.on(width, 480) == pixels
    assert str(relative).startswith("Polygon.relative([(")


def test_an_outline_that_is_meant_as_parts_says_what_to_write():
    with pytest.raises(RegionError, match=r"write Polygon.relative\(\[\(0.1, 0.2\), \(0.5, 0.2\), \(0.1, 0.9\)\]\)"):
        Polygon([(0.1, 0.2), (0.5, 0.2), (0.1, 0.9)]).on(96, 32)
    with pytest.raises(RegionError, match=r"write Polygon.thousandths\(\[\(100, 200\), "):
        Polygon([(100, 200), (500, 200), (100, 900)]).on(96, 32)
    same = Polygon.relative([(0.1, 0.2), (0.5, 0.2), (0.1, 0.9)])
    assert Polygon.thousandths([(100, 200), (500, 200), (100, 900)]) == same


@pytest.mark.parametrize("text", ["10%,0,50,100%", "1,1%,2,2", "10%,5", "0%,5"])
def test_percent_and_pixels_do_not_mix(text):
    with pytest.raises(RegionError, match=r"mixes percent and pixels: .* has no percent sign"):
        (read_box if text.count(",") == 3 else read_point)(text)


WIDTHS = [np.dtype(code) for code in "bBhHiIlLqQ"]
FLOATS = [
    np.float16,
    np.float32,
    np.float64,
    np.longdouble,
    Fraction,
    Decimal,
    float,
    lambda value: np.array(float(value)),
]


@given(
    st.lists(st.integers(0, 127), min_size=4, max_size=4),
    st.sampled_from([*(each.type for each in WIDTHS), *FLOATS, int]),
)
def test_numbers_of_every_kind_mean_the_same(values, kind):
    """What is computed with them, too: eight bits hold no area."""
    x0, x1 = sorted(values[:2])
    y0, y1 = sorted(values[2:])
    given_numbers = [kind(each) for each in (x0, y0, x1, y1)]
    if x0 == x1 or y0 == y1:
        with pytest.raises(RegionError, match="empty or inverted"):
            Box(*given_numbers)
        return
    box, same = Box(*given_numbers), Box(x0, y0, x1, y1)
    assert all(type(each) in (int, float) for each in vars(box).values())
    assert (box, box.area, box.centre, box.as_json()) == (same, same.area, same.centre, same.as_json())
    assert Box.thousandths(*given_numbers) == Box.thousandths(x0, y0, x1, y1)
    assert Point(*given_numbers[:2]) == Point(x0, y0)
    around = [(given_numbers[i], given_numbers[j]) for i, j in ((0, 1), (2, 1), (2, 3))]
    assert Polygon(around) == Polygon([(x0, y0), (x1, y0), (x1, y1)])


@pytest.mark.parametrize(
    "wrong",
    [
        float("nan"), float("inf"), np.float16("inf"), np.longdouble("1e4000"), 10**400, Fraction(10**400),
        Decimal("1e400"), Decimal("sNaN"), True, np.True_, "5", b"5", None, 5j, np.complex64(5), np.timedelta64(5, "s"),
        np.array([5]), np.ma.masked, object(),
    ],
    ids=lambda wrong: type(wrong).__name__,
)  # fmt: skip
def test_what_is_no_number_is_told_so(wrong):
    for make in (
        lambda: Box(wrong, 0, 10, 10), lambda: Point(0, wrong), lambda: Box.relative(0, wrong, 1, 1),
        lambda: Box.thousandths(0, 0, wrong, 9), lambda: Point.relative(wrong, 0), lambda: Panel(wrong, 6),
        lambda: Polygon([(0, 0), (9, 0), (0, wrong)]), lambda: Weighted(Point(0, 0), wrong),
    ):  # fmt: skip
        with pytest.raises(RegionError, match="expected") as caught:
            make()
        assert len(str(caught.value)) < 400


def test_endless_corners():
    import itertools

    with pytest.raises(RegionError, match="expected"):
        Polygon((k, k * k) for k in itertools.count())
