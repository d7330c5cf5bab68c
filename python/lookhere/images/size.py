"""How large an image is, as its file says, before anything is decoded."""

from __future__ import annotations

import io

from .quiet import Quiet


def size_of(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels that an image file states; None where only decoding it tells. Decodes nothing."""
    from PIL import Image as pillow

    try:
        with Quiet(), pillow.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            return int(width), int(height)
    except Exception:  # malformed, or of a format that Pillow does not know: decoding says what is wrong
        return None
