"""A scene is asked: answers, streams, moving the gaze, cancelling, reuse."""

import itertools
import threading

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import Box, Panel, Point, Steering

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine


@pytest.fixture
def scene(model):
    return model.look(STRIP)


def test_unsteered_and_steered(scene):
    assert scene.describe().text == fake.UNSTEERED
    assert scene.describe(at=Box(80, 16, 96, 32)).text == fake.steered_text(1, 5)
    assert scene.describe(at=Point(17, 3)).text == fake.steered_text(0, 1)
    assert scene.describe(at=Panel(3, 6)).text == fake.steered_text(0, 2)


def test_describe_joins_stream(scene):
    with scene.stream(at=Point(17, 3)) as run:
        steps = list(run)
    answer = scene.describe(at=Point(17, 3))
    assert "".join(step.text for step in steps) == answer.text == str(answer)
    assert [step.index for step in steps] == list(range(len(steps)))
    assert run.finish == answer.finish == "end"
    assert answer.prompt == scene.model.prompt


def test_the_very_next_token_obeys(scene):
    with scene.stream(at=Point(0, 0)) as run:
        texts = []
        for step in run:
            texts.append(step.text)
            if step.index == 3:
                run.look_at(Point(90, 20))
    first, second = fake.steered_text(0, 0), fake.steered_text(1, 5)
    assert "".join(texts) == first[:4] + second[4:]


def test_look_at_before_the_first_step_and_none(scene):
    run = scene.stream()
    run.look_at(Point(90, 20))
    assert next(run).text == "r"
    run.look_at(None)
    assert next(run).text == fake.UNSTEERED[1]
    run.close()
    with pytest.raises(lookhere.ClosedError):
        run.look_at(Point(0, 0))


def test_gaze_is_one_map_per_grid(scene, head_set):
    step = next(scene.stream(at=Point(0, 0), steered_gaze=True, head_gaze=True))
    (gaze,), (acted,), (single,) = step.gaze, step.steered_gaze, step.head_gaze
    assert gaze.shape == acted.shape == (2, 6)
    assert gaze.dtype == np.float32
    assert single.shape == (len(head_set.heads), 2, 6)
    # the fake head (layer, head) looks at token layer + head
    assert np.allclose(single.reshape(2, 12).argmax(axis=1), [1, 4])
    assert np.allclose(gaze, single.mean(axis=0))
    assert acted.argmax() == 0
    answer = scene.describe(at=Point(0, 0))
    assert np.allclose(answer.gaze[0], gaze)
    assert scene.describe(gaze=False).gaze == ()


def test_a_steering_is_an_answer_to_at(scene, head_set):
    steering = Steering(head_set, Point(90, 20), strength=2, mode="suppress_image")
    answer = scene.describe(at=steering)
    assert answer.text == fake.steered_text(1, 5)
    assert answer.steering == steering
    assert scene.describe(at=Point(0, 0), strength=3).steering.strength == 3


@pytest.mark.parametrize(
    ("queries", "first"), [("all", 0), ("after_image", "image_end"), ("answer", -1), ("generated", 0)]
)
def test_queries_become_positions(scene, head_set, queries, first):
    next(scene.stream(at=Steering(head_set, Point(0, 0), queries=queries)))
    native = scene.model.session.native
    prompt_end = native.steering["prompt_end"]
    assert prompt_end == native.position(native.last)  # nothing generated is in the cache yet
    prefix = len("<user\n")  # im_start is one token
    expected = {"all": 0, "after_image": prefix + 6 + 2, "answer": prompt_end - 1, "generated": prompt_end}[queries]
    assert native.steering["first_query"] == expected
    assert native.steering["spans"][0].position == prefix + 1  # after vision_start


def test_modes_become_biases(scene, head_set):
    for mode, prompt, generated in (
        ("boost_suppress", 0, 0), ("suppress_image", 0, 0), ("suppress_all", -5, 0), ("max_suppress_all", -5, -5),
    ):  # fmt: skip
        next(scene.stream(at=Steering(head_set, Point(0, 0), mode=mode)))
        steering = scene.model.session.native.steering
        assert (steering["prompt_bias"], steering["generated_bias"]) == (prompt, generated)
        assert steering["spans"][0].bias[0, 0] == (5 if mode == "boost_suppress" else 0)
        assert steering["spans"][0].bias[1, 1] == -5


def test_generated_queries_leave_the_first_token_alone(scene, head_set):
    answer = scene.describe(at=Steering(head_set, Point(0, 0), queries="generated"))
    assert answer.text == fake.UNSTEERED[0] + fake.steered_text(0, 0)[1:]


def test_max_tokens_stop_and_context(scene, engine, pair, head_set):
    assert scene.describe(max_tokens=3).text == fake.UNSTEERED[:3]
    assert scene.describe(max_tokens=3).finish == "length"
    answer = scene.describe(stop=["in part"])
    assert answer.text == "nothing "
    assert answer.finish == "stop"
    # a character of two bytes cut in half by max_tokens is still text
    whole = fake.steered_text(0, 0).encode()
    assert scene.describe(at=Point(0, 0), max_tokens=len(whole) - 1).text.endswith("\ufffd")
    prompt = scene.describe().prompt_tokens
    with lookhere.load(pair[0], heads=head_set, context=prompt + 4) as small:
        answer = small.look(STRIP).describe()
        assert answer.finish == "context"
        assert len(answer.steps) == 5  # the last one needs no room
        with pytest.raises(lookhere.ContextError, match="holds"):
            small.look(STRIP).describe("a much longer question " * 3)
        with pytest.raises(lookhere.ContextError, match="image takes"):
            small.look(np.zeros((320, 320), np.uint8))


