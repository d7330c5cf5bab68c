"""Where to look: what ``at=`` takes, one region or several, each with a weight if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from ..errors import RegionError
from .box import Box, Panel, Point
from .mask import Mask
from .polygon import Polygon

__all__ = [
    "Box",
    "Mask",
    "Panel",
    "Placed",
    "Point",
    "Polygon",
    "Region",
    "Shape",
    "Weighted",
    "as_regions",
    "placed",
    "weighed",
]

SMALLEST_WEIGHT = 1 / 1000
"""ln of it is 6.9 nats, more than the usual strength: less would push the gaze away."""


@dataclass(frozen=True)
class Weighted:
    """A region that draws less of the gaze than others: its coverage counts weight times, 1/1000 to 1."""

    region: Box | Point | Panel | Polygon | Mask
    weight: float

    def __post_init__(self) -> None:
        if not isinstance(self.region, _PLAIN):
            raise RegionError(
                f"Weighted: {self.region!r} is not a region to weigh; expected one {_KINDS}. For several: a list of "
                "Weighted."
            )
        weight = self.weight
        if isinstance(weight, bool) or not isinstance(weight, Real) or not SMALLEST_WEIGHT <= weight <= 1:
            raise RegionError(f"Weighted: weight={weight!r}; expected a number from {SMALLEST_WEIGHT:g} to 1.")

    def as_json(self) -> dict[str, Any]:
        """What the region says, and the weight."""
        return {**self.region.as_json(), "weight": float(self.weight)}

    def on(self, width: int, height: int) -> Weighted:
        """With the region in pixels of a width x height image; RegionError if it leaves it."""
        return Weighted(self.region.on(width, height), self.weight)


Region: TypeAlias = Box | Point | Panel | Polygon | Mask | Weighted
"""What ``at=`` takes, one or several of them."""

Shape: TypeAlias = Box | Point | Polygon | Mask
"""A region in pixels of an image, without a weight."""

Placed: TypeAlias = Shape | Weighted
"""A region in pixels of an image."""

_PLAIN = (Box, Point, Panel, Polygon, Mask)
_KINDS = "Box, Point, Panel, Polygon or Mask"


def as_regions(at: object) -> tuple[Region, ...]:
    """One region or a sequence of them, as a tuple; RegionError for anything else."""
    if isinstance(at, (*_PLAIN, Weighted)):
        return (at,)
    if isinstance(at, Sequence) and not isinstance(at, (str, bytes)):
        if at and all(isinstance(each, (*_PLAIN, Weighted)) for each in at):
            return tuple(at)
        if len(at) in (2, 4) and all(isinstance(each, Real) for each in at):
            name = "Point" if len(at) == 2 else "Box"
            numbers = ", ".join(f"{each:g}" for each in at)
            raise RegionError(f"at={at!r} is plain numbers; write lookhere.{name}({numbers}).")
        if len(at) > 2 and all(isinstance(each, (tuple, list)) and len(each) == 2 for each in at):
            raise RegionError(f"at={at!r} is plain pairs; write lookhere.Polygon([(x, y), ...]) for an outline.")
    if isinstance(at, np.ndarray):
        raise RegionError(f"at= is an array of shape {at.shape}; write lookhere.Mask(array) for a mask of the image.")
    raise RegionError(f"at={at!r} is not a region; expected a {_KINDS}, or a list of them.")


def placed(regions: Iterable[Region], width: int, height: int) -> tuple[Placed, ...]:
    """The regions in pixels of a width x height image; RegionError if one leaves it."""
    return tuple(region.on(width, height) for region in regions)


def weighed(region: Placed) -> tuple[Shape, float]:
    """A placed region and its weight, 1 where it has none."""
    if not isinstance(region, Weighted):
        return region, 1.0
    assert not isinstance(region.region, Panel), "a placed panel is a box"
    return region.region, float(region.weight)
