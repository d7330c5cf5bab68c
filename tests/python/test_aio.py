"""Tasks of asyncio and trio: the answers, errors and batches of the sync methods, and an end within one batch."""

import contextlib
import copy
import gc
import importlib.util
import inspect
import pickle
import sys
import threading
import time
import typing

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import CancelFlag, Panel
from lookhere.aio.group import AsyncGroup
from lookhere.aio.run import AsyncRun
from lookhere.aio.walk import AsyncWalk
from lookhere.answers.group import Group
from lookhere.answers.run import Run
from lookhere.comics import generate_strip
from lookhere.schedule import Schedule, Walk

anyio = pytest.importorskip("anyio")

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine
MESSAGES = [{"role": "user", "content": [{"type": "image", "image": STRIP}, {"type": "text", "text": "What?"}]}]


@pytest.fixture(params=["asyncio", "trio"])
def run_async(request):
    """Runs an async function to its end, within a minute."""
    pytest.importorskip(request.param)

    async def in_time(work, args):
        with anyio.fail_after(60):
            return await work(*args)

    return lambda work, *args: anyio.run(in_time, work, args, backend=request.param)


async def gathered(works):
    """The results of async functions that run side by side."""
    found = [None] * len(works)

    async def keep(index, work):
        found[index] = await work()

    async with anyio.create_task_group() as group:
        for index, work in enumerate(works):
            group.start_soon(keep, index, work)
    return found


class Slow:
    """Batches of the fake engine that wait to be let go, and end when their flag is raised, as the engine's do."""

    def __init__(self, monkeypatch, name):
        self.inside, self.go, self.cancelled = threading.Event(), threading.Event(), 0
        plain = getattr(fake.Session, name)

        def slow(session, pieces, *, cancel=None):
            self.inside.set()
            while not self.go.wait(0.002):
                if cancel is not None and cancel.is_set():
                    self.cancelled += 1
                    raise fake.Cancelled("cancelled")
            return plain(session, pieces, cancel=cancel)

        monkeypatch.setattr(fake.Session, name, slow)

    async def begun(self):
        while not self.inside.is_set():
            await anyio.sleep(0.002)


# --- one surface -----------------------------------------------------------------------------------------------------

TWINS = [(Run, AsyncRun), (Group, AsyncGroup), (Walk, AsyncWalk)]
RETURNED = {"Run": "AsyncRun", "Group": "AsyncGroup", "Walk": "AsyncWalk"}

AT_ONCE = {
    "ask", "steering", "aim", "cover", "coverage", "target", "frame", "of",  # arithmetic
    "answer", "said",  # of a Walk: what was said, joined
    "unload_after", "zoomed", "encode", "tokenized",  # what zoom and look are made of
}  # fmt: skip
"""Methods that need no twin: they do not wait for the engine."""

STREAMS = {"astream", "astream_all", "astream_chat", "astream_asks", "arun", "abegin"}
"""Give what is read bit by bit, so that ``async for`` takes it as it is."""


def methods(kind):
    return {
        name: each for name, each in inspect.getmembers(kind)
        if not name.startswith("_") and (inspect.isfunction(each) or inspect.ismethod(each))
    }  # fmt: skip


