"""Ranking heads by slopes: item after item, by the gradient in torch or by differences in the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, TypeVar

from .checkpoint import Checkpoint
from .difference import Difference
from .gradient import Gradient
from .ranking import Rank
from .slopes import Array, Slopes
from .torch_model import check_architecture, libraries
from .work import Progress

if TYPE_CHECKING:
    from ..steering.facts import ModelFacts
    from .forced import Forced, Reader

SLOPE = "slope"
"""A step: an item, with all its captions."""
SECONDS = {"gradient": 0.3, "difference": 0.9}
"""Of one step, by the built-in model."""

Source = TypeVar("Source")


class Method(Protocol):
    """``Gradient`` or ``Difference``."""

    @property
    def told(self) -> str: ...
    def slopes(self, forced: Forced, number: int) -> Array: ...


def check_rank(rank: Rank, facts: ModelFacts) -> None:
    """OptionError where a model or this machine lacks what a ranking takes; before anything is asked."""
    if rank == "gradient":
        libraries()
        check_architecture(facts.architecture)


def method_of(rank: Rank, model: Reader, captions: int, seed: int = 0) -> Method:
    """What computes slopes; see ``check_rank``."""
    check_rank(rank, model.facts)
    return Gradient(model, captions) if rank == "gradient" else Difference(model, captions, seed=seed)


def tally_slopes(
    model: Reader,
    rank: Rank,
    sources: Iterable[Source],
    read: Callable[[Source], Forced],
    count: int,
    places: int,
    *,
    seed: int,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Slopes:
    """Slopes of so many items of so many places. read: makes an item of a source. What the checkpoint holds is not done
    again. OptionError where captions are not known; LookhereError of the model."""
    slopes = Slopes(model.facts, places, seed=seed)
    slopes.restore(checkpoint.arrays)
    method, done, began = method_of(rank, model, count * places, seed), slopes.items, time.monotonic()
    progress.plan(SLOPE, count, SECONDS[rank])
    progress.now(f"ranking heads by {rank}", method.told)
    for _ in range(done):
        progress.step(SLOPE, kept=True)
    for number, source in enumerate(sources):
        if number < done:
            continue
        slopes.add(method.slopes(read(source), number))
        progress.step(SLOPE)
        checkpoint.arrays = {**checkpoint.arrays, **slopes.arrays()}
        checkpoint.touch()
    checkpoint.write()
    if done < slopes.items:
        progress.note(f"Ranked by {rank}: {method.told}, {time.monotonic() - began:.0f} s.")
    return slopes
