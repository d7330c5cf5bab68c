"""The KV cache: which sequence holds which prompt, and which goes where they no longer all fit."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ClosedError, ContextError
from ..prompt.layout import Layout
from . import memory
from .prepared import Prepared

if TYPE_CHECKING:
    from .. import _engine

_log = logging.getLogger("lookhere.cache")

SEQUENCES = 16
"""Prompts that stay in the cache at most, whatever the budget."""

MOST_CONTEXT = 2**22
"""Tokens; the engine's own limit."""

_ROOM = 1024
"""A context that grows does so in steps of this many tokens."""

_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}


class Cache:
    """The engine's session of one model, created at first use.

    Every prompt that was asked stays in a sequence of its own. Where they no longer fit, the one that was not asked for
    longest goes, and is read again when it is asked again. context: tokens, None to grow with what is asked. kv_budget:
    bytes up to which a growing context keeps prompts; what is asked now may take more. on_gpu: the cache does not lie
    in main memory.
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
        self._model = model
        self._context = context
        self._token_bytes = kv_bytes_per_token(model, kv_type)
        self._budget = int(kv_budget / self._token_bytes)
        self._threads, self._kv_type, self._flash_attention = threads, kv_type, flash_attention
        self._on_gpu = on_gpu
        self._native: _engine.Session | None = None
        self._prepared: list[Prepared | None] = [None] * SEQUENCES
        self._clock = 0

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
        trained = self._model.context_train
        return self._context or (trained if 0 < trained <= MOST_CONTEXT else MOST_CONTEXT)

    @property
    def reach(self) -> int:
        """Tokens up to which it grows to keep prompts."""
        return self._context or max(self.context, min(self.limit, self._budget))

    @property
    def native(self) -> _engine.Session:
        """The engine's session; ClosedError if there is none."""
        if self._native is None:
            raise ClosedError("The model is closed; load it again.")
        return self._native

    def choose(self, layout: Layout, steered_from: float, fingerprint: str | None) -> tuple[int, int]:
        """-> the sequence for a prompt, and up to which position it holds it already."""
        valid = [each.valid_until(layout, steered_from, fingerprint) if each else 0 for each in self._prepared]
        if max(valid):
            best = valid.index(max(valid))
            return best, valid[best]
        return self._oldest()[0], 0

    def make_room(self, sequence: int, start: int, tokens: int, others: int = 0) -> tuple[list[int], bool]:
        """Cuts a sequence at a position and makes room for so many tokens beside what it then holds.

        others: further sequences that are wanted empty. -> all of them, the first one first; True if the cache was made
        anew and holds nothing. ContextError.
        """
        if self._native is not None:
            self._cut(sequence, start)
        held = self._native.used(sequence) if self._native else 0
        total = held + tokens  # of what is asked now
        most = self._context or max(total, min(self.limit, self._budget))
        if self._native is None or (tokens > self._native.room and self._native.context < most):
            # seldom, because the other prompts are lost by it: at least twice as much
            size, used = (self._native.context, self._native.context - self._native.room) if self._native else (0, 0)
            wanted = self._context or min(most, -(-max(total, used + tokens, 2 * size) // _ROOM) * _ROOM)
            self.drop()
            try:
                self._native = self._new(wanted)
            except ContextError:
                if not self.fixed and wanted > total:
                    with suppress(ContextError):
                        self._native = self._new(total)  # what is asked now, and nothing beside it
                if self._native is None:
                    raise
            return list(range(others + 1)), True
        free = [each for each in self._oldest() if each != sequence]
        for each in free[:others]:
            self.empty(each)
        for each in free[others:]:
            if tokens <= self.native.room:
                break
            self.empty(each)
        return [sequence, *free[:others]], False

    def keep(
        self, sequence: int, layout: Layout, steered_from: float, fingerprint: str | None, *, whole: bool = True
    ) -> None:
        """Remembers what a sequence holds. whole: False if only the image can be relied on; the rest is cut off."""
        if not whole:
            self._cut(sequence, layout.image_end)
        self._clock += 1
        self._prepared[sequence] = Prepared(layout, steered_from, fingerprint, self._clock, whole=whole)

    def empty(self, sequence: int) -> None:
        """Forgets what a sequence holds. A cache that no longer works is dropped and made anew at its next use."""
        if self._native is not None:
            self._cut(sequence, 0)

    def drop(self) -> None:
        """Frees everything."""
        native, self._native = self._native, None
        self._prepared = [None] * SEQUENCES
        if native is not None:
            native.close()

    def _cut(self, sequence: int, start: int) -> None:
        from lookhere import _engine

        self._prepared[sequence] = None
        try:
            self.native.truncate(start, sequence)
        except _engine.EngineError:
            self.drop()

    def _oldest(self) -> list[int]:
        """Sequences in the order in which they go: empty ones, those that nobody can ask again, then by age."""

        def worth(sequence: int) -> int:
            each = self._prepared[sequence]
            if each is None:
                return -2
            return each.used_at if each.wanted else -1

        return sorted(range(SEQUENCES), key=worth)

    def _new(self, context: int) -> _engine.Session:
        from lookhere import _engine

        needed, free = context * self._token_bytes, None if self._on_gpu else memory.available()
        if free is not None and needed > free:  # where memory is promised freely, the system would kill the process
            raise ContextError(
                f"A context of {context} tokens takes {needed / 2**30:.1f} GiB with kv_type={self._kv_type!r}; "
                f"{free / 2**30:.1f} GiB of memory are free. Use a smaller context= (--context), a smaller max_tokens= "
                "(--max-tokens) or kv_type='q8_0'."
            )
        _log.info("A context of %d tokens, %.1f MiB of keys and values.", context, needed / 2**20)
        try:
            return _engine.Session(
                self._model,
                context=context,
                sequences=SEQUENCES,
                threads=self._threads,
                kv_type=self._kv_type,
                flash_attention=self._flash_attention,
            )
        except (_engine.EngineError, MemoryError) as error:
            raise ContextError(
                f"A context of {context} tokens with kv_type={self._kv_type!r} cannot be made: {error or 'no memory'}. "
                "Use a smaller context= or kv_type='q8_0'; if that does not help, the model file is damaged."
            ) from error


def kv_bytes_per_token(model: _engine.Model, kv_type: str) -> float:
    """Bytes that one token takes of the cache, as if every layer kept all tokens."""

    def length(name: str) -> int:
        text = model.metadata.get(f"{model.architecture}.{name}", "")
        return int(text) if text.isdecimal() else 0

    head = length("embedding_length") // max(1, model.heads)
    key, value = length("attention.key_length") or head, length("attention.value_length") or head
    return max(1.0, model.layers * model.heads_kv * (key + value) * _BYTES[kv_type])
