"""A picture as an address that holds all of it, for a page of HTML."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

LARGEST = 64_000
"""Bytes of a picture that need not be exact; base64 makes a third more of them."""
_QUALITIES = (82, 60, 40)


def inline(picture: PillowImage) -> str:
    """A data URI of a PNG: every pixel as it is, for maps with few of them."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=6)
    return _uri("png", file)


def inline_small(picture: PillowImage, most: int = LARGEST) -> str:
    """A data URI of at most so many bytes before base64: a PNG of few pixels, else WebP, or JPEG where Pillow was built
    without; the coarser the more there is to see, and smaller in the end."""
    from PIL import features

    if picture.width * picture.height * 3 <= most:
        return inline(picture)
    kind = "webp" if features.check("webp") else "jpeg"
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.convert("RGB").save(file, kind.upper(), quality=quality)
            if file.tell() <= most or max(picture.size) <= 16:
                return _uri(kind, file)
        picture = picture.reduce(2)


def _uri(kind: str, file: io.BytesIO) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
