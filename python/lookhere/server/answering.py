"""An answer in the making, whose target can be moved by others than its reader."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from ..answers.answer import Answer, Finish, Step
from ..answers.ask import Ask
from ..answers.run import Run
from ..cancel import CancelFlag
from ..errors import RequestError
from ..model import Model
from ..schedule import Walk
from ..steering.aim import Aim
from ..tokens.gaze import Gaze, GridMaps
from ..wire.pointing import Place, Pointing
from .work import Work

ENDED = "This answer has ended; ask again."


@dataclass(frozen=True)
class Said:
    """One token. target: which of the schedule, from 0. move: how many times the target had been moved by then."""

    step: Step
    target: int
    move: int


class Answering:
    """Made in an event loop. id: what others know it by. pictures: makes an ask's images ready, within the thread."""

    def __init__(
        self, model: Model, ask: Ask, pointing: Pointing, pictures: Callable[[Ask, CancelFlag], Ask], seconds: float
    ) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.ask = ask
        self.pointing = pointing
        self.answer: Answer | None = None
        self._model = model
        self._pictures = pictures
        self._work: Work[Said] = Work(seconds)
        self._loop = asyncio.get_running_loop()
        self._run: asyncio.Future[Run] = self._loop.create_future()
        self._lock = threading.Lock()
        self._moves = 0
        self._next: tuple[int, Aim | None] | None = None
        self._over = False
        self._finish: Finish | None = None  # of a schedule

    def begin(self, pool: Executor, on_end: Callable[[], None]) -> None:
        """A thread of the pool makes it. on_end: called once the thread is free again."""

        def ended() -> None:
            if not self._run.done():
                self._run.cancel()
            on_end()

        self._work.begin(pool, self._steps, ended)

    def stop(self) -> None:
        """Nobody reads it any more; its thread ends within one batch."""
        self._work.stop()

    async def first(self, seconds: float) -> None:
        """Waits for the first token, so long at most; raises the error where there is one instead."""
        await self._work.first(seconds)

    def read(self, every: float | None = None) -> AsyncIterator[Said | None]:
        """The tokens, then ``answer`` is there. every: seconds of silence after which None comes."""
        return self._work.read(every)

    async def look_at(self, place: Place) -> int:
        """Moves the target; the next token obeys. -> the number of the move, which the tokens that obey carry.

        RegionError and the like; RequestError for one that has ended, or follows a schedule.
        """
        if self.pointing.schedule is not None:
            raise RequestError(
                "This answer follows a schedule, which moves its target. Ask without one.", 409, "schedule"
            )
        try:
            run = await asyncio.shield(self._run)
        except asyncio.CancelledError:
            if not self._run.cancelled():
                raise  # it is this caller that was cancelled
            raise RequestError(ENDED, 409, "ended") from None
        at = self.pointing.place(place, self._model)
        aim = await asyncio.to_thread(run.aim_for, at)
        with self._lock:
            if self._over:
                raise RequestError(ENDED, 409, "ended")
            self._moves += 1
            self._next = self._moves, aim
            return self._moves

    def _steps(self) -> Iterator[Said]:
        """In the thread."""
        ask = self._pictures(self.ask, self._work.flag)
        at = self.pointing.place(self.pointing.at, self._model)
        run = self._model.run(replace(ask, at=at), cancel=self._work.flag)
        steps: list[Step] = []
        try:
            with run:
                self._loop.call_soon_threadsafe(self._made, run)
                for said in self._said(run):
                    # maps of single heads are told and not kept
                    steps.append(replace(said.step, head_gaze=GridMaps(), steered_gaze=Gaze()))
                    yield said
            finish = self._finish or run.finish
            self.answer = run.answer(steps, "length" if finish == "cancelled" and self._work.late and steps else finish)
        finally:
            with self._lock:
                self._over = True

    def _said(self, run: Run) -> Iterator[Said]:
        schedule = self.pointing.schedule
        if schedule is not None:
            places = {
                each: self.pointing.place(None if each is None else (each,), self._model)
                for each in set(schedule.targets)
            }
            aims = {each: run.aim_for(place) for each, place in places.items()}
            walk = Walk(run, schedule, [aims[each] for each in schedule.targets])
            for target, step in walk:
                yield Said(step, target, 0)
            self._finish = walk.finish
            return
        move = 0
        while True:
            with self._lock:
                wanted, self._next = self._next, None
            if wanted is not None:
                move, aim = wanted
                run.aim_with(aim)
            made = next(run, None)
            if made is None:
                return
            yield Said(made, 0, move)
            if run.finish is not None:
                return

    def _made(self, run: Run) -> None:
        if not self._run.done():
            self._run.set_result(run)
