"""A text as tokens, and the characters that each of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import checks
from ..errors import TextError
from ..texts.text import Text
from ..tokens.text_grid import TextGrid

if TYPE_CHECKING:
    from .. import _engine


@dataclass(frozen=True, eq=False)
class TokenizedText:
    """ids: read as plain text, so that nothing in it is a special token. grid: where they lie in the text."""

    ids: tuple[int, ...]
    grid: TextGrid

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self.ids)


def tokenized(model: _engine.Model, text: Text) -> TokenizedText:
    """A text as tokens of its own, whatever stands before and after it in a prompt.

    TextError where the tokens spell another text, so that characters have no place in them.
    """
    ids = model.tokenize(text.document, parse_special=False)
    pieces = [model.piece(token) for token in ids]
    spelled = b"".join(pieces)
    before = _before(spelled, text.document)
    if before is None:
        raise TextError(_changed(spelled, text))
    ends = np.cumsum([0, *map(len, pieces)])
    starts = np.cumsum([0, *(len(character.encode()) for character in text.document)])
    return TokenizedText(tuple(ids), TextGrid.of(np.interp(ends - before, starts, np.arange(len(starts)))))


def _before(spelled: bytes, document: str) -> int | None:
    """Bytes before the document in what the tokens spell: 1 for the space that SentencePiece writes there. None where
    they spell another text."""
    if spelled == document.encode():
        return 0
    return 1 if spelled == b" " + document.encode() else None


def _changed(spelled: bytes, text: Text) -> str:
    whole = text.document.encode()
    at = next((k for k, (one, other) in enumerate(zip(spelled, whole, strict=False)) if one != other), len(spelled))
    character = len(whole[:at].decode(errors="ignore"))
    around = checks.short(text.document[max(0, character - 10) : character + 10])
    return (
        f"The model's tokenizer changes the text at character {character}, near {around}, so that no place in it can "
        "be pointed at; expected a tokenizer that keeps texts as they are, or a text without such characters."
    )
