"""Ending what computes: a flag, another thread, Ctrl-C, a generator that is closed; the model goes on."""

import contextlib
import signal
import threading
import time

import numpy as np
import pytest
from lookhere import CancelFlag, CancelledError, Panel
from lookhere.comics import generate_strip
from lookhere.questions import POINTED

LONG = 5000  # tokens; the built-in model says a panel over and over, for a quarter of a second or more
SOON = 0.03  # seconds


@pytest.fixture(scope="module")
def image():
    return generate_strip(3).image


@pytest.fixture(scope="module")
def scene(builtin, image):
    return builtin.look(image)


@pytest.fixture
def answer(scene):
    return scene.describe(at=Panel(2, 6)).text


def test_a_flag_ends_encoding(builtin, image):
    flag = CancelFlag()
    flag.set()
    with pytest.raises(CancelledError, match="encoding"):
        builtin.look(image, cancel=flag)
    flag.clear()
    assert builtin.look(image, cancel=flag).grids
    flag.set()
    with pytest.raises(CancelledError, match="encoding"):  # although it is known by now
        builtin.look(image, cancel=flag)


@pytest.mark.parametrize("together", [False, True])
def test_a_flag_of_another_thread_ends_an_answer(scene, answer, together):
    flag = CancelFlag()
    timer = threading.Timer(SOON, flag.set)
    timer.start()
    places = [Panel(1, 6), Panel(2, 6)] if together else [Panel(1, 6)]
    with pytest.raises(CancelledError):
        scene.describe_all(places, POINTED, max_tokens=LONG, cancel=flag)
    timer.join()
    assert scene.describe(at=Panel(2, 6)).text == answer


def test_ctrl_c_ends_an_answer(scene, answer):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs start with it ignored
    timer = threading.Timer(SOON, signal.raise_signal, (signal.SIGINT,))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            scene.describe(POINTED, at=Panel(1, 6), max_tokens=LONG)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, before)
    assert scene.describe(at=Panel(2, 6)).text == answer


def test_a_run_that_is_left_alone_lets_others_go_on(scene, answer):
    run = scene.stream(POINTED, at=Panel(1, 6), max_tokens=LONG)
    for _ in zip(range(3), run, strict=False):
        pass
    del run  # nobody will read it on
    assert scene.describe(at=Panel(2, 6)).text == answer
    with contextlib.closing(scene.stream(POINTED, max_tokens=LONG)) as run:
        next(run)
    with pytest.raises(StopIteration):
        next(run)
    assert scene.describe(at=Panel(2, 6)).text == answer


def test_a_large_image_is_given_up_soon(builtin):
    """Sooner than the whole would take, whatever the machine does beside."""
    pixels = np.random.default_rng(0).integers(0, 256, (96, 256, 3), dtype=np.uint8)
    started = time.perf_counter()
    builtin.look(pixels)
    builtin.images.clear()
    whole = time.perf_counter() - started
    flag = CancelFlag()
    timer = threading.Timer(whole / 10, flag.set)
    timer.start()
    with contextlib.suppress(CancelledError):  # it may be done before
        while not flag.is_set():
            builtin.look(pixels, cancel=flag)
            builtin.images.clear()
        with pytest.raises(CancelledError):
            builtin.look(pixels, cancel=flag)
    timer.join()
    assert builtin.look(pixels).grids
