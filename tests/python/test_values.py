"""What comes back as values: they fit a line, show themselves without harm, compare, copy and are saved."""

import base64
import copy
import io
import json
import pickle
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import (
    Aim,
    Answer,
    Ask,
    Box,
    CancelFlag,
    DocumentPart,
    Gaze,
    HeadSet,
    ImageError,
    ImagePart,
    Mask,
    Message,
    OnImage,
    OptionError,
    Panel,
    Paragraph,
    Point,
    Polygon,
    Push,
    Span,
    Steering,
    Step,
    Text,
    Weighted,
    Word,
    errors,
    limits,
)
from lookhere.answers.attention import save_attention
from lookhere.answers.shading import on_target
from lookhere.images.image import Image
from lookhere.lab.evaluation import Evaluation, Options
from lookhere.lab.figures import Figure
from lookhere.lab.reply import Record
from lookhere.lab.tables import ANSWERS, FIGURES, answer_rows, figure_rows, write_csv
from lookhere.scenes.seen_image import SeenImage
from lookhere.schedule import Schedule, Walk
from lookhere.steering.head_set import ModelFacts
from lookhere.tokens.frame import Frame
from lookhere.tokens.gaze import GridMaps
from lookhere.tokens.grid import TokenGrid
from lookhere.wire.ask import ask_json, read_ask
from PIL import Image as pillow

LINE = 120
"""Characters of a repr."""

STRIP = np.full((32, 96, 3), 200, np.uint8)

wild = st.one_of(
    st.text(max_size=300),
    st.lists(st.sampled_from(["<", ">", "&", '"', "'", "<script>alert(1)</script>", "<img src=x onerror=y>", "</div>",
                              "<!--", "]]>", "&lt;b&gt;", "\0", "\n", "é", "日", " "]), max_size=40).map("".join),
)  # fmt: skip


@st.composite
def frames(draw, most=4):
    width, height = draw(st.integers(1, 99_999)), draw(st.integers(1, 99_999))
    shapes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=most))
    return Frame(width, height, tuple(TokenGrid(rows, cols, 0, 0, width, height) for rows, cols in shapes))


