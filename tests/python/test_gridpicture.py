"""The picture of the token grid: lines between tokens, colour where a region covers them."""

import numpy as np
import pytest
from lookhere.image import Image
from lookhere.pictures.grid_picture import grid_picture
from lookhere.tokens.grid import TokenGrid


def pixels_of(image, grids, coverage=()):
    return np.asarray(grid_picture(Image.open(image), grids, coverage)).astype(int)


def middle(pixels, grid, scale, row, col):
    """The pixel in the middle of a token."""
    x, y = (grid.x0 + (col + 0.5) * grid.token_width) * scale, (grid.y0 + (row + 0.5) * grid.token_height) * scale
    return pixels[int(y), int(x)]


def colourful(pixel):
    return pixel.max() - pixel.min() > 10


@pytest.mark.parametrize(("token", "scale"), [(64, 1), (32, 1), (16, 2), (8, 4)])
def test_small_tokens_are_drawn_larger(token, scale):
    image = np.full((2 * token, 3 * token, 3), (200, 100, 50), np.uint8)
    pixels = pixels_of(image, [TokenGrid(2, 3, 0, 0, 3 * token, 2 * token)])
    assert pixels.shape == (2 * token * scale, 3 * token * scale, 3)
    side = token * scale
    for at in (0, side, 2 * side, 3 * side - 1):  # the line before each token, and after the last one
        assert (pixels[side // 2, at] == 255).all()
    assert pixels[side // 2, side // 2].tolist() == [200, 100, 50]  # without regions the image keeps its colours


def test_covered_tokens_have_colour():
    grid = TokenGrid(2, 3, 0, 0, 192, 128)
    coverage = np.array([[1, 0.5, 0], [0, 0, 1 / 32]], np.float32)
    pixels = pixels_of(np.full((128, 192, 3), 128, np.uint8), [grid], [coverage])
    found = [[middle(pixels, grid, 1, row, col) for col in range(3)] for row in range(2)]
    saturation = [[int(np.ptp(pixel)) for pixel in row] for row in found]
    assert saturation[0][0] > saturation[0][1] > 0
    assert saturation[0][2] == saturation[1][0] == 0
    assert saturation[1][2] == 0  # less than counts as covered


def test_padding_and_several_grids():
    """The first grid reaches beyond the image, the second one covers its right half."""
    padded, tile = TokenGrid(1, 2, -32, -32, 160, 96), TokenGrid(1, 1, 64, 0, 128, 64)
    image = np.full((64, 128, 3), 128, np.uint8)
    left = pixels_of(image, [padded, tile], [np.array([[1, 0]], np.float32), np.array([[0]], np.float32)])
    assert left.shape == image.shape
    assert colourful(left[40, 30])
    assert not colourful(left[40, 100])
    right = pixels_of(image, [padded, tile], [np.array([[0, 0]], np.float32), np.array([[1]], np.float32)])
    assert not colourful(right[40, 30])
    assert colourful(right[40, 100])


def test_a_large_image_stays_as_large():
    assert pixels_of(np.zeros((40, 4000), np.uint8), [TokenGrid(4, 400, 0, 0, 4000, 40)]).shape == (40, 4000, 3)


def test_a_huge_image_is_drawn_smaller():
    grid = TokenGrid(2, 8, 0, 0, 8192, 2000)
    coverage = np.zeros((2, 8), np.float32)
    coverage[1, 3] = 1
    pixels = pixels_of(np.full((2000, 8192), 128, np.uint8), [grid], [coverage])
    assert pixels.shape == (1000, 4096, 3)
    found = [[colourful(middle(pixels, grid, 0.5, row, col)) for col in range(8)] for row in range(2)]
    assert np.argwhere(found).tolist() == [[1, 3]]
