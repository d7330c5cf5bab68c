"""Regions as people write them: ``40,60,220,300``, ``10%,0,50%,100%``, ``3/6``, ``box:40,60,220,300``. The one parser
of such texts."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..checks import short
from ..errors import RegionError
from .box import Box, Panel, Point, RelativeBox, RelativePoint
from .mask import Mask
from .polygon import Polygon, RelativePolygon
from .region import Plain
from .span import Paragraph, Span

_SPAN = re.compile(r"(\d{1,10}):(\d{1,10})", re.ASCII)
_PANEL = re.compile(r"(\d{1,9})/(\d{1,9})|(\d{1,9}),(\d{1,9})/(\d{1,9}),(\d{1,9})")


def read_box(text: str) -> Box | RelativeBox:
    """``X0,Y0,X1,Y1``; in percent of the image where percent signs stand. ValueError where it is not of this form,
    RegionError where it is no box."""
    numbers, relative = _places(text, 4)
    return Box.relative(*numbers) if relative else Box(*numbers)


def read_point(text: str) -> Point | RelativePoint:
    """``X,Y``; in percent of the image where percent signs stand. ValueError, RegionError."""
    numbers, relative = _places(text, 2)
    return Point.relative(*numbers) if relative else Point(*numbers)


def read_panel(text: str) -> Panel:
    """``K/N`` or ``ROW,COL/ROWS,COLS``. ValueError, RegionError."""
    match = _PANEL.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    return Panel(*(int(part) for part in match.groups() if part is not None))


def read_polygon(text: str) -> Polygon | RelativePolygon:
    """``X,Y,X,Y,X,Y...``; in percent of the image where percent signs stand. ValueError, RegionError."""
    numbers, relative = _places(text)
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    return Polygon.relative(corners) if relative else Polygon(corners)


def read_span(text: str) -> Span:
    """``START:END``. ValueError, RegionError."""
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    return Span(int(match[1]), int(match[2]))


def read_paragraph(text: str) -> Paragraph:
    """``K``. ValueError, RegionError."""
    if not re.fullmatch(r"\s*\d{1,10}\s*", text, re.ASCII):
        raise ValueError(text)
    return Paragraph(int(text))


FORMS: dict[str, tuple[str, Callable[[str], Plain]]] = {
    "box": ("X0,Y0,X1,Y1", read_box),
    "point": ("X,Y", read_point),
    "panel": ("K/N|ROW,COL/ROWS,COLS", read_panel),
    "polygon": ("X,Y,X,Y,X,Y...", read_polygon),
    "mask": ("FILE", Mask.open),
    "span": ("START:END", read_span),
    "paragraph": ("K", read_paragraph),
}
"""By kind: how it is written, and what reads it."""


def read_region(text: str) -> Plain:
    """``KIND:...``, or a panel without its kind; no masks. ValueError, RegionError."""
    kind, colon, rest = text.partition(":")
    if not colon:
        kind, rest = "panel", text
    if kind == "mask":
        raise ValueError(text)
    return FORMS[kind][1](rest) if kind in FORMS else _unknown(text)


def _unknown(text: str) -> Plain:
    raise ValueError(text)


def _places(text: str, count: int | None = None) -> tuple[list[float], bool]:
    """The numbers, so many if that is known, and whether they are parts of the image: each in percent, or 0."""
    parts = [part.strip() for part in text.split(",")]
    relative = any(part.endswith("%") for part in parts)
    numbers = [float(part.removesuffix("%")) for part in parts]
    if count is not None and len(numbers) != count:
        raise ValueError(text)
    if not relative:
        return numbers, False
    mixed = [part for part, number in zip(parts, numbers, strict=True) if number and not part.endswith("%")]
    if mixed:
        raise RegionError(
            f"{short(text)} mixes percent and pixels: {mixed[0]} has no percent sign; expected one at every number, or "
            "at none."
        )
    return [round(number / 100, 15) for number in numbers], True
