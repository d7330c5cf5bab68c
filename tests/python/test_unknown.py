"""The built-in model says in Python, too, that it knows drawings only."""

import warnings
from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere import questions
from lookhere.comics import generate_strip
from lookhere.lab.evaluation import Options, evaluate
from lookhere.loading import builtin as registry
from PIL import Image

pytestmark = pytest.mark.filterwarnings("error")
NOISE = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)


@pytest.fixture
def given(engine, pair, head_set, monkeypatch):
    """The fake engine with a built-in model."""
    monkeypatch.setattr(registry, "builtin_files", lambda: pair)
    monkeypatch.setattr(registry, "builtin_head_set", lambda: head_set)
    with lookhere.load() as model:
        yield model


@pytest.mark.parametrize("ask", [
    lambda model: model.look(NOISE),
    lambda model: model.describe(Image.fromarray(NOISE), max_tokens=2),
    lambda model: model.chat([{"role": "user", "content": [{"type": "image", "image": NOISE}, "What?"]}], max_tokens=2),
])  # fmt: skip
def test_of_an_unknown_image_in_the_callers_name(given, ask):
    with pytest.warns(lookhere.UnknownImageWarning, match=r"lookhere\.load\('model\.gguf'\)") as told:
        ask(given)
    assert [warning.filename for warning in told] == [__file__]


def test_not_of_drawings(given):
    """Which are all that an error is made of here."""
    given.look(generate_strip(7).image)
    given.look(np.full((64, 96, 3), 200, np.uint8))


def test_not_of_a_part_of_a_drawing(given):
    scene = given.look(generate_strip(7).image)
    scene.describe(at=lookhere.Point(9, 9), zoom=True, max_tokens=2)


def test_not_of_the_images_that_an_evaluation_changes(planted_model):
    planted_model.notice = registry.warn_if_unknown
    evaluate(planted_model, Options(strips=1, seen=0, controls=1, maps=0, examples=0, protocols=("vqa",)))


def test_once_for_an_image(given, tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "photo.png")
    with pytest.warns(lookhere.UnknownImageWarning):
        given.look(tmp_path / "photo.png")
    given.look(tmp_path / "photo.png")  # a warning would be an error


def test_it_can_be_silenced_and_other_models_say_nothing(given, model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnknownImageWarning)
        given.look(NOISE)
    model.look(NOISE)


def test_as_an_error_it_leaves_the_model_in_use(given):
    with pytest.raises(lookhere.UnknownImageWarning):
        given.look(NOISE)
    assert given.look(generate_strip(7).image).describe(max_tokens=2).text


def test_its_question_is_one_that_it_learned(given, model):
    given.head_set = None
    assert given.prompt == questions.IMAGE
    model.head_set = None
    assert model.prompt == questions.GENERAL


def test_its_card_lists_what_it_learned_to_be_asked():
    card = " ".join((Path(lookhere.__file__).parent / "data/models/MODEL_CARD.md").read_text().split())
    learned = ("IMAGE", "AMBIGUOUS", "PANEL", "OBJECT", "NARRATION", "POINTED")
    for question in (*(getattr(questions, name) for name in learned), questions.ordinal(2, 6)):
        assert question in card
    assert questions.GENERAL not in card
