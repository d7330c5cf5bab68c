"""Whose caption an answer is: word for word on generated pictures, by rare words or by category on others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Literal, Protocol, TypeAlias

from .outcome import Outcome, Pick, outcome
from .reply import Reply

JudgeName: TypeAlias = Literal["exact", "overlap", "category"]

SAME = 0.9
"""An answer that shares more than this of its words with the unsteered one counts as the same (Jaccard)."""

_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the and or of in on at to is are was were it its this that with by for from as into their his her there "
        "panel comic strip image picture shows shown scene what who he she they",
    )
)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+")
_PERSON = frozenset({"man", "woman", "boy", "girl", "people", "men", "women", "child", "player", "lady", "guy"})


class Judge(Protocol):
    """Tells which of the captions a reply is about. name: for reports."""

    @property
    def name(self) -> str: ...
    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply; None where this judge cannot tell, for instance of a part of a longer answer."""
        ...


class Exact:
    """Word for word. none: a well-formed caption of no panel; anything else is junk."""

    name = "exact"

    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply."""
        return [exact(reply.text, captions) for reply in replies]


class Overlap:
    """The caption that shares the most rare words, see ``nearest``."""

    name = "overlap"

    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply."""
        return [overlap(reply.text, captions) for reply in replies]


class Category:
    """For labels of a word or two: the one that the answer names first; none where it names none."""

    name = "category"

    def picks(self, replies: Sequence[Reply], captions: Sequence[str]) -> list[Pick | None]:
        """One per reply."""
        return [category(reply.text, captions) for reply in replies]


def judge(name: JudgeName, answer: str, captions: Sequence[str], target: int) -> Outcome:
    """The outcome of an answer about captions[target], by one of the judges that read nothing but text."""
    return outcome({"exact": exact, "overlap": overlap, "category": category}[name](answer, captions), target)


def exact(answer: str, captions: Sequence[str]) -> Pick:
    """The caption that the answer is, word for word."""
    text = answer.strip()
    if text in captions:
        return captions.index(text)
    return "none" if text in well_formed() else "junk"


def overlap(answer: str, captions: Sequence[str]) -> Pick:
    """The nearest caption; junk is told by ``degenerate``."""
    if degenerate(answer):
        return "junk"
    panel = nearest(answer, captions)
    return "none" if panel is None else panel


def category(answer: str, labels: Sequence[str]) -> Pick:
    """The label whose words stand first in the answer; a person may be called by another word."""
    if degenerate(answer):
        return "junk"
    said = [_stem(word) for word in re.findall(r"[^\W\d_]+", answer.lower())]
    found = []
    for index, label in enumerate(labels):
        words = [_stem(word) for word in re.findall(r"[^\W\d_]+", label.lower())]
        places = [at for at in range(len(said) - len(words) + 1) if said[at : at + len(words)] == words]
        if label.lower() == "person":
            places += [at for at, word in enumerate(said) if word in {_stem(each) for each in _PERSON}]
        if places:
            found.append((min(places), -len(words), index))
    return min(found)[2] if found else "none"


def degenerate(text: str) -> bool:
    """Whether a text is no language at all: no word of two letters, mostly other signs, or words in a loop."""
    words = re.findall(r"[^\W\d_]{2,}", text.lower())
    if not words or sum(map(len, words)) < len(re.sub(r"\s", "", text)) / 2:
        return True
    return len(words) >= 3 and len(set(words)) < len(words) / 2


def nearest(answer: str, captions: Sequence[str]) -> int | None:
    """Index of the caption that shares the most words with an answer, see ``nearness``. None where no word is shared or
    two captions are equally near."""
    scores = nearness(answer, captions)
    best = max(scores, default=0.0)
    return scores.index(best) if best > 0 and scores.count(best) == 1 else None


def nearness(answer: str, captions: Sequence[str]) -> list[float]:
    """What each caption shares with an answer, a word weighing 1 / (captions that have it); words of every caption
    weigh nothing."""
    said = content_words(answer)
    known = [content_words(caption) for caption in captions]
    common = Counter(word for words in known for word in words)
    weights = {word: 1 / count for word, count in common.items() if count < len(captions) or len(captions) == 1}
    return [sum(weights.get(word, 0.0) for word in words & said) for words in known]


def jaccard(one: str, other: str) -> float:
    """Words that two texts share / words of either; 1 for two texts without words."""
    first, second = (set(re.findall(r"\w+", text.lower())) for text in (one, other))
    return len(first & second) / len(first | second) if first | second else 1.0


@cache
def well_formed() -> frozenset[str]:
    """Every caption and label that a generated comic or scene can have."""
    from ..comics import SUBJECTS, Panel
    from ..comics.drawing.actions import ACTIONS, PAIRED
    from ..comics.drawing.places import PLACES
    from ..comics.drawing.subjects import TINTS as SUBJECT_TINTS
    from ..comics.drawing.things import THINGS
    from ..comics.drawing.things import TINTS as THING_TINTS

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


def content_words(text: str) -> set[str]:
    """Words that say something, as stems; each sign of a script that writes no spaces counts as one."""
    return {_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP}


def _stem(word: str) -> str:
    """'running', 'runs' and 'run' alike; crude, and the same for both sides."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
