"""Where did it look: read-back from natural gaze to a box, held against the box of what an answer is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from .. import questions
from ..regions.box import Box, Point
from ..steering.head_set import HeadSet
from ..steering.steering import Steering
from ..tokens.gaze import Gaze
from ..tokens.readback import Where, read_back
from .examiner import Examiner
from .experiments import BOX_TOKENS, VQA_TOKENS, Experiment
from .intersection import overlap
from .judging import content_words
from .naming import Naming
from .outcome import Pick
from .picture import Picture
from .protocols import answer_tokens
from .reply import Record, Reply

if TYPE_CHECKING:
    from ..answers.answer import Answer, Step

HEAD_SET, READERS, EVERY, CENTRE = "gaze heads", "readers", "all heads", "centre of the image"
"""Whose gaze is read; the last is no gaze, but a box of the objects' mean size in the middle of the image."""
WHOLE, FIRST, WORD = "whole answer", "first token", "each word"
"""What is averaged over: all steps; the first one alone; those of one word, for the words that say what it is."""

Look: TypeAlias = tuple[str, Where]
"""What was said, and where the model looked meanwhile."""


class Looked:
    """The answers about one picture and whose gaze says what, asked once; of the picture that came last."""

    def __init__(self, heads: HeadSet | None) -> None:
        self._heads = heads
        self._picture: Picture | None = None
        self._known: dict[tuple[str, bool], dict[str, list[Answer]]] = {}

    def answers(self, picture: Picture, asked: Sequence[str], *, steered: bool, least: int) -> dict[str, list[Answer]]:
        """By whose gaze is read, one answer per question; what is read is their ``reading``.

        asked: one question per place where the gaze is free and places are named, else one alone. steered: whether the
        head set looks at each place in turn.
        """
        if picture is not self._picture:
            self._picture, self._known = picture, {}
        key = ("\n".join(asked), steered)
        if key not in self._known:
            self._known[key] = self._ask(picture, asked, steered, answer_tokens(picture.model, picture.captions, least))
        return self._known[key]

    def _ask(self, picture: Picture, asked: Sequence[str], steered: bool, limit: int) -> dict[str, list[Answer]]:
        model, heads = picture.model, self._heads
        every = model.facts.every_head
        found: dict[str, list[Answer]] = {}
        for name, readers in ((EVERY, every), (READERS, heads.readers if heads else ())):
            if not readers:
                continue
            if steered and heads:
                places = [Steering(heads, place.box) for place in picture.places]
                said = picture.scene.describe_all(places, asked[0], max_tokens=limit, readers=readers)
            else:
                said = [picture.scene.describe(each, max_tokens=limit, readers=readers) for each in asked]
            found[name] = said
        if heads:
            found[HEAD_SET] = [_by_head_set(answer) for answer in found[EVERY]]
        return found


def read_strips(heads: HeadSet | None, wanted: Sequence[str]) -> list[Experiment]:
    """The panel that an answer describes; what is asked names it, and then the head set looks at it."""
    if "readback" not in wanted:
        return []
    looked = Looked(heads)
    naming = Naming.of_evidence(heads.evidence if heads else {})
    found = _experiments("panel", heads, lambda picture: _named(picture, naming), False, VQA_TOKENS, looked)
    return found + _experiments("panel steered", heads, lambda _: [questions.AMBIGUOUS], True, VQA_TOKENS, looked)


def read_boxes(heads: HeadSet | None, wanted: Sequence[str]) -> list[Experiment]:
    """The object that an answer names, whichever the model chose, and then the one that the head set looks at."""
    if "readback" not in wanted:
        return []
    looked = Looked(heads)
    found = _experiments("object", heads, lambda _: [questions.OBJECT], False, BOX_TOKENS, looked)
    return found + _experiments("object steered", heads, lambda _: [questions.OBJECT], True, BOX_TOKENS, looked)


