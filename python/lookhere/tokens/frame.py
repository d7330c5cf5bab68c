"""The image as a model sees it: its size in pixels and its token grids, and nothing of its content."""

from __future__ import annotations

from dataclasses import dataclass

from .grid import TokenGrid


@dataclass(frozen=True, repr=False)
class Frame:
    """width, height: pixels of the upright original image. grids: one per tile; what they cover is in those pixels."""

    width: int
    height: int
    grids: tuple[TokenGrid, ...]

    def __repr__(self) -> str:
        grids = " + ".join(f"{grid.rows} x {grid.cols}" for grid in self.grids[:3])
        more = f" and {len(self.grids) - 3} more grids of" if len(self.grids) > 3 else ""
        return f"<Frame {self.width} x {self.height} pixels, {grids or 'no'}{more} tokens>"
