"""The batch engine: what is wanted at the same time is computed together, and nobody notices but the clock."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import Ask, CancelFlag, CancelledError, ImageError, Panel, Point, Steering
from lookhere.answers.group import Group
from lookhere.comics import generate_strip
from lookhere.kv.reader import BESIDE, PROMPT, ROWS, prompt_shares
from lookhere.lab.fluency import log_probabilities
from lookhere.lab.view import View


def picture(number, rows=2, cols=6):
    return np.full((rows * fake.PATCH, cols * fake.PATCH, 3), number, np.uint8)


def batches(model):
    return model.session.native.batches


@pytest.fixture
def other_heads(head_set):
    return replace(head_set, heads=((0, 0), (2, 1)))


def mixed(head_set, other_heads, count):
    """(an ask, what the fake engine answers): images, prompts, places and heads of every kind."""
    asks = []
    for number in range(count):
        rows, cols = 1 + number % 3, 2 + number % 5
        x, y = number % cols, number % rows
        at = None if number % 4 == 3 else Point(16 * x, 16 * y)
        if at and number % 2:
            queries = ("all", "after_image", "answer")[number % 3]
            at = Steering(other_heads if number % 4 == 1 else head_set, at, queries=queries)
        parts = [
            {"type": "image", "image": picture(number % 7, rows, cols)},
            {"type": "text", "text": "?" * (number % 9)},
        ]
        ask = Ask.of([{"role": "user", "content": parts}], at, gaze=number % 3 > 0, head_gaze=number % 5 == 0)
        asks.append((ask, fake.UNSTEERED if at is None else fake.steered_text(y, x)))
    return asks


def test_mixed_asks_are_answered_in_the_same_batches(engine, pair, head_set, other_heads):
    asks = mixed(head_set, other_heads, 40)
    with lookhere.load(pair[0], heads=head_set, context=8192) as model:
        answers = model.ask_all([ask for ask, _ in asks])
        assert [answer.text for answer in answers] == [text for _, text in asks]

        before = len(batches(model))
        flag = CancelFlag()  # without the thread that encodes, it is known who is there
        runs = [model.stream_chat(ask.messages, at=ask.at, cancel=flag) for ask, _ in asks]
        told = Group(model, runs, flag).answers()
        assert [answer.text for answer in told] == [text for _, text in asks]
        widths = [len(sequences) for kind, sequences, _ in batches(model)[before:] if kind == "text"]
        assert max(widths) == ROWS
        assert len(widths) < sum(len(answer.steps) + 1 for answer in told) / 4


def test_asks_come_as_they_end_and_the_next_begin(model):
    short, long = ({"max_tokens": count} for count in (2, 9))
    scene = model.look(picture(0))
    asks = [scene.ask("?" * k, **(short if k % 2 else long)) for k in range(2 * ROWS)]
    begun, ended = [], []
    with model.stream_asks(asks) as group:
        for place, step in group:
            if step.index == 0:
                begun.append((place, len(ended)))
            ended = [each for each, finish in enumerate(group.finishes) if finish]
    assert sorted(place for place, _ in begun) == list(range(2 * ROWS))
    assert all(waited > 0 for place, waited in begun if place >= ROWS)  # for a place that became free
    assert group.answers()[1].text == fake.UNSTEERED[:2]


def test_an_ask_that_fails_leaves_the_others(model, tmp_path):
    asks = [model.look(picture(k)).ask() for k in range(3)]
    bad = Ask.of([{"role": "user", "content": [{"type": "image", "image": str(tmp_path / "none.png")}]}])
    with pytest.raises(ImageError):
        model.ask_all([*asks, bad])
    told = model.ask_all([bad, *asks, bad], return_errors=True)
    assert [type(each) for each in told] == [ImageError, *[lookhere.Answer] * 3, ImageError]
    assert [each.text for each in told[1:4]] == [fake.UNSTEERED] * 3
    assert model.ask_all([]) == []
    with model.stream_asks([bad, *asks], return_errors=True) as group:
        assert {place for place, _ in group} == {1, 2, 3}
        assert list(group.errors) == [0]


@pytest.mark.parametrize("wrong", [None, 5, "ask", [5], [None]])
def test_what_are_no_asks_are_refused(model, wrong):
    with pytest.raises(lookhere.OptionError, match="expected a list of Ask values"):
        model.stream_asks(wrong)


def test_threads_are_computed_together_without_knowing(model, monkeypatch):
    """The engine is slow enough that all come back before the next batch."""
    count, plain = 8, fake.Session.decode_texts

    def slow(session, pieces, **options):
        threading.Event().wait(0.01)
        plain(session, pieces, **options)

    monkeypatch.setattr(fake.Session, "decode_texts", slow)
    scene = model.look(picture(0))
    begin = threading.Barrier(count)

    def ask(number):
        begin.wait(30)
        return scene.describe(at=Point(16 * (number % 6), 0)).text

    with ThreadPoolExecutor(count) as pool:
        texts = list(pool.map(ask, range(count)))
    assert texts == [fake.steered_text(0, number % 6) for number in range(count)]
    steps = [len(sequences) for kind, sequences, _ in batches(model) if kind == "text"]
    assert sum(steps) / len(steps) > count / 3  # far from one by one


def test_more_callers_than_the_cache_has_slots(model):
    """All are served, a few batches later."""
    count = 40
    scene = model.look(picture(0))
    begin = threading.Barrier(count)

    def ask(number):
        begin.wait(60)
        return scene.describe("?" * number, at=Point(16 * (number % 6), 0)).text

    with ThreadPoolExecutor(count) as pool:
        texts = list(pool.map(ask, range(count)))
    assert texts == [fake.steered_text(0, number % 6) for number in range(count)]


def test_two_runs_that_are_read_by_turns_wait_for_nobody(model):
    """One thread: the other run cannot come, and is not waited for."""
    scene = model.look(picture(0))
    for one, other in zip(scene.stream(), scene.stream(at=Point(0, 0)), strict=False):
        assert one.index == other.index
    assert model.session._waiting.expected == []


@contextmanager
def arriving(monkeypatch, after, begin):
    """Calls ``begin`` in the middle of a batch of an image, once so many were computed, and goes on when it says."""
    plain, seen = fake.Session.decode_images, []

    def decode_images(session, pieces, **options):
        plain(session, pieces, **options)
        seen.append(pieces)
        if len(seen) == after:
            begin()

    with monkeypatch.context() as patch:
        patch.setattr(fake.Session, "decode_images", decode_images)
        yield


def first_token(model, run, behind=None, monkeypatch=None):
    """Batches from when the next step is wanted until it is there. behind: a run whose prompt is being read."""
    counted, arrived = [], threading.Event()

    def read():
        request = run.request()
        with model.session._waiting.of([request]):
            counted.append(len(batches(model)))
            arrived.set()
            model.session.compute([request])
        counted.append(len(batches(model)))

    def begin():
        thread.start()
        assert arrived.wait(60)

    thread = threading.Thread(target=read)
    if behind is None:
        begin()
    else:
        with arriving(monkeypatch, 2, begin):
            next(behind)
    thread.join(60)
    run.close()
    return counted[1] - counted[0]


@pytest.mark.parametrize("rows", [1, 8, 16, 32])
@pytest.mark.parametrize("longer", [40, 60])
def test_a_long_prompt_holds_up_a_later_one_by_two_batches_at_most(engine, pair, head_set, monkeypatch, rows, longer):
    with lookhere.load(pair[0], heads=head_set, context=16384) as model:
        model.look(picture(9)).describe()
        alone = first_token(model, model.look(picture(2, rows, 32)).stream())
        long, later = model.look(picture(1, longer, 60)).stream(), model.look(picture(3, rows, 32)).stream()
        assert first_token(model, later, long, monkeypatch) <= alone + 2
        assert long.join().text == fake.UNSTEERED[1:]


def test_prompts_enter_in_small_pieces_beside_answers(engine, pair, head_set):
    """Nobody who answers waits for more than a piece of the prompt."""
    with lookhere.load(pair[0], heads=head_set, context=16384) as model:
        going = model.look(picture(0)).stream(max_tokens=20)
        long = model.look(picture(1, 30, 60)).stream(max_tokens=1)
        steps = list(Group(model, [going, long], CancelFlag()))
        kinds = batches(model)
        first = next(index for index, (kind, _, count) in enumerate(kinds) if kind == "text" and count < 3)
        pieces = [count for kind, _, count in kinds[first:] if kind == "image"]
        assert max(pieces) <= BESIDE
        assert sum(pieces) > 1000
        between = [index for index, (kind, _, _) in enumerate(kinds[first:]) if kind == "text"]
        assert max(later - one for one, later in pairwise(between)) <= 2
        assert len(steps) == 21


@given(st.lists(st.integers(1, 5000), max_size=20), st.sampled_from([BESIDE, PROMPT]))
def test_shares_of_a_batch(left, room):
    """All of the room is used, nobody gets more than is needed, the first a quarter at least, then the shortest."""
    shares = prompt_shares(left, room)
    assert sum(shares) == min(room, sum(left))
    assert all(0 <= share <= wanted for share, wanted in zip(shares, left, strict=True))
    if left:
        assert shares[0] >= min(left[0], room // 4)
    for one, two in zip(left, shares, strict=True):
        if two < one:  # not whole: then nobody longer got anything but the first's quarter
            assert all(other <= one or share == 0 for other, share in zip(left[1:], shares[1:], strict=True))


def test_a_place_is_free_within_a_batch_of_the_cancel(model):
    flag = CancelFlag()
    scene = model.look(picture(0))
    with model.stream_asks([scene.ask("?" * k) for k in range(ROWS)], cancel=flag) as group:
        for _ in range(ROWS + 3):
            next(group)
        flag.set()
        left = list(group)
    assert len(left) < ROWS
    assert set(group.finishes) == {"cancelled"}
    with pytest.raises(CancelledError):
        group.answers()
    assert scene.describe().text == fake.UNSTEERED


class Program:
    """One caller that begins, reads, moves, cancels and drops runs at random, and checks every step."""

    def __init__(self, model, heads, seed, steps):
        self.model, self.heads, self.random, self.left = model, heads, random.Random(seed), steps
        self.scenes = [model.look(picture(k, 3, 4)) for k in range(5)]

    def place(self):
        if self.random.random() < 0.2:
            return None, fake.UNSTEERED
        y, x = self.random.randrange(3), self.random.randrange(4)
        at = Point(16 * x, 16 * y)
        if self.random.random() < 0.6:
            at = Steering(
                self.random.choice(self.heads), at, queries=self.random.choice(["all", "after_image", "answer"])
            )
        return at, fake.steered_text(y, x)

    def __call__(self):
        runs = []
        while self.left > 0:
            chance = self.random.random()
            if not runs or (chance < 0.12 and len(runs) < 5):
                at, says = self.place()
                scene = self.random.choice(self.scenes)
                prompt = "?" * self.random.randrange(4)
                runs.append([scene.stream(prompt, at=at, max_tokens=15, gaze=self.random.random() < 0.5), says, 0])
                continue
            turn = run, says, index = self.random.choice(runs)
            if chance < 0.2 and run.finish is None:
                at, turn[1] = self.place()
                run.look_at(at)
            elif chance < 0.23:
                run.cancel()
                assert list(run) == []
                runs.remove(turn)
            elif chance < 0.25:
                runs.remove(turn)
            else:
                step = next(run, None)
                self.left -= 1
                if step is None:
                    assert run.finish in ("end", "length", "context")
                    runs.remove(turn)
                else:
                    assert step.text == says[index]
                    turn[2] += 1
        return True


@pytest.mark.parametrize("context", [256, 1024])
def test_random_arrivals_moves_cancels_and_evictions(engine, pair, head_set, other_heads, context):
    """Ten callers, 10,000 steps: each says what it would say alone. The small context holds a few prompts only."""
    with lookhere.load(pair[0], heads=head_set, context=context) as model, ThreadPoolExecutor(10) as pool:
        programs = [Program(model, (head_set, other_heads), seed, 500) for seed in range(10)]
        assert all(done.result(300) for done in [pool.submit(program) for program in programs])
        sizes = [len(sequences) for kind, sequences, _ in batches(model) if kind == "text"]
        assert max(sizes) > 2
        assert model.session.native.all_used() <= context


def mixed_asks(model, count):
    """Of the built-in model: strips, prompts, places, heads and kinds of every sort."""
    rng = random.Random(7)
    strips = [generate_strip(seed, panels=2 + seed % 5, panel_size=64) for seed in range(12)]
    scenes = [model.look(strip.image) for strip in strips]
    some = model.head_set.top(5)
    asks = []
    for _ in range(count):
        number = rng.randrange(len(strips))
        panels = len(strips[number].captions)
        prompt = rng.choice([None, None, "What is happening in this panel?", "Where is it?"])
        at = rng.choice([None, Panel(rng.randrange(panels) + 1, panels), Panel(rng.randrange(panels) + 1, panels)])
        push = rng.choice([{}, {}, {"strength": 3.0}, {"mode": "target_share", "share": 0.8}, {"queries": "all"}])
        if at is not None and rng.random() < 0.2:
            at, push = Steering(some, at), {}
        gaze = {"gaze": rng.random() < 0.5, "head_gaze": rng.random() < 0.2}
        asks.append(scenes[number].ask(prompt, at=at, max_tokens=12, **gaze, **(push if at is not None else {})))
    return asks


@pytest.fixture(scope="module")
def told_alone(builtin):
    """(asks, what the built-in model says to each alone)."""
    asks = mixed_asks(builtin, 200)
    return asks, [builtin.ask_all([ask])[0] for ask in asks]


def tie(ask, one, other):
    """By how many nats the first token that differs was less probable than the other, asked alone; where it is hardly
    any, the rounding of a batch's layout chooses, which depends on what was ready when."""
    at = [step.token != same.token for step, same in zip(one.steps, other.steps, strict=False)].index(True)
    view = View(ask.messages[-1].images[0].source, ask.prompt, one.steering)
    said = [[step.token for step in answer.steps[: at + 1]] for answer in (one, other)]
    first, second = log_probabilities(view, said)
    return abs(first - second)


