"""Discovery: scores against brute force, planted heads found, none where there are none, resume, published rankings."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import ComicsError, HeadSet, HeadSetError, OptionError
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.lab import attention, discovery
from lookhere.lab.calibration import head_counts
from lookhere.lab.checkpoint import Checkpoint
from lookhere.lab.comparison import listed_rival
from lookhere.lab.corpus import folder_strips, generated_strip, split_folder
from lookhere.lab.discovery import Options, discover
from lookhere.lab.ranking import Scores, Tally, read_ranking, trust
from lookhere.steering.head_set import ModelFacts, to_dict
from planted_engine import HEADS, LAYERS, PLANTED

SMALL = Options(strips=4, calibration=2, panel_size=64, readers=0)
FACTS = ModelFacts("Fake", "fake", LAYERS, HEADS)


@pytest.fixture
def comics_model(planted, planted_files):
    with lookhere.load(planted_files[0]) as loaded:
        yield loaded


def write_comic(folder, captions=True, panels=6, seed=3):
    strip = generate_strip(seed, panels=panels)
    folder.mkdir(parents=True)
    for k, box in enumerate(strip.boxes):
        strip.image.crop(box).save(folder / f"p{k + 1}.png")
    if captions:
        (folder / "captions.txt").write_text("\n".join(strip.captions))


def random_tally(layers, heads, panels, strips, seed=0):
    rng = np.random.default_rng(seed)
    tally = Tally(layers, heads, panels, seed=seed, shuffles=5)
    added = rng.random((strips, 2, layers, heads, panels, panels))
    for at_prompt, over_answer in added:
        tally.add(at_prompt, over_answer)
    return tally, added


def test_scores_by_brute_force():
    rng = np.random.default_rng(1)
    a = rng.random((3, 2, 4, 4))
    a[1, 1] = 0
    scores = Scores.of(a, floor=0.5)
    for layer, head in itertools.product(range(3), range(2)):
        mass = sum(a[layer, head, k, k] for k in range(4)) / 4
        rows = [sum(a[layer, head, k]) for k in range(4)]
        selectivity = sum(a[layer, head, k, k] / rows[k] if rows[k] else 0 for k in range(4)) / 4
        assert scores.mass[layer, head] == pytest.approx(mass)
        assert scores.selectivity[layer, head] == pytest.approx(selectivity)
        assert scores.guarded[layer, head] == pytest.approx(selectivity if mass > 0.5 else 0)
    order = scores.order("selectivity")
    values = [scores.selectivity[head] for head in order]
    assert values == sorted(values, reverse=True)
    assert sorted(order) == list(itertools.product(range(3), range(2)))


def test_a_bias_of_place_is_no_selectivity():
    a = np.broadcast_to(np.array([0.5, 0.2, 0.1]), (1, 1, 3, 3))
    assert Scores.of(a).selectivity[0, 0] == pytest.approx(1 / 3)


def test_tally_by_brute_force():
    tally, added = random_tally(2, 3, 4, strips=5)
    assert tally.strips == 5
    np.testing.assert_allclose(tally.attention("prompt"), added[:, 0].mean(axis=0))
    np.testing.assert_allclose(tally.attention("answer"), added[:, 1].mean(axis=0))
    first, second = tally.halves_of("answer")
    np.testing.assert_allclose(first, added[::2, 1].mean(axis=0))
    np.testing.assert_allclose(second, added[1::2, 1].mean(axis=0))
    expected = np.zeros((5, 2, 3, 4, 4))
    for index, (at_prompt, _) in enumerate(added):
        rng = np.random.default_rng([0, index])
        for shuffle in range(5):
            order = rng.permutation(4)
            for k in range(4):
                expected[shuffle, :, :, k] += at_prompt[:, :, order[k]] / 5
    np.testing.assert_allclose(tally.shuffled_of("prompt"), expected)


def test_head_counts():
    for heads in (1, 4, 8, 80, 448, 1152):
        counts = head_counts(heads)
        assert counts == tuple(sorted(set(counts)))
        assert counts[0] >= 1
        assert counts[-1] == max(1, heads // 4)
        assert len(counts) <= 7


def test_question_attention_reads_only_panels(comics_model):
    strip = generated_strip("discovery", 0, 0)
    scene = comics_model.look(strip.image)
    shares = attention.panel_shares(scene, strip.boxes)
    assert shares.shape == (6, scene.tokens - 2)
    assert shares.sum(axis=0).max() <= 1 + 1e-6
    at_prompt, over_answer = attention.strip_attention(scene, strip)
    assert at_prompt.shape == over_answer.shape == (LAYERS, HEADS, 6, 6)
    diagonal = np.diagonal(at_prompt, axis1=2, axis2=3)
    for head in PLANTED:
        assert diagonal[head].min() > 0.6
    # an answer that is not known is the model's own
    own, _ = attention.strip_attention(scene, replace(strip, captions=()))
    np.testing.assert_allclose(own, at_prompt)


def test_the_image_is_read_once_per_strip(comics_model, planted):
    strip = generated_strip("discovery", 0, 0)
    attention.strip_attention(comics_model.look(strip.image), strip)
    assert planted.images == 1
    assert comics_model.session.native.images == 1
    assert planted.prefills == 6


def test_planted_heads_are_found_and_used(comics_model):
    found = discover(comics_model, SMALL)
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert len(found.ranking.heads) == LAYERS * HEADS
    assert found.trust.gaze_heads == 3
    assert found.trust.verdict.startswith("found")
    assert found.trust.overlap[3] == 1
    assert max(found.trust.baseline) < 0.6
    assert not found.none
    heads = found.heads
    assert len(heads.heads) <= LAYERS * HEADS // 4
    assert set(heads.heads) <= set(PLANTED)
    assert heads.queries == "answer"  # the cheapest of those that are as good
    assert heads.mode == "boost_suppress"
    assert found.choice.measured.accuracy == 1
    assert found.choice.measured.score == 1
    assert found.choice.measured.as_dict()["boxes"] == found.choice.measured.as_dict()["moves"] == 1
    assert heads.evidence["verdict"] == found.trust.verdict
    assert [row["strips"] for row in heads.evidence["settling"]] == [1, 2, 4]
    assert set(heads.evidence["settling"][-1]["overlap"].values()) == {1}
    assert str(len(heads.heads)) in heads.evidence["settling"][0]["overlap"]
    compared = found.ranking.evidence["compared"]
    assert np.array(compared["localization_entropy"]).shape == np.array(compared["image_z"]).shape == (LAYERS, HEADS)
    assert np.mean(compared["image_z"]) == pytest.approx(0, abs=1e-4)
    for rival in ("image", "localization"):
        assert len(heads.evidence["compared"][rival]) == LAYERS * HEADS
        assert len(listed_rival(heads, rival).heads) == len(heads.heads)
    assert [row["heads"] for row in heads.evidence["sweeps"]["heads"]][-1] == LAYERS * HEADS // 4
    assert discovery.listed_ranking(heads).heads == found.ranking.heads
    with pytest.raises(HeadSetError):
        discovery.listed_ranking(replace(heads, evidence={"ranking": [3]}))


def test_what_is_written_follows_the_schema_and_comes_out_the_same_again(comics_model):
    schema = json.loads((Path(lookhere.__file__).parent / "data/heads/schema.json").read_text())
    found = discover(comics_model, SMALL)
    for head_set in (found.heads, found.ranking):
        data = json.loads(json.dumps(to_dict(head_set)))
        jsonschema.validate(data, schema)
    assert to_dict(discover(comics_model, SMALL).heads) == to_dict(found.heads)


def test_a_model_that_looks_nowhere_in_particular_has_none(comics_model, planted):
    planted.blind = True
    found = discover(comics_model, SMALL)
    assert found.none
    assert found.choice is None
    assert found.trust.verdict.startswith("none")


def test_shuffled_attention_has_none():
    rng = np.random.default_rng(5)
    tally = Tally(8, 8, 6, seed=1)
    for _ in range(12):
        looks = rng.random((8, 8, 6, 6)) ** 4  # every head prefers some panel, none the one asked about
        tally.add(looks, looks)
    verdict = trust(tally, "prompt", "guarded", (4,))
    assert verdict.gaze_heads == 0
    assert verdict.verdict.startswith("none")


def test_the_floor_decides_what_counts():
    """A head that looks at the right panel, but hardly: found below its floor, and none above."""
    tally = Tally(2, 2, 6, seed=1)
    looks = np.full((2, 2, 6, 6), 0.001)
    looks[1, 0] += np.eye(6) * 0.03
    for _ in range(4):
        tally.add(looks, looks)
    assert trust(tally, "prompt", "mass", (1,)).gaze_heads == 0
    low = trust(tally, "prompt", "mass", (1,), floor=0.01)
    assert low.gaze_heads == 1
    assert any(low.baseline)


class Killed(Exception):
    pass


def test_resume_equals_a_run_in_one_go(comics_model, tmp_path, monkeypatch):
    after = 3
    monkeypatch.setattr("lookhere.lab.checkpoint.EVERY", 0)
    whole = discover(comics_model, SMALL)
    kept = tmp_path / "progress"
    asked = []
    attend = attention.attend

    def dies(scene, item, **options):
        if len(asked) == after:
            raise Killed
        asked.append(item)
        return attend(scene, item, **options)

    monkeypatch.setattr(attention, "attend", dies)
    with pytest.raises(Killed):
        discover(comics_model, SMALL, kept=kept)
    assert kept.exists()
    asked.clear()
    after = 100
    resumed = discover(comics_model, SMALL, kept=kept)
    assert 0 < len(asked) < SMALL.strips
    assert to_dict(resumed.heads) == to_dict(whole.heads)
    assert to_dict(resumed.ranking) == to_dict(whole.ranking)
    assert not kept.exists()


def test_calibration_goes_on_where_it_was(comics_model, tmp_path, monkeypatch):
    monkeypatch.setattr("lookhere.lab.checkpoint.EVERY", 0)
    whole = discover(comics_model, SMALL)
    kept = tmp_path / "progress"
    calls = []
    real = discovery.Bench.measure

    def dies(bench, heads, values, thorough=True):
        calls.append(values)
        if len(calls) == 4:
            raise Killed
        return real(bench, heads, values, thorough=thorough)

    monkeypatch.setattr(discovery.Bench, "measure", dies)
    with pytest.raises(Killed):
        discover(comics_model, SMALL, kept=kept)
    monkeypatch.setattr(discovery.Bench, "measure", real)
    monkeypatch.setattr(attention, "attend", None)  # all strips are in the checkpoint
    assert to_dict(discover(comics_model, SMALL, kept=kept).heads) == to_dict(whole.heads)


def test_a_checkpoint_of_other_work_is_not_used(tmp_path):
    path = tmp_path / "kept"
    first = Checkpoint(path, {"seed": 1})
    first.put("a", [1])
    first.arrays = {"x": np.arange(3)}
    first.write()
    again = Checkpoint(path, {"seed": 1})
    assert again.done == {"a": [1]}
    np.testing.assert_array_equal(again.arrays["x"], np.arange(3))
    assert Checkpoint(path, {"seed": 2}).done == {}
    path.write_bytes(path.read_bytes()[:40])
    assert Checkpoint(path, {"seed": 1}).done == {}
    path.write_text("[]")
    assert Checkpoint(path, {"seed": 1}).done == {}
    assert list(tmp_path.iterdir()) == [path]


def test_rankings_of_the_authors(tmp_path, comics_model):
    rows = [{"layer": 2, "head": 3, "score": 0.8}, {"layer": 1, "head": 0, "score": 0.5}]
    path = tmp_path / "gaze_head_ranking.json"
    for data in (rows, {"model": "x", "source": "them", "heads": rows}, [[2, 3], [1, 0]]):
        path.write_text(json.dumps(data))
        assert read_ranking(path, FACTS).heads == ((2, 3), (1, 0))
    path.write_text(json.dumps(to_dict(HeadSet(FACTS, ((1, 0),)))))
    assert read_ranking(path, FACTS).heads == ((1, 0),)
    path.write_text(json.dumps(rows))
    found = discover(comics_model, replace(SMALL, ranking=path))
    assert set(found.heads.heads) == {(2, 3), (1, 0)}
    assert found.trust is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "is not JSON"),
        ("3", "expected a list"),
        ('{"model": "x"}', "expected a list"),
        ("[]", "at least one head"),
        ('[{"layer": 99, "head": 0}]', "layer 99"),
        ('[{"layer": 0, "head": 0}, {"layer": 0, "head": 0}]', "twice"),
        ('[{"layer": 0}]', "head is missing"),
        ("[7]", "expected an object"),
    ],
)
def test_rankings_that_are_wrong(tmp_path, text, says):
    path = tmp_path / "ranking.json"
    path.write_text(text)
    with pytest.raises(HeadSetError, match=says):
        read_ranking(path, FACTS)


def test_rankings_that_are_missing(tmp_path):
    with pytest.raises(HeadSetError, match=r"none\.json"):
        read_ranking(tmp_path / "none.json", FACTS)


def test_a_folder_of_comics(tmp_path, comics_model, planted):
    for number in range(1, 5):
        write_comic(tmp_path / f"comic{number}", seed=number)
    write_comic(tmp_path / "comic9", panels=4)  # another number of panels: left out
    strips = list(folder_strips(tmp_path))
    assert [len(strip.boxes) for strip in strips] == [6] * 4
    finding, choosing = split_folder(tmp_path, 24, 2)
    assert (len(finding), len(choosing)) == (2, 2)
    for strip in strips:
        planted.strips[np.asarray(strip.image).tobytes()] = (strip.captions, strip.boxes)
    found = discover(comics_model, replace(SMALL, comics=tmp_path))
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert found.choice.measured.values  # judged by words in common
    assert found.choice.measured.moves is None
    assert found.heads.source == f"lookhere discover, 2 comics in {tmp_path.name}, seed 0"


def test_comics_without_captions_leave_the_choice(tmp_path, comics_model, planted):
    for number in range(1, 4):
        write_comic(tmp_path / f"comic{number}", captions=False, seed=number)
    for strip in folder_strips(tmp_path):
        planted.strips[np.asarray(strip.image).tobytes()] = (
            ("One.", "Two.", "Three.", "Four.", "Five.", "Six."),
            strip.boxes,
        )
    found = discover(comics_model, replace(SMALL, comics=tmp_path))
    assert found.choice is None
    assert set(found.heads.heads) <= set(PLANTED)


@pytest.mark.parametrize("fault", ["missing", "empty", "one", "captions", "broken", "panels"])
def test_folders_that_are_wrong(tmp_path, fault):
    folder = tmp_path / "comics"
    if fault != "missing":
        folder.mkdir()
    if fault in ("one", "captions", "broken"):
        write_comic(folder / "comic1")
    if fault == "captions":
        (folder / "comic1/captions.txt").write_text("only one line\n")
    if fault == "broken":
        (folder / "comic1/p2.png").write_bytes(b"not an image")
    if fault == "panels":
        write_comic(folder / "comic1", panels=1)
    with pytest.raises(ComicsError, match="comics"):
        split_folder(folder, 4, 2)


@pytest.mark.parametrize(
    "wrong", [{"strips": 1}, {"calibration": -1}, {"seed": 1000}, {"floor": 2.0}, {"panel_size": 3}]
)
def test_options_that_are_wrong(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        Options(**wrong)


def test_the_built_in_model_has_the_heads_that_it_ships_with(builtin):
    found = discover(builtin, Options(strips=4, calibration=0, readers=0))
    assert found.trust.gaze_heads >= 4
    best = set(found.ranking.heads[: len(builtin.heads.heads)])
    assert len(best & set(builtin.heads.heads)) >= len(best) / 2


def test_command(planted, planted_files, tmp_path):
    out = tmp_path / "heads.json"
    ranking = tmp_path / "ranking.json"
    arguments = ["discover", str(planted_files[0]), "-o", str(out), "--strips", "4", "--calibration", "2"]
    arguments += ["--panel-size", "64", "--readers", "1"]
    result = CliRunner().invoke(main, [*arguments, "--save-ranking", str(ranking)])
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "found: 3 heads" in result.stderr
    assert set(HeadSet.read(out).heads) <= set(PLANTED)
    assert len(HeadSet.read(ranking).heads) == LAYERS * HEADS
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "heads.json",
        "mmproj.gguf",
        "model.gguf",
        "ranking.json",
    ]
    planted.blind = True
    out.unlink()
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 4
    assert "The verdict is none" in result.stderr
    assert not out.exists()
    result = CliRunner().invoke(main, ["discover", str(planted_files[0]), "-o", str(tmp_path / "no/heads.json")])
    assert result.exit_code == 1
    assert "there is no folder" in result.stderr
