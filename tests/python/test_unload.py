"""Weights that are freed while nobody uses a model, and loaded again by the next use."""

import gc
import os
import random
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import Panel
from lookhere.comics import generate_strip

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine
SOON = 0.02
"""Seconds."""


def until(happens):
    end = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.005)


def watchers():
    return [each for each in threading.enumerate() if each.name == "lookhere-unload"]


def test_weights_are_freed_and_loaded_again(model):
    scene = model.look(STRIP)
    wanted = scene.describe(at=Panel(2, 6))
    native, projector = weakref.ref(model.native), weakref.ref(model.projector)
    model.unload_after(SOON)
    until(lambda: not model.loaded)
    gc.collect()
    assert native() is projector() is None
    assert model.session.context == 0
    assert (model.name, model.layers, model.session.limit) == ("Fake", 4, 4096)  # facts stay
    assert not model.loaded
    assert scene.describe(at=Panel(2, 6)) == wanted
    assert model.loaded
    until(lambda: not model.loaded)
    assert model.look(STRIP).encoded is scene.encoded  # what was encoded stays
    other = model.look(np.full((32, 32, 3), 7, np.uint8))
    until(lambda: not model.loaded)
    assert other.describe(at=Panel(1, 2)).text == fake.steered_text(0, 0)
    assert model.look(lookhere.Text("One.")).describe().text == fake.UNSTEERED
    until(lambda: not model.loaded)
    model.unload_after(None)
    assert scene.describe(at=Panel(2, 6)) == wanted
    time.sleep(5 * SOON)
    assert model.loaded


def test_answers_that_have_begun_go_on(model):
    scene = model.look(STRIP)
    model.unload_after(SOON)
    run, group = scene.stream(at=Panel(2, 6)), scene.stream_all([Panel(1, 6), None])
    texts = ["", "", ""]
    for step in run:
        texts[0] += step.text
        for _ in range(2):
            place, other = next(group, (0, None))
            texts[place + 1] += other.text if other else ""
        if step.index % 3 == 0:
            until(lambda: not model.loaded)
    for place, step in group:
        texts[place + 1] += step.text
    assert texts == [fake.steered_text(0, 1), fake.steered_text(0, 0), fake.UNSTEERED]


@pytest.mark.parametrize("what", ["decode_texts", "encode"])
def test_what_is_computed_is_never_cut(model, monkeypatch, what):
    """A batch, or an image, that takes far longer."""
    kind = fake.Session if what == "decode_texts" else fake.Projector
    plain, loaded = getattr(kind, what), []

    def slow(*args, **options):
        time.sleep(5 * SOON)
        loaded.append(model.loaded)
        return plain(*args, **options)

    scene = model.look(STRIP)
    monkeypatch.setattr(kind, what, slow)
    model.unload_after(SOON)
    if what == "encode":
        model.look(np.full((32, 32, 3), 7, np.uint8))
    else:
        assert scene.describe(at=Panel(2, 6), max_tokens=3).text == fake.steered_text(0, 1)[:3]
    assert loaded
    assert all(loaded)


def test_threads_that_come_and_go(model):
    """Weights come and go between any two uses, whoever makes them."""
    model.unload_after(0.01)
    made = []
    plain = fake.Model.__init__

    def counted(self, *args, **options):
        made.append(self)
        plain(self, *args, **options)

    def work(seed):
        rng = random.Random(seed)
        for turn in range(8):
            col = rng.randrange(6)
            scene = model.look(np.full((32, 96, 3), seed * 8 + turn, np.uint8))
            time.sleep(rng.choice([0, 0.005, 0.03]))
            run = scene.stream(at=Panel(col + 1, 6), max_tokens=4)
            text = ""
            for step in run:
                text += step.text
                time.sleep(rng.choice([0, 0, 0.03]))
            assert text == fake.steered_text(0, col)[:4]

    fake.Model.__init__ = counted
    try:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
    finally:
        fake.Model.__init__ = plain
    assert made


