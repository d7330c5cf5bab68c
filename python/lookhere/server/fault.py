"""An error as OpenAI's clients expect it: an HTTP status, and an object that says what happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import (
    BusyError,
    CancelledError,
    ClosedError,
    ContextError,
    EngineFailure,
    HeadSetMissingError,
    ImageError,
    LookhereError,
    RequestError,
)

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""By status; other statuses from 500 on are ``server_error``, the rest ``invalid_request_error``."""

_KINDS: tuple[tuple[type[LookhereError], int, str], ...] = (
    (ContextError, 400, "context_length_exceeded"),
    (ImageError, 400, "invalid_image"),
    (HeadSetMissingError, 400, "no_head_set"),
    (ClosedError, 503, "closed"),
    (CancelledError, 503, "cancelled"),
    (BusyError, 503, "busy"),
    (EngineFailure, 500, "engine_failure"),
    (LookhereError, 400, "invalid_value"),
)

UNEXPECTED = "The server failed while it answered this; its log says why. Other requests go on."


@dataclass(frozen=True)
class Fault:
    """status: of HTTP. code: what it is, for programs. param: the field that is wrong, where that is known."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None

    @classmethod
    def of(cls, error: BaseException) -> Fault:
        """What a caller is told of an error. Of one that is not ours, nothing but that it happened."""
        if isinstance(error, RequestError):
            return cls(error.status, str(error), error.code, error.param, error.retry_after)
        for kind, status, code in _KINDS:
            if isinstance(error, kind):
                return cls(status, str(error), code)
        return cls(500, UNEXPECTED, "server_failure")

    def as_json(self) -> dict[str, Any]:
        """In OpenAI's shape."""
        kind = TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Beside the usual ones."""
        found = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return {**found, "www-authenticate": "Bearer"} if self.status == 401 else found
