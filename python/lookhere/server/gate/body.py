"""The body of a request: so large at most, in so much time, and JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, NoReturn

from ... import checks
from ...errors import CancelledError, RequestError
from ..caller import Receive

SECONDS = 30.0
"""A body may take to come."""

_DRAIN = 2.0
"""Seconds for which a body that is too large is read on and thrown away, so that the caller reads the answer."""

_LARGE = 2**16
"""Bytes from which JSON is read in a thread of its own."""


async def read_json(receive: Receive, length: str | None, most: int) -> dict[str, Any]:
    """The object that the body holds. length: the header, where there is one. most: bytes.

    RequestError: 413 too large, 408 too slow, 400 no JSON object; CancelledError where the caller goes.
    """
    if length is not None and length.isdecimal() and int(length) > most:
        await _refuse(receive, f"The body has {checks.short(int(length))} bytes", most)
    try:
        data = await asyncio.wait_for(_read(receive, most), SECONDS)
    except asyncio.TimeoutError:
        raise RequestError(f"The body did not come within {SECONDS:g} s.", 408, "too_slow") from None
    if len(data) > most:
        await _refuse(receive, "The body is larger", most)
    found = await asyncio.to_thread(parse, data) if len(data) >= _LARGE else parse(data)
    if not isinstance(found, dict):
        raise RequestError(f"The body is {checks.short(found)}; expected a JSON object.", 400, "invalid_json")
    return found


def parse(data: bytes | str) -> Any:
    """JSON, as the standard has it. RequestError."""
    try:
        return json.loads(data, parse_constant=_no_constant)
    except RecursionError:
        raise RequestError("The body is nested too deeply; expected a JSON object.", 400, "invalid_json") from None
    except ValueError as error:
        raise RequestError(f"The body is not JSON: {checks.reason(error)}.", 400, "invalid_json") from error


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CancelledError("The caller has gone.")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return b"".join(parts)


async def _refuse(receive: Receive, what: str, most: int) -> NoReturn:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_drain(receive), _DRAIN)
    raise RequestError(f"{what}; this server takes {most} at most. Send smaller images.", 413, "body_too_large")


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


def _no_constant(name: str) -> NoReturn:
    raise RequestError(f"The body has {name}, which is no number in JSON.", 400, "invalid_json")
