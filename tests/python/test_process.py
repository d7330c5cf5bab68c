"""The life of a process: forks, its end, and how many threads it may use. Each case in a process of its own."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import lookhere
import pytest
from lookhere import engine
from lookhere.loading import builtin as registry
from lookhere.process import control_groups
from PIL import Image

HEAD = """
import os, sys, threading, time
import lookhere
from lookhere.comics import generate_strip
strip = generate_strip(7).image
at = lookhere.Panel(2, 6)
model = lookhere.load(threads={threads})
"""

CHILD = """
def in_child(work, meanwhile=lambda: None):
    r, w = os.pipe()
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.read(wait, 1)  # until the parent has done what it does meanwhile
        try:
            said = work()
        except BaseException as error:
            said = repr(error)
        os.write(w, str(said).encode())
        os._exit(0)
    os.close(w)
    os.close(wait)
    meanwhile()
    os.close(go)
    said = b""
    while part := os.read(r, 4096):
        said += part
    assert os.waitpid(pid, 0)[1] == 0
    return said.decode()
"""


@pytest.fixture(scope="module")
def python():
    """Runs code in a process of its own, after a model was loaded. -> exit code, stdout, stderr"""
    pytest.importorskip("lookhere._engine", reason="the engine is not built")
    try:
        registry.builtin_files()
    except lookhere.ModelFileError as error:
        pytest.skip(str(error))

    def run(code, *, threads=2, head=HEAD + CHILD):
        code = head.format(threads=threads) + textwrap.dedent(code)
        quiet = ["-W", "ignore:This model knows only"]
        command = [sys.executable, *quiet, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_child_answers(python, threads):
    """The worker threads of the pool are not in the child."""
    code = """
    scene = model.look(strip)
    wanted = scene.describe(at=at).text
    got = in_child(lambda: scene.describe(at=at).text)
    other = in_child(lambda: model.look(generate_strip(8).image).describe(at=at, max_tokens=3).finish)
    grandchild = in_child(lambda: in_child(lambda: scene.describe(at=at, max_tokens=3).finish))
    assert wanted == got, (wanted, got)
    assert grandchild in ("length", "end"), grandchild
    assert other in ("length", "end"), other
    assert scene.describe(at=at).text == wanted  # the parent goes on
    """
    assert python(code, threads=threads) == (0, "", "")


@needs_fork
def test_a_run_goes_on_in_the_child(python):
    code = """
    scene = model.look(strip)
    wanted = scene.describe(at=at).text
    run = scene.stream(at=at)
    begun = [next(run).text, next(run).text]
    assert in_child(lambda: "".join(begun + [step.text for step in run])) == wanted
    assert "".join(begun + [step.text for step in run]) == wanted
    """
    assert python(code) == (0, "", "")


@needs_fork
@pytest.mark.parametrize("busy", ["decode", "encode"])
def test_a_fork_while_another_thread_computes(python, busy):
    """The child lacks the thread, and what that thread held: it answers, or says that it cannot, and ends.

    Little is computed, and the thread ends before the child computes: on two busy cores, threads that wait for each
    other by spinning need seconds for what takes a hundredth of one on idle ones.
    """
    code = """
    import numpy as np
    busy = "BUSY"
    scene = model.look(strip)
    model.images.clear()
    wanted = scene.describe(at=at, max_tokens=2).text
    model.look(np.zeros((512, 512, 3), np.uint8))  # imports all: Python's import locks do not survive a fork
    stop = lookhere.CancelFlag()
    def work():
        rng = np.random.default_rng(0)
        try:
            while not stop.is_set():
                if busy == "encode":
                    model.look(rng.integers(0, 255, (512, 512, 3), np.uint8), cancel=stop)
                else:
                    scene.describe("x " * 300, max_tokens=200, cancel=stop)
        except lookhere.CancelledError:
            pass
    def while_it_works(ask):
        stop.clear()
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(wait)
        return in_child(ask, lambda: (stop.set(), thread.join()))
    for wait in (0.05, 0.17):
        said = while_it_works(lambda: scene.describe(at=at, max_tokens=2).text)
        assert said == wanted, said
        said = while_it_works(lambda: model.look(np.full((64, 64, 3), 7, np.uint8)).tokens)
        assert said.isdecimal() or (busy == "encode" and "load the model again" in said), said
        said = while_it_works(lambda: model.close())
        assert said == "None", said
    assert scene.describe(at=at, max_tokens=2).text == wanted
    """
    assert python(code.replace("BUSY", busy)) == (0, "", "")


@needs_fork
def test_multiprocessing_with_fork(python):
    code = """
    import multiprocessing
    scene = model.look(strip)
    wanted = [scene.describe(at=lookhere.Panel(k, 6), max_tokens=4).text for k in (1, 2, 3)]
    def ask(k):
        return scene.describe(at=lookhere.Panel(k, 6), max_tokens=4).text
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(ask, (1, 2, 3)).get(60) == wanted
    """
    assert python(code) == (0, "", "")


@needs_fork
@pytest.mark.parametrize("meanwhile", ["describe", "adescribe"])
def test_a_fork_while_tasks_wait(python, meanwhile):
    """The thread that computes for them is not in the child, which answers threads and tasks of its own."""
    pytest.importorskip("anyio")
    code = """
    import asyncio
    scene = model.look(strip)
    wanted = scene.describe(at=at, max_tokens=2).text
    def ask():
        if "MEANWHILE" == "describe":
            return scene.describe(at=at, max_tokens=2).text
        said = []  # an event loop within a thread, as the child inherits the running one of the parent
        thread = threading.Thread(target=lambda: said.append(asyncio.run(scene.adescribe(at=at, max_tokens=2)).text))
        thread.start()
        thread.join()
        return said[0]
    async def work():
        tasks = [asyncio.create_task(scene.adescribe("x " * 100, at=at, max_tokens=40)) for _ in range(8)]
        await asyncio.sleep(0.1)
        said = in_child(ask)
        assert said == wanted, said
        return {each.text for each in await asyncio.gather(*tasks)}
    assert len(asyncio.run(work())) == 1
    """
    assert python(code.replace("MEANWHILE", meanwhile)) == (0, "", "")


def test_multiprocessing_with_spawn(python):
    """Values go to another process and come back; what belongs to this one is refused, and nothing hangs."""
    code = """
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    scene = model.look(strip)
    answer = scene.describe(at=at, max_tokens=3)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(lookhere.read_back, answer.reading, scene.frame).result(60) == answer.where()
        assert pool.submit(lookhere.Answer.words, answer).result(60) == answer.words()
        for call in (scene.describe, model.describe, scene.stream().join):
            try:
                pool.submit(call).result(60)
            except TypeError as error:
                assert "neither copied nor pickled" in str(error), error
            else:
                raise AssertionError(call)
        try:
            pool.submit(lookhere.Panel, 7, 6).result(60)
        except lookhere.RegionError:
            pass
    """
    assert python(code) == (0, "", "")


WORK = {
    "decode": "scene.describe('x ' * 300, max_tokens=100000)",
    "stream": "[step for step in scene.stream('x ' * 300, max_tokens=100000)]",
    "encode": "[model.look(rng.integers(0, 255, (640, 640, 3), np.uint8)) for _ in range(1000)]",
    "load": "[lookhere.load() for _ in range(1000)]",
    "short": "[scene.describe(max_tokens=1) for _ in range(100000)]",
}
ENDS = {
    "sys.exit(3)": (3, ""),
    "pass": (0, ""),
    "os._exit(4)": (4, ""),
    "raise ValueError('mine')": (1, "ValueError: mine\n"),
}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("end", ENDS)
def test_the_end_while_a_daemon_thread_computes(python, work, end):
    code = f"""
    import numpy as np
    rng = np.random.default_rng(0)
    scene = model.look(strip)
    threading.Thread(target=lambda: {WORK[work]}, daemon=True).start()
    time.sleep(0.3)
    {end}
    """
    status, out, err = python(code)
    assert (status, out) == (ENDS[end][0], "")
    if ENDS[end][1]:
        assert err.endswith(ENDS[end][1])
        assert err.count("Error") == 1
    else:
        assert err == ""


def test_the_end_comes_soon(python):
    """With other threads that wait for their turn, too."""
    last = """
