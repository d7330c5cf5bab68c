"""An image as a square, for models that see squares of one size."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from .image import Image


def stretched(image: Image, side: int) -> Image:
    """The image as side x side pixels, drawn only if nobody has encoded it before; bicubic."""
    from PIL import Image as pillow

    def draw() -> NDArray[np.uint8]:
        picture = image.pillow().resize((side, side), pillow.Resampling.BICUBIC)
        return np.asarray(picture, dtype=np.uint8, order="C")

    fingerprint = hashlib.sha256(f"{image.fingerprint} stretched {side}".encode()).hexdigest()
    return Image.later(draw, (side, side), fingerprint, image.name)
