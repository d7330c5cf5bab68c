"""The image as a model sees it: its size in pixels and its token grids, and nothing of its content."""

from __future__ import annotations

from dataclasses import dataclass

from .grid import TokenGrid


@dataclass(frozen=True)
class Frame:
    """width, height: pixels of the upright original image. grids: one per tile; what they cover is in those pixels."""

    width: int
    height: int
    grids: tuple[TokenGrid, ...]
