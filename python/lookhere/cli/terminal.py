"""What is written to the two streams, and whether a person sits at the other end."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any, TextIO

import click


def shown(stream: TextIO) -> bool:
    """True where what is written appears on a terminal."""
    return stream.isatty()


def plain(path: str | os.PathLike[str]) -> str:
    """A path as text that any stream takes; bytes that are no UTF-8 become question marks."""
    return os.fspath(path).encode("utf-8", "replace").decode()


def take_any_text() -> None:
    """From now on no character stops the answer: what an encoding lacks is written with a backslash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def say_json(value: Any) -> None:
    """One line of JSON on stdout, of plain letters where the stream's encoding lacks others."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        text = json.dumps(value)
    click.echo(text)
