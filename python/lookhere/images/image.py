"""The image that the user gives, as upright RGB pixels."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from . import array, decode, source

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | NDArray[np.uint8] | PillowImage | Any"
)
"""A path, a file:// or http(s) address, a data URI, the bytes of a file, an open file, a Pillow image, or an array or
tensor: uint8 of shape (height, width[, 1, 3 or 4])."""

REMEMBERED = 1024
"""Image files whose size and fingerprint are remembered; a few hundred bytes each."""


class Image:
    """pixels: (height, width, 3) uint8, RGB, C-contiguous, upright, transparency over white. name: for messages."""

    def __init__(self, pixels: NDArray[np.uint8], name: str) -> None:
        self.name = name
        self.width = int(pixels.shape[1])
        self.height = int(pixels.shape[0])
        self._make: Callable[[], NDArray[np.uint8]] = lambda: pixels
        self._file: bytes | None = None  # what its file is remembered by

    def __reduce__(self) -> tuple[type[Image], tuple[NDArray[np.uint8], str]]:
        return Image, (self.pixels, self.name)

    @classmethod
    def later(cls, make: Callable[[], NDArray[np.uint8]], size: tuple[int, int], fingerprint: str, name: str) -> Image:
        """An image whose pixels are made when they are asked for. size: (width, height). fingerprint: of what makes
        them, where the pixels' own is not known."""
        image = cls.__new__(cls)
        image.name, image._make, image._file = name, make, None
        image.width, image.height = size
        image.__dict__["fingerprint"] = fingerprint
        return image

    def __repr__(self) -> str:
        return f"<Image {self.name}, {self.width} x {self.height} pixels>"

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8."""
        return self._make()

    @cached_property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of size and pixels."""
        digest = hashlib.sha256(f"{self.width}x{self.height}:".encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        found = digest.hexdigest()
        if self._file is not None:
            _files.remember(self._file, (self.width, self.height), found)
        return found

    def pillow(self) -> PillowImage:
        """A Pillow image of the same pixels, RGB."""
        from PIL import Image as pillow

        return pillow.fromarray(self.pixels)

    @classmethod
    def open(cls, given: object, *, behind: str = "white") -> Image:
        """The image in a path, a file:// or http(s) address, a data URI, bytes, an open file, a Pillow image, an array
        or a tensor; ImageError otherwise.

        behind: the colour that transparent pixels of anything but an array are put over. The same file is decoded once,
        while its image is in use; after that its pixels are decoded when they are asked for.
        """
        from PIL import Image as pillow

        if isinstance(given, Image):
            return given
        if isinstance(given, pillow.Image):
            return cls(decode.from_pillow(given, "The Pillow image", behind), "a Pillow image")
        if source.is_source(given):
            return _files.open(*source.read(given), behind)
        if array.is_array(given):
            return cls._from_array(array.as_array(given))
        raise ImageError(
            f"{type(given).__name__} is not an image; expected a path, bytes, an open file, a Pillow image or a uint8 "
            "array."
        )

    @classmethod
    def _from_array(cls, values: NDArray[Any]) -> Image:
        from PIL import Image as pillow

        name = f"an array of shape {array.shape_of(values)}"
        pixels = array.from_array(values)
        if pixels.shape[2] == 4:
            return cls(np.array(decode.flattened(pillow.fromarray(np.ascontiguousarray(pixels)), "white")), name)
        return cls(np.array(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), dtype=np.uint8, order="C"), name)


class _Files:
    """Images of files by the sha256 of their bytes: those in use, and the size and fingerprint of those that were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: WeakValueDictionary[bytes, Image] = WeakValueDictionary()
        self._known: OrderedDict[bytes, tuple[tuple[int, int], str]] = OrderedDict()

    def open(self, data: bytes, what: str, name: str, behind: str) -> Image:
        digest = hashlib.sha256(behind.encode() + b"\0")
        digest.update(data)
        key = digest.digest()
        with self._lock:
            used, known = self._used.get(key), self._known.get(key)
        if used is not None and used.name == name:
            return used
        if used is not None:
            image = Image.__new__(Image)
            image.__dict__.update(used.__dict__ | {"name": name})
            return image
        if known is not None:
            image = Image.later(lambda: decode.decoded(data, what, behind), *known, name)
        else:
            image = Image(decode.decoded(data, what, behind), name)
            image._file = key
        with self._lock:
            self._used[key] = image
        return image

    def remember(self, key: bytes, size: tuple[int, int], fingerprint: str) -> None:
        with self._lock:
            self._known[key] = size, fingerprint
            self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


_files = _Files()
