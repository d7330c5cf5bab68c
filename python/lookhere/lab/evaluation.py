"""The figures of a model: generated strips and scenes that it has never seen, every panel, greedy."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks
from ..errors import ComicsError, LabelsError, OptionError
from ..steering.head_set import HeadSet, to_dict
from .attention import compare_heads, tally_attention
from .checkpoint import Checkpoint, file_hash
from .choice import Choice
from .coco import read_coco
from .comparison import RIVALS, Rival, listed_rival
from .corpus import (
    Purpose,
    captioned_strips,
    content,
    generated_scene,
    generated_strip,
    generated_strips,
    panel_size_for,
)
from .discovery import Progress, Silent, listed_ranking
from .examiner import Examiner
from .examples import example
from .experiments import PROTOCOLS, Beside, Experiment, Protocol, on_boxes, on_sheets, on_strips
from .figures import Figure
from .item import of_strip as item_of
from .judging import Category, Exact, Judge, Overlap
from .material import labelled_picture
from .picture import Picture, of_scene, of_strip
from .ranking import PLACES, Place, Scores
from .reading import read_boxes, read_strips
from .reply import Record
from .sheet import sheet

if TYPE_CHECKING:
    from ..model import Model

FORMAT = "lookhere-evaluation"

RIVAL_STRIPS = 4
"""Strips that image heads and localization heads are read on where a head set's evidence lists none."""


@dataclass(frozen=True)
class Options:
    """strips: fresh strips and scenes, of combinations that were never trained on. seen: others, of combinations that
    were. controls, sweeps, modes: on how many of the fresh strips controls and baselines, sweeps, and all modes are
    measured too. maps: strips whose attention is read in all heads. examples: strips that a report shows. 0 leaves a
    part out.

    protocols: what is asked. thorough: controls for static, dynamic and boxes, too. coco, images: labelled boxes in
    COCO's format and the folder of their images. comics: a folder of comics, those with captions. At most ``strips``
    images, or comics, are asked about. OptionError.
    """

    strips: int = 24
    seen: int = 6
    controls: int = 6
    sweeps: int = 0
    modes: int = 0
    maps: int = 4
    examples: int = 2
    seed: int = 0
    protocols: tuple[Protocol, ...] = PROTOCOLS
    thorough: bool = False
    panel_size: int | None = None
    coco: Path | None = None
    images: Path | None = None
    comics: Path | None = None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("strips", 1, 100_000), ("seen", 0, 100_000), ("controls", 0, 100_000), ("sweeps", 0, 100_000),
            ("modes", 0, 100_000), ("maps", 0, 100_000), ("examples", 0, 50), ("seed", 0, 999),
            ("panel_size", 16, 1024),
        ):  # fmt: skip
            if name != "panel_size" or self.panel_size is not None:
                object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))
        for name, kind in {"coco": LabelsError, "images": LabelsError, "comics": ComicsError}.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.path(name, getattr(self, name), error=kind))
        object.__setattr__(self, "thorough", checks.flag("thorough", self.thorough))
        protocols = checks.items(self.protocols)
        if not protocols or not all(isinstance(each, str) and each in PROTOCOLS for each in protocols):
            raise OptionError(f"protocols={checks.short(self.protocols)}; expected some of {', '.join(PROTOCOLS)}.")
        object.__setattr__(self, "protocols", protocols)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}


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
    """All that was measured. judges: names, the first one's picks count. examples: see ``examples.example``."""

    figures: tuple[Figure, ...]
    model: dict[str, Any]
    heads: HeadSet | None
    options: Options
    judges: tuple[str, ...]
    maps: Maps | None
    examples: tuple[dict[str, Any], ...]
    seconds: float = field(compare=False)

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
            "figures": [figure.as_dict() for figure in self.figures],
        }  # fmt: skip


