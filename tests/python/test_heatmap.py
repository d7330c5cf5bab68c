"""Heat maps: the colours stand where the tokens are."""

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import ImageError, OptionError, Panel, RegionError, read_back
from lookhere.comics.poster import Control, Look, Poster
from lookhere.heatmap import colours, heat_map, spread
from lookhere.image import Image
from lookhere.regions.region import Box, Mask, Point, Polygon, Weighted
from lookhere.tokens.frame import Frame
from lookhere.tokens.gaze import Gaze
from lookhere.tokens.grid import TokenGrid
from PIL import Image as pillow

PADDED = TokenGrid(3, 5, -10, -4, 90, 56)  # tokens of 20 x 20 pixels over an image of 80 x 52


@given(st.integers(0, 2), st.integers(0, 4))
def test_the_hottest_pixel_lies_in_the_hottest_token(row, col):
    values = np.zeros((3, 5), np.float32)
    values[row, col] = 0.25
    heat = spread([values], [PADDED], 80, 52)
    assert heat.shape == (52, 80)
    assert heat.max() == 1
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert PADDED.token_at(x + 0.5, y + 0.5) == (row, col)


def test_tiles_cover_their_part():
    left, right = TokenGrid(1, 1, 0, 0, 10, 10), TokenGrid(1, 1, 10, 0, 20, 10)
    heat = spread([np.full((1, 1), 0.5, np.float32), np.full((1, 1), 1, np.float32)], [left, right], 20, 10)
    assert (heat[:, :10] == 0.5).all()
    assert (heat[:, 10:] == 1).all()
    assert (spread([np.zeros((1, 1), np.float32)], [left], 20, 10) == 0).all()
    outside = TokenGrid(1, 1, 50, 50, 60, 60)
    assert (spread([np.ones((1, 1), np.float32)], [outside], 20, 10) == 0).all()


def test_colours_grow_lighter():
    light = colours(np.linspace(0, 1, 50)).astype(int) @ [299, 587, 114]
    assert (np.diff(light) > 0).all()
    assert colours(np.array([[-1, 2]])).shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("size", "tokens", "drawn"),
    [
        ((64, 64), 2, (64, 64)),  # tokens of 32 pixels
        ((80, 52), 2, (160, 104)),  # tokens of 26 pixels
        ((16, 24), 3, (112, 168)),  # of 5.3 x 8
        ((1, 1), 2, (64, 64)),
        ((3, 400), 2, (15, 2000)),  # no larger than 2048
        ((2048, 30), 2, (2048, 30)),
        ((4096, 3000), 2, (2048, 1500)),
        ((4097, 20), 2, (2048, 10)),
    ],
)
def test_the_size_is_one_that_a_person_looks_at(size, tokens, drawn):
    image = Image.open(pillow.new("RGB", size, "white"))
    grid = TokenGrid(tokens, tokens, 0, 0, *size)
    outline = Polygon([(0, 0), (size[0], 0), size])
    mask = Mask(np.ones(size[::-1]))
    regions = [Box(0, 0, *size), Point(0, 0), outline, mask, Weighted(outline, 0.5)]
    assert heat_map(image, [np.ones((tokens, tokens), np.float32)], [grid], regions).size == drawn


