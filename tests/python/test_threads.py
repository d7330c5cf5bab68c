"""One model, several runs, several threads: a turn is one engine step, and every answer is that of one thread alone."""

import asyncio
import itertools
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lookhere import Panel
from lookhere.comics import generate_strip
from lookhere.kv.turns import Turns

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine
COUNTS = (1, 4, 16)


def together(count, work):
    """The results of work(0) .. work(count - 1), all begun at once, each in a thread of its own."""
    barrier = threading.Barrier(count)

    def begin(index):
        barrier.wait(timeout=60)
        return work(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


@pytest.fixture
def one_at_a_time(engine, monkeypatch):
    """Fails if two threads are in the engine's session at once; notes who called what, in order."""
    inside, order = threading.Lock(), []
    for name in ("decode_texts", "decode_images", "steer", "truncate", "logits", "attention"):
        plain = getattr(fake.Session, name)

        def alone(session, *args, _plain=plain, _name=name, **options):
            assert inside.acquire(blocking=False), f"two threads at once in {_name}"
            try:
                order.append((threading.get_ident(), _name))
                return _plain(session, *args, **options)
            finally:
                inside.release()

        monkeypatch.setattr(fake.Session, name, alone)
    return order


@pytest.mark.parametrize("count", COUNTS)
def test_answers_are_those_of_one_thread(one_at_a_time, model, count):
    scene = model.look(STRIP)
    one_at_a_time.clear()

    def ask(index):
        return [scene.describe(at=Panel((index + turn) % 6 + 1, 6)).text for turn in range(3)]

    expected = [[fake.steered_text(0, (index + turn) % 6) for turn in range(3)] for index in range(count)]
    assert together(count, ask) == expected
    # no step cuts into another: a row is read by the thread that computed it
    for (before, _), (reader, name) in itertools.pairwise(one_at_a_time):
        assert name not in ("logits", "attention") or reader == before


@pytest.mark.parametrize("count", COUNTS)
def test_each_thread_looks_at_an_image_of_its_own(model, count):
    def ask(index):
        scene = model.look(np.full((32, 16 * (index % 6 + 1), 3), index, np.uint8))
        last = scene.grids[0].cols - 1
        return scene.describe(at=Panel(last + 1, last + 1)).text == fake.steered_text(0, last)

    assert all(together(count, ask))


def test_turns_are_first_come_first_served():
    turns, order, arrived = Turns(), [], []

    def wait(index):
        with turns.take():
            order.append(index)

    with turns.take():
        threads = [threading.Thread(target=wait, args=(index,)) for index in range(12)]
        for index, thread in enumerate(threads):
            thread.start()
            while len(turns) < index + 2:  # it stands in the queue before the next one comes
                time.sleep(0.001)
            arrived.append(index)
    for thread in threads:
        thread.join(30)
    assert order == arrived
    assert len(turns) == 0


@pytest.mark.parametrize("waits", [0, 3])
def test_a_cancelled_caller_leaves_the_queue(engine, waits):
    turns, flag, outcome = Turns(), fake.CancelFlag(), []

    def wait(cancel):
        try:
            with turns.take(cancel):
                outcome.append("turn")
        except lookhere.CancelledError:
            outcome.append("cancelled")

    with turns.take():
        threads = [threading.Thread(target=wait, args=(flag if k == 0 else None,)) for k in range(1 + waits)]
        for index, thread in enumerate(threads):
            thread.start()
            while len(turns) < index + 2:
                time.sleep(0.001)
        flag.set()
        threads[0].join(30)
        assert outcome == ["cancelled"]
    for thread in threads:
        thread.join(30)
    assert outcome == ["cancelled", *["turn"] * waits]


def test_runs_stepped_by_turns_from_several_threads(model):
    """24 runs, 4 threads; a run goes from thread to thread, whoever takes it next."""
    scenes = [model.look(np.full((32, 16 * (index % 6 + 1), 3), index, np.uint8)) for index in range(8)]
    places = [scenes[index % 8].grids[0].cols - 1 for index in range(24)]
    runs = [scenes[index % 8].stream(at=Panel(col + 1, col + 1)) for index, col in enumerate(places)]
    assert step_by_turns(runs, threads=4) == [fake.steered_text(0, col) for col in places]


def step_by_turns(runs, threads):
    """The texts of runs that so many threads step, one step at a time, in any order."""
    texts, waiting = [""] * len(runs), queue.Queue()
    for index in range(len(runs)):
        waiting.put(index)

    def work(_):
        while True:
            try:
                index = waiting.get_nowait()
            except queue.Empty:
                return
            step = next(runs[index], None)
            if step is not None:
                texts[index] += step.text
                waiting.put(index)

    together(threads, work)
    return texts


def test_asyncio_tasks(model):
    """100 tasks, whose steps run in a pool of 4 threads: a reused worker is nobody's owner."""
    scene = model.look(STRIP)

    async def ask(index, pool):
        run, text = scene.stream(at=Panel(index % 6 + 1, 6)), ""
        while (step := await asyncio.get_running_loop().run_in_executor(pool, next, run, None)) is not None:
            text += step.text
        return text

    async def ask_all():
        with ThreadPoolExecutor(4) as pool:
            return await asyncio.gather(*(ask(index, pool) for index in range(100)))

    assert asyncio.run(ask_all()) == [fake.steered_text(0, index % 6) for index in range(100)]


def test_evicted_runs_go_on(engine, pair, head_set):
    """A context that holds one prompt and a half: each step evicts the other run, whose moves are made again."""
    with lookhere.load(pair[0], heads=head_set, context=256) as small:
        scenes = [small.look(np.full((112, 160), index, np.uint8)) for index in range(3)]
        runs = [scene.stream("", at=lookhere.Point(1, 1), max_tokens=12) for scene in scenes]
        texts = [""] * 3
        for index in range(12):
            for place, run in enumerate(runs):
                if index == 2:
                    run.look_at(lookhere.Point(17 + 16 * place, 17))
                texts[place] += next(run).text
        moved = [fake.steered_text(1, 1 + place) for place in range(3)]
        assert texts == [fake.steered_text(0, 0)[:2] + text[2:12] for text in moved]
        assert small.session.native.images > 3  # they were read again
        assert small.session.native.all_used() <= 256


def test_an_error_in_one_thread_does_not_stop_the_others(model, monkeypatch):
    scene = model.look(STRIP)

    def ask(index):
        if index % 2:
            with pytest.raises(lookhere.RegionError):
                scene.describe(at=lookhere.Point(96, 0))
            return None
        return scene.describe(at=Panel(index % 6 + 1, 6)).text

    assert together(4, ask) == [fake.steered_text(0, 0), None, fake.steered_text(0, 2), None]


def test_closing_meanwhile(engine, pair, head_set):
    model = lookhere.load(pair[0], heads=head_set)
    scene = model.look(STRIP)
    begun = threading.Event()

    def read():
        with scene.stream() as run:
            next(run)
            begun.set()
            wait_until_closed(model)
            with pytest.raises(lookhere.ClosedError):
                next(run)
            return run.finish

    def close():
        assert begun.wait(60)
        model.close()

    assert together(2, lambda index: (read, close)[index]())[0] == "cancelled"
    with pytest.raises(lookhere.ClosedError):
        scene.describe()


def wait_until_closed(model):
    for _ in range(6000):
        try:
            assert model.native
        except lookhere.ClosedError:
            return
        time.sleep(0.01)
    pytest.fail("the model is still open")


@contextmanager
def cells_that_know_what_acted():
    """The fake engine notes for every cell of its cache what its row was steered by, None for nothing."""
    plain, plain_images = fake.Session.decode, fake.Session.decode_images

    def acting(session, position):
        steering = session.steering
        if steering is None or position < steering["first_query"]:
            return None
        return tuple(int(span.bias.argmax()) for span in steering["spans"])

    def decode(session, tokens, *, sequence=0, outputs=(), cancel=None):
        for index, token in enumerate(tokens):
            plain(session, [token], sequence=sequence, outputs=[0] if index in outputs else (), cancel=cancel)
            cell = session.sequences[sequence][-1]
            session.__dict__.setdefault("acted", {})[id(cell)] = (cell, acting(session, cell[0]))

    def decode_images(session, pieces, *, cancel=None):
        plain_images(session, pieces, cancel=cancel)
        for sequence, *_ in pieces:
            session.last = sequence
            cell = session.sequences[sequence][-1]
            session.__dict__.setdefault("acted", {})[id(cell)] = (cell, acting(session, cell[0]))

    fake.Session.decode, fake.Session.decode_images = decode, decode_images
    try:
        yield
    finally:
        fake.Session.decode, fake.Session.decode_images = plain, plain_images


def check_rows(model, run, aims):
    """aims: what acted at each step so far; the first one on the prompt, the others on one token each."""
    native, sequence = model.session.native, run.sequence
    cells = native.sequences[sequence.slot]
    layout = sequence.layout
    prompt = sum(1 if isinstance(item, int) else len(item.parts) for item in layout.items)
    assert len(cells) == prompt + len(aims) - 1
    for index, cell in enumerate(cells):
        aim = aims[max(0, index - prompt + 1)]
        steered = aim is not None and cell[0] >= sequence.first_query(aim)
        expected = tuple(int(values.argmax()) for values in aim.values) if steered else None
        assert native.acted[id(cell)][1] == expected, (index, cell)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["begin", "step", "step", "step", "move", "close", "ask", "several"]), st.integers(0, 9)
        ),
        max_size=60,
    ),
    st.sampled_from([128, 256, 512]),
    st.sampled_from(["answer", "after_image", "all"]),
)
@example([("begin", 0), ("step", 0), ("begin", 6), ("step", 1)], 512, "all")  # one prompt, two aims
@example([("begin", 0), ("step", 0), ("close", 0), ("begin", 6), ("step", 1)], 512, "after_image")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_any_order_of_steps_moves_and_ends(engine, pair, head_set, program, context, queries):
    """Runs about several images and prompts in a cache that is too small for them: every step is what it is alone, and
    every row that it sees was read under the aim that it had then."""
    with (
        cells_that_know_what_acted(),
        lookhere.load(pair[0], heads=replace(head_set, queries=queries), context=context) as model,
    ):
        scenes = [model.look(np.full((48, 64), value, np.uint8)) for value in range(3)]  # 3 x 4 tokens
        runs = []  # (run, the place that it looks at)
        for what, number in program:
            place = None if number == 9 else (number % 3, number % 4)
            at = place and lookhere.Point(16 * place[1], 16 * place[0])
            expected = fake.steered_text(*place) if place else fake.UNSTEERED
            if what == "begin":
                runs.append([scenes[number % 3].stream("?" * (number % 2), at=at, max_tokens=15), expected, 0, []])
            elif what == "ask":
                assert scenes[number % 3].describe("", at=at, max_tokens=4).text == expected[:4]
            elif what == "several":
                told = scenes[number % 3].describe_all([at, None, at], "", max_tokens=2)
                assert [each.text for each in told] == [expected[:2], fake.UNSTEERED[:2], expected[:2]]
            elif runs:
                run, says, index, _ = turn = runs[number % len(runs)]
                if run.finish is not None:
                    continue
                if what == "step":
                    assert next(run).text == says[index]
                    turn[2] += 1
                    turn[3].append(run.aim)
                    check_rows(model, run, turn[3])
                elif what == "move":
                    run.look_at(at)
                    turn[1] = expected
                else:
                    run.close()
        if model.session.context:
            assert model.session.native.all_used() <= model.session.context


