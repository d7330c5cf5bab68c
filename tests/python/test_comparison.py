"""Heads to compare gaze heads with: hand-made maps, planted heads of every kind, lists in evidence, and the table."""

import math
from dataclasses import replace
from types import SimpleNamespace

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import HeadSet, HeadSetError
from lookhere.lab.arms import rival_arms
from lookhere.lab.attention import compare_heads, tally_attention
from lookhere.lab.comparison import Comparison, ImageTally, elbow, listed_rival
from lookhere.lab.components import patch_sizes, spatial_entropy
from lookhere.lab.corpus import generated_strip
from lookhere.lab.experiments import Beside, on_boxes, on_strips
from lookhere.lab.figures import Figure
from lookhere.lab.item import of_strip
from lookhere.lab.kinds import kinds
from lookhere.lab.ranking import Scores
from lookhere.lab.reply import Record
from lookhere.steering.head_set import ModelFacts
from planted_engine import GAZE, HEADS, LAYERS, PLANTED, Planted

IMAGE, LOCALIZATION = (0, 2), (2, 1)


def entropy(*rows, grids=None):
    """Of one map that is drawn with # and ."""
    drawn = [float(each == "#") for row in rows for each in row]
    grids = grids or [(len(rows), len(rows[0]))]
    return spatial_entropy(np.array([drawn]), grids)[0]


def of_shares(*shares):
    return -sum(share * math.log(share) for share in shares)


def test_entropy_by_hand():
    assert entropy("##..", "##..") == 0
    assert entropy("#...", "...#") == pytest.approx(of_shares(1 / 2, 1 / 2))
    assert entropy("##.#", "#...") == pytest.approx(of_shares(3 / 4, 1 / 4))
    assert entropy("#..", ".#.", "..#") == 0  # corners touch
    assert entropy("#.#", "...", "#.#") == pytest.approx(math.log(4))
    assert entropy("...#", "#...") == pytest.approx(math.log(2))  # the end of a row and the start of the next do not
    assert entropy("....", "....") == pytest.approx(math.log(8))  # nowhere: as scattered as can be
    assert entropy("####", "####") == pytest.approx(math.log(8))


def test_patches_end_with_their_grid():
    assert entropy(".##.", grids=[(1, 4)]) == 0
    assert entropy(".##.", grids=[(1, 2), (1, 2)]) == pytest.approx(math.log(2))


def test_the_map_is_cut_at_its_mean():
    maps = np.array([[0.1, 0.5, 0.1, 0.1, 0.3, 0.3, 0.1, 0.5], [0.0, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]])
    found = spatial_entropy(maps, [(1, 8)])
    assert found[0] == pytest.approx(of_shares(1 / 4, 2 / 4, 1 / 4))  # mean 0.25
    assert found[1] == 0  # mean 0.2625


