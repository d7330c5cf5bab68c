"""Heat maps: the colours stand where the tokens are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere.comics.poster import Control, Look, Poster
from lookhere.heatmap import colours, heat_map, spread
from lookhere.image import Image
from lookhere.regions.region import Box, Mask, Point, Polygon, Weighted
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


@pytest.mark.parametrize("size", [(80, 52), (1, 1), (3, 400)])
def test_the_picture_is_as_large_as_the_image(size):
    image = Image.open(pillow.new("RGB", size, "white"))
    grid = TokenGrid(2, 2, 0, 0, *size)
    outline = Polygon([(0, 0), (size[0], 0), size])
    mask = Mask(np.ones(size[::-1]))
    regions = [Box(0, 0, *size), Box(0, 0, 0.5, 0.5), Point(0, 0), outline, mask, Weighted(outline, 0.5)]
    assert heat_map(image, [np.ones((2, 2), np.float32)], [grid], regions).size == size


def test_outlines_are_drawn_where_the_regions_end():
    image = Image.open(pillow.new("RGB", (60, 40), "white"))
    grid = TokenGrid(2, 3, 0, 0, 60, 40)
    inside = np.zeros((40, 60))
    inside[10:30, 20:50] = 0.5
    inside[15:20, 30:35] = 0.1  # a hole
    edge = np.zeros((40, 60), bool)
    edge[10:30, [20, 49]] = edge[[10, 29], 20:50] = True
    hole = edge.copy()
    hole[14:21, [29, 35]] = hole[[14, 20], 29:36] = True
    hole[[14, 14, 20, 20], [29, 35, 29, 35]] = False  # the corners of the hole touch it at a corner alone
    square = Polygon([(20, 10), (49, 10), (49, 29), (20, 29)])
    plain = np.asarray(heat_map(image, [np.zeros((2, 3), np.float32)], [grid]))
    for region, border in ((Box(20, 10, 50, 30), edge), (square, edge), (Mask(inside), hole), (Mask(inside > 0), edge)):
        for each in (region, Weighted(region, 0.5)):
            picture = np.asarray(heat_map(image, [np.zeros((2, 3), np.float32)], [grid], [each]))
            np.testing.assert_array_equal((picture != plain).any(axis=2), border)


def test_a_poster_holds_long_and_empty_answers():
    strip = pillow.new("RGB", (384, 64), "white")
    looks = [Look("word " * 200, strip, True), Look("", strip, False), *[Look("Short.", strip)] * 4]
    controls = [Control("Other heads", [("word " * 200, False), ("", True), *[("Short.", False)] * 4])]
    page = Poster(strip, looks, controls, Look("", strip), "Question?", "Claim.", "Footer.").draw()
    assert page.width == 1680
    assert 600 < page.height < 2200
