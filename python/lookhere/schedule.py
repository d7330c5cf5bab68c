"""A schedule: where the gaze goes while one text is written, and when it moves on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from . import questions
from .answers.run import Answer, Finish, Run, Step, answer_of
from .errors import OptionError, RegionError
from .regions.region import Box, Panel, Point, Polygon, Region
from .scene import Scene
from .steering.head_set import Mode, Queries
from .steering.steering import Steering

Pace: TypeAlias = "int | Literal['line', 'sentence']"
"""When the gaze moves on: after so many tokens, or where a line or a sentence ends."""

LONGEST = 100
"""Tokens that a line or a sentence is given on average."""

MOST = 10_000
"""Targets, and tokens on one target."""

_LINE = re.compile(r"\S[^\n]*\n")
_SENTENCE = re.compile(r"""\w.*?[.!?]['")\]’”]*\s*$|\w.*\n""", re.DOTALL)


@dataclass(frozen=True)
class Schedule:
    """targets: regions in turn, None for wherever the model wants to look. every: a ``Pace``.

    The text ends when the last target had its share, if the model does not end it before. OptionError, RegionError.
    """

    targets: tuple[Region | None, ...]
    every: Pace = 20

    def __post_init__(self) -> None:
        if not 1 <= len(self.targets) <= MOST:
            raise OptionError(f"A schedule of {len(self.targets)} targets; expected 1 to {MOST}, for instance 4,2,1.")
        whole = isinstance(self.every, int) and not isinstance(self.every, bool)
        if self.every not in ("line", "sentence") and not (whole and 1 <= int(self.every) <= MOST):
            raise OptionError(
                f"every={self.every!r}; expected a whole number of tokens from 1 to {MOST}, 'line' or 'sentence'."
            )

    @classmethod
    def parse(cls, text: str, *, every: Pace = 20, rows: int = 1, cols: int = 6) -> Schedule:
        """A schedule out of text: ``4,2,1``, or ``1 free box:40,60,220,300 point:120,90 3/4``.

        Targets lie between spaces or semicolons. Numbers between commas are panels of a grid of rows x cols, counted
        from 1 row by row; ``K/N`` and ``ROW,COL/ROWS,COLS`` bring a grid of their own; ``free`` lets the model look
        where it wants. RegionError names the target that is none.
        """
        targets: list[Region | None] = []
        for word in re.split(r"[\s;]+", text.strip(" \t\n;,")):
            targets.extend(_targets(word, rows, cols))
        return cls(tuple(targets), every)

    @property
    def max_tokens(self) -> int:
        """What the text may be long at most."""
        return len(self.targets) * (self.every if isinstance(self.every, int) else LONGEST)

    def steerings(
        self,
        scene: Scene,
        *,
        strength: float | None = None,
        mode: Mode | None = None,
        queries: Queries | None = None,
        share: float | None = None,
    ) -> tuple[Steering | None, ...]:
        """One steering per target, checked before the first token. RegionError; HeadSetMissingError; OptionError."""
        found = (scene.steering(target) for target in self.targets)
        return tuple(
            each and Steering(each.heads, each.regions, strength=strength, mode=mode, queries=queries, share=share)
            for each in found
        )


class Walk:
    """Reads a run and moves its gaze along a schedule; iterate for pairs of (index of the target, step).

    steerings: one per target. run: one that begins with the first of them; it is closed at the end.
    """

    def __init__(self, run: Run, schedule: Schedule, steerings: tuple[Steering | None, ...]) -> None:
        self.schedule = schedule
        self.steerings = steerings
        self._run = run
        self._steps: list[Step] = []
        self._finish: Finish | None = None

    @classmethod
    def begin(
        cls,
        scene: Scene,
        schedule: Schedule,
        prompt: str | None = questions.POINTED,
        *,
        strength: float | None = None,
        mode: Mode | None = None,
        queries: Queries | None = None,
        share: float | None = None,
        max_tokens: int | None = None,
        **options: Any,
    ) -> Walk:
        """Asks a scene. prompt: None for the model's own question. max_tokens: None for as long as the schedule takes.

        options: those of ``Scene.stream``. All errors of the arguments are raised here.
        """
        steerings = schedule.steerings(scene, strength=strength, mode=mode, queries=queries, share=share)
        limit = schedule.max_tokens if max_tokens is None else min(max_tokens, schedule.max_tokens)
        return cls(scene.stream(prompt, at=steerings[0], max_tokens=limit, **options), schedule, steerings)

    @property
    def finish(self) -> Finish | None:
        """Why the text ended; ``length`` or ``stop`` where the schedule was through. None while it goes on."""
        return self._finish

    def __iter__(self) -> Iterator[tuple[int, Step]]:
        done = _DONE[self.schedule.every] if isinstance(self.schedule.every, str) else None
        target, since, said = 0, 0, ""
        with self._run as run:
            for step in run:
                self._steps.append(step)
                yield target, step
                since, said = since + 1, said + step.text
                if not (done(said) if done else since == self.schedule.every):
                    continue
                target, since, said = target + 1, 0, ""
                if target == len(self.steerings):
                    self._finish = run.finish or ("stop" if done else "length")
                    return
                if run.finish is None and self.steerings[target] != self.steerings[target - 1]:
                    run.look_at(self.steerings[target])
        self._finish = run.finish

    def answer(self) -> Answer:
        """All that was said, read to its end. CancelledError if the run was cancelled meanwhile."""
        for _ in self:
            pass
        return self.said()

    def said(self) -> Answer:
        """What was said up to now. CancelledError if the run was cancelled meanwhile."""
        return answer_of(self._run, self._steps, self._finish)


_DONE: dict[str, Callable[[str], bool]] = {
    "line": lambda said: _LINE.search(said) is not None,
    "sentence": lambda said: _SENTENCE.search(said) is not None,
}


def _targets(word: str, rows: int, cols: int) -> list[Region | None]:
    """The targets in a run of text without spaces."""
    if word == "free":
        return [None]
    name, _, rest = word.rpartition(":")
    try:
        if name == "box":
            return [Box(*_numbers(rest, 4))]
        if name == "point":
            return [Point(*_numbers(rest, 2))]
        if name == "polygon":
            return [_polygon(rest)]
        if match := re.fullmatch(r"(?:panel:)?(?:(\d+)/(\d+)|(\d+),(\d+)/(\d+),(\d+))", word):
            return [Panel(*(int(part) for part in match.groups() if part is not None))]
        numbers = [int(part) for part in rest.split(",")] if name in ("", "panel") else []
    except ValueError:
        numbers = []
    if not numbers:
        raise RegionError(
            f"The schedule names {word!r}; expected panel numbers such as 4,2,1, or K/N, ROW,COL/ROWS,COLS, "
            "box:X0,Y0,X1,Y1, point:X,Y, polygon:X,Y,X,Y,X,Y or free, with spaces between; no masks."
        )
    return [_panel(number, rows, cols) for number in numbers]


def _panel(number: int, rows: int, cols: int) -> Panel:
    if not 1 <= number <= rows * cols:
        raise RegionError(
            f"The schedule names panel {number}; expected 1 to {rows * cols}, for there are {rows} x {cols} panels "
            "(--panels says how many)."
        )
    return Panel((number - 1) // cols + 1, (number - 1) % cols + 1, rows, cols)


def _polygon(text: str) -> Polygon:
    numbers = [float(part) for part in text.split(",")]
    return Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


def _numbers(text: str, count: int) -> list[float]:
    return [float(part) for part, _ in zip(text.split(","), range(count), strict=True)]
