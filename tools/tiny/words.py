"""Words: the vocabulary of a tiny model. Every word that the training says is one token; all else falls apart to bytes.

A word is joined letter by letter from its start, by a chain of merges or of scored pieces, which llama.cpp's tokenizers
follow to its end. `tokens` cuts a text as they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import gguf
import lookhere_source  # noqa: F401
import world
from families.vocabulary import Vocabulary
from lookhere import questions

_PIECE = re.compile(r" ?[A-Za-z]+| ?[^A-Za-z\s]|\n\n|\s")
SHORT = "Describe the {k} panel."
OPEN = (questions.AMBIGUOUS, questions.PANEL)


def every_text() -> list[str]:
    """All that is asked and answered."""
    asked = [questions.ordinal(k, n) for n in range(1, 7) for k in range(n)]
    asked += [SHORT.format(k=word) for word in questions.ORDINALS[: world.PANELS]]
    return [*asked, *OPEN, *map(world.caption, world.EVERY)]


def pieces(text: str) -> list[str]:
    """A text as words, each with the blank before it."""
    return _PIECE.findall(text)


class Words:
    """kind: "llama" (SentencePiece) or "gpt2" (byte pairs). special: control tokens; others: texts of the template."""

    def __init__(self, kind: str, special: Sequence[str], others: Iterable[str], template: str, *, bos: str, eos: str,
                 add_bos: bool, pre: str = "default") -> None:  # fmt: skip
        self.kind = kind
        said = dict.fromkeys(piece for text in (*others, *every_text()) for piece in pieces(text))
        # words after a blank first, so that no word without one is joined within them
        words = sorted(
            (self._spelled(word) for word in said if kind != "llama" or word.strip("\n")),
            key=lambda word: not word.startswith(self._blank),
        )
        steps = dict.fromkeys(word[:end] for word in words for end in range(2, len(word) + 1))
        if kind == "llama":
            base = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
            singles = sorted({letter for word in words for letter in word} - {"\n"})
            tokens = [*base, *steps, *singles]
            kinds = [int(gguf.TokenType.UNKNOWN), *[int(gguf.TokenType.BYTE)] * 256]
            merges: list[str] = []
        else:
            tokens = [*_byte_letters().values(), *steps]
            kinds, merges = [], [f"{step[:-1]} {step[-1]}" for step in steps]
        kinds += [int(gguf.TokenType.NORMAL)] * (len(tokens) - len(kinds))
        for token in dict.fromkeys((*special, bos, eos)):
            tokens.append(token)
            kinds.append(int(gguf.TokenType.CONTROL))
        scores = [-float(k) for k in range(len(tokens))] if kind == "llama" else []
        self.vocabulary = Vocabulary(kind, pre, tuple(tokens), tuple(kinds), tuple(scores), tuple(merges), bos, eos,
                                     add_bos, template)  # fmt: skip
        self._ids = {token: index for index, token in enumerate(tokens)}
        self._special = re.compile("(" + "|".join(map(re.escape, self.vocabulary.special)) + ")")

    @property
    def _blank(self) -> str:
        return "▁" if self.kind == "llama" else "Ġ"

    def _spelled(self, piece: str) -> str:
        if self.kind == "llama":
            return piece.replace(" ", "▁")
        letters = _byte_letters()
        return "".join(letters[byte] for byte in piece.encode())

    def id(self, token: str) -> int:
        """A token's number."""
        return self._ids[token]

    def tokens(self, text: str) -> list[int]:
        """The numbers of a text's tokens, control tokens among them."""
        found = []
        for part in self._special.split(text):
            if part in self.vocabulary.special:
                found.append(self._ids[part])
                continue
            for piece in pieces(part):
                token = self._spelled(piece)
                if self.kind == "llama" and not piece.strip("\n"):
                    found += [self._ids["<0x0A>"]] * len(piece)
                else:
                    found.append(self._ids[token])
        return found


def _byte_letters() -> dict[int, str]:
    """What GPT-2's vocabulary writes for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in plain}
    for byte in range(256):
        letters.setdefault(byte, chr(256 + len(letters) - len(plain)))
    return letters