import atexit, time
@atexit.register  # before ours is registered: runs after it
def tell():
    print(time.process_time() - used < 4, time.monotonic() - begun < 30)
"""
    code = """
    scene = model.look(strip)
    for _ in range(3):
        threading.Thread(target=lambda: scene.describe('x ' * 300, max_tokens=100000), daemon=True).start()
    time.sleep(0.3)
    atexit.register(lambda: print("handler"))
    used, begun = time.process_time(), time.monotonic()
    """
    assert python(code, head=last + HEAD) == (0, "handler\nTrue True\n", "")


@pytest.mark.parametrize("end", ["sys.exit(3)", "pass"])
def test_the_end_waits_for_other_threads(python, end):
    """As Python does: an answer in a thread that is no daemon is finished."""
    code = f"""
    scene = model.look(strip)
    threading.Thread(target=lambda: print(len(scene.describe(max_tokens=30).text) > 0)).start()
    {end}
    """
    assert python(code) == (ENDS[end][0], "True\n", "")


@pytest.mark.parametrize("early", [True, False])
def test_exit_handlers_may_use_the_model(python, early):
    """Also those that run after ours, while another thread is stopped in the middle of a step."""
    handler = """
import atexit
@atexit.register
def close():
    model.close()
    print("closed")
"""
    ask = """
