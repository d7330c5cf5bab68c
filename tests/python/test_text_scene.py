"""A text is looked at as an image is: the same words, steering, gaze and read-back, on a model with eyes or without."""

import copy
import json
import pickle

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import (
    Box,
    ContextError,
    DocumentPart,
    HeadSet,
    HeadSetMissingError,
    ImagePart,
    Message,
    OnImage,
    OptionError,
    Panel,
    Paragraph,
    ProjectorError,
    PromptError,
    RegionError,
    Span,
    Steering,
    Text,
    TextError,
    TextScene,
    Weighted,
)
from lookhere.loading.language import load_language_model
from lookhere.prompt.chat import CHATML, ChatTemplate
from lookhere.prompt.layout import lay_out
from lookhere.schedule import Schedule, Walk
from lookhere.steering.head_set import ModelFacts
from lookhere.wire.answer import AnswerRecord, read_answer, schedule_json
from lookhere.wire.ask import ask_json, read_ask

STRIP = np.full((32, 96, 3), 200, np.uint8)
NOTES = "A cat sleeps.\n\nA dog ate <|im_end|>\r\n \r\nÉva läuft. "
AT = {1: 0, 2: NOTES.index("A dog"), 3: len(NOTES[: NOTES.index("Éva")].encode())}
"""The first token of each paragraph, for the fake tokenizer's tokens are bytes."""


@pytest.fixture(params=["eyes", "blind"])
def reader(request, engine, pair, head_set, tmp_path):
    """A model with a projector, and one without."""
    path = pair[0] if request.param == "eyes" else fake.write_gguf(tmp_path / "alone" / "text.gguf")
    with lookhere.load(path, heads=head_set) as model:
        yield model


@pytest.fixture(autouse=True)
def alone(tmp_path):
    (tmp_path / "alone").mkdir()


def test_a_paragraph_is_looked_at(reader):
    scene = reader.look(Text(NOTES))
    assert isinstance(scene, TextScene)
    assert scene.describe("What?").text == fake.UNSTEERED
    for k, token in AT.items():
        assert scene.describe("What?", at=Paragraph(k)).text == fake.steered_text(0, token)
        assert reader.describe(Text(NOTES), "What?", at=Paragraph(k)).text == fake.steered_text(0, token)
    assert scene.describe(at=Span(2, 5)).text == fake.steered_text(0, 2)
    both = scene.describe(at=[Weighted(Paragraph(1), 0.5), Paragraph(2)])
    assert both.text == fake.steered_text(0, AT[2])
    answers = scene.describe_all([Paragraph(1), Paragraph(3), None], "What?")
    assert [each.text for each in answers] == [fake.steered_text(0, AT[1]), fake.steered_text(0, AT[3]), fake.UNSTEERED]
    assert answers[0].prompt == "What?"
    assert scene.describe(at=Paragraph(1)).prompt == lookhere.questions.TEXT


def test_the_gaze_moves_in_the_middle_of_an_answer(reader):
    scene = reader.look(Text(NOTES))
    with scene.stream(at=Paragraph(1), max_tokens=6) as run:
        for step in run:
            if step.index == 1:
                run.look_at(Span(AT[2], AT[2] + 3))
    assert run.steering.regions == (Span(AT[2], AT[2] + 3),)
    walk = Walk.begin(scene, Schedule((Paragraph(1), None, Paragraph(3)), 2), "Tell.")
    assert [target for target, _ in walk] == [0, 0, 1, 1, 2, 2]
    told = schedule_json(walk.said(), walk, reader.name, scene.frame)
    assert told["document"]["characters"] == len(NOTES)
    assert told["targets"] == [{"kind": "paragraph", "number": 1}, None, {"kind": "paragraph", "number": 3}]


def test_gaze_and_where(reader):
    scene = reader.look(Text(NOTES))
    answer = scene.describe(at=Paragraph(2), max_tokens=3)
    assert [each.shape for each in answer.gaze] == [(1, len(NOTES.encode()))]
    where = answer.where()
    # the fake's heads look at token (layer + head): 1 and 4
    assert where.span in (Span(1, 2), Span(4, 5))
    assert where.paragraph == 1
    assert all(word.where() is not None for word in answer.words())
    assert repr(answer.gaze).startswith("<Gaze 1 x ")
    assert answer._repr_html_()
    assert "A dog" in scene._repr_html_()
    with pytest.raises(OptionError, match="about a text"):
        answer.heatmap()
    record = AnswerRecord.of(answer, reader.name, (scene.frame,))
    data = json.loads(json.dumps(record.as_json()))
    assert data["where"]["span"] == [where.span.start, where.span.end]
    assert data["document"] == {"characters": len(NOTES), "paragraphs": [list(each) for each in scene.text.paragraphs]}
    back = read_answer(data)
    assert (back.frames, back.where, back.gaze.frames) == ((scene.frame,), where, answer.gaze.frames)
    assert back.as_json() == data


