"""Boxes, points and panels: places in pixels of the upright original image, origin top left, half open.

Relative ones are parts of an image of any size; they become pixels when the image is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

from .. import checks
from ..errors import RegionError

Corners: TypeAlias = tuple[tuple[float, float], ...]
"""(x, y) in pixels, each joined with the next one and the last one with the first."""


MOST = 10**9
"""Rows or columns of panels; more than any image has pixels."""


def checked_size(width: object, height: object) -> tuple[float, float]:
    """Of an image, in pixels; RegionError."""
    found = finite("An image", width=width, height=height)
    if min(found) <= 0 or max(found) > MOST:
        raise RegionError(
            f"An image of {plain(found[0])} x {plain(found[1])} pixels; expected 1 x 1 to {MOST} x {MOST}."
        )
    return found[0], found[1]


def finite(what: str, of: str = "number of pixels", /, **values: object) -> list[float]:
    """The values as Python numbers; RegionError unless each is a finite number. of: what is expected, for messages."""
    found = []
    for name, value in values.items():
        number = checks.as_number(value)
        if number is None:
            raise RegionError(f"{what}: {name} is {checks.short(value)}; expected a finite {of}.")
        found.append(number)
    return found


def plain(*values: float) -> str:
    """Numbers as a person writes them, with commas between."""
    return ", ".join(f"{value:.12g}" for value in values)


def percent(*values: float) -> str:
    """Parts of the whole as the command line takes them."""
    return ",".join(f"{100 * value:.12g}%" for value in values)


def parts(what: str, whole: int, **values: object) -> list[float]:
    """The values divided by the whole; RegionError unless each is a number from 0 to it."""
    numbers = finite(what, "number", **values)
    for name, number in zip(values, numbers, strict=True):
        if not 0 <= number <= whole:
            raise RegionError(
                f"{what}: {name} is {plain(number)}; expected a number from 0 to {whole}, the image's far edge."
            )
    return [number / whole for number in numbers]


def _whole(what: str, **values: object) -> list[int]:
    found = []
    for name, value in values.items():
        number = checks.as_whole(value)
        if number is None or not 1 <= number <= MOST:
            raise RegionError(f"{what}: {name} is {checks.short(value)}; expected a whole number from 1 to {MOST}.")
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
            raise RegionError(f"{self} is empty or inverted; expected x0 < x1 and y0 < y1 (left, top, right, bottom).")

    @classmethod
    def relative(cls, x0: float, y0: float, x1: float, y1: float) -> RelativeBox:
        """The same part of an image of any size: numbers from 0 to 1, its right or lower edge. RegionError."""
        return RelativeBox(x0, y0, x1, y1)

    @classmethod
    def thousandths(cls, x0: float, y0: float, x1: float, y1: float) -> RelativeBox:
        """The same in numbers from 0 to 1000, as Qwen's models write boxes. RegionError."""
        return RelativeBox(*parts("Box.thousandths", 1000, x0=x0, y0=y0, x1=x1, y1=y1))

    def __str__(self) -> str:
        return f"Box({plain(self.x0, self.y0, self.x1, self.y1)})"

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

    def on(self, width: float, height: float) -> Box:
        """Itself, once it is known to lie inside a width x height image; RegionError otherwise.

        Numbers from 0 to 1 alone are refused, too: they are meant as parts of the image.
        """
        width, height = checked_size(width, height)
        numbers = (self.x0, self.y0, self.x1, self.y1)
        if min(numbers) >= 0 and max(numbers) <= 1 and width * height > 1:
            raise RegionError(
                f"{self} is less than a pixel of the image, which is {width} x {height} pixels. For the same part of "
                f"the image write Box.relative({plain(*numbers)}), on the command line --box {percent(*numbers)}; "
                "expected pixels otherwise."
            )
        if min(numbers) < 0 or self.x1 > width or self.y1 > height:
            hint = _as_thousandths("Box", *numbers)
            raise RegionError(
                f"{self} leaves the image, which is {width} x {height} pixels; expected 0 <= x0 < x1 <= {width} and "
                f"0 <= y0 < y1 <= {height}.{hint}"
            )
        return self


def _as_thousandths(kind: str, *numbers: float) -> str:
    """What to write if these are thousandths of the image, as Qwen's models write; empty where they cannot be."""
    if min(numbers) < 0 or max(numbers) > 1000:
        return ""
    return (
        f" Are these thousandths of the image, as Qwen's models write them? Then write {kind}.thousandths("
        f"{plain(*numbers)}), on the command line --{kind.lower()} {percent(*(number / 1000 for number in numbers))}."
    )


