"""An image as a model sees it: its pixels, its encoded tokens, and where those lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..cancel import CancelFlag
from ..checks import label
from ..errors import RegionError
from ..images import markup
from ..images.image import Image, ImageSource
from ..images.inline import inline_small
from ..loaded import LoadedModel
from ..regions.box import Box
from ..regions.region import Region, as_regions
from ..tokens.frame import Frame
from ..tokens.grid import Map, TokenGrid
from ..tokens.zoom import close_up, in_image, window
from .seen import Seen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .. import _engine
    from ..tokens.tiled import Encoded

Self = TypeVar("Self", bound="SeenImage")

_THUMBNAIL = 480
"""Pixels of an image in a notebook, at its long side."""


class SeenImage(Seen):
    """One image, encoded once for one model. All pixels are those of the upright original image.

    part: what of the image was enlarged and encoded (``zoom``), None for all of it. fit: how it was given to the model.
    """

    encoded: Encoded

    def __init__(
        self, model: LoadedModel, image: Image, encoded: Encoded, part: Box | None = None, fit: str = "pad"
    ) -> None:
        self.image = image
        self.part = part
        self.fit = fit
        grids = (_grid(each.grid, each.cells) for each in encoded.parts if each.grid is not None)
        if part is None and (encoded.width, encoded.height) != (image.width, image.height):
            part = Box(0, 0, image.width, image.height)  # all of it, stretched
        if part is not None:
            grids = (in_image(grid, part, encoded.width, encoded.height) for grid in grids)
        super().__init__(model, Frame(image.width, image.height, tuple(grids)), encoded)

    @classmethod
    def of(
        cls: type[Self],
        model: LoadedModel,
        source: ImageSource,
        cancel: CancelFlag | None = None,
        *,
        beside: int = 0,
        fit: str | None = None,
    ) -> Self:
        """An image that was given in any form. beside: tokens that other images of the same conversation take.
        fit: None for the model's own.

        ImageError, ContextError, OptionError, ClosedError, CancelledError.
        """
        opened = Image.open(source)
        encoded = model.encode(opened, cancel, beside=beside, fit=fit)
        model.notice(opened)
        return cls(model, opened, encoded, fit=fit or model.fit)

    def __repr__(self) -> str:
        grids = self.grids
        tokens = f"{grids[0].rows} x {grids[0].cols}" if len(grids) == 1 else f"{len(grids)} grids of"
        part = self.part
        zoomed = f", {part.x0:.0f},{part.y0:.0f},{part.x1:.0f},{part.y1:.0f} of it" if part else ""
        name = label(self.image.name, 22 if part else 30)
        return f"<{type(self).__name__} {name}, {self.width} x {self.height} pixels{zoomed}, {tokens} tokens>"

    def _repr_html_(self) -> str:
        """For a notebook: the image, small, and what it is."""
        picture = self.image.pillow()
        picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
        image = markup.picture(inline_small(picture), self.image.name, "display: block")
        return markup.block(image, markup.small(repr(self)))

    @property
    def width(self) -> int:
        """Pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.image.height

    def zoomed(self, at: Region | Sequence[Region], cancel: CancelFlag | None = None) -> SeenImage | None:
        """A window around small regions, enlarged until they are 3 tokens wide and high; None for larger ones.

        The window has the image's shape and is encoded as another image of its size; the model does not see what is
        outside. Regions and what comes back stay in pixels of the whole image. RegionError and those of ``encode``.
        """
        regions = self.frame.placed(as_regions(at))
        part = window(regions, self.grids, self.width, self.height) if self.part is None else None
        if part is None:
            return None
        encoded = self.model.encode(close_up(self.image, part), cancel, fit=self.fit)
        return SeenImage(self.model, self.image, encoded, part, self.fit)

    def cover(self, at: Region | Sequence[Region]) -> tuple[tuple[Map, ...], tuple[Map, ...]]:
        """-> ``coverage`` and ``target``, computed together. RegionError where nothing is covered: outside of an
        enlarged part there is nothing to look at."""
        found = super().cover(at)
        if self.part is not None and not all(any(each.any() for each in maps) for maps in found):
            raise RegionError(
                f"{at} lies outside of {self.part}, the part of the image that was enlarged. Look at the whole scene, "
                "or zoom to another place."
            )
        return found


def _grid(given: _engine.TokenGrid | TokenGrid, cells: NDArray[np.int32] | None) -> TokenGrid:
    """cells: which cell each token shows; None: each its own."""
    shown = range(given.rows * given.cols) if cells is None else set(cells.tolist())
    blind = tuple(cell for cell in range(given.rows * given.cols) if cell not in shown)
    return TokenGrid(given.rows, given.cols, given.x0, given.y0, given.x1, given.y1, blind)