@st.composite
def gazes(draw, leading=(), kind=Gaze, dtype=np.float32):
    """Maps on one to three images. leading: axes before rows and cols."""
    on = draw(st.lists(frames(), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = [(*leading, grid.rows, grid.cols) for frame in on for grid in frame.grids]
    return kind([(rng.random(shape) ** 3).astype(dtype) for shape in shapes], on)


head_sets = st.builds(
    lambda name, heads: HeadSet(ModelFacts(name, "fake", 9, 9), heads),
    wild.filter(lambda text: text.isprintable()),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=9, unique=True),
)
regions = st.lists(
    st.builds(lambda x, y: Box(x, y, x + 5, y + 5), st.floats(0, 1e6), st.floats(0, 1e6)) | st.just(Panel(2, 6)),
    min_size=1, max_size=5,
)  # fmt: skip
pushes = st.builds(Push, st.sampled_from(["boost_suppress", "max_suppress_all"]), st.floats(0, 10_000))
steerings = st.builds(lambda heads, at, push: Steering(heads, at, push=push), head_sets, regions, pushes)


@st.composite
def answers(draw):
    texts = draw(st.lists(wild, max_size=4))
    gaze = draw(gazes())
    steps = tuple(
        Step(index, draw(st.integers(0, 2**31)), text, gaze, Gaze(), GridMaps(), gaze)
        for index, text in enumerate(texts)
    )
    finish = draw(st.sampled_from(["end", "length", "stop", "context"]))
    return Answer("".join(texts), steps, gaze, finish, draw(wild), 9, draw(st.none() | steerings), gaze, 5)


@given(answers(), steerings, wild, frames(most=30))
def test_every_repr_fits_a_line(answer, steering, text, frame):
    maps = tuple(np.zeros((grid.rows, grid.cols), np.float32) for grid in frame.grids)
    seen = SeenImage.__new__(SeenImage)
    seen.image, seen.part, seen.frame = Image(STRIP, text), Box(9999.5, 0, 99999, 99999), frame
    ask = Ask.of([Message("system", (text,)), Message("user", (ImagePart(text * 100), text))], steering)
    values = [
        answer, *answer.steps, answer.gaze, *answer.words(), GridMaps(),
        GridMaps([each[None] for each in maps], [frame]), steering, steering.head_set, Aim(steering, maps, maps),
        Aim(steering, (), ()), frame, ask, replace(ask, at=None), seen, ImagePart(text * 1000), Word(text, 0, 99_999),
    ]  # fmt: skip
    for value in values:
        line = repr(value)
        assert len(line) <= LINE, line
        assert line.isprintable()  # no line break, nothing that turns a terminal upside down
        assert type(value).__name__ in line


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts, self.others = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        self.others.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def read_page(page):
    tags = Tags()
    tags.feed(page)
    tags.close()
    return tags


@given(answers(), wild)
def test_no_text_becomes_html(answer, name):
    seen = SeenImage.__new__(SeenImage)
    seen.image, seen.part, seen.frame = Image(STRIP, name), None, answer.gaze.frames[0]
    plain = replace(answer, text="", steps=tuple(replace(step, text="") for step in answer.steps))
    named = HeadSet(ModelFacts(name, "fake", 9, 9), [(1, 2), (3, 4)], readers=[(0, 0)]) if name.isprintable() else None
    for value, text, same in (
        (answer, answer.text, plain), *((step, step.text, replace(step, text="")) for step in answer.steps),
        (seen, None, None), (answer.gaze, None, None), *([(named, None, None)] if named else []),
    ):  # fmt: skip
        page = read_page(value._repr_html_())
        assert page.others == []
        assert {tag for tag, _ in page.tags} <= {"div", "small", "img", "span", "style"}
        assert {name for _, names in page.tags for name in names} <= {"class", "style", "src", "alt"}
        if same is not None:
            others = [each for each in page.tags if each != ("span", ("style",))]  # those are words
            assert others == read_page(same._repr_html_()).tags
        if text:
            assert text in "".join(page.texts)


@pytest.mark.parametrize("where", range(6))
def test_words_are_shaded_by_how_much_of_their_gaze_fell_on_the_target(where):
    """Two tokens: one looked at the target alone, the other everywhere alike."""
    frame = Frame(96, 32, (TokenGrid(2, 6, 0, 0, 96, 32),))
    alone, even = np.zeros((2, 6), np.float32), np.full((2, 6), 0.1, np.float32)
    alone[1, where] = 0.3
    steps = [Step(k, k, text, Gaze([gaze], [frame])) for k, (text, gaze) in enumerate([("a<b", alone), (" c", even)])]
    heads = HeadSet(ModelFacts("Fake", "fake", 9, 9), [(1, 2)])
    steering = Steering(heads, Panel(where + 1, 6))
    answer = Answer("a<b c", tuple(steps), steps[0].gaze, "end", "What?", 9, steering)
    assert on_target([step.gaze for step in steps], steering.regions) == [1, pytest.approx(1 / 6)]
    page = answer._repr_html_()
    assert re.findall(r'/ ([\d.]+)\)">([^<]*)</span>', page) == [("0.27", "a&lt;b"), ("0.03", "c")]
    assert "</span> <span" in page
    assert "<span" not in replace(answer, steering=None)._repr_html_()
    elsewhere = replace(answer, steering=Steering(heads, Box(0, 0, 999, 999)))
    assert "<span" not in elsewhere._repr_html_()  # a target that is not of this image


def test_a_head_set_is_a_grid():
    heads = HeadSet(ModelFacts("Fake", "fake", 9, 4), [(1, 2), (3, 0)], readers=[(8, 3)])
    data = re.search(r"data:image/png;base64,([^\"]+)", heads._repr_html_())[1]
    shown = np.asarray(pillow.open(io.BytesIO(base64.b64decode(data))).convert("L")).astype(int)
    assert shown.shape == (9, 4)
    assert shown[1, 2] > shown[3, 0] > shown[8, 3] > shown[0, 0] == np.median(shown)
    assert "<img" not in HeadSet(ModelFacts("Fake", "fake", 10**9, 10**9), [(1, 2)])._repr_html_()


@given(gazes(), st.integers(0, 8))
def test_a_gaze_keeps_its_frames_and_is_equal_to_its_copies_alone(gaze, protocol):
    for other in (
        pickle.loads(pickle.dumps(gaze, min(protocol, pickle.HIGHEST_PROTOCOL))), copy.copy(gaze), copy.deepcopy(gaze),
    ):  # fmt: skip
        assert type(other) is Gaze
        assert other.frames == gaze.frames
        assert other == gaze
        assert not other != gaze  # noqa: SIM202
        assert hash(other) == hash(gaze)
        assert other.where() == gaze.where()
    changed = copy.deepcopy(gaze)
    changed[-1][-1, -1] += 1
    wider = [replace(gaze.frames[0], width=gaze.frames[0].width + 1), *gaze.frames[1:]]
    for other in (changed, Gaze(gaze, wider), Gaze(), (), None, 5):
        assert other != gaze
        assert not other == gaze  # noqa: SIM201
    assert Gaze(gaze, wider) != gaze
    assert tuple(gaze) == gaze  # the numbers alone, where nothing is known of the image


@given(answers())
def test_answers_are_values(answer):
    steps = answer.steps
    for other in (pickle.loads(pickle.dumps(answer)), copy.copy(answer), copy.deepcopy(answer)):
        assert other == answer
        assert hash(other) == hash(answer)
        assert {other, answer} == {answer}
        assert other.steps == steps
        assert other.where() == answer.where()
        assert other.words() == answer.words()
        assert other.steering == answer.steering
    assert replace(answer, cached_tokens=answer.cached_tokens + 1) == answer  # how it came about is no part of it
    assert replace(answer, text=answer.text + "x") != answer
    assert replace(answer, gaze=Gaze()) != answer
    if steps:
        assert replace(answer, steps=(*steps[:-1], replace(steps[-1], token=steps[-1].token + 1))) != answer


@given(steerings, pushes)
def test_what_steers_is_a_value(steering, push):
    for value in (steering, steering.head_set, push):
        for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert other == value
            assert hash(other) == hash(value)
    assert copy.deepcopy(steering).fingerprint == steering.fingerprint


places = st.deferred(lambda: st.one_of(
    st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), coordinates, coordinates, sizes, sizes),
    st.builds(Point, coordinates, coordinates),
    st.builds(lambda x, y: Point.relative(x / 1e6, y / 1e6), st.integers(0, 999_999), st.integers(0, 999_999)),
    st.builds(lambda x, y: Box.relative(0, 0, x / 1e6, y / 1e6), st.integers(1, 10**6), st.integers(1, 10**6)),
    st.integers(1, 99).flatmap(lambda cols: st.builds(lambda k: Panel(k, cols), st.integers(1, cols))),
    st.builds(lambda x, y, d: Polygon([(x, y), (x + d, y), (x, y + d)]), coordinates, coordinates, sizes),
    st.builds(lambda d: Polygon.relative([(0, 0), (d / 100, 0), (0, d / 100)]), st.integers(1, 100)),
    st.builds(lambda seed: Mask(np.random.default_rng(seed).random((5, 7))), st.integers(0, 99)),
    st.builds(lambda start, size: Span(start, start + size), st.integers(0, 10**6), st.integers(1, 10**6)),
    st.builds(Paragraph, st.integers(1, 10**6)),
    st.builds(Weighted, st.builds(Point, coordinates, coordinates), st.floats(0.01, 1)),
    st.builds(OnImage, st.builds(Point, coordinates, coordinates), st.integers(1, 99)),
))  # fmt: skip
coordinates, sizes = st.floats(0, 99_999), st.floats(1, 99_999)
sources = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20), st.binary(max_size=20), st.builds(Path, st.just("a.png")),
    st.builds(lambda seed: np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8), st.integers(0, 99)),
    st.builds(lambda seed: pillow.new("RGB", (3, 4), (seed, 0, 0)), st.integers(0, 99)),
    st.builds(lambda seed: Image(np.full((3, 4, 3), seed, np.uint8), "a.png"), st.integers(0, 99)),
)  # fmt: skip
documents = st.text(st.characters(codec="utf-8", categories=("L",)), min_size=1, max_size=20)
plain = st.one_of(
    places,
    documents.map(Text),
    sources.map(ImagePart),
    documents.map(DocumentPart),
    st.builds(lambda source, text: Message("user", (ImagePart(source), text)), sources, documents),
    st.builds(
        lambda source, text, at, seed: Ask.of([Message("user", (ImagePart(source), text))], at, seed=seed, zoom=True),
        sources, documents, st.none() | places | steerings, st.integers(0, 9),
    ),
    st.builds(lambda at, every: Schedule((at, None), every), places, st.sampled_from([5, "line", "sentence"])),
    st.builds(lambda text, gaze: Word(text, 0, 1, gaze), documents, gazes()),
    gazes().map(Gaze.where),
    st.builds(lambda steering, gaze: Aim(steering, tuple(gaze), tuple(gaze)), steerings, gazes()),
    frames(),
)  # fmt: skip


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_plain_value_comes_through(value, protocol):
    for other in (pickle.loads(pickle.dumps(value, protocol)), copy.copy(value), copy.deepcopy(value)):
        assert type(other) is type(value)
        assert other == value
        assert not other != value  # noqa: SIM202
        assert hash(other) == hash(value)
        assert repr(other) == repr(value) or "at 0x" in repr(value)


