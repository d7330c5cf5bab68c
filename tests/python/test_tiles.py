"""fit="tile": an overview and pieces of a long image, which are one image to everybody."""

import json

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lookhere import Box, ImageError, OnImage, Panel, Point
from lookhere.images.image import Image
from lookhere.images.tiles import MOST, count, cut, rectangles
from lookhere.loading import load as loading
from lookhere.tokens.coverage import shares
from lookhere.tokens.tiled import TiledImage

SIDE = 64  # 4 x 4 tokens of the fake engine


@pytest.fixture
def load(engine, pair, head_set, monkeypatch):
    """Loads the fake engine's pair as one that sees squares of 64 x 64."""
    monkeypatch.setattr(loading, "square_of", lambda header: SIDE)

    def loaded(**options):
        return lookhere.load(pair[0], heads=head_set, **options)

    return loaded


@pytest.fixture
def tiling(load):
    with load(fit="tile") as model:
        yield model


def grey(width, height, value=200):
    return np.full((height, width, 3), value, np.uint8)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_tiles_are_nearly_square_and_make_up_the_image(width, height):
    tiles = count(width, height)
    long, short = max(width, height), min(width, height)
    assert 1 <= tiles <= MOST
    if 1 < tiles < MOST:
        assert 0.8 * short <= long / tiles < 1.3 * short
    elif tiles == 1:
        assert long < 1.6 * short
    end = 0
    for x0, y0, x1, y1 in rectangles(width, height, tiles):
        assert (x0, y0) == ((end, 0) if width >= height else (0, end))
        length = x1 - x0 if width >= height else y1 - y0
        assert (x1, y1) == ((end + length, height) if width >= height else (width, end + length))
        assert length >= 1
        assert abs(length - long / tiles) < 1
        end += length
    assert end == long


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [(600, 100, 6), (100, 600, 6), (64, 64, 1), (3, 2, 1), (4, 3, 1), (16, 9, 2), (159, 100, 1), (160, 100, 2),
     (259, 100, 2), (260, 100, 3), (1200, 100, 12), (2400, 1, 12), (1, 1, 1), (2, 1, 2)],
)  # fmt: skip
def test_how_many(width, height, tiles):
    assert count(width, height) == tiles


@pytest.mark.parametrize(("width", "height"), [(384, 64), (64, 384), (391, 61), (33, 200), (700, 45), (3000, 1)])
def test_an_overview_and_then_the_tiles(tiling, width, height):
    """Each fills a square, so that its grid covers what it shows and nothing beside."""
    scene = tiling.look(grey(width, height))
    tiles = rectangles(width, height, count(width, height))
    assert len(scene.grids) == 1 + len(tiles) > 2
    for grid, part in zip(scene.grids, [(0, 0, width, height), *tiles], strict=True):
        assert (grid.rows, grid.cols) == (SIDE // fake.PATCH, SIDE // fake.PATCH)
        assert (grid.x0, grid.y0, grid.x1, grid.y1) == pytest.approx(part)
    assert (scene.width, scene.height, scene.part) == (width, height, None)
    assert scene.tokens == len(scene.grids) * 18
    assert tiling.image_tokens(grey(width, height)) == len(scene.grids) * 16


def test_an_image_that_is_nearly_square_is_what_it_is_when_padded(tiling):
    pixels = grey(96, 64)
    assert tiling.look(pixels).encoded is tiling.look(pixels, fit="pad").encoded


def test_what_the_model_is_given(tiling, engine, monkeypatch):
    """The whole and then its parts, each squeezed or drawn out to the square, and nothing of a neighbour."""
    given = []
    encode = engine.Projector.encode

    def watched(self, pixels, cancel=None):
        given.append(pixels)
        return encode(self, pixels)

    monkeypatch.setattr(engine.Projector, "encode", watched)
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, 20:40], image[:, 40:] = 100, 250
    tiling.look(image)
    tiling.look(image)  # known by then
    assert [pixels.shape for pixels in given] == [(SIDE, SIDE, 3)] * 4
    assert [set(np.unique(pixels)) for pixels in given[1:]] == [{0}, {100}, {250}]
    assert [given[0][:, col].mean() for col in (5, 32, 60)] == [0, 100, 250]


@settings(max_examples=60)
@given(st.data())
def test_a_region_is_covered_in_the_overview_and_in_each_tile_that_shows_it(data):
    """In every view the covered area is that of the region, as far as the view shows it: none is lost or doubled where
    tiles meet."""
    width, height = data.draw(st.tuples(st.integers(1, 400), st.integers(1, 400)))
    image = Image.open(grey(width, height))
    views = [((0, 0, width, height), fake.EncodedImage(SIDE, SIDE))]
    views += [(view.part, fake.EncodedImage(SIDE, SIDE)) for view in cut(image, count(width, height), SIDE)]
    made = TiledImage(width, height, [(encoded, part) for part, encoded in views])
    grids = [part.grid for part in made.parts if part.grid is not None]
    x0, x1 = sorted(data.draw(st.lists(st.floats(0, width), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(data.draw(st.lists(st.floats(0, height), min_size=2, max_size=2, unique=True)))
    for grid, (part, _) in zip(grids, views, strict=True):
        share = shares([(Box(x0, y0, x1, y1), 1.0)], grid)
        shown = max(0, min(x1, part[2]) - max(x0, part[0])) * max(0, min(y1, part[3]) - max(y0, part[1]))
        assert share.sum() * grid.token_width * grid.token_height == pytest.approx(shown, abs=1e-6 * width * height)
        row, col = (int(each) for each in data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3))))
        assert grid.token_at(*grid.box(row, col).centre) == (row, col)


