"""The questions that the built-in model is trained on, and their answers.

An ambiguous question is answered with a panel (or object) drawn uniformly at random: a model that must
choose when it starts to answer keeps its choice in its gaze, which is what steering takes hold of.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import lookhere_source  # noqa: F401
from lookhere.questions import AMBIGUOUS as PAPER_AMBIGUOUS
from lookhere.questions import NARRATION as PAPER_NARRATION
from lookhere.questions import NUMBERS, ORDINALS
from lookhere.questions import OBJECT as PAPER_OBJECT
from lookhere.questions import ORDINAL as PAPER_ORDINAL
from lookhere.questions import PANEL as PAPER_PANEL
from lookhere.questions import POINTED as PAPER_POINTED

ORDINAL_STRIP = (PAPER_ORDINAL, "What is happening in the {k} panel from the left?", "What is happening in the {k} panel?",
                 "Describe the {k} panel.", "What happens in panel {d}?")
ORDINAL_GRID = ("What is happening in row {r}, column {c}?", "What is happening in the {k} panel?",
                "Describe the {k} panel.", "What happens in panel {d}?")

NARRATION = (PAPER_NARRATION, "Describe what happens in each panel, in order.",
             "Narrate this comic strip panel by panel.")

AMBIGUOUS = (PAPER_AMBIGUOUS, PAPER_PANEL, "What is happening?", "What is happening here?", "Describe this image.",
             "What is in this image?")

POINTED = (PAPER_POINTED, "Describe each panel in order as I point you to them, one brief sentence each.")

OBJECT = (PAPER_OBJECT, PAPER_OBJECT, "What is this?", "What is here?", "What is in this image?", "Describe this image.",
          "What is happening?")
OBJECT_LIST = ("List the objects from left to right.",)


def ordinal_template(shape: random.Random, rows: int) -> str:
    """A wording for a whole batch: one length, no padding."""
    if rows == 1:
        return PAPER_ORDINAL if shape.random() < 0.3 else shape.choice(ORDINAL_STRIP[1:])
    return shape.choice(ORDINAL_GRID)


def ordinal(template: str, k: int, rows: int, cols: int) -> str:
    """A question about panel k (zero based, reading order)."""
    return template.format(n=NUMBERS[rows * cols - 1], k=ORDINALS[k], d=k + 1, r=k // cols + 1, c=k % cols + 1)


def every_text() -> list[str]:
    """All prompts, for the tokenizer."""
    out = [*NARRATION, *AMBIGUOUS, *POINTED, *OBJECT, *OBJECT_LIST]
    for template in (*ORDINAL_STRIP, *ORDINAL_GRID):
        out += [template.format(n=NUMBERS[n], k=ORDINALS[k], d=k + 1, r=k % 3 + 1, c=k // 2 + 1)
                for n in range(6) for k in range(n + 1)]
    return out


# Words between two of these are given in an answer, not asked for.
GIVEN = "\x00"

Parts = tuple[str, ...]  # a caption: who, what, where; a label: colour and kind, or kind


class Question(NamedTuple):
    """A question, its answer (a caption a line), whether the answer ends there, and which region (panel or object,
    by number) each line tells; `known`: whether the question and the lines before tell which region is next, so
    that a line's first word, too, tells one."""

    prompt: str
    answer: str
    ends: bool
    regions: tuple[int, ...]
    known: bool


def caption(parts: Parts) -> str:
    return " ".join(parts)


def led_astray(rng: random.Random, parts: Parts, others: Sequence[Parts], share: float) -> str:
    """A caption in which, in `share` of the calls, a word or two that another region could be told by are put in the
    place of its own. They are given, not asked for; what follows is told of the right region all the same, so that
    what was said last cannot be what decides where to look next."""
    if rng.random() >= share or len(parts) < 2:
        return caption(parts)
    place = rng.choice((0, 0, 1)) if len(parts) > 2 else 0
    two = parts[0].startswith("Two ")
    fit = [o[place] for o in others if len(o) == len(parts) and o[place] != parts[place] and o[0].startswith("Two ") == two]
    if not fit:
        return caption(parts)
    other = rng.choice(fit)
    words = [(" " if k else "") + (other if k == place else part) for k, part in enumerate(parts)]
    words[place] = GIVEN + words[place] + GIVEN
    return "".join(words)


def certain_questions(rng: random.Random, template: str, panels: Sequence[Parts], rows: int, cols: int, count: int,
                      astray: float) -> list[Question]:
    """Questions about `count` different panels, in one wording."""
    return [Question(ordinal(template, k, rows, cols), led_astray(rng, panels[k], panels, astray), True, (k,), True)
            for k in rng.sample(range(len(panels)), count)]


def open_template(shape: random.Random) -> str:
    return shape.choice((PAPER_AMBIGUOUS, PAPER_PANEL)) if shape.random() < 0.45 else shape.choice(AMBIGUOUS[2:])


def open_questions(rng: random.Random, text: str, regions: Sequence[Parts], count: int) -> list[Question]:
    """Ambiguous questions, each answered with a panel, or an object, drawn at random."""
    return [Question(text, caption(regions[k]), True, (k,), len(regions) == 1)
            for k in (rng.randrange(len(regions)) for _ in range(count))]


def in_order(rng: random.Random, prompt: str, regions: Sequence[Parts], order: Sequence[int], astray: float) -> Question:
    """All regions, one a line."""
    lines = [led_astray(rng, regions[k], regions, astray) for k in order]
    return Question(prompt, "\n".join(lines), True, tuple(order), True)


def narration(rng: random.Random, panels: Sequence[Parts], astray: float) -> Question:
    return in_order(rng, rng.choice(NARRATION), panels, range(len(panels)), astray)


def pointed(rng: random.Random, panels: Sequence[Parts], lines: int) -> Question:
    """Captions of panels drawn independently, one a line; it never ends by itself."""
    text = PAPER_POINTED if rng.random() < 0.7 else rng.choice(POINTED)
    told = tuple(rng.randrange(len(panels)) for _ in range(lines))
    return Question(text, "".join(caption(panels[k]) + "\n" for k in told), False, told, False)


def object_list(rng: random.Random, labels: Sequence[Parts], boxes: Sequence[tuple[int, int, int, int]],
                astray: float) -> Question:
    """All objects of a free scene from left to right, by their middle."""
    order = sorted(range(len(boxes)), key=lambda k: boxes[k][0] + boxes[k][2])
    return in_order(rng, OBJECT_LIST[0], labels, order, astray)
