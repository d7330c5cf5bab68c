"""Turns: one caller at a time, first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..engine import ending
from ..errors import BusyError, CancelledError
from ..process.forks import renew

if TYPE_CHECKING:
    from .. import _engine

_PATIENCE = 0.05
"""Seconds after which a caller that waits looks at its cancel flag."""


class Turns:
    """A queue. Whoever is first has the turn until it leaves; nobody holds it between two steps."""

    def __init__(self) -> None:
        self.after_fork()
        renew(self)

    def after_fork(self) -> None:
        """Empties the queue: those who stood in it are not in the child."""
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._owner: int | None = None

    def __len__(self) -> int:
        """Callers in the queue, the one that has the turn included."""
        return len(self._queue)

    @property
    def mine(self) -> bool:
        """True within a turn that this thread has."""
        return self._owner == threading.get_ident()

    @contextmanager
    def take(
        self, cancel: _engine.CancelFlag | None = None, *, unless: Callable[[], bool] = lambda: False
    ) -> Iterator[bool]:
        """Waits for the turn and has it until the end of the block. -> whether it does: not once ``unless`` holds.

        CancelledError. BusyError within a turn of the same thread, as in a log handler or a signal handler that the
        engine's step calls: waiting would never end.
        """
        if self.mine:
            raise BusyError(
                "The model is in the middle of a step in this thread, so this call, made from inside the step (a log "
                "or signal handler?), could never get its turn. Make it after the step."
            )
        ticket = object()
        try:
            with self._changed:
                self._queue.append(ticket)
                while self._queue[0] is not ticket and not unless():
                    self._changed.wait(_PATIENCE)
                    if cancel is not None and cancel.is_set():
                        raise CancelledError("Cancelled while waiting for the step of another caller.")
                    if ending():
                        raise CancelledError("The program is ending, and another thread was in the middle of a step.")
                mine = self._queue[0] is ticket and not unless()
                if mine:
                    self._owner = threading.get_ident()
            if mine and cancel is not None and cancel.is_set():
                raise CancelledError("Cancelled.")
            yield mine
        finally:
            with self._changed:
                if self._queue and self._queue[0] is ticket:
                    self._owner = None
                if ticket in self._queue:
                    self._queue.remove(ticket)
                self._changed.notify_all()
