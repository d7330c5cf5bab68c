"""A steering is a value: what acts is in its fingerprint, and its bias follows the formula."""

import math
from dataclasses import replace

import fake_engine as fake
import numpy as np
import pytest
from lookhere import Box, Mask, OptionError, Panel, Point, Polygon, Steering, Weighted
from lookhere.steering.head_set import HeadSet, ModelFacts


def test_bias_of_a_target(head_set):
    aimed = np.array([[0, 0.001, 1 / 16, 0.5, 1]], np.float32)
    bias = Steering(head_set, Point(0, 0), strength=5).push.image_bias(aimed)
    assert bias.dtype == np.float32
    np.testing.assert_allclose(bias, [[-5, 5 + math.log(0.001), 5 + math.log(1 / 16), 5 + math.log(0.5), 5]], rtol=1e-6)
    bias = Steering(head_set, Point(0, 0), strength=5, mode="suppress_image").push.image_bias(aimed)
    np.testing.assert_allclose(bias, [[-5, math.log(0.001), math.log(1 / 16), math.log(0.5), 0]], rtol=1e-6)


def test_defaults_come_from_the_head_set():
    heads = HeadSet(ModelFacts("m", "fake", 4, 2), ((0, 0),), strength=3, mode="suppress_all", queries="after_image")
    steering = Steering(heads, Point(0, 0))
    assert (steering.strength, steering.mode, steering.queries, steering.sharpness) == (
        3,
        "suppress_all",
        "after_image",
        1,
    )
    assert steering.push.prompt_bias == -3
    assert steering.push.generated_bias == 0


def test_fingerprint(head_set):
    steering = Steering(head_set, Box(0, 0, 4, 4))
    assert len(steering.fingerprint) == 64
    assert steering.fingerprint == Steering(head_set, [Box(0.0, 0.0, 4.0, 4.0)]).fingerprint
    assert steering.looking_at(Box(0, 0, 4, 4)) == steering
    mask, same = Mask(np.eye(4, dtype=bool)), Mask(np.eye(4))
    assert steering.looking_at(mask).fingerprint == steering.looking_at(same).fingerprint
    others = [
        Steering(head_set, Box(0, 0, 4, 5)),
        Steering(head_set, Point(0, 0)),
        Steering(head_set, Polygon([(0, 0), (4, 0), (4, 4), (0, 4)])),
        Steering(head_set, Polygon([(0, 0), (4, 0), (4, 4), (0, 5)])),
        Steering(head_set, Mask(np.ones((4, 4)))),
        Steering(head_set, Mask(np.tri(4))),
        Steering(head_set, Mask(np.tri(4) / 2)),
        Steering(head_set, Weighted(Box(0, 0, 4, 4), 0.5)),
        Steering(head_set, Weighted(Box(0, 0, 4, 4), 0.25)),
        Steering(head_set, Box(0, 0, 4, 4), strength=4),
        Steering(head_set, Box(0, 0, 4, 4), mode="suppress_all"),
        Steering(head_set, Box(0, 0, 4, 4), queries="generated"),
        Steering(head_set, Box(0, 0, 4, 4), sharpness=0),
        Steering(head_set, Box(0, 0, 4, 4), mode="within_image"),
        Steering(head_set, Box(0, 0, 4, 4), mode="target_share"),
        Steering(head_set, Box(0, 0, 4, 4), mode="target_share", share=0.5),
        Steering(head_set.top(1), Box(0, 0, 4, 4)),
    ]
    prints = {each.fingerprint for each in (steering, *others)}
    assert len(prints) == len(others) + 1
    with pytest.raises(AttributeError):
        steering.strength = 7


@pytest.mark.parametrize(
    "options",
    [
        {"strength": 10_001}, {"strength": "5"}, {"mode": "boost"}, {"queries": "some"}, {"sharpness": 2},
        {"mode": "target_share", "share": 1.5}, {"mode": "target_share", "share": True},
        {"mode": "target_share", "share": float("nan")}, {"mode": "target_share", "strength": 3},
        {"mode": "within_image", "strength": 3}, {"mode": "within_image", "share": 0.5}, {"share": 0.5},
    ],
)  # fmt: skip
def test_wrong_values(head_set, options):
    with pytest.raises(OptionError, match="expected"):
        Steering(head_set, Point(0, 0), **options)


def test_modes_that_move_attention(head_set):
    aimed = np.array([[0, 0.25, 1]], np.float32)
    share = Steering(head_set, Point(0, 0), mode="target_share", share=0.7)
    assert (share.push.kind, share.push.number, share.looking_at(Point(1, 1)).share) == ("target_share", {"share": 0.7}, 0.7)
    within = Steering(replace(head_set, mode="within_image", share=0.3), Point(0, 0))
    assert (within.push.kind, within.push.number) == ("within_image", {})
    for each in (share, within):
        assert np.array_equal(each.push.image_values(aimed), aimed)
        assert (each.push.prompt_bias, each.push.generated_bias) == (0, 0)
        assert each.looking_at(Point(0, 0)) == each
    other = Steering(replace(head_set, mode="within_image", share=0.6, strength=1), Point(0, 0))
    assert other.fingerprint == within.fingerprint  # neither number acts
    bias = Steering(replace(head_set, share=0.6), Point(0, 0))
    assert (bias.push.kind, bias.push.number) == ("bias", {"strength": 5})
    assert bias.fingerprint == Steering(head_set, Point(0, 0)).fingerprint
    assert np.array_equal(bias.push.image_values(aimed), bias.push.image_bias(aimed))


def test_the_engine_is_told_how_to_move_attention(model, head_set):
    scene = model.look(np.full((32, 96, 3), 200, np.uint8))
    for mode, share, told in (("target_share", 0.7, 0.7), ("within_image", None, 1.0), ("boost_suppress", None, 1.0)):
        with scene.stream(at=Steering(head_set, Panel(6, 6), mode=mode, share=share)) as run:
            next(run)
            steering = model.session.native.steerings[run.sequence.slot]
        assert steering["kind"] == ("bias" if mode == "boost_suppress" else mode)
        assert steering["share"] == told
        if mode != "boost_suppress":
            assert np.array_equal(steering["spans"][0].bias, scene.target(Panel(6, 6))[0])


def test_what_is_covered_is_steered_to_whatever_its_weight(model):
    scene = model.look(np.full((32, 96, 3), 200, np.uint8))
    for weight in (1, 0.5, 0.01):
        assert scene.describe(at=Weighted(Panel(6, 6), weight)).text == fake.steered_text(0, 5)
    both = [Weighted(Panel(6, 6), 0.5), Weighted(Panel(2, 6), 0.4)]
    assert scene.describe(at=both).text == fake.steered_text(0, 5)
    assert scene.describe(at=[both[1], Panel(3, 6)]).text == fake.steered_text(0, 2)
