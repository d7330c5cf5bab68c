"""Choosing how many heads, how strongly, in which mode and from which query on: by answers on strips kept apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import questions
from ..steering.head_set import HeadSet
from .arms import Steered
from .checkpoint import Checkpoint
from .intervals import over_strips
from .judging import JudgeName, judge
from .outcome import Outcome
from .picture import Picture
from .protocols import ask_ordinals, ask_places, move_gaze

if TYPE_CHECKING:
    from ..model import Model
    from ..steering.head_set import Head
    from ..steering.push import Mode, Queries
    from .reply import Reply

STRENGTHS = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0, 20.0)
FIRST = (3.0, 5.0, 8.0, 12.0, 20.0)
"""Strengths that are tried with every number of heads."""
QUERIES: tuple[Queries, ...] = ("answer", "after_image", "all")
"""The cheapest first: with ``answer`` the prompt needs no second reading when the target changes."""
MODES: tuple[Mode, ...] = ("boost_suppress", "suppress_image")
CHANGES = 6
"""Heads that are added to a set or taken out of it, one after the other, at most."""
TOLERANCE = 0.01
"""Accuracy that a cheaper setting may cost."""
_SCENES = 1 << 30
"""Bytes of encoded images that are kept for the next setting."""

Report: TypeAlias = Callable[[str], None]
"""Called before every measurement with what is measured."""


Source: TypeAlias = "Callable[[Model, int], Picture]"
"""A picture as a model sees it; the number is its place among others."""

Counts: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]
"""Right answers and questions per strip."""


@dataclass(frozen=True)
class Measured:
    """One setting: what was varied, and counts for the fixed question, for moves and for boxes (None: not tried)."""

    values: dict[str, Any]
    answers: Counts
    moves: Counts | None = None
    boxes: Counts | None = None

    @property
    def accuracy(self) -> float:
        """Share of answers to the fixed question that are the target's caption."""
        return _share(self.answers)

    @property
    def score(self) -> float:
        """What settings are chosen by: the mean of the shares of all that was tried."""
        shares = [_share(each) for each in (self.answers, self.moves, self.boxes) if each is not None]
        return sum(shares) / len(shares)

    def as_dict(self) -> dict[str, Any]:
        """For evidence in JSON."""
        low, high = over_strips(*self.answers)
        figures: dict[str, Any] = {**self.values, "accuracy": round(self.accuracy, 4)}
        figures["interval"] = [round(low, 4), round(high, 4)]
        for name, counts in (("moves", self.moves), ("boxes", self.boxes)):
            if counts is not None:
                figures[name] = round(_share(counts), 4)
        return figures


def head_counts(heads: int) -> tuple[int, ...]:
    """Numbers of heads to try: geometric, up to a quarter of all of them."""
    most = max(1, heads // 4)
    counts = {max(1, round(most / 1.5**step)) for step in range(math.ceil(math.log(max(most, 2), 1.5)) + 1)}
    return tuple(sorted(count for count in counts if count >= min(2, most)))[-7:]


class Bench:
    """A model and calibration pictures; what is measured is measured once and kept in the checkpoint.

    pictures: strips, or images with labelled boxes. scenes: free scenes beside strips. judge: how answers are judged.
    thorough: whether moves and boxes are tried too, which takes strips and a model that answers word for word.
    """

    def __init__(
        self,
        model: Model,
        pictures: Iterable[Source],
        prompt: str,
        *,
        scenes: Iterable[Source] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._model = model
        self._prompt = prompt
        self._sources = list(pictures)
        self._free = list(scenes)
        self._pictures: dict[int, Picture] = {}
        self._checkpoint = checkpoint or Checkpoint(None, {})
        self.report: Report = lambda what: None
        self.judge: JudgeName = "exact"
        self.thorough = True

    @property
    def pictures(self) -> int:
        """How many there are, free scenes apart."""
        return len(self._sources)

    def finish(self) -> None:
        """Everything reaches the disk."""
        self._checkpoint.write()

    def unsteered(self, name: JudgeName) -> Measured:
        """The ordinal questions, which tell whether the model can do the task at all."""
        self.report("unsteered questions")
        got = [
            self._once(f"ordinal/{name}/{index}", partial(self._ask, index, ask_ordinals, name))
            for index in range(self.pictures)
        ]
        return Measured({"judge": name}, _counts(got))

    def measure(self, heads: HeadSet, values: dict[str, Any], *, thorough: bool = True) -> Measured:
        """A head set as it stands. values: what it differs in from others of the sweep. Only the question where the
        bench or the caller is not thorough."""
        nats = "nat" if heads.strength == 1 else "nats"
        setting = f"{len(heads.heads)} heads, {heads.strength:g} {nats}, {heads.mode}, {heads.queries}"
        self.report(setting)
        name = f"{self.judge}/{_names(heads)}/{setting}"
        arm = Steered("calibrated", heads)
        asked = [
            self._once(f"{name}/{i}", partial(self._ask, i, partial(ask_places, arm=arm, prompt=self._prompt)))
            for i in range(self.pictures)
        ]
        if not (self.thorough and thorough):
            return Measured(values, _counts(asked))
        moved = [
            self._once(f"{name}/move/{i}", partial(self._ask, i, partial(move_gaze, heads=heads)))
            for i in range(0, self.pictures, 2)
        ]
        point = partial(ask_places, arm=arm, prompt=questions.OBJECT)
        boxed = [self._once(f"{name}/box/{i}", partial(self._ask, -1 - i, point)) for i in range(len(self._free))]
        return Measured(values, _counts(asked), _counts(moved), _counts(boxed) if boxed else None)

    def _ask(
        self, index: int, question: Callable[[Picture], list[Reply]], name: JudgeName | None = None
    ) -> list[Outcome]:
        picture = self._look(index)
        return [judge(name or self.judge, reply.text, picture.captions, reply.target) for reply in question(picture)]

    def _look(self, index: int) -> Picture:
        """A picture from 0 on, a free scene from -1 down."""
        if index not in self._pictures:
            if sum(picture.scene.encoded.nbytes for picture in self._pictures.values()) > _SCENES:
                self._pictures.clear()
            source, number = (self._sources[index], index) if index >= 0 else (self._free[-1 - index], -1 - index)
            self._pictures[index] = source(self._model, number)
        return self._pictures[index]

    def _once(self, name: str, work: Callable[[], list[Outcome]]) -> list[Outcome]:
        if name not in self._checkpoint.done:
            self._checkpoint.put(name, work())
        return list(self._checkpoint.done[name])


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
    counts = [k for k in head_counts(every.model.layers * every.model.heads) if k <= len(every.heads)]
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


def _share(counts: Counts) -> float:
    right, asked = counts
    return sum(right) / max(sum(asked), 1)


def _counts(outcomes: Sequence[Sequence[Outcome]]) -> Counts:
    return tuple(sum(each == "right" for each in strip) for strip in outcomes), tuple(map(len, outcomes))


def _names(heads: HeadSet) -> str:
    return " ".join(f"{layer}.{head}" for layer, head in sorted(heads.heads))
