"""Runs that the session's own thread steps, and the task that reads what they say."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..answers.answer import Step
from ..answers.run import Run
from .loop import Bell

if TYPE_CHECKING:
    from ..kv.request import Request


class Said(NamedTuple):
    """What came of one request. step: None where the answer ended without one, or failed with the error. more: the next
    step of the same run is being computed already."""

    place: int
    run: Run
    step: Step | None
    error: Exception | None
    more: bool


class Inbox:
    """What runs said, until a task reads it. It may be read in one task at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: list[Said] = []
        self._bell: Bell | None = None

    def begin(self, place: int, run: Run, *, to_end: bool = False) -> None:
        """Has the next step of a run computed; to_end: and all that follow, without waiting for a reader."""
        run.submit(partial(self._take, place, run, to_end))

    def ring(self) -> None:
        """Lets the reader look again, from any thread."""
        bell = self._bell
        if bell is not None:
            bell.ring()

    async def read(self, unless: Callable[[], bool] = lambda: False) -> list[Said]:
        """Waits until a run has said all that it was to say, or ``unless`` holds. -> all that was said by then."""
        while True:
            self._bell = Bell()
            with self._lock:
                if any(not each.more for each in self._said) or unless():
                    said, self._said = self._said, []
                    return said
            await self._bell.wait()

    def _take(self, place: int, run: Run, to_end: bool, request: Request[Step | None]) -> None:
        """Within the turn that computed it, or that found that it has ended."""
        step: Step | None = None
        error: Exception | None = None
        try:
            step = run.outcome(request)
        except Exception as raised:
            error = raised
        more = to_end and error is None and run.finish is None
        with self._lock:
            self._said.append(Said(place, run, step, error, more))
        if more:
            self.begin(place, run, to_end=True)
        else:
            self.ring()
