"""Event loops: how a task waits for what threads make. Under asyncio and trio, by way of anyio (extra: async)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from ..cancel import CancelFlag
from ..errors import OptionError

if TYPE_CHECKING:
    from types import ModuleType

T = TypeVar("T")

IMAGES = 4
"""Threads of an event loop that read and encode images at a time: the encoder takes one after another."""


def library() -> ModuleType:
    """anyio, imported when it is first needed. OptionError where it is not installed, or no event loop runs."""
    try:
        import anyio.lowlevel
        import anyio.to_thread

        _ = anyio.lowlevel.current_token  # new in 4.11
    except (ImportError, AttributeError) as error:
        raise OptionError(
            f"Methods for async code need anyio >= 4.11 ({error}). Install it: pip install 'lookhere[async]'. Or call "
            "the methods without the a in front, in a thread."
        ) from error
    return anyio


class Bell:
    """Made in a task, which waits for it; rung by any thread, once."""

    def __init__(self) -> None:
        anyio = library()
        self._event = anyio.Event()
        self._loop: Any = anyio.lowlevel.current_token().native_token

    def ring(self) -> None:
        """Lets the task go on. Does not wait for it."""
        soon = getattr(self._loop, "call_soon_threadsafe", None) or self._loop.run_sync_soon  # asyncio's, trio's
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the task with it
            soon(self._event.set)

    async def wait(self) -> None:
        """Until it is rung."""
        await self._event.wait()


async def in_thread(work: Callable[[], T], flag: CancelFlag, *, images: bool = False) -> T:
    """What ``work`` gives, called in a worker thread.

    Where the task is cancelled, the flag is raised and the thread is not waited for. images: it reads or encodes some.
    """
    anyio = library()
    limiter = _images(anyio) if images else None
    try:
        found: T = await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)
        return found
    except anyio.get_cancelled_exc_class():
        flag.set()
        raise


_limiters: Any = None


def _images(anyio: ModuleType) -> Any:
    """Of the event loop of now."""
    global _limiters  # noqa: PLW0603
    if _limiters is None:
        _limiters = anyio.lowlevel.RunVar("lookhere images")
    try:
        return _limiters.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(IMAGES)
        _limiters.set(limiter)
        return limiter
