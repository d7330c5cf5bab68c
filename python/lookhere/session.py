"""The KV cache of a model: one run at a time; several scenes stay in it, each used again where it is still true."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import memory
from .engine import engine_errors
from .errors import BusyError, ClosedError, ContextError
from .grid import Map
from .heads import Head
from .layout import Layout
from .prepared import Prepared
from .steering import Steering

if TYPE_CHECKING:
    from . import _engine

_log = logging.getLogger("lookhere.session")

_ROOM = 1024
"""A context that grows does so in steps of this many tokens."""

_SCENES = 16
"""Prompts that stay in the cache at most, whatever the budget."""

MOST_CONTEXT = 2**22
"""Tokens; the engine's own limit."""

_CACHE_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}


class Session:
    """The engine's session of one model, created at first use.

    Every prompt that was asked stays in a sequence of the cache of its own. Where they no longer fit, the one that was
    not asked for longest goes, and is read again when it is asked again. context: tokens, None to grow with what is
    asked. kv_budget: bytes up to which a growing context keeps scenes; a single prompt may take more. on_gpu: the cache
    does not lie in main memory.
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
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._closed = False
        self._prepared: list[Prepared | None] = [None] * _SCENES
        self._sequence = 0  # of the run that goes on
        self._acting = 0  # the one that is steered and read
        self._clock = 0
        self._heads: tuple[Head, ...] = ()
        self._probed: tuple[int, ...] = ()

    @property
    def context(self) -> int:
        """Tokens that the KV cache holds now; 0 before first use."""
        return self._native.context if self._native else 0

    @property
    def limit(self) -> int:
        """Tokens that the KV cache may hold at most."""
        trained = self._model.context_train
        return self._context or (trained if 0 < trained <= MOST_CONTEXT else MOST_CONTEXT)

    @property
    def native(self) -> _engine.Session:
        """The engine's session, for a sampler."""
        if self._native is None:
            raise ClosedError("The model is closed; load it again.")
        return self._native

    def acquire(self) -> None:
        """Waits until no other thread reads an answer. BusyError if this thread does, ClosedError after close."""
        if self._owner == threading.get_ident() and self._lock.locked():
            raise BusyError(
                "An answer of this model is still being read in this thread. Read it to its end or close it first "
                "(with scene.stream(...) as run: closes it), or load the model a second time."
            )
        self._lock.acquire()
        self._owner = threading.get_ident()
        if self._closed:
            self.release()
            raise ClosedError("The model is closed; load it again.")

    def release(self) -> None:
        """Lets the next run begin."""
        self._owner = None
        self._lock.release()

    def prefill(
        self,
        layout: Layout,
        steering: Steering | None,
        maps: Sequence[Map],
        *,
        room: int,
        probe: Sequence[int],
        cancel: _engine.CancelFlag,
    ) -> None:
        """Decodes a prompt; the last token's logits and attention are ready then.

        maps: coverage of each grid. room: tokens to generate. probe: layers whose attention is wanted. ContextError,
        CancelledError, EngineFailure.
        """
        first = _first_query(layout, steering)
        fingerprint = steering.fingerprint if steering else None
        self._sequence, start = self._choose(layout, first, fingerprint)
        if self._make_room(layout.tokens, room):
            start = 0
        native, sequence = self.native, self._sequence
        self._prepared[sequence] = None
        self._probe(layout, probe)
        self._steer(layout, steering, maps)
        try:
            with engine_errors("reading the prompt"):
                native.truncate(start, sequence)
                if not start:
                    if layout.prefix:
                        native.decode(layout.prefix, sequence=sequence, cancel=cancel)
                    native.decode_image(layout.image, sequence=sequence, cancel=cancel)
                    start = layout.image_end
                rest = layout.suffix[start - layout.image_end :]
                native.decode(rest, sequence=sequence, outputs=[len(rest) - 1], cancel=cancel)
        except BaseException:
            self._empty(sequence)
            raise
        self._clock += 1
        self._prepared[sequence] = Prepared(layout, first, fingerprint, self._clock)

    def steer(self, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        """Moves the target in the midst of an answer; the next decoded token obeys."""
        self._steer(layout, steering, maps)

    def decode(self, tokens: Sequence[int], cancel: _engine.CancelFlag) -> None:
        """Appends tokens of an answer; the logits and attention of each are ready then."""
        with engine_errors("generating"):
            self.native.decode(tokens, sequence=self._sequence, outputs=range(len(tokens)), cancel=cancel)

    def full(self) -> bool:
        """True if no further token fits."""
        return self._used() >= self.native.context

    def attention(self, heads: Sequence[Head], *, steered: bool) -> NDArray[np.float32]:
        """(len(heads), image tokens) float32: post-softmax mass of the last output row in probed heads."""
        with engine_errors("reading attention"):
            mass = self.native.attention(steered=steered)
        layers = [self._probed.index(layer) for layer, _ in heads]
        return np.asarray(mass[layers, [head for _, head in heads]], dtype=np.float32)

    def close(self) -> None:
        """Frees the cache, after the run of another thread if there is one. May be called twice."""
        self._closed = True
        if self._owner == threading.get_ident():
            self._drop()  # this thread's open run meets ClosedError
            return
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        native, self._native, self._heads, self._probed = self._native, None, (), ()
        self._prepared = [None] * _SCENES
        if native is not None:
            native.close()

    def _choose(self, layout: Layout, steered_from: float, fingerprint: str | None) -> tuple[int, int]:
        """-> the sequence for a prompt, and up to which position it holds it already."""
        valid = [each.valid_until(layout, steered_from, fingerprint) if each else 0 for each in self._prepared]
        if max(valid):
            best = valid.index(max(valid))
            return best, valid[best]
        return min(range(_SCENES), key=self._worth), 0

    def _worth(self, sequence: int) -> int:
        """How late a prompt goes: empty sequences first, then those that nobody can ask again, then the oldest."""
        each = self._prepared[sequence]
        if each is None:
            return -2
        return each.used_at if each.wanted else -1

    def _make_room(self, tokens: int, room: int) -> bool:
        """Room for one prompt and its answer beside as many others as fit. True if the cache was made anew."""
        limit = self.limit
        if tokens + 1 > limit:
            advice = "load the model with a larger context=" if self._context else "give a smaller image or prompt"
            raise ContextError(
                f"The image and the prompt take {tokens} tokens and the answer at least 1; the context holds {limit}. "
                f"Expected fewer: {advice}, or limit the image with load(max_image_tokens=...)."
            )
        needed = min(limit, tokens + room)
        others = self._used() - self._used_by(self._sequence)
        most = self._context or max(needed, min(limit, self._budget))
        if self._native is None or (needed + others > self._native.context and self._native.context < most):
            twice = 2 * self._native.context if self._native else 0  # seldom, because the others are lost by it
            wanted = self._context or min(most, _rounded(max(needed + others, twice)))
            self._drop()
            self._native = self._new(wanted)
            self._acting = self._sequence
            return True
        for sequence in sorted(range(_SCENES), key=self._worth):
            if needed + self._used() - self._used_by(self._sequence) <= self._native.context:
                break
            if sequence != self._sequence:
                self._empty(sequence)
        return False

    def _used(self) -> int:
        """Tokens in the cache."""
        return sum(map(self._used_by, range(_SCENES)))

    def _used_by(self, sequence: int) -> int:
        return self._native.used(sequence) if self._native else 0

    def _empty(self, sequence: int) -> None:
        """A cache that no longer works is dropped and made anew when it is next needed."""
        from lookhere import _engine

        self._prepared[sequence] = None
        try:
            self.native.truncate(0, sequence)
        except _engine.EngineError:
            self._drop()

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
                sequences=_SCENES,
                threads=self._threads,
                kv_type=self._kv_type,
                flash_attention=self._flash_attention,
            )
        except (_engine.EngineError, MemoryError) as error:
            raise ContextError(
                f"A context of {context} tokens with kv_type={self._kv_type!r} cannot be made: {error or 'no memory'}. "
                "Use a smaller context= or kv_type='q8_0'."
            ) from error

    def _probe(self, layout: Layout, layers: Sequence[int]) -> None:
        from lookhere import _engine

        grids = [part.grid for part in layout.image.parts if part.grid is not None]
        spans = [_engine.Span(at, grid.rows, grid.cols) for at, grid in zip(layout.grid_positions, grids, strict=True)]
        with engine_errors("preparing the read-out of attention"):
            if self._acting != self._sequence:  # what no longer runs must not shape the graph
                self.native.unsteer(self._acting)
                self.native.set_probe_spans([], self._acting)
                self._acting = self._sequence
            if self._probed != tuple(layers):
                self.native.set_probe(layers)
                self._probed = tuple(layers)
            self.native.set_probe_spans(spans, self._sequence)

    def _steer(self, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        from lookhere import _engine

        with engine_errors("steering"):
            if steering is None:
                self.native.unsteer(self._sequence)
                return
            heads = tuple(sorted(steering.heads.heads))
            if self._heads != heads:
                self.native.set_heads(heads)
                self._heads = heads
            biases = [steering.image_bias(each) for each in maps]
            self.native.steer(
                [_engine.Span(at, len(b), b.shape[1], b) for at, b in zip(layout.grid_positions, biases, strict=True)],
                sequence=self._sequence,
                prompt_end=layout.prompt_end,
                prompt_bias=steering.prompt_bias,
                generated_bias=steering.generated_bias,
                first_query=int(_first_query(layout, steering)),
                sharpness=steering.sharpness,
            )


def kv_bytes_per_token(model: _engine.Model, kv_type: str) -> float:
    """Bytes that one token takes of the cache, as if every layer kept all tokens."""

    def length(name: str) -> int:
        text = model.metadata.get(f"{model.architecture}.{name}", "")
        return int(text) if text.isdecimal() else 0

    head = length("embedding_length") // max(1, model.heads)
    key, value = length("attention.key_length") or head, length("attention.value_length") or head
    return max(1.0, model.layers * model.heads_kv * (key + value) * _CACHE_BYTES[kv_type])


def _rounded(tokens: int) -> int:
    return -(-tokens // _ROOM) * _ROOM


def _first_query(layout: Layout, steering: Steering | None) -> float:
    """First steered position; infinity without steering."""
    if steering is None:
        return float("inf")
    return steering.first_query(image_end=layout.image_end, prompt_end=layout.prompt_end)
