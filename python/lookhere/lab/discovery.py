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
from .attention import LOOK, SECONDS
from .bench import Bench
from .calibration import Choice, choose, head_counts, settings
from .checkpoint import Checkpoint, file_hash
from .controls import measure_controls
from .discovery_options import Options
from .evidence import evidence_of, source_of
from .material import Material, material_of
from .naming import Naming
from .ranking import PLACES, Trust
from .rankings import GOING_ON, find_rankings
from .readers import find_readers
from .scoring import default_heads
from .settling import in_words
from .slope_ranking import SECONDS as SLOPE_SECONDS
from .slope_ranking import SLOPE, check_rank
from .understanding import Understanding, understand
from .verdict import Verdict
from .work import Progress, Silent

if TYPE_CHECKING:
    from ..model import Model

__all__ = ["Discovery", "Options", "discover", "listed_ranking"]

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
    check_rank(options.rank, model.facts)
    stuff = material_of(model, options)
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
    rankings = find_rankings(model, options, stuff, understood.naming, understood.prompt, checkpoint, progress)
    usable, trusted, choice = rankings.usable, rankings.trusted, None
    if not usable:
        bench.plan(0, 0)
        progress.plan(READ, 0, READ_SECONDS)
    else:
        choice = _choose(bench, stuff, usable, rankings.going_on, progress)
    place = choice.place if choice else next(iter(usable or rankings.by))
    ranking, trust_in_it = rankings.by[place], trusted.get(place)
    heads = choice.heads if choice else default_heads(ranking, trust_in_it)
    found = _verdict(trust_in_it if not usable else None, choice, stuff, understood)
    progress.note(found.told)
    evidence = evidence_of(model, options, stuff, ranking, place, trust_in_it, choice)
    evidence |= {"worth": found.as_dict(), "wording": understood.as_dict(), "judge": understood.judge}
    tables = rankings.tables()
    if rankings.tally is not None:
        compared = rankings.tally.image.comparison()
        evidence["compared"], tables["compared"] = compared.lists(), compared.tables()
        settled = rankings.settling(place, options, sorted({*head_counts(len(facts.every_head)), len(heads.heads)}))
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
    return Discovery(heads, ranking, trust_in_it, choice, found, understood, rankings.attention)


def _plan(options: Options, stuff: Material, bench: Bench, facts: ModelFacts, progress: Progress) -> None:
    """All that is to be done, as far as is known before the heads are."""
    if options.ranking is None:
        progress.plan(LOOK, stuff.count * stuff.places, SECONDS[LOOK])
    if options.rank != "attention":
        progress.plan(SLOPE, stuff.count, SLOPE_SECONDS[options.rank])
    bench.thorough = stuff.generated
    rankings = 1 if options.place or options.ranking or options.rank != "attention" else len(PLACES)
    bench.plan(*settings(len(facts.every_head), rankings, GOING_ON if bench.thorough and not options.ranking else 0))
    progress.plan(READ, min(options.readers, options.strips) * (2 if stuff.generated else 1), READ_SECONDS)


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


def _verdict(useless: Trust | None, choice: Choice | None, stuff: Material, understood: Understanding) -> Verdict:
    """useless: the trust in rankings none of which can be used."""
    if useless is not None:
        return Verdict("none", useless.none_by, "" if understood.answers else verdict.OWN_WORDS)
    if choice is None:
        return Verdict(
            "unmeasured", "no steered answers were judged", "lookhere evaluate tells what the heads are worth."
        )
    return verdict.of_measured(choice.measured, stuff.places, understood)


def _readers(model: Model, options: Options, naming: Naming, progress: Progress) -> dict[str, Any] | None:
    """Heads for read-back, on the first of the same pictures, and on generated scenes beside generated strips; None
    where no answers are known."""
    count = min(options.readers, options.strips)
    corpora = [[item.asked(naming) for item in itertools.islice(material_of(model, options).items, count)]]
    if options.comics is None and options.coco is None and not options.scenes:
        corpora.append(list(material.scenes(count, 0, options.seed).items))
    corpora = [known for each in corpora if (known := [item for item in each if item.answers])]
    if not corpora:
        return None
    progress.now("looking for readers")
    progress.plan(READ, sum(map(len, corpora)), READ_SECONDS)
    found = find_readers(model, corpora, lambda: progress.step(READ))
    return {"heads": found.heads, "evidence": found.as_evidence()}


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
