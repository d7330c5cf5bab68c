"""The text that the user gives in place of an image."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from .. import checks, limits
from ..errors import ImageError, TextError
from ..images.image import ImageSource
from ..images.source import read
from .decode import decoded

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


class OfText:
    """What shows a text, as its scene does."""

    text: Text


@dataclass(frozen=True, repr=False)
class Text:
    """A text to look at. Its unit is the character, counted from 0, line breaks included; nothing of it is changed.

    document: the whole of it. name: for messages. TextError where it is empty, too long or no valid Unicode.
    """

    document: str
    name: str = field(default="a text", compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.document, str):
            hint = " Text.open reads files and bytes." if isinstance(self.document, (bytes, bytearray)) else ""
            raise TextError(f"Text: document is {checks.short(self.document)}; expected a str.{hint}")
        if not isinstance(self.name, str):
            raise TextError(f"Text: name is {checks.short(self.name)}; expected a str.")
        if not self.document:
            raise TextError(f"{self._called} is empty; expected a text with at least one character.")
        try:
            count = len(self.document.encode())
        except UnicodeEncodeError as error:
            raise TextError(
                f"{self._called} holds a lone surrogate at character {error.start}; expected valid Unicode."
            ) from None
        if count > limits.TEXT_BYTES:
            raise TextError(
                f"{self._called} has {count / 2**20:.1f} MiB; expected at most {limits.TEXT_BYTES >> 20} MiB. Look at "
                "a part of it."
            )

    @classmethod
    def open(cls, source: ImageSource) -> Text:
        """The text in a file, behind an address, in bytes or in an open file: UTF-8, or UTF-16 and UTF-32 with their
        mark. A mark at the start is no part of it. TextError."""
        try:
            data, what, name = read(source)
        except ImageError as error:
            raise TextError(str(error)) from error
        return cls(decoded(data, what), name)

    def __repr__(self) -> str:
        return f"<Text {checks.short(self.document, 48)}, {len(self)} characters>"

    def __str__(self) -> str:
        return self.document

    def __len__(self) -> int:
        return len(self.document)

    @cached_property
    def paragraphs(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each: runs of lines that blank lines part, without white space around them."""
        found: list[tuple[int, int]] = []
        open_from = None
        for line in _LINE.finditer(self.document):
            words = line[0].strip()
            if not words:
                open_from = None
                continue
            at = line.start() + line[0].index(words[0])
            end = line.start() + len(line[0].rstrip())
            if open_from is None:
                open_from = at
                found.append((at, end))
            else:
                found[-1] = (open_from, end)
        return tuple(found)

    @property
    def _called(self) -> str:
        return "The text" if self.name == "a text" else f"The text {checks.short(self.name)}"
