"""Maps on overlapping grids: joined as brute force joins them, for read-back and pictures alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere.heatmap import spread
from lookhere.tokens.frame import Frame
from lookhere.tokens.grid import TokenGrid
from lookhere.tokens.joined import joined
from lookhere.tokens.readback import read_back


@st.composite
def overlapping(draw):
    """Grids over an image, in it and beyond it, and a map for each."""
    width, height = draw(st.integers(4, 60)), draw(st.integers(4, 60))
    grids, maps = [], []
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for _ in range(draw(st.integers(1, 4))):
        rows, cols = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        x0, y0 = draw(st.floats(-20, width - 1)), draw(st.floats(-20, height - 1))
        x1, y1 = x0 + draw(st.floats(1, 2 * width)), y0 + draw(st.floats(1, 2 * height))
        grids.append(TokenGrid(rows, cols, x0, y0, x1, y1))
        maps.append(rng.random((rows, cols)).astype(np.float32))
    return Frame(width, height, tuple(grids)), maps


def brute_force(maps, grids, x, y):
    """The attention per square pixel at one place, token by token."""
    found = 0.0
    for values, grid in zip(maps, grids, strict=True):
        for row in range(grid.rows):
            for col in range(grid.cols):
                box = grid.box(row, col)
                if box.x0 <= x < box.x1 and box.y0 <= y < box.y1:
                    found += float(values[row, col]) / ((box.x1 - box.x0) * (box.y1 - box.y0))
    return found


@given(overlapping())
def test_what_several_grids_show_is_added(drawn):
    frame, maps = drawn
    across, down = np.linspace(0.013, frame.width - 0.017, 7), np.linspace(0.011, frame.height - 0.019, 6)
    expected = [[brute_force(maps, frame.grids, x, y) for x in across] for y in down]
    np.testing.assert_allclose(joined(maps, frame.grids, across, down), expected, rtol=1e-6)


@given(overlapping())
def test_attention_is_neither_lost_nor_made(drawn):
    """On fine places over all that the grids cover, the padding included, the sum is that of the maps."""
    frame, maps = drawn
    for values, grid in zip(maps, frame.grids, strict=True):
        xs = np.linspace(grid.x0, grid.x1, 4 * grid.cols + 1)
        ys = np.linspace(grid.y0, grid.y1, 4 * grid.rows + 1)
        total = joined([values], [grid], (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2)
        assert (total * np.diff(ys)[:, None] * np.diff(xs)).sum() == pytest.approx(float(values.sum()), rel=1e-5)


@given(overlapping())
def test_pictures_and_read_back_join_in_the_same_way(drawn):
    """Where every token is a pixel wide and high, smooth is not smoother: a picture is what read-back adds up."""
    frame, _ = drawn
    rng = np.random.default_rng(len(frame.grids))
    grids = tuple(TokenGrid(frame.height, frame.width, 0, 0, frame.width, frame.height) for _ in frame.grids)
    maps = [rng.random((frame.height, frame.width)).astype(np.float32) for _ in grids]
    added = np.sum(maps, axis=0)
    picture = spread(maps, grids, frame.width, frame.height)
    np.testing.assert_allclose(picture, added / added.max(), rtol=1e-5)


def test_a_tile_and_an_overview_that_show_one_place_add_up():
    """Neither is the largest by itself at the place that both show."""
    tile, overview = TokenGrid(2, 2, 0, 0, 20, 20), TokenGrid(1, 4, 0, 0, 80, 20)
    on_tile, on_overview = np.zeros((2, 2), np.float32), np.zeros((1, 4), np.float32)
    on_tile[:, 0] = 0.3
    on_overview[0] = 1.0, 0, 1.2, 0
    maps, frame = [on_tile, on_overview], Frame(80, 20, (tile, overview))
    picture = spread(maps, frame.grids, 80, 20)
    assert picture[:, :10].max() > picture[:, 40:60].max()
    assert read_back(maps, frame, threshold=0.9).box.x1 == 10
    assert read_back([0 * on_tile, on_overview], frame, threshold=0.9).box.x0 == 40


def test_a_smooth_map_is_enlarged_as_pillow_enlarges():
    from PIL import Image

    values = np.random.default_rng(3).random((4, 5)).astype(np.float32)
    grid = TokenGrid(4, 5, 0, 0, 50, 40)
    ours = joined([values], [grid], np.arange(50) + 0.5, np.arange(40) + 0.5, smooth=True) * 100
    theirs = np.asarray(Image.fromarray(values).resize((50, 40), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(ours, theirs.clip(0), atol=1e-5)
