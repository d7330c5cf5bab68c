"""The log, the end of the interpreter, and what was built."""

import logging
import subprocess
import sys

import pytest
from harness import engine


@pytest.fixture
def logged():
    lines = []
    yield lines
    engine.set_log(None)


def test_log(logged, model_files):
    engine.set_log(lambda level, text: logged.append((level, text)), logging.INFO)
    engine.Model(model_files[0])
    assert logged
    assert {level for level, _ in logged} <= {logging.INFO, logging.WARNING, logging.ERROR}
    assert not any(text.endswith("\n") or not text for _, text in logged)
    logged.clear()
    engine.set_log(lambda level, text: logged.append((level, text)), logging.CRITICAL)
    engine.Model(model_files[0])
    engine.set_log(None)
    engine.Model(model_files[0])
    assert not logged


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_log_callback_that_raises_does_not_stop_the_engine(logged, model_files):
    def fail(level, text):
        raise ValueError(text)

    engine.set_log(fail, logging.INFO)
    assert engine.Model(model_files[0]).layers


QUIET = """
import sys
from lookhere import _engine
model = _engine.Model(sys.argv[1])
projector = _engine.Projector(sys.argv[2], model, threads=1)
session = _engine.Session(model, context=256, threads=1)
session.decode([1, 2], outputs=[1])
print("done")
"""
LOGGED_TO_THE_END = QUIET.replace(
    "model =", "_engine.set_log(lambda level, text: print(text, file=sys.stderr), 0)\nmodel =", 1
)


@pytest.mark.parametrize("code", [QUIET, LOGGED_TO_THE_END], ids=["quiet", "logged"])
def test_the_interpreter_ends_well(code, model_files):
    """Nothing is printed by default, and objects that live to the end do no harm."""
    ended = subprocess.run([sys.executable, "-c", code, *model_files], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    if code is QUIET:
        assert ended.stderr == ""


INTERRUPTED = """
import _thread, signal, sys, threading
from lookhere import _engine
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with it ignored
model = _engine.Model(sys.argv[1])
session = _engine.Session(model, context=32768, threads=1)
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    session.decode([1] * 32000)
except KeyboardInterrupt:
    print("interrupted", session.used() < 32000)
session.decode([1], outputs=[0])
"""


def test_control_c_stops_a_prefill(model_files):
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, model_files[0]], check=False, capture_output=True, text=True, timeout=300
    )
    assert (ended.returncode, ended.stdout) == (0, "interrupted True\n"), ended.stderr


def test_build_info():
    info = engine.build_info()
    assert info["llama.cpp"]
    assert "CPU" in info["devices"]
