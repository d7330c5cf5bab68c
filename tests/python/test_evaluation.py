"""Evaluation: judges, protocols, controls, intervals, and the whole of it on a model with planted gaze heads."""

import json
from dataclasses import replace

import fake_engine as fake
import lookhere
import pytest
from click.testing import CliRunner
from lookhere import HeadSet, OptionError, evaluation, protocols
from lookhere.arms import DRAWS, control_arms, main_arms, random_heads, sweep_arms
from lookhere.cli import main
from lookhere.corpus import generated_scene, generated_strip
from lookhere.evaluation import Figure, Options, evaluate
from lookhere.heads import ModelFacts
from lookhere.intervals import over_strips, wilson
from lookhere.judging import judge, nearest, well_formed
from lookhere.protocols import caption_after, captions_in
from lookhere.report import markdown
from planted_engine import HEADS, LAYERS, PLANTED, Planted

FACTS = ModelFacts("Fake", "fake", LAYERS, HEADS)
GAZE = HeadSet(FACTS, PLANTED, queries="answer")
CAPTIONS = ("Red fox running in the snow.", "Blue bird singing in the city.", "Owl reading in the snow.")
SMALL = Options(strips=3, seen=1, controls=2, sweeps=0)


@pytest.fixture
def planted(engine, monkeypatch):
    return Planted().install(monkeypatch)


@pytest.fixture
def files(tmp_path):
    facts = {"layers": LAYERS, "heads": HEADS, "context": 100_000}
    return fake.write_gguf(tmp_path / "model.gguf", **facts), fake.write_gguf(tmp_path / "mmproj.gguf", "clip")


@pytest.fixture
def comics_model(planted, files):
    with lookhere.load(files[0], heads=GAZE) as loaded:
        yield loaded


def options(**changes):
    return replace(SMALL, panel_size=64, **changes)


def test_exact_judge():
    strip = generated_strip("evaluation", 0, 0)
    captions, other = strip.captions, generated_strip("evaluation", 0, 1).captions[0]
    assert judge("exact", captions[2] + "\n", captions, 2) == "right"
    assert judge("exact", captions[1], captions, 2) == "other"
    assert judge("exact", other, captions, 2) == "invented"
    assert judge("exact", captions[2].upper(), captions, 2) == "junk"
    assert judge("exact", "", captions, 2) == "junk"


def test_every_caption_and_label_is_well_formed():
    for index in range(20):
        for purpose in ("evaluation", "seen"):
            assert set(generated_strip(purpose, 1, index).captions) <= well_formed()
            assert {label for label, _ in generated_scene(purpose, 1, index).objects} <= well_formed()


def test_overlap_judge():
    assert nearest("A fox runs across the ice", CAPTIONS) == 0
    assert nearest("An owl is reading a newspaper in snow", CAPTIONS) == 2
    assert nearest("It is in the snow", CAPTIONS) is None  # two captions say so
    assert nearest("Nothing of it", CAPTIONS) is None
    assert judge("overlap", "birds sing", CAPTIONS, 1) == "right"
    assert judge("overlap", "birds sing", CAPTIONS, 0) == "other"
    assert judge("overlap", "qwerty", CAPTIONS, 0) == "junk"


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


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("A fox ru", "ns.\nTwo owls sing.\nA b", ("Two owls sing.", True)),
        ("A fox runs.\n", "Two owls sing.\n", ("Two owls sing.", True)),
        ("A fox runs.", "\nTwo owls sing.\n", ("Two owls sing.", True)),
        ("A fox runs", ".\nTwo owls", ("Two owls", False)),
        ("A fox runs. ", "Two owls sing. A bear", ("Two owls sing.", True)),
        ("A fox ru", "ns fast and", ("", False)),
        ("A fox runs.", "", ("", False)),
        ("", "Two owls sing.\n", ("Two owls sing.", True)),
    ],
)
def test_the_first_caption_after_a_move(before, after, expected):
    assert caption_after(before, after) == expected


def test_captions_of_a_narration():
    assert captions_in("One fox.\nTwo owls.\n") == ["One fox.", "Two owls."]
    assert captions_in("One fox runs. Two owls sit! Why?") == ["One fox runs.", "Two owls sit!", "Why?"]
    assert captions_in("") == []


def test_protocols(comics_model):
    strip = generated_strip("evaluation", 0, 0)
    scene = comics_model.look(strip.image)
    everything = ["right"] * 6
    assert protocols.ask_ordinals(scene, strip) == everything
    assert protocols.narrate(scene, strip) == everything
    assert protocols.ask_steered(scene, strip, GAZE) == everything
    for turn in range(4):
        assert protocols.move_gaze(scene, strip, GAZE, turn) == everything
    free = generated_scene("evaluation", 0, 0)
    assert set(protocols.ask_objects(comics_model.look(free.image), free, GAZE)) == {"right"}
    wrong = replace(GAZE, heads=((0, 0), (0, 1)))
    assert protocols.ask_steered(scene, strip, wrong).count("right") == 1


