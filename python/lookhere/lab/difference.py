"""Difference: slopes of all heads out of differences of log-probabilities in the engine, without a gradient.

A caption is read twice: with a small bias on half of the heads, and with the same bias on the other half. That is a
central difference along a direction in which every head has the sign of its half, so that each reading tells of all
heads at once (simultaneous perturbation). The directions are rows of a Hadamard matrix, so that after a whole block of
them no head's slope is mixed with another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .forced import Forced, Reader, forcing

if TYPE_CHECKING:
    from ..steering.head_set import Head

BIAS = 0.5
"""Nats that a half of the heads gets more than the other. With 0.1 rounding shows in a Q4_1 model, with 1 the
log-probability bends; docs/heads.md has the figures."""
DIRECTIONS = 1024
"""That are read at least, over all captions together: whole blocks. Captions differ more than readings are noisy."""


class Difference:
    """captions: how many there are of all items, over which the directions are spread. seed: which column of the matrix
    is whose. blocks: of directions, 0 for what is enough."""

    def __init__(self, model: Reader, captions: int, *, seed: int = 0, bias: float = BIAS, blocks: int = 0) -> None:
        self._model, self._bias = model, bias
        self._heads = model.facts.every_head
        self._directions = directions(len(self._heads), seed)
        size = len(self._directions)
        wanted = (blocks or -(-DIRECTIONS // size)) * size
        self.per_caption = max(1, -(-wanted // max(captions, 1)))
        self.passes = 2 * self.per_caption * captions

    @property
    def told(self) -> str:
        """What it costs, for people."""
        return f"{self.passes:,} readings of a caption with a bias on half of the heads"

    def slopes(self, forced: Forced, number: int) -> NDArray[np.float64]:
        """(places, layers, heads) of an item, the number of which among all decides which directions are read."""
        facts, places = self._model.facts, len(forced.answers)
        found = np.zeros((places, facts.layers, facts.heads))
        first = number * places * self.per_caption
        with forcing(self._model, forced) as nats:
            for place in range(places):
                for row in range(first, first + self.per_caption):
                    signs = self._directions[row % len(self._directions)]
                    one, other = (
                        nats(place, forced.aim(place, facts, half, self._bias) if half else None).sum()
                        for half in self._halves(signs)
                    )
                    found[place][tuple(zip(*self._heads, strict=True))] += signs * (one - other) / self._bias
                first += self.per_caption
        return found / self.per_caption

    def _halves(self, signs: NDArray[np.float64]) -> tuple[list[Head], list[Head]]:
        """The heads of one sign, and those of the other."""
        one = [head for head, sign in zip(self._heads, signs, strict=True) if sign > 0]
        return one, [head for head, sign in zip(self._heads, signs, strict=True) if sign < 0]


def directions(heads: int, seed: int = 0) -> NDArray[np.float64]:
    """(a power of two larger than heads, heads) of 1 and -1. The columns are orthogonal to one another and to a column
    of ones: Sylvester's Hadamard matrix, its rows and columns shuffled."""
    size = 1 << heads.bit_length()
    bits = np.arange(size)[:, None] & np.arange(size)
    parity = np.zeros(bits.shape, np.int64)
    while bits.any():
        parity ^= bits & 1
        bits >>= 1
    rng = np.random.default_rng([seed, heads])
    columns = 1 + rng.permutation(size - 1)[:heads]  # the first is the column of ones
    return np.asarray(1.0 - 2.0 * parity[rng.permutation(size)][:, columns])
