"""Discovery: the gaze heads of a model, ranked, checked against chance, and a head set chosen among them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from .. import checks
from ..errors import ComicsError, HeadSetError, LabelsError, OptionError
from ..steering.head_set import HeadSet, ModelFacts
from . import material
from .attention import LOOK, SECONDS, tally_attention
from .bench import Bench
from .calibration import Choice, choose, head_counts, settings
from .checkpoint import Checkpoint, file_hash
from .comparison import KEPT
from .material import Material
from .ranking import FLOOR, PLACES, Kind, Place, Scores, Tally, Trust, read_ranking, trust
from .readers import find_readers
from .settling import in_words, settling
from .work import Progress, Silent

if TYPE_CHECKING:
    from ..model import Model

ENOUGH = 0.5
"""Share of unsteered questions answered word for word, from which on exact match is a fair judge of steered ones."""

GOING_ON = 12
"""Heads over the answer's tokens that are tried beside those that were chosen."""
READ, READ_SECONDS = "read", 0.48
"""A step: a picture on which readers are looked for; seconds of one by the built-in model."""
_READ_AT = {"prompt": "At the final prompt token", "answer": "Over the answer's tokens"}


@dataclass(frozen=True)
class Options:
    """What a discovery depends on, apart from the model.

    Generated strips, or one of: comics, a folder in the authors' layout; scenes, generated ones with objects; coco,
    labelled boxes in COCO's format, and images, the folder of their images (None: beside the file). strips,
    calibration: how many of these to find heads on, how many others to choose K, strength, mode and queries on (0: not
    chosen). place: which ranking to use, None for the better one. ranking: a published one to start from, so that only
    the choice is made. prompt: the question that the head set is for. panel_size: pixels of a generated panel, None for
    one that suits the model. readers: how many of the strips or images the heads for read-back are found on, and as
    many generated scenes beside generated strips (0: none are looked for). OptionError.
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
    scenes: bool = False
    coco: Path | None = None
    images: Path | None = None
    readers: int = 12

    def __post_init__(self) -> None:
        paths = {"comics": ComicsError, "coco": LabelsError, "images": LabelsError, "ranking": HeadSetError}
        for name, kind in paths.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.path(name, getattr(self, name), error=kind))
        object.__setattr__(self, "scenes", checks.flag("scenes", self.scenes))
        given = [name for name in ("comics", "scenes", "coco") if getattr(self, name)]
        if len(given) > 1:
            raise OptionError(f"{' and '.join(given)} are given; expected one of them, or none for generated strips.")
        if self.images is not None and self.coco is None:
            raise OptionError(f"images={str(self.images)!r} is given without coco, the labels of the images.")
        for name, least, most in (
            ("strips", 2, 100_000), ("calibration", 0, 10_000), ("seed", 0, 999), ("panel_size", 16, 1024),
            ("readers", 0, 10_000),
        ):  # fmt: skip
            if name != "panel_size" or self.panel_size is not None:
                object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))
        object.__setattr__(self, "floor", checks.number("floor", self.floor, 0, 1, hint="a share of attention"))
        if self.floor == 1:
            raise OptionError("floor=1; expected a share of attention from 0 to less than 1.")
        checks.one_of("kind", self.kind, get_args(Kind))
        if self.place is not None:
            checks.one_of("place", self.place, PLACES)
        if self.prompt is not None:
            checks.text("prompt", self.prompt)


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
    stuff = _material(model, options)
    key = {
        "what": "discovery 4",
        "model": file_hash(model.path),
        "projector": file_hash(model.projector_path),
        "labels": file_hash(options.coco) if options.coco else None,
        "pictures": stuff.content,
        "options": {k: str(v) for k, v in vars(options).items()},
    }
    checkpoint = Checkpoint(kept, key)
    facts = model.facts
    prompt = options.prompt or stuff.prompt
    scenes = [] if stuff.labelled else material.free_scenes(options.calibration, options.seed)
    bench = Bench(model, stuff.pictures, prompt, scenes=scenes, checkpoint=checkpoint)
    bench.progress = progress
    _plan(options, stuff, bench, facts, progress)
    scores: dict[str, Scores] = {}
    trusted: dict[str, Trust] = {}
    tally = None
    if options.ranking is None:
        progress.now("looking for heads")
        tally = tally_attention(
            model, stuff.items, stuff.places, seed=options.seed, checkpoint=checkpoint, progress=progress
        )
        rankings, scores, trusted = _rank(facts, tally, options)
        for place, each in trusted.items():
            progress.note(f"{_READ_AT[place]}: {each.verdict}.")
    else:
        published = read_ranking(options.ranking, facts)
        published.check(model.facts)
        rankings = {"published": replace(published, model=facts)}
    choice = None
    usable = {place: ranking for place, ranking in rankings.items() if not trusted or trusted[place].gaze_heads}
    if not usable:
        bench.plan(0, 0)
        progress.plan(READ, 0, READ_SECONDS)
    else:
        choice = _choose(bench, stuff, usable, _going_on(facts, scores, trusted), progress)
    place = choice.place if choice else next(iter(usable or rankings))
    ranking, trust_in_it = rankings[place], trusted.get(place)
    heads = choice.heads if choice else _default(ranking, trust_in_it)
    evidence = _evidence(model, options, stuff, ranking, place, trust_in_it, choice)
    tables: dict[str, Any] = _all_scores(scores)
    if tally is not None:
        compared = tally.image.comparison()
        evidence["compared"], tables["compared"] = compared.lists(), compared.tables()
        sizes = sorted({*head_counts(len(facts.every_head)), len(heads.heads)})
        settled = settling(tally, _place(place), options.kind, sizes, options.floor)
        evidence["settling"] = tables["settling"] = [each.as_dict() for each in settled]
        progress.note(in_words(settled, len(heads.heads)))
    if usable and options.readers and "readers" not in checkpoint.done:
        checkpoint.put("readers", _readers(model, options, progress))
    if readers := checkpoint.done.get("readers"):
        heads = replace(heads, readers=tuple((layer, head) for layer, head in readers["heads"]))
        evidence["readers"] = readers["evidence"]
    heads = replace(heads, prompt=prompt, source=_source(options, stuff), evidence=evidence)
    checkpoint.remove()
    return Discovery(heads, replace(ranking, evidence=tables, source=_source(options, stuff)), trust_in_it, choice)


def _plan(options: Options, stuff: Material, bench: Bench, facts: ModelFacts, progress: Progress) -> None:
    """All that is to be done, as far as is known before the heads are."""
    if options.ranking is None:
        progress.plan(LOOK, stuff.count * stuff.places, SECONDS[LOOK])
    bench.thorough = stuff.generated
    rankings = 1 if options.place or options.ranking else len(PLACES)
    bench.plan(*settings(len(facts.every_head), rankings, GOING_ON if bench.thorough and not options.ranking else 0))
    progress.plan(READ, min(options.readers, options.strips) * (2 if stuff.generated else 1), READ_SECONDS)


def _material(model: Model, options: Options) -> Material:
    """What the options name. ComicsError, LabelsError."""
    count, others, seed = options.strips, options.calibration, options.seed
    if options.comics is not None:
        return material.comics(options.comics, count, others)
    if options.coco is not None:
        return material.coco(options.coco, options.images or options.coco.parent, count, others)
    if options.scenes:
        return material.scenes(count, others, seed)
    return material.strips(model, count, others, seed, options.panel_size)


def _readers(model: Model, options: Options, progress: Progress) -> dict[str, Any] | None:
    """Heads for read-back, on the first of the same pictures, and on generated scenes beside generated strips; None
    where no answers are known."""
    count = min(options.readers, options.strips)
    corpora = [list(itertools.islice(_material(model, options).items, count))]
    if options.comics is None and options.coco is None and not options.scenes:
        corpora.append(list(material.scenes(count, 0, options.seed).items))
    corpora = [known for each in corpora if (known := [item for item in each if item.answers])]
    if not corpora:
        return None
    progress.now("looking for readers")
    progress.plan(READ, sum(map(len, corpora)), READ_SECONDS)
    found = find_readers(model, corpora, lambda: progress.step(READ))
    return {"heads": found.heads, "evidence": found.as_evidence()}


def _place(name: str) -> Place:
    return next(place for place in PLACES if place == name)


def _rank(
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


def _going_on(facts: ModelFacts, scores: dict[str, Scores], trusted: dict[str, Trust]) -> HeadSet | None:
    """The gaze heads over the answer's tokens that have the most mass there."""
    if "answer" not in trusted:
        return None
    look, values = scores["answer"], scores["answer"].guarded
    gaze = set(look.order("guarded")[: trusted["answer"].gaze_heads])
    heads = tuple(head for head in look.order("mass") if head in gaze)[:GOING_ON]
    return HeadSet(facts, heads, scores=tuple(round(float(values[head]), 4) for head in heads)) if heads else None


