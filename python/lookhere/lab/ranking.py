"""Scores of heads out of panel attention, how far they can be trusted, and rankings that others published.

A is (layers, heads, panels asked about, panels attended to): raw attention mass, averaged over strips.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import HeadSetError
from ..steering.head_set import FORMAT, Head, HeadSet, ModelFacts, from_dict
from .comparison import ImageTally

Array: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["guarded", "selectivity", "mass"]
Rank: TypeAlias = Literal["attention", "gradient", "difference"]
"""What heads are ranked by: where they look, or what a bias on them does to the captions' log-probability."""
RANKS: tuple[Rank, ...] = ("attention", "gradient", "difference")
Place: TypeAlias = Literal["prompt", "answer"]
"""Where attention is read: at the final prompt token, or over the answer's tokens."""

PLACES: tuple[Place, ...] = ("prompt", "answer")
FLOOR = 0.05
"""Mean diagonal mass below which a head has no say: it hardly looks at the image. The bulk of heads of the paper's
model lies below."""
FEW_PREFILLS = 90
"""So few were enough for an independent reproduction on another model."""
_EARLY = "halves_of_the_first_"
SHUFFLES = 20
"""The best head of 20 shuffles is beaten by chance in less than 1 of 20 models."""


@dataclass(frozen=True)
class Scores:
    """Three scores per head, each (layers, heads) float64.

    mass: mean diagonal of A (Gaze Heads, arXiv 2606.14703). selectivity: the same with each row of A divided by its
    sum, chance is 1 / panels (Inherited Heads, arXiv 2609.14174). guarded: selectivity where the mass is above the
    floor, else 0.
    """

    mass: Array
    selectivity: Array
    guarded: Array

    @classmethod
    def of(cls, attention: Array, floor: float = FLOOR) -> Scores:
        """attention: A, (layers, heads, panels, panels)."""
        diagonal = np.diagonal(attention, axis1=-2, axis2=-1)
        rows = attention.sum(axis=-1)
        shares = np.divide(diagonal, rows, out=np.zeros_like(diagonal), where=rows > 0)
        mass, selectivity = diagonal.mean(axis=-1), shares.mean(axis=-1)
        return cls(mass, selectivity, np.where(mass > floor, selectivity, 0.0))

    def get(self, kind: Kind) -> Array:
        """One of the three."""
        return {"guarded": self.guarded, "selectivity": self.selectivity, "mass": self.mass}[kind]

    def order(self, kind: Kind, layers: Collection[int] = ()) -> tuple[Head, ...]:
        """Every head, best first; equal ones by mass, then by place. layers: of these alone, if there are any."""
        score = self.get(kind).ravel()
        heads = self.mass.shape[1]
        best = np.lexsort((np.arange(score.size), -self.mass.ravel(), -score))
        every = (divmod(int(index), heads) for index in best)
        return tuple((layer, head) for layer, head in every if not layers or layer in layers)


