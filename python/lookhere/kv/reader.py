"""Reads pieces of sequences in the engine, several in one batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..errors import ContextError
from ..steering.head_set import Head
from .admission import admit, check_fits, common_items
from .cache import Cache
from .piece import Mark, Piece, next_piece, tokens_left
from .request import Request
from .sequence import KvSequence
from .told import Told
from .waiting import Waiting

if TYPE_CHECKING:
    from .. import _engine

ROWS = 16
"""Output rows of a batch at most: answers that go on together."""

PROMPT = 512
"""Prompt tokens of a batch at most: the engine's own batch."""

BESIDE = 128
"""Prompt tokens beside answers that go on, so that a long prompt holds nobody up."""


class Part(NamedTuple):
    """A piece of a batch. request: whose row its last token is; None where it has none."""

    sequence: KvSequence
    piece: Piece
    request: Request[Any] | None = None


class Reader:
    """The engine's side of a batch: who takes part, what of whom, under which aim, and what the cache holds then."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._told_last: Told | None = None

    def read(self, requests: Sequence[Request[Any]], waiting: Waiting, cancel: _engine.CancelFlag | None) -> None:
        """A batch of images' pieces and one of texts', then the rows of those that were read to their end are taken.

        waiting: whose expected sequences keep their places. ContextError, CancelledError, EngineFailure.
        """
        for request in list(requests):
            request.begin()
            try:
                check_fits(self._cache, request.sequence)
            except ContextError as error:
                request.end(error)
        wanting = {request.sequence: request for request in requests if not request.done}
        expected = [each for each in waiting.expected if each not in wanting and self._cache.held(each) is not None]
        if not wanting:
            return
        places = self._place(list(wanting), expected)
        self._told().read(layer for each in (*wanting, *waiting.recent) for layer in each.layers)
        images, texts = self._plan([(wanting[each], stop) for each, stop in places.items()])
        if images:
            with engine_errors("reading the prompt"):
                self._decode_images(images, cancel)
        if texts:
            generating = any(each.sequence.tokens > each.sequence.layout.tokens for each in texts)
            with engine_errors("generating" if generating else "reading the prompt"):
                self._decode_texts(texts, cancel)
            for row, part in enumerate(part for part in texts if part.request):
                assert part.request is not None
                part.request.take(row)
        self._clear_inactive()

    def step(self, sequence: KvSequence, rows: int) -> None:
        """Reads one sequence to its end; its last items, so many, have a row each. Errors as of ``read``."""
        sequence.settle()
        check_fits(self._cache, sequence)
        stop = len(sequence) - rows
        admit(self._cache, [sequence])
        with engine_errors("reading the prompt"):
            self._cache.place(sequence, stop, ())
            told = self._told()
            told.read(sequence.layers)
            told.spans(sequence)
            while (mark := self._cache.mark(sequence)).items < stop:
                part = Part(sequence, self._piece(sequence, mark, stop, PROMPT))
                if part.piece.image is not None:
                    self._decode_images([part], None)
                else:
                    self._decode_texts([part], None)
        with engine_errors("generating"):
            told.aim(sequence, sequence.aim_of(stop))
            self._cache.native.decode(sequence.items[stop:], sequence=sequence.slot, outputs=range(rows))  # type: ignore[arg-type]
            self._cache.note(sequence, mark._replace(items=len(sequence)))
        self._clear_inactive()

    def forget(self) -> None:
        """Lets go of the engine's session, which was freed."""
        self._told_last = None

    def settle(self, sequences: Iterable[KvSequence]) -> None:
        """After a batch that failed: nothing that is not known to be whole stays."""
        for sequence in sequences:
            self._cache.settle(sequence)

    def attention(self, heads: Sequence[Head], *, steered: bool, row: int) -> NDArray[np.float32]:
        """(len(heads), image tokens) float32: post-softmax mass of an output row in probed heads."""
        told = self._told()
        with engine_errors("reading attention"):
            mass = told.native.attention(row, steered=steered)
        layers = [told.layers.index(layer) for layer, _ in heads]
        return np.asarray(mass[layers, [head for _, head in heads]], dtype=np.float32)

    def _place(self, wanting: Sequence[KvSequence], expected: Sequence[KvSequence]) -> dict[KvSequence, int]:
        """Gives places to as many as fit. -> how far those of ``wanting`` that can be read now are read at most.

        What several begin with is read once: the others wait for it. Where they part at the last token only, the first
        waits for them there, and all go on together.
        """
        admitted = admit(self._cache, [*wanting, *expected])
        keep = {each.slot for each in admitted if self._cache.held(each) is not None and each.slot is not None}
        found: dict[KvSequence, int] = {}
        for sequence in admitted:
            if sequence in expected:
                continue
            if self._cache.held(sequence) is None:
                _, known = self._cache.longest(sequence, len(sequence) - 1)
                shared = {other: common_items(other, sequence) for other in found}
                ahead = [other for other, count in shared.items() if count > max(known, self._cache.mark(other).items)]
                found |= {other: len(other) - 1 for other in ahead if shared[other] == len(other) - 1}
                if ahead:
                    continue
            with engine_errors("preparing the prompt"):
                self._cache.place(sequence, len(sequence) - 1, keep)
            assert sequence.slot is not None
            keep.add(sequence.slot)
            found[sequence] = len(sequence)
        return found

    def _plan(self, requests: Sequence[tuple[Request[Any], int]]) -> tuple[list[Part], list[Part]]:
        """-> the pieces of images, and those of texts that are read after them.

        requests: placed, as they came, and the item before which each stops now.
        """
        left = [tokens_left(each.sequence, self._cache.mark(each.sequence)) for each, _ in requests]
        going = [each for each, tokens in zip(requests, left, strict=True) if tokens == 1][:ROWS]
        prompts = [(each, tokens) for each, tokens in zip(requests, left, strict=True) if tokens > 1]
        shares = prompt_shares([tokens for _, tokens in prompts], BESIDE if going else PROMPT)
        images: list[Part] = []
        texts: list[Part] = []
        rows = 0
        given = [(each, share) for (each, _), share in zip(prompts, shares, strict=True) if share]
        for (request, stop), share in [*((each, 1) for each in going), *given]:
            sequence = request.sequence
            mark, end = self._cache.mark(sequence), len(sequence)
            piece = self._piece(sequence, mark, stop, share)
            if piece.image is not None:
                if images and not (piece.causal and images[0].piece.causal):
                    continue  # one that is read whole is read alone
                images.append(Part(sequence, piece))
                if share <= piece.tokens or piece.after.tokens:
                    continue
                mark, share = piece.after, share - piece.tokens  # noqa: PLW2901
                piece = self._piece(sequence, mark, stop, share)
            if piece.after.items == end and rows == ROWS:  # its last token waits for the next batch
                piece = self._piece(sequence, mark, end - 1, share)
            has_row = piece.after.items == end
            rows += has_row
            if piece.text:
                texts.append(Part(sequence, piece, request if has_row else None))
        return images, sorted(texts, key=_order)

    def _piece(self, sequence: KvSequence, mark: Mark, stop: int, most: int) -> Piece:
        return next_piece(sequence, mark, self._cache.cuts.stop(sequence, mark, stop), most)

    def _decode_images(self, parts: Sequence[Part], cancel: _engine.CancelFlag | None) -> None:
        self._tell(parts)
        pieces = [(each.sequence.slot, each.piece) for each in parts]
        self._cache.native.decode_images(
            [(slot, piece.image, piece.part, piece.start, piece.count) for slot, piece in pieces],  # type: ignore[misc]
            cancel=cancel,
        )
        self._note(parts)

    def _decode_texts(self, parts: Sequence[Part], cancel: _engine.CancelFlag | None) -> None:
        self._tell(parts)
        self._cache.native.decode_texts(
            [(each.sequence.slot, each.piece.text, each.request is not None) for each in parts],  # type: ignore[misc]
            cancel=cancel,
        )
        self._note(parts)

    def _tell(self, parts: Sequence[Part]) -> None:
        told = self._told()
        for part in parts:
            told.spans(part.sequence)
            told.aim(part.sequence, part.piece.aim)

    def _note(self, parts: Sequence[Part]) -> None:
        for part in parts:
            self._cache.note(part.sequence, part.piece.after)

    def _told(self) -> Told:
        """What the engine's session of now was told."""
        if self._told_last is None or self._told_last.native is not self._cache.native:
            self._told_last = Told(self._cache.native)
        return self._told_last

    def _clear_inactive(self) -> None:
        """Clears slots that no answer uses any more: what they were told would be computed."""
        told = self._told()
        for slot in self._cache.inactive(told.slots):
            told.clear(slot)


def prompt_shares(left: Sequence[int], room: int) -> list[int]:
    """How many tokens of each prompt a batch reads. left: of each, the longest waiting first.

    The shortest first, so that a short prompt does not wait for a long one; a quarter of the room at least is for the
    one that waits longest, so that it comes to its end whatever follows.
    """
    given = [0] * len(left)
    if left:
        given[0] = min(left[0], room // 4)
    room -= sum(given)
    for index in sorted(range(len(left)), key=left.__getitem__):
        more = min(left[index] - given[index], room)
        given[index] += more
        room -= more
    return given


def _order(part: Part) -> int:
    """Rows whose attention is moved to a share come first: the engine computes no more than the rows up to the last."""
    aim = part.piece.aim
    return 2 if aim is None else 1 if aim.push.kind == "bias" else 0
