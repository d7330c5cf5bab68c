"""Asks and answers as JSON: what is written is read back as it was, and nothing else is read."""

import copy
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import (
    Ask,
    Box,
    LookhereError,
    Mask,
    OnImage,
    OptionError,
    Panel,
    Paragraph,
    Point,
    Polygon,
    RegionError,
    Span,
    Steering,
    Weighted,
)
from lookhere.steering.push import MODES, QUERIES
from lookhere.strict import Entry
from lookhere.wire.answer import AnswerRecord, read_answer
from lookhere.wire.ask import ask_json, read_ask
from lookhere.wire.region import read_region, region_json

STRIP = np.full((32, 96, 3), 200, np.uint8)
pixels = st.floats(0, 5000, allow_nan=False)
sizes = st.floats(0.01, 500)


@st.composite
def plain(draw):
    kind = draw(st.sampled_from(["box", "point", "relative", "panel", "polygon", "mask", "span", "paragraph"]))
    x, y = draw(pixels), draw(pixels)
    if kind == "box":
        return Box(x, y, x + draw(sizes), y + draw(sizes))
    if kind == "point":
        return Point(x, y)
    if kind == "relative":
        corner = draw(st.integers(0, 999)), draw(st.integers(0, 999))
        far = (draw(st.integers(each + 1, 1000)) for each in corner)
        x, y = far
        outline = Polygon.thousandths([corner, (x, corner[1]), (corner[0], y)])
        return draw(st.sampled_from([Point.thousandths(*corner), Box.thousandths(*corner, x, y), outline]))
    if kind == "span":
        start = draw(st.integers(0, 10**9 - 1))
        return Span(start, draw(st.integers(start + 1, 10**9)))
    if kind == "paragraph":
        return Paragraph(draw(st.integers(1, 10**9)))
    if kind == "panel":
        rows, cols = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        return Panel(draw(st.integers(1, rows)), draw(st.integers(1, cols)), rows, cols)
    if kind == "polygon":
        return Polygon([(x, y), (x + draw(sizes), y), (x, y + draw(sizes))])
    values = draw(st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6).filter(any))
    return Mask(np.array(values, np.float32).reshape(2, 3))


@st.composite
def regions(draw):
    region = draw(plain())
    if draw(st.booleans()):
        region = Weighted(region, draw(st.floats(0.001, 1)))
    return OnImage(region, draw(st.integers(1, 99))) if draw(st.booleans()) else region


def some(name, values):
    return st.fixed_dictionaries({}, optional={name: values})


options = st.fixed_dictionaries(
    {},
    optional={
        "strength": st.floats(0, 10_000),
        "mode": st.sampled_from(MODES),
        "share": st.floats(0, 1),
        "sharpness": st.floats(0, 1),
        "queries": st.sampled_from(QUERIES),
        "max_tokens": st.integers(1, 10**6),
        "temperature": st.floats(0, 100),
        "top_k": st.integers(0, 2**30),
        "top_p": st.floats(0, 1),
        "min_p": st.floats(0, 1),
        "repeat_penalty": st.floats(0.01, 100),
        "seed": st.integers(0, 2**32 - 2),
        "stop": st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=3),
        "gaze": st.booleans(),
        "steered_gaze": st.booleans(),
        "head_gaze": st.booleans(),
        "readers": st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=3),
        "zoom": st.booleans(),
    },
)
words = st.text(st.characters(codec="utf-8"))


@st.composite
def asks(draw):
    content = [
        {"type": "text", "text": draw(words)},
        {"type": "image", "image": draw(st.sampled_from(["a.png", "http://x/b"]))},
        {"type": "document", "document": draw(st.text(st.characters(codec="utf-8"), min_size=1))},
    ]
    messages = [{"role": "user", "content": content}]
    if draw(st.booleans()):
        messages += [{"role": "assistant", "content": draw(words)}, {"role": "user", "content": draw(words)}]
    at = draw(st.none() | st.lists(regions(), min_size=1, max_size=3))
    return Ask.of(messages, at, **draw(options))


