"""What runs in the KV cache of a model: one prompt at a time, under one steering or several at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..errors import BusyError, CancelledError, ClosedError, ContextError
from ..prompt.layout import Layout
from ..steering.head_set import Head
from ..steering.steering import Steering
from ..tokens.grid import Map
from .cache import Cache

if TYPE_CHECKING:
    from typing import TypeAlias

    from .. import _engine

    Look: TypeAlias = tuple[Steering | None, Sequence[Map]]

_PATIENCE = 0.05
"""Seconds after which a thread that waits for its turn looks at its flag."""

AT_ONCE = 8
"""Looks that are computed together at most."""


class Session:
    """Runs of one model, which take turns. A *look* is a steering, or None, and the coverage of each grid."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._closed = False
        self._sequences: list[int] = [0]  # of the looks that run, in their order
        self._acting: set[int] = set()  # those that are steered and read
        self._heads: tuple[Head, ...] = ()
        self._probed: tuple[int, ...] = ()

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
        """The engine's session, for a sampler."""
        return self._cache.native

    def acquire(self, cancel: _engine.CancelFlag) -> None:
        """Waits until no other thread reads an answer. BusyError if this thread does, ClosedError after close,
        CancelledError."""
        if self._owner == threading.get_ident() and self._lock.locked():
            raise BusyError(
                "An answer of this model is still being read in this thread. Read it to its end or close it first "
                "(with scene.stream(...) as run: closes it), or load the model a second time."
            )
        while not self._lock.acquire(timeout=_PATIENCE):
            if cancel.is_set():
                raise CancelledError("Cancelled while another thread read an answer.")
        try:
            self._owner = threading.get_ident()
            if self._closed:
                raise ClosedError("The model is closed; load it again.")
            if cancel.is_set():
                raise CancelledError("Cancelled.")
        except BaseException:  # Ctrl-C too
            self.release()
            raise

    def release(self) -> None:
        """Lets the next run begin."""
        self._owner = None
        self._lock.release()

    def at_once(self, layout: Layout, steerings: Sequence[Steering | None], room: int) -> int:
        """How many of the first looks can be computed together: 1 where heads differ, the steering reaches into the
        image or the context has no room for more."""
        count = 1
        while count < min(AT_ONCE, len(steerings)):
            looks = steerings[: count + 1]
            common = _common(layout, looks)
            if common < layout.image_end or len({steering.heads.heads for steering in looks if steering}) > 1:
                break
            if layout.tokens + (count + 1) * (layout.prompt_end - common + room) > self._cache.reach:
                break
            count += 1
        return count

    def prefill(
        self,
        layout: Layout,
        looks: Sequence[Look],
        *,
        room: int,
        probe: Sequence[int],
        cancel: _engine.CancelFlag,
    ) -> None:
        """Decodes a prompt, once for each look and what they have in common once for all.

        The last token's logits and attention are ready then, row i for look i. room: tokens to generate for each.
        probe: layers whose attention is wanted. ContextError, CancelledError, EngineFailure.
        """
        steerings = [steering for steering, _ in looks]
        prints = [steering.fingerprint if steering else None for steering in steerings]
        firsts = [_first_query(layout, steering) for steering in steerings]
        self._check_room(layout.tokens)
        common = layout.prompt_end - 1 if len(looks) == 1 else _common(layout, steerings)
        shared = (firsts[0], prints[0]) if len(looks) == 1 else (float("inf"), None)
        base, start = self._cache.choose(layout, *shared)
        start = min(start, common)
        kept = layout.tokens - (layout.prompt_end - start) if start else 0
        tokens = layout.tokens - kept + (len(looks) - 1) * (layout.prompt_end - common) + len(looks) * room
        sequences, anew = self._cache.make_room(base, start, min(tokens, self.limit - kept), len(looks) - 1)
        if anew:
            self._heads, self._probed, self._acting = (), (), set()
            start = 0
        native, base = self.native, sequences[0]
        self._sequences = sequences
        self._leave()
        self._probe(layout, probe)
        try:
            if len(looks) == 1:
                self._steer(base, layout, *looks[0])
            with engine_errors("reading the prompt"):
                if not start:
                    native.truncate(0, base)
                    if layout.prefix:
                        native.decode(layout.prefix, sequence=base, cancel=cancel)
                    native.decode_image(layout.image, sequence=base, cancel=cancel)
                    start = layout.image_end
                rest = layout.suffix[start - layout.image_end :]
                if len(looks) == 1:
                    native.decode(rest, sequence=base, outputs=[len(rest) - 1], cancel=cancel)
            if len(looks) > 1:
                self._fork(layout, looks, start, common, cancel)
        except BaseException as error:
            for sequence in sequences[1:]:
                self._cache.empty(sequence)
            if isinstance(error, CancelledError) and native.position(base) >= layout.image_end:
                self._cache.keep(base, layout, *shared, whole=False)
            else:
                self._cache.empty(base)
            raise
        for sequence, first, fingerprint in zip(sequences, firsts, prints, strict=True):
            self._cache.keep(sequence, layout, first, fingerprint)

    def _fork(self, layout: Layout, looks: Sequence[Look], start: int, common: int, cancel: _engine.CancelFlag) -> None:
        """The rest of a prompt from position start on, held once up to the position common and then for each look."""
        native, image_end = self.native, layout.image_end
        with engine_errors("reading the prompt"):
            if start < common:
                before = layout.suffix[start - image_end : common - image_end]
                native.decode(before, sequence=self._sequences[0], cancel=cancel)
            for sequence in self._sequences[1:]:
                native.share(self._sequences[0], sequence, common)
        own = layout.suffix[common - image_end :]
        for sequence, look in zip(self._sequences, looks, strict=True):
            self._steer(sequence, layout, *look)
            if len(own) > 1:
                with engine_errors("reading the prompt"):
                    native.decode(own[:-1], sequence=sequence, cancel=cancel)
        with engine_errors("reading the prompt"):
            native.decode_each([own[-1]] * len(looks), self._sequences, cancel=cancel)

    def steer(self, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        """Moves the target in the midst of an answer; the next decoded token obeys."""
        self._steer(self._sequences[0], layout, steering, maps)

    def rewind(self, layout: Layout) -> None:
        """Forgets what was decoded after a prompt, so that another answer can follow it; its logits are gone."""
        with engine_errors("reading logits"):
            self.native.truncate(layout.prompt_end, self._sequences[0])

    def decode(self, tokens: Sequence[int], cancel: _engine.CancelFlag) -> None:
        """Appends tokens of an answer; the logits and attention of each are ready then."""
        with engine_errors("generating"):
            self.native.decode(tokens, sequence=self._sequences[0], outputs=range(len(tokens)), cancel=cancel)

    def decode_each(self, tokens: Sequence[int], looks: Sequence[int], cancel: _engine.CancelFlag) -> None:
        """Appends one token to each of the looks that are named by their numbers; row i is that of looks[i]."""
        with engine_errors("generating"):
            self.native.decode_each(tokens, [self._sequences[look] for look in looks], cancel=cancel)

    def full(self) -> bool:
        """True if no further token fits."""
        return self.native.room < len(self._sequences)

    def attention(self, heads: Sequence[Head], *, steered: bool, row: int = -1) -> NDArray[np.float32]:
        """(len(heads), image tokens) float32: post-softmax mass of an output row in probed heads."""
        with engine_errors("reading attention"):
            mass = self.native.attention(row, steered=steered)
        layers = [self._probed.index(layer) for layer, _ in heads]
        return np.asarray(mass[layers, [head for _, head in heads]], dtype=np.float32)

    def close(self) -> None:
        """Frees the cache, after the run of another thread if there is one. May be called twice."""
        self._closed = True
        if self._owner == threading.get_ident():
            self._cache.drop()  # this thread's open run meets ClosedError
            return
        with self._lock:
            self._cache.drop()

    def _check_room(self, tokens: int) -> None:
        limit = self.limit
        if tokens + 1 > limit:
            larger = ", load the model with a larger context= (--context)" if self._cache.fixed else ""
            raise ContextError(
                f"The image and the prompt take {tokens} tokens and the answer at least 1; the context holds {limit}. "
                f"Give a shorter prompt or a smaller image{larger}, or limit the image with load(max_image_tokens=...)."
            )

    def _leave(self) -> None:
        """What no longer runs must not shape the graph."""
        with engine_errors("preparing the read-out of attention"):
            for sequence in self._acting.difference(self._sequences):
                self.native.unsteer(sequence)
                self.native.set_probe_spans([], sequence)
            self._acting = set(self._sequences)
            if len(self._sequences) > 1:  # what they have in common is read unsteered
                self.native.unsteer(self._sequences[0])

    def _probe(self, layout: Layout, layers: Sequence[int]) -> None:
        from lookhere import _engine

        grids = [part.grid for part in layout.image.parts if part.grid is not None]
        spans = [_engine.Span(at, grid.rows, grid.cols) for at, grid in zip(layout.grid_positions, grids, strict=True)]
        with engine_errors("preparing the read-out of attention"):
            if self._probed != tuple(layers):
                self.native.set_probe(layers)
                self._probed = tuple(layers)
            for sequence in self._sequences:
                self.native.set_probe_spans(spans, sequence)

    def _steer(self, sequence: int, layout: Layout, steering: Steering | None, maps: Sequence[Map]) -> None:
        from lookhere import _engine

        with engine_errors("steering"):
            if steering is None:
                self.native.unsteer(sequence)
                return
            heads = tuple(sorted(steering.heads.heads))
            if self._heads != heads:
                self.native.set_heads(heads)
                self._heads = heads
            values = [steering.image_values(each) for each in maps]
            self.native.steer(
                [_engine.Span(at, len(v), v.shape[1], v) for at, v in zip(layout.grid_positions, values, strict=True)],
                sequence=sequence,
                prompt_end=layout.prompt_end,
                prompt_bias=steering.prompt_bias,
                generated_bias=steering.generated_bias,
                first_query=int(_first_query(layout, steering)),
                sharpness=steering.sharpness,
                kind=steering.kind,
                share=steering.share if steering.kind == "target_share" else 1.0,
            )


def _common(layout: Layout, steerings: Sequence[Steering | None]) -> int:
    """The position up to which the same rows are computed whatever the steering."""
    return int(min(layout.prompt_end - 1, *(_first_query(layout, steering) for steering in steerings)))


def _first_query(layout: Layout, steering: Steering | None) -> float:
    """First steered position; infinity without steering."""
    if steering is None:
        return float("inf")
    return steering.first_query(image_end=layout.image_end, prompt_end=layout.prompt_end)
