"""The same over one WebSocket, for a page whose pointer moves: ask, move the target mid-answer, ask again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from .. import checks
from ..errors import LookhereError, RequestError
from .answering import Answering
from .desk import Desk
from .fault import Fault
from .gate.body import parse
from .reply import Reply

PROTOCOL = "lookhere"
"""The subprotocol; beside it a browser may bring its token in another one."""

GONE = (WebSocketDisconnect, OSError, RuntimeError)
"""What is raised where something is said to a caller that went."""


class Socket:
    """One connection with one answer at a time; another ``ask`` ends the one before.

    In come objects with a ``type``: ``ask`` (the fields of a chat completion; without messages those of the ask
    before), ``look_at`` (``at``), ``stop``. Out go ``begun`` (``id``), ``chunk`` (as in a stream), ``moved``
    (``move``), ``ended``, and ``error``.
    """

    def __init__(self, desk: Desk, websocket: WebSocket) -> None:
        self._desk = desk
        self._websocket = websocket
        self._task: asyncio.Task[None] | None = None
        self._answering: Answering | None = None
        self._messages: Any = None

    @property
    def answering(self) -> bool:
        """Whether an answer is asked for, or being told."""
        return self._task is not None and not self._task.done()

    async def talk(self) -> None:
        """Until the caller goes."""
        offered = self._websocket.scope.get("subprotocols", [])
        await self._websocket.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        try:
            while True:
                message = await self._websocket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                try:
                    await self._take(message.get("text") or message.get("bytes") or "")
                except LookhereError as error:
                    await self._fail(error)
        except GONE:
            return
        finally:
            await self._stop()

    async def _take(self, text: str | bytes) -> None:
        data = await asyncio.to_thread(parse, text)
        kind = data.pop("type", None) if isinstance(data, dict) else None
        if kind == "ask":
            await self._stop()
            self._messages = data.setdefault("messages", self._messages)
            self._task = asyncio.create_task(self._answer({**data, "stream": True}))
        elif kind == "look_at":
            if self._answering is None:
                raise RequestError("No answer is being made; send an ask first.", 409, "ended")
            place = await asyncio.to_thread(self._desk.read_target, data)
            await self._say("moved", id=self._answering.id, move=await self._answering.look_at(place))
        elif kind == "stop":
            await self._stop()
        else:
            raise RequestError(
                f"type is {checks.short(kind)}; expected ask, look_at or stop.", 400, "invalid_value", "type"
            )

    async def _answer(self, data: dict[str, Any]) -> None:
        ticket = None
        try:
            ticket = self._desk.places.enter()
            answering, reply = await self._desk.answer(data, ticket, None)
        except BaseException as error:
            if ticket is not None:
                ticket.leave()
            if not isinstance(error, Exception):
                raise
            await self._fail(error)
            return
        self._answering = answering
        try:
            await self._tell(answering, reply)
        except GONE:
            pass
        except Exception as error:
            await self._fail(error, id=answering.id)
        finally:
            answering.stop()
            self._answering = None

    async def _tell(self, answering: Answering, reply: Reply) -> None:
        await self._say("begun", id=answering.id)
        async for chunk in reply.chunks():
            if chunk is not None:
                await self._say("chunk", chunk=chunk)
        await self._say("ended", id=answering.id)

    async def _stop(self) -> None:
        """Ends the answer that is being made, if there is one."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait({task})

    async def _fail(self, error: Exception, **more: Any) -> None:
        fault = Fault.of(error)
        self._desk.metrics.failed(fault, error)
        with contextlib.suppress(*GONE):
            await self._say("error", status=fault.status, **fault.as_json(), **more)

    async def _say(self, kind: str, **more: Any) -> None:
        text = json.dumps({"type": kind, **more}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        await self._websocket.send_text(text)