def test_steering_and_maps_know_all_views(tiling):
    scene = tiling.look(grey(384, 64))
    border = Box(100, 0, 156, 64)  # of the second and third tile
    touched = [bool(each.any()) for each in scene.coverage(border)]
    assert touched == [True, False, True, True, False, False, False]
    answer = scene.describe(at=Point(130, 40))
    assert answer.text.startswith("image 1, row 2, column 1")  # the fake engine calls each grid an image
    assert [each.shape for each in answer.gaze] == [(4, 4)] * 7
    assert answer.where().box.x1 <= 384
    (step, *_) = scene.describe(at=border, steered_gaze=True).steps
    aimed = np.concatenate([share.ravel() for share in scene.coverage(border)]) >= 1 / 16
    assert np.concatenate([each.ravel() for each in step.steered_gaze])[aimed].sum() > 0.98


def test_it_is_one_item_that_is_encoded_and_read_once(tiling):
    pixels = grey(384, 64)
    first, again = tiling.look(pixels), tiling.look(pixels)
    assert again.encoded is first.encoded
    assert tiling.projector.encoded == 7
    assert (tiling.images.hits, tiling.images.misses, len(tiling.images)) == (1, 1, 1)
    assert tiling.images.nbytes == first.encoded.nbytes == 7 * 16 * 8 * 4
    for x in (10, 380):
        first.describe(at=Point(x, 10))
    assert tiling.session.native.images == 7  # views, of which the second answer read none again


def test_images_of_several_fits_in_one_prompt(load):
    with load() as model:
        strip, photo = grey(384, 64), grey(96, 64, 100)
        fits = {fit: model.look(strip, fit=fit) for fit in ("pad", "stretch", "tile")}
        assert [len(scene.grids) for scene in fits.values()] == [1, 1, 7]
        assert len({id(scene.encoded) for scene in fits.values()}) == 3
        images = [*fits.values(), photo]
        content = [{"type": "image", "image": each} for each in images] + [{"type": "text", "text": "Which?"}]
        messages = [{"role": "user", "content": content}]
        answer = model.chat(messages, at=OnImage(Box(64, 0, 128, 64), 3))
        assert [len(frame.grids) for frame in answer.gaze.frames] == [1, 1, 7, 1]
        assert answer.text.startswith("image 5,")  # of ten grids: pad, stretch, overview, first and second tile
        assert model.chat(messages, at=OnImage(Panel(6, 6), 1)).text.startswith("image 1, row 0, column 20")


def test_zoom_gives_the_window_the_same_way(tiling):
    scene = tiling.look(grey(384, 64))
    near = scene.zoom(Box(200, 20, 204, 24))
    assert near.part is not None
    assert len(near.grids) == 7
    part = near.part
    overview, *tiles = near.grids
    assert (overview.x0, overview.y0, overview.x1, overview.y1) == pytest.approx((part.x0, part.y0, part.x1, part.y1))
    assert (tiles[0].x0, tiles[-1].x1) == pytest.approx((part.x0, part.x1))
    assert any(each.any() for each in near.coverage(Box(200, 20, 204, 24)))


@pytest.mark.parametrize(("most", "grids"), [(16, 1), (32, 1), (47, 1), (48, 3), (64, 4), (112, 7), (0, 7), (9999, 7)])
def test_a_bound_on_tokens_makes_fewer_tiles(load, most, grids):
    with load(fit="tile", max_image_tokens=most) as model:
        if grids == 1:  # as padded: 24 x 4 tokens of the fake engine
            with pytest.raises(ImageError, match=r"cannot make fewer of any image. Allow 96 or more"):
                model.look(grey(384, 64))
            return
        scene = model.look(grey(384, 64))
        assert len(scene.grids) == grids
        assert most == 0 or sum(grid.tokens for grid in scene.grids) <= most


def test_what_does_not_fit_the_context_is_not_encoded(load):
    with load(fit="tile", context=64) as model:
        with pytest.raises(lookhere.ContextError, match="The image takes 126 tokens; the context holds 64"):
            model.look(grey(384, 64))
        assert model.projector.encoded == 0


def test_cancelled_between_tiles_nothing_is_kept(tiling, engine, monkeypatch):
    flag = lookhere.CancelFlag()
    encode = engine.Projector.encode

    def third(self, pixels, cancel=None):
        if self.encoded == 2:
            flag.set()
        if cancel is not None and cancel.is_set():
            raise engine.Cancelled("cancelled")
        return encode(self, pixels)

    monkeypatch.setattr(engine.Projector, "encode", third)
    with pytest.raises(lookhere.CancelledError):
        tiling.look(grey(384, 64), cancel=flag)
    assert len(tiling.images) == 0
    assert tiling.projector.encoded == 2


def test_on_the_command_line(run, monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "square_of", lambda header: SIDE)
    result = run(
        "describe",
        "strip.png",
        "--fit",
        "tile",
        "--point",
        "90,10",
        "--show-grid",
        "grid.png",
        "--max-tokens",
        3,
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["gaze"]) == 4  # 96 x 32: an overview and three tiles
    assert (tmp_path / "grid.png").is_file()
