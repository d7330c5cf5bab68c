"""Long work: its steps by kind, what is done of them, and how long the rest may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """What is told about long work; the command line draws a bar of it."""

    def plan(self, kind: str, count: int, seconds: float) -> None:
        """The whole work has so many steps of a kind, as far as is known; may be said again. seconds: of one, by the
        built-in model."""

    def now(self, part: str, what: str = "") -> None:
        """What is done now: the part of the work, and what of it."""

    def step(self, kind: str, *, kept: bool = False) -> None:
        """One more step of a kind is done. kept: it was done by an earlier run."""

    def note(self, text: str) -> None:
        """Something to know."""


class Silent:
    """No progress."""

    def plan(self, kind: str, count: int, seconds: float) -> None:
        """Nothing."""

    def now(self, part: str, what: str = "") -> None:
        """Nothing."""

    def step(self, kind: str, *, kept: bool = False) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass
class _Kind:
    count: int
    expected: float
    done: int = 0
    timed: int = 0
    seconds: float = 0.0


class Work:
    """Steps of several kinds, each as long as those of its kind were so far.

    A kind that was not met yet is expected to take as many times as long as on the built-in model as the others did.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def plan(self, kind: str, count: int, seconds: float) -> None:
        """So many steps of a kind in all, never fewer than are done. seconds: what one takes, as far as is known."""
        known = self._kinds.setdefault(kind, _Kind(count, seconds))
        known.count, known.expected = max(count, known.done), seconds

    def step(self, kind: str, seconds: float | None) -> None:
        """One is done. seconds: that it took; None where it was done before."""
        known = self._kinds.setdefault(kind, _Kind(0, 0.0))
        known.done += 1
        known.count = max(known.count, known.done)
        if seconds is not None:
            known.timed += 1
            known.seconds += seconds

    @property
    def left(self) -> float | None:
        """Seconds that the rest may take; None as long as nothing was timed."""
        factor = self._factor()
        if factor is None:
            return None
        return sum((kind.count - kind.done) * _seconds(kind, factor) for kind in self._kinds.values())

    @property
    def share(self) -> float:
        """Of the whole work, what is done, 0 to 1."""
        factor = self._factor() or 1.0
        each = [(kind, _seconds(kind, factor)) for kind in self._kinds.values()]
        whole = sum(kind.count * seconds for kind, seconds in each)
        return sum(kind.done * seconds for kind, seconds in each) / whole if whole > 0 else 0.0

    def _factor(self) -> float | None:
        """How many times as long as expected steps take."""
        timed = [kind for kind in self._kinds.values() if kind.timed]
        expected = sum(kind.timed * kind.expected for kind in timed)
        return sum(kind.seconds for kind in timed) / expected if expected > 0 else None


def _seconds(kind: _Kind, factor: float) -> float:
    """Of one step: what was measured and what is expected, which counts like one step."""
    return (kind.seconds + factor * kind.expected) / (kind.timed + 1)