@given(plain, plain)
def test_values_that_are_told_apart_are_not_equal(value, other):
    if type(value) is not type(other):
        assert value != other
    assert (value == other) == (other == value)
    if value == other:
        assert hash(value) == hash(other)


def test_parts_are_equal_by_what_they_show(model):
    scene, file = model.look(STRIP), io.BytesIO(b"x")
    for one, other in (
        ("a.png", "b.png"), (STRIP, STRIP[:16]), (STRIP, STRIP.astype(np.uint16)), (STRIP, STRIP + 1), (scene, model),
        (scene, model.look(STRIP)), (file, io.BytesIO(b"x")), ("a.png", b"a.png"),
    ):  # fmt: skip
        assert ImagePart(one) == ImagePart(one)
        assert ImagePart(one) != ImagePart(other)
    assert ImagePart("One.") != DocumentPart("One.")
    assert scene.ask("What?") == scene.ask("What?")

    class Wrong:
        def __eq__(self, other):
            raise ZeroDivisionError

        __hash__ = None

    assert ImagePart(Wrong()) != ImagePart(Wrong())


@pytest.mark.parametrize("name", [name for name, each in vars(errors).items() if isinstance(each, type)])
def test_errors_come_through(name):
    """From one process to another, as multiprocessing sends them."""
    error = getattr(errors, name)("told", *(429, "full", "n", 5) if name == "RequestError" else ())
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), "told", vars(error))


