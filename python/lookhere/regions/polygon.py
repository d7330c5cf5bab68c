"""A polygon: an outline of straight lines, in pixels of the upright original image, or in parts of any image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import checks
from ..errors import RegionError
from .area import crossings, union_areas
from .box import Box, Corners, checked_size, finite, parts, plain

MOST_CORNERS = 1000
MOST_CROSSINGS = 1000
"""Of one polygon with itself; both keep the time down to look at it."""

_FARTHEST = 1e9  # pixels: areas of larger numbers lose their precision
_THINNEST = 1e-12  # of the bounding box: below lies what rounding leaves of a straight line


@dataclass(frozen=True, init=False)
class Polygon:
    """An outline through (x, y) corners in pixels, closed by itself; concave ones are fine.

    Where it crosses itself, the even-odd rule says what is inside: what a ray to the outside leaves through an odd
    number of lines. Last corners that repeat the first one are dropped.
    """

    corners: Corners

    def __init__(self, corners: Iterable[Sequence[float]]) -> None:
        object.__setattr__(self, "corners", _checked(corners))
        if any(len({corner[axis] for corner in self.corners}) == 1 for axis in (0, 1)):
            raise RegionError(f"{self!r} is a line; expected corners around a place.")
        starts = np.array(self.corners)
        if (count := len(crossings(starts, np.roll(starts, -1, axis=0)))) > MOST_CROSSINGS:
            raise RegionError(
                f"{self!r} crosses itself {count} times; expected at most {MOST_CROSSINGS}. Leave corners out, or give "
                "a Mask."
            )
        if not self.area > _THINNEST * self.bounds.area:
            raise RegionError(f"{self!r} has no area: its lines lie on each other; expected corners around a place.")

    @classmethod
    def relative(cls, corners: Iterable[Sequence[float]]) -> RelativePolygon:
        """The same part of an image of any size: numbers from 0 to 1, its right or lower edge. RegionError."""
        return RelativePolygon(corners)

    @classmethod
    def thousandths(cls, corners: Iterable[Sequence[float]]) -> RelativePolygon:
        """The same in numbers from 0 to 1000, as Qwen's models write places. RegionError."""
        return RelativePolygon(_parts("Polygon.thousandths", 1000, _checked(corners)))

    def __repr__(self) -> str:
        return f"Polygon({_listed(self.corners)})"

    @property
    def area(self) -> float:
        """Square pixels, by the even-odd rule."""
        box = self.bounds
        return float(
            union_areas([np.array(self.corners)], np.array([box.x0, box.x1]), np.array([box.y0, box.y1]))[0, 0]
        )

    @property
    def bounds(self) -> Box:
        """The smallest box around it."""
        xs, ys = zip(*self.corners, strict=True)
        return Box(min(xs), min(ys), max(xs), max(ys))

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels, of its bounds."""
        return self.bounds.centre

    def as_json(self) -> dict[str, Any]:
        """Its kind and corners."""
        return {"kind": "polygon", "corners": [list(corner) for corner in self.corners]}

    def on(self, width: float, height: float) -> Polygon:
        """Itself, once it is known to lie inside a width x height image; RegionError otherwise.

        Numbers from 0 to 1 alone are refused, too: they are meant as parts of the image.
        """
        width, height = checked_size(width, height)
        box = self.bounds
        positive = min(box.x0, box.y0) >= 0
        if positive and max(box.x1, box.y1) <= 1 and width * height > 1:
            raise RegionError(
                f"{self!r} is less than a pixel of the image, which is {width} x {height} pixels. For the same part "
                f"of it write Polygon.relative({_listed(self.corners)}), on the command line --polygon with percent "
                "signs; expected pixels otherwise."
            )
        for x, y in self.corners:
            if not (0 <= x <= width and 0 <= y <= height):
                hint = (
                    " Are these thousandths of the image, as Qwen's models write them? Then write "
                    f"Polygon.thousandths({_listed(self.corners)})."
                )
                raise RegionError(
                    f"{self!r} leaves the image, which is {width} x {height} pixels, at ({plain(x, y)}); "
                    f"expected 0 <= x <= {width} and 0 <= y <= {height} at every corner."
                    f"{hint if positive and max(box.x1, box.y1) <= 1000 else ''}"
                )
        return self


@dataclass(frozen=True, init=False)
class RelativePolygon:
    """An outline on an image of any size: corners from 0 to 1. ``Polygon.relative`` and ``Polygon.thousandths`` make
    it."""

    corners: Corners

    def __init__(self, corners: Iterable[Sequence[float]]) -> None:
        object.__setattr__(self, "corners", _parts("Polygon.relative", 1, Polygon(corners).corners))

    def __repr__(self) -> str:
        return f"Polygon.relative({_listed(self.corners)})"

    def as_json(self) -> dict[str, Any]:
        """Its kind and corners."""
        return {"kind": "relative_polygon", "corners": [list(corner) for corner in self.corners]}

    def on(self, width: float, height: float) -> Polygon:
        """The outline in pixels of a width x height image."""
        width, height = checked_size(width, height)
        return Polygon([(x * width, y * height) for x, y in self.corners])


def _parts(what: str, whole: int, corners: Corners) -> Corners:
    return tuple((x, y) for x, y in (parts(what, whole, x=x, y=y) for x, y in corners))


def _listed(corners: Corners) -> str:
    """For people: three of many."""
    shown = [f"({x:g}, {y:g})" for x, y in corners[: 3 if len(corners) > 6 else 6]]
    return f"[{', '.join(shown)}{f', ... {len(corners)} corners' if len(corners) > 6 else ''}]"


def _checked(corners: object) -> Corners:
    expected = "expected (x, y) pairs such as Polygon([(10, 10), (50, 10), (30, 40)])"
    every = checks.items(corners)
    if every is None:
        raise RegionError(f"Polygon({checks.short(corners)}): {expected}.")
    pairs: list[tuple[float, float]] = []
    for corner in every:
        pair = checks.items(corner)
        if pair is None or len(pair) != 2:
            raise RegionError(f"Polygon: a corner is {checks.short(corner)}; {expected}.")
        x, y = finite("Polygon", x=pair[0], y=pair[1])
        if max(abs(x), abs(y)) > _FARTHEST:
            raise RegionError(f"Polygon: a corner is ({x:g}, {y:g}), far from any image; {expected}.")
        pairs.append((float(x), float(y)))
    while len(pairs) > 1 and pairs[0] == pairs[-1]:
        pairs.pop()
    if len(pairs) < 3:
        raise RegionError(f"Polygon: {len(pairs)} corners; expected at least 3 different ones.")
    if len(pairs) > MOST_CORNERS:
        raise RegionError(
            f"Polygon: {len(pairs)} corners; expected at most {MOST_CORNERS}. Leave corners out, or give a Mask."
        )
    return tuple(pairs)
