"""Conversations: several turns and several images, in the forms that people have them."""

import base64
import io

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import (
    Box,
    HeadSetMissingError,
    ImageError,
    ImagePart,
    Message,
    OnImage,
    Panel,
    Point,
    PromptError,
    RegionError,
    Steering,
    TemplateError,
)
from lookhere.comics import generate_strip
from lookhere.prompt.chat import CHATML, ChatTemplate, Piece
from lookhere.prompt.message import as_messages
from PIL import Image

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine
SQUARE = np.full((32, 32, 3), 90, np.uint8)  # 2 x 2


def user(*parts):
    return {"role": "user", "content": list(parts)}


def text(words):
    return {"type": "text", "text": words}


def image(source):
    return {"type": "image", "image": source}


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_one_turn_is_what_describe_says(model):
    scene = model.look(STRIP)
    for at in (None, Panel(3, 6), [Point(0, 0), Point(1, 0)]):
        asked = scene.describe("What?", at=at, system="Be brief.")
        for source in (STRIP, scene, png(STRIP), Image.fromarray(STRIP)):
            messages = [{"role": "system", "content": "Be brief."}, user(image(source), text("What?"))]
            said = model.chat(messages, at=at)
            assert (said.text, said.prompt, said.prompt_tokens) == (asked.text, "What?", asked.prompt_tokens)
            assert np.array_equal(said.gaze[0], asked.gaze[0])
            assert said.where() == asked.where()


def test_the_forms_that_people_have_them_in(model, tmp_path):
    """OpenAI's clients, transformers' templates, and our own values."""
    path = tmp_path / "strip.png"
    path.write_bytes(png(STRIP))
    encoded = base64.b64encode(png(STRIP)).decode()
    uri = f"data:image/png;base64,{encoded}"
    parts = [
        {"type": "image_url", "image_url": {"url": uri, "detail": "high"}},
        {"type": "image_url", "image_url": uri},
        {"type": "image", "url": str(path)},
        {"type": "image", "path": str(path)},
        {"type": "image", "base64": encoded},
        {"type": "image", "image": path},
        ImagePart(STRIP),
    ]
    for part in parts:
        run = model.stream_chat([user(part, text("What?"))], at=Panel(6, 6))
        assert "".join(step.text for step in run) == fake.steered_text(0, 5)
    ours = [Message("system", ("Hm.",)), Message("user", (ImagePart(STRIP), "What?"))]
    theirs = [{"role": "developer", "content": "Hm."}, user(image(STRIP), "What?")]
    assert model.chat(ours).prompt_tokens == model.chat(theirs).prompt_tokens


def test_a_second_question_reads_only_what_is_new(model):
    scene = model.look(STRIP)
    messages = [user(image(scene), text("What is on the left?"))]
    first = model.chat(messages)
    assert first.cached_tokens == 0
    native = model.session.native
    images, decoded = native.images, native.decoded
    messages += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "And on the right?"}]
    with model.stream_chat(messages) as run:
        next(run)
    new = run.prompt_tokens - first.prompt_tokens - len(first.text)
    assert native.images == images
    assert native.decoded - decoded == new
    assert model.chat(messages).cached_tokens == run.prompt_tokens - 1


def test_what_a_steered_answer_said_is_read_again_without_the_push(model, head_set):
    """The second question's prompt is made as a cold one would be: the push of the first is gone from it."""
    scene = model.look(STRIP)
    messages = [user(image(scene), text("What?"))]
    first = model.chat(messages, at=Steering(head_set, Point(0, 0), queries="answer"))
    messages += [{"role": "assistant", "content": first.text}, user(text("And?"))]
    native = model.session.native
    images, decoded = native.images, native.decoded
    second = model.chat(messages, at=Steering(head_set, Point(90, 0), queries="answer"))
    assert second.text == fake.steered_text(0, 5)
    assert native.images == images
    assert second.cached_tokens == first.prompt_tokens - 1
    read = second.prompt_tokens - second.cached_tokens + len(second.steps)
    assert native.decoded - decoded == read