def test_what_belongs_to_a_process_is_refused_in_words(model):
    scene, text, schedule = model.look(STRIP), model.look(Text("One.")), Schedule((Panel(1, 6),))
    live = (
        (model, "load it in each process"), (scene, "keep the image"), (scene.stream(), r"run\.join\(\)"),
        (scene.stream_all([None]), r"group\.answers\(\)"), (text, "keep the text"), (CancelFlag(), "one in each"),
        (Walk.begin(scene, schedule), r"walk\.answer"), (model.images, "load the m"), (model.session, "load the m"),
        (scene.astream(), r"await run\.join\(\)"), (scene.astream_all([None]), r"await group\.answers\(\)"),
        (Walk.abegin(scene, schedule), r"await walk\.answer\(\)"),
    )  # fmt: skip
    for value, advice in (*live, (scene.ask("What?"), "keep the image"), ([model], "load it")):
        for way in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match=advice):
                way(value)
    for value, _ in live:
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            copy.copy(value)
    assert scene.describe().text  # and nothing is broken by it


def test_the_attention_of_every_head(model, tmp_path):
    scene = model.look(STRIP)
    place = Panel(2, 6)
    answer = scene.describe(at=place, head_gaze="all", max_tokens=5)
    (attention,) = answer.attention()
    assert attention.shape == (5, 4, 2, 2, 6)
    assert attention.dtype == np.float16
    assert answer.attention().frame == scene.frame
    # the fake heads look at the image token of their layer and number
    for layer in range(4):
        for head in range(2):
            assert (attention[:, layer, head].reshape(5, 12).argmax(axis=1) == layer + head).all()
    # the other maps are those that come without it
    plain = scene.describe(at=place, head_gaze=True, steered_gaze=True, max_tokens=5, readers=[(2, 1)])
    both = scene.describe(at=place, head_gaze="all", steered_gaze=True, max_tokens=5, readers=[(2, 1)])
    for one, other in zip(plain.steps, both.steps, strict=True):
        assert (one.text, one.gaze, one.steered_gaze, one.reading) == (
            other.text, other.gaze, other.steered_gaze, other.reading,
        )  # fmt: skip
        chosen = tuple(np.array(model.head_set.heads).T)
        np.testing.assert_allclose(other.head_gaze[0][chosen], one.head_gaze[0])
    for each in scene.describe_all([place, None], head_gaze="all", max_tokens=2):
        assert each.attention()[0].shape == (2, 4, 2, 2, 6)
    # it needs no head set and no gaze
    model.head_set = None
    blind = scene.describe(gaze=False, head_gaze="all", max_tokens=3)
    assert blind.gaze == ()
    assert blind.steps[0].frame == scene.frame
    np.testing.assert_array_equal(blind.attention()[0], attention[:3])
    for without in (scene.describe(), scene.describe(head_gaze=True), plain):
        with pytest.raises(OptionError, match="head_gaze='all'"):
            without.attention()
        with pytest.raises(OptionError, match="head_gaze='all'"):
            without.save_attention(tmp_path / "x.npz")
    assert not list(tmp_path.glob("*.npz"))
    for wrong in ("ALL", "every", 1, None, b"all"):
        with pytest.raises(OptionError, match="'all'"):
            scene.describe(head_gaze=wrong)


