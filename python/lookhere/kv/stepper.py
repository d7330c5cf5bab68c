"""A thread that computes the requests for which no thread waits, as those of tasks in an event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

_IDLE = 1.0
"""Seconds without work after which the thread ends."""


class Stepper:
    """Starts its thread when it is woken, and ends it when nothing is wanted.

    wanted: whether there is something to compute. compute: computes a part of it; raises nothing.
    """

    def __init__(self, wanted: Callable[[], bool], compute: Callable[[], None]) -> None:
        self._wanted, self._compute = wanted, compute
        self.after_fork()

    def after_fork(self) -> None:
        """The thread is not in the child."""
        self._changed = threading.Condition()
        self._running = False

    def wake(self) -> None:
        """Something is wanted."""
        with self._changed:
            self._changed.notify()
            if not self._running:
                threading.Thread(target=self._work, name="lookhere-step", daemon=True).start()
                self._running = True

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._changed.wait_for(self._wanted, _IDLE):
                    self._running = False
                    return
            self._compute()