def test_random_heads_are_layer_matched_others_and_reproducible():
    heads = HeadSet(ModelFacts("Fake", "fake", 6, 4), ((1, 0), (1, 2), (4, 3)))
    drawn = [random_heads(heads, 0, draw) for draw in range(DRAWS)]
    for each in drawn:
        assert sorted(layer for layer, _ in each.heads) == [1, 1, 4]
        assert not set(each.heads) & set(heads.heads)
    assert drawn == [random_heads(heads, 0, draw) for draw in range(DRAWS)]
    assert len({each.heads for each in drawn}) > 1
    # a layer that is full of gaze heads lends from its neighbours
    full = HeadSet(ModelFacts("Fake", "fake", 3, 2), ((1, 0), (1, 1)))
    assert {layer for layer, _ in random_heads(full, 0, 0).heads} <= {0, 2}


def test_arms():
    assert len(main_arms(None, "exact")) == 2
    assert len(control_arms(GAZE, 0, "exact")) == DRAWS + 2
    names = [arm.name for arm in sweep_arms(GAZE, "exact")]
    assert len(names) == len(set(names))
    own = main_arms(replace(GAZE, prompt="What now?"), "exact")
    assert "'What now?', gaze heads" in [arm.name for arm in own]


def test_the_whole(comics_model):
    found = evaluate(comics_model, options(sweeps=1))
    for name, figure in found.fresh.items():
        if figure.group == "main":
            assert figure.share() == 1, name
            assert figure.interval == wilson(3, 3)
    assert found.fresh["all heads"].share("junk") == 1
    assert found.fresh["random heads, draw 1"].share() == pytest.approx(1 / 6)
    assert found.fresh["random heads, draw 1"].share("other") == pytest.approx(5 / 6)
    assert len(found.fresh["all heads"].outcomes) == 2
    assert len(found.fresh["queries generated, strength 5"].outcomes) == 1
    assert set(found.seen) == {figure.name for figure in found.group("main")}
    text = markdown(found)
    assert "| ambiguous question, gaze heads | 18 | 100.0% | 43.9% to 100.0% | 0.0% | 0.0% | 0.0% | 100.0%" in text
    assert "| random heads, 10 draws | 120 | 16.7% | draws 16.7% to 16.7% |" in text
    assert "## Sweeps" in text
    data = json.loads(json.dumps(found.as_dict()))
    assert data["fresh"]["all heads"]["outcomes"] == ["jjjjjj", "jjjjjj"]
    assert data["model"]["sha256"]
    assert data["heads"]["queries"] == "answer"


def test_without_heads_only_what_needs_none(planted, files):
    with lookhere.load(files[0]) as loaded:
        found = evaluate(loaded, options())
    assert set(found.fresh) == {"ordinal questions, unsteered", "narration in order, unsteered"}
    assert "## Controls" not in markdown(found)


class Killed(Exception):
    pass


def test_resume_equals_a_run_in_one_go(comics_model, tmp_path, monkeypatch):
    monkeypatch.setattr("lookhere.checkpoint.EVERY", 0)
    small = options(controls=0)
    whole = evaluate(comics_model, small)
    kept = tmp_path / "progress"
    asked = []
    ask_steered = protocols.ask_steered

    def dies(*args, **kwargs):
        asked.append(args)
        if len(asked) == 2:
            raise Killed
        return ask_steered(*args, **kwargs)

    monkeypatch.setattr(protocols, "ask_steered", dies)
    with pytest.raises(Killed):
        evaluate(comics_model, small, kept=kept)
    resumed = evaluate(comics_model, small, kept=kept, resume=True)
    assert len(asked) == 2 + 3  # the strip that failed, the last one, and the seen one
    assert resumed == whole
    asked.clear()
    more = evaluate(comics_model, replace(small, strips=4), kept=kept, resume=True)
    assert len(asked) == 1  # more strips go on from it too
    assert len(more.fresh["ordinal questions, unsteered"].outcomes) == 4


def test_a_figure():
    figure = Figure("x", "main", (("right", "other"), ("junk", "right")))
    assert (figure.asked, figure.share(), figure.share("junk")) == (4, 0.5, 0.25)
    assert Figure("x", "main", ()).share() == 0


@pytest.mark.parametrize("wrong", [{"strips": 0}, {"seen": -1}, {"controls": -1}, {"sweeps": -1}, {"seed": 1000}])
def test_options_that_are_wrong(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Options(**wrong)


def test_the_built_in_model_obeys_its_heads(builtin):
    found = evaluate(builtin, Options(strips=4, seen=0, controls=0))
    steered = found.fresh["ambiguous question, gaze heads"]
    # the model card has the figures; a panel described perfectly but picked at random would be right in 1 of 6
    assert steered.share() > 1 / 3
    assert steered.share("junk") < 1 / 10


def test_command(planted, files, tmp_path):
    heads, figures = tmp_path / "heads.json", tmp_path / "figures.json"
    GAZE.write(heads)
    arguments = ["evaluate", str(files[0]), "--heads", str(heads), "--strips", "2", "--seen", "1", "--controls", "0"]
    result = CliRunner().invoke(main, [*arguments, "--panel-size", "64", "--json", str(figures)])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# Fake\n")
    assert "| box on an object, gaze heads |" in result.stdout
    assert json.loads(figures.read_text())["format"] == evaluation.FORMAT
    assert not list(tmp_path.glob(".*"))
    result = CliRunner().invoke(main, ["evaluate", str(files[0]), "--resume"])
    assert result.exit_code == 2
    assert "--resume needs --json" in result.stderr
    result = CliRunner().invoke(main, ["evaluate", str(files[0]), "--json", str(tmp_path / "no/figures.json")])
    assert result.exit_code == 1
