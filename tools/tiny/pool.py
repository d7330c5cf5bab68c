"""Pool: drawn panels to train on, and strips joined of them."""

from __future__ import annotations

import random

import numpy as np
import torch
import world
from torch import Tensor

VARIANTS = 10
"""Drawings of each combination."""
ALIKE = 0.4
"""Share of the strips whose panels have few colours, shapes and places among them, so that a word said does not tell
which panel it is of."""


class Pool:
    """Of strips of one size, of the combinations that are not held out."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        rng = random.Random(f"pool {seed}")
        self.parts = [each for each in world.EVERY if not world.held_out(each)]
        self.pictures = {
            each: [world.picture(each, rng, width, height) for _ in range(VARIANTS)] for each in self.parts
        }

    def strips(self, rng: random.Random, count: int, panels: int) -> tuple[Tensor, list[tuple[world.Parts, ...]]]:
        """(count, height, width, 3) uint8, and what each panel shows; no two panels of a strip alike."""
        found = [self._strip(rng, panels) for _ in range(count)]
        return torch.from_numpy(np.stack([each.pixels for each in found])), [each.parts for each in found]

    def _strip(self, rng: random.Random, panels: int) -> world.Strip:
        parts = rng.sample(self._alike(rng, panels) if rng.random() < ALIKE else self.parts, panels)
        return world.joined(parts, [rng.choice(self.pictures[each]) for each in parts])

    def _alike(self, rng: random.Random, panels: int) -> list[world.Parts]:
        while True:
            few = [set(rng.sample(list(kinds), rng.choice((1, 2, 3))))
                   for kinds in (world.COLOURS, world.SHAPES, world.PLACES)]  # fmt: skip
            few[rng.randrange(3)] = set(world.COLOURS) | set(world.SHAPES) | set(world.PLACES)
            found = [each for each in self.parts if all(part in kinds for part, kinds in zip(each, few, strict=True))]
            if len(found) >= panels:
                return found
