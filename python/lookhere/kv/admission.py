"""Who computes now: as many sequences as the KV cache holds at once, those that hold a place first."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine import engine_errors
from ..errors import ContextError
from .cache import Cache
from .piece import tokens_left
from .sequence import KvSequence

_SPARE = 2
"""Slots that are left free: one for the next sequence, and one for the prompt that it begins with."""


def check_fits(cache: Cache, sequence: KvSequence) -> None:
    """ContextError if the context cannot hold a sequence and one token of its answer, were it alone."""
    if cache.held(sequence) is None and sequence.tokens + 1 > cache.limit:
        larger = ", load the model with a larger context= (--context)" if cache.fixed else ""
        raise ContextError(
            f"The image and the prompt take {sequence.tokens} tokens and the answer at least 1; the context "
            f"holds {cache.limit}. Give a shorter prompt or a smaller image{larger}, or limit the image with "
            "load(max_image_tokens=...)."
        )


def admit(cache: Cache, sequences: Sequence[KvSequence]) -> list[KvSequence]:
    """Makes room for the first sequences that fit together, with all that may follow, at least for one. -> those.

    sequences: in the order in which they came. Those that hold a place go before those that do not. ContextError if the
    first cannot be held although nobody else is.
    """
    resident = [each for each in sequences if cache.held(each) is not None]
    if len(resident) == len(sequences):  # what may follow was reserved when they came
        fresh = sum(tokens_left(each, cache.mark(each)) for each in resident)
        if cache.evict(fresh, _slots(resident)):
            return resident
    order = resident + [each for each in sequences if cache.held(each) is None]
    order = order[: max(1, cache.sequences - _SPARE)]  # comparing a hundred with one another takes long
    own = own_tokens(cache, order)
    kept, total, reach = 1, own[0] + order[0].room, cache.reach
    while kept < len(order) and total + own[kept] + order[kept].room <= reach:
        total += own[kept] + order[kept].room
        kept += 1
    while True:
        try:
            _make_room(cache, order[:kept], own[:kept])
            return order[:kept]
        except ContextError:
            if kept == 1:
                raise
            kept -= 1  # memory holds fewer


def _make_room(cache: Cache, sequences: Sequence[KvSequence], own: Sequence[int]) -> None:
    """own: tokens of each that no earlier one has."""
    needed = held = 0
    keep: set[int] = set()
    for sequence, tokens in zip(sequences, own, strict=True):
        slot, count = cache.longest(sequence, len(sequence) - 1)
        has = sequence.tokens_before(count)
        if cache.held(sequence) is not None:  # a part of an image, too
            has = max(has, sequence.tokens - tokens_left(sequence, cache.mark(sequence)))
        if sequence.cached is None:
            sequence.cached = has
        if slot is not None:
            keep.add(slot)
            with engine_errors("preparing the prompt"):
                cache.trim(sequence, slot, count)
        known = max(0, has - (sequence.tokens - tokens))  # of its own tokens
        held += known
        needed += tokens - known + sequence.room
    cache.make_room(min(needed, max(cache.limit - held, 1)), held, keep, _slots(sequences))


def own_tokens(cache: Cache, sequences: Sequence[KvSequence]) -> list[int]:
    """Tokens of each sequence that no earlier one begins with, as far as they can be shared."""
    found = []
    for index, sequence in enumerate(sequences):
        shared = max((common_items(other, sequence) for other in sequences[:index]), default=0)
        shared = cache.cuts.shareable(sequence, shared)
        found.append(sequence.tokens - sequence.tokens_before(shared))
    return found


def common_items(one: KvSequence, other: KvSequence) -> int:
    """Items at the start that both read alike, the last of each aside."""
    count = 0
    most = min(len(one), len(other)) - 1
    pairs = zip(zip(one.items, one.acting, strict=True), zip(other.items, other.acting, strict=True), strict=False)
    for (item, acting), (same, acts) in pairs:
        if count >= most or acting != acts or (item != same if isinstance(item, int) else item is not same):
            break
        count += 1
    return count


def _slots(sequences: Sequence[KvSequence]) -> set[int]:
    return {each.slot for each in sequences if each.slot is not None}
