"""Discovery: the gaze heads of a model, ranked, checked against chance, and a head set chosen among them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .. import questions
from ..errors import HeadSetError, OptionError
from ..heads import HeadSet, ModelFacts
from . import corpus
from .attention import tally_attention
from .calibration import MODES, QUERIES, STRENGTHS, Bench, Choice, choose, head_counts
from .checkpoint import Checkpoint, file_hash
from .ranking import FLOOR, PLACES, Kind, Place, Scores, Tally, Trust, read_ranking, trust

if TYPE_CHECKING:
    from ..comics import Strip
    from ..model import Model

ENOUGH = 0.5
"""Share of unsteered questions answered word for word, from which on exact match is a fair judge of steered ones."""

_READ_AT = {"prompt": "At the final prompt token", "answer": "Over the answer's tokens"}

KEPT = 512
"""Heads of the ranking that a head set's evidence lists."""


class Progress(Protocol):
    """What is told about the work; the command line draws a bar of it."""

    def stage(self, name: str, total: int) -> None:
        """A part of the work begins: so many strips or settings."""

    def done(self, count: int, what: str = "") -> None:
        """So many are done; ``what`` comes now."""

    def note(self, text: str) -> None:
        """Something to know."""


class Silent:
    """No progress."""

    def stage(self, name: str, total: int) -> None:
        """Nothing."""

    def done(self, count: int, what: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Options:
    """What a discovery depends on, apart from the model.

    comics: a folder in the authors' layout, None for generated strips. strips, calibration: how many to find heads on,
    how many others to choose K, strength, mode and queries on (0: not chosen). place: which ranking to use, None for
    the better one. ranking: a published one to start from, so that only the choice is made. prompt: the question that
    the head set is for. panel_size: pixels of a generated panel, None for one that suits the model. OptionError.
    """

    comics: Path | None = None
    strips: int = 24
    calibration: int = 12
    seed: int = 0
    kind: Kind = "guarded"
    place: Place | None = None
    floor: float = FLOOR
    ranking: Path | None = None
    prompt: str | None = None
    panel_size: int | None = None

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("strips", self.strips, 2, 100_000), ("calibration", self.calibration, 0, 10_000),
            ("seed", self.seed, 0, 999), ("panel_size", self.panel_size or 64, 16, 1024),
        ):  # fmt: skip
            if not least <= value <= most:
                raise OptionError(f"{name}={value!r}; expected a whole number from {least} to {most}.")
        if not 0 <= self.floor < 1:
            raise OptionError(f"floor={self.floor!r}; expected a share of attention from 0 to less than 1.")


@dataclass(frozen=True)
class Discovery:
    """What was found. heads: the head set to steer with. ranking: every head, best first. trust: None where the ranking
    was given. choice: None where nothing was chosen by answers."""

    heads: HeadSet
    ranking: HeadSet
    trust: Trust | None
    choice: Choice | None

    @property
    def none(self) -> bool:
        """True if the model has no gaze heads that the strips can tell from chance."""
        return self.trust is not None and self.trust.gaze_heads == 0


def discover(
    model: Model, options: Options | None = None, *, kept: Path | None = None, progress: Progress | None = None
) -> Discovery:
    """Finds the gaze heads of a model and what suits them. kept: a file for the progress, so that a second call goes on
    where the first was killed; it is removed at the end.

    The same options give the same result. ComicsError, HeadSetError, OptionError and those of asking the model.
    """
    options, progress = options or Options(), progress or Silent()
    key = {
        "what": "discovery",
        "model": file_hash(model.path),
        "options": {k: str(v) for k, v in vars(options).items()},
    }
    checkpoint = Checkpoint(kept, key)
    facts = ModelFacts(model.name, model.architecture, model.layers, model.heads_per_layer)
    finding, choosing, panels = _strips(model, options)
    free = [corpus.generated_scene("calibration", options.seed, index) for index in range(options.calibration)]
    scores: dict[str, Scores] = {}
    trusted: dict[str, Trust] = {}
    if options.ranking is None:
        progress.stage("looking for heads", options.strips if options.comics is None else _length(finding))
        tally = tally_attention(
            model, finding, panels, seed=options.seed, checkpoint=checkpoint, progress=progress.done
        )
        rankings, scores, trusted = _rank(facts, tally, options)
        for place, each in trusted.items():
            progress.note(f"{_READ_AT[place]}: {each.verdict}.")
    else:
        published = read_ranking(options.ranking, facts)
        published.check(model)
        rankings = {"published": replace(published, model=facts)}
    prompt = options.prompt or questions.AMBIGUOUS
    choice = None
    usable = {place: ranking for place, ranking in rankings.items() if not trusted or trusted[place].gaze_heads}
    if usable:
        bench = Bench(model, choosing, prompt, scenes=free, checkpoint=checkpoint)
        choice = _choose(bench, usable, progress)
    place = choice.place if choice else next(iter(usable or rankings))
    ranking, trust_in_it = rankings[place], trusted.get(place)
    heads = choice.heads if choice else _default(ranking, trust_in_it)
    evidence = _evidence(model, options, ranking, place, trust_in_it, choice, panels)
    heads = replace(heads, prompt=prompt, source=_source(options), evidence=evidence)
    checkpoint.remove()
    return Discovery(
        heads, replace(ranking, evidence=_all_scores(scores), source=_source(options)), trust_in_it, choice
    )


