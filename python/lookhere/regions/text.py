"""Regions as people write them: ``40,60,220,300``, ``3/6``, ``box:40,60,220,300``. The one parser of such texts."""

from __future__ import annotations

import re
from collections.abc import Callable

from .box import Box, Panel, Point
from .mask import Mask
from .polygon import Polygon
from .region import Plain

_PANEL = re.compile(r"(\d{1,9})/(\d{1,9})|(\d{1,9}),(\d{1,9})/(\d{1,9}),(\d{1,9})")


def read_box(text: str) -> Box:
    """``X0,Y0,X1,Y1``. ValueError where it is not of this form, RegionError where it is no box."""
    x0, y0, x1, y1 = _numbers(text, 4)
    return Box(x0, y0, x1, y1)


def read_point(text: str) -> Point:
    """``X,Y``. ValueError, RegionError."""
    x, y = _numbers(text, 2)
    return Point(x, y)


def read_panel(text: str) -> Panel:
    """``K/N`` or ``ROW,COL/ROWS,COLS``. ValueError, RegionError."""
    match = _PANEL.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    return Panel(*(int(part) for part in match.groups() if part is not None))


def read_polygon(text: str) -> Polygon:
    """``X,Y,X,Y,X,Y...``. ValueError, RegionError."""
    numbers = _numbers(text)
    return Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


FORMS: dict[str, tuple[str, Callable[[str], Plain]]] = {
    "box": ("X0,Y0,X1,Y1", read_box),
    "point": ("X,Y", read_point),
    "panel": ("K/N|ROW,COL/ROWS,COLS", read_panel),
    "polygon": ("X,Y,X,Y,X,Y...", read_polygon),
    "mask": ("FILE", Mask.open),
}
"""By kind: how it is written, and what reads it."""


def read_region(text: str) -> Plain:
    """``KIND:...``, or a panel without its kind; no masks. ValueError, RegionError."""
    kind, _, rest = text.rpartition(":")
    if kind == "mask":
        raise ValueError(text)
    return FORMS[kind or "panel"][1](rest) if kind in ("", *FORMS) else _unknown(text)


def _unknown(text: str) -> Plain:
    raise ValueError(text)


def _numbers(text: str, count: int | None = None) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if count is not None and len(numbers) != count:
        raise ValueError(text)
    return numbers
