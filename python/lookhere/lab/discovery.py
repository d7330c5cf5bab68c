"""Discovery: the gaze heads of a model, ranked, checked against chance, and a head set chosen among them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HeadSetError
from ..steering.head_set import HeadSet, ModelFacts
from . import material, verdict
from .attention import LOOK, SECONDS, tally_attention
from .bench import Bench
from .calibration import Choice, choose, head_counts, settings
from .checkpoint import Checkpoint, file_hash
from .controls import measure_controls
from .discovery_options import Options
from .evidence import all_scores, evidence_of, source_of
from .material import Material
from .naming import Naming
from .ranking import PLACES, Place, Scores, Tally, Trust, read_ranking
from .readers import find_readers
from .scoring import READ_AT, default_heads, rank
from .settling import in_words, settling
from .understanding import Understanding, understand
from .verdict import Verdict
from .work import Progress, Silent

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["Discovery", "Options", "discover", "listed_ranking"]

GOING_ON = 12
"""Heads over the answer's tokens that are tried beside those that were chosen."""
READ, READ_SECONDS = "read", 0.48
"""A step: a picture on which readers are looked for; seconds of one by the built-in model."""


@dataclass(frozen=True)
class Discovery:
    """What was found. heads: the head set to steer with. ranking: every head, best first. trust: None where the ranking
    was given. choice: None where nothing was chosen by answers. verdict: what the heads are worth. understood: what
    the model answers unsteered. attention: by place, A of (layers, heads, asked about, attended to), see ``ranking``;
    empty where the ranking was given."""

    heads: HeadSet
    ranking: HeadSet
    trust: Trust | None
    choice: Choice | None
    verdict: Verdict
    understood: Understanding
    attention: Mapping[str, NDArray[np.float64]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def none(self) -> bool:
        """True if the model has no gaze heads that the strips can tell from chance."""
        return self.trust is not None and self.trust.gaze_heads == 0


def discover(
    model: Model, options: Options | None = None, *, kept: Path | None = None, progress: Progress | None = None
) -> Discovery:
    """Finds the gaze heads of a model and what suits them. kept: a file for the progress, so that a second call goes on
    where the first was killed; it is removed at the end.

    First the model is asked unsteered, see ``understand``. The same options give the same result. UnknownPicturesError
    where what it says then has nothing to do with the pictures; ComicsError, HeadSetError, OptionError and those of
    asking the model.
    """
    options, progress = options or Options(), progress or Silent()
    stuff = _material(model, options)
    key = {
        "what": "discovery 5",
        "model": file_hash(model.path),
        "projector": file_hash(model.projector_path),
        "labels": file_hash(options.coco) if options.coco else None,
        "pictures": stuff.content,
        "options": {k: str(v) for k, v in vars(options).items()},
    }
    checkpoint = Checkpoint(kept, key)
    facts = model.facts
    scenes = [] if stuff.labelled else material.free_scenes(options.calibration, options.seed)
    bench = Bench(model, stuff.pictures, scenes=scenes, checkpoint=checkpoint)
    bench.progress = progress
    _plan(options, stuff, bench, facts, progress)
    understood = understand(bench, options, stuff)
    bench.prompt, bench.judge = understood.prompt, understood.judge
    rankings, scores, trusted, tally = _look(model, options, stuff, understood.naming, checkpoint, progress)
    choice = None
    usable = {place: ranking for place, ranking in rankings.items() if not trusted or trusted[place].gaze_heads}
    if not usable:
        bench.plan(0, 0)
        progress.plan(READ, 0, READ_SECONDS)
    else:
        choice = _choose(bench, stuff, usable, _going_on(facts, scores, trusted), progress)
    place = choice.place if choice else next(iter(usable or rankings))
    ranking, trust_in_it = rankings[place], trusted.get(place)
    heads = choice.heads if choice else default_heads(ranking, trust_in_it)
    found = _verdict(usable, choice, stuff, understood)
    progress.note(found.told)
    evidence = evidence_of(model, options, stuff, ranking, place, trust_in_it, choice)
    evidence |= {"worth": found.as_dict(), "wording": understood.as_dict(), "judge": understood.judge}
    tables: dict[str, Any] = all_scores(scores)
    if tally is not None:
        compared = tally.image.comparison()
        evidence["compared"], tables["compared"] = compared.lists(), compared.tables()
        sizes = sorted({*head_counts(len(facts.every_head)), len(heads.heads)})
        settled = settling(tally, _place(place), options.kind, sizes, options.floor)
        evidence["settling"] = tables["settling"] = [each.as_dict() for each in settled]
        progress.note(in_words(settled, len(heads.heads)))
    if choice and options.controls:
        evidence["controls"] = _controls(model, options, stuff, replace(heads, evidence=evidence), bench, checkpoint)
    if usable and options.readers and "readers" not in checkpoint.done:
        checkpoint.put("readers", _readers(model, options, understood.naming, progress))
    if readers := checkpoint.done.get("readers"):
        heads = replace(heads, readers=tuple((layer, head) for layer, head in readers["heads"]))
        evidence["readers"] = readers["evidence"]
    source = source_of(options, stuff)
    heads = replace(heads, prompt=understood.prompt, source=source, evidence=evidence)
    ranking = replace(ranking, evidence=tables, source=source)
    checkpoint.remove()
    attention = {} if tally is None else {str(place): tally.attention(place) for place in PLACES}
    return Discovery(heads, ranking, trust_in_it, choice, found, understood, attention)


def _look(
    model: Model, options: Options, stuff: Material, naming: Naming, checkpoint: Checkpoint, progress: Progress
) -> tuple[dict[str, HeadSet], dict[str, Scores], dict[str, Trust], Tally | None]:
    """Rankings by the place they were read at, their scores and trust, and what they were made of; or the ranking that
    was given, and nothing else."""
    facts = model.facts
    if options.ranking is not None:
        published = read_ranking(options.ranking, facts)
        published.check(facts)
        return {"published": replace(published, model=facts)}, {}, {}, None
    progress.now("looking for heads")
    items = (item.asked(naming) for item in stuff.items)
    tally = tally_attention(model, items, stuff.places, seed=options.seed, checkpoint=checkpoint, progress=progress)
    rankings, scores, trusted = rank(facts, tally, options)
    for place, each in trusted.items():
        progress.note(f"{READ_AT[place]}: {each.verdict}.")
    return rankings, scores, trusted, tally


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


def _controls(
    model: Model, options: Options, stuff: Material, heads: HeadSet, bench: Bench, checkpoint: Checkpoint
) -> dict[str, Any]:
    """The chosen heads beside others, on fresh pictures where there are some."""
    if "controls" not in checkpoint.done:
        beside = bench
        pictures = f"{bench.pictures} pictures that they were chosen by"
        if stuff.fresh:
            beside = Bench(model, stuff.fresh, prompt=bench.prompt)
            beside.progress, beside.judge = bench.progress, bench.judge
            pictures = f"{beside.pictures} fresh {stuff.words}"
        bench.plan(0, 0)
        checkpoint.put("controls", measure_controls(beside, heads, options.controls, options.seed, pictures))
    found: dict[str, Any] = checkpoint.done["controls"]
    return found


def _verdict(
    usable: Mapping[str, HeadSet], choice: Choice | None, stuff: Material, understood: Understanding
) -> Verdict:
    if not usable:
        why = "no head looks more at the place that is asked about than chance makes heads look"
        return Verdict("none", why, "" if understood.answers else verdict.OWN_WORDS)
    if choice is None:
        return Verdict(
            "unmeasured", "no steered answers were judged", "lookhere evaluate tells what the heads are worth."
        )
    return verdict.of_measured(choice.measured, stuff.places, understood)


def _readers(model: Model, options: Options, naming: Naming, progress: Progress) -> dict[str, Any] | None:
    """Heads for read-back, on the first of the same pictures, and on generated scenes beside generated strips; None
    where no answers are known."""
    count = min(options.readers, options.strips)
    corpora = [[item.asked(naming) for item in itertools.islice(_material(model, options).items, count)]]
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
    bench.thorough = stuff.generated and bench.judge == "exact"
    if bench.judge == "overlap":
        progress.note("Answers are judged by the rare words that they share with captions, not word for word.")
    if bench.thorough:
        bench.leave_out_unknown()
    every = len(next(iter(rankings.values())).model.every_head)
    bench.plan(*settings(every, len(rankings), len(going_on.heads) if going_on and bench.thorough else 0))
    choice = choose(bench, rankings, going_on=going_on)
    bench.finish()
    bench.plan(0, 0)  # no more than was done
    return choice


def listed_ranking(heads: HeadSet) -> HeadSet:
    """The ranking that a head set's evidence lists, at the head set's strength, mode and queries; itself if none."""
    listed = heads.evidence.get("ranking")
    if not isinstance(listed, list):
        return heads
    try:
        return replace(heads, heads=tuple((int(layer), int(head)) for layer, head in listed), scores=())
    except (TypeError, ValueError) as error:
        raise HeadSetError(f"The ranking in the evidence of {heads.model.name!r} is not a list of heads.") from error
