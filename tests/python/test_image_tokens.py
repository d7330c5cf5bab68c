"""Limits of an image's tokens are bounds, and are checked before the image is encoded."""

import re

import lookhere
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def test_what_does_not_fit_the_context_is_not_encoded(engine, pair):
    with lookhere.load(pair[0], context=64) as model:
        with pytest.raises(lookhere.ContextError, match="The image takes 258 tokens; the context holds 64"):
            model.look(np.zeros((256, 256), np.uint8))
        assert model.projector.encoded == 0
        assert model.look(np.zeros((32, 32), np.uint8)).tokens == 6


def test_an_image_of_too_many_tokens_is_not_encoded(engine, pair):
    with lookhere.load(pair[0], max_image_tokens=4) as model:
        with pytest.raises(lookhere.ImageError, match=r"48 x 32 pixels takes 6 tokens, and max_image_tokens is 4"):
            model.look(np.zeros((32, 48), np.uint8))
        assert model.projector.encoded == 0
        assert model.look(np.zeros((32, 32), np.uint8)).grids[0].tokens == 4


@pytest.fixture(scope="module", params=[1, 2, 7, 24])
def bounded(request, builtin):
    """The built-in model with a bound."""
    with lookhere.load(max_image_tokens=request.param) as model:
        yield model


@settings(max_examples=12)
@given(st.integers(1, 40), st.integers(1, 400), st.booleans())
def test_the_bound_of_the_built_in_model(bounded, short, long, upright):
    long = min(long, 200 * short)
    pixels = np.zeros((long, short, 3) if upright else (short, long, 3), np.uint8)
    try:
        scene = bounded.look(pixels)
    except lookhere.ImageError as error:
        told = re.search(r"takes (\d+) tokens, and max_image_tokens is (\d+)", str(error))
        assert int(told[1]) > int(told[2]) == bounded.max_image_tokens
        assert 2 * max(long / short, short / long) > bounded.max_image_tokens / 2  # only what is long and thin
    else:
        assert sum(grid.tokens for grid in scene.grids) <= bounded.max_image_tokens


@pytest.mark.parametrize("shape", [(8, 1600, 3), (1600, 8, 3), (5, 900, 3), (90, 1200, 3)])
def test_what_a_refusal_asks_for_is_enough(builtin, shape):
    pixels = np.zeros(shape, np.uint8)
    with lookhere.load(max_image_tokens=4) as model, pytest.raises(lookhere.ImageError) as refused:
        model.look(pixels)
    enough = int(re.search(r"Allow (\d+)", str(refused.value))[1])
    with lookhere.load(max_image_tokens=enough) as model:
        assert model.look(pixels).grids[0].tokens <= enough
