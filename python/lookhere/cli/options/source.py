"""The IMAGE of a command."""

from __future__ import annotations

import sys

from ...errors import ImageError


def read_source(image: str) -> str | bytes:
    """The bytes of standard input for ``-``, else the path or address itself. ImageError."""
    if image != "-":
        return image
    data = sys.stdin.buffer.read()
    if not data:
        raise ImageError("There is nothing on standard input; expected an image, for instance: cat x.png | lookhere …")
    return data
