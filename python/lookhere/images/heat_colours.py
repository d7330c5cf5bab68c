"""The scale of colours that attention is shown in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# dark violet to light yellow, ever lighter, so that it reads in print and for colour-blind people, too
_SCALE = np.array(
    [(13, 8, 60), (84, 15, 110), (150, 38, 103), (210, 68, 76), (245, 120, 40), (252, 180, 40), (252, 240, 150)],
    dtype=np.float64,
)


def colours(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(..., 3) uint8 RGB for values in 0..1 of any shape."""
    places = np.clip(values, 0.0, 1.0) * (len(_SCALE) - 1)
    index = np.arange(len(_SCALE))
    channels = [np.interp(places, index, _SCALE[:, channel]) for channel in range(3)]
    rgb: NDArray[np.uint8] = np.stack(channels, axis=-1).round().astype(np.uint8)
    return rgb
