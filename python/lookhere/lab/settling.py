"""How soon a ranking stands still: the best heads of the first few strips beside those of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..steering.head_set import Head
from .ranking import FLOOR, Kind, Place, Scores, Tally


@dataclass(frozen=True)
class Settled:
    """The ranking of the first ``strips``, after so many prefills.

    overlap: by k, the share of its best k heads that are among the best k of all strips. halves: by k, the share that
    two halves of these strips agree on; empty for one strip, which has no halves.
    """

    strips: int
    prefills: int
    overlap: dict[int, float]
    halves: dict[int, float]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "strips": self.strips, "prefills": self.prefills,
            "overlap": {str(k): round(share, 4) for k, share in self.overlap.items()},
            "split_half": {str(k): round(share, 4) for k, share in self.halves.items()},
        }  # fmt: skip


def settling(tally: Tally, place: Place, kind: Kind, sizes: Sequence[int], floor: float = FLOOR) -> list[Settled]:
    """For 1, 2, 4, ... strips, those of 90 prefills, and all; the last overlap is 1. sizes: which k are wanted."""

    def order(strips: int | None) -> tuple[Head, ...]:
        return Scores.of(tally.attention(place, strips), floor).order(kind)

    last = order(None)
    found = []
    for strips in tally.marks:
        early = order(strips)
        halves = [Scores.of(half, floor).order(kind) for half in tally.halves_of(place, strips)] if strips > 1 else []
        found.append(Settled(
            strips, strips * tally.panels, {k: common(early, last, k) for k in sizes},
            {k: common(halves[0], halves[1], k) for k in sizes} if halves else {},
        ))  # fmt: skip
    return found


def common(one: Sequence[Head], other: Sequence[Head], k: int) -> float:
    """Share of the best k heads of two rankings that are in both."""
    return len(set(one[:k]) & set(other[:k])) / k


def in_words(settled: Sequence[Settled], k: int) -> str:
    """'of the best 13 heads, 1 strip names 62 %, 2 85 %, ...'; one line."""
    parts = [f"{each.strips} ({each.prefills} prefills) {each.overlap[k]:.0%}" for each in settled]
    return f"Of the best {k} heads of all {settled[-1].strips}, the first so many name: {', '.join(parts)}."
