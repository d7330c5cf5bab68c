"""Slopes of heads without a gradient: exact where the log-probability is linear, against one head at a time in the real
engine, planted heads found, and what is refused."""

import importlib
import json
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lookhere import HeadSet, OptionError, Steering
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.lab import checkpoint, difference
from lookhere.lab.difference import Difference, directions
from lookhere.lab.discovery import Options, discover
from lookhere.lab.fluency import log_probabilities
from lookhere.lab.forced import Forced, forcing, of_item, of_text
from lookhere.lab.item import of_strip
from lookhere.lab.slopes import Slopes
from lookhere.lab.text import discover_text
from lookhere.lab.view import View
from lookhere.regions.region import Box
from lookhere.steering.head_set import ModelFacts
from planted_engine import HEADS, LAYERS, PLANTED
from test_discovery import write_comic

FACTS = ModelFacts("Fake", "fake", 3, 4)
SMALL = Options(strips=3, calibration=2, panel_size=64, readers=0, rank="difference")


@given(st.integers(1, 140), st.integers(0, 5))
def test_directions_are_orthogonal(heads, seed):
    """To one another, and to what all heads have in common; as few as there can be."""
    rows = directions(heads, seed)
    assert heads < len(rows) <= 2 * heads
    assert set(np.unique(rows)) <= {-1, 1}
    np.testing.assert_array_equal(rows.T @ rows, len(rows) * np.eye(heads))
    np.testing.assert_array_equal(rows.sum(axis=0), 0)


@given(st.sampled_from([(), (0, 2)]), st.sampled_from([1, 2, 8]), st.integers(1, 2), st.integers(0, 2**32))
def test_what_is_linear_is_found_exactly(layers, places, blocks, seed):
    """Whatever the slopes and the captions; a layer without heads stays 0."""
    facts = replace(FACTS, attention_layers=layers)
    rng = np.random.default_rng(seed)
    slopes, base = rng.normal(size=(3, 4)), rng.normal(size=places)

    @contextmanager
    def linear(model, forced):
        def nats(place, aim):
            pushed = 0.0 if aim is None else aim.push.strength * sum(slopes[head] for head in aim.heads)
            return np.array([base[place], pushed])

        yield nats

    method = Difference(SimpleNamespace(facts=facts), places, bias=0.25, blocks=blocks)
    assert method.passes == 2 * blocks * len(directions(len(facts.every_head)))
    maps = ((np.ones((1, 1), np.float32),),) * places
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(difference, "forcing", linear)
        found = method.slopes(Forced(None, 0, ((1, 2),) * places, maps), 0)
    wanted = np.where(np.isin(np.arange(3), layers or range(3))[:, None], slopes, 0)
    np.testing.assert_allclose(found.mean(axis=0), wanted, atol=1e-9)


def added(items, places=4, seed=0):
    slopes = Slopes(FACTS, places, seed=seed, flips=5)
    values = np.random.default_rng(seed).normal(size=(items, places, 3, 4))
    for each in values:
        slopes.add(each)
    return slopes, values


def test_tally_by_brute_force():
    slopes, values = added(5)
    np.testing.assert_allclose(slopes.mean(), values.mean(axis=(0, 1)))
    np.testing.assert_allclose(slopes.mean(2), values[:2].mean(axis=(0, 1)))
    np.testing.assert_allclose(slopes.halves, [values[::2].sum(axis=(0, 1)), values[1::2].sum(axis=(0, 1))])
    ranking = slopes.ranking()
    found = [values.mean(axis=(0, 1))[head] for head in ranking.heads]
    assert found == sorted(found, reverse=True)
    assert len(ranking.heads) == 12
    np.testing.assert_allclose(ranking.scores, found, atol=1e-5)
    flipped = np.zeros((5, 3, 4))
    for index, item in enumerate(values):
        signs = np.random.default_rng([0, index]).choice((-1.0, 1.0), (5, 4))
        for flip in range(5):
            for place in range(4):
                flipped[flip] += signs[flip, place] * item[place]
    np.testing.assert_allclose(slopes.flipped, flipped)
    trust = slopes.trust((2,))
    np.testing.assert_allclose(trust.baseline, flipped.max(axis=(1, 2)) / 20)
    assert trust.gaze_heads == (values.mean(axis=(0, 1)) > max(0, *trust.baseline)).sum()
    assert [each.strips for each in slopes.settling((2, 4))] == [1, 2, 4, 5]
    assert slopes.settling((2, 4))[-1].overlap == {2: 1, 4: 1}