def test_several_images_and_where_they_are_looked_at(model):
    messages = [user(image(STRIP), image(SQUARE), text("What?"))]
    assert model.chat(messages).text == fake.UNSTEERED
    for number, point, row, col in ((1, Point(90, 20), 1, 5), (2, Point(20, 4), 0, 1)):
        answer = model.chat(messages, at=OnImage(point, number))
        assert answer.text == f"image {number}, " + fake.steered_text(row, col)
        assert [each.shape for each in answer.gaze] == [(2, 6), (2, 2)]
        assert [frame.width for frame in answer.gaze.frames] == [96, 32]
        assert answer.frame is None
        assert [each.shape for each in answer.gaze.on(2)] == [(2, 2)]
        # the fake heads look at tokens 1 and 4 of the first image
        assert answer.where().image == 1
        assert answer.where().as_json()["image"] == 1
    both = model.chat(messages, at=[OnImage(Point(0, 0), 1), OnImage(Box(16, 0, 32, 16), 2)])
    assert both.text == "image 1, " + fake.steered_text(0, 0)


def test_images_of_later_turns(model):
    messages = [user(image(STRIP), text("What?")), {"role": "assistant", "content": "Grey."}]
    messages.append(user(text("And this?"), image(SQUARE)))
    answer = model.chat(messages, at=OnImage(Point(20, 20), 2))
    assert answer.text == "image 2, " + fake.steered_text(1, 1)
    assert answer.prompt == "And this?"
    with model.stream_chat(messages, at=OnImage(Point(0, 0), 1)) as run:
        told = next(run).text
        run.look_at(OnImage(Point(0, 20), 2))
        told += "".join(step.text for step in run)
    assert told == ("image 2, " + fake.steered_text(1, 0))


def test_an_image_that_is_shown_twice_is_encoded_once_and_told_apart(model):
    scene = model.look(STRIP)
    messages = [user(image(scene), image(STRIP), text("What?"))]
    encoded = model.projector.encoded
    assert model.chat(messages, at=OnImage(Point(90, 0), 2)).text == "image 2, " + fake.steered_text(0, 5)
    assert model.projector.encoded == encoded


def test_without_images(model):
    answer = model.chat([{"role": "user", "content": "Hello?"}])
    assert (answer.text, answer.gaze, answer.where()) == (fake.UNSTEERED, (), None)
    with pytest.raises(RegionError, match="the conversation has none"):
        model.chat([{"role": "user", "content": "Hello?"}], at=Point(0, 0))


def test_zoom_in_a_conversation(model):
    large = np.zeros((64, 96, 3), np.uint8)
    small = Box(40, 40, 44, 44)
    messages = [user(image(STRIP), image(large), text("What?"))]
    answer = model.chat(messages, at=OnImage(small, 2), zoom=True)
    zoomed = model.look(large).zoom(small)
    assert answer.gaze.frames[1] == zoomed.frame
    assert answer.gaze.frames[0] == model.look(STRIP).frame


@pytest.mark.parametrize(
    ("at", "told"),
    [
        (Point(0, 0), "which of the 2 images"),
        (OnImage(Point(0, 0), 3), "names image 3"),
        (OnImage(Point(40, 0), 2), "leaves the image"),
        ([OnImage(Point(0, 0), 1), Point(0, 0)], "which of the 2 images"),
    ],
)
def test_regions_that_do_not_say_where_they_are(model, at, told):
    with pytest.raises(RegionError, match=told):
        model.stream_chat([user(image(STRIP), image(SQUARE), text("What?"))], at=at)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2", None])
def test_images_are_counted_from_1(wrong):
    with pytest.raises(RegionError, match="OnImage"):
        OnImage(Point(0, 0), wrong)


