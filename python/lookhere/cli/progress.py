"""How far long work is: one bar with the time left where a person sits, and a line now and then where nobody does."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Column

from ..lab.work import Work

EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


class Bar:
    """What long commands tell while they work; a context manager. The bar is that of the whole work."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")  # what does not fit leaves the bar its width
        self._progress = Progress(
            BarColumn(24, table_column=Column(min_width=24)), TaskProgressColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.description} [dim]{task.fields[what]}", table_column=rest),
            console=self._console, transient=True, expand=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=1, left="", what="")
        self._work = Work()
        self._part = ""
        self._begun = self._stepped = self._told = time.monotonic()

    def plan(self, kind: str, count: int, seconds: float) -> None:
        """The whole work has so many steps of a kind."""
        self._work.plan(kind, count, seconds)

    def now(self, part: str, what: str = "") -> None:
        """What is done now."""
        self._part = part
        self._progress.update(self._task, description=part, what=what)

    def step(self, kind: str, *, kept: bool = False) -> None:
        """One more step of a kind is done."""
        now = time.monotonic()
        self._work.step(kind, None if kept else now - self._stepped)
        self._stepped = now
        left = self._work.left
        said = "" if left is None else f"about {_words(left)} left"
        self._progress.update(self._task, completed=self._work.share, left=said)
        if self._progress.disable and now - self._told >= EVERY:
            self._told = now
            parts = (self._part, f"{self._work.share:.0%} of all is done", said)
            self.note(f"{_words(now - self._begun)}: {', '.join(filter(None, parts))}.")

    def note(self, text: str) -> None:
        """One line."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

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
