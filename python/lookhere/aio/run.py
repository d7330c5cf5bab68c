"""A run for a task of an event loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, NoReturn

from ..answers.answer import Answer, Finish, Step
from ..answers.ask import Ask
from ..answers.run import Run
from ..cancel import CancelFlag, checked_flag, child_flag
from ..checks import short
from ..errors import CancelledError, ClosedError, OptionError
from ..regions.region import Region
from ..steering.aim import Aim
from ..steering.steering import Steering
from .inbox import Inbox
from .loop import in_thread, library


class AsyncRun:
    """An answer in the making; iterate with ``async for``, close it (or leave ``async with``) to cancel.

    It has the methods of a ``Run``; those that compute are awaited, and ``close`` is ``aclose``. Steps of all tasks,
    and of threads beside them, are computed in the same batches by one thread. A task that is cancelled ends the
    answer within one batch. A run that nobody reads holds nothing. It begins when it is entered, or first read:
    before, there is no steering, aim or number of prompt tokens yet.
    """

    def __init__(
        self, ask: Ask, make: Callable[[CancelFlag], Run], cancel: CancelFlag | None, *, images: bool = False
    ) -> None:
        """make: makes the run with a flag, in a worker thread. images: it encodes some even without zoom."""
        if not isinstance(ask, Ask):
            raise OptionError(f"ask={short(ask)}; expected an Ask, as scene.ask(prompt, at=...) makes it.")
        self.ask = ask
        self._make, self._images = make, images
        self._given = checked_flag(cancel)
        self._flag = child_flag(cancel)
        self._run: Run | None = None
        self._making: Any = None
        self._closed = False

    @property
    def prompt(self) -> str:
        """The question."""
        return self.ask.prompt

    @property
    def finish(self) -> Finish | None:
        """Why the answer ended; None while it goes on."""
        return self._run.finish if self._run else "cancelled" if self._closed else None

    @property
    def steering(self) -> Steering | None:
        """The steering that acts now."""
        return self._run.steering if self._run else None

    @property
    def aim(self) -> Aim | None:
        """The steering that acts now, with what it covers of each token grid."""
        return self._run.aim if self._run else None

    @property
    def prompt_tokens(self) -> int | None:
        """Tokens of the prompt, images included."""
        return self._run.prompt_tokens if self._run else None

    async def look_at(self, at: Region | Sequence[Region] | Steering | None) -> None:
        """Moves the gaze; the next token that is read obeys. As ``Run.look_at``."""
        run = await self._begun()
        if run.finish is None:
            run.aim_with(await self.aim_for(at))
        else:
            run.look_at(at)  # which says that it has ended

    async def aim_for(self, at: Region | Sequence[Region] | Steering | None) -> Aim | None:
        """What ``look_at`` would look with, to be carried to ``aim_with``. As ``Run.aim_for``."""
        run = await self._begun()
        return await in_thread(lambda: run.aim_for(at), CancelFlag())

    async def aim_with(self, aim: Aim | None) -> None:
        """Moves the gaze to an aim that was made before. As ``Run.aim_with``."""
        (await self._begun()).aim_with(aim)

    def cancel(self) -> None:
        """Ends the answer as soon as the engine can, from any thread; the iteration then stops.

        A flag that was given with ``cancel=`` is raised by it.
        """
        (self._given or self._flag).set()

    async def aclose(self) -> None:
        """Ends the answer. May be called twice."""
        self._close()

    def answer(self, steps: Sequence[Step], finish: Finish | None = None) -> Answer:
        """Steps of this run as one answer. As ``Run.answer``."""
        if self._run is None:
            raise CancelledError("The answer has not begun; read its steps first.")
        return self._run.answer(steps, finish)

    async def join(self) -> Answer:
        """Reads the run to its end. CancelledError if it was cancelled meanwhile."""
        if self._run is None and self._closed:
            raise CancelledError("The answer was cancelled before it began.")
        try:
            run = await self._begun()
            steps = [step for step in await self._read(run, to_end=True) if step is not None]
            return run.answer(steps)
        finally:
            self._close()

    def __aiter__(self) -> AsyncRun:
        return self

    async def __anext__(self) -> Step:
        if self.finish is not None:
            raise StopAsyncIteration
        try:
            run = await self._begun()
            steps = await self._read(run)
        except BaseException:
            self._close()
            raise
        if not steps or steps[0] is None:
            raise StopAsyncIteration
        return steps[0]

    async def __aenter__(self) -> AsyncRun:
        try:
            await self._begun()
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An AsyncRun belongs to the engine of this process, so that it can be neither copied nor pickled; read it "
            "to its end and keep the Answer: await run.join()."
        )

    def __del__(self) -> None:
        if hasattr(self, "_closed"):
            self._close()

    async def _read(self, run: Run, *, to_end: bool = False) -> list[Step | None]:
        """The next step, or all that follow."""
        if run.finish is not None:
            return []
        inbox = Inbox()
        inbox.begin(0, run, to_end=to_end)
        said = await inbox.read()
        for each in said:
            error = each.error
            if error is not None:
                raise error
        return [each.step for each in said]

    def _close(self) -> None:
        self._closed = True
        self._flag.set()  # what computes ends within its batch
        if self._run is not None:
            self._run.close()

    async def _begun(self) -> Run:
        """The run, made by the first task that needs it."""
        if self._run is None:
            if self._closed:
                raise ClosedError("This answer was closed before it began; ask the scene again.")
            if self._making is None:
                self._making = library().Lock()
            async with self._making:
                if self._run is None:
                    self._run = await in_thread(
                        lambda: self._make(self._flag), self._flag, images=self.ask.zoom or self._images
                    )
        return self._run
