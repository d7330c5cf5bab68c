"""A tiled image: several encoded images that show one picture, as one item of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..images.tiles import Rectangle
from ..regions.box import Box
from .grid import TokenGrid
from .zoom import in_image

if TYPE_CHECKING:
    from .. import _engine

    Encoded: TypeAlias = "_engine.EncodedImage | TiledImage"
    """An image as one item of a prompt."""


@dataclass(frozen=True, eq=False)
class TilePart:
    """As the engine's ``Part``, but its grid is that of the whole picture. image, number: which part of which of the
    engine's images it is."""

    image: _engine.EncodedImage
    number: int
    kind: Literal["text", "image"]
    tokens: int
    positions: int
    causal: bool
    text: list[int]
    grid: TokenGrid | None
    cells: NDArray[np.int32] | None


class TiledImage:
    """As the engine's ``EncodedImage``, made of several. width, height: pixels of the picture.

    views: of each its encoded image and the part of the picture that it shows, in the order of the prompt.
    """

    def __init__(self, width: int, height: int, views: Sequence[tuple[_engine.EncodedImage, Rectangle]]) -> None:
        self.width = width
        self.height = height
        self._images = tuple(image for image, _ in views)
        self.parts = tuple(part for view in views for part in _parts(*view))
        self.tokens = sum(part.tokens for part in self.parts)
        self.positions = sum(part.positions for part in self.parts)
        self.nbytes = sum(image.nbytes for image in self._images)

    def __repr__(self) -> str:
        views = len(self._images)
        return f"<TiledImage {self.width} x {self.height} pixels, {views} views, {self.tokens} tokens>"

    def embeddings(self) -> NDArray[np.float32]:
        """(image tokens, embedding_size) of all image parts; a copy."""
        return np.concatenate([image.embeddings() for image in self._images])


def of_engine(encoded: Encoded, number: int) -> tuple[_engine.EncodedImage, int]:
    """Which part of which of the engine's images a part is."""
    if isinstance(encoded, TiledImage):
        part = encoded.parts[number]
        return part.image, part.number
    return encoded, number


def _parts(image: _engine.EncodedImage, shown: Rectangle) -> list[TilePart]:
    found = []
    for number, part in enumerate(image.parts):
        grid = None
        if part.grid is not None:
            own = TokenGrid(*(getattr(part.grid, name) for name in ("rows", "cols", "x0", "y0", "x1", "y1")))
            grid = in_image(own, Box(*shown), image.width, image.height)
        kind: Literal["text", "image"] = "text" if grid is None else "image"
        found.append(
            TilePart(image, number, kind, part.tokens, part.positions, part.causal, list(part.text), grid, part.cells)
        )
    return found
