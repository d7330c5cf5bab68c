"""Scoring: from the attention that was tallied to rankings, and to a head set where nothing is chosen by answers."""

from __future__ import annotations

from ..steering.head_set import HeadSet, ModelFacts
from .calibration import head_counts
from .discovery_options import Options
from .ranking import PLACES, Place, Scores, Tally, Trust, trust

READ_AT = {"prompt": "At the final prompt token", "answer": "Over the answer's tokens"}


def rank(
    facts: ModelFacts, tally: Tally, options: Options
) -> tuple[dict[str, HeadSet], dict[str, Scores], dict[str, Trust]]:
    """Every head, best first, all scores, and how far they can be trusted, by the place they were read at."""
    scores: dict[str, Scores] = {place: Scores.of(tally.attention(place), options.floor) for place in PLACES}
    places: tuple[Place, ...] = (options.place,) if options.place else PLACES
    counts = head_counts(len(facts.every_head))
    rankings = {}
    for place in places:
        order, values = scores[place].order(options.kind, facts.attention_layers), scores[place].get(options.kind)
        rankings[str(place)] = HeadSet(facts, order, scores=tuple(round(float(values[head]), 4) for head in order))
    return rankings, scores, {place: trust(tally, place, options.kind, counts, options.floor) for place in places}


def default_heads(ranking: HeadSet, trusted: Trust | None, share: float = 0.25) -> HeadSet:
    """Heads above chance, that share of all at most, at the usual strength."""
    every = len(ranking.model.every_head)
    most = max(1, min(int(every * share), len(ranking.heads)))
    found = trusted.gaze_heads if trusted else most
    return ranking.top(max(1, min(found or most, most)))


def shared(one: HeadSet, other: HeadSet) -> str:
    """For people: how many heads of a set are among the best of another, taken as many, beside chance."""
    every, best = len(one.model.every_head), other.ranked[: len(one.heads)]
    both = len(set(one.heads) & set(best))
    chance = len(one.heads) * len(best) / every
    return f"{both} of the {len(one.heads)} heads are among its best {len(best)}; {chance:.1f} would be by chance."
