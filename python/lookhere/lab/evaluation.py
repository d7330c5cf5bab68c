"""The figures of a model: generated strips and scenes that it has never seen, every panel, greedy."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UnknownImageWarning
from ..steering.head_set import HeadSet, to_dict
from .arms import UNSTEERED
from .attention import COMPARE, LOOK, SECONDS, compare_heads, tally_attention
from .checkpoint import Checkpoint, file_hash
from .choice import Choice
from .coco import Labelled, read_coco
from .comparison import RIVALS, Rival, listed_rival
from .corpus import captioned_strips, content, generated_strips, panel_size_for
from .discovery import listed_ranking
from .examples import EXAMPLE, EXAMPLE_SECONDS, example
from .experiments import Beside
from .familiarity import Familiarity, familiarity
from .figures import Figure
from .item import of_strip as item_of
from .job import plan
from .jobs import jobs, scene_picture, strip_picture
from .judging import Exact, Judge, Overlap
from .naming import Naming
from .options import Options
from .picture import Picture
from .ranking import PLACES, Place, Scores
from .work import Progress, Silent

if TYPE_CHECKING:
    from ..comics import Strip
    from ..model import Model

__all__ = ["FORMAT", "Evaluation", "Maps", "Options", "default_judges", "evaluate"]

FORMAT = "lookhere-evaluation"

RIVAL_STRIPS = 4
"""Strips that image heads and localization heads are read on where a head set's evidence lists none."""

_PANELS = 6
"""Of a generated strip."""


@dataclass(frozen=True)
class Maps:
    """Attention of all heads to questions that name a panel.

    place: where it was read, at the final prompt token or over the answer's tokens (the caption, forced); where the
    head set was ranked, else the former. mass, selectivity: (layers, heads) scores, see ``ranking.Scores``. matrix:
    (panel asked about, panel attended to) mean mass of the head set, None without one.
    """

    strips: int
    place: Place
    mass: list[list[float]]
    selectivity: list[list[float]]
    matrix: list[list[float]] | None


