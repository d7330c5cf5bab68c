"""What one answer puts into the KV cache: its prompt, the tokens that follow, and the aim that acted on each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

from ..prompt.layout import Layout
from ..steering.aim import Aim

if TYPE_CHECKING:
    from ..prompt.layout import Item

Acting: TypeAlias = "tuple[str, int | None] | None"
"""What acted on an item when it was read: the steering's fingerprint, and the prompt's end where that makes a
difference; None where nothing did."""


class KvSequence:
    """The record of an answer, from which its part of the KV cache can be made at any time.

    It holds nothing of the cache: what it has there may be evicted, and is read again, under the same aims, when the
    answer goes on. aim: what acts on the items that are read next, None for nothing. layers: whose attention is read.
    room: tokens that may still follow the prompt. slot: the cache's slot that it was last read into. cached: tokens
    of the prompt that the cache held already when it was first read; None before.
    """

    def __init__(self, layout: Layout, aim: Aim | None = None, *, room: int, layers: Iterable[int] = ()) -> None:
        self.layout = layout
        self.aim = aim
        self.layers = tuple(sorted(set(layers)))
        self.room = room
        self.slot: int | None = None
        self.cached: int | None = None
        self.closed = False
        self._items: list[Item] = list(layout.items)
        self._aims: list[Aim | None] = []  # of each item, as far as they are settled
        self._acting: list[Acting] = []
        self._checkpoints = tuple(sorted({*layout.shown_ends, len(layout.items) - 1} - {0, len(layout.items)}))

    def __len__(self) -> int:
        return len(self._items)

    @property
    def tokens(self) -> int:
        """Tokens of all items."""
        return self.layout.tokens + len(self._items) - len(self.layout.items)

    def tokens_before(self, index: int) -> int:
        """Tokens of the first items."""
        known = len(self.layout.items)
        return self.layout.ends[index] if index <= known else self.layout.tokens + index - known

    def position(self, index: int) -> int:
        """Position of an item, or of the one after the last."""
        known = len(self.layout.items)
        return self.layout.starts[index] if index <= known else self.layout.prompt_end + index - known

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Items of the prompt before which other prompts part from it most: after each image and document, and before
        the last token. What recurrent layers know is kept there."""
        return self._checkpoints

    @property
    def items(self) -> list[Item]:
        """The prompt and the tokens after it."""
        return self._items

    @property
    def acting(self) -> list[Acting]:
        """What acts on each item."""
        self.settle()
        return self._acting

    def settle(self) -> None:
        """The aim of now is the one under which all items are read that have none yet."""
        for index in range(len(self._aims), len(self._items)):
            self._aims.append(self.aim)
            self._acting.append(self._acts(self.aim, self.position(index)))

    def feed(self, tokens: Iterable[int]) -> None:
        """Adds generated tokens, to be read next."""
        before = len(self._items)
        self._items.extend(tokens)
        self.room = max(0, self.room - (len(self._items) - before))

    def rewind(self) -> None:
        """Takes back all that follows the prompt, so that another answer can follow it."""
        count = len(self.layout.items)
        self.room += len(self._items) - count
        for each in (self._items, self._aims, self._acting):
            del each[count:]

    def first_query(self, aim: Aim) -> int:
        """First position that an aim steers here."""
        return aim.push.first_query(image_end=self.layout.image_end, prompt_end=self.layout.prompt_end)

    def aim_of(self, index: int) -> Aim | None:
        """The aim under which an item is read."""
        return self._aims[index]

    def _acts(self, aim: Aim | None, position: int) -> Acting:
        if aim is None or position < self.first_query(aim):
            return None
        # keys after the prompt are told apart from those in it, where their biases differ
        apart = aim.push.prompt_bias != aim.push.generated_bias and position >= self.layout.prompt_end
        return aim.fingerprint, self.layout.prompt_end if apart else None
