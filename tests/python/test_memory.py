"""How much memory is left."""

import lookhere
import numpy as np
import pytest
from lookhere import ContextError
from lookhere.kv import memory

GIB = 2**30


@pytest.fixture
def system(made_up_system):
    """What is available on a made-up system of these files."""
    return lambda files: memory.available(made_up_system(files))


MEMINFO = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable:   {8 * GIB // 1024} kB\nSwapFree: 5 kB\n"}
INSIDE = {**MEMINFO, "proc/self/cgroup": "0::/app/one\n"}


def test_the_machine(system):
    assert system({}) is None
    assert system(MEMINFO) == 8 * GIB
    assert system(INSIDE) == 8 * GIB  # groups without files


def test_a_group_with_a_limit(system):
    group = "sys/fs/cgroup/app/one/memory."
    files = {f"{group}max": f"{4 * GIB}\n", f"{group}current": f"{3 * GIB}\n"}
    assert system({**INSIDE, **files}) == GIB
    assert system({f"{group}stat": f"anon 5\ninactive_file {GIB}\n"}) == 2 * GIB
    assert system({f"{group}current": f"{9 * GIB}\n"}) == 0
    assert system({f"{group}max": "max\n"}) == 8 * GIB
    above = "sys/fs/cgroup/app/memory."
    assert system({f"{above}max": f"{3 * GIB}\n", f"{above}current": f"{GIB}\n"}) == 2 * GIB


def test_a_group_of_the_first_version(system):
    group = "sys/fs/cgroup/memory/app/memory."
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/app\n4:memory:/app\n",
        f"{group}limit_in_bytes": f"{2 * GIB}\n",
        f"{group}usage_in_bytes": f"{GIB}\n",
    }
    assert system({**MEMINFO, **files}) == GIB


def test_a_context_that_does_not_fit_is_refused(engine, pair, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 100)
    with lookhere.load(pair[0]) as model:
        scene = model.look(np.zeros((32, 96), np.uint8))
        with pytest.raises(ContextError, match=r"A context of \d+ tokens takes .* GiB.*Use a smaller context="):
            scene.describe()
        monkeypatch.setattr(memory, "available", lambda: None)
        assert scene.describe().text
