"""Work: something that a thread makes bit by bit, and the event loop reads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

from ..cancel import CancelFlag
from ..errors import CancelledError, RequestError

T = TypeVar("T")

LEAD = 64
"""Items that the thread is ahead of the reader at most: who reads slowly holds no memory."""

_PATIENCE = 0.1
"""Seconds after which a thread that waits for a slow reader looks whether it is to stop."""


class Work(Generic[T]):
    """Made in an event loop. flag: ends it, as soon as the engine can. late: whether the time is over."""

    def __init__(self, seconds: float) -> None:
        self.flag = CancelFlag()
        self.late = False
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._items: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._changed = asyncio.Event()
        self._room = threading.Semaphore(LEAD)

    def begin(self, pool: Executor, make: Callable[[], Iterator[T]], on_end: Callable[[], None]) -> None:
        """The items of ``make()`` are made in a thread of the pool. on_end: called in the event loop once the thread is
        free again."""
        timer = self._loop.call_later(self._seconds, self._too_late)
        pool.submit(self._run, make, on_end, timer)

    def stop(self) -> None:
        """Nobody reads any more."""
        self.flag.set()

    async def first(self, seconds: float) -> None:
        """Waits for an item, or the end, so long at most. Raises what it ended with where there is no item."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wait(), seconds)
        error = self._error
        if error is not None and not self._items:
            raise error

    async def read(self, every: float | None = None) -> AsyncIterator[T | None]:
        """The items; raises what it ended with. every: seconds of silence after which None comes."""
        while True:
            while self._items:
                item = self._items.popleft()
                self._room.release()
                yield item
            if self._ended:
                error = self._error
                if error is not None:
                    raise error
                return
            # not wait_for, which may lose a cancellation before Python 3.12
            timer = None if every is None else self._loop.call_later(every, self._changed.set)
            try:
                self._changed.clear()
                await self._changed.wait()
            finally:
                if timer is not None:
                    timer.cancel()
            if not self._items and not self._ended:
                yield None

    async def _wait(self) -> None:
        """Until there is something to read."""
        while not self._items and not self._ended:
            self._changed.clear()
            await self._changed.wait()

    def _too_late(self) -> None:
        self.late = True
        self.flag.set()

    def _run(self, make: Callable[[], Iterator[T]], on_end: Callable[[], None], timer: asyncio.TimerHandle) -> None:
        """In the thread."""
        error: BaseException | None = None
        try:
            with contextlib.closing(make()) as items:  # type: ignore[type-var]  # a generator
                for item in items:
                    self._put(item)
        except CancelledError as cancelled:
            error = _over(self._seconds) if self.late else cancelled
        except BaseException as raised:  # goes to the reader
            error = raised
        self._tell(self._end, error, on_end, timer)

    def _put(self, item: T) -> None:
        while not self._room.acquire(timeout=_PATIENCE):
            if self.flag.is_set():
                raise CancelledError("Nobody reads the answer any more.")
        self._tell(self._add, item)

    def _tell(self, call: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
            self._loop.call_soon_threadsafe(call, *args)

    def _add(self, item: T) -> None:
        self._items.append(item)
        self._changed.set()

    def _end(self, error: BaseException | None, on_end: Callable[[], None], timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._error, self._ended = error, True
        self._changed.set()
        on_end()


def _over(seconds: float) -> RequestError:
    return RequestError(
        f"The time for an answer, {seconds:g} s, was over before its first word. Ask about fewer or smaller images.",
        504,
        "timeout",
    )
