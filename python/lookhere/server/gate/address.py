"""Images behind http(s) addresses, fetched so that nobody reaches through this server into its network."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from ... import checks
from ...errors import ImageError

REDIRECTS = 3
SECONDS = 20.0
"""Of one image, redirects included."""

_PIECE = 2**16
_TYPES = ("image/", "application/octet-stream", "binary/octet-stream")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet; what is wrapped in it counts as well."""
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner and not is_public(str(inner)):
            return False
        if ip.is_site_local:
            return False
    elif ip in _ASSIGNMENTS:  # global to older Pythons
        return False
    return bool(ip.is_global and not ip.is_multicast and not ip.is_reserved)


_ASSIGNMENTS = ipaddress.ip_network("192.0.0.0/24")


def _resolved(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Fetcher:
    """most: bytes of an image. public: whether an IP address may be asked. resolve: the IP addresses of a name.

    A name is resolved once, all its addresses are checked, and one of them is connected to: what the name means a
    moment later does not matter. Redirects are followed by hand, each checked alike. No proxy, cookie or password.
    """

    most: int
    public: Callable[[str], bool] = is_public
    resolve: Callable[[str, int], list[str]] = _resolved

    def fetch(self, address: str) -> bytes:
        """The bytes of an image. ImageError says what is wrong with the address or what is behind it."""
        until = time.monotonic() + SECONDS
        for _ in range(REDIRECTS + 1):
            found = self._ask(address, until)
            if isinstance(found, bytes):
                return found
            address = found
        raise ImageError(f"{checks.short(address)}: more than {REDIRECTS} redirects. Give the address of the image.")

    def _ask(self, address: str, until: float) -> bytes | str:
        """The image, or where it is instead."""
        shown = checks.short(address)
        parts, host, port = _parts(address)
        ip = self._checked(host, port, shown)
        try:
            connection = _connection(parts.scheme, host, ip, port, _left(until, shown))
            bell = threading.Timer(_left(until, shown), _hang_up, (connection.sock,))
            bell.start()
            try:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("GET", path, headers={**_HEADERS, "Host": parts.netloc})
                answer = connection.getresponse()
                if answer.status in (301, 302, 303, 307, 308):
                    return urljoin(address, answer.headers.get("location", ""))
                if answer.status != 200:
                    raise ImageError(f"{shown} answers {answer.status}; expected an image.")
                kind = answer.headers.get("content-type", "").strip().lower()
                if not kind.startswith(_TYPES):
                    raise ImageError(f"{shown} is {checks.short(kind or 'of no type')}; expected an image.")
                return self._body(answer, until, shown)
            finally:
                bell.cancel()
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ImageError(f"{shown} cannot be fetched: {checks.reason(error)}.") from error

    def _body(self, answer: http.client.HTTPResponse, until: float, shown: str) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            part = answer.read1(_PIECE)
            _left(until, shown)  # else what was cut off at the end of the time would pass as whole
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > self.most:
                raise ImageError(f"{shown} is larger than {self.most} bytes; give a smaller image.")

    def _checked(self, host: str, port: int, shown: str) -> str:
        """An IP address of the host, all of which may be asked."""
        try:
            found = self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise ImageError(f"{shown}: there is no host {checks.short(host)} ({checks.reason(error)}).") from error
        if not found or not all(map(self.public, found)):
            raise ImageError(f"{shown} is not on the open internet, and this server asks nobody else. Send a data URI.")
        return found[0]


_HEADERS = {"User-Agent": "lookhere", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}


def _parts(address: str) -> tuple[SplitResult, str, int]:
    shown = checks.short(address)
    if not address.isascii() or any(each <= " " for each in address):
        raise ImageError(f"{shown}: expected an http(s) address of plain letters, with %20 for a space.")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise ImageError(f"{shown} is no address: {checks.reason(error)}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ImageError(f"{shown}: expected an http(s) address of an image, without a password.")
    return parts, parts.hostname, port or (80 if parts.scheme == "http" else 443)


def _connection(scheme: str, host: str, ip: str, port: int, seconds: float) -> http.client.HTTPConnection:
    """A connection to the IP address, which is asked for the host."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    plain = socket.create_connection((ip, port), seconds)
    try:
        secure = ssl.create_default_context() if scheme == "https" else None
        connection.sock = secure.wrap_socket(plain, server_hostname=host) if secure else plain
    except BaseException:
        plain.close()
        raise
    return connection


def _hang_up(sock: socket.socket) -> None:
    """Whoever sends a byte now and then is not waited for."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _left(until: float, shown: str) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise ImageError(f"{shown} was not there within {SECONDS:g} s.")
    return left