def test_closing_cancels_and_the_model_is_usable(scene):
    with scene.stream() as run:
        next(run)
    assert run.finish == "cancelled"
    assert list(run) == []
    assert scene.describe().text == fake.UNSTEERED
    run = scene.stream()
    next(run)
    del run  # a forgotten run lets go, too
    assert scene.describe().text == fake.UNSTEERED


def test_cancel_from_another_thread(scene):
    run = scene.stream()
    next(run)
    threading.Thread(target=run.cancel).start()
    steps = list(run)
    assert run.finish in ("cancelled", "end")
    cancelled = scene.stream()
    cancelled.cancel()
    assert list(cancelled) == []
    assert cancelled.finish == "cancelled"
    assert len(steps) <= len(fake.UNSTEERED)


def test_one_thread_reads_several_answers_by_turns(scene):
    places = [None, *(Point(16 * x, 0) for x in range(6))]
    runs = [scene.stream(at=place) for place in places]
    texts = [""] * len(runs)
    for steps in itertools.zip_longest(*runs):
        for place, step in enumerate(steps):
            texts[place] += step.text if step else ""
        assert scene.describe(at=Point(90, 20)).text == fake.steered_text(1, 5)  # a whole one in between
    assert texts == [fake.UNSTEERED, *(fake.steered_text(0, x) for x in range(6))]


def test_a_call_from_inside_a_step_is_refused_because_it_could_never_get_its_turn(scene, monkeypatch):
    decode = fake.Session.decode

    def nested(session, *args, **options):
        decode(session, *args, **options)
        monkeypatch.setattr(fake.Session, "decode", decode)
        with pytest.raises(lookhere.BusyError, match="inside the step"):
            scene.describe()

    monkeypatch.setattr(fake.Session, "decode", nested)
    assert scene.describe().text == fake.UNSTEERED
    assert fake.Session.decode is decode


def test_threads_take_turns(scene):
    answers = {}

    def ask(index):
        answers[index] = scene.describe(at=Panel(index + 1, 6)).text

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {index: fake.steered_text(0, index) for index in range(6)}


def test_a_thread_of_an_image(model):
    assert model.look(np.zeros((1, 200), np.uint8)).grids
    with pytest.raises(lookhere.ImageError, match="201 x 1 pixels"):
        model.look(np.zeros((1, 201), np.uint8))


def test_a_closed_model_says_so(engine, pair, head_set):
    model = lookhere.load(pair[0], heads=head_set)
    scene = model.look(STRIP)
    run = scene.stream()
    next(run)
    model.close()
    model.close()
    with pytest.raises(lookhere.ClosedError):
        next(run)
    for use in (lambda: model.look(STRIP), scene.describe, scene.stream):
        with pytest.raises(lookhere.ClosedError):
            use()


def test_no_head_set(engine, pair):
    with lookhere.load(pair[0]) as model:
        scene = model.look(STRIP)
        answer = scene.describe()
        assert answer.text == fake.UNSTEERED
        assert answer.gaze == ()
        with pytest.raises(lookhere.HeadSetMissingError, match="--heads"):
            scene.describe(at=Point(0, 0))


@pytest.mark.parametrize(
    "options",
    [
        {"max_tokens": 0}, {"max_tokens": 1.5}, {"temperature": -1}, {"temperature": float("nan")}, {"top_k": -1},
        {"top_p": 2}, {"min_p": -0.1}, {"seed": -1}, {"seed": 2**32}, {"repeat_penalty": 0},
        {"strength": -1, "at": Point(0, 0)}, {"strength": float("inf"), "at": Point(0, 0)},
    ],
)  # fmt: skip
def test_options_out_of_range(scene, options):
    with pytest.raises(lookhere.OptionError, match="expected"):
        scene.describe(**options)


@pytest.mark.parametrize(("prompt", "options"), [("\ud800", {}), (7, {}), ("x", {"stop": ""}), ("x", {"stop": [3]})])
def test_prompts_that_are_no_text(scene, prompt, options):
    with pytest.raises(lookhere.PromptError, match="expected"):
        scene.describe(prompt, **options)


def test_moving_keeps_how_it_was_steered(scene, head_set):
    with scene.stream(strength=3) as run:
        run.look_at(Point(0, 0))
        assert run.steering.strength == 3
    with scene.stream(at=Steering(head_set, Point(0, 0), strength=9, mode="suppress_all")) as run:
        next(run)
        run.look_at(None)
        run.look_at(Point(90, 20))
        assert (run.steering.strength, run.steering.mode) == (9, "suppress_all")
        run.look_at(Steering(head_set, Point(0, 0)))
        assert (run.steering.strength, run.steering.mode) == (5, "boost_suppress")