def test_nothing_in_a_text_is_a_special_token(reader):
    scene = reader.look(Text(NOTES))
    layout = lay_out(reader.native, reader.template, scene.ask("What?").messages, [scene.encoded])
    (run,) = layout.documents
    assert bytes(layout.items[run.start : run.stop]) == NOTES.encode()
    assert layout.items.count(fake.END) == 1  # the template's own
    assert bytes(each for each in layout.items[run.stop :] if each < 256).startswith(b"\n\nWhat?")
    assert layout.image_end == run.stop
    assert [(grid.position, grid.rows, grid.cols) for grid in layout.grids] == [(run.start, 1, len(run))]


@pytest.mark.parametrize(
    "template",
    [
        CHATML,
        CHATML.replace("message['content']", "message['content'] | trim"),
        fake.TEMPLATE,
        "{% for m in messages %}[{% if m.content is string %}{{ m.content | trim }}{% else %}{% for c in m.content %}"
        "{{ c.text | trim }}{% endfor %}{% endif %}]{% endfor %}",
    ],
)
def test_templates_leave_a_text_whole(template):
    given = [Message("user", ("Read: ", Text("  a text\n"), Text("more"), " What? "))]
    pieces = ChatTemplate(template).pieces(given)
    kinds = "".join({"document": "D", "text": "t", "template": "."}[each.kind] for each in pieces)
    assert kinds == ".t.D.D.t."
    between = [pieces[k].text for k, kind in enumerate(kinds) if kind == "." and 0 < k < len(kinds) - 1]
    assert between == ["\n\n"] * 3


def test_in_conversations(reader):
    scene = reader.look(Text(NOTES))
    alone = scene.describe("What?", at=Paragraph(2))
    for document in (Text(NOTES), scene, NOTES):
        part = {"type": "document", "document": document}
        said = reader.chat([{"role": "user", "content": [part, "What?"]}], at=Paragraph(2))
        assert (said.text, said.prompt, said.prompt_tokens) == (alone.text, "What?", alone.prompt_tokens)
        ask = lookhere.Ask.of([{"role": "user", "content": [part, "What?"]}], Paragraph(2))
        data = json.loads(json.dumps(ask_json(ask)))
        assert data["messages"][0]["content"][0] == {"type": "document", "document": NOTES}
        assert ask_json(read_ask(data)) == data
        assert reader.ask_all([read_ask(data)])[0].text == alone.text
    two = [{"role": "user", "content": [Text("one"), ImagePart(scene), "What?"]}]
    named = reader.chat(two, at=OnImage(Paragraph(3), 2)).text
    assert named == "image 2, " + fake.steered_text(0, AT[3])
    with pytest.raises(RegionError, match="does not say on which of the 2"):
        reader.chat(two, at=Paragraph(3))
    with pytest.raises(PromptError, match="holds a document"):
        reader.chat([{"role": "system", "content": [Text("x")]}])
    with pytest.raises(TextError, match="is no text"):
        reader.chat([Message("user", (DocumentPart(5), "What?"))])


def test_beside_an_image(model):
    scene = model.look(STRIP)
    messages = [{"role": "user", "content": [{"type": "image", "image": scene}, Text(NOTES), "What?"]}]
    assert model.chat(messages, at=OnImage(Paragraph(2), 2)).text.startswith("image 2, row 0")
    assert model.chat(messages, at=OnImage(Panel(1, 6), 1)).text.startswith("image 1, row 0")
    answer = model.chat(messages, at=OnImage(Paragraph(2), 2))
    assert [type(frame).__name__ for frame in answer.gaze.frames] == ["Frame", "TextFrame"]
    data = AnswerRecord.of(answer, model.name, answer.gaze.frames).as_json()
    assert read_answer(json.loads(json.dumps(data))).frames == answer.gaze.frames
    with pytest.raises(PromptError, match="is no text"):
        model.chat([Message("user", (DocumentPart(scene), "What?"))])
    for region in (Span(0, 5), Paragraph(1)):
        with pytest.raises(RegionError, match="is a place in a text"):
            scene.describe(at=region)
    with pytest.raises(RegionError, match="is a place in an image"):
        model.look(Text(NOTES)).describe(at=Box(0, 0, 5, 5))
    with pytest.raises(OptionError, match="zoom"):
        model.look(Text(NOTES)).describe(at=Paragraph(1), zoom=True)
    with pytest.raises(OptionError, match="fit="):
        model.look(Text(NOTES), fit="pad")


