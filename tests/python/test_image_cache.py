"""Encoded images are found again by their pixels, within a budget, and everybody can see how often."""

import gc
import io
import weakref

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import Panel, Point, Steering
from lookhere.comics import generate_strip
from lookhere.images.image_cache import ImageCache
from PIL import Image

STRIP = np.full((32, 96, 3), 200, np.uint8)
BYTES = 2 * 6 * 8 * 4
"""Of its embeddings in the fake engine: 2 x 6 tokens of 8 numbers."""


def counts(model):
    images = model.images
    return images.hits, images.misses, len(images), images.nbytes


def test_the_same_pixels_are_encoded_once(model):
    first = model.look(STRIP)
    file = io.BytesIO()
    Image.fromarray(STRIP).save(file, "PNG")
    second = model.look(file.getvalue())
    assert second.encoded is first.encoded
    assert model.projector.encoded == 1
    assert counts(model) == (1, 1, 1, BYTES)


@pytest.mark.parametrize("other", [STRIP[:, :80], STRIP.reshape(96, 32, 3), STRIP - 1])
def test_other_pixels_or_another_size_are_another_image(model, other):
    first = model.look(STRIP)
    assert model.look(other).encoded is not first.encoded
    assert counts(model)[:3] == (0, 2, 2)


def test_an_image_that_is_looked_at_again_is_not_read_again(model):
    for x in (0, 5, 3):
        assert model.look(STRIP).describe(at=Point(16 * x, 0)).text == fake.steered_text(0, x)
    assert model.session.native.images == 1


def test_the_image_that_was_not_looked_at_for_longest_goes(model):
    model.images.budget = 2 * BYTES + 1
    for value in (1, 2, 1, 3, 1, 2):  # the third image takes the place of the second
        model.look(np.full((32, 96, 3), value, np.uint8))
        assert model.images.nbytes == BYTES * len(model.images) <= model.images.budget
    assert counts(model) == (2, 4, 2, 2 * BYTES)


def test_an_image_beyond_the_budget_is_not_kept_and_drives_nothing_out(model):
    model.images.budget = BYTES
    model.look(STRIP)
    model.look(np.zeros((320, 320), np.uint8))
    model.look(STRIP)
    assert counts(model) == (1, 2, 1, BYTES)


def test_without_a_budget_a_scene_that_is_gone_frees_its_image(engine, pair):
    with lookhere.load(pair[0], image_budget=0) as model:
        gone = weakref.ref(model.look(STRIP).encoded)
        gc.collect()
        assert gone() is None
        assert counts(model) == (0, 1, 0, 0)


@pytest.mark.parametrize("forget", [lambda model: model.images.clear(), lambda model: model.close()])
def test_what_was_forgotten_is_freed(engine, pair, forget):
    model = lookhere.load(pair[0])
    kept = weakref.ref(model.look(STRIP).encoded)
    assert kept() is not None
    forget(model)
    gc.collect()
    assert kept() is None
    assert counts(model) == (0, 1, 0, 0)
    model.close()


def test_a_wrong_budget_is_refused(engine, pair):
    with pytest.raises(lookhere.OptionError, match="image_budget=-1"):
        lookhere.load(pair[0], image_budget=-1)


def test_it_says_what_it_holds():
    assert repr(ImageCache(2**20)) == "<ImageCache of 0 images, 0.0 of 1.0 MiB, 0 hits, 0 misses>"


@pytest.mark.parametrize("queries", ["all", "answer"])
def test_an_image_from_the_cache_answers_as_a_new_one(builtin, queries):
    drawn = generate_strip(11, panels=6, panel_size=64).image
    steering = Steering(builtin.heads, Panel(2, 6), queries=queries)
    builtin.images.clear()
    before = builtin.images.hits
    builtin.look(drawn).describe(at=Steering(builtin.heads, Panel(5, 6), queries=queries), max_tokens=1)
    again = builtin.look(drawn).describe(at=steering, max_tokens=6)
    assert builtin.images.hits == before + 1
    with lookhere.load(threads=1) as fresh:
        cold = fresh.look(drawn).describe(at=steering, max_tokens=6)
    assert again.text == cold.text
    assert np.abs(again.gaze[0] - cold.gaze[0]).sum() < 0.02
