"""Several answers about one prompt, computed together: every step is one batch with a row for each."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from types import TracebackType
from typing import NoReturn

from ..cancel import CancelFlag
from ..errors import CancelledError, ContextError
from .answer import Answer, Finish, Step
from .run import Run


class Group:
    """Answers in the making that differ in where they look; iterate for (place, Step), close it to cancel.

    The place is the number of the answer, from 0. As many as the steering and the context allow are computed together,
    the others one after another. Every batch takes a turn at the model and gives it back. Nothing is computed before
    the first step is asked for.
    """

    def __init__(self, runs: Sequence[Run], cancel: CancelFlag) -> None:
        """runs: all given the flag; neighbours that begin with the same images are computed together."""
        self._runs = tuple(runs)
        self._flag = cancel
        self._steps: list[list[Step]] = [[] for _ in runs]
        self._source = self._generate()

    @property
    def finishes(self) -> tuple[Finish | None, ...]:
        """Why each answer ended; None while it goes on."""
        return tuple(run.finish for run in self._runs)

    def answers(self) -> list[Answer]:
        """Reads on to the end; every answer whole, in the order of the places. CancelledError."""
        for _ in self:
            pass
        return [run.answer(steps) for run, steps in zip(self._runs, self._steps, strict=True)]

    def cancel(self) -> None:
        """Ends all answers as soon as the engine can, from any thread; the iteration then stops.

        A flag that was given with ``cancel=`` is raised by it.
        """
        self._flag.set()

    def close(self) -> None:
        """Ends all answers. May be called twice."""
        self._source.close()
        for run in self._runs:
            run.close()

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
        self._steps[place].append(step)
        return place, step

    def __enter__(self) -> Group:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _generate(self) -> Generator[tuple[int, Step], None, None]:
        start = 0
        while start < len(self._runs):
            going = list(range(start, len(self._runs)))
            going = going[: self._runs[start].at_once([self._runs[place] for place in going])]
            start = going[-1] + 1
            try:
                steps = self._batch(going)
            except ContextError:
                if len(going) == 1:
                    raise
                going, start = going[:1], going[0] + 1  # memory holds one but not several
                steps = self._batch(going)
            while True:
                yield from steps
                going = [place for place in going if self._runs[place].finish is None]
                if not going:
                    break
                steps = self._batch(going)

    def _batch(self, going: Sequence[int]) -> list[tuple[int, Step]]:
        """One engine step for several answers."""
        runs = [self._runs[place] for place in going]
        steps = runs[0].step_with(runs, self._flag)
        return [(place, step) for place, step in zip(going, steps, strict=True) if step is not None]
