"""A run that follows a schedule, for a task of an event loop."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

from ..answers.answer import Answer, Finish, Step
from ..answers.course import Course
from ..steering.aim import Aim
from .run import AsyncRun


class AsyncWalk:
    """A ``Walk`` for a task; iterate with ``async for``, close it with ``aclose`` or by leaving ``async with``."""

    def __init__(self, run: AsyncRun, course: Course, aims: Sequence[Aim | None]) -> None:
        """aims: one per target, filled when the run is made."""
        self._run, self._course, self._aims = run, course, aims
        self._steps: list[Step] = []
        self._finish: Finish | None = None

    @property
    def finish(self) -> Finish | None:
        """Why the text ended; ``length`` or ``stop`` where the schedule was through. None while it goes on."""
        return self._finish

    @property
    def aims(self) -> tuple[Aim | None, ...]:
        """One per target; none before the first step."""
        return tuple(self._aims)

    async def answer(self) -> Answer:
        """All that was said, read to its end. CancelledError if the run was cancelled meanwhile."""
        async for _ in self:
            pass
        return self.said()

    def said(self) -> Answer:
        """What was said up to now. CancelledError if the run was cancelled meanwhile."""
        return self._run.answer(self._steps, self._finish or "cancelled")

    async def aclose(self) -> None:
        """Ends it. May be called twice."""
        await self._run.aclose()

    def __aiter__(self) -> AsyncWalk:
        return self

    async def __anext__(self) -> tuple[int, Step]:
        if self._finish is None and self._steps and self._course.moves(self._steps[-1]):
            await self._move()
        step = None if self._finish else await anext(self._run, None)
        if step is None:
            self._finish = self._finish or self._run.finish
            raise StopAsyncIteration
        self._steps.append(step)
        return self._course.target, step

    async def __aenter__(self) -> AsyncWalk:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An AsyncWalk belongs to the engine of this process, so that it can be neither copied nor pickled; read it "
            "to its end and keep the Answer: await walk.answer()."
        )

    async def _move(self) -> None:
        target, finish = self._course.target, self._run.finish
        self._finish = self._course.over(finish)
        if self._finish is not None:
            await self.aclose()
        elif finish is None and self._aims[target] is not self._aims[target - 1]:
            await self._run.aim_with(self._aims[target])
