"""The arms of a sweep: one setting of the head set after the other, at the same question."""

from __future__ import annotations

from dataclasses import replace

from ..heads import HeadSet, Queries
from .arms import Steered
from .calibration import MODES, STRENGTHS, head_counts
from .discovery import listed_ranking

SWEPT_QUERIES: tuple[Queries, ...] = ("all", "after_image", "answer", "generated")


def sweep_arms(heads: HeadSet) -> list[Steered]:
    """Queries x strength at the head set's K, then K x mode at its strength."""
    ranking = listed_ranking(heads)
    every = heads.model.layers * heads.model.heads
    counts = {k for k in (*head_counts(every), every // 2, len(heads.heads)) if 1 <= k <= len(ranking.heads)}
    return [
        *(Steered(f"queries {queries}, strength {strength:g}", replace(heads, queries=queries, strength=strength),
                  "sweep")
          for queries in SWEPT_QUERIES for strength in STRENGTHS),
        *(Steered(f"{k} heads, {mode}", replace(ranking.top(k), mode=mode), "sweep")
          for mode in MODES for k in sorted(counts)),
    ]  # fmt: skip
