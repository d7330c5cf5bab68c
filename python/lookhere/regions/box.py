"""Boxes, points and panels: places in pixels of the upright original image, origin top left, half open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, overload

from .. import checks
from ..errors import RegionError

Corners: TypeAlias = tuple[tuple[float, float], ...]
"""(x, y) in pixels, each joined with the next one and the last one with the first."""


def finite(what: str, **values: object) -> list[float]:
    """The values as Python numbers; RegionError unless each is a finite number."""
    found = []
    for name, value in values.items():
        number = checks.as_number(value)
        if number is None:
            raise RegionError(f"{what}: {name} is {checks.short(value)}; expected a finite number of pixels.")
        found.append(number)
    return found


def _whole(what: str, **values: object) -> list[int]:
    found = []
    for name, value in values.items():
        number = checks.as_whole(value)
        if number is None or number < 1:
            raise RegionError(f"{what}: {name} is {checks.short(value)}; expected a whole number from 1 on.")
        found.append(number)
    return found


@dataclass(frozen=True)
class Box:
    """A rectangle x0, y0, x1, y1 in pixels: x0 <= x < x1, y0 <= y < y1. Fractions are fine."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        numbers = finite("Box", x0=self.x0, y0=self.y0, x1=self.x1, y1=self.y1)
        for name, value in zip(("x0", "y0", "x1", "y1"), numbers, strict=True):
            object.__setattr__(self, name, value)
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise RegionError(
                f"Box({self.x0:g}, {self.y0:g}, {self.x1:g}, {self.y1:g}) is empty or inverted; "
                "expected x0 < x1 and y0 < y1 (left, top, right, bottom)."
            )

    @property
    def area(self) -> float:
        """Square pixels."""
        return (self.x1 - self.x0) * (self.y1 - self.y0)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    @property
    def corners(self) -> Corners:
        """Clockwise from the top left."""
        return (self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "box", **{name: float(getattr(self, name)) for name in ("x0", "y0", "x1", "y1")}}

    def on(self, width: int, height: int) -> Box:
        """Itself, once it is known to lie inside a width x height image; RegionError otherwise."""
        if self.x0 < 0 or self.y0 < 0 or self.x1 > width or self.y1 > height:
            raise RegionError(
                f"Box({self.x0:g}, {self.y0:g}, {self.x1:g}, {self.y1:g}) leaves the image, which is {width} x "
                f"{height} pixels; expected 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}."
            )
        return self


@dataclass(frozen=True)
class Point:
    """A place x, y in pixels. It has no size: the token under it is what is looked at."""

    x: float
    y: float

    def __post_init__(self) -> None:
        for name, value in zip(("x", "y"), finite("Point", x=self.x, y=self.y), strict=True):
            object.__setattr__(self, name, value)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x, self.y

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "point", "x": float(self.x), "y": float(self.y)}

    def on(self, width: int, height: int) -> Point:
        """Itself, once it is known to lie inside a width x height image; RegionError otherwise."""
        if not (0 <= self.x < width and 0 <= self.y < height):
            raise RegionError(
                f"Point({self.x:g}, {self.y:g}) leaves the image, which is {width} x {height} pixels; "
                f"expected 0 <= x < {width} and 0 <= y < {height}."
            )
        return self


@dataclass(frozen=True, init=False)
class Panel:
    """One of the equal cells of a strip or grid, counted from 1, left to right and top to bottom.

    ``Panel(2, 6)`` is the second of six panels side by side; ``Panel(1, 3, 2, 3)`` is row 1, column 3 of a grid of
    2 rows and 3 columns.
    """

    row: int
    col: int
    rows: int
    cols: int

    @overload
    def __init__(self, k: int, n: int, /) -> None: ...
    @overload
    def __init__(self, row: int, col: int, rows: int, cols: int) -> None: ...
    def __init__(self, row: int, col: int, rows: int | None = None, cols: int | None = None) -> None:
        if rows is None and cols is None:
            row, col = _whole("Panel", k=row, n=col)
            if row > col:
                raise RegionError(f"Panel({row}, {col}): there are only {col} panels; expected 1 <= k <= {col}.")
            row, col, rows, cols = 1, row, 1, col
        row, col, rows, cols = _whole("Panel", row=row, col=col, rows=rows, cols=cols)
        if row > rows or col > cols:
            raise RegionError(
                f"Panel({row}, {col}, {rows}, {cols}): the grid has {rows} rows and {cols} columns; "
                f"expected 1 <= row <= {rows} and 1 <= col <= {cols}."
            )
        for name, value in zip(("row", "col", "rows", "cols"), (row, col, rows, cols), strict=True):
            object.__setattr__(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "panel", "row": self.row, "col": self.col, "rows": self.rows, "cols": self.cols}

    def on(self, width: int, height: int) -> Box:
        """The panel as a box of a width x height image."""
        return Box(
            width * (self.col - 1) / self.cols,
            height * (self.row - 1) / self.rows,
            width * self.col / self.cols,
            height * self.row / self.rows,
        )
