"""How far long work is: a bar with the time left where a person sits, and a line now and then where nobody does."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


class Bar:
    """What long commands tell while they work; a context manager."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[what]}"), console=self._console, transient=True,
            disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._name, self._total = "", 0
        self._begun = self._stage = self._told = time.monotonic()

    def stage(self, name: str, total: int) -> None:
        """The next part of the work."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(name, total=total, what="")
        self._name, self._total, self._stage = name, total, time.monotonic()

    def done(self, count: int, what: str = "") -> None:
        """How far it is."""
        if self._task is not None:
            self._progress.update(self._task, completed=count, what=what)
        now = time.monotonic()
        if self._progress.disable and now - self._told >= EVERY:
            self._told = now
            self.note(self._line(count, now))

    def note(self, text: str) -> None:
        """One line."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _line(self, count: int, now: float) -> str:
        spent = now - self._stage
        left = f", about {_words(spent / count * (self._total - count))} left of this" if count else ""
        return f"{_words(now - self._begun)}: {self._name}, {count} of {self._total}{left}."

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def _words(seconds: float) -> str:
    """'40 s', '12 min', '3 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
