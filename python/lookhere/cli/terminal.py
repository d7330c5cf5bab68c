"""Whether a person sits at the other end of a stream."""

from __future__ import annotations

from typing import TextIO


def shown(stream: TextIO) -> bool:
    """True where what is written appears on a terminal."""
    return stream.isatty()
