"""The bytes of an image file: in memory, in a file or an open file, in a data URI, or behind an address."""

from __future__ import annotations

import os
from typing import Any

from .. import checks, limits
from ..errors import ImageError

FILE_BYTES = 8 * limits.IMAGE_PIXELS
"""More than any image of as many pixels as are allowed takes; a device or a pipe may never end."""

_EXPECTED = "expected an image, for instance a PNG or JPEG"


def words(error: BaseException) -> str:
    """What an error of other code says, on one line, cut where it is long."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # of an error that nobody here made
        text = ""
    text = text or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def is_source(source: object) -> bool:
    """Whether it is a path, an address, bytes or an open file."""
    return isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)) or has(source, "read")


def has(thing: object, name: str) -> bool:
    """Whether an object that nobody here made has an attribute; what fails to say has none."""
    try:
        return getattr(thing, name, None) is not None
    except Exception:
        return False


def read(source: Any) -> tuple[bytes, str, str]:
    """-> the bytes of an image file, what they are at the start of a message, and their name. ImageError."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _plain(source), f"The {len(source)} bytes", "bytes"
    if not isinstance(source, (str, os.PathLike)):
        return _open_file(source), "The open file", "an open file"
    if isinstance(source, str):
        scheme = source[:8].lower()
        if scheme.startswith(("http://", "https://")):
            return _download(source), checks.short(source), _name(source)
        if scheme.startswith("data:"):
            return _data_uri(source), "The data URI", "a data URI"
        if scheme.startswith("file:"):
            path = local_path(source)
            return _file(path), f"The file {checks.short(path)}", _name(path)
    path = _path(source)
    return _file(path), f"The file {checks.short(path)}", _name(path)


def _name(text: str) -> str:
    return text if len(text) <= checks.LONGEST else text[: checks.LONGEST - 3] + "..."


def _plain(data: bytes | bytearray | memoryview) -> bytes:
    try:
        return bytes(data)
    except Exception as error:  # a view of something that was let go
        raise ImageError(f"{type(data).__name__} cannot be read: {words(error)}. Give bytes.") from error


def _open_file(file: Any) -> bytes:
    """All of an open file, from its start where it can go back there."""
    try:
        if callable(getattr(file, "seekable", None)) and file.seekable():
            file.seek(0)
        parts: list[bytes] = []
        left = FILE_BYTES + 1
        while left > 0 and (part := file.read(left)):
            if not isinstance(part, (bytes, bytearray, memoryview)):
                raise ImageError(
                    f"{type(file).__name__} reads {type(part).__name__}; expected bytes. Open the file with "
                    "open(path, 'rb')."
                )
            parts.append(bytes(part))
            left -= len(parts[-1])
    except ImageError:
        raise
    except Exception as error:  # of an object that nobody here made
        raise ImageError(f"{type(file).__name__} cannot be read: {words(error)}. Give a path, or bytes.") from error
    if left <= 0:
        raise ImageError(f"The open file holds more than {FILE_BYTES >> 20} MiB; give a smaller image.")
    return b"".join(parts)


def _path(source: str | os.PathLike[Any]) -> str:
    try:
        return os.fsdecode(source)
    except Exception as error:  # a path of a kind that nobody here made
        raise ImageError(f"{checks.short(source)} is no path: {words(error)}. Give the path as text.") from error


def local_path(address: str) -> str:
    """The path in ``file:///folder/name.png``."""
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(address)
        host, path = parts.netloc, unquote(parts.path)
    except ValueError as error:
        raise ImageError(f"{checks.short(address)} is no address: {words(error)}. Give the path alone.") from error
    if host.lower() not in ("", "localhost") or not path:
        raise ImageError(f"{checks.short(address)} names no file here; expected file:///folder/name.png, or a path.")
    return path[1:] if os.name == "nt" and path[2:3] == ":" else path


def _file(path: str) -> bytes:
    shown = checks.short(path)
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"There is no file {shown}; {_EXPECTED}.{_hint(path)}") from None
    except IsADirectoryError:
        raise ImageError(f"{shown} is a folder; {_EXPECTED}.") from None
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or words(error)
        raise ImageError(f"The file {shown} cannot be read: {reason}.{_hint(path)}") from error
    if len(data) > FILE_BYTES:
        raise ImageError(f"The file {shown} is larger than {FILE_BYTES >> 20} MiB; give a smaller image.")
    return data


def _hint(path: str) -> str:
    """What the text may have been meant as."""
    scheme, colon, _ = path.partition("://")
    if colon and scheme.isalnum():
        return f" Addresses of {scheme}:// are not known; download the image, or give an http(s) address."
    if len(path) > 200 and "." not in path:
        return " For base64 write 'data:;base64,' before it."
    return ""


def _download(address: str) -> bytes:
    import urllib.request

    shown = checks.short(address)
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "lookhere"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: bytes = answer.read(limits.DOWNLOAD_BYTES + 1)
    except Exception as error:  # what is no address fails in many ways
        raise ImageError(f"{shown} cannot be downloaded: {words(error)}. Check the address, or give a file.") from error
    if len(data) > limits.DOWNLOAD_BYTES:
        raise ImageError(f"{shown} is larger than {limits.DOWNLOAD_BYTES >> 20} MiB; give a smaller image.")
    return data


def _data_uri(address: str) -> bytes:
    """The bytes in ``data:image/png;base64,...``; line breaks, the URL-safe alphabet and no padding are fine."""
    import base64
    from urllib.parse import unquote_to_bytes

    head, comma, body = address.partition(",")
    if not comma:
        raise ImageError(f"The data URI {checks.short(address[:200])} has no comma; expected data:image/png;base64,...")
    try:
        data = unquote_to_bytes(body)
        if head.rstrip().lower().endswith(";base64"):
            data = b"".join(data.split()).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
            data = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except ValueError as error:
        shown = checks.short(address[:200])
        raise ImageError(f"The data URI {shown} is not base64: {words(error)}. Encode the file again.") from error
    return data
