"""A mask: how much of each pixel of the upright original image belongs to a region."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks, limits
from ..errors import RegionError
from ..images.array import is_array
from ..images.image import Image, ImageSource
from ..images.source import is_source
from .box import Box, checked_size

_GREY = 16  # of 255: JPEG files colour grey pixels by less
_DARK = 64  # of 255: a mask without any lighter pixel holds numbers of classes, or is another image
_ARRAY = "np.asarray(PIL.Image.open(file))"


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Mask:
    """values: (height, width) of the image, bool or numbers in 0..1: the share of each pixel that is looked at.

    An array or a tensor; one axis of length 1 more, before or after these two, is left out. Whole numbers that are all
    either 0 or 255, both of them, are a mask of black and white. Kept as a read-only float32 copy. Two masks with the
    same values are equal.
    """

    values: NDArray[np.float32]

    def __init__(self, values: object) -> None:
        object.__setattr__(self, "values", _checked(values))

    @classmethod
    def open(cls, source: ImageSource) -> Mask:
        """The mask in an image of the image's size, in any form that ``Model.look`` takes: white is looked at, black
        and transparent are not, grey is looked at in part; where there are 0 and 1 alone, 1 is looked at. An array is
        taken as ``Mask(array)``. ImageError for what is no image; RegionError for one with colours, or too dark.
        """
        from PIL import Image as pillow

        if not isinstance(source, (Image, pillow.Image)) and not is_source(source) and is_array(source):
            return cls(source)
        image = Image.open(source, behind="black")
        red, green, blue = (image.pixels[:, :, channel] for channel in range(3))
        lightest, darkest = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
        if int((lightest - darkest).max()) > _GREY:
            raise RegionError(
                f"The mask {image.name} has colours; expected white where to look, black elsewhere. For the pixels of "
                f"one class or colour: Mask({_ARRAY} == value)."
            )
        most = int(green.max())
        if 1 < most < _DARK:
            raise RegionError(
                f"The mask {image.name} has values from {int(green.min())} to {most} of 255, nearly black; expected "
                f"white where to look. For numbers of classes: Mask({_ARRAY} == number)."
            )
        return cls(green / np.float32(255 if most > 1 else 1))

    def __reduce__(self) -> tuple[type[Mask], tuple[NDArray[np.float32]]]:
        return Mask, (self.values,)  # read-only again, where it arrives

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"<Mask {self.width} x {self.height} pixels, {self.area:g} of them covered, {self.fingerprint[:8]}>"

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.values.shape[1])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.values.shape[0])

    @cached_property
    def area(self) -> float:
        """Square pixels."""
        return float(self.values.sum(dtype=np.float64))

    @cached_property
    def fingerprint(self) -> str:
        """sha256, hexadecimal, of size and values."""
        digest = hashlib.sha256(f"{self.width}x{self.height}:".encode())
        digest.update(self.values.astype("<f4", copy=False).data)
        return digest.hexdigest()

    @cached_property
    def bounds(self) -> Box:
        """The smallest box around all that is not 0."""
        rows, cols = np.flatnonzero(self.values.any(axis=1)), np.flatnonzero(self.values.any(axis=0))
        return Box(int(cols[0]), int(rows[0]), int(cols[-1]) + 1, int(rows[-1]) + 1)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels, of its bounds."""
        return self.bounds.centre

    def as_json(self) -> dict[str, Any]:
        """Its kind, size, area in square pixels and sha256; not the values."""
        return {
            "kind": "mask",
            "width": self.width,
            "height": self.height,
            "area": self.area,
            "sha256": self.fingerprint,
        }

    def on(self, width: float, height: float) -> Mask:
        """Itself, once it is known to be as large as a width x height image; RegionError otherwise."""
        width, height = checked_size(width, height)
        if (self.width, self.height) != (width, height):
            turned = " Is it turned by 90 degrees?" if (self.height, self.width) == (width, height) else ""
            raise RegionError(
                f"The mask has shape {self.values.shape}, the image ({height}, {width}); expected one value for each "
                f"pixel of the upright image, (height, width).{turned} A mask is never resized: make one of this size."
            )
        return self


def _checked(values: object) -> NDArray[np.float32]:
    try:
        array = np.asarray(values)
    except Exception:  # rows of several lengths, a tensor on a GPU, or an object that nobody here made
        array = np.array(None)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[:, :, 0] if array.shape[2] == 1 else array[0]
    if array.ndim != 2 or array.dtype.kind not in "buif":
        several = " For several masks: [Mask(each) for each in array]." if array.ndim == 3 else ""
        raise RegionError(
            f"Mask: shape {checks.short(array.shape)} of {checks.short(str(array.dtype))[1:-1]}; expected (height, "
            f"width) of bool, or of numbers from 0 to 1.{several} For a file: Mask.open(path)."
        )
    if not array.size:
        raise RegionError(f"Mask: shape {array.shape} has no pixels; expected (height, width) of the image.")
    if array.size > limits.IMAGE_PIXELS:
        raise RegionError(f"Mask: shape {array.shape} has more pixels than an image may have, {limits.IMAGE_PIXELS:,}.")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # also where one is not a number
        if array.dtype.kind in "ui" and low == 0 and high == 255 and not ((array != 0) & (array != 255)).any():
            array = array == 255
        else:
            logits = " For logits: mask > 0." if low < 0 < high else ""
            raise RegionError(
                f"Mask: values from {low} to {high}; expected 0 to 1. For 0 to 255: mask > 127, or mask / 255.{logits}"
            )
    kept = np.array(array, dtype=np.float32, order="C")
    if not kept.any():
        raise RegionError("Mask: all values are 0, so that there is nowhere to look; expected some above 0.")
    kept.setflags(write=False)
    return kept
