"""Threads, and objects that are closed or let go."""

import threading
import time

import numpy as np
import pytest
from harness import engine


def test_python_runs_while_the_engine_computes(projector):
    done = threading.Event()
    ticks = []

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    projector.encode(np.zeros((320, 320, 3), np.uint8))
    ended = time.monotonic()
    done.set()
    thread.join()
    assert sum(begun < t < ended for t in ticks) > 2


def test_two_threads_in_one_session_is_an_error(model, prompt):
    session = engine.Session(model, context=8192, threads=1)
    refused = []
    running = threading.Event()
    flag = engine.CancelFlag()

    def work():
        running.set()
        try:
            session.decode((prompt * 8192)[:8000], cancel=flag)
        except engine.EngineError as error:
            refused.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    running.wait()
    while thread.is_alive() and not refused:
        try:
            session.logits()
        except engine.EngineError as error:
            if "is not among the" not in str(error):  # the thread has not begun, or is between two batches
                refused.append(str(error))
    flag.set()
    thread.join()
    assert "in use by another thread" in refused[0]


def test_everything_after_close_is_an_error(model_files, pixels, prompt):
    model = engine.Model(model_files[0])
    projector = engine.Projector(model_files[1], model, threads=1)
    session = engine.Session(model, context=256, threads=1)
    model.close()
    model.close()
    with pytest.raises(engine.EngineError, match="the model is closed"):
        _ = model.layers
    with pytest.raises(engine.EngineError, match="the model is closed"):
        engine.Session(model, context=256, threads=1)
    image = projector.encode(pixels[:64, :64].copy())  # the weights live on in what was made from them
    projector.close()
    with pytest.raises(engine.EngineError, match="the projector is closed"):
        projector.encode(pixels)
    session.decode_image(image)
    session.decode(prompt, outputs=[0])
    session.close()
    session.close()
    for call in (session.position, session.clear, session.logits, session.unsteer, lambda: session.decode(prompt),
                 lambda: session.set_heads([]), lambda: session.graphs_reused,
                 lambda: session.compute_bytes):  # fmt: skip
        with pytest.raises(engine.EngineError, match="the session is closed"):
            call()


def test_objects_live_as_long_as_they_are_used(model_files, pixels, prompt):
    def make():
        model = engine.Model(model_files[0])
        projector = engine.Projector(model_files[1], model, threads=1)
        return (
            engine.Session(model, context=512, threads=1),
            projector.encode(pixels),
            model.tokenize("x", parse_special=False),
        )

    session, image, tokens = make()
    session.decode_image(image)
    session.decode(tokens, outputs=[0])
    assert np.isfinite(session.logits()).all()