@dataclass(frozen=True)
class Evaluation:
    """All that was measured. judges: names, the first one's picks count. examples: see ``examples.example``. familiar:
    by corpus, whether the unsteered answers are about its pictures at all, where that can be told."""

    figures: tuple[Figure, ...]
    model: dict[str, Any]
    heads: HeadSet | None
    options: Options
    judges: tuple[str, ...]
    maps: Maps | None
    examples: tuple[dict[str, Any], ...]
    seconds: float = field(compare=False)
    familiar: Mapping[str, Familiarity] = field(default_factory=dict)

    def find(self, protocol: str, arm: str, corpus: str = "fresh") -> Figure | None:
        """One figure, None if it was not measured."""
        found = (each for each in self.some(protocol=protocol, corpus=corpus) if each.arm == arm)
        return next(found, None)

    def some(self, *, protocol: str | None = None, group: str | None = None, corpus: str = "fresh") -> list[Figure]:
        """Figures in order."""
        return [
            each for each in self.figures
            if each.corpus == corpus and protocol in (None, each.protocol) and group in (None, each.group)
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        heads = None
        if self.heads is not None:
            heads = {key: value for key, value in to_dict(self.heads).items() if key != "evidence"}
        return {
            "format": FORMAT, "version": 2, "model": self.model, "heads": heads, "options": self.options.as_dict(),
            "judges": list(self.judges), "seconds": round(self.seconds, 1),
            "maps": None if self.maps is None else vars(self.maps),
            "familiar": {corpus: each.as_dict() for corpus, each in self.familiar.items()},
            "figures": [figure.as_dict() for figure in self.figures],
        }  # fmt: skip


def default_judges(model: Model) -> list[Judge]:
    """Word for word for models of ours, and where discovery found that a model answers so; by rare words for
    others."""
    found = model.head_set is not None and model.head_set.evidence.get("judge") == "exact"
    return [Exact(), Overlap()] if found or model.stated_tokens else [Overlap()]


def evaluate(
    model: Model,
    options: Options | None = None,
    *,
    judges: Sequence[Judge] | None = None,
    kept: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures a model with its head set (``model.head_set``); without one, only what needs no steering.

    kept: a file for the progress; resume: go on from it, if it is of the same work. OptionError, JudgeError,
    LabelsError, ComicsError and those of asking.
    """
    options, progress = options or Options(), progress or Silent()
    judges = list(judges or default_judges(model))
    if all(isinstance(each, Choice) for each in judges):
        judges.append(Overlap())  # parts of a narration need a judge that reads
    labelled = read_coco(options.coco, options.images or options.coco.parent) if options.coco else []
    comics = captioned_strips(options.comics, options.strips) if options.comics else []
    heads = model.head_set
    facts = _facts(model)
    rivals = _rivals(model, heads, options, progress) if heads is not None and options.controls else {}
    acting = None if heads is None else {k: v for k, v in to_dict(heads).items() if k != "evidence"}
    size = options.panel_size or panel_size_for(model)
    key = {"what": "evaluation 5", "model": facts, "projector": file_hash(model.projector_path), "heads": acting,
           "ranking": None if heads is None else listed_ranking(heads).heads, "seed": options.seed, "panel_size": size,
           "judges": [judge.name for judge in judges], "maps": options.maps,
           "naming": str(Naming.of_evidence(heads.evidence if heads else {})),
           "labels": file_hash(options.coco) if options.coco else None,
           "images": [file_hash(each.path) for each in labelled[: options.strips]], "comics": content(comics),
           "rivals": {rival: each.heads for rival, each in rivals.items()}}  # fmt: skip
    if kept is not None and not resume:
        kept.unlink(missing_ok=True)
    checkpoint = Checkpoint(kept, key)
    if heads is None:
        progress.note(f"No head set is known for {model.name!r}: only unsteered answers are measured. Give --heads.")
    beside = Beside(
        options.seed, bool(options.controls), bool(options.sweeps), options.thorough, bool(options.modes), rivals
    )
    todo = jobs(model, options, beside, judges, size=size, labelled=labelled, comics=comics)
    examples = _examples(model, options, size) if heads is not None else {}
    plan(todo, progress)
    progress.plan(EXAMPLE, len(examples), EXAMPLE_SECONDS)
    progress.plan(LOOK, options.maps * _PANELS, SECONDS[LOOK])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownImageWarning)  # of images that are changed on purpose; the report tells
        figures = [figure for job in todo for figure in job.run(checkpoint, progress)]
    shown = [] if heads is None else _shown(examples, heads, judges[0], checkpoint, progress)
    maps = _maps(model, options, size, checkpoint, progress) if options.maps else None
    checkpoint.write()
    names = tuple(judge.name for judge in judges)
    familiar = _familiar(figures, options, size, labelled, comics)
    return Evaluation(tuple(figures), facts, heads, options, names, maps, tuple(shown), checkpoint.seconds, familiar)


def _familiar(
    figures: Sequence[Figure], options: Options, size: int, labelled: Sequence[Labelled], comics: Sequence[Strip]
) -> dict[str, Familiarity]:
    """By corpus, of what is said unsteered about its pictures."""
    found = {}
    strips = generated_strips("evaluation", options.seed, options.strips, panel_size=size)
    captions = {
        "fresh": [strip.captions for strip in strips], "comics": [strip.captions for strip in comics],
        "coco": [tuple(dict.fromkeys(label for label, _ in each.objects)) for each in labelled],
    }  # fmt: skip
    for corpus, known in captions.items():
        protocols = ("boxes",) if corpus == "coco" else ("ordinal", "vqa", "own", "static")
        said = [
            [[record.text for record in strip] for strip in each.records]
            for each in figures
            if each.corpus == corpus and each.arm == UNSTEERED.name and each.protocol in protocols
        ]
        if said:
            texts = [[text for strip in strips for text in strip] for strips in zip(*said, strict=True)]
            each = familiarity(texts, known[: len(texts)], labelled=corpus == "coco")
            if each is not None:
                found[corpus] = each
    return found


def _examples(model: Model, options: Options, size: int) -> dict[str, tuple[Callable[[], Picture], bool]]:
    """The first strips and one scene by their names in a checkpoint; whether their places are objects."""
    count = min(options.examples, options.strips)
    found: dict[str, tuple[Callable[[], Picture], bool]] = {
        f"example/{k}": (partial(strip_picture, model, options.seed, size, "evaluation", k), False)
        for k in range(count)
    }
    if count and "boxes" in options.protocols:
        found["example/scene"] = partial(scene_picture, model, options.seed, "evaluation", 0), True
    return found


def _shown(
    examples: dict[str, tuple[Callable[[], Picture], bool]],
    heads: HeadSet,
    judge: Judge,
    checkpoint: Checkpoint,
    progress: Progress,
) -> list[dict[str, Any]]:
    progress.now("examples")
    for name, (picture_of, boxes) in examples.items():
        done = name in checkpoint.done
        if not done:
            checkpoint.put(name, example(picture_of(), heads, judge, boxes=boxes))
        progress.step(EXAMPLE, kept=done)
    return [checkpoint.done[name] for name in examples]


def _rivals(model: Model, heads: HeadSet, options: Options, progress: Progress) -> dict[Rival, HeadSet]:
    """Image heads and localization heads: those that the head set's evidence lists, else read on a few strips."""
    listed = {rival: listed_rival(heads, rival) for rival in RIVALS}
    found = {rival: each for rival, each in listed.items() if each is not None}
    if len(found) == len(RIVALS):
        return found
    progress.now("image heads and localization heads")
    progress.plan(COMPARE, RIVAL_STRIPS * _PANELS, SECONDS[COMPARE])
    size = options.panel_size or panel_size_for(model)
    strips = generated_strips("discovery", options.seed, RIVAL_STRIPS, panel_size=size)
    compared = compare_heads(model, map(item_of, strips), progress)
    count = len(heads.heads)
    return {rival: replace(heads, heads=compared.order(rival)[:count], scores=()) for rival in RIVALS}


def _maps(model: Model, options: Options, size: int, checkpoint: Checkpoint, progress: Progress) -> Maps:
    progress.now("attention of all heads")
    strips = itertools.islice(generated_strips("evaluation", options.seed, options.maps, panel_size=size), options.maps)
    items = map(item_of, strips)
    tally = tally_attention(model, items, _PANELS, seed=options.seed, checkpoint=checkpoint, progress=progress)
    place = next(
        (each for each in PLACES if model.head_set and model.head_set.evidence.get("read_at") == each), PLACES[0]
    )
    attention = tally.attention(place)
    scores = Scores.of(attention)
    matrix = None
    if model.head_set is not None:
        chosen = tuple(np.array(model.head_set.heads).T)
        matrix = attention[chosen].mean(axis=0).round(5).tolist()
    return Maps(tally.strips, place, scores.mass.round(5).tolist(), scores.selectivity.round(5).tolist(), matrix)


def _facts(model: Model) -> dict[str, Any]:
    native = model.native
    return {
        "name": model.name, "file": Path(model.path).name, "sha256": file_hash(model.path),
        "architecture": model.architecture, "layers": model.layers, "heads": model.heads_per_layer,
        "parameters": native.parameters, "bytes": native.size_bytes,
        "file_type": native.metadata.get("general.file_type"),
    }  # fmt: skip
