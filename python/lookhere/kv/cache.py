"""The KV cache: which sequence holds which prompt, and which goes where they no longer all fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from .. import limits
from ..engine import compiled
from ..errors import ClosedError, ContextError
from . import memory, size
from .cuts import Cuts
from .piece import Mark
from .prepared import Prepared
from .sequence import KvSequence

if TYPE_CHECKING:
    from .. import _engine

_log = logging.getLogger("lookhere.cache")

_ROOM = 1024
"""A context that grows does so in steps of this many tokens."""


class Cache:
    """The engine's session of one model, created at first use.

    Every prompt that was asked stays in a slot, a sequence of the engine. Where they no longer fit, the least recently
    used is evicted, and read again on demand. context: tokens, None to grow with what is asked. kv_budget: bytes up to
    which a growing context keeps prompts; what is asked now may take more. on_gpu: the cache does not lie in main
    memory.
    """

    def __init__(
        self,
        model: _engine.Model,
        *,
        context: int | None,
        kv_budget: int,
        threads: int,
        kv_type: str,
        flash_attention: str,
        on_gpu: bool = False,
    ) -> None:
        self.model: Callable[[], _engine.Model] = lambda: model  # loads it again where it was freed
        self._trained, self._state_size = model.context_train, model.state_bytes
        self._context = context
        self._token_bytes = size.bytes_per_token(model, kv_type)
        self._budget = kv_budget
        self.sequences = size.sequences(model, kv_budget)
        self.cuts = Cuts(anywhere=not model.recurrent)
        self._threads, self._kv_type, self._flash_attention = threads, kv_type, flash_attention
        self._on_gpu = on_gpu
        self._native: _engine.Session | None = None
        self._prepared: list[Prepared | None] = [None] * self.sequences
        self._clock = 0
        self._failed: int | None = None  # tokens of a context that could not be made

    @property
    def context(self) -> int:
        """Tokens that it holds now; 0 before first use."""
        native = self._native  # another thread may close it
        return native.context if native else 0

    @property
    def fixed(self) -> bool:
        """True if it does not grow."""
        return self._context is not None

    @property
    def limit(self) -> int:
        """Tokens that it may hold at most."""
        return self._context or (self._trained if 0 < self._trained <= limits.CONTEXT else limits.CONTEXT)

    @property
    def reach(self) -> int:
        """Tokens up to which it grows to keep prompts."""
        return self._context or max(self.context, self._most)

    @property
    def _most(self) -> int:
        """Tokens that the budget and memory hold, beside what the engine computes in."""
        left = self._budget - self._state_bytes - (self._native.compute_bytes if self._native else 0)
        known = self.limit if self._failed is None else self._failed - 1
        return max(0, min(self.limit, known, int(left / self._token_bytes)))

    @property
    def _state_bytes(self) -> int:
        """Bytes of what recurrent layers keep: a state of each sequence, and those that can be gone back to."""
        kept = self._native.checkpoint_bytes if self._native else 0
        return self.sequences * self._state_size + kept

    @property
    def native(self) -> _engine.Session:
        """The engine's session; ClosedError if there is none."""
        if self._native is None:
            raise ClosedError("The model is closed; load it again.")
        return self._native

    def held(self, sequence: KvSequence) -> Prepared | None:
        """What the cache holds of a sequence where it was last read; None once that was evicted."""
        found = self._prepared[sequence.slot] if sequence.slot is not None else None
        return found if found is not None and found.owned_by(sequence) else None

    def mark(self, sequence: KvSequence) -> Mark:
        """How far a sequence was read, where the cache still holds it."""
        held = self.held(sequence)
        return held.mark if held is not None else Mark()

    def inactive(self, slots: Iterable[int]) -> list[int]:
        """Those of the slots whose sequence was evicted or has ended."""
        return [slot for slot in slots if (each := self._prepared[slot]) is None or not each.active]

    def longest(self, sequence: KvSequence, most: int) -> tuple[int | None, int]:
        """-> the slot that holds most of a sequence's items, and how many, at most so many; None where none does."""
        own = self.held(sequence)
        if own is not None and sequence.slot is not None:
            return sequence.slot, self._kept(sequence, sequence.slot, most) if most < len(own) else len(own)
        items, acting = sequence.items, sequence.acting
        counts = [each.common(items, acting, most) if each else 0 for each in self._prepared]
        counts = [self._kept(sequence, slot, count) for slot, count in enumerate(counts)]
        best = max(range(self.sequences), key=counts.__getitem__)
        return (best, counts[best]) if counts[best] else (None, 0)

    def trim(self, sequence: KvSequence, slot: int, count: int) -> None:
        """Cuts a slot after so many items, if it is about to be taken over: what is lost then makes room now."""
        known = self._prepared[slot]
        if known is not None and not known.owned_by(sequence) and known.can_be_taken(count):
            self.native.truncate(sequence.position(count), slot)
            known.cut(count)

    def place(self, sequence: KvSequence, most: int, keep: Collection[int]) -> int:
        """Gives a sequence a slot. -> how many of its items, at most so many, the slot holds already.

        Items that another sequence holds are shared with it, or taken over where it has ended and nothing but text
        would be lost. keep: slots that must not be emptied for it.
        """
        base, count = self.longest(sequence, most)
        self._clock += 1
        own = self.held(sequence)
        if own is not None and sequence.slot is not None:
            if count < len(own):
                self.native.truncate(sequence.position(count), sequence.slot)
                own.cut(count)
            own.used_at = self._clock
            return count
        known = self._prepared[base] if base is not None else None
        if base is not None and known is not None and known.can_be_taken(count):
            slot = base
            self._prepared[slot] = None
            self.native.truncate(sequence.position(count), slot)
        else:
            slot = next(each for each in self._oldest() if each != base and each not in keep)
            if self._prepared[slot] is not None:
                self._empty(slot)
            if base is not None:
                self.native.share(base, slot, sequence.position(count))
        if known is not None:
            self._prepared[slot] = known.taken_over(sequence, count, self._clock)
        else:
            self._prepared[slot] = Prepared(sequence, self._clock)
        sequence.slot = slot
        return count

    def note(self, sequence: KvSequence, mark: Mark) -> None:
        """The slot of a sequence was read up to a mark."""
        prepared = self.held(sequence)
        assert prepared is not None, "it was placed"
        prepared.advance(sequence, mark)
        if sequence.slot is not None and self.cuts.is_checkpoint(sequence, mark):
            self.native.checkpoint(sequence.slot)
            self._forget_states()

    def settle(self, sequence: KvSequence) -> None:
        """After a batch that failed: whole items that were noted stay, as far as can be, anything else goes."""
        prepared = self.held(sequence)
        if prepared is None or sequence.slot is None:
            return
        try:
            prepared.cut(self._kept(sequence, sequence.slot, len(prepared)))
            self.native.truncate(sequence.position(len(prepared)), sequence.slot)
        except compiled().EngineError:
            self.drop()

    def make_room(self, tokens: int, held: int, keep: Collection[int], own: Collection[int]) -> None:
        """Makes room for so many tokens: the cache is made, or made larger, which empties it; or others are evicted.

        held: tokens that what is asked now has in the cache already. keep: slots that hold them; of these all but its
        own ones are evicted, too, where there is no room otherwise. ContextError.
        """
        total = held + tokens  # of what is asked now
        most = self._context or max(total, self._most)
        native = self._working()
        # to grow loses the other prompts: seldom, and at least to twice as much
        size, used = (native.context, native.context - native.room) if native else (0, 0)
        wanted = self._context or min(most, -(-max(total, used + tokens, 2 * size) // _ROOM) * _ROOM)
        for each in (wanted, total):  # or what is asked now, and nothing beside it
            if native is not None and (tokens <= native.room or each <= size):
                break
            try:
                self._check_memory(each)
                self.drop()
                self._native = self._new(each)
                return
            except ContextError:
                if self.fixed or each == total:
                    raise
        if not self.evict(tokens, keep):
            self.evict(total, own)

    def evict(self, tokens: int, keep: Collection[int]) -> bool:
        """Evicts others, the oldest first, until so many tokens fit. -> whether they do."""
        if tokens <= self.native.room:  # at nearly every step
            return True
        for slot in self._oldest():
            if slot not in keep:
                self._empty(slot)
                if tokens <= self.native.room:
                    return True
        return False

    def drop(self) -> None:
        """Frees everything."""
        native, self._native = self._native, None
        self._prepared = [None] * self.sequences
        if native is not None:
            native.close()

    def _working(self) -> _engine.Session | None:
        """The engine's session, if there is one that works."""
        if self._native is not None:
            try:
                _ = self._native.room
            except compiled().EngineError:
                self.drop()
        return self._native

    def _kept(self, sequence: KvSequence, slot: int, count: int) -> int:
        """How many of so many items that a slot holds it keeps when it is cut after them."""
        return self.cuts.kept(self.native, sequence, slot, count) if count and not self.cuts.anywhere else count

    def _forget_states(self) -> None:
        """Evicts answers that have ended, the oldest first, while recurrent states take more than the budget."""
        for slot in self._oldest():
            if (known := self._prepared[slot]) and not known.active and self._state_bytes > self._budget:
                self._empty(slot)

    def _empty(self, slot: int) -> None:
        self._prepared[slot] = None
        try:
            self.native.truncate(0, slot)
        except compiled().EngineError:
            self.drop()

    def _oldest(self) -> list[int]:
        """Slots in eviction order: empty, orphaned, then those of answers that have ended, then oldest."""

        def worth(slot: int) -> tuple[int, int]:
            each = self._prepared[slot]
            if each is None:
                return 0, 0
            return (3 if each.active else 2 if each.wanted else 1), each.used_at

        return sorted(range(self.sequences), key=worth)

    def _check_memory(self, context: int) -> None:
        """ContextError where a context would not fit in place of this one. The system promises memory freely, and kills
        the process later."""
        free = None if self._on_gpu else memory.available()
        needed = context * self._token_bytes + self._state_bytes
        held = self.context * self._token_bytes + (self._state_bytes if self._native else 0)
        if free is not None and needed > free + held:
            raise ContextError(
                f"A context of {context} tokens takes {needed / 2**30:.1f} GiB with kv_type={self._kv_type!r}; "
                f"{free / 2**30:.1f} GiB of memory are free. Use a smaller context= (--context), a smaller max_tokens= "
                "(--max-tokens) or kv_type='q8_0'."
            )

    def _new(self, context: int) -> _engine.Session:
        needed = context * self._token_bytes + self._state_bytes
        _log.info("A context of %d tokens, %.1f MiB of keys, values and states.", context, needed / 2**20)
        try:
            made: _engine.Session = compiled().Session(
                self.model(),
                context=context,
                sequences=self.sequences,
                threads=self._threads,
                kv_type=self._kv_type,
                flash_attention=self._flash_attention,
            )
            return made
        except (compiled().EngineError, MemoryError) as error:
            self._failed = context
            raise ContextError(
                f"A context of {context} tokens with kv_type={self._kv_type!r} cannot be made: {error or 'no memory'}. "
                "Use a smaller context= or kv_type='q8_0'; if that does not help, the model file is damaged."
            ) from error
