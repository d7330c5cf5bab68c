"""Where a sequence of the KV cache can be cut: anywhere, or where the state of recurrent layers was kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .piece import Mark
from .sequence import KvSequence

if TYPE_CHECKING:
    from .. import _engine


@dataclass(frozen=True)
class Cuts:
    """anywhere: False for a model with recurrent layers. It is read again from the last place before, where a state was
    kept: after each image, and before a prompt's last token."""

    anywhere: bool

    def stop(self, sequence: KvSequence, mark: Mark, stop: int) -> int:
        """Before which item a piece ends that begins at a mark; at most so many."""
        if self.anywhere:
            return stop
        return min((each for each in sequence.checkpoints if mark.items < each < stop), default=stop)

    def is_checkpoint(self, sequence: KvSequence, mark: Mark) -> bool:
        """Whether a state is kept where a sequence was read up to a mark."""
        return not self.anywhere and mark == Mark(mark.items) and mark.items in sequence.checkpoints

    def shareable(self, sequence: KvSequence, count: int) -> int:
        """Of so many items that it has in common with one that is still to be read, those that it can share."""
        return count if self.anywhere else max((each for each in sequence.checkpoints if each <= count), default=0)

    def kept(self, native: _engine.Session, sequence: KvSequence, slot: int, count: int) -> int:
        """How many of so many items that a slot of the engine holds it keeps when it is cut after them."""
        position = native.resumable(sequence.position(count), slot)
        while sequence.position(count) > position:
            count -= 1
        return count
