"""The process that serves: a socket, signals, and an end in order."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import uvicorn

from .. import checks
from ..errors import OptionError
from ..model import Model
from ..process.heap import give_back_free, give_back_large
from .app import App
from .desk import Desk
from .gate.guard import Guard
from .settings import Settings

CONNECTIONS = 1000
"""At a time, idle ones included."""

READERS = 2
"""Threads that read requests: few, since each keeps the memory of the largest that it has read."""

TICK = 0.05
"""Seconds between two looks at whether all is said."""

REST = 0.5
"""Seconds between two looks at whether nobody asks."""

MANY = 200
"""Requests after which free memory is given back although somebody asks."""


class Program(uvicorn.Server):  # type: ignore[misc,unused-ignore]  # where uvicorn is not installed
    """Ctrl-C once lets the answers end that are being made, twice ends at once."""

    def __init__(self, desk: Desk, say: Callable[[str], object] = lambda text: None, photo: Path | None = None) -> None:
        when_gone = None if photo is None else self._end
        self._app = App(desk, photo, when_gone)
        config = uvicorn.Config(
            Guard(self._app.asgi, desk.settings),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=15,
            ws_max_size=desk.settings.body,
        )
        super().__init__(config)
        self._desk, self._say = desk, say

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it is to stop."""
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="lookhere-read")
        asyncio.get_running_loop().set_default_executor(readers)
        tidy = asyncio.create_task(self._tidy())
        try:
            await super().serve(sockets)
        finally:
            tidy.cancel()

    async def _tidy(self) -> None:
        """Gives back free memory once nobody asks any more, and after many requests."""
        places, tidied = self._desk.places, 0
        while True:
            await asyncio.sleep(REST)
            new = places.entered - tidied
            if new >= MANY or (new and places.inside == 0):
                tidied = places.entered
                await asyncio.get_running_loop().run_in_executor(None, give_back_free)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends all connections; WebSockets only once they have told their answers, which uvicorn does not wait for."""
        while self._app.answers_a_socket and not self.force_exit:
            await asyncio.sleep(TICK)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop."""
        if not self.should_exit and self._desk.places.running:
            count = self._desk.places.running
            self._say(f"Stopping after {count} answer{'s' * (count > 1)} that are being made; again ends at once.")
        super().handle_exit(sig, frame)
        self._desk.places.close()

    def _end(self) -> None:
        self.should_exit = True
        self._desk.places.close()


def serve(
    model: Model,
    settings: Settings,
    name: str,
    say: Callable[[str], object] = lambda text: None,
    *,
    photo: Path | None = None,
    show: Callable[[str], object] = lambda url: None,
) -> None:
    """Serves until it is stopped by Ctrl-C or SIGTERM. say: told what a person wants to know. photo: the image that the
    page opens with; it then serves until the page is closed. show: called with the page's address. OptionError where
    it cannot listen."""
    with listening(settings) as listener:
        give_back_large()
        desk = Desk(model, settings, name)
        say(f"Serving {name} at {address(settings, listener)} (OpenAI's base_url: {address(settings, listener)}/v1)")
        show(address(settings, listener))  # the socket listens: what asks now is answered as soon as it serves
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            Program(desk, say, photo).run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # uvicorn says so once all is over
        finally:
            signal.signal(signal.SIGTERM, before)
            desk.close()


def listening(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. OptionError."""
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError) as error:
        raise OptionError(
            f"The server cannot listen on {checks.short(host)}, port {port}: {checks.reason(error)}. Is another one "
            "running? Give another --port, or 0 for any that is free."
        ) from error
    return listener


def address(settings: Settings, listener: socket.socket) -> str:
    """Where it is reached."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"
