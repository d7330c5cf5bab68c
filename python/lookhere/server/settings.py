"""How a server behaves: where it listens, who may ask, and how much."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .. import checks, limits
from ..errors import OptionError
from ..kv.reader import ROWS

MEBIBYTE = 2**20
LONGEST_TOKEN = 1000


@dataclass(frozen=True)
class Settings:
    """Where it listens, who may ask, and how much of anything there may be.

    host, port: 0 for any free port. token: what a caller has to bring, None for no one. hosts: names by which the
    server may be called beside its own, as that of a proxy before it. together: answers that are made at a time.
    queue: requests that wait beside them; the next one is refused. body: bytes of a request. pixels: of all images of a
    request. tokens: of an answer at most. default_tokens: where the request does not say. seconds: an answer may take.
    allow_url: whether images may be http(s) addresses. any_model_name: whether a request may name any model. fixed:
    whether requests may not bring heads of their own, nor ask for the attention of all heads.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    hosts: tuple[str, ...] = ()
    together: int = ROWS
    queue: int = 32
    body: int = 32 * MEBIBYTE
    pixels: int = 50_000_000
    tokens: int = 4096
    default_tokens: int = 512
    seconds: float = 600.0
    allow_url: bool = False
    any_model_name: bool = False
    fixed: bool = False

    def __post_init__(self) -> None:
        checks.whole("port", self.port, 0, 65535)
        checks.whole("together", self.together, 1, 256)
        checks.whole("queue", self.queue, 0, 100_000)
        checks.whole("body", self.body, 1024, 2**31)
        checks.whole("pixels", self.pixels, 1, limits.IMAGE_PIXELS)
        checks.whole("tokens", self.tokens, 1, limits.ANSWER_TOKENS)
        checks.number("seconds", self.seconds, 0.001, 86400.0)
        if self.token is not None and not _is_token(self.token):
            raise OptionError(
                f"token: expected 8 to {LONGEST_TOKEN} printable ASCII characters without spaces; make one with "
                "python -c 'import secrets; print(secrets.token_urlsafe())'."
            )
        if self.token is None and not self.loopback:
            raise OptionError(
                f"host={checks.short(self.host)} can be reached by other machines, so that a token is needed: set the "
                "environment variable LOOKHERE_TOKEN, or give --token. Without one, listen on 127.0.0.1."
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def known_hosts(self) -> frozenset[str] | None:
        """The names, in small letters, that a Host header may carry; None for any, where a token is asked for."""
        if not self.loopback and not self.hosts:
            return None
        own = ("localhost", "127.0.0.1", "[::1]") if self.loopback else (self.host,)
        return frozenset(each.lower() for each in (*own, _in_address(self.host), *self.hosts))


DEMO = {
    "together": 4,
    "queue": 8,
    "body": 4 * MEBIBYTE,
    "pixels": 4_000_000,
    "tokens": 100,
    "default_tokens": 100,
    "seconds": 60.0,
    "fixed": True,
}
"""The settings of ``--demo-limits``: a demo that strangers use."""


def _is_token(token: str) -> bool:
    return 8 <= len(token) <= LONGEST_TOKEN and all("!" <= each <= "~" for each in token)


def _in_address(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host
