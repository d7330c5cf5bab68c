"""Choosing how many heads, how strongly, in which mode and from which query on: by answers on strips kept apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..steering.head_set import HeadSet
from .bench import Bench, Measured

if TYPE_CHECKING:
    from ..steering.head_set import Head
    from ..steering.push import Mode, Queries

STRENGTHS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0)
FIRST = (3.0, 5.0, 8.0, 12.0, 20.0)
"""Strengths that are tried with every number of heads."""
QUERIES: tuple[Queries, ...] = ("answer", "after_image", "all")
"""The cheapest first: with ``answer`` the prompt needs no second reading when the target changes."""
MODES: tuple[Mode, ...] = ("boost_suppress", "suppress_image")
CHANGES = 6
"""Heads that are added to a set or taken out of it, one after the other, at most."""
ROUNDS = 2
"""Of changes that are usual; for the time that it takes."""
TOLERANCE = 0.01
"""Accuracy that a cheaper setting may cost."""


def head_counts(heads: int) -> tuple[int, ...]:
    """Numbers of heads to try: geometric, up to a quarter of all of them."""
    most = max(1, heads // 4)
    counts = {max(1, round(most / 1.5**step)) for step in range(math.ceil(math.log(max(most, 2), 1.5)) + 1)}
    return tuple(sorted(count for count in counts if count >= min(2, most)))[-7:]


def settings(heads: int, rankings: int, candidates: int) -> tuple[int, int]:
    """How many different settings ``choose`` measures, about: with the question, and those of them that are measured
    thoroughly. heads: of the model. candidates: heads of ``going_on``, 0 without."""
    counts = head_counts(heads)
    again = len(STRENGTHS) + len(QUERIES) + len(MODES) - 3  # one of each was measured before
    asked, thorough = len(counts) * (len(FIRST) + rankings - 1) + again, len(counts) * rankings + again
    if candidates:
        asked += ROUNDS * (candidates + counts[len(counts) // 2]) + len(STRENGTHS)
        thorough += len(STRENGTHS)
    return asked, thorough


@dataclass(frozen=True)
class Choice:
    """The head set that calibration chose, and every sweep it was chosen by."""

    heads: HeadSet
    place: str
    measured: Measured
    sweeps: dict[str, list[dict[str, Any]]]


def choose(bench: Bench, rankings: dict[str, HeadSet], *, going_on: HeadSet | None = None) -> Choice:
    """Picks the strength, by the answers with every number of heads, then the ranking and K together, the strength
    again, the queries and the mode, one after the other. Few heads want more strength than many, and heads that follow
    the question sharply look useless with too little.

    rankings: every head, best first, by the place that it was scored at. Within 0.01 of the best, the strength in the
    middle of the plateau wins, the cheapest queries, the fewest heads, and ``boost_suppress``.

    going_on: heads that look at what is being said. At last the set is changed by one head, and one more, while that
    helps, with the cheapest queries: heads that choose what an answer is about may leave its later words to these, and
    a head that also reads the words said so far does harm when it is told where to look. Then the strength again.
    """
    sweeps: dict[str, list[dict[str, Any]]] = {}

    def sweep(name: str, tried: Sequence[tuple[HeadSet, dict[str, Any]]]) -> list[tuple[HeadSet, Measured]]:
        measured = [(heads, bench.measure(heads, values)) for heads, values in tried]
        sweeps[name] = [each.as_dict() for _, each in measured]
        best = max(each.score for _, each in measured)
        return [(heads, each) for heads, each in measured if each.score >= best - TOLERANCE]

    every = next(iter(rankings.values()))
    counts = [k for k in head_counts(len(every.model.every_head)) if k <= len(every.heads)]
    counts = counts or [len(every.heads)]

    def strongest(name: str, heads: HeadSet) -> HeadSet:
        plateau = sweep(name, [(heads.pushed(strength=s), {"strength": s}) for s in STRENGTHS])
        return plateau[(len(plateau) - 1) // 2][0]

    start = every.pushed(mode="boost_suppress", queries=QUERIES[0])
    grid = [(start.top(k).pushed(strength=s), {"heads": k, "strength": s}) for k in counts for s in FIRST]
    first = [(heads, bench.measure(heads, values, thorough=False)) for heads, values in grid]
    sweeps["first strength"] = [each.as_dict() for _, each in first]
    heads, _ = max(first, key=lambda each: each[1].accuracy)
    tried = []
    for k in counts:
        for place, ranking in rankings.items():
            top = ranking.top(k)
            tried.append((replace(heads, heads=top.heads, scores=top.scores), {"place": place, "heads": k}))
    heads, measured = sweep("heads", tried)[0]
    place = str(measured.values["place"])
    heads = strongest("strength", heads)
    heads, _ = sweep("queries", [(heads.pushed(queries=q), {"queries": q}) for q in QUERIES])[0]
    heads, measured = sweep("mode", [(heads.pushed(mode=mode), {"mode": mode}) for mode in MODES])[0]
    if going_on is not None and bench.thorough:
        changed, sweeps["changed"] = _change(bench, heads.pushed(queries=QUERIES[0]), going_on, counts[-1])
        changed = strongest("last strength", changed)
        better = bench.measure(changed, {"mode": changed.mode})
        if better.score >= measured.score - TOLERANCE:
            heads, measured = changed, better
    return Choice(heads, place, measured, sweeps)


def _change(bench: Bench, heads: HeadSet, candidates: HeadSet, most: int) -> tuple[HeadSet, list[dict[str, Any]]]:
    """Adds a head or takes one out, whichever helps the answers most, while it helps: the set, all that was tried."""
    scores = dict(zip(candidates.heads, candidates.scores, strict=True))
    scores |= dict(zip(heads.heads, heads.scores, strict=True))
    best = bench.measure(heads, {"changed": []}, thorough=False)
    listed = [best]
    made: list[Head] = []
    for _ in range(CHANGES):
        found = []
        for head in scores:
            names = tuple(name for name in heads.heads if name != head)
            names = names if head in heads.heads else (*names, head)
            if head not in made and 0 < len(names) <= most:
                changed = replace(heads, heads=names, scores=tuple(scores[name] for name in names))
                values = {"changed": [list(each) for each in (*made, head)]}
                found.append((bench.measure(changed, values, thorough=False), changed, head))
        listed += [measured for measured, _, _ in found]
        better = max(found, key=lambda each: each[0].accuracy, default=None)
        if better is None or better[0].accuracy <= best.accuracy:
            break
        best, heads, head = better
        made.append(head)
    return heads, [each.as_dict() for each in listed]
