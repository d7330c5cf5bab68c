"""Who has the page open: one WebSocket each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

SECONDS = 5.0
"""A page that is loaded again is back by then."""


class Visitors:
    """Counts WebSockets. when_gone: called once nobody has the page open any more, after somebody had."""

    def __init__(self, when_gone: Callable[[], object] | None = None) -> None:
        self.count = 0
        self._when_gone = when_gone
        self._timer: asyncio.TimerHandle | None = None

    def enter(self) -> None:
        self.count += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def leave(self) -> None:
        self.count -= 1
        if self.count == 0 and self._when_gone is not None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self._when_gone)