def told(ask):
    """An ask as a value that can be compared: images by what they are named."""
    messages = [(each.role, [part if isinstance(part, str) else (type(part), part.source) for part in each.parts])
                for each in ask.messages]  # fmt: skip
    return messages, ask.at, ask.push, ask.sampling, ask.gaze, ask.steered_gaze, ask.head_gaze, ask.readers, ask.zoom


@given(regions())
def test_regions_come_back(region):
    data = json.loads(json.dumps(region_json(region), allow_nan=False))
    assert read_region(Entry("It", "", data, OptionError)) == region


@given(asks())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_asks_come_back(ask):
    data = json.loads(json.dumps(ask_json(ask), allow_nan=False))
    assert told(read_ask(data)) == told(ask)
    assert ask_json(read_ask(data)) == data


def test_images_become_data_uris(model):
    for source in (STRIP, model.look(STRIP)):
        data = ask_json(Ask.of([{"role": "user", "content": [{"type": "image", "image": source}, "What?"]}]))
        (answered,) = [model.chat(read_ask(data).messages, at=Panel(6, 6)).text]
        assert answered == model.look(STRIP).describe("What?", at=Panel(6, 6)).text


def test_a_steering_has_no_json(model, head_set):
    ask = model.look(STRIP).ask("What?", at=Steering(head_set, Point(0, 0)))
    with pytest.raises(OptionError, match="no JSON"):
        ask_json(ask)


def spoiled(data, draw):
    """A copy with one value replaced, one key removed, or one added, anywhere."""
    data = copy.deepcopy(data)
    places = []

    def walk(node):
        if isinstance(node, dict):
            places.append(node)
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            walk(child)

    walk(data)
    node = draw(st.sampled_from(places))
    key = draw(st.sampled_from([*node, "unheard_of"]))
    if key == "unheard_of" or draw(st.booleans()):
        node[key] = draw(st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=2)
                         | st.dictionaries(st.text(), st.integers(), max_size=2) | st.just(math.nan))  # fmt: skip
    else:
        del node[key]
    return data, key


@given(asks(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_anything_else_is_a_named_error(ask, data):
    wrong, key = spoiled(ask_json(ask), data.draw)
    try:
        read_ask(wrong)
    except LookhereError as error:
        assert len(str(error)) < 1500
        return
    assert key != "unheard_of", "an unknown key was read"


@pytest.mark.parametrize("data", [None, 5, [], "x", {}, {"messages": []}, {"messages": 1}, {"messages": [[]]}])
def test_what_is_no_ask(data):
    with pytest.raises(LookhereError, match="The ask|messages"):
        read_ask(data)


def test_a_mask_that_unpacks_to_too_much_is_refused():
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(10**7))).decode()
    with pytest.raises(RegionError, match="has not the"):
        read_region(Entry("It", "", {"kind": "mask", "width": 2, "height": 2, "values": bomb}, OptionError))


def answers(model):
    """One about one image, one about two, one that was not read."""
    scene = model.look(STRIP)
    yield scene.describe(at=Panel(2, 6)), (scene.frame,)
    both = [
        {"role": "user", "content": [{"type": "image", "image": scene}, {"type": "image", "image": scene}, "What?"]}
    ]
    answer = model.chat(both, at=OnImage(Weighted(Mask(np.ones((32, 96))), 0.5), 2), mode="target_share")
    yield answer, answer.gaze.frames
    yield scene.describe(gaze=False), (scene.frame,)


def test_answers_come_back(model):
    for answer, frames in answers(model):
        record = AnswerRecord.of(answer, model.name, frames)
        data = json.loads(json.dumps(record.as_json(), allow_nan=False))
        back = read_answer(data)
        assert back.as_json() == data
        assert (back.text, back.finish, back.where, back.words) == (
            answer.text, answer.finish, read_answer(data).where, read_answer(data).words,
        )  # fmt: skip
        for one, other in zip(back.gaze, answer.gaze, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)


def test_spoiled_answers_are_a_named_error(model):
    written = [AnswerRecord.of(answer, model.name, frames).as_json() for answer, frames in answers(model)]

    @given(st.sampled_from(written), st.data())
    def check(data, source):
        wrong, key = spoiled(data, source.draw)
        try:
            read_answer(wrong)
        except LookhereError:
            return
        assert key != "unheard_of"

    check()
