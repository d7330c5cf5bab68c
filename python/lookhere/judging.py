"""Whose caption an answer is: word for word on generated strips, by rare words on others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["right", "other", "invented", "junk"]
"""The target; another panel of the strip; a well-formed caption of no panel; none of these."""

OUTCOMES: tuple[Outcome, ...] = ("right", "other", "invented", "junk")
JudgeName: TypeAlias = Literal["exact", "overlap"]

_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the and or of in on at to is are was were it its this that with by for from as into their his her there "
        "panel comic strip image picture shows shown scene what who he she they",
    )
)


def judge(name: JudgeName, answer: str, captions: Sequence[str], target: int) -> Outcome:
    """The outcome of an answer about captions[target].

    exact: word for word. overlap: the panel whose caption shares the most rare words with the answer, see ``nearest``;
    an answer that is nearest to none is junk.
    """
    if name == "overlap":
        panel = nearest(answer, captions)
        return "junk" if panel is None else "right" if panel == target else "other"
    text = answer.strip()
    if text == captions[target]:
        return "right"
    if text in captions:
        return "other"
    return "invented" if text in well_formed() else "junk"


def nearest(answer: str, captions: Sequence[str]) -> int | None:
    """Index of the caption that shares the most words with an answer, a word weighing 1 / (captions that have it).

    Words of every caption weigh nothing. None where no word is shared or two captions are equally near.
    """
    said = _words(answer)
    known = [_words(caption) for caption in captions]
    common = Counter(word for words in known for word in words)
    weights = {word: 1 / count for word, count in common.items() if count < len(captions) or len(captions) == 1}
    scores = [sum(weights.get(word, 0.0) for word in words & said) for words in known]
    best = max(scores, default=0.0)
    return scores.index(best) if best > 0 and scores.count(best) == 1 else None


@cache
def well_formed() -> frozenset[str]:
    """Every caption and label that a generated comic or scene can have."""
    from .comics import SUBJECTS, Panel
    from .drawing.actions import ACTIONS, PAIRED
    from .drawing.places import PLACES
    from .drawing.subjects import TINTS as SUBJECT_TINTS
    from .drawing.things import THINGS
    from .drawing.things import TINTS as THING_TINTS

    captions = {
        Panel(subject, action, place, tint, count).caption
        for subject in SUBJECTS
        for action in ACTIONS
        for place in PLACES
        for tint in (None, *SUBJECT_TINTS.get(subject, ()))
        for count in ((1, 2) if action in PAIRED else (1,))
    }
    names = {(name, tint) for name in THINGS for tint in (None, *THING_TINTS)}
    names |= {(name, tint) for name in SUBJECTS for tint in (None, *SUBJECT_TINTS.get(name, ()))}
    labels = {name if tint is None else f"{tint} {name}" for name, tint in names}
    return frozenset(captions | {label[0].upper() + label[1:] + "." for label in labels})


def _words(text: str) -> set[str]:
    return {_stem(word) for word in re.findall(r"[^\W\d_]+", text.lower()) if word not in _STOP}


def _stem(word: str) -> str:
    """'running', 'runs' and 'run' alike; crude, and the same for both sides."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
