"""Server-sent events: a response of lines that come one by one, to a caller that may go at any time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.responses import Response

from ..errors import CancelledError
from .caller import Caller

DONE = "data: [DONE]\n\n"
SILENCE = ": still at work\n\n"
"""A comment, which clients skip; keeps proxies from closing a connection that is silent for long."""

HEADERS = {
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # nginx else keeps the words back
    "x-content-type-options": "nosniff",
}


def event(data: dict[str, Any]) -> str:
    """One event."""
    return f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'), allow_nan=False)}\n\n"


class Events(Response):  # type: ignore[misc,unused-ignore]  # where FastAPI is not installed
    """lines: events as text. seconds: after which it is cut, whoever reads or does not. on_end: called whatever
    happens."""

    media_type = "text/event-stream"

    def __init__(
        self,
        lines: AsyncIterator[str],
        caller: Caller,
        *,
        seconds: float,
        on_end: Callable[[], None],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(b"", 200, {**HEADERS, **headers}, self.media_type)
        del self.headers["content-length"]
        self._lines, self._caller = lines, caller
        self._seconds, self._on_end = seconds, on_end

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.wait_for(self._caller.unless_gone(self._tell(send)), self._seconds)
        except (CancelledError, asyncio.TimeoutError, OSError):
            pass  # who asked has gone, or does not read
        finally:
            self._on_end()
            self._caller.close()

    async def _tell(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for line in self._lines:
            await send({"type": "http.response.body", "body": line.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
