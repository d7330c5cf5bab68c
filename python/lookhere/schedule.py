"""A schedule: where the gaze goes while one text is written, and when it moves on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, TypeAlias

from . import checks, limits, questions
from .aio.run import AsyncRun
from .aio.walk import AsyncWalk
from .answers import course
from .answers.answer import Answer, Finish, Step
from .answers.ask import Ask, known_options
from .answers.run import Run
from .cancel import CancelFlag
from .errors import OptionError, RegionError
from .regions.box import Panel
from .regions.region import Region, as_regions, is_region
from .regions.text import read_region
from .scenes.asking import Asking
from .steering.aim import Aim
from .steering.push import PushChange

Pace: TypeAlias = course.Pace

LONGEST = 100
"""Tokens that a line or a sentence is given on average."""


@dataclass(frozen=True)
class Schedule:
    """targets: regions in turn, None for wherever the model wants to look. every: a ``Pace``.

    The text ends when the last target had its share, if the model does not end it before. OptionError, RegionError.
    """

    targets: tuple[Region | None, ...]
    every: Pace = 20

    def __post_init__(self) -> None:
        most = limits.SCHEDULE
        targets = (self.targets,) if is_region(self.targets) else checks.items(self.targets)
        if targets is None:
            raise OptionError(f"targets={checks.short(self.targets)}; expected regions in turn, None for none.")
        for each in targets:
            if each is not None and not is_region(each):
                as_regions(each)  # which says what to write
                raise RegionError(f"A target is {checks.short(each)}; expected one region for each, or None.")
        if not 1 <= len(targets) <= most:
            raise OptionError(f"A schedule of {len(targets)} targets; expected 1 to {most}, for instance 4,2,1.")
        object.__setattr__(self, "targets", targets)
        if isinstance(self.every, str) and self.every in ("line", "sentence"):
            return
        every = checks.as_whole(self.every)
        if every is None or not 1 <= every <= most:
            raise OptionError(
                f"every={checks.short(self.every)}; expected a whole number of tokens from 1 to {most}, 'line' or "
                "'sentence'."
            )
        object.__setattr__(self, "every", every)

    @classmethod
    def parse(cls, text: str, *, every: Pace = 20, rows: int = 1, cols: int = 6) -> Schedule:
        """A schedule out of text: ``4,2,1``, or ``1 free box:40,60,220,300 point:120,90 3/4``.

        Targets lie between spaces or semicolons. Numbers between commas are panels of a grid of rows x cols, counted
        from 1 row by row; ``K/N`` and ``ROW,COL/ROWS,COLS`` bring a grid of their own; ``free`` lets the model look
        where it wants. RegionError names the target that is none.
        """
        if not isinstance(text, str):
            raise RegionError(f"The schedule is {checks.short(text)}; expected a text such as '4,2,1'.")
        rows = checks.whole("rows", rows, 1, limits.PANELS)
        cols = checks.whole("cols", cols, 1, limits.PANELS)
        targets: list[Region | None] = []
        for word in re.split(r"[\s;]+", text.strip(" \t\n;,")):
            targets.extend(_targets(word, rows, cols))
        return cls(tuple(targets), every)

    @property
    def max_tokens(self) -> int:
        """What the text may be long at most."""
        return len(self.targets) * (self.every if isinstance(self.every, int) else LONGEST)

    def aims(self, scene: Asking, change: PushChange | None = None) -> tuple[Aim | None, ...]:
        """One aim per target, each made once, before the first token. RegionError; HeadSetMissingError; OptionError."""
        _checked_scene(scene)
        known = {target: scene.aim(target, change) for target in dict.fromkeys(self.targets)}
        return tuple(known[target] for target in self.targets)


class Walk:
    """Reads a run and moves its gaze along a schedule; iterate for pairs of (index of the target, step).

    Close it (or leave ``with``) to cancel. aims: one per target. run: one that begins with the first of them; it is
    closed at the end.
    """

    def __init__(self, run: Run, schedule: Schedule, aims: Sequence[Aim | None]) -> None:
        self.schedule = schedule
        self.aims = tuple(aims)
        self._run = run
        self._steps: list[Step] = []
        self._finish: Finish | None = None

    @classmethod
    def begin(
        cls,
        scene: Asking,
        schedule: Schedule,
        prompt: str | None = questions.POINTED,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        cancel: CancelFlag | None = None,
        **options: Any,
    ) -> Walk:
        """Asks a scene. prompt: None for the model's own question. max_tokens: None for as long as the schedule takes.

        options: those of ``Scene.stream``. All errors of the arguments are raised here.
        """
        known_options("Walk.begin", options, _ARGUMENTS)
        ask = _asked(scene, schedule, prompt, system, max_tokens, options)
        aims = schedule.aims(scene, ask.push)
        return cls(scene.run(ask, aim=aims[0], cancel=cancel), schedule, aims)

    @classmethod
    def abegin(
        cls,
        scene: Asking,
        schedule: Schedule,
        prompt: str | None = questions.POINTED,
        *,
        system: str | None = None,
        max_tokens: int | None = None,
        cancel: CancelFlag | None = None,
        **options: Any,
    ) -> AsyncWalk:
        """``begin`` for a task: ``async for target, step in Walk.abegin(...)``. Errors of the places come from the
        steps."""
        known_options("Walk.abegin", options, _ARGUMENTS)
        ask = _asked(scene, schedule, prompt, system, max_tokens, options)
        aims: list[Aim | None] = []

        def make(flag: CancelFlag) -> Run:
            aims[:] = schedule.aims(scene, ask.push)
            return scene.run(ask, aim=aims[0], cancel=flag)

        return AsyncWalk(AsyncRun(ask, make, cancel), course.Course(len(schedule.targets), schedule.every), aims)

    @property
    def finish(self) -> Finish | None:
        """Why the text ended; ``length`` or ``stop`` where the schedule was through. None while it goes on."""
        return self._finish

    def __iter__(self) -> Iterator[tuple[int, Step]]:
        at = course.Course(len(self.schedule.targets), self.schedule.every)
        with self._run as run:
            for step in run:
                self._steps.append(step)
                yield at.target, step
                if not at.moves(step):
                    continue
                self._finish = at.over(run.finish)
                if self._finish is not None:
                    return
                if run.finish is None and self.aims[at.target] is not self.aims[at.target - 1]:
                    run.aim_with(self.aims[at.target])
        self._finish = run.finish

    def close(self) -> None:
        """Ends the text. May be called twice."""
        self._run.close()

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Walk belongs to the engine of this process, so that it can be neither copied nor pickled; read it to "
            "its end and keep the Answer: walk.answer()."
        )

    def answer(self) -> Answer:
        """All that was said, read to its end. CancelledError if the run was cancelled meanwhile."""
        for _ in self:
            pass
        return self.said()

    def said(self) -> Answer:
        """What was said up to now. CancelledError if the run was cancelled meanwhile."""
        return self._run.answer(self._steps, self._finish or "cancelled")


_ARGUMENTS = ("prompt", "system", "max_tokens", "cancel")


def _asked(
    scene: Asking,
    schedule: Schedule,
    prompt: str | None,
    system: str | None,
    max_tokens: int | None,
    options: Mapping[str, Any],
) -> Ask:
    """What is asked, as long as the schedule takes at most."""
    _checked_scene(scene)
    if not isinstance(schedule, Schedule):
        raise OptionError(f"schedule={checks.short(schedule)}; expected a Schedule, as Schedule.parse('4,2,1').")
    limit = schedule.max_tokens
    if max_tokens is not None:
        limit = min(checks.whole("max_tokens", max_tokens, 1, limits.ANSWER_TOKENS), limit)
    return scene.ask(prompt, at=schedule.targets[0], system=system, max_tokens=limit, **options)


def _checked_scene(scene: object) -> None:
    if not isinstance(scene, Asking):
        raise OptionError(f"scene={checks.short(scene)}; expected a scene, as model.look(image) makes it.")


def _targets(word: str, rows: int, cols: int) -> list[Region | None]:
    """The targets in a run of text without spaces."""
    if word == "free":
        return [None]
    kind, _, rest = word.rpartition(":")
    try:
        if kind in ("", "panel") and "/" not in rest:
            return [_panel(int(part), rows, cols) for part in rest.split(",")]
        return [read_region(word)]
    except ValueError as error:
        raise RegionError(
            f"The schedule names {checks.short(word)}; expected panel numbers such as 4,2,1, or K/N, "
            "ROW,COL/ROWS,COLS, box:X0,Y0,X1,Y1, point:X,Y, polygon:X,Y,X,Y,X,Y or free, with spaces between; no masks."
            " In a text: paragraph:K and span:START:END."
        ) from error


def _panel(number: int, rows: int, cols: int) -> Panel:
    if not 1 <= number <= rows * cols:
        raise RegionError(
            f"The schedule names panel {checks.short(number)}; expected 1 to {rows * cols}, for there are {rows} x "
            f"{cols} panels (--panels says how many)."
        )
    return Panel((number - 1) // cols + 1, (number - 1) % cols + 1, rows, cols)
