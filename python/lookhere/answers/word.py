"""The words of an answer, and where the model looked for each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..tokens.frame import Frame
from ..tokens.grid import Map, mean_maps
from ..tokens.readback import Where, read_back

if TYPE_CHECKING:
    from .run import Step

_UNSPACED = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # kana and Han characters: each is a word of its own
_LETTERS = rf"(?:(?!{_UNSPACED})\w)+"
_WORD = re.compile(rf"{_UNSPACED}|{_LETTERS}(?:['’-]{_LETTERS})*")


@dataclass(frozen=True, eq=False)
class Word:
    """A word without the punctuation around it. start, stop: its steps, start <= index < stop.

    reading: one (rows, cols) float32 map per token grid: natural attention of the heads that read, averaged from the
    query that chose the word's first token to the query of its last token. A word whose last token ends the answer
    lacks the last of these.
    """

    text: str
    start: int
    stop: int
    reading: tuple[Map, ...] = ()
    frame: Frame | None = None

    def where(self) -> Where | None:
        """Where the model looked for this word; None where no gaze was read."""
        return read_back(self.reading, self.frame) if self.reading and self.frame else None


def words_of(steps: Sequence[Step]) -> tuple[Word, ...]:
    """The words of an answer in order; a token that two words share counts for both."""
    text = "".join(step.text for step in steps)
    ends = np.cumsum([len(step.text) for step in steps])
    found = []
    for match in _WORD.finditer(text):
        # the first token that reaches into the word, after those that end before it; a token whose text came late
        # (bytes of one character) ends where the next begins
        start = int(np.searchsorted(ends, match.start(), side="right"))
        stop = int(np.searchsorted(ends, match.end(), side="left")) + 1
        while start > 0 and not steps[start - 1].text:
            start -= 1
        reading = mean_maps([step.reading for step in steps[start : stop + 1]])
        found.append(Word(match[0], start, stop, reading, steps[start].frame))
    return tuple(found)