def flood(mask):
    """Sizes of patches, by walking over them."""
    left, sizes = {(row, col) for row, col in zip(*np.nonzero(mask), strict=True)}, []
    while left:
        edge, size = [left.pop()], 0
        while edge:
            row, col = edge.pop()
            size += 1
            near = {(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += near
        sizes.append(size)
    return sorted(sizes)


def test_patches_by_walking():
    rng = np.random.default_rng(7)
    masks = np.stack([rng.random((9, 14)) < share for share in (0.1, 0.2, 0.3, 0.4, 0.6, 1.1)])
    sizes = patch_sizes(masks)
    for mask, found in zip(masks, sizes, strict=True):
        assert sorted(found[found > 0]) == flood(mask)


def test_a_long_patch_is_one():
    snake = np.zeros((1, 15, 15), bool)
    snake[0, ::2] = True
    snake[0, 1::4, -1] = snake[0, 3::4, 0] = True
    assert sorted(patch_sizes(snake)[0])[-2:] == [0, snake.sum()]


def test_elbow_by_hand():
    # the line from 0 to 10 is at 0, 2, 4, 6, 8, 10
    assert elbow(np.array([[10, 0.3, 0.1], [0, 5, 0.2]])) == 0.3
    assert elbow(np.array([3.0, 3.0])) == 3


def test_image_mass_is_standardised_in_every_prefill():
    tally = ImageTally(1, 3)
    first, second = np.array([[0.2, 0.4, 0.6]]), np.array([[0.0, 0.0, 0.9]])
    tally.add(first, np.zeros((1, 3)))
    tally.add(second, np.ones((1, 3)))
    found = tally.comparison()
    expected = sum((each - each.mean()) / each.std() for each in (first, second)) / 2
    np.testing.assert_allclose(found.image, expected)
    np.testing.assert_allclose(found.mass, [[0.1, 0.2, 0.75]])
    np.testing.assert_allclose(found.entropy, [[0.5] * 3])
    tally.add(np.full((1, 3), 0.5), np.zeros((1, 3)))  # all alike
    assert np.isfinite(tally.comparison().image).all()


def test_localization_heads_look_at_the_image_first():
    """Heads below the threshold come last, however tidy their look."""
    mass = np.array([[0.01, 0.02, 0.5, 0.9, 0.8, 0.03]])
    tidy = np.array([[0.0, 0.1, 1.0, 0.6, 2.0, 0.0]])
    found = Comparison(mass, mass, tidy)
    assert found.threshold == 0.03  # the line is at 0.544 where this is
    assert [head for _, head in found.order("localization")] == [5, 3, 2, 4, 1, 0]
    found = Comparison(mass, mass, tidy + 0.5 * (mass == 0.03))
    assert [head for _, head in found.order("localization")] == [5, 3, 2, 4, 1, 0]
    assert found.above == 4


@pytest.fixture
def planted(engine, monkeypatch):
    fixture = Planted().install(monkeypatch)
    fixture.others = {IMAGE: "image", LOCALIZATION: "localization"}
    return fixture


@pytest.fixture
def comics_model(planted, tmp_path):
    fake.write_gguf(tmp_path / "mmproj.gguf", "clip")
    with lookhere.load(fake.write_gguf(tmp_path / "model.gguf", layers=LAYERS, heads=HEADS, context=100_000)) as loaded:
        yield loaded


def test_each_score_finds_its_own_planted_heads(comics_model):
    items = [of_strip(replace(generated_strip("discovery", 0, index), captions=("ox",) * 6)) for index in range(2)]
    tally = tally_attention(comics_model, items, 6)
    scores, compared = Scores.of(tally.attention("prompt")), tally.image.comparison()
    rankings = {
        "gaze": scores.order("guarded"), "mass": scores.order("mass"),
        "image": compared.order("image"), "localization": compared.order("localization"),
    }  # fmt: skip
    assert set(rankings["gaze"][:3]) == set(rankings["mass"][:3]) == set(PLANTED)
    assert rankings["image"][0] == IMAGE
    assert rankings["localization"][0] == LOCALIZATION
    for name, own in (("image", {IMAGE}), ("localization", {LOCALIZATION}), ("gaze", set(PLANTED))):
        for other in set(rankings) - {name, "mass" if name == "gaze" else name}:
            assert rankings[other][0] not in own, (name, other)
    # the questions alone tell the same
    alone = compare_heads(comics_model, items)
    np.testing.assert_allclose(alone.image, compared.image)
    np.testing.assert_allclose(alone.entropy, compared.entropy)


def test_rivals_are_as_many_and_steered_alike():
    listed = {"image": [[0, 0], [0, 1], [0, 2], [0, 3]], "localization": [[3, 3], [3, 2], [3, 1]]}
    heads = replace(GAZE, strength=3.0, evidence={"compared": listed})
    image = listed_rival(heads, "image")
    assert image.heads == ((0, 0), (0, 1), (0, 2))
    assert (image.strength, image.mode, image.queries) == (3.0, heads.mode, heads.queries)
    assert listed_rival(heads, "localization").heads == ((3, 3), (3, 2), (3, 1))
    assert listed_rival(GAZE, "image") is None
    for wrong in ([1], [["a", "b"]], 3, [[9, 9]]):
        with pytest.raises(HeadSetError):
            listed_rival(replace(GAZE, evidence={"compared": {"image": wrong}}), "image")


def test_rivals_are_arms_of_every_protocol():
    rivals = {name: replace(GAZE, heads=((0, 0), (0, 1), (k, 3))) for k, name in enumerate(("image", "localization"))}
    assert [arm.name for arm in rival_arms(rivals)] == ["image heads", "localization heads"]
    beside = Beside(everywhere=True, rivals=rivals)
    strips, boxes = on_strips(GAZE, ("vqa", "static", "dynamic"), beside), on_boxes(GAZE, ("boxes",), beside)
    keys = [each.key for each in (*strips, *boxes)]
    for protocol in ("vqa", "static", "dynamic", "boxes"):
        assert {f"{protocol}/image heads", f"{protocol}/localization heads"} <= set(keys)
    keys = [each.key for each in on_strips(GAZE, ("vqa", "static"), Beside(rivals=rivals))]
    assert "vqa/image heads" in keys
    assert "static/image heads" not in keys
    assert not any("image heads" in each.key for each in on_strips(GAZE, ("vqa",), Beside(controls=False)))


def figure(protocol, arm, names, *strips, group="control", unchanged=False):
    records = tuple(
        tuple(Record("", k, {"x": pick}, unchanged=unchanged) for k, pick in enumerate(strip)) for strip in strips
    )
    return Figure(protocol, arm, group, "fresh", "x", records, (("names", names),))


def test_kinds_of_heads_side_by_side():
    figures = [
        figure("vqa", "unsteered", "", (0, 0), (0, 0), group="main"),
        figure("vqa", "gaze heads", "1.1 1.2", (0, 1), (0, 0), group="main"),
        figure("vqa", "image heads", "1.1 0.1", (1, 1), unchanged=True),
        figure("vqa", "localization heads", "1.1 1.2", (0, 1)),
        figure("vqa", "random heads, draw 1", "0.1 0.2", (0, 1)),
        figure("vqa", "random heads, draw 2", "0.1 1.2", ("junk", "junk")),
        figure("vqa", "all heads", "0.1 0.2 1.1 1.2", ("junk", "junk")),
        figure("dynamic", "gaze heads", "1.1 1.2", (0, 1), group="main"),
        figure("vqa", "2 heads, suppress_image", "1.1 1.2", (0, 1), group="sweep"),
    ]
    figures[0] = replace(figures[0], setting=())
    some = lambda protocol: [each for each in figures if each.protocol == protocol]  # noqa: E731
    rows = {each.name: each for each in kinds(SimpleNamespace(some=some))}
    assert list(rows) == ["gaze heads", "image heads", "localization heads", "random heads, 2 draws", "all heads"]
    assert [rows[name].heads for name in rows] == [2, 2, 2, 2, 4]
    assert [rows[name].shared for name in rows] == [2, 1, 2, 0.5, 2]
    assert [rows[name].vqa.value for name in rows] == [1, 0.5, 1, 0.5, 0]  # of the first strip alone
    assert rows["random heads, 2 draws"].vqa.interval == (0, 1)
    assert rows["image heads"].vqa_moved.value == 0
    assert rows["gaze heads"].rho.value == pytest.approx(1)
    assert rows["image heads"].rho is None
    assert kinds(SimpleNamespace(some=lambda protocol: some(protocol)[:2])) == []
    asked = [each for each in figures if each.protocol == "vqa"]
    figures[:] = [replace(each, protocol=protocol) for each in asked for protocol in ("static", "dynamic")]
    assert [each.name for each in kinds(SimpleNamespace(some=some))] == list(rows)  # two protocols, the same draws


def test_heads_of_another_model_are_refused():
    facts = ModelFacts("Fake", "fake", 2, 2)
    heads = HeadSet(facts, ((0, 0),), evidence={"compared": {"image": [[5, 0]]}})
    with pytest.raises(HeadSetError, match="layer 5"):
        listed_rival(heads, "image")
