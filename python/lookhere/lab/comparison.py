"""Heads to compare gaze heads with: image heads and localization heads, scored on the same prefills.

Gandikota & Bau (Gaze Heads, arXiv 2606.14703) steer three kinds of heads with as many of each. The two others need no
place: they are heads that look at the image at all, and heads whose look falls into one patch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import HeadSetError
from ..steering.head_set import Head, HeadSet

Array: TypeAlias = NDArray[np.float64]
Rival: TypeAlias = Literal["image", "localization"]
RIVALS: tuple[Rival, ...] = ("image", "localization")

KEPT = 512
"""Heads of a ranking that a head set's evidence lists."""


@dataclass(frozen=True)
class Comparison:
    """Scores per head, each (layers, heads) float64, of attention at the final prompt token.

    mass: on all image tokens, mean over prefills. image: the same standardised over all heads of a prefill, (mass -
    mean) / standard deviation, then averaged over prefills (image heads; Gaze Heads, arXiv 2606.14703, which gives no
    more than "z-scored image mass"). entropy: ``components.spatial_entropy``, nats, mean over prefills (localization
    heads, arXiv 2503.06287). layers: those that have heads, where not all do.
    """

    mass: Array
    image: Array
    entropy: Array
    layers: tuple[int, ...] = ()

    @property
    def threshold(self) -> float:
        """Mean mass below which a head is no localization head (criterion 1 of arXiv 2503.06287): see ``elbow``."""
        return elbow(self.mass[list(self.layers)] if self.layers else self.mass)

    @property
    def above(self) -> int:
        """How many heads reach the threshold."""
        return int((self.mass >= self.threshold).sum())

    def order(self, rival: Rival) -> tuple[Head, ...]:
        """Every head, best first; equal ones by mass, then by place.

        image: by the standardised mass. localization: heads that reach the threshold, the least entropy first; then the
        others by mass, so that there are as many as are wanted.
        """
        place, mass = np.arange(self.mass.size), self.mass.ravel()
        if rival == "image":
            best = np.lexsort((place, -mass, -self.image.ravel()))
        else:
            enough = mass >= self.threshold
            best = np.lexsort((place, -mass, np.where(enough, self.entropy.ravel(), 0.0), ~enough))
        every = (divmod(int(index), self.mass.shape[1]) for index in best)
        return tuple((layer, head) for layer, head in every if not self.layers or layer in self.layers)

    def tables(self) -> dict[str, Any]:
        """For the evidence of a ranking: all three tables, layer by layer, and the threshold."""
        named = {"image_mass": self.mass, "image_z": self.image, "localization_entropy": self.entropy}
        return {name: np.round(table, 5).tolist() for name, table in named.items()} | self._bound()

    def lists(self) -> dict[str, Any]:
        """For the evidence of a head set: the best heads of both kinds, and the threshold."""
        orders = {rival: [list(head) for head in self.order(rival)[:KEPT]] for rival in RIVALS}
        return orders | self._bound()

    def _bound(self) -> dict[str, Any]:
        return {"localization_threshold": round(self.threshold, 5), "localization_above": self.above}


class ImageTally:
    """Sums over prefills of what a comparison needs; its size does not depend on their number."""

    def __init__(self, layers: int, heads: int, attention_layers: tuple[int, ...] = ()) -> None:
        self._layers = attention_layers
        self._sums = np.zeros((3, layers, heads))
        self._count = np.zeros(1, np.int64)

    def add(self, mass: Array, entropy: Array) -> None:
        """The next prefill: (layers, heads) mass on the image, and spatial entropy of the map."""
        rows = list(self._layers) or slice(None)
        known, image = mass[rows], np.zeros_like(mass)
        if (spread := float(known.std())) > 0:
            image[rows] = (known - known.mean()) / spread
        self._sums += (mass, image, entropy)
        self._count += 1

    def comparison(self) -> Comparison:
        """The means so far."""
        mass, image, entropy = self._sums / max(int(self._count[0]), 1)
        return Comparison(mass, image, entropy, self._layers)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps."""
        return {"image_sums": self._sums, "image_count": self._count}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what a checkpoint kept."""
        self._sums, self._count = arrays["image_sums"], arrays["image_count"]


def elbow(values: Array) -> float:
    """The value where the ascending curve of all values bends most: farthest from the line between its ends.

    So the authors of localization heads choose the least mass on the image (arXiv 2503.06287 and its code).
    """
    curve = np.sort(values, axis=None)
    chord = np.linspace(curve[0], curve[-1], curve.size)
    return float(curve[np.abs(curve - chord).argmax()])


def listed_rival(heads: HeadSet, rival: Rival) -> HeadSet | None:
    """As many heads of another kind as a head set has, steered alike, out of its evidence; None if that lists none.

    HeadSetError where the list is malformed.
    """
    compared = heads.evidence.get("compared")
    listed = compared.get(rival) if isinstance(compared, dict) else None
    if listed is None:
        return None
    try:
        pairs = tuple((int(layer), int(head)) for layer, head in listed)
    except (TypeError, ValueError) as error:
        where = f"the evidence of {heads.model.name!r}"
        raise HeadSetError(f"The {rival} heads in {where} are not a list of (layer, head).") from error
    return replace(heads, heads=pairs[: len(heads.heads)], scores=())
