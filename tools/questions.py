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


def ordinal(rng: random.Random, k: int, rows: int, cols: int) -> str:
    """A question about panel k (zero based, reading order)."""
    if rows == 1:
        text = PAPER_ORDINAL if rng.random() < 0.35 else rng.choice(ORDINAL_STRIP)
    else:
        text = rng.choice(ORDINAL_GRID)
    return text.format(n=NUMBERS[rows * cols - 1], k=ORDINALS[k], d=k + 1, r=k // cols + 1, c=k % cols + 1)


def every_text() -> list[str]:
    """All prompts, for the tokenizer."""
    out = [*NARRATION, *AMBIGUOUS, *POINTED, *OBJECT, *OBJECT_LIST]
    for template in (*ORDINAL_STRIP, *ORDINAL_GRID):
        out += [template.format(n=NUMBERS[n], k=ORDINALS[k], d=k + 1, r=k % 3 + 1, c=k // 2 + 1)
                for n in range(6) for k in range(n + 1)]
    return out


Question = tuple[str, str, bool]  # prompt, answer, whether the answer ends there


def short_questions(rng: random.Random, captions: Sequence[str], rows: int, cols: int, n_ordinal: int,
                    n_ambiguous: int) -> list[Question]:
    out: list[Question] = []
    for k in rng.sample(range(len(captions)), min(n_ordinal, len(captions))):
        out.append((ordinal(rng, k, rows, cols), captions[k], True))
    for _ in range(n_ambiguous):
        text = rng.choice((PAPER_AMBIGUOUS, PAPER_PANEL)) if rng.random() < 0.4 else rng.choice(AMBIGUOUS)
        out.append((text, rng.choice(captions), True))
    return out


def narration(rng: random.Random, captions: Sequence[str]) -> Question:
    return (rng.choice(NARRATION), "\n".join(captions), True)


def pointed(rng: random.Random, captions: Sequence[str], lines: int) -> Question:
    """Captions of panels drawn independently, one a line; it never ends by itself."""
    text = PAPER_POINTED if rng.random() < 0.7 else rng.choice(POINTED)
    return (text, "".join(rng.choice(captions) + "\n" for _ in range(lines)), False)


def object_questions(rng: random.Random, objects: Sequence[tuple[str, tuple[int, int, int, int]]],
                     count: int) -> list[Question]:
    out: list[Question] = [(rng.choice(OBJECT), rng.choice(objects)[0], True) for _ in range(count)]
    ordered = sorted(objects, key=lambda o: o[1][0] + o[1][2])
    out.append((OBJECT_LIST[0], "\n".join(label for label, _ in ordered), True))
    return out