def test_colours_and_outlines_keep_their_places_at_any_size():
    values = np.zeros((3, 4), np.float32)
    values[1, 2] = 1
    for width in (32, 320, 4000):
        height = width * 3 // 4
        image = Image.open(pillow.new("RGB", (width, height), (90, 90, 90)))
        grid, box = TokenGrid(3, 4, 0, 0, width, height), Box(width / 2, height / 2, width, height)
        picture = heat_map(image, [values], [grid], box)
        pixels = np.asarray(picture).astype(int)
        hot = pixels[picture.height * 9 // 20, picture.width * 5 // 8]
        cold = pixels[picture.height * 5 // 6, picture.width // 8]
        assert hot.sum() > cold.sum() + 200
        marked = np.argwhere((pixels == (0, 200, 255)).all(axis=2))
        assert marked.min(axis=0) == pytest.approx((picture.height / 2, picture.width / 2), abs=1)
        assert (marked.max(axis=0) + 1).tolist() == [picture.height, picture.width]


def test_a_large_image_needs_little_memory():
    """12 million pixels: what is held beside the image at any time is far less than a float for each of its values."""
    image = Image.open(np.zeros((3000, 4000, 3), np.uint8))
    grid = TokenGrid(20, 30, 0, 0, 4000, 3000)
    tracemalloc.start()
    heat_map(image, [np.ones((20, 30), np.float32)], [grid], [Mask(np.ones((3000, 4000), bool))])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 4 * image.pixels.nbytes


def test_it_takes_what_read_back_takes():
    frame = Frame(80, 52, (PADDED,))
    values = np.zeros((3, 5), np.float32)
    values[1, 2] = 1
    picture = pillow.new("RGB", (80, 52), "white")
    file = io.BytesIO()
    picture.save(file, "PNG")
    image = Image.open(picture)
    gaze = Gaze([values], [frame])
    ways = [
        heat_map(image, gaze), heat_map(image, gaze, frame), heat_map(image, [values], frame),
        heat_map(image, [values], [PADDED]), heat_map(image, [values.tolist()], (PADDED,), ()),
        heat_map(picture, gaze), heat_map(file, gaze), heat_map(np.asarray(picture), maps=gaze, regions=None),
    ]  # fmt: skip
    assert len({each.tobytes() for each in ways}) == 1
    assert read_back(gaze) == read_back([values], frame) == read_back(gaze, frame) == gaze.where()
    outlined = heat_map(image, gaze, regions=Panel(2, 2))
    assert outlined.tobytes() == heat_map(image, gaze, regions=[Box(40, 0, 80, 52)]).tobytes() != ways[0].tobytes()


@pytest.mark.parametrize(
    ("maps", "on", "message"),
    [
        (Gaze(), None, "do not say what they lie on"),
        (Gaze(), [PADDED], "nothing was read"),
        ([np.zeros((3, 5))], None, "do not say what they lie on"),
        (Gaze([np.zeros((3, 5))] * 2, [Frame(80, 52, (PADDED,))] * 2), None, r"2 images.*gaze\.on\(1\)"),
        ([np.zeros((5, 3))], [PADDED], r"maps=\[\(5, 3\)\] on grids of \[\(3, 5\)\]"),
        ([np.zeros((3, 5))], [PADDED, PADDED], "one map of numbers"),
        ([[[1], [2, 3]]], [PADDED], "one map of numbers"),
        ([np.full((3, 5), "x" * 1000)], [PADDED], "one map of numbers"),
        (None, [PADDED], "one map of numbers"),
        (7, 7, "grids=7"),
        ([np.zeros((3, 5))], [None], r"expected scene\.grids"),
        ([np.zeros((3, 5))], (), r"expected scene\.grids"),
    ],
)
def test_what_are_no_maps(maps, on, message):
    with pytest.raises(OptionError, match=message) as error:
        heat_map(Image.open(np.zeros((52, 80), np.uint8)), maps, on)
    assert len(str(error.value)) < 400


def test_other_wrong_values_are_named(tmp_path):
    values = [np.full((3, 5), np.nan)]
    image = np.zeros((52, 80), np.uint8)
    assert heat_map(image, values, [PADDED]).size == (160, 104)
    with pytest.raises(ImageError, match="no file"):
        heat_map(tmp_path / "none.png", values, [PADDED])
    with pytest.raises(RegionError, match="80"):
        heat_map(image, values, [PADDED], Box(0, 0, 200, 30))
    with pytest.raises(RegionError, match="is not a region"):
        heat_map(image, values, [PADDED], "left")


def test_outlines_are_drawn_where_the_regions_end():
    image = Image.open(pillow.new("RGB", (60, 40), "white"))
    grid = TokenGrid(1, 1, 0, 0, 60, 40)
    inside = np.zeros((40, 60))
    inside[10:30, 20:50] = 0.5
    inside[15:20, 30:35] = 0.1  # a hole
    edge = np.zeros((40, 60), bool)
    edge[10:30, [20, 49]] = edge[[10, 29], 20:50] = True
    hole = edge.copy()
    hole[14:21, [29, 35]] = hole[[14, 20], 29:36] = True
    hole[[14, 14, 20, 20], [29, 35, 29, 35]] = False  # the corners of the hole touch it at a corner alone
    square = Polygon([(20, 10), (49, 10), (49, 29), (20, 29)])
    plain = np.asarray(heat_map(image, [np.zeros((1, 1), np.float32)], [grid]))
    for region, border in ((Box(20, 10, 50, 30), edge), (square, edge), (Mask(inside), hole), (Mask(inside > 0), edge)):
        for each in (region, Weighted(region, 0.5)):
            picture = np.asarray(heat_map(image, [np.zeros((1, 1), np.float32)], [grid], [each]))
            np.testing.assert_array_equal((picture != plain).any(axis=2), border)


def test_a_poster_holds_long_and_empty_answers():
    strip = pillow.new("RGB", (384, 64), "white")
    looks = [Look("word " * 200, strip, True), Look("", strip, False), *[Look("Short.", strip)] * 4]
    controls = [Control("Other heads", [("word " * 200, False), ("", True), *[("Short.", False)] * 4])]
    page = Poster(strip, looks, controls, Look("", strip), "Question?", "Claim.", "Footer.").draw()
    assert page.width == 1680
    assert 600 < page.height < 2200
