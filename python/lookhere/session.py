"""The KV cache of a model: one run at a time, what is already in it used again where it is still true."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .engine import engine_errors
from .errors import BusyError, ClosedError, ContextError
from .grid import Map
from .heads import Head
from .layout import Layout
from .steering import Steering

if TYPE_CHECKING:
    from . import _engine

_ROOM = 1024
"""A context that grows does so in steps of this many tokens."""


@dataclass
class _Held:
    """What the cache holds. steered_from: first position whose rows obey the steering of the fingerprint."""

    layout: Layout
    steered_from: float
    fingerprint: str | None

    def valid_until(self, layout: Layout, steered_from: float, fingerprint: str | None) -> int:
        """Up to which position the cache is what a cold prefill of another prompt would make it."""
        if self.layout.image is not layout.image or self.layout.prefix != layout.prefix:
            return 0
        same = 0
        for old, new in zip(self.layout.suffix, layout.suffix, strict=False):
            if old != new:
                break
            same += 1
        until: float = layout.image_end + same
        if self.fingerprint != fingerprint:
            until = min(until, self.steered_from, steered_from)
        return int(until) if until >= layout.image_end else 0


class Session:
    """The engine's session of one model, created at first use. context: tokens, None to grow with what is asked."""

    def __init__(
        self, model: _engine.Model, *, context: int | None, threads: int, kv_type: str, flash_attention: str
    ) -> None:
        self._model = model
        self._context = context
        self._threads, self._kv_type, self._flash_attention = threads, kv_type, flash_attention
        self._native: _engine.Session | None = None
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._closed = False
        self._held: _Held | None = None
        self._heads: tuple[Head, ...] = ()
        self._probed: tuple[int, ...] = ()

    @property
    def context(self) -> int:
        """Tokens that the KV cache holds now; 0 before first use."""
        return self._native.context if self._native else 0

    @property
    def limit(self) -> int:
        """Tokens that the KV cache may hold at most."""
        return self._context or self._model.context_train or 2**31

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
        self._make_room(layout.tokens, room)
        native, held, self._held = self.native, self._held, None
        self._probe(layout, probe)
        self._steer(layout, steering, maps)
        first = _first_query(layout, steering)
        fingerprint = steering.fingerprint if steering else None
        start = min(held.valid_until(layout, first, fingerprint), layout.prompt_end - 1) if held else 0
        try:
            with engine_errors("reading the prompt"):
                if start:
                    native.truncate(start)
                else:
                    native.clear()
                    if layout.prefix:
                        native.decode(layout.prefix, cancel=cancel)
                    native.decode_image(layout.image, cancel=cancel)
                    start = layout.image_end
                rest = layout.suffix[start - layout.image_end :]
                native.decode(rest, outputs=[len(rest) - 1], cancel=cancel)
        except BaseException:
            native.clear()
            raise
        self._held = _Held(layout, first, fingerprint)

    def steer(self, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        """Moves the target in the midst of an answer; the next decoded token obeys."""
        self._steer(layout, steering, maps)

    def decode(self, token: int, cancel: _engine.CancelFlag) -> None:
        """Appends one generated token; its logits and attention are ready then."""
        with engine_errors("generating"):
            self.native.decode([token], outputs=[0], cancel=cancel)

    def full(self) -> bool:
        """True if no further token fits."""
        return self.native.used() >= self.native.context

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
        native, self._native, self._held, self._heads, self._probed = self._native, None, None, (), ()
        if native is not None:
            native.close()

    def _make_room(self, tokens: int, room: int) -> None:
        limit = self.limit
        if tokens + 1 > limit:
            advice = "load the model with a larger context=" if self._context else "give a smaller image or prompt"
            raise ContextError(
                f"The image and the prompt take {tokens} tokens and the answer at least 1; the context holds {limit}. "
                f"Expected fewer: {advice}, or limit the image with load(max_image_tokens=...)."
            )
        wanted = self._context or min(limit, -(-(tokens + room) // _ROOM) * _ROOM)
        if self._native is None or (self._context is None and self._native.context < min(limit, tokens + room)):
            self._drop()
            self._native = self._new(wanted)

    def _new(self, context: int) -> _engine.Session:
        from lookhere import _engine

        try:
            return _engine.Session(
                self._model,
                context=context,
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
            if self._probed != tuple(layers):
                self.native.set_probe(layers)
                self._probed = tuple(layers)
            self.native.set_probe_spans(spans)

    def _steer(self, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        from lookhere import _engine

        with engine_errors("steering"):
            if steering is None:
                self.native.unsteer()
                return
            heads = tuple(sorted(steering.heads.heads))
            if self._heads != heads:
                self.native.set_heads(heads)
                self._heads = heads
            biases = [steering.image_bias(each) for each in maps]
            self.native.steer(
                [_engine.Span(at, len(b), b.shape[1], b) for at, b in zip(layout.grid_positions, biases, strict=True)],
                prompt_end=layout.prompt_end,
                prompt_bias=steering.prompt_bias,
                generated_bias=steering.generated_bias,
                first_query=int(_first_query(layout, steering)),
                sharpness=steering.sharpness,
            )


def _first_query(layout: Layout, steering: Steering | None) -> float:
    """First steered position; infinity without steering."""
    if steering is None:
        return float("inf")
    return steering.first_query(image_end=layout.image_end, prompt_end=layout.prompt_end)
