"""What runs in the KV cache of a model: engine steps, each for one sequence or for several at once."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine import compiled, engine_errors
from ..errors import CancelledError, ClosedError, ContextError
from ..process.forks import renew
from ..steering.aim import Aim
from ..steering.head_set import Head
from .cache import Cache
from .sequence import KvSequence
from .turns import Turns

if TYPE_CHECKING:
    from .. import _engine

AT_ONCE = 8
"""Sequences that are computed together at most."""


class Session:
    """The engine steps of one model. A caller takes a turn, makes one step for its sequences, and reads the result.

    Sequences may belong to different images, prompts and aims; what one lacks in the cache is read first.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._turns = Turns()
        self._closed = False
        # by slot, what the engine was told; weakly, so that an answer that has ended frees its images
        self._told: dict[int, tuple[weakref.ref[KvSequence], Aim | None]] = {}
        self._heads: tuple[Head, ...] = ()
        self._probed: tuple[int, ...] = ()
        self._made: _engine.Session | None = None  # what the three above were told to
        renew(self)

    def after_fork(self) -> None:
        """Drops the cache: its worker threads are not in the child, which reads again what it needs."""
        self._cache.drop()

    @property
    def context(self) -> int:
        """Tokens that the KV cache holds now; 0 before first use."""
        return self._cache.context

    @property
    def limit(self) -> int:
        """Tokens that the KV cache may hold at most."""
        return self._cache.limit

    @property
    def native(self) -> _engine.Session:
        """The engine's session, for a sampler and for reading a step's rows; only within a turn."""
        return self._cache.native

    @contextmanager
    def turn(self, cancel: _engine.CancelFlag | None = None) -> Iterator[None]:
        """Waits for the steps of others, first come, first served, and has the engine until the end of the block.

        ClosedError after close, CancelledError, BusyError from inside a step.
        """
        with self._turns.take(cancel):
            try:
                self._check_open()
                yield
            finally:
                if self._closed:
                    self._cache.drop()

    def at_once(self, sequences: Sequence[KvSequence]) -> int:
        """How many of the first sequences can be computed together: 1 where steered heads differ, what they have in
        common ends before the last image, or the context has no room for more."""
        first = sequences[0]
        count = 1
        heads = {each.aim.heads for each in (first,) if each.aim}
        while count < min(AT_ONCE, len(sequences)):
            other = sequences[count]
            heads |= {other.aim.heads} if other.aim else set()
            shared = _shared(first, other)
            if len(heads) > 1 or first.position(shared) < first.layout.image_end or not shared:
                break
            own = other.tokens - other.tokens_before(shared) + other.room
            if first.tokens + count * own + own > self._cache.reach:
                break
            count += 1
        return count

    def step(
        self,
        sequences: Sequence[KvSequence],
        tokens: Sequence[Sequence[int]] | None = None,
        *,
        cancel: _engine.CancelFlag | None = None,
    ) -> None:
        """One engine step: appends the tokens to each sequence; before it, what the cache lacks of them is read.

        tokens: for one sequence any number, of which each gets a row; for several at most one each. Without tokens the
        row is that of the prompt's last token. The logits and attention of row i are ready then, for sequence i where
        there are several. Several must agree in the heads that they steer. ContextError, CancelledError, EngineFailure.
        """
        fed = tokens if tokens is not None else [()] * len(sequences)
        for sequence, new in zip(sequences, fed, strict=True):
            sequence.feed(new)
        alone = len(sequences) == 1
        rows = max(1, len(fed[0])) if alone else 1
        self._make_room(sequences, rows)
        self._probe(sorted({layer for each in sequences for layer in each.layers}))
        keep: set[int] = {each.slot for each in sequences if each.slot is not None}
        try:
            for sequence in sequences:
                stop = len(sequence) if alone else len(sequence) - 1
                self._read(sequence, len(sequence) - rows, stop, keep, cancel)
                keep |= {each.slot for each in sequences if each.slot is not None}
            if not alone:
                self._read_last(sequences, cancel)
        except BaseException as error:
            for sequence in sequences:
                if isinstance(error, CancelledError):
                    self._cache.settle(sequence)
                else:
                    self._cache.forget(sequence)
            raise
        self._clear_inactive()

    def has_room(self, sequences: Sequence[KvSequence]) -> bool:
        """Whether a further token of each fits, others evicted for it if need be."""
        return self._cache.evict(len(sequences), {each.slot for each in sequences if each.slot is not None})

    def attention(self, heads: Sequence[Head], *, steered: bool, row: int = -1) -> NDArray[np.float32]:
        """(len(heads), image tokens) float32: post-softmax mass of an output row in probed heads."""
        with engine_errors("reading attention"):
            mass = self.native.attention(row, steered=steered)
        layers = [self._probed.index(layer) for layer, _ in heads]
        return np.asarray(mass[layers, [head for _, head in heads]], dtype=np.float32)

    def close(self) -> None:
        """Frees the cache, after the step of another thread if there is one. May be called twice."""
        self._closed = True
        if not self._turns.mine:  # else the turn's end frees it
            with suppress(CancelledError), self._turns.take():  # at the end of the program it may never come
                self._cache.drop()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("The model is closed; load it again.")

    def _make_room(self, sequences: Sequence[KvSequence], rows: int) -> None:
        """Room for what is read now, and for what may follow it where that was not reserved before."""
        limit = self.limit
        for sequence in sequences:
            if self._cache.held(sequence) is None and sequence.tokens + 1 > limit:
                larger = ", load the model with a larger context= (--context)" if self._cache.fixed else ""
                raise ContextError(
                    f"The image and the prompt take {sequence.tokens} tokens and the answer at least 1; the context "
                    f"holds {limit}. Give a shorter prompt or a smaller image{larger}, or limit the image with "
                    "load(max_image_tokens=...)."
                )
        held = [self._cache.held(sequence) for sequence in sequences]
        own = {
            each.slot for each, has in zip(sequences, held, strict=True) if has is not None and each.slot is not None
        }
        if len(own) == len(sequences):  # what may follow was reserved by the first step
            fresh = sum(len(each) - len(has) for each, has in zip(sequences, held, strict=True) if has is not None)
            if self._cache.evict(fresh, own):
                return
        needed = kept = 0
        keep = set()
        for sequence in sequences:
            slot, count = self._cache.longest(sequence, len(sequence) - rows)
            had = sequence.tokens_before(count)
            if sequence.cached is None:
                sequence.cached = had
            if slot is not None:
                keep.add(slot)
                with engine_errors("preparing the prompt"):
                    self._cache.trim(sequence, slot, count)
            shared = sequence.tokens_before(_shared(sequences[0], sequence)) if sequence is not sequences[0] else 0
            if had >= shared:
                kept += had
            needed += sequence.tokens - max(had, shared) + sequence.room
        self._cache.make_room(min(needed, max(limit - kept, 1)), kept, keep, own)

    def _read(
        self, sequence: KvSequence, most: int, stop: int, keep: Collection[int], cancel: _engine.CancelFlag | None
    ) -> None:
        """Reads what the cache lacks of a sequence up to an item, the items from ``most`` on in any case, with rows."""
        _ = sequence.acting  # settles what acts on the new items
        with engine_errors("preparing the prompt"):
            start = self._cache.place(sequence, most, keep)
        assert sequence.slot is not None, "it was placed"
        slot, native = sequence.slot, self.native
        self._tell_spans(sequence)
        with engine_errors("generating" if sequence.tokens > sequence.layout.tokens else "reading the prompt"):
            before = start
            for aim, what, index in sequence.runs(start, stop):
                self._tell_aim(sequence, aim)
                if isinstance(what, list):
                    outputs = range(max(0, most - before), len(what)) if stop > most else ()
                    native.decode(what, sequence=slot, outputs=outputs, cancel=cancel)
                else:
                    native.decode_image(what, sequence=slot, cancel=cancel)
                self._cache.note(sequence, index)
                before = index
        self._tell_aim(sequence, sequence.aim)

    def _read_last(self, sequences: Sequence[KvSequence], cancel: _engine.CancelFlag | None) -> None:
        """The last token of each, computed at once."""
        pieces = [(each.slot, each.items[-1:], True) for each in sequences]
        with engine_errors("generating"):
            self.native.decode_texts(pieces, cancel=cancel)  # type: ignore[arg-type]
        for sequence in sequences:
            self._cache.note(sequence, len(sequence))

    def _sync(self) -> None:
        """Forgets what an engine's session was told that is no more."""
        if self._made is not self._cache.native:
            self._made = self._cache.native
            self._told, self._heads, self._probed = {}, (), ()

    def _probe(self, layers: Sequence[int]) -> None:
        self._sync()
        if self._probed != tuple(layers):
            with engine_errors("preparing the read-out of attention"):
                self.native.set_probe(layers)
            self._probed = tuple(layers)

    def _tell_spans(self, sequence: KvSequence) -> None:
        """Where the images of a sequence lie, once for a slot and a sequence."""
        assert sequence.slot is not None
        if sequence.slot in self._told and self._told[sequence.slot][0]() is sequence:
            return
        layout = sequence.layout
        spans = [
            compiled().Span(at, rows, cols)
            for at, (rows, cols) in zip(layout.grid_positions, layout.grid_shapes, strict=True)
        ]
        with engine_errors("preparing the read-out of attention"):
            self.native.set_probe_spans(spans, sequence.slot)
            self.native.unsteer(sequence.slot)
        self._told[sequence.slot] = (weakref.ref(sequence), None)

    def _tell_aim(self, sequence: KvSequence, aim: Aim | None) -> None:
        """What acts on a slot from the next item on, unless the engine was told already."""
        slot = sequence.slot
        assert slot is not None
        if self._told[slot][1] is aim and (aim is None or self._heads == aim.heads):
            return
        with engine_errors("steering"):
            if aim is None:
                self.native.unsteer(slot)
                self._told[slot] = (weakref.ref(sequence), None)
                return
            if self._heads != aim.heads:
                self.native.set_heads(aim.heads)
                self._heads = aim.heads
            push = aim.push
            self.native.steer(
                [
                    compiled().Span(at, len(values), values.shape[1], values)
                    for at, values in zip(sequence.layout.grid_positions, aim.values, strict=True)
                ],
                sequence=slot,
                prompt_end=sequence.layout.prompt_end,
                prompt_bias=push.prompt_bias,
                generated_bias=push.generated_bias,
                first_query=sequence.first_query(aim),
                sharpness=push.sharpness,
                kind=push.kind,
                share=push.share if push.kind == "target_share" else 1.0,
            )
        self._told[slot] = (weakref.ref(sequence), aim)

    def _clear_inactive(self) -> None:
        """Clears steering and probes of slots that no answer uses any more: they would shape the graph."""
        for slot in self._cache.inactive(self._told):
            with engine_errors("preparing the read-out of attention"):
                self.native.unsteer(slot)
                self.native.set_probe_spans([], slot)
            del self._told[slot]


def _shared(one: KvSequence, other: KvSequence) -> int:
    """Items at the start that both read alike, the last of each aside."""
    count = 0
    most = min(len(one), len(other)) - 1
    pairs = zip(zip(one.items, one.acting, strict=True), zip(other.items, other.acting, strict=True), strict=False)
    for (item, acting), (same, acts) in pairs:
        if count >= most or acting != acts or (item != same if isinstance(item, int) else item is not same):
            break
        count += 1
    return count
