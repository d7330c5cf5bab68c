"""Image files and Pillow images as upright sRGB pixels."""

from __future__ import annotations

import importlib
import io
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import limits
from ..errors import ImageError
from . import png
from .profile import in_srgb
from .quiet import Quiet
from .source import words

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Pixels: TypeAlias = NDArray[np.uint8]

_DEPTHS = (8, 10, 12, 14, 16)
"""Bits of whole grey values that cameras and files have."""

_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def decoded(data: bytes, what: str, behind: str) -> Pixels:
    """(height, width, 3) read-only pixels of an image file. what: the start of a message. behind: a colour.

    ImageError.
    """
    if not data:
        raise ImageError(f"{what}: nothing in it; expected an image, for instance a PNG or JPEG.")
    profile = None
    colour16 = png.sixteen_bit_colour(data)
    if data.startswith(png.SIGNATURE):
        data, profile = png.cleaned(data)
    with Quiet(), _opened(data, what) as picture:
        check_size(picture.size, what)
        if profile is not None:
            picture.info["icc_profile"] = profile
        alpha = _transparent_colour(picture, data, what) if colour16 and "transparency" in picture.info else None
        return _upright(picture, what, behind, alpha)


def from_pillow(picture: PillowImage, what: str, behind: str) -> Pixels:
    """(height, width, 3) pixels of a Pillow image, whose orientation tag is applied. ImageError."""
    try:
        size = picture.size
    except Exception as error:  # of a class that nobody here made
        raise ImageError(f"{what}: has no size: {words(error)}.") from error
    check_size(size, what)
    with Quiet():
        return _upright(picture, what, behind)


def check_size(size: tuple[int, int], what: str) -> None:
    """ImageError for no pixels, and for too many."""
    width, height = size
    if width < 1 or height < 1:
        raise ImageError(f"{what}: {width} x {height} pixels; expected at least 1 x 1.")
    if width * height > limits.IMAGE_PIXELS:
        raise ImageError(
            f"{what}: {width} x {height} pixels are more than {limits.IMAGE_PIXELS:,}; scale it down first."
        )


def flattened(picture: PillowImage, behind: str) -> PillowImage:
    """A picture of mode RGBA over a colour, as RGB."""
    from PIL import Image as pillow

    ground = pillow.new("RGBA", picture.size, behind)
    return pillow.alpha_composite(ground, picture).convert("RGB")


def _opened(data: bytes, what: str) -> PillowImage:
    from PIL import Image as pillow
    from PIL import UnidentifiedImageError

    try:
        return pillow.open(io.BytesIO(data))
    except UnidentifiedImageError:
        return _photo(data, what)
    except pillow.DecompressionBombError as error:
        raise ImageError(
            f"{what}: more than {limits.IMAGE_PIXELS:,} pixels ({words(error)}); scale it down first."
        ) from error
    except Exception as error:  # decoders raise whatever they like on malformed files
        raise ImageError(f"{what}: cannot be read as an image: {words(error)}. Give a whole one.") from error


def _photo(data: bytes, what: str) -> PillowImage:
    """What Pillow does not know: a HEIC photo, where pillow-heif is installed."""
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in (b"avif", b"avis"):
        raise ImageError(f"{what}: an AVIF image, or a broken one. Reading them needs Pillow 11.3 or newer.")
    if brand not in _HEIF:
        raise ImageError(f"{what}: not an image that Pillow can read; expected for instance a PNG or JPEG.")
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError:
        raise ImageError(
            f"{what}: a HEIC photo. Install pillow-heif (pip install pillow-heif), or save it as a JPEG."
        ) from None
    try:
        picture: PillowImage = heif.HeifImageFile(io.BytesIO(data))
    except Exception as error:
        raise ImageError(f"{what}: a broken HEIC photo: {words(error)}. Give a whole one.") from error
    return picture


