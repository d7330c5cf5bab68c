"""Several answers, computed together: a batch has a row for each."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from ..cancel import CancelFlag
from ..errors import CancelledError, LookhereError
from ..kv.reader import ROWS
from .ahead import Ahead
from .answer import Answer, Finish, Step
from .run import Run

if TYPE_CHECKING:
    from ..kv.request import Request
    from ..loaded import LoadedModel


class Places:
    """What is known of several answers, by place: the number of the answer, from 0."""

    def __init__(self, count: int, *, return_errors: bool) -> None:
        """return_errors: an answer that fails does not end the others."""
        self._runs: list[Run | None] = [None] * count
        self._steps: list[list[Step]] = [[] for _ in range(count)]
        self._closed = False
        self._return_errors = return_errors
        self._errors: dict[int, LookhereError] = {}

    @property
    def finishes(self) -> tuple[Finish | None, ...]:
        """Why each answer ended; None while it goes on."""
        gone: Finish | None = "cancelled" if self._closed else None
        return tuple(run.finish if run else gone for run in self._runs)

    @property
    def errors(self) -> dict[int, LookhereError]:
        """What ended answers that failed, by place; where errors are not returned, one ends all and is raised."""
        return dict(self._errors)

    def _whole(self) -> list[Answer]:
        return [self._errors.get(place) or self._answer(place) for place in range(len(self._runs))]  # type: ignore[misc]

    @contextmanager
    def _errors_of(self, place: int) -> Iterator[None]:
        try:
            yield
        except CancelledError:
            raise
        except LookhereError as error:
            if not self._return_errors:
                raise
            self._errors[place] = error

    def _answer(self, place: int) -> Answer:
        """The whole answer of a place, once it has ended. CancelledError if it has not, or was cancelled."""
        run = self._runs[place]
        if run is None:
            raise CancelledError("The answer was cancelled before it began.")
        return run.answer(self._steps[place])

    def _run(self, place: int) -> Run:
        run = self._runs[place]
        assert run is not None, "it was made"
        return run

    def _close_runs(self) -> None:
        self._closed = True
        for run in self._runs:
            if run is not None:
                run.close()


class Group(Places):
    """Answers in the making; iterate for (place, Step), as they come; close it to cancel.

    The place is the number of the answer, from 0. Up to 16 answers go on at a time, each batch with a step of all that
    wait; as one ends, the next begins. Images are encoded in a thread of their own meanwhile. Nothing is computed
    before the first step is asked for.
    """

    def __init__(
        self, model: LoadedModel, runs: Sequence[Run] | Ahead, cancel: CancelFlag, *, return_errors: bool = False
    ) -> None:
        """runs: of the model, all given the flag. return_errors: one that fails does not end the others."""
        super().__init__(len(runs), return_errors=return_errors)
        self._session = model.session
        self._coming = runs if isinstance(runs, Ahead) else Ahead.made(runs)
        self._flag = cancel
        self._source = self._generate()

    def answers(self) -> list[Answer]:
        """Reads on to the end; every answer whole, in the order of the places. CancelledError.

        Where errors are returned, they stand in place of answers that failed.
        """
        for _ in self:
            pass
        return self._whole()

    def cancel(self) -> None:
        """Ends all answers as soon as the engine can, from any thread; the iteration then stops.

        A flag that was given with ``cancel=`` is raised by it.
        """
        self._flag.set()

    def close(self) -> None:
        """Ends all answers. May be called twice."""
        self._source.close()
        self._close_runs()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Group belongs to the engine of this process, so that it can be neither copied nor pickled; keep the "
            "answers: group.answers()."
        )

    def __iter__(self) -> Iterator[tuple[int, Step]]:
        return self

    def __next__(self) -> tuple[int, Step]:
        try:
            place, step = next(self._source)
        except CancelledError:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise
        return place, step

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _generate(self) -> Generator[tuple[int, Step], None, None]:
        going: dict[int, Request[Step | None]] = {}
        with self._coming as coming:
            while True:
                while coming.left and len(going) < ROWS and (coming.ready or not going):
                    place = coming.place
                    with self._errors_of(place):
                        run = self._runs[place] = coming.take()
                        going[place] = run.request()
                if not going:
                    if coming.left:
                        continue
                    return
                self._session.compute(list(going.values()), self._flag.native)
                for place, request in sorted(going.items()):
                    if not request.done:
                        continue
                    del going[place]
                    run = self._run(place)
                    step = None
                    with self._errors_of(place):
                        step = request.outcome()
                    if place in self._errors:
                        run.close()
                    if run.finish is None:
                        going[place] = run.request()
                    if step is not None:
                        self._steps[place].append(step)
                        yield place, step
