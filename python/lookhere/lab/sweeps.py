"""The arms of sweeps: one setting of the head set after the other, at the same question."""

from __future__ import annotations

from ..steering.head_set import HeadSet
from ..steering.push import BIAS_MODES, Queries
from .arms import Steered
from .calibration import MODES, STRENGTHS, head_counts
from .discovery import listed_ranking

SWEPT_QUERIES: tuple[Queries, ...] = ("all", "after_image", "answer", "generated")
SHARES = (0.2, 0.3, 0.5, 0.7, 0.9, 0.97)


def sweep_arms(heads: HeadSet) -> list[Steered]:
    """Queries x strength at the head set's K, then K x mode at its strength; all in modes that have a strength."""
    if heads.mode not in BIAS_MODES:
        heads = heads.pushed(mode=MODES[0])
    ranking = listed_ranking(heads)
    every = len(heads.model.every_head)
    counts = {k for k in (*head_counts(every), every // 2, len(heads.heads)) if 1 <= k <= len(ranking.heads)}
    return [
        *(Steered(f"queries {queries}, strength {strength:g}", heads.pushed(queries=queries, strength=strength),
                  "sweep")
          for queries in SWEPT_QUERIES for strength in STRENGTHS),
        *(Steered(f"{k} heads, {mode}", ranking.top(k).pushed(mode=mode), "sweep")
          for mode in MODES for k in sorted(counts)),
    ]  # fmt: skip


def mode_arms(heads: HeadSet) -> list[Steered]:
    """The head set's heads and queries: bias by strength, share of the target, and the image's share alone."""
    return [
        *(Steered(f"boost_suppress, {strength:g} nats",
                  heads.pushed(mode="boost_suppress", strength=strength), "mode") for strength in STRENGTHS),
        *(Steered(f"target_share, {share:g}", heads.pushed(mode="target_share", share=share), "mode")
          for share in SHARES),
        Steered("within_image", heads.pushed(mode="within_image"), "mode"),
    ]  # fmt: skip
