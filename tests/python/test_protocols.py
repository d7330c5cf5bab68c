"""Protocols and arms on a model with planted gaze heads, and the arithmetic of narrations."""

from dataclasses import replace

import lookhere
import numpy as np
import pytest
from lookhere import HeadSet, questions
from lookhere.lab import fluency, protocols
from lookhere.lab.arms import (
    DRAWS,
    OTHERS,
    UNSTEERED,
    Named,
    Steered,
    baseline_arms,
    control_arms,
    gaze_arm,
    known_gaze_heads,
    other_gaze_heads,
    random_heads,
)
from lookhere.lab.corpus import generated_scene, generated_strip
from lookhere.lab.edits import crop, dim, draw_box
from lookhere.lab.examiner import Examiner
from lookhere.lab.experiments import Beside, on_boxes, on_strips
from lookhere.lab.judging import Exact, Overlap
from lookhere.lab.naming import Naming
from lookhere.lab.narration import captions_of, derangement, segments, spearman
from lookhere.lab.picture import View, of_objects, of_scene, of_strip
from lookhere.lab.protocols import caption_after, captions_in
from lookhere.lab.staircase import matrix
from lookhere.lab.sweeps import mode_arms, sweep_arms
from lookhere.steering.head_set import ModelFacts
from PIL import Image
from planted_engine import GAZE, JUNK, TAKEN


@pytest.fixture
def picture(planted_model):
    strip = generated_strip("evaluation", 0, 0)
    return of_strip(planted_model.look(strip.image), strip, 0)


def outcomes(replies, picture):
    return [record.outcome("exact") for record in Examiner([Exact()]).judged(picture, replies)]


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


def test_questions(picture):
    everything = ["right"] * 6
    assert outcomes(protocols.ask_named(picture, Naming()), picture) == everything
    assert outcomes(protocols.narrate(picture), picture) == everything
    assert outcomes(protocols.ask_places(picture, gaze_arm(GAZE), questions.AMBIGUOUS), picture) == everything
    unsteered = protocols.ask_places(picture, UNSTEERED, questions.AMBIGUOUS)
    assert outcomes(unsteered, picture) == ["right", *["other"] * 5]
    assert len({id(reply.tokens) for reply in unsteered}) <= 6


def test_moves(planted_model):
    strip = generated_strip("evaluation", 0, 0)
    scene = planted_model.look(strip.image)
    for turn in range(4):
        moved = of_strip(scene, strip, turn)
        assert outcomes(protocols.move_gaze(moved, GAZE), moved) == ["right"] * 6


def test_boxes(planted_model):
    free = generated_scene("evaluation", 0, 0)
    boxes = of_scene(planted_model.look(free.image), free)
    assert set(outcomes(protocols.ask_places(boxes, gaze_arm(GAZE), questions.OBJECT), boxes)) == {"right"}


def test_equal_labels_are_one_caption(planted_model):
    scene = planted_model.look(Image.new("RGB", (90, 60)))
    boxes = of_objects(scene, [("dog", (0, 0, 20, 20)), ("cat", (40, 30, 60, 50)), ("dog", (70, 0, 90, 20))], 3)
    assert boxes.captions == ("dog", "cat")
    assert [place.target for place in boxes.places] == [0, 1, 0]
    words = [place.words for place in boxes.places]
    assert words == ["the top left of the image", "the bottom of the image", "the top right of the image"]


def test_baselines(picture):
    """The planted model knows a cropped panel, understands a named one, and no other changed image."""
    got = {
        arm.name: outcomes(protocols.ask_places(picture, arm, questions.AMBIGUOUS), picture) for arm in baseline_arms()
    }
    assert got["cropped to the place"] == ["right"] * 6
    assert got["named in the prompt"] == ["right"] * 6
    for name in ("dimmed outside", "box drawn", "box drawn and named"):
        assert got[name] == ["junk"] * 6
    place = picture.places[2]
    prompt = Named().view(picture, place, "What?").prompt
    assert prompt == "Look only at the third panel from the left. What?"


def test_a_changed_image_is_encoded_once(picture):
    arm = baseline_arms()[0]
    first, again = (arm.view(picture, picture.places[0], prompt).scene for prompt in ("A?", "B?"))
    assert first is again


def test_answers_that_share_a_prompt_are_computed_together(picture, planted_model):
    views = [gaze_arm(GAZE).view(picture, place, questions.AMBIGUOUS) for place in picture.places]
    together = picture.answers(views, 60, watch=True)
    assert planted_model.session.native.images == 1
    assert picture.answers(views, 60, watch=True)[0] is together[0]
    single = [view.scene.describe(view.prompt, at=view.at, max_tokens=60, steered_gaze=True) for view in views]
    assert [each.text for each in together] == [each.text for each in single] == list(picture.captions)
    for one, other in zip(together, single, strict=True):
        assert np.array_equal(one.gaze[0], other.gaze[0])


