"""The image as a model sees it: its size in pixels and its token grids, and nothing of its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..regions.region import Placed, Region, placed
from .grid import TokenGrid


@dataclass(frozen=True, repr=False)
class Frame:
    """width, height: pixels of the upright original image. grids: one per tile; what they cover is in those pixels."""

    width: int
    height: int
    grids: tuple[TokenGrid, ...]

    def __repr__(self) -> str:
        grids = self.grids
        tokens = f"{grids[0].rows} x {grids[0].cols}" if len(grids) == 1 else f"{len(grids)} grids of"
        return f"<Frame {self.width} x {self.height} pixels, {tokens} tokens>"

    def placed(self, regions: Iterable[Region]) -> tuple[Placed, ...]:
        """The regions in pixels of the image. RegionError if one leaves it."""
        return placed(regions, self.width, self.height)
