"""Texts in the real engine: real tokenizers against detokenizing by hand, and what steering does to real attention."""

from pathlib import Path

import lookhere
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import HeadSet, Paragraph, Span, Text, TextError
from lookhere.loading.language import load_language_model
from lookhere.prompt.tokenized import tokenized

TRAINED = Path(__file__).parents[1] / "families/trained"
NOTES = (
    "A dog rides a bicycle in the snow.\n\nTwo cats, fly a kite.\r\n \r\nA king eats ice cream in the city at night."
)
KINDS = ("builtin", "smolvlm", "llava", "spaced")
"""A byte-level BPE, one that takes digits apart, SentencePiece, and the same with a space before every text."""


@pytest.fixture(scope="module")
def blind(builtin, tmp_path_factory):
    """Language models alone, by name."""
    spaced = tmp_path_factory.mktemp("spaced") / "model.gguf"
    key = b"tokenizer.ggml.add_space_prefix" + (7).to_bytes(4, "little")
    data = (TRAINED / "llava/model.gguf").read_bytes()
    assert data.count(key + b"\0") == 1
    spaced.write_bytes(data.replace(key + b"\0", key + b"\1"))
    files = {"builtin": None, "spaced": spaced}
    models = {name: load_language_model(files.get(name, TRAINED / name / "model.gguf")) for name in KINDS}
    yield models
    for model in models.values():
        model.close()


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(document=st.text(st.sampled_from("ab ABéü漢🙂\n\r\t .,'<|im_end|>12"), min_size=1, max_size=30))
def test_tokens_hold_the_characters_that_they_spell(blind, name, document):
    """Token by token: what is spelled up to its end is the text up to its last edge."""
    native = blind[name].native
    try:
        found = tokenized(native, Text(document))
    except TextError:
        spelled = b"".join(native.piece(token) for token in native.tokenize(document, parse_special=False))
        assert spelled not in (document.encode(), b" " + document.encode())
        return
    spelled = b""
    whole = b"".join(map(native.piece, found.ids))
    lead = len(whole) - len(document.encode())
    assert lead == (name == "spaced")
    assert len(found.grid.edges) == len(found.ids) + 1
    for token, start, end in zip(found.ids, found.grid.edges, found.grid.edges[1:], strict=False):
        before = len(spelled)
        spelled += native.piece(token)
        for at, edge in ((before, start), (len(spelled), end)):
            text = whole[lead : max(at, lead)].decode(errors="ignore")
            rest = max(at, lead) - lead - len(text.encode())
            part = rest / len(document[len(text)].encode()) if rest else 0
            assert edge == pytest.approx(len(text) + part, abs=1e-5)


def test_real_texts_are_kept_by_real_tokenizers(blind):
    for name in ("builtin", "smolvlm"):
        scene = blind[name].look(Text(NOTES))
        assert scene.grids[0].x1 == len(NOTES)
        (shares,) = scene.coverage(Paragraph(2))
        held = [k for k, share in enumerate(shares[0]) if share == 1]
        start, end = scene.text.paragraphs[1]
        assert scene.grids[0].edges[held[0]] >= start - 1e-5
        assert scene.grids[0].edges[held[-1] + 1] <= end + 1e-5


@pytest.mark.parametrize("name", ["builtin", "smolvlm", "spaced"])
@pytest.mark.parametrize("mode", ["within_image", "boost_suppress"])
def test_steered_attention_lies_on_the_paragraph(blind, name, mode):
    """All that a steered head gives the text goes to it, whichever positions the model counts with."""
    model = blind[name]
    heads = HeadSet(model.facts, [(model.layers - 1, head) for head in range(2)], queries="answer")
    scene = model.look(Text(NOTES))
    steering = lookhere.Steering(heads, Paragraph(2), mode=mode, **({"strength": 40} if mode != "within_image" else {}))
    answer = scene.describe("What?", at=steering, max_tokens=2, steered_gaze=True, readers=heads.heads)
    (share,) = scene.coverage(Paragraph(2))
    for step in answer.steps:
        natural, acted = step.gaze[0], step.steered_gaze[0]
        assert acted[share == 0].sum() < 1e-4
        assert natural[share == 0].sum() > 1e-3
        if mode == "within_image":
            assert acted.sum() == pytest.approx(natural.sum(), abs=2e-3)


def test_answers_together_are_those_alone(blind):
    model = blind["smolvlm"]
    model.head_set = HeadSet(model.facts, [(model.layers - 1, 0)], strength=5, queries="answer")
    scene = model.look(Text(NOTES))
    places = [Paragraph(1), Span(0, 5), None]
    together = scene.describe_all(places, "What?", max_tokens=4)
    assert [each.text for each in together] == [scene.describe("What?", at=at, max_tokens=4).text for at in places]
    model.head_set = None


def test_the_heads_of_the_images_steer_texts_of_the_same_language_model(builtin, tmp_path):
    """The file alone, without its projector: its head set is known by its sha256."""
    path = tmp_path / "language.gguf"
    path.write_bytes(Path(builtin.path).read_bytes())
    scene = builtin.look(Text(NOTES))
    seen = scene.describe("What?", at=Paragraph(1), max_tokens=4)
    with load_language_model(path) as alone:
        assert alone.head_set is None
        alone.head_set = builtin.head_set
        said = alone.look(Text(NOTES)).describe("What?", at=Paragraph(1), max_tokens=4)
        assert (said.text, said.prompt_tokens) == (seen.text, seen.prompt_tokens)
        np.testing.assert_allclose(said.gaze[0], seen.gaze[0], atol=2e-3)
