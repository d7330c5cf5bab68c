"""Places: how many answers are made at a time, and how many requests wait for one."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

from ..errors import RequestError

LONGEST_WAIT = 60
"""Seconds that a caller is told to wait at most."""

STOPPING = ("The server is stopping, and takes no more requests.", 503, "stopping", None, 5)


class Places:
    """Counts who is inside. Belongs to an event loop.

    together: answers at a time. queue: requests that wait beside them. entered: requests that ever were inside.
    """

    def __init__(self, together: int, queue: int) -> None:
        self.together = together
        self.queue = queue
        self.inside = 0
        self.entered = 0
        self.running = 0
        self.closing = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = 1.0  # that an answer takes, of late

    @property
    def waiting(self) -> int:
        """Requests that are inside and have no place yet."""
        return self.inside - self.running

    def enter(self) -> Ticket:
        """Lets a request in, before its body is read. RequestError: 429 where too many wait, 503 while it stops."""
        if self.closing:
            raise RequestError(*STOPPING)
        if self.inside >= self.together + self.queue:
            seconds = min(LONGEST_WAIT, max(1, math.ceil(self._seconds * (self.waiting + 1) / self.together)))
            raise RequestError(
                f"{self.running} answers are being made and {self.waiting} requests wait; this server takes no more. "
                f"Try again in {seconds} s.",
                429,
                "queue_full",
                retry_after=seconds,
            )
        self.inside += 1
        self.entered += 1
        return Ticket(self)

    def close(self) -> None:
        """Nobody else comes in, and who waits is told so; answers that are being made go on."""
        self.closing = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(RequestError(*STOPPING))

    async def _take(self) -> None:
        if self.closing:
            raise RequestError(*STOPPING)
        if self.running < self.together and not self._waiting:
            self.running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # it was given to one that is gone
                self._give_back()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def _give_back(self) -> None:
        self.running -= 1
        while self._waiting and self.running < self.together:
            turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    def _took(self, seconds: float) -> None:
        self._seconds += 0.2 * (seconds - self._seconds)


class Ticket:
    """One request that is inside; ``leave`` it once, whatever happens."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._began: float | None = None
        self._left = False

    async def begin(self) -> None:
        """Waits for a place, first come, first served."""
        await self._places._take()
        self._began = time.monotonic()

    def leave(self) -> None:
        """The place is free again. May be called twice."""
        if self._left:
            return
        self._left = True
        self._places.inside -= 1
        if self._began is not None:
            self._places._took(time.monotonic() - self._began)
            self._places._give_back()
