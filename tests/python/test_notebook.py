"""What notebooks show, and the widget on the side of Python; tests/page has the side of the browser."""

import base64
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import Box, Gaze, LookhereError, OptionError, Panel, Point, RegionError, Text
from lookhere.images.image import Image
from lookhere.images.inline import inline_small
from lookhere.images.markup import DARK, LIGHT, TINTS
from lookhere.notebook import bundle
from lookhere.notebook.shown import as_html
from lookhere.scenes.seen_image import SeenImage
from lookhere.tokens.frame import Frame
from lookhere.tokens.grid import TokenGrid
from PIL import Image as pillow

STRIP = np.full((32, 96, 3), 200, np.uint8)
LARGEST = 100_000
"""Characters of what is shown of one value."""


@pytest.fixture
def scene(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set) as model:
        yield model.look(STRIP)


def pictures(page):
    """The images of a page as pixels; they are within it, and loaded from nowhere."""
    sources = re.findall(r'<img src="([^"]*)"', page)
    assert all(each.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for each in sources)
    return [pillow.open(io.BytesIO(base64.b64decode(each.partition(",")[2]))) for each in sources]


def noise(width, height):
    return pillow.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def test_an_answer_lies_over_its_image(scene):
    answer = scene.describe(at=Panel(2, 6))
    alone, over = as_html(answer), as_html(answer, scene)
    assert pictures(alone)[0].size == (6, 2)  # a pixel per token
    assert pictures(over)[0].size == answer.heatmap(scene).size
    assert over == as_html(answer, STRIP)
    for page in (alone, over):
        assert re.sub("<[^>]*>", "", re.sub("<style>.*?</style>", "", page)).startswith(answer.text)


def test_several_images_are_shown_each_with_its_own_gaze(engine, pair, head_set):
    parts = [{"type": "image", "image": STRIP}, {"type": "image", "image": STRIP}, {"type": "text", "text": "What?"}]
    with lookhere.load(pair[0], heads=head_set) as model:
        answer = model.chat([{"role": "user", "content": parts}], at=lookhere.OnImage(Panel(2, 6), 2), max_tokens=3)
        assert len(pictures(as_html(answer, [STRIP, STRIP]))) == 2
        with pytest.raises(OptionError, match="3 images for an answer about 2"):
            as_html(answer, [STRIP, STRIP, STRIP])


def test_a_text_has_no_picture(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set) as model:
        scene = model.look(Text("One.\n\nTwo."))
        answer = scene.describe(at=lookhere.Paragraph(2), max_tokens=3)
        assert as_html(answer, scene) == answer._repr_html_()


def test_everything_that_is_shown_is_small():
    photo, frame = noise(4000, 3000), Frame(4000, 3000, (TokenGrid(96, 128, 0, 0, 4000, 3000),) * 14)
    gaze = Gaze([np.random.default_rng(0).random((96, 128), np.float32)] * 14, [frame])
    seen = SeenImage.__new__(SeenImage)  # the context of the fake engine is too small for it
    seen.image, seen.part, seen.frame = Image.open(photo), None, frame
    assert len(as_html(seen)) < LARGEST
    assert len(as_html(photo)) < LARGEST
    assert len(gaze._repr_html_()) < LARGEST
    for size in ((3000, 4), (4, 3000), (640, 640), (64, 64), (1, 1)):
        drawn = noise(*size)
        uri = inline_small(drawn)
        assert len(uri) < LARGEST
        assert pictures(f'<img src="{uri}"')[0].size == size or max(size) == 640


def test_the_colours_are_those_of_the_page():
    style = (bundle.PAGE / "style.css").read_text()
    found = {int(step): float(alpha) for step, alpha in re.findall(r"\.tint-(\d) .*?/ ([\d.]+)\)", style)}
    assert [found.get(step, 0) for step in range(len(TINTS))] == list(TINTS)
    assert re.findall(r"--tint: ([\d ]+);", style) == [LIGHT, DARK]


def test_what_has_no_picture_is_told(scene):
    for value in (7, "text", None, lookhere.HeadSet, [[scene]], [7], object()):
        with pytest.raises(OptionError, match="show: "):
            lookhere.show(value)
    with pytest.raises(OptionError, match="beside an Answer alone"):
        lookhere.show(scene, STRIP)


def test_each_notebook_is_shown_what_it_understands(scene, monkeypatch, capsys):
    answer, told = scene.describe(at=Panel(2, 6)), []
    lookhere.show([answer, scene])
    assert capsys.readouterr().out == f"{answer.text}\n{scene!r}\n"

    def publish(data):
        told.append(data)

    shell = SimpleNamespace(display_pub=SimpleNamespace(publish=publish))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    lookhere.show(answer, scene)
    assert told == [{"text/html": as_html(answer, scene), "text/plain": answer.text}]
    output = SimpleNamespace(append=told.append)
    marimo = SimpleNamespace(running_in_notebook=lambda: True, output=output, Html=lambda page: ("marimo", page))
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    lookhere.show(scene)
    assert told[1:] == [("marimo", as_html(scene))]
    assert capsys.readouterr().out == ""


def test_without_the_extra_the_widget_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "lookhere.notebook.widget", raising=False)
    with pytest.raises(OptionError, match=r"pip install 'lookhere\[notebook\]'"):
        _ = lookhere.notebook.Widget
    with pytest.raises(AttributeError, match="Nothing"):
        _ = lookhere.notebook.Nothing