@atexit.register
def ask():
    print(len(model.look(strip).describe(max_tokens=2).steps))
"""
    code = """
    scene = model.look(strip)
    def work():
        try:
            scene.describe('x ' * 300, max_tokens=100000)
        except lookhere.ClosedError:
            pass
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.3)
    """
    if early:
        assert python(code, head=handler + HEAD + CHILD) == (0, "closed\n", "")
    else:
        assert python(code, head=HEAD + CHILD + handler + ask) == (0, "2\nclosed\n", "")


def test_a_log_handler_at_the_end(python):
    code = """
    import logging
    logging.basicConfig(level=logging.DEBUG, stream=open(os.devnull, "w"))
    threading.Thread(target=lambda: [lookhere.load() for _ in range(1000)], daemon=True).start()
    time.sleep(0.3)
    """
    assert python(code) == (0, "", "")


@pytest.fixture
def system(made_up_system):
    """The processors that a process may use on a made-up system of these files."""
    return lambda files: control_groups.processors(made_up_system(files))


def test_a_quota_of_the_second_version(system):
    assert system({}) is None
    assert system({"proc/self/cgroup": "0::/app/one\n"}) is None
    assert system({"sys/fs/cgroup/app/one/cpu.max": "max 100000\n"}) is None
    assert system({"sys/fs/cgroup/app/one/cpu.max": "250000 100000\n"}) == 2.5
    assert system({"sys/fs/cgroup/app/cpu.max": "150000 100000\n"}) == 1.5  # a group above
    assert system({"sys/fs/cgroup/cpu.max": "50000 100000\n"}) == 0.5  # within a container


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
@pytest.mark.parametrize("folder", ["app/one/", "app/", ""])
def test_a_quota_of_the_first_version(system, mount, folder):
    group = f"sys/fs/cgroup/{mount}/{folder}cpu.cfs_"
    files = {"proc/self/cgroup": "5:memory:/other\n4:cpu,cpuacct:/app/one\n0::/\n", f"{group}period_us": "100000\n"}
    assert system({**files, f"{group}quota_us": "-1\n"}) is None
    assert system({f"{group}quota_us": "300000\n"}) == 3


@pytest.mark.parametrize("text", ["", "max", "7", "x y", "100000 0", "1e5 100000", "-1 100000", "\x00"])
def test_a_quota_that_is_none(system, text):
    assert system({"proc/self/cgroup": "\n0\n0::/app\n", "sys/fs/cgroup/app/cpu.max": text}) is None


@pytest.mark.parametrize(("quota", "threads"), [(None, 8), (64.0, 8), (8.0, 8), (2.5, 2), (1.0, 1), (0.2, 1)])
def test_a_quota_bounds_the_threads(monkeypatch, quota, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(control_groups, "processors", lambda: quota)
    assert engine.default_threads(2 * 10**9) == threads
    assert engine.default_threads(10**6) == 1


@pytest.mark.parametrize("python_path", [True, False])
def test_the_source_without_the_engine_says_so(tmp_path, python_path):
    """As if Python ran inside python/ of a checkout."""
    root = tmp_path / "checkout"
    source = Path(lookhere.__file__).parent
    ignored = shutil.ignore_patterns("_engine*.so", "lib", "__pycache__")
    shutil.copytree(source, root / "python/lookhere", ignore=ignored)
    (root / "pyproject.toml").write_text("")
    place = {"env": {**os.environ, "PYTHONPATH": str(root / "python")}} if python_path else {"cwd": root / "python"}
    code = "import lookhere as l\nprint(l.__file__)\ntry: l.load()\nexcept l.LookhereError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **place)
    where, said = done.stdout.splitlines()
    assert where.startswith(str(root))
    assert "pip install" in said
    assert "no compiled engine" in said
    assert str(root) in said
    Image.new("RGB", (32, 32)).save(tmp_path / "x.png")
    command = [sys.executable, "-m", "lookhere", "describe", tmp_path / "x.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **place)
    assert done.returncode == 1
    assert "no compiled engine" in done.stderr
    assert "Traceback" not in done.stderr
    (root / "python/lookhere/_engine.cpython-27-made-up.so").write_text("")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, **place)
    assert "built for another Python" in done.stdout