def _choose(
    bench: Bench, stuff: Material, rankings: dict[str, HeadSet], going_on: HeadSet | None, progress: Progress
) -> Choice | None:
    """None where there are no captions to judge answers by."""
    if not bench.pictures:
        progress.note("K, strength, mode and queries are not chosen by answers: no calibration pictures with captions.")
        return None
    if stuff.labelled:
        bench.judge, bench.thorough = "category", False
    elif not stuff.generated or bench.unsteered("exact").accuracy < ENOUGH:
        bench.judge, bench.thorough = "overlap", False
        progress.note("Answers are judged by the rare words that they share with captions, not word for word.")
    every = len(next(iter(rankings.values())).model.every_head)
    bench.plan(*settings(every, len(rankings), len(going_on.heads) if going_on and bench.thorough else 0))
    choice = choose(bench, rankings, going_on=going_on)
    bench.finish()
    bench.plan(0, 0)  # no more than was done
    return choice


def _default(ranking: HeadSet, trusted: Trust | None) -> HeadSet:
    """Heads above chance, a quarter of all at most, at the usual strength."""
    every = len(ranking.model.every_head)
    most = max(1, min(every // 4, len(ranking.heads)))
    found = trusted.gaze_heads if trusted else most
    return ranking.top(max(1, min(found or most, most)))


def _source(options: Options, stuff: Material) -> str:
    if options.ranking is not None:
        return f"lookhere discover, from the ranking {options.ranking.name}"
    return f"lookhere discover, {stuff.count} {stuff.words}, seed {options.seed}"


def _evidence(
    model: Model,
    options: Options,
    stuff: Material,
    ranking: HeadSet,
    place: str,
    trusted: Trust | None,
    choice: Choice | None,
) -> dict[str, Any]:
    native = model.native
    evidence: dict[str, Any] = {
        "model": {
            "sha256": file_hash(model.path), "parameters": native.parameters, "bytes": native.size_bytes,
            "key_value_heads": native.heads_kv, "projector": model.projector.kind,
        },
        "corpus": stuff.words, "strips": stuff.count, "calibration_strips": len(stuff.pictures), "panels": stuff.places,
        "seed": options.seed,
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