class Tally:
    """Sums of panel attention over strips: two halves, and as many with shuffled labels. Strips stand for any items.

    Its size grows with the logarithm of their number: the sums of the first 1, 2, 4, ... are kept. image: what heads
    to compare with are found by; filled beside it. shuffled labels: in every strip the questions are assigned to
    panels at random, which is what a model without gaze heads would look like. attention_layers: as of ``ModelFacts``.
    """

    def __init__(
        self,
        layers: int,
        heads: int,
        panels: int,
        *,
        seed: int = 0,
        shuffles: int = SHUFFLES,
        attention_layers: tuple[int, ...] = (),
    ) -> None:
        shape = (layers, heads, panels, panels)
        self._seed = seed
        self.panels = panels
        self.image = ImageTally(layers, heads, attention_layers)
        self.halves = np.zeros((len(PLACES), 2, *shape))
        self.shuffled = np.zeros((len(PLACES), shuffles, *shape))
        self.counts = np.zeros(2, np.int64)
        self._early: dict[int, Array] = {}

    @property
    def strips(self) -> int:
        """How many were added."""
        return int(self.counts.sum())

    def add(self, at_prompt: Array, over_answer: Array) -> None:
        """The next strip: (layers, heads, panels asked about, panels attended to) mass, at both places."""
        index = self.strips
        half = index % 2
        rng = np.random.default_rng([self._seed, index])
        orders = [rng.permutation(self.panels) for _ in range(self.shuffled.shape[1])]
        for place, attention in enumerate((at_prompt, over_answer)):
            self.halves[place, half] += attention
            for shuffle, order in enumerate(orders):
                self.shuffled[place, shuffle] += attention[:, :, order]
        self.counts[half] += 1
        if is_mark(self.strips, self.panels):
            self._early[self.strips] = self.halves.copy()

    @property
    def marks(self) -> tuple[int, ...]:
        """Numbers of strips whose A is kept, ascending; the last one is all of them."""
        return tuple(sorted({*self._early, self.strips} - {0}))

    def attention(self, place: Place, strips: int | None = None) -> Array:
        """A at a place. strips: of the first ones alone; one of ``marks``."""
        return np.asarray(self._halves(place, strips).sum(axis=0) / max(strips or self.strips, 1))

    def halves_of(self, place: Place, strips: int | None = None) -> tuple[Array, Array]:
        """A of every other strip, and of the rest. strips: as in ``attention``."""
        first, second = self._halves(place, strips)
        count = strips or self.strips
        return first / max((count + 1) // 2, 1), second / max(count // 2, 1)

    def _halves(self, place: Place, strips: int | None) -> Array:
        kept = self.halves if strips in (None, self.strips) else self._early[strips or 0]
        return np.asarray(kept[PLACES.index(place)])

    def shuffled_of(self, place: Place) -> Array:
        """A with shuffled labels, (shuffles, layers, heads, panels, panels)."""
        return np.asarray(self.shuffled[PLACES.index(place)] / max(self.strips, 1))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint keeps; views of what there is now."""
        early = {f"{_EARLY}{strips}": halves for strips, halves in self._early.items()}
        sums = {"halves": self.halves, "shuffled": self.shuffled, "counts": self.counts}
        return {**sums, **early, **self.image.arrays()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from what a checkpoint kept."""
        self.halves, self.shuffled, self.counts = arrays["halves"], arrays["shuffled"], arrays["counts"]
        self.image.restore(arrays)
        self._early = {int(name.removeprefix(_EARLY)): each for name, each in arrays.items() if name.startswith(_EARLY)}


def is_mark(strips: int, panels: int) -> bool:
    """Whether the ranking of so many strips is looked at: powers of two, and what makes 90 prefills."""
    return strips & (strips - 1) == 0 or strips == math.ceil(FEW_PREFILLS / panels)


@dataclass(frozen=True)
class Trust:
    """What speaks for a ranking.

    gaze_heads: how many heads beat the best head under each shuffle of the labels and 1.5 times chance. baseline: the
    best head's guarded score per shuffle. overlap: share of the top k that both halves of the strips agree on, by k.
    """

    chance: float
    gaze_heads: int
    baseline: tuple[float, ...]
    overlap: dict[int, float]
    found_by: ClassVar[str] = "{heads} heads look at the segment of a text that is asked about or being said"
    none_by: ClassVar[str] = "no head looks more at the place that is asked about than chance makes heads look"

    @property
    def verdict(self) -> str:
        """In words; begins with "none" where the model has no such heads."""
        most = max(self.baseline, default=0.0)
        if self.gaze_heads == 0:
            return (
                "none: this model has no gaze heads that these strips can tell from chance (no head looks more at the "
                f"place that is asked about than the best of {len(self.baseline)} shuffles, {most:.2f})"
            )
        return (
            f"found: {self.gaze_heads} heads look at the place that is asked about, more than the best head of "
            f"{len(self.baseline)} shuffles ({most:.2f}; chance {self.chance:.2f})"
        )


def trust(tally: Tally, place: Place, kind: Kind, sizes: tuple[int, ...], floor: float = FLOOR) -> Trust:
    """How far the ranking of a tally can be trusted; sizes: which k the overlap is wanted for.

    Whether there are gaze heads is decided by the guarded score, whatever the kind of the ranking.
    """
    chance = 1 / tally.panels
    baseline = tuple(float(Scores.of(shuffle, floor).guarded.max()) for shuffle in tally.shuffled_of(place))
    guarded = Scores.of(tally.attention(place), floor).guarded
    found = int((guarded > max(1.5 * chance, *baseline)).sum())
    first, second = (Scores.of(half, floor).order(kind) for half in tally.halves_of(place))
    overlap = {k: len(set(first[:k]) & set(second[:k])) / k for k in sizes}
    return Trust(chance, found, baseline, overlap)


def read_ranking(path: str | os.PathLike[str], model: ModelFacts) -> HeadSet:
    """A ranking in our format, or in the one that the authors of Gaze Heads save (``gaze_head_ranking.json``): a list
    of {"layer", "head", "score"}, or an object whose "heads" is such a list.

    model: what the ranking is for; theirs does not say. HeadSetError names the file and what is wrong in it.
    """
    name = f"The ranking {checks.file(path)}"
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise HeadSetError(f"{name} cannot be read: {checks.reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise HeadSetError(f"{name} is not JSON ({error}). Was it half written?") from error
    if isinstance(data, dict) and data.get("format") == FORMAT:
        return from_dict(data, name)
    source = str(data.get("source", "")) if isinstance(data, dict) else ""
    items = data.get("heads") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise HeadSetError(f"{name}: expected a list of layer, head and score, or an object with such a list as heads.")
    heads = [
        {"layer": item[0], "head": item[1]} if isinstance(item, list) and len(item) == 2
        else {key: item[key] for key in ("layer", "head", "score") if key in item} if isinstance(item, dict)
        else item
        for item in items
    ]  # fmt: skip
    entry = {"format": FORMAT, "version": 1, "model": model.as_dict(), "heads": heads, "source": source}
    return from_dict(entry, name)
