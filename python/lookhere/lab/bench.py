"""A bench: a model with calibration pictures, on which settings are measured, each of them once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .. import questions
from ..steering.head_set import HeadSet
from .arms import Steered
from .checkpoint import Checkpoint
from .intervals import over_strips
from .judging import JudgeName, judge
from .outcome import Outcome
from .picture import Picture
from .protocols import ask_once, ask_places, captions_in, move_gaze
from .work import Progress, Silent

if TYPE_CHECKING:
    from ..model import Model
    from .reply import Reply

PART = "choosing heads and push"
"""What a bench is used for, for people."""
SECONDS = {"ordinal": 0.45, "open": 0.1, "ask": 0.37, "move": 0.87, "box": 0.33}
"""Of one step, a picture with all its places, by the built-in model (``lookhere discover``)."""

ENOUGH = 0.5
"""Share of unsteered questions answered rightly, from which on a model understands a wording; and of answers that are
captions word for word, from which on exact match is a fair judge of steered ones."""

_SCENES = 1 << 30
"""Bytes of encoded images that are kept for the next setting."""

Result = TypeVar("Result")

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


@dataclass(frozen=True)
class Answers:
    """What a model said about one picture, and the targets of the questions."""

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    captions: tuple[str, ...]


Said: TypeAlias = tuple[Answers, ...]
"""By picture."""


class Bench:
    """A model and calibration pictures; what is measured is measured once and kept in the checkpoint.

    pictures: strips, or images with labelled boxes. scenes: free scenes beside strips. judge: how answers are judged.
    thorough: whether moves and boxes are tried too, which takes strips and a model that answers word for word; moves,
    boxes: each of them. prompt: the question that settings are measured with.
    """

    def __init__(
        self,
        model: Model,
        pictures: Iterable[Source],
        *,
        prompt: str = questions.AMBIGUOUS,
        scenes: Iterable[Source] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._model = model
        self.prompt = prompt
        self._sources = list(pictures)
        self._free = list(scenes)
        self._pictures: dict[int, Picture] = {}
        self._checkpoint = checkpoint or Checkpoint(None, {})
        self._told: set[str] = set()
        self._unsteered: dict[str, int] = {}
        self.progress: Progress = Silent()
        self.judge: JudgeName = "exact"
        self.thorough = True
        self.moves = self.boxes = True

    @property
    def pictures(self) -> int:
        """How many there are, free scenes apart."""
        return len(self._sources)

    def plan(self, asked: int, thorough: int) -> None:
        """Tells how much there is to do. asked: settings that the question is measured with; thorough: those that moves
        and boxes are, too, where the bench is thorough."""
        thorough = thorough if self.thorough else 0
        self.progress.plan("ask", asked * self.pictures, SECONDS["ask"])
        self.progress.plan("move", thorough * len(self._moving) * self.moves, SECONDS["move"])
        self.progress.plan("box", thorough * len(self._free) * self.boxes, SECONDS["box"])

    def finish(self) -> None:
        """Everything reaches the disk."""
        self._checkpoint.write()

    def said(
        self, kind: str, name: str, ask: Callable[[Picture], list[Reply]], which: Sequence[int] | None = None
    ) -> Said:
        """What the model says unsteered to questions about each picture. kind: of the steps. name: of the questions,
        each of which is asked once. which: pictures from 0 on, free scenes from -1 down; None for all pictures."""
        which = range(self.pictures) if which is None else which
        self.progress.now(PART, "unsteered questions")
        self._unsteered[kind] = self._unsteered.get(kind, 0) + len(which)
        self.progress.plan(kind, self._unsteered[kind], SECONDS[kind])
        return tuple(_answers(self._once(kind, f"{name}/{index}", partial(self._texts, index, ask))) for index in which)

    def leave_out_unknown(self) -> None:
        """Moves and boxes are tried only where the model answers their questions with captions and labels: elsewhere
        they would tell settings apart by chance."""
        pointed = self.said(
            "open", f"open/{questions.POINTED}", partial(ask_once, prompt=questions.POINTED), self._moving
        )
        boxes = range(-1, -1 - len(self._free), -1)
        named = self.said("open", f"open/{questions.OBJECT}", partial(ask_once, prompt=questions.OBJECT), boxes)
        self.moves = _begins_with_captions(pointed) >= ENOUGH
        self.boxes = _begins_with_captions(named) >= ENOUGH
        left_out = [name for name, kept in (("moves", self.moves), ("boxes", self.boxes or not named)) if not kept]
        if left_out:
            self.progress.note(
                f"{' and '.join(left_out).capitalize()} are not tried: the model does not answer that question with "
                "captions."
            )

    def measure(self, heads: HeadSet, values: dict[str, Any], *, thorough: bool = True) -> Measured:
        """A head set as it stands. values: what it differs in from others of the sweep. Only the question where the
        bench or the caller is not thorough."""
        nats = "nat" if heads.strength == 1 else "nats"
        setting = f"{len(heads.heads)} heads, {heads.strength:g} {nats}, {heads.mode}, {heads.queries}"
        self.progress.now(PART, setting)
        name = f"{self.judge}/{_names(heads)}/{setting}"
        arm = Steered("calibrated", heads)
        asked = [
            self._once("ask", f"{name}/{i}", partial(self._ask, i, partial(ask_places, arm=arm, prompt=self.prompt)))
            for i in range(self.pictures)
        ]
        if not (self.thorough and thorough):
            return Measured(values, _counts(asked))
        moved = [
            self._once("move", f"{name}/move/{i}", partial(self._ask, i, partial(move_gaze, heads=heads)))
            for i in (self._moving if self.moves else ())
        ]
        point = partial(ask_places, arm=arm, prompt=questions.OBJECT)
        boxed = [
            self._once("box", f"{name}/box/{i}", partial(self._ask, -1 - i, point))
            for i in range(len(self._free) if self.boxes else 0)
        ]
        return Measured(
            values, _counts(asked), _counts(moved) if moved else None, _counts(boxed) if boxed else None
        )  # fmt: skip

    def _ask(self, index: int, question: Callable[[Picture], list[Reply]]) -> list[Outcome]:
        picture = self._look(index)
        return [judge(self.judge, reply.text, picture.captions, reply.target) for reply in question(picture)]

    def _texts(self, index: int, ask: Callable[[Picture], list[Reply]]) -> dict[str, Any]:
        picture = self._look(index)
        replies = ask(picture)
        return {
            "texts": [reply.text for reply in replies], "targets": [reply.target for reply in replies],
            "captions": picture.captions,
        }  # fmt: skip

    def _look(self, index: int) -> Picture:
        """A picture from 0 on, a free scene from -1 down."""
        if index not in self._pictures:
            if sum(picture.scene.encoded.nbytes for picture in self._pictures.values()) > _SCENES:
                self._pictures.clear()
            source, number = (self._sources[index], index) if index >= 0 else (self._free[-1 - index], -1 - index)
            self._pictures[index] = source(self._model, number)
        return self._pictures[index]

    @property
    def _moving(self) -> range:
        """The pictures on which the gaze is moved: every other one."""
        return range(0, self.pictures, 2)

    def _once(self, kind: str, name: str, work: Callable[[], Result]) -> Result:
        kept = name in self._checkpoint.done
        if not kept:
            self._checkpoint.put(name, work())
        if name not in self._told:
            self._told.add(name)
            self.progress.step(kind, kept=kept)
        kept_result: Result = self._checkpoint.done[name]
        return kept_result


def _begins_with_captions(said: Said) -> float:
    """Share of the answers whose first line or sentence is a caption of the picture, word for word."""
    begun = [(captions_in(text)[:1], each.captions) for each in said for text in each.texts]
    return sum(bool(first) and first[0] in captions for first, captions in begun) / max(len(begun), 1)


def _answers(kept: Mapping[str, Any]) -> Answers:
    return Answers(tuple(kept["texts"]), tuple(kept["targets"]), tuple(kept["captions"]))


def _share(counts: Counts) -> float:
    right, asked = counts
    return sum(right) / max(sum(asked), 1)


def _counts(outcomes: Sequence[Sequence[Outcome]]) -> Counts:
    return tuple(sum(each == "right" for each in strip) for strip in outcomes), tuple(map(len, outcomes))


def _names(heads: HeadSet) -> str:
    return " ".join(f"{layer}.{head}" for layer, head in sorted(heads.heads))
