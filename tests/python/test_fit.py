"""fit="stretch": a square for the model, the caller's own pixels for everybody else."""

import gguf_files as files
import lookhere
import numpy as np
import pytest
from lookhere import Box, OptionError, Point
from lookhere.images.fit import checked_fit
from lookhere.loading import load as loading
from lookhere.loading.gguf import read_header
from lookhere.loading.load import square_of
from lookhere.loading.projector import projector_kind

SIDE = 64  # 4 x 4 tokens of the fake engine


@pytest.fixture
def stretching(engine, pair, head_set, monkeypatch):
    """The fake engine, with images stretched to 64 x 64."""
    monkeypatch.setattr(loading, "square_of", lambda header: SIDE)
    with lookhere.load(pair[0], heads=head_set, fit="stretch") as model:
        yield model


@pytest.mark.parametrize("size", [(640, 16), (16, 640), (64, 64), (33, 47)])
def test_a_strip_takes_all_tokens_and_regions_stay_in_its_pixels(stretching, size):
    width, height = size
    scene = stretching.look(np.full((height, width, 3), 200, np.uint8))
    (grid,) = scene.grids
    assert (grid.rows, grid.cols, grid.x0, grid.y0) == (4, 4, 0, 0)
    assert (grid.x1, grid.y1) == pytest.approx(size)
    assert (scene.width, scene.height) == size
    right = scene.coverage(Box(width / 2, 0, width, height))[0]
    np.testing.assert_allclose(right, [[0, 0, 1, 1]] * 4, atol=1e-6)
    answer = scene.describe(at=Point(width * 0.9, height * 0.1))
    assert answer.text.startswith("row 0, column 3")


def test_without_it_the_family_fits_the_image(model):
    (grid,) = model.look(np.full((16, 640, 3), 200, np.uint8)).grids
    assert (grid.rows, grid.cols) == (1, 40)


def test_what_the_model_is_given(stretching, engine, monkeypatch):
    """The whole image, squeezed: what is in its middle is in the middle of the square."""
    given = []
    encode = engine.Projector.encode

    def watched(self, pixels, cancel=None):
        given.append(pixels)
        return encode(self, pixels)

    monkeypatch.setattr(engine.Projector, "encode", watched)
    image = np.zeros((32, 640, 3), np.uint8)
    image[:, 480:] = 255
    stretching.look(image)
    stretching.look(image)  # known by then
    (pixels,) = given
    assert pixels.shape == (SIDE, SIDE, 3)
    assert (pixels[:, :47] < 16).all()
    assert (pixels[:, 49:] > 239).all()


def test_zoom_of_a_stretched_image(stretching):
    scene = stretching.look(np.full((100, 400, 3), 200, np.uint8))
    near = scene.zoomed(Box(300, 40, 320, 60))
    (grid,) = near.grids
    assert (grid.rows, grid.cols) == (4, 4)
    part = near.part
    assert (grid.x0, grid.y0, grid.x1, grid.y1) == pytest.approx((part.x0, part.y0, part.x1, part.y1))
    assert part.x0 < 300
    assert part.x1 > 320


@pytest.mark.parametrize("fit", ["stretch", "tile"])
def test_only_families_that_see_squares_can_be_told_how(tmp_path, engine, pair, model, fit):
    def checked(kind, **more):
        facts = {**files.PROJECTOR, "clip.projector_type": kind, "clip.vision.image_size": 896, **more}
        header = read_header(files.write(tmp_path / "mmproj.gguf", facts))
        assert checked_fit("pad", projector_kind(header), square_of(header)) == "pad"
        assert checked_fit(fit, projector_kind(header), square_of(header)) == fit
        return square_of(header)

    for kind in ("gemma3", "mlp", "janus_pro", "yasa2"):
        assert checked(kind) == 896
    for kind, more in (("qwen3vl_merger", {}), ("mlp", {"clip.vision.image_grid_pinpoints": [336, 672]}), ("new", {})):
        with pytest.raises(OptionError, match=f"fit='{fit}', but .*{kind}.*expected 'pad'"):
            checked(kind, **more)
    with pytest.raises(OptionError, match=f"fit='{fit}', but .*use 'pad'"):
        checked("gemma3", **{"clip.vision.image_size": 0})
    with pytest.raises(OptionError, match="expected 'pad'"):
        lookhere.load(pair[0], fit=fit)
    with pytest.raises(OptionError, match="expected 'pad'"):
        model.look(np.zeros((16, 64, 3), np.uint8), fit=fit)


def test_what_is_no_fit(engine, pair, model):
    for call in (
        lambda: lookhere.load(pair[0], fit="crop"),
        lambda: model.look(np.zeros((9, 9), np.uint8), fit="crop"),
    ):
        with pytest.raises(OptionError, match="fit='crop'; expected one of pad, stretch, tile"):
            call()