def test_the_page_s_modules_are_joined_as_they_are():
    found = bundle.esm()
    assert not re.search(r"^(import|export) (?!default)", found, re.MULTILINE)
    assert found.count("export default") == 1
    for name in ("answer", "heat", "light", "pointer", "region", "sentence", "stage"):
        assert found.count(f"const ${name} = (() => {{") == 1
        lines = [each for each in (bundle.PAGE / f"{name}.js").read_text().splitlines() if "import {" not in each]
        assert all(each.removeprefix("export ") in found for each in lines)
    order = re.findall(r"^const \$(\w+) = \(", found, re.MULTILINE)
    for name in order:
        used = re.search(rf"^const \${name} = .*?^}}\)\(\);", found, re.MULTILINE | re.DOTALL)[0]
        for other in re.findall(r"^const {[^}]*} = \$(\w+);", used, re.MULTILINE):
            assert order.index(other) < order.index(name)


@pytest.fixture
def made(scene):
    """Makes a widget, and keeps what it tells its page."""
    pytest.importorskip("anywidget")
    told, widgets = [], []

    def make(**options):
        widget = lookhere.notebook.Widget(scene, max_tokens=9, **options)
        widget.send = lambda content, buffers=None: told.append(content)
        widgets.append(widget)
        return widget, told

    yield make
    for each in widgets:
        each.close()


def test_a_widget_answers_where_its_region_is(made, scene):
    widget, told = made(region=Panel(2, 6))
    assert (widget.region, widget.grid, widget.answer) == (Panel(2, 6), (1, 6), None)
    with pytest.raises(OptionError, match="Nothing was asked"):
        widget.wait()
    seen = []
    widget.observe(lambda change: seen.append(change["new"]), "answer")
    widget.region = Panel(5, 6)
    answer = widget.wait(20)
    assert (
        answer.text == scene.describe(at=Panel(5, 6), max_tokens=9).text == fake.steered_text(0, 16)[: len(answer.text)]
    )
    assert seen == [widget.answer] == [answer]
    kinds = [each["type"] for each in told]
    assert kinds == ["begun", *["chunk"] * (len(answer.steps) + 1), "ended"]
    assert told[1]["chunk"]["lookhere"]["images"][0]["grids"]
    assert widget._story == told


def test_a_region_goes_both_ways(made):
    widget, _ = made()
    for region in (Box(1, 2, 30, 20), Panel(1, 2, 2, 3), Point(5, 6), lookhere.Polygon([(0, 0), (9, 0), (5, 9)])):
        widget.region = region
        sent = widget.get_state(["region"])["region"]
        widget.region = None
        widget.set_state({"region": sent})
        assert widget.region == region
    widget.region = Box.relative(0.5, 0, 1, 1)
    assert widget.region == Box(48, 0, 96, 32)
    mask = np.zeros((32, 96), np.float32)
    mask[:9] = 1
    for wrong in (Box(0, 0, 97, 9), lookhere.Mask(mask), [Point(1, 1), Point(2, 2)], lookhere.Span(0, 2), "left", 7):
        with pytest.raises(RegionError):
            widget.region = wrong
        assert widget.region == Box(48, 0, 96, 32)


def test_a_widget_can_be_stopped_and_asked_again(made):
    widget, told = made()
    widget._on_message(widget, {"type": "ask"}, [])
    assert widget.wait(20).steering is None
    count = len(told)
    for strange in (None, "ask", {"type": "other"}, {"type": "stop"}, {}):
        widget._on_message(widget, strange, [])
    assert len(told) == count
    widget._writing.stop()
    widget.ask()
    widget.ask()
    widget.wait(20)
    assert {each["id"] for each in told if each["type"] == "ended"} >= {1, 3}


@pytest.mark.parametrize(
    "wrong",
    [
        {"follow": "never"}, {"hover": 1}, {"grid": 6}, {"grid": (0, 1)}, {"grid": (1, 2, 3)}, {"question": 7},
        {"region": Box(0, 0, 999, 9)}, {"temperature": -1},
    ],
)  # fmt: skip
def test_wrong_options_are_named(made, wrong):
    with pytest.raises(LookhereError):
        made(**wrong)


def test_a_widget_takes_a_scene(made):
    with pytest.raises(OptionError, match=r"model\.look"):
        lookhere.notebook.Widget(STRIP)
    with pytest.raises(TypeError, match="max_token"):
        made(max_token=3)


def test_the_page_about_notebooks(builtin, capsys):
    page = (Path(__file__).parents[2] / "docs/notebooks.md").read_text()
    space = {}
    for code in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if "Widget(" in code:
            shown = capsys.readouterr().out.splitlines()
            assert shown[0] == space["answer"].text
            assert len(shown) == 5
            pytest.importorskip("anywidget")
        exec(compile(code, "notebooks.md", "exec"), space)
    drawn, said, where, moved = capsys.readouterr().out.splitlines()
    assert drawn == "None"
    assert said.startswith("White cat")
    assert where.startswith("Where(")
    assert moved
    space["widget"].close()
    names = re.findall(r"`(\w+)(?:\([\w, ]*\))?`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    assert names
    assert all(hasattr(space["widget"], name) for name in names)
