"""The process that an agent's host starts: the protocol on its standard streams, until the host closes them."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn

import anyio
import anyio.lowlevel
from mcp.server import Server
from mcp.server.stdio import stdio_server

from .. import _start
from ..model import Model
from .coming import ComingModel
from .folders import Folders
from .looking import Looking, Note, Question
from .pictures import Pictures
from .server import make_server

_PIECE = 2**16
_PATIENCE = 10.0
"""Seconds after Ctrl-C within which callers are told; then the process ends all the same."""


def serve(
    load: Callable[[], Model],
    allow: Sequence[str | os.PathLike[str]],
    question: Question,
    note: Note,
    say: Callable[[str], object] = lambda text: None,
) -> NoReturn:
    """Serves until standard input is closed, or Ctrl-C, and ends the process.

    Nothing but the protocol goes to standard output: whatever else writes there meanwhile, writes to standard error.

    load: gives the model; called once, in a thread. allow: folders whose images may be read. say: told what a person
    wants to know. OptionError where one of them is no folder.
    """
    folders = Folders(allow)
    coming = ComingModel(load, say)
    read = f"images in {', '.join(map(str, folders.paths))}" if folders.paths else "no files (--allow FOLDER)"
    say(f"Serving tools over standard input and output; reads {read}")
    code = 0
    try:
        code = anyio.run(_serve, make_server(Looking(Pictures(folders), question, note), coming))
    except KeyboardInterrupt:
        code = _start.INTERRUPTED
    except Exception as error:
        if not _is_gone(error):
            raise
    coming.close()
    _leave(code)


async def _serve(server: Server[Any]) -> int:
    """-> the exit code."""
    lines: Any = _lines(sys.stdin.fileno())
    stopped: list[int] = []
    async with stdio_server(stdin=lines) as (reading, writing), anyio.create_task_group() as group:
        group.start_soon(_stopped, group.cancel_scope, stopped)
        await server.run(reading, writing, server.create_initialization_options())
        group.cancel_scope.cancel()
    return _start.INTERRUPTED if stopped else 0


async def _stopped(scope: anyio.CancelScope, stopped: list[int]) -> None:
    """Ctrl-C as an event: an exception could come anywhere, and be lost there."""
    with anyio.open_signal_receiver(signal.SIGINT) as signals:
        async for number in signals:
            stopped.append(number)
            late = threading.Timer(_PATIENCE, os._exit, (_start.INTERRUPTED,))
            late.daemon = True
            late.start()
            scope.cancel()
            return


async def _lines(file: int) -> AsyncIterator[str]:
    """The lines of a descriptor. Not the SDK's own reader: its thread cannot be called off, and after Ctrl-C it would
    keep the process until the host closes the stream."""
    parts: list[bytes] = []
    while True:
        try:
            await anyio.wait_readable(file)
        except PermissionError:  # a file, which is always ready
            await anyio.lowlevel.checkpoint()
        piece = os.read(file, _PIECE)
        *ended, rest = piece.split(b"\n")
        for line in ended:
            yield b"".join([*parts, line]).decode("utf-8", "replace")
            parts.clear()
        parts.append(rest)
        if not piece:
            if rest := b"".join(parts):
                yield rest.decode("utf-8", "replace")
            return


def _is_gone(error: BaseException) -> bool:
    """Whether all that went wrong is that nobody reads our answers any more."""
    inner = getattr(error, "exceptions", None)
    if inner is not None:
        return all(map(_is_gone, inner))
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _leave(code: int) -> NoReturn:
    """Ends the process at once. A model that is still being loaded cannot be called off; and Python takes longer to
    take the SDK's modules down than hosts wait on a busy machine, before they kill."""
    sys.stderr.flush()
    os._exit(code)