def test_edits():
    image = Image.fromarray(np.full((40, 60, 3), 200, np.uint8))
    box = lookhere.Box(10.2, 5, 29.5, 20)
    assert crop(image, box).size == (20, 15)
    assert crop(image, lookhere.Box(59.9, 39.9, 60, 40)).size == (1, 1)
    dark = np.asarray(dim(image, box))
    assert (dark[5:20, 10:30] == 200).all()
    assert (dark[:5] == 50).all()
    assert (dark[:, 30:] == 50).all()
    drawn = np.asarray(draw_box(image, box))
    assert (drawn[5, 10:30] == (255, 0, 0)).all()
    assert (drawn[12, 20] == 200).all()
    assert (drawn[:5] == 200).all()
    assert (np.asarray(image) == 200).all()


def test_random_heads_are_layer_matched_no_gaze_heads_and_reproducible():
    heads = HeadSet(ModelFacts("Fake", "fake", 6, 4), ((1, 0), (1, 2), (4, 3)))
    drawn = [random_heads(heads, 0, draw) for draw in range(DRAWS)]
    for each in drawn:
        assert sorted(layer for layer, _ in each.heads) == [1, 1, 4]
        assert not set(each.heads) & set(heads.heads)
    assert drawn == [random_heads(heads, 0, draw) for draw in range(DRAWS)]
    assert len({each.heads for each in drawn}) > 1
    # a layer that is full of gaze heads lends from others
    full = HeadSet(ModelFacts("Fake", "fake", 3, 2), ((1, 0), (1, 1)))
    assert {layer for layer, _ in random_heads(full, 0, 0).heads} <= {0, 2}


def test_gaze_heads_outside_of_the_set_are_no_random_heads():
    gaze = [(layer, head) for layer in (3, 4) for head in range(4)]
    listed = [*gaze, *((layer, head) for layer in range(3) for head in range(4))]
    evidence = {"gaze_heads": len(gaze), "score": "guarded", "ranking": [list(head) for head in listed]}
    heads = HeadSet(ModelFacts("Fake", "fake", 5, 4), ((3, 0), (3, 1), (4, 3)), evidence=evidence)
    for draw in range(DRAWS):
        assert not set(random_heads(heads, 0, draw).heads) & set(gaze)
        others = other_gaze_heads(heads, 0, draw)
        assert len(set(others.heads)) == 3
        assert set(others.heads) <= set(gaze) - set(heads.heads)
        assert sorted(layer for layer, _ in others.heads) == [3, 3, 4]
    assert len(control_arms(heads, 0)) == DRAWS + OTHERS + 2
    assert other_gaze_heads(replace(heads, heads=tuple(gaze[:6])), 0, 0) is None
    assert not known_gaze_heads(replace(heads, evidence={**evidence, "score": "mass"}))


def test_which_arms_there_are():
    assert len(control_arms(GAZE, 0)) == DRAWS + 2
    for arms in (sweep_arms(GAZE), mode_arms(GAZE)):
        names = [arm.name for arm in arms]
        assert len(names) == len(set(names))
    swept = sweep_arms(replace(GAZE, mode="target_share"))
    assert {arm.heads.mode for arm in swept} == {"boost_suppress", "suppress_image"}  # a share has no strength
    without = on_strips(None, ("ordinal", "order", "vqa", "static", "move", "dynamic", "free"), Beside(controls=False))
    assert {each.key for each in without} == {
        "ordinal/unsteered", "order/unsteered", "vqa/unsteered", "static/unsteered", "dynamic/unsteered"
    }  # fmt: skip
    own = on_strips(replace(GAZE, prompt="What now?"), ("vqa",), Beside(controls=False))
    assert "own/gaze heads" in [each.key for each in own]
    every = on_strips(GAZE, ("vqa", "static", "dynamic"), Beside(sweeps=True, everywhere=True))
    keys = [each.key for each in every]
    assert len(keys) == len(set(keys))
    assert "static/cropped to the place" in keys
    assert "dynamic/all heads" in keys
    assert "dynamic/cropped to the place" not in keys  # an image cannot change in the middle of an answer
    assert dict(every[keys.index("vqa/gaze heads")].setting)["heads"] == len(GAZE.heads)
    assert len(on_boxes(GAZE, ("boxes",), Beside())) == 8
    assert on_boxes(GAZE, ("vqa",), Beside()) == []


def test_log_probabilities_are_those_of_the_logits(picture):
    view = View(picture.scene, questions.AMBIGUOUS)
    said = [tuple(caption.encode()) for caption in picture.captions[:2]]
    surely, hardly, nothing = fluency.log_probabilities(view, [*said, ()])
    # the fake engine gives the byte that it would say 10, all of the other 260 tokens 0
    at_most = -np.log1p(260 * np.exp(-10))
    assert surely == pytest.approx(len(said[0]) * at_most, rel=1e-4)
    different = sum(a != b for a, b in zip(*said, strict=False)) + max(0, len(said[1]) - len(said[0]))
    assert hardly == pytest.approx(len(said[1]) * at_most - 10 * different, rel=1e-3)
    assert nothing == 0


