"""An aim: a steering, and what its regions cover of each token grid. Made once, then carried to the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import checks
from ..errors import OptionError
from ..tokens.grid import Map
from .head_set import Head
from .push import Push
from .steering import Steering


@dataclass(frozen=True, eq=False, repr=False)
class Aim:
    """coverage, target: one (rows, cols) float32 map in 0..1 per token grid of all images, in their order.

    coverage: which share of each token the regions cover. target: the same times the weight of the region, 0 where less
    than 1/16 of a token is covered; what steered heads are told.
    """

    steering: Steering
    coverage: tuple[Map, ...]
    target: tuple[Map, ...]

    def __post_init__(self) -> None:
        checks.kinds(self, steering=Steering, coverage=tuple, target=tuple)
        if not all(isinstance(each, np.ndarray) for each in (*self.coverage, *self.target)):
            raise OptionError(f"Aim: target={checks.short(self.target)}; expected a map for each token grid.")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Aim):
            return NotImplemented
        if self.steering != other.steering:
            return False
        pairs = ((self.coverage, other.coverage), (self.target, other.target))
        return all(len(a) == len(b) and all(map(np.array_equal, a, b)) for a, b in pairs)

    def __hash__(self) -> int:
        return hash(self.steering)

    def __repr__(self) -> str:
        covered, every = sum(int((each > 0).sum()) for each in self.target), sum(each.size for each in self.target)
        return f"<Aim at {self.steering.place}, {covered} of {every} tokens>"

    @property
    def push(self) -> Push:
        """Of the steering."""
        return self.steering.push

    @property
    def heads(self) -> tuple[Head, ...]:
        """(layer, head) pairs that are steered, ascending."""
        return tuple(sorted(self.steering.head_set.heads))

    @cached_property
    def fingerprint(self) -> str:
        """Of the steering."""
        return self.steering.fingerprint

    @cached_property
    def values(self) -> Sequence[Map]:
        """One (rows, cols) float32 map per token grid: nats, or weights where attention is moved."""
        return [self.push.image_values(each) for each in self.target]
