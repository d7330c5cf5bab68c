"""The questions that the built-in model is trained on, and their answers.

An ambiguous question is answered with a panel (or object) drawn uniformly at random: a model that must
choose when it starts to answer keeps its choice in its gaze, which is what steering takes hold of.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
NUMBERS = ("one", "two", "three", "four", "five", "six")

PAPER_ORDINAL = "Look carefully at this {n}-panel comic strip. What is happening in the {k} panel from the left? Answer briefly."
ORDINAL_STRIP = (PAPER_ORDINAL, "What is happening in the {k} panel from the left?", "What is happening in the {k} panel?",
                 "Describe the {k} panel.", "What happens in panel {d}?")
ORDINAL_GRID = ("What is happening in row {r}, column {c}?", "What is happening in the {k} panel?",
                "Describe the {k} panel.", "What happens in panel {d}?")

NARRATION = ("describe what happens in each panel, in order", "Describe what happens in each panel, in order.",
             "Narrate this comic strip panel by panel.")

PAPER_AMBIGUOUS = "What is the main action or event happening in this comic strip? Answer briefly."
PAPER_PANEL = "What is happening in this panel of the comic strip?"
AMBIGUOUS = (PAPER_AMBIGUOUS, PAPER_PANEL, "What is happening?", "What is happening here?", "Describe this image.",
             "What is in this image?")

PAPER_POINTED = "describe each panel in order as I point you to them"
POINTED = (PAPER_POINTED, "Describe each panel in order as I point you to them, one brief sentence each.")

PAPER_OBJECT = "What is the main object in this part of the image? Answer in a few words."
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


Question = tuple[str, str, bool]  # prompt, answer, whether the answer ends there


def certain_questions(rng: random.Random, template: str, captions: Sequence[str], rows: int, cols: int,
                      count: int) -> list[Question]:
    """Questions about `count` different panels, in one wording."""
    return [(ordinal(template, k, rows, cols), captions[k], True) for k in rng.sample(range(len(captions)), count)]


def open_template(shape: random.Random) -> str:
    return shape.choice((PAPER_AMBIGUOUS, PAPER_PANEL)) if shape.random() < 0.45 else shape.choice(AMBIGUOUS[2:])


def open_questions(rng: random.Random, text: str, captions: Sequence[str], count: int) -> list[Question]:
    """Ambiguous questions, each answered with a panel drawn at random."""
    return [(text, rng.choice(captions), True) for _ in range(count)]


def narration(rng: random.Random, captions: Sequence[str]) -> Question:
    return (rng.choice(NARRATION), "\n".join(captions), True)


def pointed(rng: random.Random, captions: Sequence[str], lines: int) -> Question:
    """Captions of panels drawn independently, one a line; it never ends by itself."""
    text = PAPER_POINTED if rng.random() < 0.7 else rng.choice(POINTED)
    return (text, "".join(rng.choice(captions) + "\n" for _ in range(lines)), False)


def object_questions(rng: random.Random, text: str, objects: Sequence[tuple[str, tuple[int, int, int, int]]],
                     count: int) -> list[Question]:
    """What is here: an object drawn at random."""
    return [(text, rng.choice(objects)[0], True) for _ in range(count)]


def object_list(objects: Sequence[tuple[str, tuple[int, int, int, int]]]) -> Question:
    ordered = sorted(objects, key=lambda o: o[1][0] + o[1][2])
    return (OBJECT_LIST[0], "\n".join(label for label, _ in ordered), True)
