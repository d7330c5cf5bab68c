"""The experiments on one strip or scene: what is asked, where the gaze is told to look, what comes back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import questions
from .judging import JudgeName, Outcome, judge
from .region import Box
from .steering import Steering

if TYPE_CHECKING:
    from .comics import FreeScene, Strip
    from .heads import HeadSet
    from .model import Model
    from .scene import Scene

LONGEST = 40
"""Tokens of an answer whose right length is not known."""

SPARE = 4
"""Tokens that an answer may be longer than the longest caption of its strip."""

FIRST_MOVE, LAST_MOVE = 8, 20
"""The gaze is moved after so many tokens of an answer, another number for every strip."""


def answer_tokens(model: Model, captions: Sequence[str]) -> int:
    """How long an answer may be: the longest of the captions and a little more."""
    longest = max((len(model.native.tokenize(caption, parse_special=False)) for caption in captions), default=0)
    return longest + SPARE if longest else LONGEST


def ask_ordinals(scene: Scene, strip: Strip, name: JudgeName = "exact") -> list[Outcome]:
    """Unsteered: one question per panel that names it."""
    panels = len(strip.boxes)
    limit = answer_tokens(scene.model, strip.captions)
    return [
        judge(name, scene.describe(questions.ordinal(k, panels), max_tokens=limit, gaze=False).text, strip.captions, k)
        for k in range(panels)
    ]


def ask_steered(
    scene: Scene, strip: Strip, heads: HeadSet, *, prompt: str = questions.AMBIGUOUS, name: JudgeName = "exact"
) -> list[Outcome]:
    """One question that names no panel, asked once per panel with the heads looking at it."""
    limit = answer_tokens(scene.model, strip.captions)
    return [
        judge(
            name,
            scene.describe(prompt, at=Steering(heads, Box(*box)), max_tokens=limit, gaze=False).text,
            strip.captions,
            k,
        )
        for k, box in enumerate(strip.boxes)
    ]


def narrate(scene: Scene, strip: Strip, name: JudgeName = "exact") -> list[Outcome]:
    """Unsteered: all panels in order. Caption k of the answer is judged as an answer about panel k."""
    panels = len(strip.boxes)
    limit = (answer_tokens(scene.model, strip.captions) + 2) * panels
    said = captions_in(scene.describe(questions.NARRATION, max_tokens=limit, gaze=False).text)
    said += [""] * (panels - len(said))
    return [judge(name, said[k], strip.captions, k) for k in range(panels)]


def move_gaze(
    scene: Scene, strip: Strip, heads: HeadSet, turn: int, *, prompt: str = questions.POINTED, name: JudgeName = "exact"
) -> list[Outcome]:
    """A narration that begins at one panel; then the gaze moves to panel k. The first caption that starts after the
    move is judged, for every k. turn: any number, decides when the gaze moves and where it came from."""
    panels = len(strip.boxes)
    length = answer_tokens(scene.model, strip.captions)
    when = FIRST_MOVE + turn * 5 % (LAST_MOVE - FIRST_MOVE + 1)
    outcomes = []
    for k, box in enumerate(strip.boxes):
        start = strip.boxes[(k + 1 + turn % (panels - 1)) % panels]
        said = _moved(scene, heads, Box(*start), Box(*box), prompt, when, limit=when + 2 * length + 2)
        outcomes.append(judge(name, said, strip.captions, k))
    return outcomes


def ask_objects(scene: Scene, free: FreeScene, heads: HeadSet, *, prompt: str = questions.OBJECT) -> list[Outcome]:
    """What is here, once per object of a free scene, with the heads looking at its box."""
    labels = [label for label, _ in free.objects]
    limit = answer_tokens(scene.model, labels)
    return [
        judge(
            "exact", scene.describe(prompt, at=Steering(heads, Box(*box)), max_tokens=limit, gaze=False).text, labels, k
        )
        for k, (_, box) in enumerate(free.objects)
    ]


def captions_in(text: str) -> list[str]:
    """The captions of a narration: its lines, or its sentences where it is one line."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else [each for each in re.split(r"(?<=[.!?])\s+", text.strip()) if each]


def caption_after(before: str, after: str) -> tuple[str, bool]:
    """The first caption that starts in ``after``, where ``before`` was said already, and whether it is whole."""
    fresh = after
    if before.strip() and not re.search(r"(\n|[.!?]\s+)$", before):  # a caption is under way
        end = re.search(r"\n|[.!?]\s+", before[-1:] + after)
        if end is None:
            return "", False
        fresh = after[max(end.end() - 1, 0) :]
    fresh = fresh.lstrip()
    end = re.search(r"\n|[.!?](\s|$)", fresh)
    return (fresh[: end.end()].strip(), True) if end else (fresh.strip(), False)


def _moved(scene: Scene, heads: HeadSet, start: Box, target: Box, prompt: str, when: int, *, limit: int) -> str:
    """What a narration says first after the gaze moved, cut at the end of that caption."""
    before, after = "", ""
    with scene.stream(prompt, at=Steering(heads, start), max_tokens=limit, gaze=False) as run:
        for step in run:
            if step.index < when:
                before += step.text
            else:
                after += step.text
            if step.index == when - 1 and run.finish is None:
                run.look_at(target)
            if caption_after(before, after)[1]:
                break
    return caption_after(before, after)[0]
