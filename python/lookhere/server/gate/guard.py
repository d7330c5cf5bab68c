"""Who may ask: checked before anything of a request is read."""

from __future__ import annotations

import hmac
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.responses import JSONResponse

from ...checks import short
from ...errors import RequestError
from ..fault import Fault
from ..settings import Settings

OPEN = re.compile(r"/|/health|/page/[\w-]+\.(css|js|svg)", re.ASCII)
"""Paths that need no token: the page asks for it, and a browser that opens it has none yet."""

PROTOCOL = "lookhere.token."
"""Begins the subprotocol by which a browser's WebSocket, which sends no headers, brings the token; letters that such a
name may not have are percent-encoded."""


class Guard:
    """Wraps an ASGI application: Host, Origin, token and content type of every request and every WebSocket.

    A page of another site can make a browser send requests to loopback. It cannot choose the Host header (a name that
    was bound anew to 127.0.0.1 is not ours), nor leave out Origin, nor send JSON without asking first.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope)
            except RequestError as error:
                await _refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Any) -> None:
        """RequestError."""
        headers = _headers(scope)
        host = _only(headers, "host")
        known = self._settings.known_hosts
        if known is not None and _name(host) not in known:
            raise RequestError(
                f"The request is for {short(host)}, and this server is not called so. Ask for localhost, or start it "
                "with --allow-host NAME where a proxy stands before it.",
                403,
                "wrong_host",
            )
        for origin in headers.get("origin", []):
            if not _same(origin, host):
                raise RequestError(
                    f"The request comes from a page of {short(origin)}; only pages of this server may ask it from a "
                    "browser. Ask from your own server, or through a proxy of the page's own address.",
                    403,
                    "wrong_origin",
                )
        if self._settings.token is not None and not OPEN.fullmatch(scope["path"]):
            self._check_token(scope, headers)
        if scope["type"] == "http" and scope["method"] == "POST":
            kind = _only(headers, "content-type").partition(";")[0].strip().lower()
            if kind != "application/json":
                raise RequestError(
                    f"Content-Type is {short(kind)}; expected application/json.", 415, "wrong_content_type"
                )

    def _check_token(self, scope: Any, headers: dict[str, list[str]]) -> None:
        given = []
        scheme, _, token = _only(headers, "authorization").partition(" ")
        if scheme.lower() == "bearer":
            given.append(token.strip())
        if scope["type"] == "websocket":
            named = [each.removeprefix(PROTOCOL) for each in scope["subprotocols"] if each.startswith(PROTOCOL)]
            given += [*named, *map(unquote, named)]
        expected = (self._settings.token or "").encode()
        if not any(hmac.compare_digest(each.encode(), expected) for each in given):
            raise RequestError(
                "This server needs its token: send the header Authorization: Bearer TOKEN (api_key= in OpenAI's "
                "clients).",
                401,
                "wrong_token",
            )


def _headers(scope: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _only(headers: dict[str, list[str]], name: str) -> str:
    """A header that may be there once at most, "" where it is not. RequestError."""
    values = headers.get(name, [])
    if len(values) > 1:
        raise RequestError(f"The header {name} stands there {len(values)} times; expected it once.", 400, "headers")
    return values[0] if values else ""


def _name(host: str) -> str:
    """A Host header without its port, in small letters."""
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0].rstrip(".")


def _same(origin: str, host: str) -> bool:
    """Whether an Origin header names the host and the port that the request is for."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return False
    usual = ":80" if parts.scheme == "http" else ":443"
    return parts.netloc.lower().removesuffix(usual) == host.strip().lower().removesuffix(usual)


async def _refuse(error: RequestError, scope: Any, receive: Any, send: Any) -> None:
    fault = Fault.of(error)
    if scope["type"] == "websocket":
        await receive()  # the connection is asked for
        await send({"type": "websocket.close", "code": 1008, "reason": (fault.code or "")[:100]})
        return
    headers = {"connection": "close", **fault.headers} if scope["method"] == "POST" else fault.headers
    await JSONResponse(fault.as_json(), fault.status, headers)(scope, receive, send)
