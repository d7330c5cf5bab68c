"""Freed memory goes back to the system, whichever thread held it."""

import platform
import subprocess
import sys

import pytest

RESIDENT = """
from pathlib import Path

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
"""

HELD = f"""{RESIDENT}
import queue, sys, threading
import numpy as np
from lookhere.process.heap import give_back_large

def work(todo, done):
    while todo.get():
        # a cache that grows: glibc raises what it asks the system for to the largest piece that was freed
        for mebibytes in (4, 8, 16, 24):
            pieces = [np.ones(mebibytes * 2**17) for _ in range(2)]
            last = np.ones(1000)  # lies behind them
            del pieces
        done.put(last)

if sys.argv[1] == "yes":
    give_back_large()
todos, done = [queue.Queue() for _ in range(8)], queue.Queue()
threads = [threading.Thread(target=work, args=(todo, done), daemon=True) for todo in todos]
for thread in threads:
    thread.start()
kept = []
for todo in todos:
    todo.put(True)
    kept.append(done.get())
    if todo is todos[0]:
        before = resident()
print(resident() - before)
"""


SCATTERED = f"""{RESIDENT}
import sys
from lookhere.process.heap import give_back_free
before = resident()
pieces = [bytearray(2000) for _ in range(50_000)]
kept = pieces[::50]
del pieces
if sys.argv[1] == "yes":
    give_back_free()
print(resident() - before)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library, with other habits")


def grown(program, given):
    """MiB that it kept."""
    command = [sys.executable, "-c", program, given]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return float(found.stdout)


@glibc
def test_threads_keep_nothing_large():
    assert grown(HELD, "yes") < 10
    assert grown(HELD, "no") > 50  # else there is nothing to mend


@glibc
def test_pages_between_pieces_in_use_go_back():
    assert grown(SCATTERED, "yes") < 20
    assert grown(SCATTERED, "no") > 80  # else there is nothing to mend