def test_a_tally_goes_on_where_it_was_kept():
    whole, values = added(6)
    first, _ = added(0)
    for each in values[:3]:
        first.add(each)
    again = Slopes(FACTS, 4, flips=5)
    again.restore({name: array.copy() for name, array in first.arrays().items()} | {"halves": np.zeros(3)})
    for each in values[3:]:
        again.add(each)
    assert again.arrays().keys() == whole.arrays().keys()
    for name, array in whole.arrays().items():
        np.testing.assert_allclose(again.arrays()[name], array)
    empty = Slopes(FACTS, 4)
    empty.restore({"halves": np.ones(3)})
    assert empty.items == 0


def test_heads_without_slopes_are_none_and_one_with_a_slope_is_found():
    slopes, rng = Slopes(FACTS, 6), np.random.default_rng(1)
    for _ in range(24):
        each = rng.normal(size=(6, 3, 4))
        slopes.add(each)
    assert slopes.trust(()).gaze_heads == 0
    assert slopes.trust(()).verdict.startswith("none: a bias on no head")
    for _ in range(24):
        each = rng.normal(size=(6, 3, 4))
        each[:, 1, 2] += 2
        slopes.add(each)
    trust = slopes.trust((1,))
    assert (trust.gaze_heads, trust.overlap) == (1, {1: 1})
    assert trust.verdict.startswith("found: a bias on each of 1 heads")


@pytest.fixture
def steep(monkeypatch, planted):
    """A bias on PLANTED heads makes captions more probable, one on any other head hardly."""

    @contextmanager
    def forcing(model, forced):
        rng = np.random.default_rng(len(forced.layout.items))

        def nats(place, aim):
            biases = [1.0 if head in PLANTED else 0.01 * rng.normal() for head in (aim.heads if aim else ())]
            return np.array([-3.0, sum(biases) * (aim.push.strength if aim else 0)])

        yield nats

    monkeypatch.setattr(difference, "forcing", forcing)
    monkeypatch.setattr(difference, "DIRECTIONS", 64)


def test_planted_heads_are_found_and_used(planted_files, steep):
    with lookhere.load(planted_files[0]) as model:
        found = discover(model, SMALL)
        kinds = discover(model, replace(SMALL, calibration=0))
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert len(found.ranking.heads) == LAYERS * HEADS
    assert set(found.heads.heads) <= set(PLANTED)
    assert found.choice.measured.accuracy == 1
    assert (found.heads.evidence["score"], found.heads.evidence["read_at"]) == ("difference", "answer")
    assert "floor" not in found.heads.evidence
    assert found.trust.verdict.startswith("found: a bias")
    assert np.shape(found.ranking.evidence["slope"]) == np.shape(found.ranking.evidence["answer"]["mass"])
    assert [row["prefills"] for row in found.heads.evidence["settling"]] == [1, 2, 3]
    assert {row["place"] for row in found.heads.evidence["sweeps"]["heads"]} == {"difference"}
    assert set(kinds.heads.heads) <= set(PLANTED)


def test_a_kill_loses_nothing(planted_files, steep, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0)
    few = replace(SMALL, calibration=0)

    class Killed(Exception):
        pass

    class Dies:
        def __init__(self, at):
            self.at, self.steps, self.kept = at, 0, 0

        def step(self, kind, *, kept=False):
            self.kept += kept and kind == "slope"
            self.steps += not kept and kind in ("slope", "look")
            if self.steps == self.at:
                raise Killed

        def plan(self, *_):
            pass

        now = note = plan

    with lookhere.load(planted_files[0]) as model:
        whole = discover(model, few)
        for at, done in ((3, 2), (3 + 9, 3)):  # in the middle of slopes, and of attention
            kept = tmp_path / f"kept{at}"
            with pytest.raises(Killed):
                discover(model, few, kept=kept, progress=Dies(at))
            rest = Dies(None)
            again = discover(model, few, kept=kept, progress=rest)
            assert rest.kept == done
            assert again.heads == whole.heads
            assert again.ranking == whole.ranking
            assert not kept.exists()


def test_against_one_head_at_a_time_in_the_real_engine(builtin):
    """Through nothing but what anybody can call: a caption's log-probability with and without a head steered."""
    strip, prompt, bias = generate_strip(3, panels=2), "Describe this image.", 0.5
    item, scene = of_strip(strip), builtin.look(strip.image)
    forced = of_item(builtin, item, prompt)
    assert all(set(np.unique(each)) <= {0, 1} for maps in forced.targets for each in maps)
    found = Difference(builtin, 2, bias=bias, blocks=1).slopes(forced, 0)
    assert found.shape == (2, builtin.layers, builtin.heads_per_layer)
    captions = [builtin.native.tokenize(caption, parse_special=False) for caption in strip.captions]
    found = found.mean(axis=0)
    best = sorted(builtin.facts.every_head, key=lambda head: -abs(found[head]))
    chosen = [*best[:6], *best[40:43]]
    alone = []
    for head in chosen:
        steering = HeadSet(builtin.facts, [head], strength=bias, queries="answer")
        each = []
        for place, box in enumerate(strip.boxes):
            ours = log_probabilities(View(scene, prompt, Steering(steering, Box(*box))), captions)[place]
            plain = log_probabilities(View(scene, prompt), captions)[place]
            each.append((ours - plain) / bias)
        alone.append(np.mean(each))
    ours = [found[head] for head in chosen]
    assert np.corrcoef(ours, alone)[0, 1] > 0.9
    assert max(abs(np.array(alone[:6]))) > 2 * max(abs(np.array(alone[6:])))