def default_judges(model: Model) -> list[Judge]:
    """Word for word for the built-in model, which knows the captions' words; by rare words for others."""
    return [Exact(), Overlap()] if "lookhere.image_max_tokens" in model.native.metadata else [Overlap()]


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
    started = time.monotonic()
    heads = model.head_set
    facts = _facts(model)
    rivals = _rivals(model, heads, options, progress) if heads is not None and options.controls else {}
    acting = None if heads is None else {k: v for k, v in to_dict(heads).items() if k != "evidence"}
    size = options.panel_size or panel_size_for(model)
    key = {"what": "evaluation 5", "model": facts, "projector": file_hash(model.projector_path), "heads": acting,
           "ranking": None if heads is None else listed_ranking(heads).heads, "seed": options.seed, "panel_size": size,
           "judges": [judge.name for judge in judges], "maps": options.maps,
           "labels": file_hash(options.coco) if options.coco else None,
           "images": [file_hash(each.path) for each in labelled[: options.strips]], "comics": content(comics),
           "rivals": {rival: each.heads for rival, each in rivals.items()}}  # fmt: skip
    if kept is not None and not resume:
        kept.unlink(missing_ok=True)
    checkpoint = Checkpoint(kept, key)
    if heads is None:
        progress.note(f"No head set is known for {model.name!r}: only unsteered answers are measured. Give --heads.")
    work = _Work(options, checkpoint, progress, Examiner(judges))

    def strip(purpose: Purpose, index: int) -> Picture:
        drawn = generated_strip(purpose, options.seed, index, panel_size=size)
        return of_strip(model.look(drawn.image), drawn, index)

    def scene(purpose: Purpose, index: int) -> Picture:
        free = generated_scene(purpose, options.seed, index)
        return of_scene(model.look(free.image), free, index)

    beside = Beside(
        options.seed, bool(options.controls), bool(options.sweeps), options.thorough, bool(options.modes), rivals
    )
    asked = on_strips(heads, options.protocols, beside) + read_strips(heads, options.protocols)
    boxed = on_boxes(heads, options.protocols, beside) + read_boxes(heads, options.protocols)
    figures = work.go("fresh", "evaluation", asked, lambda index: strip("evaluation", index), options.strips)
    figures += work.go("fresh", "scene", boxed, lambda index: scene("evaluation", index), options.strips)
    small = on_sheets(heads, options.protocols)
    figures += work.go("fresh", "sheet", small, lambda index: sheet(model, options.seed, index), options.strips)
    if options.seen:
        main = [each for each in asked if each.group == "main"]
        figures += work.go("seen", "seen", main, lambda index: strip("seen", index), options.seen)
        main = [each for each in boxed if each.group == "main"]
        figures += work.go("seen", "seen scene", main, lambda index: scene("seen", index), options.seen)
    if comics:
        work.examiner = Examiner([each for each in judges if not isinstance(each, Exact)] or [Overlap()])
        figures += work.go(
            "comics", "comic", asked, lambda index: of_strip(model.look(comics[index].image), comics[index], index),
            len(comics),
        )  # fmt: skip
    if labelled:
        work.examiner = Examiner([Category(), *(each for each in judges if not isinstance(each, (Exact, Overlap)))])
        figures += work.go(
            "coco", "coco", on_boxes(heads, ("boxes",), beside) + read_boxes(heads, options.protocols),
            lambda index: labelled_picture(labelled[index], model, index),
            min(options.strips, len(labelled)),
        )  # fmt: skip
        work.examiner = Examiner(judges)
    shown: list[dict[str, Any]] = []
    if heads is not None:
        shown = work.examples(heads, lambda index: strip("evaluation", index), lambda index: scene("evaluation", index))
    maps = _maps(model, options, size, checkpoint, progress) if options.maps else None
    checkpoint.write()
    names = tuple(judge.name for judge in judges)
    return Evaluation(tuple(figures), facts, heads, options, names, maps, tuple(shown), time.monotonic() - started)


