"""What the engine's session was told: where images lie, what acts on each slot, and which layers are read."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..engine import compiled, engine_errors
from ..steering.aim import Aim
from .sequence import KvSequence

if TYPE_CHECKING:
    from .. import _engine
    from ..steering.head_set import Head


class Told:
    """Says to one session of the engine what changed since it was last told, and nothing else."""

    def __init__(self, native: _engine.Session) -> None:
        self.native = native
        self.layers: tuple[int, ...] = ()
        # by slot; weakly, so that an answer that has ended frees its images
        self._aims: dict[int, tuple[weakref.ref[KvSequence], Aim | None]] = {}
        self._heads: dict[int, tuple[Head, ...]] = {}

    @property
    def slots(self) -> Iterable[int]:
        """Those that were told something."""
        return self._aims

    def read(self, layers: Iterable[int]) -> None:
        """The layers whose attention is read, in every sequence that has spans."""
        wanted = tuple(sorted(set(layers)))
        if wanted != self.layers:
            with engine_errors("preparing the read-out of attention"):
                self.native.set_probe(wanted)
            self.layers = wanted

    def spans(self, sequence: KvSequence) -> None:
        """Where the images of a sequence lie, once for a slot and a sequence."""
        slot = _slot(sequence)
        if slot in self._aims and self._aims[slot][0]() is sequence:
            return
        spans = [
            compiled().Span(grid.position, grid.rows, grid.cols, cells=grid.cells) for grid in sequence.layout.grids
        ]
        with engine_errors("preparing the read-out of attention"):
            self.native.set_probe_spans(spans, slot)
            self.native.unsteer(slot)
        self._aims[slot] = (weakref.ref(sequence), None)

    def aim(self, sequence: KvSequence, aim: Aim | None) -> None:
        """What acts on a sequence from the next token on."""
        slot = _slot(sequence)
        if self._aims[slot][1] is aim:
            return
        with engine_errors("steering"):
            if aim is None:
                self.native.unsteer(slot)
                self._aims[slot] = (weakref.ref(sequence), None)
                return
            if self._heads.get(slot) != aim.heads:
                self.native.set_heads(aim.heads, slot)
                self._heads[slot] = aim.heads
            push = aim.push
            self.native.steer(
                [
                    compiled().Span(grid.position, grid.rows, grid.cols, values, grid.cells)
                    for grid, values in zip(sequence.layout.grids, aim.values, strict=True)
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
        self._aims[slot] = (weakref.ref(sequence), aim)

    def clear(self, slot: int) -> None:
        """Nothing acts any more on a slot that no answer uses. Where its images lay may stay: it costs nothing, and to
        tell it again does."""
        with engine_errors("steering"):
            self.native.unsteer(slot)
        del self._aims[slot]


def _slot(sequence: KvSequence) -> int:
    assert sequence.slot is not None, "it was placed"
    return sequence.slot
