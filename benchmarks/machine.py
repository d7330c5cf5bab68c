"""The machine that measures: what it is, how busy others keep it, and how fast it reads memory."""

from __future__ import annotations

import json
import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np

WAIT = 0.5
"""Runs begin when the load of the last minute is below it."""


def facts() -> str:
    """One line: processor, threads, memory, system, and the load when it was written."""
    return (
        f"{_field('/proc/cpuinfo', 'model name') or platform.processor()}, {os.cpu_count()} threads, "
        f"{_total() / 2**30:.0f} GiB, {platform.system()} {platform.release().split('-')[0]}."
    )


def build(folder: Path | None = None) -> str:
    """One line: how our library in this folder (the installed one) was built, and what the processor has to offer."""
    if folder is None:
        package = find_spec("lookhere")
        assert package is not None
        assert package.origin is not None
        folder = Path(package.origin).parent / "lib"
    told = json.loads((folder / "build.json").read_text())
    has = _field("/proc/cpuinfo", "flags").split()
    sets = [name for name in ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8") if name in has]
    flags = f"{told['build_type']}{told['cxx_flags']}".strip()
    options = told["options"]
    named = [name for name in ("AVX2", "AVX_VNNI", "AVX512", "AVX512_VNNI") if options[f"GGML_{name}"] == "ON"]
    made_for = "the processor at hand" if options["GGML_NATIVE"] == "ON" else ", ".join(named) or "any processor"
    return (
        f"Built with {told['compiler']}, {flags}, GGML_NATIVE={options['GGML_NATIVE']} (for {made_for}), "
        f"GGML_OPENMP={options['GGML_OPENMP']}; the processor has {', '.join(sets) or 'none of the sets'}."
    )


def wait_until_quiet(patience: float = 0.0) -> None:
    """Waits until nothing else computes, at most so many seconds; says so if it went on all the same."""
    end = time.monotonic() + patience
    while os.getloadavg()[0] > WAIT and time.monotonic() < end:
        time.sleep(5)
    if os.getloadavg()[0] > WAIT:
        print(f"load {os.getloadavg()[0]:.1f}: the machine is not quiet", flush=True)


class Others:
    """What other programs take of the processors from now on."""

    def __init__(self) -> None:
        self._all, self._busy = _jiffies()
        self._own = _own_jiffies()

    def share(self) -> float:
        """0 to 1 of all processors together, since it was made; what the machine was denied by its host counts."""
        everything, busy = _jiffies()
        return max(0.0, (busy - self._busy) - (_own_jiffies() - self._own)) / max(1, everything - self._all)


def read_bandwidth(threads: int, gigabytes: float = 1.0, rounds: int = 5) -> float:
    """Bytes per second of a plain read: the best of several sums over an array that no cache holds."""
    share = np.ones(int(gigabytes * 1e9 / 8 / threads), np.uint64)
    arrays = [share, *(share.copy() for _ in range(threads - 1))]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(np.bitwise_or.reduce, arrays))
            best = max(best, threads * share.nbytes / (time.perf_counter() - start))
    return best


def peak(process: int | str = "self") -> tuple[int, int]:
    """(peak, now) of a process in bytes: resident, pages of mapped files included."""
    status = f"/proc/{process}/status"
    return tuple(int(_field(status, name).split()[0]) * 1024 for name in ("VmHWM", "VmRSS"))  # type: ignore[return-value]


def _jiffies() -> tuple[int, int]:
    """(all, busy) of all processors since the start."""
    times = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(times), sum(times) - times[3] - times[4]  # idle, waiting for a disk


def _own_jiffies() -> int:
    """Of this process and its children, those that ended included."""
    me, total = os.getpid(), 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it just ended
        if int(path.parent.name) == me:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == me:
            total += sum(map(int, fields[11:13]))
    return total


def _total() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""
