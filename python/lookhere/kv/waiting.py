"""The requests that wait to be computed, in the order in which they came."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import CancelledError
from .request import Request
from .sequence import KvSequence

_SHARE = 0.1
"""Of the last batch's time, for which the next one waits for the callers of the last."""

_LONGEST = 0.05
"""Seconds that it waits at most."""


class Waiting:
    """Callers add requests and take them away again; whoever has the turn computes them.

    Callers that were in the last batch come back at once, most of them, with a request for the next step. The next
    batch waits a moment for them, so that all go on together and not by turns; whoever does not come in time is not
    waited for again until it was in another batch.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[Request[Any]] = []
        # of the last batches, and the thread that came with each; weakly, as an answer may be given up
        self._recent: weakref.WeakKeyDictionary[KvSequence, int] = weakref.WeakKeyDictionary()
        self._seconds = 0.0  # that the last batch took

    def add(self, requests: Sequence[Request[Any]]) -> None:
        """The requests wait until they are done."""
        with self._changed:
            for request in requests:
                request.thread = threading.get_ident()
            self._requests = sorted((*self._requests, *requests), key=lambda request: request.number)
            self._changed.notify_all()

    @property
    def unattended(self) -> list[Request[Any]]:
        """Those for which no thread waits."""
        return [each for each in self._requests if not each.done and each.when_done is not None]

    @contextmanager
    def of(self, requests: Sequence[Request[Any]]) -> Iterator[None]:
        """The requests wait until the end of the block, or until they are done."""
        self.add(requests)
        try:
            yield
        finally:
            with self._changed:
                self._requests = [each for each in self._requests if each not in requests]

    def ready(self) -> list[Request[Any]]:
        """Those to be computed now, one for each sequence, the longest waiting first. Others that ended are done."""
        until = time.monotonic() + min(_SHARE * self._seconds, _LONGEST)
        with self._changed:
            while (late := self._late()) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            for sequence in late:
                self._recent.pop(sequence, None)
            self._requests = [each for each in self._requests if not each.done]
            requests = self._requests
        found: dict[KvSequence, Request[Any]] = {}
        for request in requests:  # without the lock: one that ends may add another
            if request.cancel is not None and request.cancel.is_set():
                request.end(CancelledError("Cancelled while waiting for the model."))
            elif request.sequence.closed:
                request.end()
            else:
                found.setdefault(request.sequence, request)
        return list(found.values())

    @property
    def recent(self) -> list[KvSequence]:
        """Sequences of the last batches that may go on."""
        return [each for each in self._recent if not each.closed]

    @property
    def expected(self) -> list[KvSequence]:
        """Those of them whose callers, other threads, come back at once."""
        me = threading.get_ident()
        return [each for each, thread in self._recent.items() if thread != me and not each.closed]

    @contextmanager
    def timed(self, requests: Sequence[Request[Any]]) -> Iterator[None]:
        """A batch for the requests is computed in the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._seconds = time.monotonic() - began
                for each in requests:
                    if each.done and not each.sequence.closed:
                        self._recent[each.sequence] = each.thread

    def _late(self) -> list[KvSequence]:
        """Those that are expected, and not here yet."""
        here = {request.sequence for request in self._requests if not request.done}
        return [each for each in self.expected if each not in here]
