"""What a download tells a person: what is fetched, how far it is, and which file was taken.

Lines go to the log, and to whoever listens, as the command line does; without a listener to stderr, where a person sits
there. There a bar with the time left is drawn, too; elsewhere a line comes now and then.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger("lookhere.hub")
_listeners: list[Callable[[str], object]] = []

EVERY = 30.0
"""Seconds between two lines where no bar is drawn."""


def say(text: str) -> None:
    """One line."""
    _log.info("%s", text)
    for listener in _listeners:
        listener(text)
    if not _listeners and _console().is_interactive:
        print(text, file=sys.stderr)


@contextmanager
def unheard() -> Iterator[None]:
    """Within the block, nobody listens."""
    before = _listeners[:]
    _listeners[:] = [str]
    try:
        yield
    finally:
        _listeners[:] = before


@contextmanager
def heard_by(listener: Callable[[str], object]) -> Iterator[None]:
    """Within the block, each line is also given to the listener."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class Bar:
    """How far one file is; a context manager. size: bytes, 0 where it is not known. done: what is there already."""

    def __init__(self, name: str, size: int, done: int) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        console = _console()
        self._name, self._size, self._done, self._first = name, size, done, done
        self._begun = self._told = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(24), DownloadColumn(), TimeRemainingColumn(),
            TextColumn("left"), console=console, transient=True, disable=not console.is_interactive,
        )  # fmt: skip
        self._task = self._progress.add_task(name[-28:], total=size or None, completed=done)

    def at(self, done: int) -> None:
        """So many bytes are there now."""
        self._done = done
        self._progress.update(self._task, completed=done)
        now = time.monotonic()
        if self._progress.disable and now - self._told >= EVERY:
            self._told = now
            say(f"{self._name}: {size(done)} of {size(self._size)}{self._left(now)}.")

    def _left(self, now: float) -> str:
        fetched = self._done - self._first
        if not self._size or fetched <= 0:
            return ""
        return f", about {duration((self._size - self._done) * (now - self._begun) / fetched)} left"

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _console() -> Console:
    """On stderr, which is a terminal, a notebook, or nobody's."""
    from rich.console import Console

    console = Console(stderr=True)
    console.is_interactive = console.is_terminal or console.is_jupyter
    return console


def size(count: int) -> str:
    """'1.9 GB', '820 MB' or '12 kB'."""
    if count >= 10**9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 10**6 else f"{count / 1e3:.0f} kB"


def duration(seconds: float) -> str:
    """'40 s', '12 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
