"""A scene: one image prepared for one model, encoded once, ready to be asked many times."""

from __future__ import annotations

from collections.abc import Sequence

from ..aio.loop import in_thread
from ..cancel import CancelFlag, child_flag
from ..prompt.message import ImagePart
from ..regions.region import Region
from .asking import Asking
from .seen_image import SeenImage


class Scene(Asking, SeenImage):
    """One image as a model sees it. Made by ``Model.look``. All pixels are those of the upright original image.

    part: what of the image was enlarged and encoded (``zoom``), None for all of it. fit: how it was given to the model.
    """

    def zoom(self, at: Region | Sequence[Region], *, cancel: CancelFlag | None = None) -> Scene:
        """A window around small regions, enlarged until they are 3 tokens wide and high; for larger ones the scene.

        The window has the image's shape and is encoded as another image of its size; the model does not see what is
        outside. Regions and what comes back stay in pixels of the whole image. RegionError and those of ``Model.look``.
        """
        seen = self.zoomed(at, cancel)
        return self if seen is None else Scene(self.model, self.image, seen.encoded, seen.part, seen.fit)

    async def azoom(self, at: Region | Sequence[Region], *, cancel: CancelFlag | None = None) -> Scene:
        """``zoom`` for a task."""
        flag = child_flag(cancel)
        return await in_thread(lambda: self.zoom(at, cancel=flag), flag, images=True)

    @property
    def question(self) -> str:
        """What is asked where nothing else is said: the model's own question."""
        return self.model.prompt

    @property
    def _part(self) -> ImagePart:
        return ImagePart(self)