def shape(function):
    """What a caller may write: names, kinds, defaults and types of the parameters."""
    return [
        (each.name, each.kind, each.default, each.annotation)
        for each in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("kind", [lookhere.Model, lookhere.Scene, lookhere.TextScene])
def test_every_method_that_computes_has_a_twin(kind):
    known = methods(kind)
    twins = {name for name in known if name.startswith("a") and name[1:] in known}
    assert {name for name in known if f"a{name}" not in known} - twins - AT_ONCE == set()
    assert twins >= {"adescribe"}
    for name in twins:
        twin, sync = known[name], known[name[1:]]
        assert shape(twin) == shape(sync), name
        returned = inspect.signature(sync).return_annotation
        assert inspect.signature(twin).return_annotation == RETURNED.get(returned, returned)
        assert inspect.iscoroutinefunction(twin) == (name not in STREAMS)
        assert typing.get_overloads(twin) == [] or len(typing.get_overloads(twin)) == len(typing.get_overloads(sync))


def test_a_schedule_has_a_twin():
    assert shape(Walk.abegin) == shape(Walk.begin)


@pytest.mark.parametrize(("sync", "twin"), TWINS)
def test_what_is_read_bit_by_bit_has_the_same_methods(sync, twin):
    names = {"aclose" if name == "close" else name for name in methods(sync)}
    ours = {"begin", "abegin", "request", "outcome", "submit"}  # what begins them, and steps a run for others
    assert names - ours == set(methods(twin))
    for name in names - ours - {"aclose"}:
        assert shape(getattr(sync, name)) == shape(getattr(twin, name)), name
    known, told = (
        {name for name, each in inspect.getmembers(kind) if isinstance(each, property)} for kind in (sync, twin)
    )
    assert known <= told


# --- the same answers ------------------------------------------------------------------------------------------------


def test_answers_are_those_of_the_sync_methods(model, run_async):
    scene, text = model.look(STRIP), model.look(lookhere.Text("One.\n\nTwo."))
    places = [Panel(1, 6), None, [Panel(2, 6), Panel(3, 6)]]
    asks = [scene.ask(at=Panel(4, 6)), text.ask("What?"), scene.ask(max_tokens=3)]

    async def work():
        seen = await model.alook(STRIP)
        assert (await seen.adescribe(at=Panel(2, 6))) == scene.describe(at=Panel(2, 6))
        assert (await model.adescribe(STRIP, "What?", system="Be brief.")) == model.describe(
            STRIP, "What?", system="Be brief."
        )
        assert (await scene.adescribe_all(places)) == scene.describe_all(places)
        assert (await text.adescribe(at=lookhere.Paragraph(2))) == text.describe(at=lookhere.Paragraph(2))
        assert (await model.achat(MESSAGES, at=Panel(3, 6))) == model.chat(MESSAGES, at=Panel(3, 6))
        assert (await model.aask_all(asks)) == model.ask_all(asks)
        assert (await model.arun(asks[0]).join()) == model.run(asks[0]).join()
        assert (await model.aimage_tokens(STRIP)) == model.image_tokens(STRIP)
        small = await scene.azoom(lookhere.Point(5, 5))
        assert small.part == scene.zoom(lookhere.Point(5, 5)).part
        zoomed = {"at": lookhere.Point(5, 5), "zoom": True}
        assert (await scene.adescribe(**zoomed)) == scene.describe(**zoomed)

    run_async(work)


def test_streams_are_those_of_the_sync_methods(model, run_async):
    scene = model.look(STRIP)
    places = [Panel(1, 6), None]

    async def work():
        async with scene.astream(at=Panel(2, 6), head_gaze=True) as run:
            assert run.steering == scene.steering(Panel(2, 6))
            steps = [step async for step in run]
            assert run.finish == "end"
            assert run.answer(steps) == scene.describe(at=Panel(2, 6), head_gaze=True)
            assert [step async for step in run] == []
        assert [step async for step in model.astream_chat(MESSAGES)] == list(model.stream_chat(MESSAGES))
        texts = ["", ""]
        async with scene.astream_all(places) as group:
            async for place, step in group:
                texts[place] += step.text
            assert group.finishes == ("end", "end")
        assert texts == [each.text for each in scene.describe_all(places)]
        begun = model.astream_asks([scene.ask(at=place) for place in places])
        first = [await anext(begun) for _ in range(3)]
        answers = await begun.answers()
        assert answers == scene.describe_all(places)
        assert all(answers[place].steps[step.index] == step for place, step in first)

    run_async(work)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_more_asks_than_rows(model, run_async, count):
    """The next begins as one ends, and what fails ends the others, or does not."""
    scene = model.look(STRIP)
    asks = [scene.ask(at=Panel(index % 6 + 1, 6), max_tokens=5 + index % 7) for index in range(count)]
    asks[count // 2] = scene.ask(at=lookhere.Point(96, 0))  # outside

    async def work():
        with pytest.raises(lookhere.RegionError, match="96"):
            await model.aask_all(asks)
        found = await model.aask_all(asks, return_errors=True)
        assert isinstance(found.pop(count // 2), lookhere.RegionError)
        assert found == model.ask_all([ask for ask in asks if ask is not asks[count // 2]])
        assert await model.aask_all([]) == []

    run_async(work)


def test_the_gaze_moves_with_the_next_token(model, run_async):
    scene = model.look(STRIP)

    async def work():
        async with scene.astream(at=Panel(1, 6)) as run, scene.astream(at=Panel(6, 6)) as other:
            begun = [await anext(run) for _ in range(5)]
            aim = await other.aim_for(Panel(2, 6))
            await run.look_at(Panel(3, 6))
            await other.aim_with(aim)
            text = "".join([step.text for step in begun] + [step.text async for step in run])
            assert text == fake.steered_text(0, 0)[:5] + fake.steered_text(0, 2)[5:]
            assert "".join([step.text async for step in other]) == fake.steered_text(0, 1)
            with pytest.raises(lookhere.ClosedError, match="has ended"):
                await run.look_at(None)
            with pytest.raises(lookhere.RegionError):
                await scene.astream().look_at(lookhere.Point(96, 0))

    run_async(work)


def test_a_schedule_is_walked(model, run_async):
    scene, schedule = model.look(STRIP), Schedule((Panel(4, 6), None, Panel(2, 6)), 3)

    async def work():
        walk, same = Walk.abegin(scene, schedule), Walk.begin(scene, schedule)
        assert [each async for each in walk] == list(same)
        assert walk.said() == same.said()
        assert walk.finish == same.finish
        assert (
            await Walk.abegin(scene, schedule, max_tokens=4).answer()
            == Walk.begin(scene, schedule, max_tokens=4).answer()
        )

    run_async(work)


# --- many tasks, one batch -------------------------------------------------------------------------------------------


def test_100_tasks_share_batches_that_one_thread_computes(engine, pair, head_set, run_async, monkeypatch):
    threads = set()
    plain = fake.Session.decode_texts

    def noted(session, pieces, *, cancel=None):
        threads.add(threading.current_thread().name)
        return plain(session, pieces, cancel=cancel)

    monkeypatch.setattr(fake.Session, "decode_texts", noted)
    with lookhere.load(pair[0], heads=head_set) as model:
        scenes = [model.look(np.full((32, 96, 3), value, np.uint8)) for value in range(4)]

        async def work(index):
            scene, at = scenes[index % 4], Panel(index % 6 + 1, 6)
            if index % 2:
                return (await scene.adescribe(at=at)).text
            return "".join([step.text async for step in scene.astream(at=at)])

        texts = run_async(gathered, [lambda index=index: work(index) for index in range(100)])
        assert texts == [fake.steered_text(0, index % 6) for index in range(100)]
        assert threads == {"lookhere-step"}
        rows = [len(set(sequences)) for kind, sequences, _ in model.session.native.batches if kind == "text"]
        assert max(rows) >= 16
        alone = sum(len(text) + 1 for text in texts)  # batches that one after another would take
        assert len(rows) < alone / 4


def test_tasks_and_threads_share_batches(model, run_async):
    scene = model.look(STRIP)
    texts = []
    work = [threading.Thread(target=lambda k=k: texts.append(scene.describe(at=Panel(k, 6)).text)) for k in range(1, 7)]
    for thread in work:
        thread.start()
    mine = run_async(gathered, [lambda k=k: scene.adescribe(at=Panel(k, 6)) for k in range(1, 7)])
    for thread in work:
        thread.join(60)
    expected = [fake.steered_text(0, col) for col in range(6)]
    assert sorted(texts) == sorted(expected)
    assert [each.text for each in mine] == expected


def test_the_thread_ends_when_it_is_idle(model, run_async, monkeypatch):
    monkeypatch.setattr("lookhere.kv.stepper._IDLE", 0.01)

    def threads():
        return [each for each in threading.enumerate() if each.name == "lookhere-step"]

    for _ in range(2):
        assert run_async(model.look(STRIP).adescribe).text == fake.UNSTEERED
        until = time.monotonic() + 30
        while threads():
            assert time.monotonic() < until
            time.sleep(0.005)


def test_the_event_loop_goes_on_meanwhile(model, run_async, monkeypatch):
    slow = Slow(monkeypatch, "decode_texts")

    async def work():
        async with anyio.create_task_group() as group:
            group.start_soon(model.look(STRIP).adescribe)
            await slow.begun()
            for _ in range(20):
                await anyio.sleep(0.001)
            slow.go.set()

    run_async(work)


# --- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["adescribe", "astream", "adescribe_all", "achat"])
@pytest.mark.parametrize("batch", ["decode_images", "decode_texts"])
def test_a_cancelled_task_ends_the_engine_within_one_batch(model, run_async, monkeypatch, what, batch):
    """Within the prompt (of images and texts) and the answer alike."""
    scene, slow = model.look(STRIP), None
    calls = {
        "adescribe": lambda: scene.adescribe(at=Panel(2, 6)),
        "astream": lambda: anext(scene.astream(at=Panel(2, 6))),
        "adescribe_all": lambda: scene.adescribe_all([Panel(2, 6)]),
        "achat": lambda: model.achat(MESSAGES),
    }

    async def work():
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:

                async def call():
                    await calls[what]()

                group.start_soon(call)
                await slow.begun()
                scope.cancel()
        assert scope.cancelled_caught
        while not slow.cancelled:
            await anyio.sleep(0.002)

    for _ in range(2):
        with monkeypatch.context() as patched:
            slow = Slow(patched, batch)
            run_async(work)
            assert slow.cancelled == 1
    assert scene.describe(at=Panel(2, 6)).text == fake.steered_text(0, 1)
    assert run_async(calls["adescribe"]).text == fake.steered_text(0, 1)


def test_a_cancelled_task_leaves_the_others_alone(model, run_async, monkeypatch):
    """Both are in the batch, which goes on; the next one has the other alone."""
    slow = Slow(monkeypatch, "decode_texts")
    scene = model.look(STRIP)

    async def work():
        texts = []

        async def other():
            texts.append((await scene.adescribe(at=Panel(4, 6))).text)

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as inner:

                    async def mine():
                        await scene.adescribe(at=Panel(2, 6), max_tokens=5000)

                    group.start_soon(other)
                    inner.start_soon(mine)
                    await slow.begun()
                    await anyio.sleep(0.01)
                    scope.cancel()
            slow.go.set()
        assert texts == [fake.steered_text(0, 3)]

    run_async(work)
    assert slow.cancelled == 0


def test_a_task_that_is_cancelled_while_an_image_is_encoded(model, run_async, monkeypatch):
    inside, ended = threading.Event(), threading.Event()

    def encode(projector, pixels, cancel=None):
        inside.set()
        while not cancel.is_set():
            time.sleep(0.002)
        ended.set()
        raise fake.Cancelled("cancelled")

    async def work(call):
        with anyio.move_on_after(60) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(call)
                while not inside.is_set():
                    await anyio.sleep(0.002)
                scope.cancel()
        assert scope.cancelled_caught
        while not ended.is_set():
            await anyio.sleep(0.002)

    for call in (lambda: model.alook(STRIP), lambda: model.achat(MESSAGES), lambda: model.adescribe(STRIP)):
        inside.clear()
        ended.clear()
        with monkeypatch.context() as patched:
            patched.setattr(fake.Projector, "encode", encode)
            run_async(work, call)
    assert run_async(model.adescribe, STRIP).text == fake.UNSTEERED


def test_timeouts_leave_the_model_usable(model, run_async, monkeypatch):
    scene = model.look(STRIP)

    async def work():
        with monkeypatch.context() as patched:
            slow = Slow(patched, "decode_texts")
            with pytest.raises(TimeoutError), anyio.fail_after(0.05):
                await scene.adescribe()
            with anyio.move_on_after(0.05):
                async for _ in scene.astream():
                    pass
            slow.go.set()
        assert (await scene.adescribe()).text == fake.UNSTEERED

    run_async(work)


@pytest.mark.parametrize("what", ["run", "group", "walk"])
@pytest.mark.parametrize("way", ["break", "with", "aclosing", "raise"])
def test_leaving_early_frees_the_place(model, run_async, what, way):
    scene = model.look(STRIP)
    makers = {
        "run": lambda: scene.astream(max_tokens=5000),
        "group": lambda: scene.astream_all([None, Panel(2, 6)], max_tokens=5000),
        "walk": lambda: Walk.abegin(scene, Schedule((Panel(2, 6),), 500)),
    }

    async def read():
        made = makers[what]()
        if way == "break":
            async for _ in made:
                return
        if way == "with":
            async with made:
                await anext(made)
            return
        if way == "raise":
            with contextlib.suppress(ZeroDivisionError):
                async with made:
                    async for _ in made:
                        raise ZeroDivisionError
            return
        async with contextlib.aclosing(made):
            await anext(made)

    async def work():
        await read()
        gc.collect()
        assert all(each.closed for each in model.session._waiting.recent) or not model.session._waiting.recent
        await scene.adescribe()
        batches = model.session.native.batches
        last = batches[-1]
        assert len(last[1]) == 1  # nobody else was computed with it

    run_async(work)


def test_closing_the_model_while_tasks_wait(engine, pair, head_set, run_async, monkeypatch):
    slow = Slow(monkeypatch, "decode_texts")
    model = lookhere.load(pair[0], heads=head_set)
    scene = model.look(STRIP)

    async def meets(call):
        with pytest.raises(lookhere.ClosedError, match="load it again"):
            await call()

    async def read():
        async for _ in scene.astream():
            pass

    async def work():
        calls = [scene.adescribe, read, lambda: scene.adescribe_all([None, None]), lambda: model.achat(MESSAGES)]
        async with anyio.create_task_group() as group:
            for call in calls * 10:
                group.start_soon(meets, call)
            await slow.begun()
            await anyio.sleep(0.01)
            group.start_soon(model.aclose)
            await anyio.sleep(0.01)
            slow.go.set()
        for call in calls:
            await meets(call)
        await meets(lambda: model.alook(STRIP))

    run_async(work)


def test_a_model_is_closed_by_async_with(engine, pair, run_async):
    async def work():
        async with lookhere.load(pair[0]) as model:
            assert (await model.adescribe(STRIP)).text == fake.UNSTEERED
        with pytest.raises(lookhere.ClosedError):
            model.look(STRIP)

    run_async(work)


def test_a_flag_that_is_given(model, run_async, monkeypatch):
    """Ends what it was given to; a cancelled task does not raise it."""
    scene, flag = model.look(STRIP), CancelFlag()

    async def work():
        slow = Slow(monkeypatch, "decode_texts")
        with anyio.move_on_after(0.05) as scope:
            await scene.adescribe(cancel=flag)
        assert scope.cancelled_caught
        assert not flag.is_set()
        slow.inside.clear()

        async def meets(call):
            with pytest.raises(lookhere.CancelledError):
                await call()

        async def read():
            assert [step async for step in scene.astream(cancel=flag)] == []

        async with anyio.create_task_group() as group:
            group.start_soon(meets, lambda: scene.adescribe(cancel=flag))
            group.start_soon(meets, lambda: scene.adescribe_all([None, None], cancel=flag))
            group.start_soon(read)
            await slow.begun()
            flag.set()
            slow.go.set()
        await meets(lambda: model.alook(STRIP, cancel=flag))
        flag.clear()
        assert (await scene.adescribe(cancel=flag)).text == fake.UNSTEERED
        run = scene.astream(cancel=flag)
        await anext(run)
        run.cancel()
        assert flag.is_set()
        with pytest.raises(lookhere.CancelledError):
            await run.join()

    run_async(work)


def test_what_was_closed_before_it_began(model, run_async):
    scene = model.look(STRIP)

    async def work():
        run, group = scene.astream(), scene.astream_all([None])
        await run.aclose()
        await group.aclose()
        assert (run.finish, group.finishes) == ("cancelled", ("cancelled",))
        assert [each async for each in run] == [each async for each in group] == []
        for joined in (run.join, group.answers):
            with pytest.raises(lookhere.CancelledError):
                await joined()
        with pytest.raises(lookhere.ClosedError):
            await run.look_at(None)

    run_async(work)


def test_errors_are_those_of_the_sync_methods(model, run_async):
    scene, outside = model.look(STRIP), lookhere.Point(96, 0)
    for name, args, options in (
        ("describe", (5,), {}), ("describe", (), {"at": 5}), ("describe", (), {"at": outside}),
        ("describe", (), {"max_tokens": 0}), ("describe", (), {"cancel": True}), ("describe", (), {"maxtokens": 1}),
        ("describe_all", ([outside],), {}), ("describe_all", (5,), {}), ("stream", (), {"at": "left"}),
        ("zoom", (outside,), {}), ("run", (5,), {}), ("describe", ("x" * 9000,), {}),
    ):  # fmt: skip
        with pytest.raises((lookhere.LookhereError, TypeError)) as sync:
            list(getattr(scene, name)(*args, **options))

        async def call(name=name, args=args, options=options):
            made = getattr(scene, f"a{name}")(*args, **options)
            return [each async for each in made] if hasattr(made, "__aiter__") else await made

        with pytest.raises(type(sync.value)) as caught:
            run_async(call)
        assert str(caught.value).replace(f".a{name}", f".{name}") == str(sync.value)


def test_an_engine_that_fails_ends_one_answer(model, run_async, monkeypatch):
    scene = model.look(STRIP)

    def fails(*_):
        raise fake.EngineError("no more")

    async def work():
        found = await model.aask_all([scene.ask(at=Panel(k, 6)) for k in (1, 2)], return_errors=True)
        assert [each.text for each in found] == [fake.steered_text(0, col) for col in (0, 1)]
        with monkeypatch.context() as patched:
            patched.setattr(fake.Sampler, "sample", fails)
            with pytest.raises(lookhere.EngineFailure, match="no more"):
                await scene.adescribe()
            found = await model.aask_all([scene.ask(), scene.ask()], return_errors=True)
            assert [type(each) for each in found] == [lookhere.EngineFailure] * 2
        assert (await scene.adescribe()).text == fake.UNSTEERED

    run_async(work)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["whole", "stream", "move", "break", "cancel", "late", "all", "bad"]),
            st.integers(0, 5),
            st.integers(0, 6),
        ),
        min_size=1,
        max_size=24,
    ),
    st.sampled_from([160, 512]),
    st.sampled_from(["asyncio", *(["trio"] if importlib.util.find_spec("trio") else [])]),
)
@settings(suppress_health_check=list(HealthCheck), max_examples=15)
def test_any_tasks_side_by_side(engine, pair, head_set, program, context, backend):
    """Tasks that read, move, break off, are cancelled or fail, in a cache that is too small for them: the others are
    right, nothing hangs, and nobody holds a place in the end."""
    with lookhere.load(pair[0], heads=head_set, context=context) as model:
        scenes = [model.look(np.full((32, 96, 3), value, np.uint8)) for value in range(3)]

        async def work(what, col, count):
            scene, at, says = scenes[col % 3], Panel(col + 1, 6), fake.steered_text(0, col)
            if what == "whole":
                assert (await scene.adescribe("", at=at, max_tokens=15)).text == says[:15]
            elif what == "stream":
                async with scene.astream("", at=at, max_tokens=8) as run:
                    assert "".join([step.text async for step in run]) == says[:8]
            elif what == "move":
                async with scene.astream("", at=at, max_tokens=15) as run:
                    text = ""
                    async for step in run:
                        text += step.text
                        if step.index == count:
                            await run.look_at(Panel(6 - col, 6))
                    moved = fake.steered_text(0, 5 - col)
                    assert text == (says[: count + 1] + moved[count + 1 :])[:15]
            elif what == "break":
                async for step in scene.astream("", at=at):
                    if step.index == count:
                        break
            elif what == "cancel":
                with anyio.move_on_after(count / 1000):
                    await scene.adescribe_all([at, None], "", max_tokens=200)
            elif what == "late":
                flag = CancelFlag()
                async with anyio.create_task_group() as group:
                    group.start_soon(reads_until, scene.astream("", at=at, cancel=flag))
                    await anyio.sleep(count / 1000)
                    flag.set()
            elif what == "all":
                found = await scene.adescribe_all([at, None, at], "", max_tokens=4)
                assert [each.text for each in found] == [says[:4], fake.UNSTEERED[:4], says[:4]]
            else:
                with pytest.raises(lookhere.ContextError):
                    await scene.adescribe("x" * 9000)

        async def reads_until(run):
            async for _ in run:
                pass

        async def side_by_side():
            with anyio.fail_after(60):
                await gathered([lambda each=each: work(*each) for each in program])

        anyio.run(side_by_side, backend=backend)
        assert model.session.native.all_used() <= context if model.session.context else True
        gc.collect()
        assert model.session._waiting.recent == []
        assert scenes[0].describe(at=Panel(2, 6)).text == fake.steered_text(0, 1)


def test_they_cannot_be_copied(model):
    scene = model.look(STRIP)
    for value, advice in ((scene.astream(), r"await run\.join"), (scene.astream_all([None]), r"await group\.answers")):
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match=advice):
                way(value)


@pytest.mark.parametrize("missing", ["anyio", "anyio.lowlevel"])
def test_without_anyio(model, monkeypatch, missing):
    scene = model.look(STRIP)
    monkeypatch.setitem(sys.modules, missing, None)
    for coroutine in (scene.adescribe(), model.alook(STRIP), anext(scene.astream()), model.aclose()):
        with pytest.raises(lookhere.OptionError, match=r"pip install 'lookhere\[async\]'"):
            coroutine.send(None)
    assert scene.describe().text == fake.UNSTEERED


def test_100_tasks_of_the_built_in_model(builtin, run_async):
    scene = builtin.look(generate_strip(7, split="held_out", style="colour").image)
    alone = [scene.describe(at=Panel(panel, 6), max_tokens=4).text for panel in range(1, 7)]

    async def streamed(at):
        return "".join([step.text async for step in scene.astream(at=at, max_tokens=4)])

    async def whole(at):
        return (await scene.adescribe(at=at, max_tokens=4)).text

    works = [lambda k=k: (whole, streamed)[k % 2](Panel(k % 6 + 1, 6)) for k in range(100)]
    assert run_async(gathered, works) == [alone[k % 6] for k in range(100)]


def test_a_cancelled_task_of_the_built_in_model(builtin, run_async):
    """Within the prompt, within the answer, and within the encoder."""
    scene = builtin.look(generate_strip(3).image)
    answer = scene.describe(at=Panel(2, 6)).text

    async def work():
        for call in (
            lambda: scene.adescribe("x " * 4000, at=Panel(1, 6)),
            lambda: scene.adescribe(at=Panel(1, 6), max_tokens=5000, stop=[]),
            lambda: builtin.alook(np.random.default_rng(0).integers(0, 256, (96, 256, 3), dtype=np.uint8)),
        ):
            with anyio.move_on_after(0.01):
                await call()
        assert (await scene.adescribe(at=Panel(2, 6))).text == answer

    run_async(work)
