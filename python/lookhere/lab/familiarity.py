"""Familiarity: whether what a model says about pictures, unsteered, is about those pictures at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .judging import category, degenerate, nearness

CHANCE = 0.5
"""Half of the answers are nearer to the captions of their own picture than to another's where they tell nothing."""

ENOUGH = 0.75


@dataclass(frozen=True)
class Familiarity:
    """near: answers that are nearer to a caption of their own picture than to any of another one; those that are as
    near to both, or to none, count half. count: of all answers, without those that name a label of both pictures."""

    near: float
    count: int

    @property
    def share(self) -> float:
        """Of the answers; about a half by chance."""
        return self.near / max(self.count, 1)

    @property
    def known(self) -> bool:
        """Whether the share is more than chance makes in 19 of 20 cases; of few answers three in four are enough."""
        return self.count > 0 and self.share >= min(CHANCE + 1.64 * CHANCE / math.sqrt(self.count), ENOUGH)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"share": round(self.share, 4), "answers": self.count, "known": self.known}


def familiarity(
    said: Sequence[Sequence[str]], captions: Sequence[Sequence[str]], *, labelled: bool = False
) -> Familiarity | None:
    """How many answers are about their own picture rather than the next one that has other captions.

    said, captions: by picture. labelled: captions are labels of a word or two. None where no two pictures can be told
    apart by their captions.
    """
    sides: list[float] = []
    for index, texts in enumerate(said):
        own, other, both = _apart(captions, index)
        if own and other:
            sides += [side for text in texts if (side := _side(text, own, other, both, labelled)) is not None]
    return Familiarity(sum(sides), len(sides)) if sides else None


def _apart(captions: Sequence[Sequence[str]], index: int) -> tuple[list[str], list[str], list[str]]:
    """What a picture and the next one have alone, as many of each, so that neither is hit more often by chance; and
    what both have."""
    mine = list(dict.fromkeys(captions[index]))
    for step in range(1, len(captions)):
        theirs = captions[(index + step) % len(captions)]
        own = [each for each in mine if each not in theirs]
        other = [each for each in dict.fromkeys(theirs) if each not in mine]
        if own and other:
            count = min(len(own), len(other))
            return own[:count], other[:count], [each for each in mine if each in theirs]
    return [], [], mine


def _side(text: str, own: list[str], other: list[str], both: list[str], labelled: bool) -> float | None:
    """1 for the own picture, 0 for the other one, a half for neither; None for what both have, which tells nothing."""
    if text.strip() in own or text.strip() in other:
        return float(text.strip() in own)
    if degenerate(text):
        return CHANCE
    if labelled:
        found = category(text, own + other + both)
        if not isinstance(found, int):
            return CHANCE
        return float(found < len(own)) if found < len(own) + len(other) else None
    scores = nearness(text, own + other)
    mine, theirs = max(scores[: len(own)]), max(scores[len(own) :])
    return CHANCE if mine == theirs else float(mine > theirs)