def _strips(model: Model, options: Options) -> tuple[Iterator[Strip] | list[Strip], list[Strip], int]:
    """Strips to find heads on, strips to choose on, and panels per strip."""
    if options.comics is not None:
        finding, choosing = corpus.split_folder(options.comics, options.strips, options.calibration)
        return finding, [strip for strip in choosing if strip.captions], len(finding[0].boxes)
    size = options.panel_size or corpus.panel_size_for(model)
    generated = corpus.generated_strips("discovery", options.seed, options.strips, panel_size=size)
    others = corpus.generated_strips("calibration", options.seed, options.calibration, panel_size=size)
    return generated, list(others), 6


def _length(strips: object) -> int:
    return len(strips) if isinstance(strips, list) else 0


def _rank(
    facts: ModelFacts, tally: Tally, options: Options
) -> tuple[dict[str, HeadSet], dict[str, Scores], dict[str, Trust]]:
    """Every head, best first, all scores, and how far they can be trusted, by the place they were read at."""
    scores: dict[str, Scores] = {place: Scores.of(tally.attention(place), options.floor) for place in PLACES}
    places: tuple[Place, ...] = (options.place,) if options.place else PLACES
    counts = head_counts(facts.layers * facts.heads)
    rankings = {}
    for place in places:
        order, values = scores[place].order(options.kind), scores[place].get(options.kind)
        rankings[str(place)] = HeadSet(facts, order, scores=tuple(round(float(values[head]), 4) for head in order))
    return rankings, scores, {place: trust(tally, place, options.kind, counts, options.floor) for place in places}


def _choose(bench: Bench, rankings: dict[str, HeadSet], progress: Progress) -> Choice | None:
    """None where there are no captions to judge answers by."""
    if not bench.strips:
        progress.note("K, strength, mode and queries are not chosen by answers: no calibration strips with captions.")
        return None
    facts = next(iter(rankings.values())).model
    progress.stage(
        "choosing heads, strength, mode and queries",
        1 + len(head_counts(facts.layers * facts.heads)) * len(rankings) + len(STRENGTHS) + len(MODES) + len(QUERIES),
    )
    finished = itertools.count()
    bench.report = lambda what: progress.done(next(finished), what)
    if not bench.generated or bench.unsteered("exact").accuracy < ENOUGH:
        bench.judge, bench.thorough = "overlap", False
        progress.note("Answers are judged by the rare words that they share with captions, not word for word.")
    choice = choose(bench, rankings)
    bench.finish()
    return choice


def _default(ranking: HeadSet, trusted: Trust | None) -> HeadSet:
    """Heads above chance, a quarter of all at most, at the usual strength."""
    every = ranking.model.layers * ranking.model.heads
    most = max(1, min(every // 4, len(ranking.heads)))
    found = trusted.gaze_heads if trusted else most
    return ranking.top(max(1, min(found or most, most)))


def _source(options: Options) -> str:
    if options.ranking is not None:
        return f"lookhere discover, from the ranking {options.ranking.name}"
    where = "generated strips" if options.comics is None else f"comics in {options.comics.name}"
    return f"lookhere discover, {options.strips} {where}, seed {options.seed}"


def _evidence(
    model: Model,
    options: Options,
    ranking: HeadSet,
    place: str,
    trusted: Trust | None,
    choice: Choice | None,
    panels: int,
) -> dict[str, Any]:
    native = model.native
    evidence: dict[str, Any] = {
        "model": {
            "sha256": file_hash(model.path), "parameters": native.parameters, "bytes": native.size_bytes,
            "key_value_heads": native.heads_kv, "projector": model.projector.kind,
        },
        "strips": options.strips, "calibration_strips": options.calibration, "panels": panels, "seed": options.seed,
    }  # fmt: skip
    if trusted is not None:
        evidence |= {
            "score": options.kind, "read_at": place, "floor": options.floor, "chance": round(trusted.chance, 4),
            "verdict": trusted.verdict, "gaze_heads": trusted.gaze_heads,
            "shuffled_best": [round(value, 4) for value in trusted.baseline],
            "split_half_overlap": {str(k): round(value, 4) for k, value in trusted.overlap.items()},
        }  # fmt: skip
    if choice is not None:
        evidence |= {"chosen_by": choice.measured.as_dict(), "sweeps": choice.sweeps}
    evidence["ranking"] = [list(head) for head in ranking.heads[:KEPT]]
    return evidence


def _all_scores(scores: dict[str, Scores]) -> dict[str, Any]:
    """(layers, heads) tables of every score at both places."""
    return {
        place: {name: np.round(table, 5).tolist() for name, table in vars(each).items()}
        for place, each in scores.items()
    }


def listed_ranking(heads: HeadSet) -> HeadSet:
    """The ranking that a head set's evidence lists, at the head set's strength, mode and queries; itself if none."""
    listed = heads.evidence.get("ranking")
    if not isinstance(listed, list):
        return heads
    try:
        return replace(heads, heads=tuple((int(layer), int(head)) for layer, head in listed), scores=())
    except (TypeError, ValueError) as error:
        raise HeadSetError(f"The ranking in the evidence of {heads.model.name!r} is not a list of heads.") from error