def test_an_ask_for_every_head_is_written_and_read(model):
    ask = Ask.of([{"role": "user", "content": "What?"}], head_gaze="all")
    assert ask_json(ask)["head_gaze"] == "all"
    assert read_ask(json.loads(json.dumps(ask_json(ask)))) == ask
    assert read_ask(ask_json(replace(ask, head_gaze=True))).head_gaze is True


def test_attention_is_bounded_before_work(model, monkeypatch):
    scene = model.look(STRIP)
    decoded = model.session.native.decoded if model.session.context else 0
    each = 2 * 4 * 2 * 12  # bytes, layers, heads, image tokens
    monkeypatch.setattr(limits, "ATTENTION_BYTES", 7 * each)
    with pytest.raises(OptionError, match=r"for 8 tokens.*max_tokens up to 7,"):
        scene.stream(head_gaze="all", max_tokens=8)
    assert (model.session.native.decoded if model.session.context else 0) == decoded
    assert len(scene.describe(head_gaze="all", max_tokens=7).steps) == 7
    assert scene.describe(head_gaze=True, max_tokens=8).text
    monkeypatch.setattr(limits, "ATTENTION_BYTES", 10**5)
    with pytest.raises(OptionError, match=r"for 4\d{3} tokens"):  # no more than the context holds
        scene.stream(head_gaze="all", max_tokens=2**31 - 1)


