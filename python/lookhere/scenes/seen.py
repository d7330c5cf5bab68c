"""What a model was shown, an image or a text: its tokens, and which of them a region covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from ..loaded import LoadedModel
from ..regions.region import Region, as_regions
from ..tokens.coverage import coverage, target
from ..tokens.frame import Frame
from ..tokens.grid import Map, TokenGrid

if TYPE_CHECKING:
    from ..prompt.tokenized import TokenizedText
    from ..tokens.tiled import Encoded


class Seen:
    """frame: its size and token grids. encoded: its tokens, as a prompt takes them."""

    _what = "image"  # for messages

    def __init__(self, model: LoadedModel, frame: Frame, encoded: Encoded | TokenizedText) -> None:
        self.model = model
        self.frame = frame
        self.encoded = encoded

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} holds what the engine of this process encoded, so that it can be neither copied "
            f"nor pickled; keep the {self._what}, and look at it again with the model of the other process."
        )

    @property
    def grids(self) -> tuple[TokenGrid, ...]:
        """Where its tokens lie."""
        return self.frame.grids

    @property
    def tokens(self) -> int:
        """What it takes of the context."""
        return self.encoded.tokens

    def cover(self, at: Region | Sequence[Region]) -> tuple[tuple[Map, ...], tuple[Map, ...]]:
        """-> ``coverage`` and ``target``, computed together."""
        regions = self.frame.placed(as_regions(at))
        covered = coverage(regions, self.grids)
        return covered, target(regions, self.grids, covered)

    def coverage(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: which share of each token the regions cover.

        RegionError if a region leaves what is shown, or all lie outside of the part of it that was enlarged.
        """
        return self.cover(at)[0]

    def target(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: what a steering aims at, the coverage times the weight.

        0 where the regions cover less than 1/16 of a token. RegionError if a region leaves what is shown.
        """
        return self.cover(at)[1]
