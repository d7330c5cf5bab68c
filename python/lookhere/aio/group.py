"""Several answers for a task of an event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NoReturn

from ..answers.ahead import Ahead
from ..answers.answer import Answer, Step
from ..answers.group import Places
from ..answers.run import Run
from ..cancel import CancelFlag, checked_flag, child_flag
from ..errors import CancelledError
from ..kv.reader import ROWS
from .inbox import Inbox, Said
from .loop import in_thread


class AsyncGroup(Places):
    """Answers in the making; iterate with ``async for`` for (place, Step), as they come; close it to cancel.

    It has the methods of a ``Group``; ``answers`` is awaited, and ``close`` is ``aclose``. A task that is cancelled
    ends them within one batch.
    """

    def __init__(
        self,
        count: int,
        make: Callable[[CancelFlag], Sequence[Run] | Ahead],
        cancel: CancelFlag | None,
        *,
        return_errors: bool = False,
    ) -> None:
        """make: makes so many runs with a flag, in a worker thread."""
        super().__init__(count, return_errors=return_errors)
        self._make = make
        self._given = checked_flag(cancel)
        self._flag = child_flag(cancel)
        self._coming: Ahead | None = None
        self._going: set[int] = set()  # a step of each is wanted
        self._resting: set[int] = set()  # go on when the next step is asked for
        self._awaited = -1  # the place whose image the inbox waits for
        self._unread: deque[tuple[int, Step]] = deque()
        self._inbox = Inbox()
        self._to_end = False

    async def answers(self) -> list[Answer]:
        """Reads on to the end; every answer whole, in the order of the places. CancelledError.

        Where errors are returned, they stand in place of answers that failed.
        """
        self._to_end = True
        async for _ in self:
            pass
        return self._whole()

    def cancel(self) -> None:
        """Ends all answers as soon as the engine can, from any thread; the iteration then stops.

        A flag that was given with ``cancel=`` is raised by it.
        """
        (self._given or self._flag).set()

    async def aclose(self) -> None:
        """Ends all answers. May be called twice."""
        self._close()

    def __aiter__(self) -> AsyncGroup:
        return self

    async def __anext__(self) -> tuple[int, Step]:
        try:
            while not self._unread and await self._go_on():
                for said in sorted(await self._inbox.read(self._image_is_ready), key=lambda said: said.place):
                    self._note(said)
        except CancelledError:
            self._close()
        except BaseException:
            self._close()
            raise
        if not self._unread:
            raise StopAsyncIteration
        return self._unread.popleft()

    async def __aenter__(self) -> AsyncGroup:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An AsyncGroup belongs to the engine of this process, so that it can be neither copied nor pickled; keep "
            "the answers: await group.answers()."
        )

    def __del__(self) -> None:
        if hasattr(self, "_to_end"):
            self._close()

    async def _go_on(self) -> bool:
        """Has the next steps computed, and begins answers for which there is room. -> whether anything is to come."""
        if self._closed:
            return False
        if self._coming is None:
            made = await in_thread(lambda: self._make(self._flag), self._flag)
            self._coming = made if isinstance(made, Ahead) else Ahead.made(made)
        coming = self._coming
        for place in sorted(self._resting):
            self._begin(place, self._run(place))
        self._resting.clear()
        while coming.left and len(self._going) < ROWS and coming.ready:
            place = coming.place
            with self._errors_of(place):
                run = self._runs[place] = coming.take()
                self._begin(place, run)
        if coming.left and len(self._going) < ROWS and self._awaited != coming.place:
            self._awaited = coming.place
            coming.when_ready(self._inbox.ring)
        if not self._going and not coming.left:
            coming.__exit__(None, None, None)
            return False
        return True

    def _begin(self, place: int, run: Run) -> None:
        self._going.add(place)
        self._inbox.begin(place, run, to_end=self._to_end)

    def _image_is_ready(self) -> bool:
        coming = self._coming
        return coming is not None and bool(coming.left) and len(self._going) < ROWS and coming.ready

    def _note(self, said: Said) -> None:
        place, run = said.place, said.run
        if not said.more:
            self._going.discard(place)
        error = said.error
        if error is not None:
            with self._errors_of(place):
                raise error
        if said.step is not None:
            self._steps[place].append(said.step)
            self._unread.append((place, said.step))
        if run.finish == "cancelled" and place not in self._errors:
            raise CancelledError("The answers were cancelled.")
        if run.finish is None and not said.more:
            self._resting.add(place)

    def _close(self) -> None:
        self._flag.set()  # what computes ends within its batch
        self._unread.clear()
        if self._coming is not None:
            self._coming.__exit__(None, None, None)
        self._close_runs()