@given(
    st.integers(1, 4).flatmap(lambda count: st.tuples(
        gazes(leading=(count, 3, 2), kind=GridMaps, dtype=np.float16), st.lists(wild, min_size=count, max_size=count),
    )),
    wild,
)  # fmt: skip
def test_saved_attention_is_read_by_numpy_alone(tmp_path_factory, saved, prompt):
    maps, texts = saved
    path = tmp_path_factory.mktemp("npz") / "attention.npz"
    save_attention(path, maps, tokens=range(len(texts)), texts=texts, prompt=prompt)
    with np.load(path, allow_pickle=False) as file:
        names = ["attention", *(f"attention_{number}" for number in range(2, len(maps) + 1))]
        assert set(file) == {*names, "grids", "grid_image", "images", "tokens", "texts", "prompt"}
        assert GridMaps([file[name] for name in names]) == tuple(maps)
        assert all(file[name].dtype == np.float16 for name in names)
        assert [tuple(size) for size in file["images"]] == [(frame.width, frame.height) for frame in maps.frames]
        found = [[] for _ in maps.frames]
        for name, image, corners in zip(names, file["grid_image"], file["grids"], strict=True):
            found[image].append(TokenGrid(*file[name].shape[-2:], *corners))
        assert tuple(map(tuple, found)) == tuple(frame.grids for frame in maps.frames)
        assert file["tokens"].tolist() == list(range(len(texts)))
        assert file["texts"].tolist() == [text.rstrip("\0") for text in texts]
        assert str(file["prompt"]) == prompt.rstrip("\0")


def test_attention_that_cannot_be_saved(model, tmp_path):
    answer = model.look(STRIP).describe(head_gaze="all", max_tokens=1)
    for wrong in (tmp_path, tmp_path / "none" / "x.npz", None, 5, "a\0b", "", "\ud800", "x" * 5000):
        with pytest.raises(OptionError) as caught:
            answer.save_attention(wrong)
        assert len(str(caught.value)) < 400
    assert not list(tmp_path.glob("*.part"))
    (tmp_path / "x.npz").write_bytes(b"old")
    answer.save_attention(str(tmp_path / "x.npz"))
    with np.load(tmp_path / "x.npz") as file:
        assert file["texts"].tolist() == [answer.steps[0].text]
    assert not list(tmp_path.glob("*.part"))