@pytest.fixture(scope="module")
def strip(builtin):
    strip = generate_strip(7, split="held_out", style="colour")
    scene = builtin.look(strip.image)
    return scene, [answer(scene, panel) for panel in range(6)]


def answer(scene, panel):
    found = scene.describe(at=Panel(panel + 1, 6), max_tokens=8)
    return found.text, [step.token for step in found.steps], found.gaze[0]


@pytest.mark.parametrize("count", COUNTS)
def test_the_built_in_model(strip, count):
    """Words and tokens are the same whoever asked before; gaze but for rounding, which depends on where in the cache
    the keys lie."""
    scene, alone = strip
    for index, (text, tokens, gaze) in enumerate(together(count, lambda index: answer(scene, index % 6))):
        assert (text, tokens) == alone[index % 6][:2]
        np.testing.assert_allclose(gaze, alone[index % 6][2], atol=2e-4)


def test_24_runs_of_the_built_in_model(builtin):
    """Stepped by turns from 4 threads, about several images, steered, unsteered, and moved mid-answer."""
    strips = [generate_strip(seed, split="held_out", style="colour") for seed in range(4)]
    scenes = [builtin.look(strip.image) for strip in strips]
    asked = [(scenes[index % 4], None if index % 7 == 6 else Panel(index % 6 + 1, 6)) for index in range(24)]
    alone = [scene.describe(at=at).text for scene, at in asked]
    assert step_by_turns([scene.stream(at=at) for scene, at in asked], threads=4) == alone
    assert sum(at is not None and text == strips[index % 4].captions[at.col - 1]
               for index, ((_, at), text) in enumerate(zip(asked, alone, strict=True))) >= 19  # fmt: skip


