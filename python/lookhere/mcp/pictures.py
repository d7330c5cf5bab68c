"""The images that an agent may show: files in allowed folders, and data that it sends."""

from __future__ import annotations

import re

from .. import checks
from ..errors import ImageError
from ..images.image import Image
from ..images.size import size_of
from ..images.source import read
from .folders import Folders

BYTES = 64 * 2**20
"""Of an image file."""

PIXELS = 50_000_000
"""Of an image."""

_BASE64 = re.compile(r"(iVBORw0KGgo|/9j/|R0lGOD|UklGR|Qk|SUkq|TU0A)[A-Za-z0-9+/_\-\s]{40,}={0,2}")
"""How the base64 of PNG, JPEG, GIF, WebP, BMP and TIFF files begins; no file has so long a name without a dot."""


class Pictures:
    """Opens images within bounds. most: bytes of an image file. pixels: of an image at most."""

    def __init__(self, folders: Folders, most: int = BYTES, pixels: int = PIXELS) -> None:
        self._folders = folders
        self.pixels = pixels
        self._most = most

    def open(self, given: str) -> Image:
        """given: a path, a file:// address, a data URI, or base64 of an image file. ImageError."""
        data = self._data(given.strip())
        size = size_of(data)
        if size is not None:
            self._check(*size)
        image = Image.open(data)
        if size is None:
            self._check(image.width, image.height)
        return image

    def _data(self, given: str) -> bytes:
        scheme = given[:8].lower()
        if scheme.startswith(("http://", "https://")):
            raise ImageError(
                f"{checks.short(given)}: this server fetches nothing. Save the image in a folder that it may read, or "
                "send it as a data URI, data:image/png;base64,..."
            )
        if _BASE64.fullmatch(given):
            given, scheme = f"data:;base64,{given}", "data:"
        if not scheme.startswith("data:"):
            return self._folders.read(given, self._most)
        if len(given) * 3 // 4 > self._most + 1024:
            raise ImageError(f"The data URI holds more than {self._most >> 20} MiB; send a smaller image.")
        return read(given)[0]

    def _check(self, width: int, height: int) -> None:
        if width * height > self.pixels:
            raise ImageError(
                f"The image has {width} x {height} pixels; expected {self.pixels:,} at most. Scale it down first."
            )
