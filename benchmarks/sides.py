"""The sides of a comparison: processes that take turns, and which of their settings are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Head = tuple[int, int]


class Side:
    """A process that runs a script which serves (`serve.py`); the methods of what it serves are methods here."""

    def __init__(self, script: str, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, str(HERE / script), *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )

    def __getattr__(self, command: str) -> Callable[..., Any]:
        def ask(**options: Any) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([command, options]) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if not answer:
                raise SystemExit(f"a side ended with {self._process.wait()} at {command} {options}")
            return json.loads(answer)

        return ask

    def end(self) -> None:
        """Waits until the process is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def library(folder: Path, model: Path, threads: int, *, mmap: bool = True) -> Side:
    """A library that is driven through its C API."""
    return Side("worker.py", folder, model, "--threads", threads, *([] if mmap else ["--read"]))


@contextmanager
def sides(*started: Side) -> Iterator[tuple[Side, ...]]:
    """Sides that live side by side, and end together."""
    try:
        yield started
    finally:
        for one in started:
            one.end()


def by_turns(arms: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each arm measures in each round; the order is turned around from round to round. One round before does not
    count."""
    measured: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(rounds + 1):
        for name in reversed(arms) if turn % 2 else arms:
            value = arms[name]()
            if turn:
                measured[name].append(value)
    return measured


def better(measured: Mapping[str, Sequence[float]], names: Sequence[str]) -> str:
    """Whose median time is least."""
    return min(names, key=lambda name: sorted(measured[name])[len(measured[name]) // 2])
