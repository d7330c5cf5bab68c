"""The routes: what a server answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

import lookhere

from ..errors import CancelledError, LookhereError
from ..steering.head_set import to_dict
from .caller import Caller
from .desk import Desk
from .events import Events
from .fault import Fault
from .gate.body import read_json
from .page.files import Page
from .page.visitors import Visitors
from .socket import Socket

SMALL = 2**20
"""Bytes of a request that only moves a target."""

PATIENCE = 1.0
"""Seconds for which a stream waits for its first token, so that an error that comes at once has its own status."""

GRACE = 60.0
"""Seconds after the time of an answer, in which the caller may read what is left."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class App:
    """The routes of one server; ``asgi`` is what a web server runs.

    photo: the image that the page opens with. when_gone: called once nobody has the page open any more.
    """

    def __init__(self, desk: Desk, photo: Path | None = None, when_gone: Callable[[], object] | None = None) -> None:
        self._desk = desk
        self._created = int(time.time())
        self._page = Page(desk.model, desk.settings, desk.name, photo)
        self._visitors = Visitors(when_gone)
        self._sockets: set[Socket] = set()
        self.asgi = self._routes()

    @property
    def answers_a_socket(self) -> bool:
        """Whether an answer is being told over a WebSocket."""
        return any(each.answering for each in self._sockets)

    async def _chat(self, request: Request) -> Response:
        ticket = self._desk.places.enter()
        caller: Caller | None = None
        try:
            data = await self._body(request, self._desk.settings.body)
            caller = Caller(request.receive)
            answering, reply = await self._desk.answer(data, ticket, caller)
        except BaseException as error:
            ticket.leave()
            return self._refused(error, caller)
        try:
            if not data.get("stream"):
                whole = await caller.unless_gone(reply.whole())
                caller.close()
                return JSONResponse(whole, headers=reply.headers)
            await caller.unless_gone(answering.first(PATIENCE))
        except BaseException as error:
            answering.stop()
            return self._refused(error, caller)

        def over() -> None:
            answering.stop()
            if caller.gone and answering.answer is None:
                self._desk.metrics.gone()

        seconds = self._desk.settings.seconds + GRACE
        return Events(reply.events(), caller, seconds=seconds, on_end=over, headers=reply.headers)

    async def _describe(self, request: Request) -> Response:
        ticket = self._desk.places.enter()
        caller: Caller | None = None
        try:
            data = await self._body(request, self._desk.settings.body)
            caller = Caller(request.receive)
            answers = await self._desk.describe(data, ticket, caller)
        except BaseException as error:
            ticket.leave()
            return self._refused(error, caller)
        caller.close()
        return JSONResponse(answers)

    async def _look_at(self, request: Request) -> Response:
        data = await self._body(request, SMALL)
        answering = self._desk.answering(request.path_params["id"])
        move = await answering.look_at(self._desk.read_target(data))
        return JSONResponse({"id": answering.id, "move": move})

    async def _socket(self, websocket: WebSocket) -> None:
        places = self._desk.places
        if self._visitors.count >= places.together + places.queue:  # each may hold a message as large as a body
            await websocket.close(1013)
            return
        socket = Socket(self._desk, websocket)
        self._sockets.add(socket)
        self._visitors.enter()
        try:
            await socket.talk()
        finally:
            self._visitors.leave()
            self._sockets.discard(socket)

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._facts()]})

    async def _model(self, request: Request) -> Response:
        self._desk.check_name(request.path_params["name"])
        return JSONResponse(self._facts())

    def _facts(self) -> dict[str, Any]:
        model, heads = self._desk.model, self._desk.model.head_set
        about = {
            "name": model.name,
            "architecture": model.architecture,
            "layers": model.layers,
            "heads": model.heads_per_layer,
            "context": model.session.limit,
            "question": model.prompt,
            "head_set": heads and {key: value for key, value in to_dict(heads).items() if key in _HEADS},
        }
        own = {"id": self._desk.name, "object": "model", "created": self._created, "owned_by": "lookhere"}
        return {**own, "lookhere": about}

    async def _health(self, request: Request) -> Response:
        places = self._desk.places
        if places.closing:
            return JSONResponse({"status": "stopping"}, 503)
        return JSONResponse({"status": "ok", "running": places.running, "waiting": places.waiting})

    async def _metrics(self, request: Request) -> Response:
        metrics = self._desk.metrics
        return Response(metrics.text(), media_type=metrics.content_type)

    async def _body(self, request: Request, most: int) -> dict[str, Any]:
        return await read_json(request.receive, request.headers.get("content-length"), most)

    def _refused(self, error: BaseException, caller: Caller | None) -> Response:
        """Nothing for a caller that has gone; else the error is raised, and told by ``_failed``."""
        gone = isinstance(error, CancelledError) and (caller is None or caller.gone)
        if caller is not None:
            caller.close()
        if not gone:
            raise error
        self._desk.metrics.gone()
        return Response(status_code=499)

    async def _failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            fault = Fault(error.status_code, f"{request.method} {request.url.path}: {error.detail}.", "not_found")
        else:
            fault = Fault.of(error)
        self._desk.metrics.failed(fault, error)
        return JSONResponse(fault.as_json(), fault.status, fault.headers)

    def _routes(self) -> FastAPI:
        app = FastAPI(title="lookhere", version=lookhere.__version__, openapi_url=None, redirect_slashes=False)
        gets: dict[str, Handler] = {
            "/": self._page.index,
            "/page/facts.json": self._page.facts,
            "/page/strip.png": self._page.strip,
            "/page/strip-large.png": self._page.large_strip,
            "/page/photo": self._page.photo,
            "/page/{name}": self._page.file,
            "/v1/models": self._models,
            "/v1/models/{name:path}": self._model,
            "/health": self._health,
            "/metrics": self._metrics,
        }
        posts: dict[str, Handler] = {
            "/v1/chat/completions": self._chat,
            "/v1/lookhere/describe": self._describe,
            "/v1/lookhere/runs/{id}/look_at": self._look_at,
        }
        for method, handlers in (("GET", gets), ("POST", posts)):
            for path, handler in handlers.items():
                app.add_api_route(path, handler, methods=[method], response_model=None)
        app.add_api_websocket_route("/v1/lookhere/socket", self._socket)
        for kind in (LookhereError, HTTPException, Exception):
            app.add_exception_handler(kind, self._failed)
        return app


_HEADS = ("heads", "strength", "share", "mode", "queries", "sharpness", "prompt", "source", "readers")