def test_tasks_that_come_and_go(model):
    anyio = pytest.importorskip("anyio")
    model.unload_after(SOON)

    async def work():
        scene = await model.alook(STRIP)
        text = ""
        async for step in scene.astream(at=Panel(2, 6)):
            text += step.text
            while step.index == 3 and model.loaded:
                await anyio.sleep(0.005)
        return text

    assert anyio.run(work) == fake.steered_text(0, 1)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("gone", [True, False])
def test_files_that_have_changed(engine, pair, index, gone):
    with lookhere.load(pair[0]) as model:
        scene = model.look(STRIP)
        model.unload_after(SOON)
        until(lambda: not model.loaded)
        kept = pair[index].read_bytes()
        if gone:
            pair[index].unlink()
        else:
            pair[index].write_bytes(kept + b" ")
        for _ in range(2):
            with pytest.raises(
                lookhere.ModelFileError, match=rf"{pair[index].name}.*has changed or gone.*Load the mod"
            ):
                scene.describe()
        assert not model.loaded
        assert scene.coverage(Panel(2, 6))[0].any()


def test_a_file_that_does_not_load_again_may_later(model, monkeypatch):
    scene = model.look(STRIP)
    model.unload_after(SOON)
    until(lambda: not model.loaded)
    with monkeypatch.context() as patched:
        patched.setattr(fake.Model, "__init__", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
        for _ in range(2):
            with pytest.raises(lookhere.ModelFileError, match="no memory"):
                scene.describe()
    assert scene.describe().text == fake.UNSTEERED


@pytest.mark.parametrize("loaded", [True, False])
def test_close(engine, pair, loaded):
    model = lookhere.load(pair[0])
    scene = model.look(STRIP)
    model.unload_after(1000 if loaded else SOON)
    if not loaded:
        until(lambda: not model.loaded)
    model.close()
    model.close()
    assert not model.loaded
    for call in (scene.describe, lambda: model.look(STRIP), lambda: model.unload_after(1), lambda: model.native):
        with pytest.raises(lookhere.ClosedError, match="load it again"):
            call()
    until(lambda: not watchers())


def test_a_model_that_is_let_go_takes_its_thread_along(engine, pair):
    model = lookhere.load(pair[0])
    model.unload_after(1000)
    assert len(watchers()) == 1
    model.unload_after(2000)
    assert len(watchers()) == 1
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None
    until(lambda: not watchers())


@pytest.mark.parametrize("wrong", [0, -1, 0.001, float("nan"), float("inf"), 1e300, "5", [], True, 10**400])
def test_wrong_times(model, wrong):
    with pytest.raises(lookhere.OptionError, match="seconds="):
        model.unload_after(wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_frees_its_own(model):
    scene = model.look(STRIP)
    model.unload_after(SOON)
    until(lambda: not model.loaded)
    child = os.fork()
    if child == 0:
        try:
            good = scene.describe(at=Panel(2, 6)).text == fake.steered_text(0, 1)
            until(lambda: not model.loaded)
            os._exit(0 if good else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert not model.loaded


def test_the_built_in_model(builtin, gpu_layers):
    image = generate_strip(7, split="held_out", style="colour").image
    with lookhere.load(gpu_layers=gpu_layers) as model:
        scene = model.look(image)
        wanted = scene.describe(at=Panel(2, 6))
        run = scene.stream(at=Panel(2, 6))
        first = [next(run) for _ in range(2)]
        model.unload_after(SOON)
        until(lambda: not model.loaded)
        assert "".join(step.text for step in [*first, *run]) == wanted.text
        until(lambda: not model.loaded)
        again = scene.describe(at=Panel(2, 6))
        assert again.text == wanted.text
        np.testing.assert_allclose(again.gaze[0], wanted.gaze[0], atol=2e-4)
        model.images.clear()
        until(lambda: not model.loaded)
        fresh = model.look(image).describe(at=Panel(2, 6))
        assert fresh.text == wanted.text