@pytest.mark.parametrize(
    "messages",
    [
        None, 5, "What?", {"role": "user", "content": "Hm?"}, [], [None], ["What?"], [{}], [{"role": "user"}],
        [{"content": "Hm?"}], [{"role": "robot", "content": "Hm?"}], [{"role": 1, "content": "Hm?"}],
        [{"role": "user", "content": None}], [{"role": "user", "content": 7}], [{"role": "user", "content": [None]}],
        [{"role": "user", "content": [{"type": "audio"}]}], [{"role": "user", "content": [{"text": "Hm?"}]}],
        [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": [{"type": "text", "text": 1}]}],
        [{"role": "user", "content": [{"type": "text", "text": "\udfff"}]}],
        [{"role": "user", "content": [{"type": "image"}]}],
        [{"role": "user", "content": [{"type": "image", "image": 1, "path": "x"}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
        [{"role": "user", "content": "Hm?", "name": "me"}],
        [{"role": "assistant", "content": "Hm."}],
        [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "Hm."}],
        [{"role": "user", "content": "Hm?"}, {"role": "system", "content": "S"}, {"role": "user", "content": "Hm?"}],
        [{"role": "system", "content": [{"type": "image", "image": "x.png"}]}, {"role": "user", "content": "Hm?"}],
    ],
)  # fmt: skip
def test_messages_that_are_none(model, messages):
    with pytest.raises(PromptError, match="expected"):
        model.stream_chat(messages)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["role", "content", "type", "text", "image", "image_url", "url"]) | st.text(), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_value_is_messages_or_a_named_error(value):
    try:
        assert all(isinstance(each, Message) for each in as_messages(value))
    except PromptError as error:
        assert len(str(error)) < 1000


def test_images_that_are_none(model, engine, pair, head_set):
    with pytest.raises(ImageError):
        model.chat([user(image("missing.png"), text("What?"))])
    with pytest.raises(ImageError, match="base64"):
        model.chat([user({"type": "image", "base64": "###"}, text("What?"))])
    with lookhere.load(pair[0], heads=head_set) as other, pytest.raises(PromptError, match="another model"):
        model.chat([user(image(other.look(STRIP)), text("What?"))])
    model.head_set = None
    with pytest.raises(HeadSetMissingError, match="discover"):
        model.chat([user(image(STRIP), text("What?"))], at=Point(0, 0))


def test_images_that_do_not_fit_together_are_refused_before_they_are_encoded(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, context=64) as small:
        large = [np.full((64, 96, 3), value, np.uint8) for value in range(4)]  # 4 x 6 tokens and 2
        assert small.chat([user(image(large[0]), text(""))], max_tokens=2).text == fake.UNSTEERED[:2]
        encoded = small.projector.encoded
        with pytest.raises(lookhere.ContextError, match="the images before it 52"):
            small.chat([user(*map(image, large), text("What?"))])
        assert small.projector.encoded == encoded + 1  # the second; the first was known, the third was refused


def test_a_wrong_option_is_named(model):
    with pytest.raises(TypeError, match="max_token'"):
        model.chat([user(image(STRIP), text("What?"))], max_token=3)


MESSAGES = as_messages(
    [
        {"role": "system", "content": "S"},
        user(image("1"), text("<a>")),
        {"role": "assistant", "content": "{{ b }}"},
        user(text("c"), image("2"), image("3"), text("d")),
    ]
)


@pytest.mark.parametrize("source", [fake.TEMPLATE, CHATML])
def test_templates_of_several_turns_and_images(source):
    pieces = ChatTemplate(source).pieces(MESSAGES)
    assert [piece.text for piece in pieces if piece.kind == "text"] == ["S", "<a>", "{{ b }}", "c", "d"]
    kinds = "".join({"image": "i", "text": "t", "template": "-"}[piece.kind] for piece in pieces)
    assert kinds == "-t-it-t-tiit-"
    assert pieces[-1] == Piece("template", "<|im_end|>\n<|im_start|>assistant\n")


def test_templates_that_write_images_wrongly():
    twice = fake.TEMPLATE.replace("<|image_pad|>", "<|image_pad|> and <|image_pad|>")
    once = "{% for m in messages %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}{% endfor %}{% endfor %}"
    for source in (twice.replace("<|vision_start|>", "").replace("<|vision_end|>", ""), once + "<image>"):
        with pytest.raises(TemplateError, match="chat_template="):
            ChatTemplate(source).pieces(MESSAGES)


def test_the_built_in_model_answers_about_both_images(builtin):
    strips = [generate_strip(seed, panels=3, split="held_out", style="colour") for seed in (5, 6)]
    scenes = [builtin.look(strip.image) for strip in strips]
    messages = [user(image(scenes[0]), text(builtin.prompt))]
    said = builtin.chat(messages, at=Panel(2, 3))
    assert said.text == scenes[0].describe(at=Panel(2, 3)).text == strips[0].captions[1]
    messages += [{"role": "assistant", "content": said.text}, user(text(builtin.prompt))]
    second = builtin.chat(messages, at=Panel(3, 3))
    assert second.text == strips[0].captions[2]
    cached = second.cached_tokens
    with lookhere.load() as fresh:
        cold = fresh.chat([user(image(strips[0].image), text(builtin.prompt)), *messages[1:]], at=Panel(3, 3))
    assert cached > scenes[0].tokens
    assert cold.text == second.text
    np.testing.assert_allclose(second.gaze[0], cold.gaze[0], atol=2e-3)