def test_what_is_forced_is_what_is_asked(builtin):
    """The prompt's last token goes with the caption, and an aim on no head changes nothing."""
    strip, prompt = generate_strip(3), "Describe this image."
    forced = of_item(builtin, of_strip(strip), prompt)
    scene = builtin.look(strip.image)
    captions = [builtin.native.tokenize(caption, parse_special=False) for caption in strip.captions]
    wanted = log_probabilities(View(scene, prompt), captions)
    with forcing(builtin, forced) as nats:
        first = [nats(place, None).sum() for place in range(6)]
        nats(3, forced.aim(3, builtin.facts, [(4, 0), (5, 1)], 2.0))
        again = [nats(place, None).sum() for place in range(6)]
    assert first == again
    np.testing.assert_allclose(first, wanted, atol=0.05)  # read in other pieces, which round otherwise
    segments = of_text(builtin, strip.captions, "What?")
    assert [len(each) for each in segments.answers] == [len(each) for each in captions]
    assert segments.signs(0).shape == (segments.layout.grids[0].cols,)
    assert (segments.signs(2) + segments.signs(3)).max() <= 0  # no token is of both


def test_a_text_is_ranked_by_differences(builtin, monkeypatch):
    monkeypatch.setattr(difference, "DIRECTIONS", 128)
    found = discover_text(builtin, Options(strips=2, rank="difference"))
    assert len(found.ranking.heads) == builtin.layers * builtin.heads_per_layer
    assert found.heads.evidence["score"] == "difference"
    assert found.attention == {}
    json.dumps(found.ranking.evidence)


def run(*arguments):
    return CliRunner().invoke(main, ["discover", *map(str, arguments)])


def test_on_the_command_line(planted_files, steep, tmp_path):
    out, results = tmp_path / "heads.json", tmp_path / "results"
    small = ["--strips", 2, "--calibration", 0, "--readers", 0, "--panel-size", 64]
    done = run(planted_files[0], "-o", out, *small, "--rank", "difference", "--results", results)
    assert done.exit_code == 0, done.output
    assert "Ranked by difference:" in done.stderr
    assert "readings of a caption" in done.stderr
    assert "By difference: found" in done.stderr
    assert "difference of the captions' log-probability" in (results / "gaze_head_ranking.json").read_text()
    wrong = run(planted_files[0], "-o", out, "--force", "--rank", "difference", "--at", "answer")
    assert (wrong.exit_code, "--at means nothing with --rank difference" in wrong.stderr) == (2, True)
    wrong = run(planted_files[0], "-o", out, "--force", "--rank", "slope")
    assert (wrong.exit_code, "'attention', 'gradient', 'difference'" in wrong.stderr) == (2, True)


def test_captions_are_needed(planted, planted_files, tmp_path):
    for number in range(4):
        write_comic(tmp_path / f"comics/comic{number}", captions=False, seed=number)
    done = run(planted_files[0], "-o", tmp_path / "x.json", "--comics", tmp_path / "comics", "--rank", "difference")
    assert done.exit_code == 1
    assert "expected captions.txt in every comic" in done.stderr


def test_what_a_gradient_lacks_is_told_before_the_work(planted, planted_files, tmp_path, monkeypatch):
    import_module = importlib.import_module

    def without_torch(name, *rest):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'")
        return import_module(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without_torch)
    done = run(planted_files[0], "-o", tmp_path / "x.json", "--rank", "gradient")
    assert (done.exit_code, planted.prefills) == (1, 0)
    assert "pip install 'lookhere[torch]'" in done.stderr
    assert "--rank difference" in done.stderr
    monkeypatch.setattr(importlib, "import_module", lambda name, *rest: None)
    done = run(planted_files[0], "-o", tmp_path / "x.json", "--rank", "gradient")
    assert (done.exit_code, planted.prefills) == (1, 0)
    assert "of the architecture 'fake'; expected llama, qwen2" in done.stderr


@pytest.mark.parametrize(("wrong", "told"), [
    ({"rank": "slope"}, "rank='slope'"),
    ({"rank": "gradient", "place": "answer"}, "place is given with rank='gradient'"),
    ({"rank": "difference", "ranking": "x.json"}, "ranking is given with rank='difference'"),
])  # fmt: skip
def test_options(wrong, told):
    with pytest.raises(OptionError, match=told):
        Options(**wrong)
