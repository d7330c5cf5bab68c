"""Who made a request, and whether it is still there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeAlias, TypeVar

from ..errors import CancelledError

T = TypeVar("T")
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Caller:
    """Watches a connection once the body of its request was read. ``close`` it when the request is done."""

    def __init__(self, receive: Receive) -> None:
        self._gone = asyncio.ensure_future(_until_gone(receive))

    @property
    def gone(self) -> bool:
        """Whether it has left."""
        return self._gone.done() and not self._gone.cancelled()

    async def unless_gone(self, wanted: Coroutine[Any, Any, T]) -> T:
        """What is awaited; CancelledError as soon as the caller has gone, and then nothing of it goes on."""
        task = asyncio.ensure_future(wanted)
        try:
            await asyncio.wait({task, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise CancelledError("The caller has gone.")
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def close(self) -> None:
        """Watches no longer."""
        self._gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
