"""Bytes as text, told by their content."""

from __future__ import annotations

import codecs
import mimetypes

from ..errors import TextError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
"""What a file of each encoding may begin with; of UTF-32 before UTF-16, whose mark is the beginning of it."""

_LOOKED_AT = 4096
"""Bytes that tell whether a file is a text."""


def may_be_text(data: bytes, name: str) -> bool:
    """Whether bytes that are no image seem to be meant as a text, be it in an encoding that is not known here.

    name: of the file; one that is called an image is none, whatever it holds.
    """
    if (mimetypes.guess_type(name)[0] or "").startswith("image/"):
        return False
    if _encoding(data):
        return True
    start = data[:_LOOKED_AT].lstrip().lower()
    if start.startswith((b"<svg", b"<!doctype svg")) or (start.startswith(b"<?xml") and b"<svg" in start):
        return False
    return not any(byte < 32 and byte not in b"\t\n\v\f\r\x1b" for byte in data[:_LOOKED_AT])


def decoded(data: bytes, what: str) -> str:
    """The text in bytes. what: the start of messages. TextError."""
    if not data:
        raise TextError(f"{what} is empty; expected a text.")
    encoding = _encoding(data) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TextError(
            f"{what} is no text in {encoding.removesuffix('-sig').upper()}: the bytes at {error.start} cannot be read "
            "as such. Save it as UTF-8, for instance: iconv -f WINDOWS-1252 -t UTF-8 FILE."
        ) from None
    if "\0" in text:
        raise TextError(f"{what} holds a zero character at {text.index(chr(0))}: it is no text. Give a file of text.")
    if not text:
        raise TextError(f"{what} is empty; expected a text.")
    return text


def _encoding(data: bytes) -> str:
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "")