def _experiments(
    what: str,
    heads: HeadSet | None,
    asked: Callable[[Picture], Sequence[str]],
    steered: bool,
    least: int,
    looked: Looked,
) -> list[Experiment]:
    """One for each source and scope."""
    if steered and heads is None:
        return []
    sources = [*([HEAD_SET] if heads else []), *([READERS] if heads and heads.readers else []), EVERY]

    def experiment(source: str, scope: str) -> Experiment:
        def run(picture: Picture, examiner: Examiner) -> list[Record]:
            answers = looked.answers(picture, asked(picture), steered=steered, least=least)
            records = []
            for index, answer in enumerate(answers.get(source, answers[EVERY])):
                about = _about(picture, answer, examiner)
                target = index if steered else about
                if target is None:
                    continue
                right = about is not None and picture.places[about].target == picture.places[target].target
                looks = _centred(picture, answer) if source == CENTRE else _looks(picture, answer, scope, target, right)
                records += [_record(picture, target, *look) for look in looks]
            return records

        name = source if source == CENTRE else f"{source}, {scope}"
        return Experiment(f"readback {what}", name, "reading", run, judge="peak")

    found = [experiment(source, scope) for source in sources for scope in (WHOLE, FIRST, WORD)]
    return [*found, experiment(CENTRE, WHOLE)]


def _named(picture: Picture, naming: Naming) -> list[str]:
    panels = len(picture.places)
    return [naming.of_panel(k, panels) for k in range(panels)]


def _about(picture: Picture, answer: Answer, examiner: Examiner) -> int | None:
    """The only place that an answer is about, by the first judge that can tell."""
    picks = examiner.picks(picture, [Reply(answer.text, 0)])[0]
    pick = next(iter(picks.values()), "none")
    places = [index for index, place in enumerate(picture.places) if place.target == pick]
    return places[0] if len(places) == 1 else None


def _looks(picture: Picture, answer: Answer, scope: str, target: int, right: bool) -> list[Look]:
    frame = picture.scene.frame
    if scope == FIRST:
        return [(answer.text, read_back(answer.steps[0].reading, frame))] if answer.steps else []
    if scope == WHOLE:
        return [(answer.text, read_back(answer.reading, frame))] if answer.reading else []
    caption = picture.captions[picture.places[target].target]
    known, said = content_words(caption), answer.words() if right else ()
    return [(word.text, read_back(word.reading, frame)) for word in said if content_words(word.text) & known]


def _centred(picture: Picture, answer: Answer) -> list[Look]:
    """A box of the places' mean size in the middle of the image, which knows nothing of the answer."""
    x, y = picture.scene.width / 2, picture.scene.height / 2
    sizes = [(place.box.x1 - place.box.x0, place.box.y1 - place.box.y0) for place in picture.places]
    wide, high = (sum(each) / len(sizes) / 2 for each in zip(*sizes, strict=True))
    return [(answer.text, Where(Box(x - wide, y - high, x + wide, y + high), Point(x, y), Point(x, y), 1.0))]


def _record(picture: Picture, target: int, text: str, where: Where) -> Record:
    box = picture.places[target].box
    picks = {name: _place_at(picture, at, target) for name, at in (("peak", where.peak), ("centre", where.centre))}
    more = {"iou": round(overlap(where.box, box), 4), **where.as_json()}
    return Record(text, target, picks, area=box.area, more=more)


def _place_at(picture: Picture, point: Point, target: int) -> Pick:
    """The place that a point lies in; where several do, the target, or the smallest."""
    found = [
        index for index, place in enumerate(picture.places)
        if place.box.x0 <= point.x < place.box.x1 and place.box.y0 <= point.y < place.box.y1
    ]  # fmt: skip
    if not found:
        return "none"
    smallest: int = min(found, key=lambda index: picture.places[index].box.area)
    return target if target in found else smallest


def _by_head_set(answer: Answer) -> Answer:
    """The same with the gaze of the steered heads as what is read."""
    steps: tuple[Step, ...] = tuple(replace(step, reading=step.gaze) for step in answer.steps)
    return replace(answer, steps=steps, reading=Gaze.mean([step.reading for step in steps]))
