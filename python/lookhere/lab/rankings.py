"""Rankings: every head of a model, best first, by what a discovery ranks heads by, and what speaks for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..steering.head_set import HeadSet, ModelFacts
from .attention import tally_attention
from .calibration import head_counts
from .checkpoint import Checkpoint
from .discovery_options import Options
from .evidence import all_scores
from .forced import of_item
from .material import Material, material_of
from .naming import Naming
from .ranking import PLACES, Place, Scores, Tally, Trust, read_ranking
from .scoring import READ_AT, rank
from .settling import Settled, settling
from .slope_ranking import tally_slopes
from .slopes import Slopes
from .work import Progress

if TYPE_CHECKING:
    from ..model import Model
    from .forced import Forced
    from .item import Item

GOING_ON = 12
"""Heads over the answer's tokens that are tried beside those that were chosen."""


@dataclass(frozen=True)
class Rankings:
    """by: rankings, by the place that attention was read at, or by what else they were made by. trusted: of each how
    far it can be trusted; none where the ranking was given. scores: of attention. tally: what they were made of, None
    where the ranking was given. slopes: None where heads are ranked by attention. going_on: the gaze heads over the
    answer's tokens that have the most mass there, None where there are none."""

    by: dict[str, HeadSet]
    trusted: dict[str, Trust]
    scores: dict[str, Scores]
    tally: Tally | None = None
    slopes: Slopes | None = None
    going_on: HeadSet | None = None

    @property
    def usable(self) -> dict[str, HeadSet]:
        """Those that are better than chance, or were given."""
        return {name: each for name, each in self.by.items() if not self.trusted or self.trusted[name].gaze_heads}

    @property
    def attention(self) -> dict[str, NDArray[np.float64]]:
        """By place, A of (layers, heads, asked about, attended to)."""
        return {} if self.tally is None else {str(place): self.tally.attention(place) for place in PLACES}

    def tables(self) -> dict[str, Any]:
        """(layers, heads) tables of all that heads were scored by, for the evidence of a ranking."""
        found = all_scores(self.scores)
        if self.slopes is not None:
            found["slope"] = np.round(self.slopes.mean(), 5).tolist()
        return found

    def settling(self, name: str, options: Options, sizes: Sequence[int]) -> list[Settled]:
        """How soon one of them stands still."""
        if self.slopes is not None:
            return self.slopes.settling(sizes)
        assert self.tally is not None, "asked only of what was not given"
        place = next(place for place in PLACES if place == name)
        return settling(self.tally, place, options.kind, sizes, options.floor)


def find_rankings(
    model: Model,
    options: Options,
    stuff: Material,
    naming: Naming,
    prompt: str,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Rankings:
    """Reads attention, and computes slopes where heads are ranked by these; or takes the ranking that was given, and
    nothing else. prompt: the question that names no place. OptionError where captions are needed and not known;
    LookhereError of the model."""
    facts = model.facts
    if options.ranking is not None:
        published = read_ranking(options.ranking, facts)
        published.check(facts)
        return Rankings({"published": replace(published, model=facts)}, {}, {})
    slopes = None
    if options.rank != "attention":
        slopes = _slopes(model, options, prompt, checkpoint, progress)
    progress.now("looking for heads")
    items = (item.asked(naming) for item in stuff.items)
    tally = tally_attention(model, items, stuff.places, seed=options.seed, checkpoint=checkpoint, progress=progress)
    by, scores, trusted = rank(facts, tally, options)
    going_on = _going_on(facts, scores, trusted)
    for place, each in trusted.items():
        progress.note(f"{READ_AT[place]}: {each.verdict}.")
    if slopes is not None:
        trust = slopes.trust(head_counts(len(facts.every_head)))
        progress.note(f"By {options.rank}: {trust.verdict}.")
        by, trusted = {options.rank: slopes.ranking()}, {options.rank: trust}
    return Rankings(by, trusted, scores, tally, slopes, going_on)


def _slopes(model: Model, options: Options, prompt: str, checkpoint: Checkpoint, progress: Progress) -> Slopes:
    def read(item: Item) -> Forced:
        if not item.answers:
            raise OptionError(
                f"rank={options.rank!r}, but the captions of a picture are not known; expected captions.txt in every "
                "comic, or rank='attention' (--rank attention)."
            )
        return of_item(model, item, prompt)

    stuff = material_of(model, options)  # its items can be gone through once
    return tally_slopes(
        model, options.rank, stuff.items, read, stuff.count, stuff.places, seed=options.seed,
        checkpoint=checkpoint, progress=progress,
    )  # fmt: skip


def _going_on(facts: ModelFacts, scores: dict[str, Scores], trusted: dict[str, Trust]) -> HeadSet | None:
    place: Place = "answer"
    if place not in trusted:
        return None
    look, values = scores[place], scores[place].guarded
    gaze = set(look.order("guarded")[: trusted[place].gaze_heads])
    heads = tuple(head for head in look.order("mass") if head in gaze)[:GOING_ON]
    return HeadSet(facts, heads, scores=tuple(round(float(values[head]), 4) for head in heads)) if heads else None
