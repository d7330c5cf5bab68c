"""How a caller asks: numbers of every kind, temperatures near 0, one region or several, and wrong keywords."""

import re
from decimal import Decimal
from fractions import Fraction

import lookhere
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lookhere import Ask, Box, HeadSet, OptionError, Panel, Point, PromptError, Push, RegionError, Steering
from lookhere.answers.ask import OPTIONS
from lookhere.answers.sampling import Sampling
from lookhere.limits import LEAST_TEMPERATURE
from lookhere.schedule import Schedule, Walk
from lookhere.steering.head_set import ModelFacts
from lookhere.steering.push import PushChange

STRIP = np.full((32, 96, 3), 200, np.uint8)
QUESTION = [{"role": "user", "content": "What?"}]

REAL = [np.float16, np.float32, np.float64, np.longdouble, Fraction, Decimal, lambda value: np.array(float(value))]
WHOLE = [*(np.dtype(code).type for code in "bBhHiIlLqQ"), lambda value: np.array(int(value))]


def plain(value):
    """Whether it is made of Python's own values alone."""
    if isinstance(value, tuple | list):
        return all(plain(each) for each in value)
    return type(value) in (int, float, str, bool, type(None))


@given(st.sampled_from(REAL), st.sampled_from(WHOLE), st.integers(0, 64), st.integers(1, 127))
def test_numbers_of_every_kind_mean_the_same(real, whole, part, count):
    """And what is kept are Python's own, so that it can be compared, hashed and written as JSON."""
    share = part / 64  # which every kind of number holds
    asked = Ask.of(
        QUESTION, share=real(share), sharpness=real(share), mode="target_share", max_tokens=whole(count),
        temperature=real(share), top_k=whole(count), top_p=real(share), min_p=real(share),
        repeat_penalty=real(share + 1), seed=whole(count), gaze=np.bool_(True), readers=[(whole(count), whole(0))],
    )  # fmt: skip
    same = Ask.of(
        QUESTION, share=share, sharpness=share, mode="target_share", max_tokens=count, temperature=share, top_k=count,
        top_p=share, min_p=share, repeat_penalty=share + 1, seed=count, gaze=True, readers=((count, 0),),
    )  # fmt: skip
    assert (asked.sampling, asked.push, asked.readers) == (same.sampling, same.push, same.readers)
    assert all(plain(each) for each in (*vars(asked.sampling).values(), *vars(asked.push).values(), asked.readers))
    push = Push(strength=real(count), share=real(share))
    assert push == Push(strength=count, share=share)
    assert all(plain(each) for each in vars(push).values())
    facts = ModelFacts("Fake", "fake", 200, 200)
    heads = HeadSet(facts, [(whole(count), whole(1))], scores=[real(share)])
    assert heads == HeadSet(facts, [(count, 1)], scores=[share])
    assert plain(heads.heads)
    assert plain(heads.scores)
    assert Schedule((None,), whole(count)).every == count


@pytest.mark.parametrize(
    "wrong", [float("nan"), float("inf"), 10**400, Fraction(10**400), Decimal("sNaN"), np.float16("inf"), True, "1", 1j]
)
@pytest.mark.parametrize("name", ["strength", "max_tokens", "temperature", "top_k", "top_p", "repeat_penalty", "seed"])
def test_what_is_no_number_is_told_so(name, wrong):
    with pytest.raises(OptionError, match=rf"^{name}=.*expected a (whole )?number") as caught:
        Ask.of(QUESTION, **{name: wrong})
    assert len(str(caught.value)) < 200


@given(st.floats(0, LEAST_TEMPERATURE, exclude_max=True))
def test_temperatures_near_0_are_greedy(temperature):
    assert Sampling(temperature=temperature) == Sampling(temperature=0)


def test_other_temperatures_stay():
    assert Sampling(temperature=LEAST_TEMPERATURE).temperature == LEAST_TEMPERATURE
    assert Sampling(temperature=0.5).temperature == 0.5


def test_answers_tend_to_the_greedy_one(builtin):
    """None of them is empty."""
    scene = builtin.look(STRIP)
    greedy = scene.describe(at=Panel(2, 6), max_tokens=8).text
    assert greedy

    @settings(max_examples=25)
    @given(st.floats(0, 1e-4) | st.sampled_from([1e-5, 1e-20, 1e-38, 1e-45, 5e-324, LEAST_TEMPERATURE]))
    def same(temperature):
        assert scene.describe(at=Panel(2, 6), max_tokens=8, temperature=temperature).text == greedy

    same()


@pytest.mark.parametrize("stop", [None, [], (), set()])
def test_no_stop_texts(model, stop):
    assert model.describe(STRIP, stop=stop).text == model.describe(STRIP).text


@pytest.mark.parametrize("stop", [5, "", [""], [None], b"x", [b"x"], {"a": "b"}, "\ud800", ["a", 5]])
def test_stop_texts_that_are_none(stop):
    with pytest.raises(PromptError, match="stop"):
        Ask.of(QUESTION, stop=stop)