class _Work:
    """Goes over pictures, all arms of a picture together, so that it is encoded once; what is done is done once."""

    def __init__(self, options: Options, checkpoint: Checkpoint, progress: Progress, examiner: Examiner) -> None:
        self._options, self._progress = options, progress
        self.checkpoint, self.examiner = checkpoint, examiner

    def go(
        self,
        corpus: str,
        prefix: str,
        experiments: Sequence[Experiment],
        picture_of: Callable[[int], Picture],
        count: int,
    ) -> list[Figure]:
        """The figures of experiments on the first ``count`` pictures; all others on as many as are wanted."""
        if not experiments:
            return []
        self._progress.stage(f"{corpus} pictures" if prefix == corpus else f"{corpus} {prefix}s", count)
        limits = {"main": count, "reading": count, "baseline": self._options.controls,
                  "control": self._options.controls, "sweep": self._options.sweeps,
                  "mode": self._options.modes}  # fmt: skip
        got: dict[str, list[tuple[Record, ...]]] = {}
        for index in range(count):
            picture = None
            for each in experiments:
                if index >= limits[each.group]:
                    continue
                name = f"{prefix}/{index}/{each.key}"
                if name not in self.checkpoint.done:
                    picture = picture or picture_of(index)
                    self._progress.done(index, each.key)
                    self.checkpoint.put(name, [record.as_dict() for record in each.run(picture, self.examiner)])
                got.setdefault(each.key, []).append(tuple(map(Record.from_dict, self.checkpoint.done[name])))
            self._progress.done(index + 1)
        figures = []
        for each in experiments:
            records = got.get(each.key, [])
            judge = each.judge or next((one.name for one in self.examiner.judges if _told(one, records)), None)
            if records and judge is not None:
                figures.append(Figure(each.protocol, each.arm, each.group, corpus, judge, tuple(records), each.setting))
        return figures

    def examples(
        self, heads: HeadSet, strip: Callable[[int], Picture], scene: Callable[[int], Picture]
    ) -> list[dict[str, Any]]:
        """The first strips and one scene."""
        shown = []
        count = min(self._options.examples, self._options.strips)
        sources = [(f"example/{index}", strip, index) for index in range(count)]
        if count and "boxes" in self._options.protocols:
            sources.append(("example/scene", scene, 0))
        for name, picture_of, index in sources:
            if name not in self.checkpoint.done:
                made = example(picture_of(index), heads, self.examiner.judges[0], boxes=picture_of is scene)
                self.checkpoint.put(name, made)
            shown.append(self.checkpoint.done[name])
        return shown


def _told(judge: Judge, records: Sequence[Sequence[Record]]) -> bool:
    """Whether a judge could tell about everything."""
    return all(judge.name in record.picks for strip in records for record in strip)


def _rivals(model: Model, heads: HeadSet, options: Options, progress: Progress) -> dict[Rival, HeadSet]:
    """Image heads and localization heads: those that the head set's evidence lists, else read on a few strips."""
    listed = {rival: listed_rival(heads, rival) for rival in RIVALS}
    found = {rival: each for rival, each in listed.items() if each is not None}
    if len(found) == len(RIVALS):
        return found
    progress.stage("image heads and localization heads", RIVAL_STRIPS)
    size = options.panel_size or panel_size_for(model)
    strips = generated_strips("discovery", options.seed, RIVAL_STRIPS, panel_size=size)
    compared = compare_heads(model, map(item_of, strips))
    count = len(heads.heads)
    return {rival: replace(heads, heads=compared.order(rival)[:count], scores=()) for rival in RIVALS}


def _maps(model: Model, options: Options, size: int, checkpoint: Checkpoint, progress: Progress) -> Maps:
    progress.stage("attention of all heads", options.maps)
    strips = itertools.islice(generated_strips("evaluation", options.seed, options.maps, panel_size=size), options.maps)
    items = map(item_of, strips)
    tally = tally_attention(model, items, 6, seed=options.seed, checkpoint=checkpoint, progress=progress.done)
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
