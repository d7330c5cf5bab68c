"""The text as a model sees it: its length, its paragraphs and its tokens, and none of its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..regions.region import Placed, Region, placed_in_text
from .frame import Frame


@dataclass(frozen=True, repr=False)
class TextFrame(Frame):
    """width: characters; height: 1, for a text is one line. paragraphs: start and end of each. grids: one."""

    paragraphs: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        return f"<TextFrame {self.width} characters, {self.grids[0].cols} tokens, {len(self.paragraphs)} paragraphs>"

    def placed(self, regions: Iterable[Region]) -> tuple[Placed, ...]:
        """The regions as boxes on the line. RegionError if one is no place in a text, or leaves it."""
        return placed_in_text(regions, self.width, self.paragraphs)