@pytest.mark.parametrize("at", [Panel(2, 6), Box(16, 0, 32, 16), Box.relative(0.17, 0, 0.33, 1), Point(20, 5), None])
def test_one_place_is_one_answer(model, at):
    scene = model.look(STRIP)
    (one,) = scene.describe_all(at)
    (same,) = scene.describe_all([at])
    assert one.text == same.text == scene.describe(at=at).text
    with scene.stream_all(at) as group:
        assert {place for place, _ in group} == {0}


def test_one_steering_is_one_answer(model, head_set):
    steering = Steering(head_set, Panel(2, 6))
    (one,) = model.look(STRIP).describe_all(steering)
    assert one.steering == steering


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ((1, 2, 30, 30), r"lookhere\.Box\(1, 2, 30, 30\)"),
        (5, "not a region"),
        ("left", "not a region"),
        ([Point(1, 1), 5], "not a region"),
    ],
)
def test_several_places_that_are_none(model, at, told):
    with pytest.raises(RegionError, match=told):
        model.look(STRIP).describe_all(at)


def test_describe_in_one_call(model):
    scene = model.look(STRIP)
    assert model.describe(STRIP, at=Panel(2, 6)).text == scene.describe(at=Panel(2, 6)).text
    answer = model.describe(STRIP, "What?", at=Panel(5, 6), system="Be brief.", max_tokens=3)
    assert (answer.prompt, len(answer.steps)) == ("What?", 3)


METHODS = {
    "Model.describe": lambda model, scene, options: model.describe(STRIP, **options),
    "Model.chat": lambda model, scene, options: model.chat(QUESTION, **options),
    "Model.stream_chat": lambda model, scene, options: model.stream_chat(QUESTION, **options),
    "Scene.describe": lambda model, scene, options: scene.describe(**options),
    "Scene.describe_all": lambda model, scene, options: scene.describe_all([None], **options),
    "Scene.stream": lambda model, scene, options: scene.stream(**options),
    "Scene.stream_all": lambda model, scene, options: scene.stream_all([None], **options),
    "Scene.ask": lambda model, scene, options: scene.ask(**options),
    "Ask.of": lambda model, scene, options: Ask.of(QUESTION, **options),
    "Walk.begin": lambda model, scene, options: Walk.begin(scene, Schedule((None,)), **options),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_keyword_is_blamed_on_the_method_that_was_called(model, method):
    scene = model.look(STRIP)
    told = f"{method}() got an unexpected keyword argument 'max_token'; did you mean 'max_tokens'?"
    with pytest.raises(TypeError, match=f"^{re.escape(told)}$"):
        METHODS[method](model, scene, {"max_token": 3})
    with pytest.raises(
        TypeError, match=rf"^{re.escape(method)}\(\) got an unexpected .* expected some of .*max_tokens"
    ):
        METHODS[method](model, scene, {"qqqqqqqq": 3})


def test_a_wrong_keyword_of_a_push(head_set):
    with pytest.raises(TypeError, match="strenght"):
        head_set.pushed(strenght=3)


def test_every_option_is_one_of_all_methods(model):
    """None is blamed where it is right."""
    right = {"strength": 3, "mode": "suppress_image", "max_tokens": 2, "top_k": 3, "zoom": False, "gaze": True}
    assert right.keys() <= set(OPTIONS)
    for method in METHODS.values():
        method(model, model.look(STRIP), right)


def test_changes_keep_pythons_numbers():
    assert PushChange(strength=np.float32(2)).given == {"strength": 2.0}
    assert type(PushChange(strength=np.float32(2)).strength) is float


def test_a_flag_is_a_flag(model):
    import threading

    with pytest.raises(OptionError, match=r"cancel=.*CancelFlag"):
        model.describe(STRIP, cancel=threading.Event())
    assert lookhere.CancelFlag().is_set() is False


def test_an_aim_of_another_image_is_refused(model):
    scene, other = model.look(STRIP), model.look(STRIP[:, :64])
    aim = other.aim(Panel(2, 6))
    with pytest.raises(RegionError, match=r"\(2, 4\).*\(2, 6\).*scene\.aim"):
        scene.stream(at=Panel(1, 6)).aim_with(aim)
    with pytest.raises(RegionError, match=r"scene\.aim"):
        scene.run(scene.ask(), aim=aim)


def test_relative_regions_are_steered_to_like_others(model):
    scene = model.look(STRIP)
    same = {scene.describe(at=at).text for at in (Panel(2, 6), Box.relative(1 / 6, 0, 2 / 6, 1), Box(16, 0, 32, 32))}
    assert len(same) == 1
    plan = Schedule.parse("box:17%,0,33%,100% point:95%,60%", every=30)
    assert plan.targets == (Box.relative(0.17, 0, 0.33, 1), Point.relative(0.95, 0.6))
    assert Walk.begin(scene, plan).answer().text == scene.describe(at=plan.targets[0]).text
