"""Where to look: what ``at=`` takes, one region or several, each with a weight if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .. import checks
from ..errors import RegionError
from .box import Box, Panel, Point, RelativeBox, RelativePoint, plain
from .mask import Mask
from .polygon import Polygon, RelativePolygon
from .span import Paragraph, Span, span_of

__all__ = [
    "Box",
    "Mask",
    "OnImage",
    "Panel",
    "Paragraph",
    "Placed",
    "Plain",
    "Point",
    "Polygon",
    "Region",
    "RelativeBox",
    "RelativePoint",
    "RelativePolygon",
    "Shape",
    "Span",
    "Weighted",
    "as_regions",
    "is_region",
    "placed",
    "placed_in_text",
    "weighed",
    "without_image",
]

SMALLEST_WEIGHT = 1 / 1000
"""ln of it is 6.9 nats, more than the usual strength: less would push the gaze away."""


InImage: TypeAlias = Box | RelativeBox | Point | RelativePoint | Panel | Polygon | RelativePolygon | Mask
InText: TypeAlias = Span | Paragraph
Plain: TypeAlias = InImage | InText
"""A region without a weight."""


@dataclass(frozen=True)
class Weighted:
    """A region that draws less of the gaze than others: its coverage counts weight times, 1/1000 to 1."""

    region: Plain
    weight: float

    def __post_init__(self) -> None:
        if not isinstance(self.region, _PLAIN):
            raise RegionError(
                f"Weighted: {checks.short(self.region)} is not a region to weigh; expected one {_KINDS}. For several: "
                "a list of Weighted."
            )
        weight = checks.number("Weighted: weight", self.weight, SMALLEST_WEIGHT, 1, error=RegionError)
        object.__setattr__(self, "weight", weight)

    def as_json(self) -> dict[str, Any]:
        """What the region says, and the weight."""
        return {**self.region.as_json(), "weight": self.weight}

    def on(self, width: float, height: float) -> Weighted:
        """With the region in pixels of a width x height image; RegionError if it leaves it."""
        return Weighted(self.region.on(width, height), self.weight)


@dataclass(frozen=True)
class OnImage:
    """A region on one of several images of a conversation. image: which, from 1 in the order of the messages."""

    region: Plain | Weighted
    image: int

    def __post_init__(self) -> None:
        if not isinstance(self.region, (*_PLAIN, Weighted)):
            raise RegionError(
                f"OnImage: {checks.short(self.region)} is not a region; expected one {_KINDS}, or a Weighted one. For "
                "several: a list of OnImage."
            )
        object.__setattr__(self, "image", checks.whole("OnImage: image", self.image, 1, 10**6, error=RegionError))

    def as_json(self) -> dict[str, Any]:
        """What the region says, and the image."""
        return {**self.region.as_json(), "image": self.image}


Region: TypeAlias = Plain | Weighted | OnImage
"""What ``at=`` takes, one or several of them."""

Shape: TypeAlias = Box | Point | Polygon | Mask
"""A region in pixels of an image, without a weight."""

Placed: TypeAlias = Shape | Weighted
"""A region in pixels of an image."""

_PLAIN = (Box, RelativeBox, Point, RelativePoint, Panel, Polygon, RelativePolygon, Mask, Span, Paragraph)
_ANY = (*_PLAIN, Weighted, OnImage)
_KINDS = "Box, Point, Panel, Polygon or Mask, of a text a Span or Paragraph"


def is_region(value: object) -> bool:
    """Whether it is one region."""
    return isinstance(value, _ANY)


def as_regions(at: object) -> tuple[Region, ...]:
    """One region or a sequence of them, as a tuple; RegionError for anything else."""
    if isinstance(at, _ANY):
        return (at,)
    if isinstance(at, np.ndarray) and at.ndim == 1:
        at = at.tolist()
    if isinstance(at, Sequence) and not isinstance(at, (str, bytes, bytearray, memoryview)):
        if at and all(isinstance(each, _ANY) for each in at):
            return tuple(at)
        numbers = [checks.as_number(each) for each in at] if len(at) in (2, 4) else [None]
        if found := [number for number in numbers if number is not None] if None not in numbers else []:
            name = "Point" if len(found) == 2 else "Box"
            raise RegionError(f"at={checks.short(at)} is plain numbers; write lookhere.{name}({plain(*found)}).")
        if len(at) > 2 and all(isinstance(each, (tuple, list)) and len(each) == 2 for each in at):
            raise RegionError(
                f"at={checks.short(at)} is plain pairs; write lookhere.Polygon([(x, y), ...]) for an outline."
            )
    if isinstance(at, np.ndarray):
        raise RegionError(f"at= is an array of shape {at.shape}; write lookhere.Mask(array) for a mask of the image.")
    raise RegionError(f"at={checks.short(at)} is not a region; expected a {_KINDS}, or a list of them.")


def placed(regions: Iterable[Region], width: int, height: int) -> tuple[Placed, ...]:
    """The regions in pixels of a width x height image, whichever image they name; RegionError if one leaves it."""
    return tuple(without_image(region).on(width, height) for region in regions)


def placed_in_text(regions: Iterable[Region], length: int, paragraphs: Sequence[tuple[int, int]]) -> tuple[Placed, ...]:
    """The regions in a text of so many characters: boxes on its line, which is a pixel high and a character a pixel.

    paragraphs: start and end of each. RegionError if one is no place in a text, or leaves it.
    """
    found: list[Placed] = []
    for region in map(without_image, regions):
        plain, weight = (region.region, region.weight) if isinstance(region, Weighted) else (region, 1.0)
        if not isinstance(plain, (Span, Paragraph)):
            raise RegionError(
                f"{plain} is a place in an image, and this is a text of {length} characters; expected a Span or a "
                "Paragraph."
            )
        span = span_of(plain, length, paragraphs)
        box = Box(span.start, 0, span.end, 1)
        found.append(Weighted(box, weight) if isinstance(region, Weighted) else box)
    return tuple(found)


def without_image(region: Region) -> Plain | Weighted:
    """The region alone, without the image that it names."""
    return region.region if isinstance(region, OnImage) else region


def weighed(region: Placed) -> tuple[Shape, float]:
    """A placed region and its weight, 1 where it has none."""
    if not isinstance(region, Weighted):
        return region, 1.0
    assert isinstance(region.region, (Box, Point, Polygon, Mask)), "a placed one is in pixels"
    return region.region, region.weight
