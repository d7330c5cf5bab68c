"""Freeing what nobody has used for a while."""

from __future__ import annotations

import threading
import time
import weakref

from ..kv.session import Session
from ..kv.turns import Turns
from ..process.forks import renew
from .weights import Weights


class Unloading:
    """Frees the weights and the KV cache of a model that is idle, in a thread that ends with it.

    encoding: the turns of the projector.
    """

    def __init__(self, weights: Weights, session: Session, encoding: Turns) -> None:
        self._weights, self._session, self._encoding = weights, session, encoding
        self._seconds: float | None = None
        self._stopped = False
        me = weakref.WeakMethod(self._wake)  # the weights must not keep it

        def wake() -> None:
            found = me()
            if found is not None:
                found()

        weights.when_needed = wake
        self.after_fork()
        renew(self)

    def after_fork(self) -> None:
        """The thread is not in the child; it starts when the weights are needed there."""
        self._changed = threading.Event()
        self._starting = threading.Lock()
        self._running = False

    def after(self, seconds: float | None) -> None:
        """They are freed when nobody used them for so long; None: never."""
        self._seconds = seconds
        self._wake()

    def stop(self) -> None:
        """They are never freed any more."""
        self._stopped = True
        self._changed.set()

    def _wake(self) -> None:
        """There may be something to free, or the time has changed."""
        with self._starting:
            starts = self._seconds is not None and not self._running
            self._running = self._running or starts
        if starts:
            me = weakref.ref(self, lambda _, changed=self._changed: changed.set())  # type: ignore[misc]
            threading.Thread(target=_watch, args=(me, self._changed), name="lookhere-unload", daemon=True).start()
        self._changed.set()

    def _look(self) -> float | None:
        """Frees them if it is time. -> seconds after which to look again, None for when something changes."""
        if self._seconds is None or not self._weights.loaded:
            return None
        if self._left() <= 0:
            with self._encoding.take(unless=self._is_used) as mine:
                if mine and self._session.free(self._is_used, self._weights.free):
                    return None
        return max(0.0, self._left())

    def _left(self) -> float:
        if self._seconds is None:
            return threading.TIMEOUT_MAX
        return max(self._weights.used_at, self._session.used_at) + self._seconds - time.monotonic()

    def _is_used(self) -> bool:
        return self._left() > 0


def _watch(unloading: weakref.ref[Unloading], changed: threading.Event) -> None:
    while True:
        changed.clear()
        found = unloading()
        if found is None or found._stopped:
            return
        seconds = found._look()
        del found
        changed.wait(seconds)