def test_100_tasks_of_the_built_in_model(builtin):
    scene = builtin.look(generate_strip(7, split="held_out", style="colour").image)
    alone = [scene.describe(at=Panel(panel, 6), max_tokens=4).text for panel in range(1, 7)]

    async def ask_all():
        return await asyncio.gather(
            *(asyncio.to_thread(scene.describe, at=Panel(index % 6 + 1, 6), max_tokens=4) for index in range(100))
        )

    assert [each.text for each in asyncio.run(ask_all())] == [alone[index % 6] for index in range(100)]


def test_an_evicted_answer_of_the_built_in_model_goes_on(builtin, gpu_layers):
    """With a context for one prompt, two runs read each other out at every step; what moved stays moved."""
    strips = [generate_strip(seed, split="held_out", style="colour") for seed in (1, 2)]

    def told(model, by_turns):
        scenes = [model.look(strip.image) for strip in strips]
        runs = [scene.stream(at=Panel(2, 6), max_tokens=14) for scene in scenes]
        texts = ["", ""]
        order = [0, 1] * 14 if by_turns else [0] * 14 + [1] * 14
        for place in order:
            step = next(runs[place], None)
            if step is None:
                continue
            texts[place] += step.text
            if step.index == 1 and runs[place].finish is None:
                runs[place].look_at(Panel(5, 6))
        return texts

    with lookhere.load(context=256, gpu_layers=gpu_layers) as small:
        assert told(small, by_turns=True) == told(builtin, by_turns=False)