def test_what_is_measured_beside_accuracy(picture):
    examiner = Examiner([Exact(), Overlap()])
    limit = protocols.answer_tokens(picture.model, picture.captions, 15)

    def measured(arm):
        replies = protocols.ask_places(picture, arm, questions.AMBIGUOUS, least=15, watch=True)
        return examiner.measured(picture, replies, questions.AMBIGUOUS, limit)

    steered = measured(gaze_arm(GAZE))
    assert [record.unchanged for record in steered] == [True, *[False] * 5]  # unsteered it describes the first panel
    assert [record.picks for record in steered] == [{"exact": k, "overlap": k} for k in range(6)]
    assert steered[0].nats < 1 < steered[1].nats
    assert all(record.counted == len(record.text.encode()) for record in steered)
    # the natural mass of the heads is 0.6 of the attention without a named panel
    assert [record.taken for record in steered] == pytest.approx([0.6 * (TAKEN - 1)] * 6, abs=1e-4)
    unsteered = measured(UNSTEERED)
    assert {(record.unchanged, record.taken) for record in unsteered} == {(True, None)}
    every = measured(Steered("all", replace(GAZE, heads=tuple((a, b) for a in range(4) for b in range(4)))))
    assert {record.text for record in every} == {JUNK}
    assert {record.picks["overlap"] for record in every} == {"junk"}


def test_captions_and_their_tokens():
    said = captions_of(["A ", "fox", ".", "\n", "Two ow", "ls. A ", "bear", " si"])
    assert [(each.text, each.start, each.stop, each.whole) for each in said] == [
        ("A fox.", 0, 3, True), ("Two owls.", 4, 6, True), ("A bear si", 5, 8, False),
    ]  # fmt: skip
    assert captions_of([]) == []
    assert [each.text for each in captions_of(["1. ", "- \n", "3.5 cats."])] == ["3.5 cats."]


def test_schedules_are_derangements():
    for seed in range(50):
        order = derangement(6, seed)
        assert sorted(order) == list(range(6))
        assert all(place != panel for place, panel in enumerate(order))
    assert derangement(6, 7) == derangement(6, 7)
    assert len({derangement(6, seed) for seed in range(20)}) > 10


def test_spearman():
    assert spearman([3, 1, 2], [3, 1, 2]) == pytest.approx(1)
    assert spearman([0, 1, 2], [2, 1, 0]) == pytest.approx(-1)
    assert spearman([0, 1, 2, 3], [0, 0, 1, 1]) == pytest.approx(0.8944, abs=1e-4)
    assert spearman([0, 1, 2], [0, "none", 2]) == pytest.approx(1)
    assert spearman([0, 1, 2], [1, 1, 1]) == 0
    assert spearman([0, 1], ["junk", 1]) == 0


def test_segments():
    said = captions_of(["Fox.\n", "Owl.\n", "Owl.\n", "xx\n", "Fox.\n", "Bear.\n"])
    picks = {"exact": [0, 1, 1, "junk", 0, 2]}
    first, second, third = segments(said, picks, (1, 2, 0), every=3)
    assert (first.target, first.described, first.switch) == (1, {"exact": 1}, {"exact": 1})
    assert (second.described, second.switch) == ({"exact": 0}, {"exact": 2})
    assert (third.text, third.described, third.switch) == ("", {"exact": "none"}, {"exact": None})


def test_dynamic_narration(picture):
    gaze = next(each for each in on_strips(GAZE, ("dynamic",), Beside()) if each.arm == "gaze heads")
    records = gaze.run(picture, Examiner([Exact()]))
    schedule = derangement(6, 0)
    assert [record.target for record in records] == list(schedule)
    assert {record.outcome("exact") for record in records} == {"right"}
    # a caption takes some 30 of the 50 bytes, and the one under way is told to its end
    assert records[0].more["switch"]["exact"] == 0
    assert all(0 <= record.more["switch"]["exact"] < 50 for record in records[1:])
    unsteered = next(each for each in on_strips(GAZE, ("dynamic",), Beside()) if each.arm == "unsteered")
    assert {record.picks["exact"] for record in unsteered.run(picture, Examiner([Exact()]))} <= {0, "none"}


def test_free_narration(picture):
    free = next(iter(on_strips(GAZE, ("free",), Beside())))
    records = free.run(picture, Examiner([Exact()]))
    assert [record.picks["exact"] for record in records] == list(range(6))
    gaze = [np.array(record.more["gaze"]) for record in records]
    assert all(each.shape[1] == 6 and len(each) > 10 for each in gaze)
    assert gaze[0].sum(axis=1) == pytest.approx(0.6, abs=0.2)  # what is not on the gaps


def test_matrix():
    got = matrix([(0, np.array([[1, 0], [3, 0]])), (0, np.array([[5.0, 3]])), (5, np.ones((1, 2)))], 2)
    assert got.tolist() == [[3, 1], [0, 0]]