def test_the_built_in_model_says_the_same_words_as_alone(builtin, told_alone):
    asks, alone = told_alone
    together = builtin.ask_all(asks)
    triples = list(zip(asks, alone, together, strict=True))
    ties = [triple for triple in triples if triple[1].text != triple[2].text]
    assert len(ties) <= 2, ties
    assert all(tie(*triple) < 0.01 for triple in ties), ties
    for ask, one, other in triples:
        for step, same in zip(one.steps, other.steps, strict=one.text == other.text):
            if step.token != same.token:
                break
            assert bool(step.gaze) == bool(same.gaze) == ask.gaze
            for here, there in zip(step.gaze, same.gaze, strict=True):
                assert np.abs(here - there).sum() < 0.05  # rounding makes 0.01; another image's or place's gaze 0.5


def test_the_built_in_model_among_arrivals_cancels_and_evictions(told_alone, gpu_layers):
    """Four callers, and a context that holds a few of the prompts: what is read begins as it does alone."""
    asked, alone = told_alone

    def caller(seed):
        rng = random.Random(seed)
        for _ in range(25):
            number, count = rng.randrange(len(asks)), rng.choice([1, 3, 12])
            run = asks[number].messages[-1].images[0].source.run(asks[number])
            said = SimpleNamespace(steps=[step for _, step in zip(range(count), run, strict=False)])
            same = [step.text for step in said.steps] == [step.text for step in alone[number].steps[:count]]
            assert same or tie(asked[number], alone[number], said) < 0.01
            if rng.random() < 0.5:
                run.cancel()
        return True

    with lookhere.load(context=768, gpu_layers=gpu_layers) as model, ThreadPoolExecutor(4) as pool:
        asks = mixed_asks(model, 200)  # the same ones
        assert all(pool.map(caller, range(4)))