def test_a_heat_map_of_an_answer(model, tmp_path):
    scene = model.look(STRIP)
    answer = scene.describe(at=Panel(2, 6))
    alone = answer.heatmap()
    assert (alone.size, alone.mode) == ((640, 213), "RGB")
    bright = np.asarray(alone, np.float32).sum(axis=-1)
    _, col = np.unravel_index(bright.argmax(), bright.shape)
    assert answer.where().box.x0 <= col * 96 / 640 <= answer.where().box.x1
    answer.heatmap().save(tmp_path / "map.png")
    over = answer.heatmap(scene)
    for image in (STRIP, scene.image.pillow()):
        np.testing.assert_array_equal(np.asarray(answer.heatmap(image)), np.asarray(over))
    free = scene.describe().heatmap(scene)  # of an answer that nobody steered: no outline
    assert (np.asarray(over) != np.asarray(free)).any()
    with pytest.raises(ImageError, match=r"10 x 10 pixels.*96 x 32"):
        answer.heatmap(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(OptionError, match="brings no gaze"):
        scene.describe(gaze=False).heatmap()
    for wrong in (0, 2, None, "1", 1.5):
        with pytest.raises(OptionError, match="image="):
            answer.heatmap(number=wrong)


def test_a_heat_map_of_one_of_several_images(model):
    other = np.full((64, 32, 3), 90, np.uint8)
    messages = [{"role": "user", "content": [{"type": "image", "image": STRIP}, {"type": "image", "image": other}]}]
    answer = model.chat(messages, at=OnImage(Panel(1, 2), 2))
    assert answer.heatmap(number=1).size == (640, 213)
    assert answer.heatmap(number=2).size == (320, 640)
    plain = model.chat(messages)
    first, second = (
        [np.asarray(each.heatmap(image, number=number)) for each in (answer, plain)]
        for number, image in ((1, STRIP), (2, other))
    )
    np.testing.assert_array_equal(*first)  # the outline is on the second
    assert (second[0] != second[1]).any()
    assert answer.gaze.on(2).frames == answer.gaze.frames[1:]
    for wrong in (0, 3, -1, 1.0, "1", None):
        with pytest.raises(OptionError):
            answer.gaze.on(wrong)
    with pytest.raises(OptionError, match="nothing was read"):
        Gaze().on(1)


@pytest.mark.parametrize(
    "maps",
    [
        None, 5, "ab", b"ab", {}, [None], [[[1, 2], [3]]], [np.zeros(3)], [np.zeros((2, 2), "U1")], [object()],
        [np.zeros((2, 2, 2))],
    ],
)  # fmt: skip
def test_what_is_no_gaze(maps):
    with pytest.raises(OptionError, match="Gaze"):
        Gaze(maps)
    with pytest.raises(OptionError, match="frames="):
        Gaze([np.zeros((2, 2))], [maps])
    with pytest.raises(OptionError, match=r"expected one map of \(rows, cols\)"):
        Gaze([np.zeros((2, 2))], [Frame(9, 9, (TokenGrid(3, 3, 0, 0, 9, 9),))])
    with pytest.raises(OptionError, match="several sizes"):
        Gaze.mean([Gaze([np.zeros((2, 2))]), Gaze([np.zeros((3, 2))])])


def record(outcome, target=0):
    return Record('a "dog", 1', target, {"exact": {"right": target, "other": target + 1}.get(outcome, outcome)})


@given(
    st.lists(
        st.lists(st.sampled_from(["right", "other", "none", "junk"]), min_size=1, max_size=4), min_size=1, max_size=3
    )
)
def test_outcomes_as_rows(tmp_path_factory, outcomes):
    figures = tuple(
        Figure("static", arm, "main", "fresh", "exact", tuple(tuple(map(record, strip)) for strip in outcomes), setting)
        for arm, setting in (("steered", (("strength", 5.0),)), ("unsteered", ()))
    )
    found = Evaluation(figures, {}, None, Options(), ("exact",), None, (), 0.0)
    rows = answer_rows(found)
    assert [row["outcome"] for row in rows] == 2 * [each for strip in outcomes for each in strip]
    assert [(row["picture"], row["question"]) for row in rows[: len(rows) // 2]] == [
        (picture, question) for picture, strip in enumerate(outcomes) for question in range(len(strip))
    ]
    told = figure_rows(found)
    assert [row["right"] for row in told] == [pytest.approx(figures[0].share("right"), abs=1e-5)] * 2
    assert [row["strength"] for row in told] == [5.0, None]
    for table, columns in ((rows, ANSWERS), (told, FIGURES)):
        for row in table:
            assert tuple(row) == columns
            assert all(value is None or isinstance(value, (str, int, float)) for value in row.values())
    json.dumps([rows, told], allow_nan=False)
    folder = tmp_path_factory.mktemp("tables")
    write_csv(folder, found)
    assert len((folder / "answers.csv").read_text().splitlines()) == 1 + len(rows)


def test_attention_of_the_built_in_model(builtin):
    """Every head's map is the one that the head set's are read with, but for the rounding of a float16."""
    from lookhere.comics import generate_strip

    scene = builtin.look(generate_strip(7).image)
    scene.describe(at=Panel(2, 6), max_tokens=1)  # a prompt that is read rounds otherwise than one in the cache
    every = scene.describe(at=Panel(2, 6), head_gaze="all", max_tokens=6)
    single = scene.describe(at=Panel(2, 6), head_gaze=True, max_tokens=6)
    (attention,) = every.attention()
    assert attention.shape[1:3] == (builtin.layers, builtin.heads_per_layer)
    layers, heads = np.array(builtin.head_set.heads).T
    own = np.stack([step.head_gaze[0] for step in single.steps])
    np.testing.assert_allclose(attention[:, layers, heads], own, rtol=2**-10, atol=2**-24)
    assert every.text == single.text
    assert every.gaze == single.gaze
    mass = attention.astype(np.float32).sum(axis=(-2, -1))
    assert (mass > 0).all()
    assert (mass <= 1 + 1e-3).all()


def test_heads_beyond_the_own_ones_steer_the_built_in_model(builtin):
    more = builtin.head_set.top(len(builtin.head_set.heads) + 5)
    scene = builtin.look(np.full((64, 384, 3), 200, np.uint8))
    assert scene.describe(at=Steering(more, Panel(2, 6)), max_tokens=2).steering.head_set == more
