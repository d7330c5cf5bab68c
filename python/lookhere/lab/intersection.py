"""How much two boxes have in common."""

from __future__ import annotations

from ..regions.box import Box


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    both = max(wide, 0.0) * max(high, 0.0)
    return both / (one.area + other.area - both)
