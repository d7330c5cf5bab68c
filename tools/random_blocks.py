"""Random weights as the tensor types of GGUF files hold them: valid blocks, drawn directly, never quantized.

A matrix of shape (rows, columns) gets values of mean 0 and standard deviation 1 / sqrt(columns): its product with a
vector of unit variance has unit variance too, and activations stay finite through any number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from gguf import GGMLQuantizationType as Type
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_STEPS = {bits: math.sqrt((4**bits - 1) / 12) for bits in (4, 5, 6, 8)}
"""Standard deviations of whole numbers drawn evenly from so many bits."""


def blocks(rng: np.random.Generator, kind: Type, count: int, deviation: float) -> Bytes:
    """(count, bytes of a block) uint8. ValueError for a type that is not drawn here."""
    if kind not in _DRAWN:
        raise ValueError(f"{kind.name} is not drawn here; expected one of {', '.join(each.name for each in _DRAWN)}")
    return _DRAWN[kind](rng, count, deviation)


def _q4_k(rng: np.random.Generator, count: int, deviation: float, bits: int = 4) -> Bytes:
    """256 values d * scale * q - dmin * minimum; q of 4 bits, 8 scales and minima of 6, d and dmin F16."""
    scales = rng.integers(32, 64, (count, 8), np.uint8)
    step = deviation / (_STEPS[bits] * math.sqrt(np.mean(np.arange(32.0, 64) ** 2)))
    out = np.empty((count, 16 + 32 * bits), np.uint8)
    out[:, :2], out[:, 2:4] = _half(step), _half((2**bits - 1) / 2 * step)  # minimum = scale: the mean of q becomes 0
    low, high = scales[:, :4], scales[:, 4:]
    top = (high >> 4) << 6
    out[:, 4:8] = out[:, 8:12] = low | top
    out[:, 12:16] = (high & 15) | (high & 15) << 4
    out[:, 16:] = _bytes(rng, count, 32 * bits)
    return out


def _q5_k(rng: np.random.Generator, count: int, deviation: float) -> Bytes:
    """The same with q of 5 bits."""
    return _q4_k(rng, count, deviation, bits=5)


def _q6_k(rng: np.random.Generator, count: int, deviation: float) -> Bytes:
    """256 values d * scale * (q - 32); q of 6 bits, 16 scales of 8 and of both signs; d F16."""
    scales = rng.integers(64, 128, (count, 16)) * rng.choice((-1, 1), (count, 16))
    step = deviation / (_STEPS[6] * math.sqrt(np.mean(np.arange(64.0, 128) ** 2)))
    out = np.empty((count, 210), np.uint8)
    out[:, :192] = _bytes(rng, count, 192)
    out[:, 192:208] = scales.astype(np.int8).view(np.uint8)
    out[:, 208:] = _half(step)
    return out


def _q8_0(rng: np.random.Generator, count: int, deviation: float) -> Bytes:
    """32 values d * q; q of 8 bits, d F16."""
    out = np.empty((count, 34), np.uint8)
    out[:, :2] = _half(deviation / _STEPS[8])
    out[:, 2:] = _bytes(rng, count, 32)
    return out


def _floats(dtype: type[np.floating]) -> Callable[[np.random.Generator, int, float], Bytes]:
    def draw(rng: np.random.Generator, count: int, deviation: float) -> Bytes:
        values = (rng.standard_normal(count, np.float32) * np.float32(deviation)).astype(dtype)
        return values.view(np.uint8).reshape(count, -1)

    return draw


def _bytes(rng: np.random.Generator, count: int, each: int) -> Bytes:
    return np.frombuffer(rng.bytes(count * each), np.uint8).reshape(count, each)


def _half(value: float) -> Bytes:
    """A number's two bytes in F16; too small a number loses its digits there."""
    half = np.float16(value)
    if abs(half - value) > value / 100:
        raise ValueError(f"a step of {value} cannot be held in F16")
    return half.reshape(1).view(np.uint8)


_DRAWN = {
    Type.Q4_K: _q4_k,
    Type.Q5_K: _q5_k,
    Type.Q6_K: _q6_k,
    Type.Q8_0: _q8_0,
    Type.F16: _floats(np.float16),
    Type.F32: _floats(np.float32),
}
