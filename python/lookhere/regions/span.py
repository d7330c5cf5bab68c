"""Spans and paragraphs: places in a text, in characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .. import checks
from ..errors import RegionError

FARTHEST = 10**9
"""More characters than any text has."""


@dataclass(frozen=True)
class Span:
    """The characters start <= k < end of a text, counted from 0, as ``document[start:end]``."""

    start: int
    end: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            found = checks.whole(f"Span: {name}", getattr(self, name), 0, FARTHEST, error=RegionError)
            object.__setattr__(self, name, found)
        if self.start >= self.end:
            raise RegionError(f"{self} is empty or inverted; expected start < end, as in document[start:end].")

    def __str__(self) -> str:
        return f"Span({self.start}, {self.end})"

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "span", "start": self.start, "end": self.end}

    def on(self, width: float, height: float) -> NoReturn:
        """RegionError: an image has no characters."""
        raise RegionError(_no_text(self))


@dataclass(frozen=True)
class Paragraph:
    """One of the parts of a text that blank lines part, counted from 1."""

    number: int

    def __post_init__(self) -> None:
        number = checks.whole("Paragraph: number", self.number, 1, FARTHEST, error=RegionError)
        object.__setattr__(self, "number", number)

    def __str__(self) -> str:
        return f"Paragraph({self.number})"

    def as_json(self) -> dict[str, Any]:
        """Its kind and number."""
        return {"kind": "paragraph", "number": self.number}

    def on(self, width: float, height: float) -> NoReturn:
        """RegionError: an image has no paragraphs."""
        raise RegionError(_no_text(self))


def span_of(region: Span | Paragraph, length: int, paragraphs: Sequence[tuple[int, int]]) -> Span:
    """The characters of a region in a text of so many; RegionError if it is not in it. paragraphs: start and end of
    each."""
    count = len(paragraphs)
    if isinstance(region, Span):
        if region.end > length:
            raise RegionError(
                f"{region} leaves the text, which has {length} characters; expected 0 <= start < end <= {length}."
            )
        return region
    if not count:
        raise RegionError(
            f"{region}: the text has no paragraphs, for it is white space alone; expected a Span of its characters."
        )
    if region.number > count:
        raise RegionError(
            f"{region}: the text has {count} paragraph{'s' * (count > 1)}, which blank lines part; expected a number "
            f"from 1 to {count}."
        )
    return Span(*paragraphs[region.number - 1])


def _no_text(region: Span | Paragraph) -> str:
    return (
        f"{region} is a place in a text, and this is an image; expected a Box, Point, Panel, Polygon or Mask. A text "
        "is looked at with look(lookhere.Text(document))."
    )
