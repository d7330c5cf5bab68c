"""Maps of attention as JSON, both ways: numbers, or base64 of float16."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ..strict import Entry

Encoding: TypeAlias = Literal["float16", "numbers"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)


def map_json(values: NDArray[Any], encoding: Encoding) -> Any:
    """A map of (..., rows, cols). numbers: nested lists, rounded to 6 digits. float16: an object with its shape, and
    base64 of little-endian float16, row by row; three digits are right above 0.00006."""
    if encoding == "numbers":
        return np.round(values.astype(np.float64), 6).tolist()
    data = np.ascontiguousarray(values, dtype="<f2").tobytes()
    return {"shape": list(values.shape), "float16": base64.b64encode(data).decode()}


def read_map(entry: Entry, key: str) -> NDArray[np.float32]:
    """What ``map_json`` wrote under a key. The error of the entry says what is wrong."""
    given = entry.data[key]
    if not isinstance(given, dict):
        try:
            found = np.array(given, np.float32)
        except (TypeError, ValueError):
            entry.wrong(key, "rows of numbers")
        if found.ndim < 2 or not np.isfinite(found).all():
            entry.wrong(key, "rows of numbers")
        return found
    packed = entry.child(key)
    packed.keys({"shape", "float16"}, set())
    shape = packed.items("shape")
    if len(shape) < 2 or not all(type(each) is int and 0 <= each < 2**31 for each in shape):
        packed.wrong("shape", "rows and cols, after what else there is")
    try:
        data = base64.b64decode(packed.text("float16"), validate=True)
    except (binascii.Error, ValueError):
        packed.wrong("float16", "base64")
    if len(data) != 2 * math.prod(shape):
        packed.wrong("float16", f"base64 of {2 * math.prod(shape)} bytes")
    return np.frombuffer(data, "<f2").reshape(shape).astype(np.float32)
