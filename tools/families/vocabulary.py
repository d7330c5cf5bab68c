"""Vocabulary: tokens of the pinned source's own files, cut where they would make a tiny model large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf

CUT = 4096
"""Tokens that are kept of a large vocabulary. They come in the order of their merges, so that all still join."""


@dataclass(frozen=True)
class Vocabulary:
    """tokens, kinds: one of each per token. scores: empty where the tokenizer has none. bos, eos: names of tokens."""

    model: str
    pre: str
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    scores: tuple[float, ...]
    merges: tuple[str, ...]
    bos: str
    eos: str
    add_bos: bool
    template: str

    @property
    def size(self) -> int:
        """How many tokens."""
        return len(self.tokens)

    def id(self, token: str) -> int:
        """A token's number."""
        return self.tokens.index(token)

    @property
    def special(self) -> dict[str, int]:
        """Control tokens and their numbers."""
        return {
            token: index
            for index, (token, kind) in enumerate(zip(self.tokens, self.kinds, strict=True))
            if kind == gguf.TokenType.CONTROL
        }

    def add_to(self, out: gguf.GGUFWriter) -> None:
        """Everything that a GGUF file of a language model holds of it."""
        out.add_tokenizer_model(self.model)
        out.add_tokenizer_pre(self.pre)
        out.add_token_list(list(self.tokens))
        out.add_token_types(list(self.kinds))
        if self.scores:
            out.add_token_scores(list(self.scores))
        if self.merges:
            out.add_token_merges(list(self.merges))
        out.add_bos_token_id(self.id(self.bos))
        out.add_eos_token_id(self.id(self.eos))
        out.add_add_bos_token(self.add_bos)
        if self.model != "gpt2":
            out.add_add_space_prefix(False)
        out.add_chat_template(self.template)


def read(
    path: Path,
    special: Sequence[str],
    template: str,
    *,
    bos: str,
    eos: str,
    add_bos: bool,
    pre: str | None = None,
    keep: int | None = CUT,
) -> Vocabulary:
    """The tokens of models/ggml-vocab-*.gguf and a family's special ones after them, where they are not among them.

    keep: None for all of its tokens. pre: how a text is split, where the family does it otherwise than the file says.
    """
    known = gguf.GGUFReader(path)

    def of(key: str, otherwise: object = ()) -> object:
        field = known.get_field(f"tokenizer.ggml.{key}")
        return otherwise if field is None else field.contents()

    tokens, kinds = list(of("tokens"))[:keep], list(of("token_type"))[:keep]
    scores, merges = list(of("scores"))[:keep], list(of("merges"))
    held = set(tokens)
    merges = [pair for pair in merges if held.issuperset(pair.split(" ")) and pair.replace(" ", "") in held]
    for token in dict.fromkeys((*special, bos, eos)):
        if token in held:
            kinds[tokens.index(token)] = int(gguf.TokenType.CONTROL)
            continue
        tokens.append(token)
        kinds.append(int(gguf.TokenType.CONTROL))
        if scores:
            scores.append(0.0)
    return Vocabulary(
        str(of("model")), pre or str(of("pre", "default")), tuple(tokens), tuple(kinds), tuple(scores), tuple(merges),
        bos, eos, add_bos, template,
    )  # fmt: skip
