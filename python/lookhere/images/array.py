"""Arrays of pixels, of any library: what is sure is taken, all else is told how to become uint8."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import ImageError
from .decode import check_size
from .source import has, words


def is_array(source: object) -> bool:
    """Whether it is an array, or an object that says how it becomes one, as tensors do."""
    return isinstance(source, np.ndarray) or has(source, "__array__") or has(source, "__array_interface__")


def as_array(source: Any) -> NDArray[Any]:
    """A plain NumPy array: no matrix, no masked one. ImageError."""
    try:
        return np.asarray(source)
    except Exception as error:  # a tensor on a GPU, or an object that nobody here made
        raise ImageError(
            f"{type(source).__name__} cannot become a NumPy array: {words(error)}. For a tensor: "
            "tensor.detach().cpu().numpy()."
        ) from error


def from_array(values: NDArray[Any]) -> NDArray[np.uint8]:
    """(height, width), (height, width, 1), (height, width, 3) or (height, width, 4) uint8: a view with 1, 3 or 4
    channels. ImageError."""
    shape = shape_of(values)
    if values.ndim == 2:
        values = values[:, :, None]
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4):
        raise ImageError(
            f"An array of shape {shape}; expected (height, width), (height, width, 3) or (height, width, 4)."
            f"{_shape_hint(values)}"
        )
    check_size((values.shape[1], values.shape[0]), f"An array of shape {shape}")
    if values.dtype != np.uint8:
        kind = checks.short(str(values.dtype)).strip("'")
        raise ImageError(f"An array of {kind}; expected uint8, 0 to 255{_kind_hint(values)}.")
    return values


def shape_of(values: NDArray[Any]) -> str:
    """The shape for a message."""
    return checks.short(values.shape)


def _shape_hint(values: NDArray[Any]) -> str:
    if values.ndim == 3 and values.shape[0] in (1, 3, 4):
        return " With channels first: array.transpose(1, 2, 0)."
    if values.ndim == 4:
        return " Of several images: array[0]."
    if values.ndim == 3 and values.shape[2] == 2:
        return " For grey with alpha: array[..., 0]."
    return ""


def _kind_hint(values: NDArray[Any]) -> str:
    """What to write, by what the values are."""
    kind = values.dtype.kind
    if kind == "b":
        return "; for True as white: array.astype('uint8') * 255"
    if kind not in "iuf" or not values.size:
        return "; make numbers of it first: np.array(..., dtype='uint8')"
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        return ", and some values are no numbers: np.nan_to_num(array) first"
    if low >= 0 and high <= 1:
        return "; for values from 0 to 1: (array * 255).astype('uint8')"
    if low >= 0 and high <= 255:
        return ": array.astype('uint8')"
    if kind == "f" and low >= -1 and high <= 1:
        return "; for values from -1 to 1: ((array + 1) * 127.5).astype('uint8')"
    if low >= 0 and high <= 65535:
        return "; for 16 bits: (array // 257).astype('uint8')"
    return f"; for values from {low:g} to {high:g}: ((array - array.min()) / np.ptp(array) * 255).astype('uint8')"