def _upright(picture: PillowImage, what: str, behind: str, alpha: PillowImage | None = None) -> Pixels:
    """alpha: of mode L, known from elsewhere."""
    try:
        picture.load()
        profile = picture.info.get("icc_profile")
        turn = _turn(picture)
        picture, own = _split(picture, what)
        picture = in_srgb(picture, profile).convert("RGB")
        alpha = own if alpha is None else alpha
        if alpha is not None:
            picture.putalpha(alpha)
            picture = flattened(picture, behind)
        if turn is not None:
            picture = picture.transpose(turn)
        pixels = np.ascontiguousarray(np.asarray(picture, dtype=np.uint8))
        pixels.setflags(write=False)
        return pixels
    except ImageError:
        raise
    except Exception as error:  # truncated and malformed files fail here, each decoder in its own way
        raise ImageError(f"{what}: broken image: {words(error)}. Give a whole one.") from error


def _turn(picture: PillowImage) -> Any:
    """What turns a picture upright, by its orientation tag; None for nothing, and where the tag is damaged."""
    from PIL import Image as pillow

    turns = {
        2: pillow.Transpose.FLIP_LEFT_RIGHT,
        3: pillow.Transpose.ROTATE_180,
        4: pillow.Transpose.FLIP_TOP_BOTTOM,
        5: pillow.Transpose.TRANSPOSE,
        6: pillow.Transpose.ROTATE_270,
        7: pillow.Transpose.TRANSVERSE,
        8: pillow.Transpose.ROTATE_90,
    }
    try:
        return turns.get(picture.getexif().get(0x0112, 1))
    except Exception:  # the pixels are whole all the same
        return None


def _split(picture: PillowImage, what: str) -> tuple[PillowImage, PillowImage | None]:
    """-> the colours, of mode L, RGB, CMYK or what converts to RGB; and the transparency, of mode L, None for none."""
    from PIL import Image as pillow

    mode = picture.mode
    if mode == "F":
        raise ImageError(
            f"{what}: floating point pixels; expected 8 or 16 bits. For values from 0 to 1: "
            "Image.fromarray((np.asarray(picture) * 255).astype('uint8'))."
        )
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(picture)
        clear = picture.info.get("transparency")
        alpha = pillow.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)) if isinstance(clear, int) else None
        return pillow.fromarray(_eight_bits(values, what)), alpha
    if mode in ("RGBa", "La"):
        picture = picture.convert({"RGBa": "RGBA", "La": "LA"}[mode])
    if not picture.has_transparency_data:
        return (picture if mode in ("L", "RGB", "CMYK") else picture.convert("RGB")), None
    picture = picture if picture.mode in ("RGBA", "LA") else picture.convert("RGBA")
    alpha = picture.getchannel("A")
    return picture.convert("L" if picture.mode == "LA" else "RGB"), alpha


def _eight_bits(values: NDArray[Any], what: str) -> Pixels:
    """Whole grey values as 8 bits. The smallest usual depth that holds the largest value is taken for theirs, so that
    a sensor's 12 bits, or 8 bits in a wide type, are no black picture."""
    low, high = int(values.min()), int(values.max())
    depth = next((bits for bits in _DEPTHS if high < 2**bits), None)
    if low < 0 or depth is None:
        raise ImageError(
            f"{what}: grey pixels of 32 bits, from {low} to {high}; expected 8 to 16 bits. Scale them first: "
            "((array - array.min()) / np.ptp(array) * 255).astype('uint8')."
        )
    eight: Pixels = (values.astype(np.uint32) * 255 // (2**depth - 1)).astype(np.uint8)
    return eight


def _transparent_colour(picture: PillowImage, data: bytes, what: str) -> PillowImage | None:
    """The alpha of a PNG of RGB pixels of 16 bits, one of which is transparent. Pillow keeps the high bytes alone, so
    that the file is read a second time for the low ones."""
    from PIL import Image as pillow

    clear = picture.info.pop("transparency")
    try:
        picture.load()
        with _opened(data, what) as second:
            first = second.tile[0]
            second.tile = [(*first[:3], "RGB;16L")]  # the bytes in the other order
            second.load()
            values = np.asarray(picture).astype(np.uint16) << 8 | np.asarray(second)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{what}: broken image: {words(error)}. Give a whole one.") from error
    hidden = (values == np.array(clear, np.uint16)).all(axis=2)
    return pillow.fromarray(np.where(hidden, 0, 255).astype(np.uint8))
