"""Answers about several places, token by token: they take turns, and end each for itself or all at once."""

import gc

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import CancelFlag, CancelledError, Panel, Point, Steering
from lookhere.comics import generate_strip

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine
PLACES = [Point(16 * x, 0) for x in range(6)]


@pytest.fixture
def scene(model):
    return model.look(STRIP)


def texts(steps, count):
    told = [""] * count
    for place, step in steps:
        told[place] += step.text
    return told


def test_places_take_turns(scene):
    steps = list(scene.stream_all(PLACES, max_tokens=4))
    assert [place for place, _ in steps] == [0, 1, 2, 3, 4, 5] * 4
    assert [step.index for _, step in steps] == [index for index in range(4) for _ in PLACES]
    assert texts(steps, 6) == [fake.steered_text(0, x)[:4] for x in range(6)]


@pytest.mark.parametrize("queries", ["all", "answer"])
def test_the_steps_are_those_of_describe_all(scene, head_set, queries):
    looks = [None, *(Steering(head_set, place, queries=queries) for place in PLACES)]
    with scene.stream_all(looks) as group:
        told = texts(group, len(looks))
    answers = scene.describe_all(looks)
    assert told == [answer.text for answer in answers] == [scene.describe(at=look).text for look in looks]
    assert group.finishes == ("end",) * len(looks)


def test_an_answer_that_ends_leaves_the_others_going(scene):
    shorter, longer = sorted((fake.UNSTEERED, fake.steered_text(0, 0)), key=lambda text: len(text.encode()))
    looks = [Point(0, 0) if text == longer else None for text in (shorter, longer, shorter)]
    assert longer == fake.steered_text(0, 0)
    with scene.stream_all(looks) as group:
        seen = [(place, group.finishes) for place, _ in group]
    assert seen[-1] == (1, ("end", None, "end"))  # the others had nothing more to say
    assert group.finishes == ("end", "end", "end")


def test_answers_reads_on_from_where_the_iteration_stopped(scene):
    with scene.stream_all(PLACES) as group:
        for _ in range(8):
            next(group)
        answers = group.answers()
    assert [answer.text for answer in answers] == [fake.steered_text(0, x) for x in range(6)]
    assert [step.index for step in answers[0].steps] == list(range(len(answers[0].steps)))


@pytest.mark.parametrize("queries", ["all", "answer"])
def test_closing_frees_the_model(scene, head_set, queries):
    with scene.stream_all([Steering(head_set, place, queries=queries) for place in PLACES]) as group:
        next(group)
        assert scene.describe().text == fake.UNSTEERED  # a group holds nothing between two batches
    assert group.finishes == ("cancelled",) * 6
    assert list(group) == []
    with pytest.raises(CancelledError):
        group.answers()
    assert scene.describe().text == fake.UNSTEERED


def test_a_group_that_is_left_alone_lets_others_go_on(scene):
    group = scene.stream_all(PLACES)
    next(group)
    del group
    gc.collect()
    assert scene.describe().text == fake.UNSTEERED


@pytest.mark.parametrize("queries", ["all", "answer"])
def test_a_flag_stops_the_iteration(scene, head_set, queries):
    flag = CancelFlag()
    group = scene.stream_all([Steering(head_set, place, queries=queries) for place in PLACES], cancel=flag)
    next(group)
    group.cancel()
    assert flag.is_set()
    assert len(list(group)) < 6  # what was computed already
    assert "cancelled" in group.finishes
    with pytest.raises(CancelledError):
        group.answers()
    assert scene.describe().text == fake.UNSTEERED


def test_an_error_ends_all_and_frees_the_model(scene, monkeypatch):
    group = scene.stream_all(PLACES)
    next(group)
    with monkeypatch.context() as patch:

        def broken(*args, **kwargs):
            raise fake.EngineError("broken")

        patch.setattr(fake.Session, "decode_texts", broken)
        with pytest.raises(lookhere.EngineFailure, match="broken"):
            list(group)
    assert group.finishes == ("cancelled",) * 6
    assert scene.describe().text == fake.UNSTEERED


def test_wrong_places_are_refused_before_anything_runs(scene):
    with pytest.raises(lookhere.RegionError):
        scene.stream_all([Point(0, 0), Point(96, 0)])
    assert scene.model.session.context == 0
    assert list(scene.stream_all([])) == []


def test_the_real_engine_tells_by_turns_what_it_tells_one_by_one(builtin):
    scene = builtin.look(generate_strip(3, panels=6, panel_size=64).image)
    looks = [Steering(builtin.heads, Panel(p, 6), queries="answer") for p in (1, 4, 6)]
    steps = list(scene.stream_all(looks, max_tokens=5))
    assert [place for place, _ in steps] == [0, 1, 2] * 5
    assert texts(steps, 3) == [scene.describe(at=look, max_tokens=5).text for look in looks]
