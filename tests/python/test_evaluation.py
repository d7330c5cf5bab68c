"""Evaluation: the whole of it on a model with planted gaze heads, its reports, and what survives a kill."""

import csv
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import LabelsError, OptionError
from lookhere.cli import main
from lookhere.lab import evaluation, protocols, svg
from lookhere.lab.calibration import STRENGTHS
from lookhere.lab.coco import read_coco, size_of
from lookhere.lab.corpus import generated_strip
from lookhere.lab.evaluation import Options, evaluate
from lookhere.lab.experiments import PROTOCOLS
from lookhere.lab.figures import Figure
from lookhere.lab.intervals import over_strips, ratio_over_strips, wilson
from lookhere.lab.judging import Exact, Overlap
from lookhere.lab.page import page
from lookhere.lab.reply import Record
from lookhere.lab.report import markdown
from lookhere.lab.tables import write_csv
from lookhere.lab.wording import draws_named
from PIL import Image
from planted_engine import GAZE

JUDGES = (Exact(), Overlap())
ASKED = tuple(each for each in PROTOCOLS if each not in ("readback", "small"))  # these have tests of their own
SMALL = Options(strips=2, seen=1, controls=1, sweeps=0, maps=1, examples=1, panel_size=64, protocols=ASKED)
QUICK = replace(SMALL, protocols=("ordinal", "vqa"), maps=0, examples=0, controls=0)


@pytest.fixture(scope="module")
def whole():
    """Everything there is, measured once."""
    return {}


@pytest.fixture
def found(planted_model, whole):
    if not whole:
        whole["found"] = evaluate(planted_model, replace(SMALL, sweeps=1, modes=1), judges=JUDGES)
    return whole["found"]


