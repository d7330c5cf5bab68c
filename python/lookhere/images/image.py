"""The image that the user gives, as upright RGB pixels."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import checks, limits
from ..errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[np.uint8] | PillowImage"
"""A path, an http(s) address, a data URI, the bytes of a file, a Pillow image, or uint8 (height, width[, 3 or 4])."""


@dataclass(frozen=True, eq=False)
class Image:
    """pixels: (height, width, 3) uint8, RGB, C-contiguous, upright, transparency over white. name: for messages."""

    pixels: NDArray[np.uint8]
    name: str

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.pixels.shape[0])

    @cached_property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of size and pixels."""
        digest = hashlib.sha256(f"{self.width}x{self.height}:".encode())
        digest.update(self.pixels.data)
        return digest.hexdigest()

    def pillow(self) -> PillowImage:
        """A Pillow image of the same pixels, RGB."""
        from PIL import Image as pillow

        return pillow.fromarray(self.pixels)

    @classmethod
    def open(cls, source: object, *, behind: str = "white") -> Image:
        """The image in a path, an http(s) address, a data URI, bytes, a Pillow image or a numpy array; ImageError otherwise.

        behind: the colour that transparent pixels of anything but an array are put over.
        """
        from PIL import Image as pillow

        if isinstance(source, Image):
            return source
        if isinstance(source, np.ndarray):
            return cls(_from_array(source), f"an array of shape {source.shape}")
        if isinstance(source, pillow.Image):
            _check_size(source.size, "The Pillow image")
            return cls(_upright(source, "The Pillow image", behind), "a Pillow image")
        if isinstance(source, (bytes, bytearray, memoryview)):
            return cls(_decode(bytes(source), f"The {len(source)} bytes", behind), "bytes")
        if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
            return cls(_decode(_download(source), source, behind), source)
        if isinstance(source, str) and source[:5].lower() == "data:":
            return cls(_decode(_data_uri(source), "The data URI", behind), "a data URI")
        if isinstance(source, (str, os.PathLike)):
            path = Path(source)
            return cls(_decode(_file(path), f"The file {str(path)!r}", behind), str(path))
        raise ImageError(
            f"{type(source).__name__} is not an image; expected a path, bytes, a Pillow image or a uint8 numpy array."
        )


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"There is no file {str(path)!r}; expected an image, for instance a PNG or JPEG.") from None
    except IsADirectoryError:
        raise ImageError(f"{str(path)!r} is a folder; expected an image, for instance a PNG or JPEG.") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"The file {str(path)!r} cannot be read: {error}.") from error


def _download(address: str) -> bytes:
    import http.client
    import urllib.request

    request = urllib.request.Request(address, headers={"User-Agent": "lookhere"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: bytes = answer.read(limits.DOWNLOAD_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ImageError(f"{address} cannot be downloaded: {error}. Check the address, or give a file.") from error
    if len(data) > limits.DOWNLOAD_BYTES:
        raise ImageError(f"{address} is larger than {limits.DOWNLOAD_BYTES >> 20} MiB; give a smaller image.")
    return data


def _data_uri(address: str) -> bytes:
    """The bytes in ``data:image/png;base64,...``."""
    import base64
    import binascii
    from urllib.parse import unquote_to_bytes

    head, comma, body = address.partition(",")
    try:
        data = unquote_to_bytes(body)
        data = base64.b64decode(data, validate=True) if head.endswith(";base64") else data
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"The data URI {checks.short(address)} is not base64: {error}.") from error
    if not comma:
        raise ImageError(f"The data URI {checks.short(address)} has no comma; expected data:image/png;base64,...")
    return data


def _decode(data: bytes, what: str, behind: str) -> NDArray[np.uint8]:
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    if not data:
        raise ImageError(f"{what}: nothing in it; expected an image, for instance a PNG or JPEG.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            picture = pillow.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise ImageError(f"{what}: not an image that Pillow can read; expected for instance a PNG or JPEG.") from None
    except pillow.DecompressionBombError as error:
        raise ImageError(f"{what}: more than {limits.IMAGE_PIXELS:,} pixels ({error}); scale it down first.") from error
    except Exception as error:  # decoders raise whatever they like on malformed files
        raise ImageError(f"{what}: cannot be read as an image: {error}.") from error
    with picture:
        _check_size(picture.size, what)
        return _upright(picture, what, behind)


def _check_size(size: tuple[int, int], what: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{what}: {width} x {height} pixels; expected at least 1 x 1.")
    if width * height > limits.IMAGE_PIXELS:
        raise ImageError(
            f"{what}: {width} x {height} pixels are more than {limits.IMAGE_PIXELS:,}; scale it down first."
        )


def _upright(picture: PillowImage, what: str, behind: str) -> NDArray[np.uint8]:
    from PIL import Image as pillow
    from PIL import ImageOps

    try:
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I;16") or picture.mode == "I":
            picture = pillow.fromarray(_eight_bits(np.asarray(picture), what))
        elif picture.mode == "F":
            raise ImageError(f"{what}: floating point pixels; expected 8 or 16 bits. Convert it to 8 bits first.")
        if picture.has_transparency_data:
            ground = pillow.new("RGBA", picture.size, behind)
            picture = pillow.alpha_composite(ground, picture.convert("RGBA"))
        return np.ascontiguousarray(np.asarray(picture.convert("RGB"), dtype=np.uint8))
    except ImageError:
        raise
    except Exception as error:  # truncated and malformed files fail here, each decoder in its own way
        raise ImageError(f"{what}: broken image: {error}. Give a whole one.") from error


def _eight_bits(values: NDArray[Any], what: str) -> NDArray[np.uint8]:
    """16-bit grey as 8 bits."""
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{what}: pixels of 32 bits; expected 8 or 16 bits. Convert it to 8 bits first.")
    return (values.astype(np.uint32) * 255 // 65535).astype(np.uint8)


def _from_array(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(height, width), (height, width, 3) or (height, width, 4) uint8 as RGB."""
    grey = values.ndim == 2
    if not grey and not (values.ndim == 3 and values.shape[2] in (3, 4)):
        raise ImageError(
            f"An array of shape {values.shape}; expected (height, width), (height, width, 3) or (height, width, 4)."
        )
    if values.dtype != np.uint8:
        raise ImageError(
            f"An array of {values.dtype}; expected uint8, 0 to 255; for values from 0 to 1: "
            "(array * 255).astype('uint8')."
        )
    _check_size((values.shape[1], values.shape[0]), f"An array of shape {values.shape}")
    if grey:
        values = np.repeat(values[:, :, None], 3, axis=2)
    elif values.shape[2] == 4:
        alpha = values[:, :, 3:].astype(np.uint16)
        values = ((values[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.array(values, dtype=np.uint8, order="C")
