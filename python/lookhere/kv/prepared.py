"""What one sequence of the KV cache holds, so that another prompt which begins alike need not be read again."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .piece import Mark
from .sequence import Acting, KvSequence

if TYPE_CHECKING:
    from ..prompt.layout import Item


class Prepared:
    """Whole items in the KV cache: text tokens and images, and what acted on each.

    owner: the sequence that put them there. used_at: when it was last used, larger is later.
    """

    def __init__(self, owner: KvSequence, used_at: int) -> None:
        self._owner = weakref.ref(owner)
        # images weakly: a scene that nobody holds any more frees its image
        self._items: list[tuple[int | weakref.ref[object], Acting]] = []
        self.used_at = used_at
        self._mark = Mark()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def mark(self) -> Mark:
        """How far the owner was read, the image that is read in pieces included."""
        return self._mark

    @property
    def active(self) -> bool:
        """True while the owner may go on."""
        owner = self._owner()
        return owner is not None and not owner.closed

    def owned_by(self, sequence: KvSequence) -> bool:
        """True for the sequence that put the items there."""
        return self._owner() is sequence

    @property
    def wanted(self) -> bool:
        """False once its first image is gone: nobody can ask about it again."""
        first = next((what for what, _ in self._items if not isinstance(what, int)), None)
        return first is None or first() is not None

    def can_be_taken(self, count: int) -> bool:
        """Whether another sequence may go on after the first items: nobody needs the rest, and no image is lost."""
        return not self.active and all(isinstance(what, int) for what, _ in self._items[count:])

    def advance(self, sequence: KvSequence, mark: Mark) -> None:
        """The owner was read up to a mark."""
        for item, acting in zip(
            sequence.items[len(self) : mark.items], sequence.acting[len(self) : mark.items], strict=True
        ):
            self._items.append((item if isinstance(item, int) else weakref.ref(item), acting))
        self._mark = mark

    def cut(self, count: int) -> None:
        """Forgets all but so many whole items."""
        del self._items[count:]
        self._mark = Mark(count)

    def taken_over(self, owner: KvSequence, count: int, used_at: int) -> Prepared:
        """The first items, now another sequence's."""
        other = Prepared(owner, used_at)
        other._items = self._items[:count]
        other._mark = Mark(count)
        return other

    def common(self, items: Sequence[Item], acting: Sequence[Acting], most: int) -> int:
        """How many items, at most so many, it holds just as a cold read of these would make them."""
        count = 0
        for (held, acted), item, acts in zip(self._items, items, acting, strict=False):
            same = held == item if isinstance(held, int) else not isinstance(item, int) and held() is item
            if count == most or not same or acted != acts:
                break
            count += 1
        return count