@dataclass(frozen=True)
class RelativeBox:
    """A part of an image of any size: x0, y0, x1, y1 from 0 to 1. ``Box.relative`` and ``Box.thousandths`` make it."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        given = {"x0": self.x0, "y0": self.y0, "x1": self.x1, "y1": self.y1}
        for name, value in zip(given, parts("Box.relative", 1, **given), strict=True):
            object.__setattr__(self, name, value)
        if self.x0 >= self.x1 or self.y0 >= self.y1:
            raise RegionError(f"{self} is empty or inverted; expected x0 < x1 and y0 < y1 (left, top, right, bottom).")

    def __str__(self) -> str:
        return f"Box.relative({plain(self.x0, self.y0, self.x1, self.y1)})"

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "relative_box", "x0": self.x0, "y0": self.y0, "x1": self.x1, "y1": self.y1}

    def on(self, width: float, height: float) -> Box:
        """The box in pixels of a width x height image."""
        width, height = checked_size(width, height)
        return Box(self.x0 * width, self.y0 * height, self.x1 * width, self.y1 * height)


@dataclass(frozen=True)
class Point:
    """A place x, y in pixels. It has no size: the token under it is what is looked at."""

    x: float
    y: float

    def __post_init__(self) -> None:
        for name, value in zip(("x", "y"), finite("Point", x=self.x, y=self.y), strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def relative(cls, x: float, y: float) -> RelativePoint:
        """The same place of an image of any size: numbers from 0 to 1, its right or lower edge. RegionError."""
        return RelativePoint(x, y)

    @classmethod
    def thousandths(cls, x: float, y: float) -> RelativePoint:
        """The same in numbers from 0 to 1000, as Qwen's models write points. RegionError."""
        return RelativePoint(*parts("Point.thousandths", 1000, x=x, y=y))

    def __str__(self) -> str:
        return f"Point({plain(self.x, self.y)})"

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x, self.y

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "point", "x": float(self.x), "y": float(self.y)}

    def on(self, width: float, height: float) -> Point:
        """Itself, once it is known to lie inside a width x height image; RegionError otherwise.

        Fractions from 0 to 1 are refused, too: they mean parts of the image. The first pixel is ``Point(0, 0)``.
        """
        width, height = checked_size(width, height)
        x, y = self.x, self.y
        if min(x, y) >= 0 and max(x, y) <= 1 and not (x in (0, 1) and y in (0, 1)) and width * height > 1:
            raise RegionError(
                f"{self} lies in the first pixel of the image, which is {width} x {height} pixels. For the same place "
                f"of the image write Point.relative({plain(x, y)}), on the command line --point {percent(x, y)}; "
                "expected whole pixels there."
            )
        if not (0 <= x < width and 0 <= y < height):
            raise RegionError(
                f"{self} leaves the image, which is {width} x {height} pixels; expected 0 <= x < {width} and "
                f"0 <= y < {height}.{_as_thousandths('Point', x, y)}"
            )
        return self


@dataclass(frozen=True)
class RelativePoint:
    """A place in an image of any size: x, y from 0 to 1. ``Point.relative`` and ``Point.thousandths`` make it."""

    x: float
    y: float

    def __post_init__(self) -> None:
        given = {"x": self.x, "y": self.y}
        for name, value in zip(given, parts("Point.relative", 1, **given), strict=True):
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        return f"Point.relative({plain(self.x, self.y)})"

    def as_json(self) -> dict[str, Any]:
        """Its kind and numbers."""
        return {"kind": "relative_point", "x": self.x, "y": self.y}

    def on(self, width: float, height: float) -> Point:
        """The point in pixels of a width x height image; on the far edges it lies in the last pixel."""
        width, height = checked_size(width, height)
        x, y = (min(part * size, math.nextafter(size, 0)) for part, size in ((self.x, width), (self.y, height)))
        return Point(x, y)


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

    def on(self, width: float, height: float) -> Box:
        """The panel as a box of a width x height image."""
        width, height = checked_size(width, height)
        return Box(
            width * (self.col - 1) / self.cols,
            height * (self.row - 1) / self.rows,
            width * self.col / self.cols,
            height * self.row / self.rows,
        )
