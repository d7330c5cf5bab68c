"""A piece: what is read next of a sequence, in one batch with pieces of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..steering.aim import Aim
from ..tokens.tiled import of_engine
from .sequence import KvSequence

if TYPE_CHECKING:
    from .. import _engine


class Mark(NamedTuple):
    """How far a sequence was read: whole items, whole parts of the image after them, and tokens of its next part."""

    items: int = 0
    parts: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Piece:
    """Text tokens, or ``count`` tokens of an image part, all read under one aim. after: where the reading is then."""

    aim: Aim | None
    after: Mark
    text: tuple[int, ...] = ()
    image: _engine.EncodedImage | None = None
    part: int = 0
    start: int = 0
    count: int = 0

    @property
    def causal(self) -> bool:
        """False where tokens attend to one another in both directions."""
        return self.image is None or bool(self.image.parts[self.part].causal)

    @property
    def tokens(self) -> int:
        """How many."""
        return len(self.text) or self.count


def next_piece(sequence: KvSequence, mark: Mark, stop: int, most: int) -> Piece:
    """What follows a mark, at most so many tokens: text across items, or tokens of one image part.

    stop: the item before which it ends. An image part whose tokens attend to one another is taken whole, however large.
    """
    aim = sequence.aim_of(mark.items)
    item = sequence.items[mark.items]
    if not isinstance(item, int):
        part = item.parts[mark.parts]
        if part.kind == "image":
            count = min(part.tokens - mark.tokens, most) if part.causal else part.tokens
            whole = mark.tokens + count == part.tokens
            after = _after_part(mark, len(item.parts)) if whole else mark._replace(tokens=mark.tokens + count)
            image, number = of_engine(item, mark.parts)
            return Piece(aim, after, image=image, part=number, start=mark.tokens, count=count)
    text: list[int] = []
    while mark.items < stop and len(text) < most and sequence.aim_of(mark.items) is aim:
        item = sequence.items[mark.items]
        if isinstance(item, int):
            text.append(item)
            mark = Mark(mark.items + 1)
            continue
        part = item.parts[mark.parts]
        if part.kind == "image":
            break
        added = part.text[mark.tokens : mark.tokens + most - len(text)]
        text += added
        whole = mark.tokens + len(added) == part.tokens
        mark = _after_part(mark, len(item.parts)) if whole else mark._replace(tokens=mark.tokens + len(added))
    return Piece(aim, mark, tuple(text))


def tokens_left(sequence: KvSequence, mark: Mark) -> int:
    """Tokens from a mark to the end of a sequence."""
    left = sequence.tokens - sequence.tokens_before(mark.items) - mark.tokens
    if mark.parts:
        item = sequence.items[mark.items]
        assert not isinstance(item, int), "only an image has parts"
        left -= sum(part.tokens for part in item.parts[: mark.parts])
    return left


def _after_part(mark: Mark, parts: int) -> Mark:
    return Mark(mark.items + 1) if mark.parts + 1 == parts else Mark(mark.items, mark.parts + 1)