def test_purposes_share_no_strips():
    purposes = ("discovery", "calibration", "evaluation", "seen")
    seeds = [
        generated_strip(purpose, seed, index).seed for purpose in purposes for seed in (0, 999) for index in (0, 1)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(seed >= 1_000_000_000 for seed in seeds)


def test_intervals():
    assert wilson(0, 0) == (0, 1)
    low, high = wilson(9, 10)
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert over_strips([6, 6], [6, 6]) == wilson(2, 2)
    low, high = over_strips([6, 3, 0, 5, 6, 4], [6] * 6)
    assert 0 < low < 24 / 36 < high <= 1
    assert over_strips([], []) == (0, 1)
    assert over_strips([1, 6, 3], [6, 6, 6], seed=1) == over_strips([1, 6, 3], [6, 6, 6], seed=1)


def test_intervals_of_ratios():
    low, high = ratio_over_strips([1.0, 4.0, 2.5, 3.0], [1, 2, 1, 2])
    assert 1 <= low < 10.5 / 6 < high <= 2.5
    assert ratio_over_strips([3.0, 6.0], [1, 2]) == (3, 3)
    assert all(map(math.isnan, ratio_over_strips([], [])))


def test_the_whole(found):
    for each in found.figures:
        if each.group == "main" and each.arm == "gaze heads":
            assert each.share() == 1, each
    assert found.find("ordinal", "unsteered").share() == 1
    assert found.find("vqa", "unsteered").share() == pytest.approx(1 / 6)
    assert found.find("vqa", "unsteered").interval == wilson(2 / 6, 2)
    every = found.find("vqa", "all heads")
    assert (every.share("junk"), every.asked) == (1, 6)
    for rival in ("image heads", "localization heads"):  # read in the same run
        assert dict(found.find("vqa", rival).setting)["heads"] == len(GAZE.heads)
    draw = found.find("vqa", "random heads, draw 1")
    assert (draw.share(), draw.share("other")) == (pytest.approx(1 / 6), pytest.approx(5 / 6))
    assert draw.unchanged.value == 1  # two planted heads are never among them
    assert draw.right_and_changed.value == 0
    assert found.find("vqa", "queries generated, strength 5").asked == 6
    for arm in ("boost_suppress, 5 nats", "target_share, 0.7", "within_image"):
        mode = found.find("vqa", arm)
        assert (mode.group, mode.share(), mode.asked) == ("mode", 1, 6)
        assert mode.taken.value == pytest.approx(0.15, abs=1e-3)
    assert found.find("boxes", "gaze heads").asked == sum(map(len, found.find("boxes", "gaze heads").records)) > 5
    gaze = found.find("vqa", "gaze heads")
    assert gaze.unchanged.value == pytest.approx(1 / 6)
    assert gaze.right_and_changed.value == pytest.approx(5 / 6)
    assert gaze.perplexity.value > found.find("vqa", "unsteered").perplexity.value > 1
    assert gaze.taken.value == pytest.approx(0.15, abs=1e-3)
    dynamic = found.find("dynamic", "gaze heads")
    assert dynamic.rho.value == pytest.approx(1)
    moves, arrived = dynamic.switches
    assert (moves, len(arrived)) == (10, 10)
    assert {(each.protocol, each.arm) for each in found.some(corpus="seen")} == {
        (each.protocol, each.arm) for each in found.some(group="main")
    }
    # the planted heads do not follow a narration: their gaze stays on one panel
    assert found.find("free", "unsteered").followed.value == pytest.approx(1 / 6)
    assert found.maps.matrix[2][2] == max(found.maps.matrix[2])
    assert np.array(found.maps.selectivity).shape == (4, 4)
    assert found.maps.place == "prompt"


def test_markdown(found):
    text = markdown(found)
    assert "| question that names no panel, gaze heads | 12 | 100.0% | 34.2% to 100.0% | 0.0% | 0.0% | 0.0% |" in text
    assert re.search(r"\| random heads, 10 draws \| 60 \| 16.7% \| draws 16.7% to 16.7% \|.*\| 100.0% \| 0.0% \|", text)
    assert "## Question that names no panel: the arms on 1 generated picture\n" in text
    assert "\n\n\n" not in text
    assert "## Sweeps" in text
    modes = text.partition("## Modes: question that names no panel, the first 1 strips\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| ([a-z_]+)", modes, re.MULTILINE) == [
        "unsteered", *["boost_suppress"] * len(STRENGTHS), *["target_share"] * 6, "within_image"
    ]  # fmt: skip
    assert "target_share" not in text.replace(modes, "")
    assert "## Dynamic narration" in text
    assert re.search(r"## Kinds of heads.*\| gaze heads \| 3 \| 3 \| 100.0%.*\| image heads \| 3 \|", text, re.DOTALL)
    assert re.search(r"\| exact, overlap \| \d+ \| \d+\.\d% \|", text)


def test_json(found):
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    by_name = {(each["protocol"], each["arm"], each["corpus"]): each for each in data["figures"]}
    assert by_name["vqa", "all heads", "fresh"]["outcomes"] == ["jjjjjj"]
    setting = by_name["vqa", "gaze heads", "fresh"]["setting"]
    assert (setting["queries"], setting["names"]) == ("answer", "1.0 2.3 3.1")
    assert data["model"]["sha256"]
    assert data["heads"]["queries"] == "answer"
    assert data["judges"] == ["exact", "overlap"]


def test_csv(found, tmp_path):
    write_csv(tmp_path / "figures.csv", found)
    with open(tmp_path / "figures.csv", newline="") as file:
        rows = {(row["protocol"], row["arm"], row["corpus"]): row for row in csv.DictReader(file)}
    assert float(rows["vqa", "gaze heads", "fresh"]["right"]) == 1
    assert float(rows["vqa", "gaze heads", "fresh"]["right_low"]) < 1
    assert rows["vqa", "gaze heads", "fresh"]["heads"] == "3"
    assert rows["vqa", "unsteered", "fresh"]["heads"] == ""
    numbers = {arm: (rows["vqa", arm, "fresh"]["strength"], rows["vqa", arm, "fresh"]["share"])
               for arm in ("boost_suppress, 8 nats", "target_share, 0.97", "within_image")}  # fmt: skip
    assert list(numbers.values()) == [("8.0", ""), ("", "0.97"), ("", "")]
    assert len(rows) == len(found.figures)
    write_csv(tmp_path / "tables", found)
    with open(tmp_path / "tables/answers.csv", newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == sum(figure.asked for figure in found.figures)
    assert {row["outcome"] for row in answers} == {"right", "other", "none", "junk"}
    assert (tmp_path / "tables/figures.csv").read_text() == (tmp_path / "figures.csv").read_text()


class Reader(HTMLParser):
    """Tags that are open, what is loaded, and all text."""

    VOID = ("meta", "img", "br", "rect", "line", "circle", "polyline")

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.words, self.tags = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "srcset", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_page(found):
    text = page(found)
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert reader.loads
    assert all(each.startswith("data:image/png;base64,") for each in reader.loads)
    assert "url(" not in text
    assert "@import" not in text
    words = " ".join(reader.words)
    for expected in ("Question that names no panel", "cropped to the place", "random heads, 10 draws", "Every head",
                     "Asked about, attended to", "The staircase", "Caption by caption", "Strength", "Number of heads",
                     "Modes", "target_share, 0.9", "the third panel from the left", "Judges agree", "exact and overlap"):  # fmt: skip
        assert expected in words, expected
    assert len(text) < 1_000_000


def test_a_page_is_safe_from_what_models_say(found):
    evil = "<script>alert(1)</script>"
    examples = ({**found.examples[0], "prompt": evil, "looks": [{"answer": evil, "heat": "data:image/png;base64,"}]},)
    text = page(replace(found, model={**found.model, "name": evil}, examples=examples))
    assert evil not in text
    assert "&lt;script&gt;" in text


def test_a_page_of_evidence_alone(found):
    """Without sweeps of its own the page shows those that the head set was chosen by."""
    sweep = {"accuracy": 0.5, "interval": [0.25, 0.75]}
    evidence = {
        "sweeps": {"strength": [{**sweep, "strength": 2.0}], "heads": [{**sweep, "heads": 4, "place": "answer"}]}
    }
    figures = tuple(each for each in found.figures if each.group != "sweep")
    text = page(replace(found, figures=figures, heads=replace(found.heads, evidence=evidence)))
    assert "by lookhere discover" in text
    assert "ranked at answer" in text
    bare = page(replace(found, figures=figures[:1], heads=None, maps=None, examples=()))
    assert "Settings" not in bare


def test_charts():
    assert 'width="25.00%"' in svg.bar(0.25, (0.2, 0.3), "gaze")
    assert 'width="100.00%"' in svg.bar(1.7, None, "gaze")
    cells = svg.heat([[0.0, 0.5], [1.0, 0.25]], rows="layer", cols="head", outlined=[(1, 0), (9, 9)])
    assert cells.count('class="cell"') == 4
    assert cells.count('class="outline"') == 1
    assert 'fill-opacity="1.000"' in cells
    assert svg.heat([[0.2, 0.6]], rows="a", cols="b", span=(0.2, 1)).count("0.040") == 1
    assert svg.heat([[0.0]], rows="a", cols="b").count("nan") == 0
    assert svg.stairs([[0.1, 0.2], [0.3, 0.1]], [1, 2]).count('class="rule"') == 1
    drawn = svg.lines([("a<b", [svg.Spot("1", 0.5, 0.4, 0.6), svg.Spot("2", 1, 1, 1)])], "nats")
    assert "a&lt;b" in drawn
    assert drawn.count("<circle") == 3


def test_without_heads_only_what_needs_none(planted_files):
    with lookhere.load(planted_files[0]) as loaded:
        got = evaluate(loaded, replace(SMALL, strips=1, seen=0, controls=0), judges=JUDGES)
    assert {(each.protocol, each.arm) for each in got.figures} == {
        (protocol, "unsteered") for protocol in ("ordinal", "order", "vqa", "static", "dynamic", "boxes")
    }
    assert "gaze heads" not in markdown(got)
    assert got.maps.matrix is None
    assert "Every head" in page(got)


def test_a_model_that_says_nothing_is_measured_all_the_same(planted_model, monkeypatch):
    """Nothing is read of an answer without a token, so that an example has no map to show."""
    monkeypatch.setattr(fake.Session, "_row", lambda self: (b"", b""))
    options = replace(SMALL, strips=1, seen=0, controls=0, examples=1, protocols=("vqa", "boxes"))
    got = evaluate(planted_model, options, judges=JUDGES)
    looks = got.examples[0]["looks"]
    assert [look["answer"] for look in looks] == [""] * len(looks) != []
    assert all(look["heat"].startswith("data:image/png") for look in looks)


def test_heads_are_shown_where_they_were_ranked(planted_model):
    planted_model.heads = replace(GAZE, evidence={"read_at": "answer"})
    got = evaluate(planted_model, replace(QUICK, strips=1, seen=0, protocols=("ordinal",), maps=1), judges=JUDGES)
    assert got.maps.place == "answer"
    assert "over the tokens of the right answer" in page(got)


class Killed(Exception):
    pass


def test_resume_equals_a_run_in_one_go(planted_model, tmp_path, monkeypatch):
    monkeypatch.setattr("lookhere.lab.checkpoint.EVERY", 0)
    small = replace(QUICK, strips=3, maps=1, examples=1)
    uninterrupted = evaluate(planted_model, small, judges=JUDGES)
    kept = tmp_path / "progress"
    asked = []
    ask_places = protocols.ask_places

    def dies(*args, **kwargs):
        asked.append(args)
        if len(asked) == 3:
            raise Killed
        return ask_places(*args, **kwargs)

    monkeypatch.setattr(protocols, "ask_places", dies)
    with pytest.raises(Killed):
        evaluate(planted_model, small, judges=JUDGES, kept=kept)
    resumed = evaluate(planted_model, small, judges=JUDGES, kept=kept, resume=True)
    assert len(asked) == 3 + 6  # two arms on the strip that failed, the last one, and the seen one
    assert resumed == uninterrupted
    asked.clear()
    more = evaluate(planted_model, replace(small, strips=4), judges=JUDGES, kept=kept, resume=True)
    assert len(asked) == 2  # more strips go on from it too
    assert len(more.find("ordinal", "unsteered").records) == 4


def test_a_figure():
    def figure(*strips):
        records = tuple(tuple(Record("", 0, {"x": pick, "y": 0}) for pick in strip) for strip in strips)
        return Figure("vqa", "a", "main", "fresh", "x", records)

    got = figure((0, 1), ("junk", 0), ("none",))
    assert (got.asked, got.share(), got.share("junk"), got.share("none")) == (5, 0.4, 0.2, 0.2)
    assert got.first(1).asked == 2
    assert got.agreement("x", "y") == 0.4
    assert got.agreement("x", "z") is None
    assert (got.unchanged, got.perplexity, got.taken, got.rho) == (None, None, None, None)
    assert figure().share() == 0


def test_a_gaze_that_follows():
    gaze = {0: [[0.1, 0.2], [0.3, 0.0]], 1: [[0.1, 0.2]]}  # (tokens, panels); the first has its mean on panel 0
    records = tuple(Record("", k, {"x": pick}, more={"gaze": gaze[k]}) for k, pick in ((0, 0), (1, 0), (1, "none")))
    assert Figure("free", "unsteered", "main", "fresh", "x", (records,)).followed.value == 0.5


@pytest.mark.parametrize(
    "wrong",
    [{"strips": 0}, {"seen": -1}, {"controls": -1}, {"sweeps": -1}, {"modes": -1}, {"seed": 1000},
     {"protocols": ("best",)}],
)  # fmt: skip
def test_options_that_are_wrong(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Options(**wrong)


@pytest.fixture
def labelled(tmp_path):
    """Two images with boxes in COCO's format."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (96, 64), "white").save(folder / name)
    box = {"image_id": 7, "category_id": 1, "iscrowd": 0}
    data = {
        "images": [{"id": 9, "file_name": "b.png", "width": 96, "height": 64},
                   {"id": 7, "file_name": "a.png", "width": 96, "height": 64},
                   {"id": 8, "file_name": "missing.png", "width": 96, "height": 64}],
        "categories": [{"id": 1, "name": "thing"}, {"id": 2, "name": "dog"}],
        "annotations": [{**box, "bbox": [0, 0, 30, 30]}, {**box, "bbox": [10, 10, 5, 5]},
                        {**box, "bbox": [0, 0, 60, 60], "iscrowd": 1}, {**box, "bbox": [60, 30, 80, 80]},
                        {**box, "image_id": 9, "category_id": 2, "bbox": [1.5, 2.5, 40, 40.5]}],
    }  # fmt: skip
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(data))
    return path, folder, data


def test_coco(labelled):
    path, folder, _ = labelled
    first, second = read_coco(path, folder)
    assert first.path == folder / "a.png"
    assert first.objects == (("thing", (0, 0, 30, 30)), ("thing", (60, 30, 96, 64)))
    assert second.objects == (("dog", (1.5, 2.5, 41.5, 43)),)
    assert [size_of(area) for area in (1000, 1100, 9300)] == ["small", "medium", "large"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.pop("images"), "COCO's format"),
        (lambda data: data["annotations"][0].update(bbox=[0, 0, "x", 3]), "COCO's format"),
        (lambda data: data["annotations"][0].update(category_id=5), "COCO's format"),
        (lambda data: data["annotations"][0].update(bbox=[0, 0, float("nan"), 30]), "COCO's format"),
        (lambda data: data["annotations"][0].update(image_id=8), "missing.png"),
        (lambda data: data.update(annotations=[]), "no box"),
    ],
)
def test_coco_that_is_wrong(labelled, change, words):
    path, folder, data = labelled
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(LabelsError, match=words):
        read_coco(path, folder)
    path.write_text("{")
    with pytest.raises(LabelsError, match="not JSON"):
        read_coco(path, folder)
    with pytest.raises(LabelsError, match="cannot be read"):
        read_coco(folder / "none.json", folder)


def test_evaluation_of_labelled_boxes(planted_model, labelled):
    """The planted model sees nothing in them: it says 'Something else entirely.' of a dog and of things."""
    path, folder, _ = labelled
    options = replace(QUICK, seen=0, protocols=("ordinal",), coco=path, images=folder)
    whole = evaluate(planted_model, options, judges=JUDGES)
    assert "0.0% of 2" in page(whole)
    got = whole.find("boxes", "gaze heads", "coco")
    assert got.as_dict()["sizes"] == {"small": [0, 1], "medium": [0, 2], "large": [0, 0]}
    assert (got.asked, got.judge, got.share("none")) == (3, "category", 1)
    assert [record.area for strip in got.records for record in strip] == [900, 36 * 34, 40 * 40.5]


def test_command(planted_files, tmp_path):
    heads, figures, report = tmp_path / "heads.json", tmp_path / "figures.json", tmp_path / "report.html"
    GAZE.write(heads)
    arguments = ["evaluate", str(planted_files[0]), "--heads", str(heads), "--strips", "2", "--seen", "1"]
    arguments += ["--controls", "0", "--protocol", "vqa", "--protocol", "boxes", "--panel-size", "64"]
    writing = ["--judge", "exact", "--json", str(figures), "--report", str(report), "--csv", str(tmp_path / "tables")]
    result = CliRunner().invoke(main, [*arguments, *writing])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# Fake\n")
    assert "| box on an object, gaze heads |" in result.stdout
    assert json.loads(figures.read_text())["format"] == evaluation.FORMAT
    assert report.read_text().startswith("<!doctype html>")
    assert (tmp_path / "tables/answers.csv").is_file()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--resume"], 2, "--resume needs --json"),
        (["--images", "."], 2, "--images needs --coco"),
        (["--json", "no/figures.json"], 1, "no folder"),
        (["--report", "no/report.html"], 1, "no folder"),
        (["--coco", "no.json"], 1, "cannot be read"),
        (["--protocol", "best"], 2, "best"),
    ],
)
def test_wrong_use(planted_files, arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["evaluate", str(planted_files[0]), *arguments])
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""


def test_the_built_in_model_obeys_its_heads(builtin):
    found = evaluate(builtin, Options(strips=4, seen=0, controls=0, maps=0, examples=0, protocols=("vqa",)))
    steered = found.find("vqa", "gaze heads")
    # the model card has the figures; a panel described perfectly but picked at random would be right in 1 of 6
    assert steered.share() > 1 / 3
    assert steered.share("junk") < 1 / 10


def test_draws_that_are_the_same_heads_are_told():
    def draw(names):
        return Figure("vqa", "random heads", "control", "fresh", "x", (), (("names", names),))

    assert draws_named([draw("1.1"), draw("1.2")]) == "random heads, 2 draws"
    assert draws_named([draw("1.1"), draw("1.1")]) == "random heads, 2 draws (1 different)"
