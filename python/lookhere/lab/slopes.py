"""Slopes: how much a small bias on each head would raise the log-probability of captions, and how sure that is.

A head's slope is the derivative of a caption's log-probability with respect to its bias, at bias 0: nats per nat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..steering.head_set import Head, HeadSet, ModelFacts
from .ranking import SHUFFLES, Trust, is_mark
from .settling import Settled, common

Array: TypeAlias = NDArray[np.float64]

_EARLY = "slope_halves_of_the_first_"


@dataclass(frozen=True)
class SlopeTrust(Trust):
    """The same for slopes. gaze_heads: how many heads beat the best head under each flip of the captions' signs.
    baseline: the best head's slope, by flip."""

    found_by: ClassVar[str] = "a bias on each of {heads} heads makes the segment of a text more probable that it is on"
    none_by: ClassVar[str] = "a bias on no head makes captions more probable than chance makes it look"

    @property
    def verdict(self) -> str:
        """In words; begins with "none" where the model has no such heads."""
        most = max(self.baseline, default=0.0)
        best = f"the best head of {len(self.baseline)} shuffles of the captions' signs ({most:.2g} nats per nat)"
        if self.gaze_heads == 0:
            return f"none: a bias on no head raises the captions' probability more than {best}"
        return f"found: a bias on each of {self.gaze_heads} heads raises the captions' probability more than {best}"


class Slopes:
    """Sums over captions: two halves, by every other item, and as many with signs flipped at random, which is what
    heads that have nothing to do with the captions would look like. The first 1, 2, 4, ... items' are kept.

    places: captions of an item. seed: of the flips.
    """

    def __init__(self, facts: ModelFacts, places: int, *, seed: int = 0, flips: int = SHUFFLES) -> None:
        shape = (facts.layers, facts.heads)
        self._facts, self._seed = facts, seed
        self.places = places
        self.halves = np.zeros((2, *shape))
        self.flipped = np.zeros((flips, *shape))
        self.counts = np.zeros(2, np.int64)
        self._early: dict[int, Array] = {}

    @property
    def items(self) -> int:
        """How many were added."""
        return int(self.counts.sum())

    def add(self, slopes: Array) -> None:
        """The next item: (places, layers, heads)."""
        index = self.items
        signs = np.random.default_rng([self._seed, index]).choice((-1.0, 1.0), (len(self.flipped), len(slopes)))
        self.halves[index % 2] += slopes.sum(axis=0)
        self.flipped += np.tensordot(signs, slopes, 1)
        self.counts[index % 2] += 1
        if is_mark(self.items, 1):
            self._early[self.items] = self.halves.copy()

    def mean(self, items: int | None = None) -> Array:
        """(layers, heads), of a caption. items: of the first ones alone, as many as were kept."""
        halves = self.halves if items is None else self._early.get(items, self.halves)
        return np.asarray(halves.sum(axis=0) / max((items or self.items) * self.places, 1))

    def ranking(self) -> HeadSet:
        """Every head, the steepest first."""
        mean = self.mean()
        order = self._order(mean)
        return HeadSet(self._facts, order, scores=tuple(round(float(mean[head]), 5) for head in order))

    def trust(self, sizes: Sequence[int]) -> SlopeTrust:
        """How far the ranking can be trusted; sizes: which k the halves' overlap is wanted for."""
        count = max(self.items * self.places, 1)
        heads = tuple(zip(*self._facts.every_head, strict=True))
        baseline = tuple(float(each[heads].max() / count) for each in self.flipped)
        found = int((self.mean()[heads] > max(0.0, *baseline)).sum())
        first, second = map(self._order, self.halves)
        return SlopeTrust(0.0, found, baseline, {k: common(first, second, k) for k in sizes})

    def settling(self, sizes: Sequence[int]) -> list[Settled]:
        """How soon the ranking stands still: for the first 1, 2, 4, ... items, each of which is a prefill."""
        last = self._order(self.mean())
        found = []
        for items in sorted({*self._early, self.items} - {0}):
            early = self._order(self.mean(items))
            halves = [self._order(half) for half in self._early.get(items, self.halves)] if items > 1 else []
            found.append(Settled(
                items, items, {k: common(early, last, k) for k in sizes},
                {k: common(halves[0], halves[1], k) for k in sizes} if halves else {},
            ))  # fmt: skip
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps; views of what there is now."""
        early = {f"{_EARLY}{items}": halves for items, halves in self._early.items()}
        return {"slope_halves": self.halves, "slope_flipped": self.flipped, "slope_counts": self.counts, **early}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what a checkpoint kept; from nothing where that holds no slopes."""
        if "slope_halves" in arrays:
            self.halves, self.flipped = arrays["slope_halves"].copy(), arrays["slope_flipped"].copy()
            self.counts = arrays["slope_counts"].copy()
            self._early = {
                int(name.removeprefix(_EARLY)): each for name, each in arrays.items() if name.startswith(_EARLY)
            }

    def _order(self, values: Array) -> tuple[Head, ...]:
        return tuple(sorted(self._facts.every_head, key=lambda head: (-values[head], head)))
