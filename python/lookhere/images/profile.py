"""Colour profiles: pixels as the sRGB colours that a viewer shows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""The mode of pixels that a profile of a colour space is for."""

_SAME = 2
"""Of 255: a profile that changes colours by no more is sRGB under another name."""


def in_srgb(picture: PillowImage, profile: object) -> PillowImage:
    """A picture of mode L, RGB or CMYK by its profile; as it is where the profile is none, or for other pixels."""
    if not isinstance(profile, bytes) or not profile:
        return picture
    try:
        transform = _transform(profile, picture.mode)
        if transform is None:
            return picture
        from PIL import ImageCms

        changed: PillowImage | None = ImageCms.applyTransform(picture, transform)
    except Exception:  # a broken profile, or a Pillow without littlecms: the colours as they are
        return picture
    return picture if changed is None else changed


def _transform(profile: bytes, mode: str) -> Any:
    """What turns pixels of a mode into sRGB; None where there is nothing to turn."""
    from PIL import Image as pillow
    from PIL import ImageCms

    given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if _MODES.get(given.profile.xcolor_space.strip()) != mode:
        return None
    transform = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "CMYK":
        return transform
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    if mode == "L":
        probe = np.tile(steps, (1, 1))
    else:
        probe = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    sample = pillow.fromarray(probe)
    turned = ImageCms.applyTransform(sample, transform)
    if turned is None:
        return None
    change = np.abs(np.asarray(turned, np.int16) - np.asarray(sample.convert("RGB"), np.int16))
    return transform if int(change.max()) > _SAME else None
