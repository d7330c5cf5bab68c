"""Encoding images."""

import numpy as np
import pytest
from harness import engine, grid_of


def test_an_image_is_text_around_a_grid(model, image, pixels):
    before, tokens, after = image.parts
    assert [part.kind for part in image.parts] == ["text", "image", "text"]
    assert (before.tokens, after.tokens) == (1, 1)
    grid = tokens.grid
    assert tokens.tokens == grid.rows * grid.cols
    assert tokens.positions == max(grid.rows, grid.cols)
    assert image.tokens == tokens.tokens + 2
    assert image.positions == tokens.positions + 2
    assert (image.height, image.width) == pixels.shape[:2]
    embeddings = image.embeddings()
    assert embeddings.shape == (tokens.tokens, model.embedding_size)
    assert np.isfinite(embeddings).all()
    assert image.nbytes >= embeddings.nbytes


def test_an_image_is_encoded_alike_each_time(projector, pixels, image):
    assert np.array_equal(projector.encode(pixels).embeddings(), image.embeddings())


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (1, 202, 3), (202, 1, 3), (5, 5), (5, 5, 4), (3,)])
def test_images_that_cannot_be(projector, shape):
    with pytest.raises(engine.EngineError, match=r"expected|shape"):
        projector.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4, 6), np.uint8)[..., ::2], None, "x"])
def test_pixels_are_never_converted(projector, pixels):
    with pytest.raises(TypeError):
        projector.encode(pixels)


def test_token_limits(model, model_files):
    few = engine.Projector(model_files[1], model, threads=1, min_tokens=4, max_tokens=16)
    for shape in [(1, 1, 3), (512, 300, 3), (7, 900, 3)]:
        grid = grid_of(few.encode(np.zeros(shape, np.uint8)))
        assert grid.rows * grid.cols <= 16 or shape == (7, 900, 3)  # a long image keeps one row


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (64, 64), (300, 2), (200, 333)])
def test_an_image_is_measured_without_encoding(projector, shape):
    height, width = shape
    image = projector.encode(np.zeros((*shape, 3), np.uint8))
    grid = grid_of(image)
    assert projector.measure(width, height) == (grid.rows * grid.cols, image.tokens)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5), (1, 202), (2**20, 2**20), (2**31 - 1, 2**31 - 1)])
def test_sizes_that_cannot_be(projector, size):
    with pytest.raises(engine.EngineError, match="expected"):
        projector.measure(*size)