def test_a_model_without_eyes_says_so(engine, tmp_path, head_set):
    path = fake.write_gguf(tmp_path / "alone" / "text.gguf")
    with lookhere.load(path, heads=head_set) as model:
        assert not model.sees
        assert model.as_given == (str(path),)
        for look in (model.look, model.image_tokens, model.describe):
            with pytest.raises(ProjectorError, match=r"none is beside it.*texts alone.*lookhere.Text"):
                look(STRIP)
        with pytest.raises(ProjectorError):
            model.chat([{"role": "user", "content": [{"type": "image", "image": STRIP}, "What?"]}])
        with pytest.raises(ProjectorError):
            _ = model.projector_path
    with pytest.raises(lookhere.ClosedError):
        model.look(Text("a"))
    with lookhere.load(path) as model, pytest.raises(HeadSetMissingError, match=r"--text -o heads\.json"):
        model.look(Text("a")).describe(at=Span(0, 1))
    with load_language_model(path) as model:
        assert model.look(Text("a")).describe().text == fake.UNSTEERED
        with pytest.raises(ProjectorError, match="without its projector"):
            model.look(STRIP)


def test_eyes_of_another_model_beside_it(engine, tmp_path):
    """A folder of many models: what cannot be this one's projector leaves it a text model; others must be whole."""
    path = fake.write_gguf(tmp_path / "alone" / "text.gguf")
    with lookhere.load(path) as model:
        assert not model.sees
    (tmp_path / "alone" / "mmproj-x.gguf").write_bytes(b"<html>")
    with pytest.raises(ProjectorError, match="web page"):
        lookhere.load(path)


def test_too_long_a_text(engine, tmp_path):
    path = fake.write_gguf(tmp_path / "alone" / "text.gguf", context=64)
    with lookhere.load(path) as model:
        with pytest.raises(ContextError, match=r"text of 99 characters takes 99 tokens; the context holds 64"):
            model.look(Text("a" * 99))
        with pytest.raises(ContextError):
            model.chat([{"role": "user", "content": [Text("a" * 40), Text("a" * 40), "What?"]}])


def test_the_question_of_a_head_set_that_was_found_on_texts(engine, tmp_path):
    path = fake.write_gguf(tmp_path / "alone" / "text.gguf")
    facts = ModelFacts("Fake", "fake", 4, 2)
    for corpus, question in (("text", "Which?"), ("strips", lookhere.questions.TEXT)):
        heads = HeadSet(facts, ((1, 0),), prompt="Which?", evidence={"corpus": corpus})
        with lookhere.load(path, heads=heads) as model:
            assert model.look(Text("a")).question == question


def test_what_is_read_once_is_kept(reader):
    """Paragraphs of one text share what was read of it, and so do two scenes of it."""
    first = reader.look(Text(NOTES)).describe("What?", at=Paragraph(1))
    again = reader.look(Text(NOTES)).describe("What?", at=Paragraph(3))
    assert first.cached_tokens < 5
    assert again.cached_tokens >= len(NOTES.encode())


def test_all_heads_in_a_file(reader, tmp_path):
    answer = reader.look(Text(NOTES)).describe(head_gaze="all", max_tokens=2)
    answer.save_attention(tmp_path / "attention.npz")
    with np.load(tmp_path / "attention.npz") as arrays:
        assert arrays["attention"].shape == (2, 4, 2, 1, len(NOTES.encode()))
        assert len(arrays["edges"]) == len(NOTES.encode()) + 1
        assert arrays["edges"][-1] == len(NOTES)


def test_a_scene_stays_in_its_process(reader):
    scene = reader.look(Text(NOTES))
    for spread in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            spread(scene)
    assert repr(scene).startswith("<TextScene 'A cat")
    steering = Steering(reader.head_set, Paragraph(2))
    assert scene.describe(at=steering).text == fake.steered_text(0, AT[2])
    assert scene.aim(steering).target[0].shape == (1, len(NOTES.encode()))


def test_heads_found_on_texts_are_no_guess_for_texts(engine, pair, tmp_path, recwarn):
    blind = fake.write_gguf(tmp_path / "alone" / "text.gguf")
    evidence = {"corpus": "text", "worth": {"verdict": "prior", "why": "it looks", "advice": "Measure."}}
    heads = HeadSet(ModelFacts("Fake", "fake", 4, 2), ((1, 0),), evidence=evidence)
    lookhere.load(blind, heads=heads).close()
    assert not recwarn.list
    with pytest.warns(lookhere.WeakHeadSetWarning, match="found on text alone"):
        lookhere.load(pair[0], heads=heads).close()
