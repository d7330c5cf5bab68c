"""The words of an answer, and where the model looked for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..tokens.gaze import Gaze
from ..tokens.readback import Where

_UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # kana and Han characters: each is a word of its own
_LETTERS = rf"(?:(?!{_UNSPACED})\w)+"
_WORD = re.compile(rf"{_UNSPACED}|{_LETTERS}(?:['’-]{_LETTERS})*")


@dataclass(frozen=True, repr=False)
class Word:
    """A word without the punctuation around it. start, stop: its steps, start <= index < stop.

    reading: natural attention of the heads that read, averaged from the query that chose the word's first token to the
    query of its last token. A word whose last token ends the answer lacks the last of these.
    """

    text: str
    start: int
    stop: int
    reading: Gaze = Gaze()

    def __post_init__(self) -> None:
        checks.kinds(self, text=str, start=int, stop=int, reading=Gaze)

    def __repr__(self) -> str:
        return f"<Word {checks.short(self.text, 60)}, steps {self.start} to {self.stop - 1}>"

    def where(self) -> Where | None:
        """Where the model looked for this word; None where no gaze was read."""
        return self.reading.where()


def words_of(texts: Sequence[str], readings: Sequence[Gaze]) -> tuple[Word, ...]:
    """The words of an answer in order; a token that two words share counts for both.

    texts, readings: what each token adds, and what was read for it.
    """
    text = "".join(texts)
    ends = np.cumsum([len(each) for each in texts])
    found = []
    for match in _WORD.finditer(text):
        # the first token that reaches into the word, after those that end before it; a token whose text came late
        # (bytes of one character) ends where the next begins
        start = int(np.searchsorted(ends, match.start(), side="right"))
        stop = int(np.searchsorted(ends, match.end(), side="left")) + 1
        while start > 0 and not texts[start - 1]:
            start -= 1
        found.append(Word(match[0], start, stop, Gaze.mean(readings[start : stop + 1])))
    return tuple(found)
