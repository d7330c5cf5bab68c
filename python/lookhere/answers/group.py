"""Several answers about one scene, computed together: every step is one batch with a row for each."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from itertools import takewhile
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import CancelledError, ContextError
from .run import Answer, Finish, Run, Step, answer_of

if TYPE_CHECKING:
    from ..cancel import CancelFlag


class Group:
    """Answers in the making that differ in where they look; iterate for (place, Step), close it to cancel.

    The place is the number of the answer, from 0. As many as the steering and the context allow are computed together
    and take turns, the others one after another. It belongs to one thread, ``cancel`` apart, and holds the model from
    its first step to its end. Nothing is computed before the first step is asked for.
    """

    def __init__(self, runs: Sequence[Run], cancel: CancelFlag) -> None:
        """runs: of one prompt, all given the flag; those that look at one encoded image are computed together."""
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
        return [answer_of(run, steps, run.finish) for run, steps in zip(self._runs, self._steps, strict=True)]

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
            first = self._runs[start]
            rest = [first, *takewhile(partial(_same_image, first), self._runs[start + 1 :])]
            count = first.session.at_once(first.layout, [run.steering for run in rest], first.room)
            if count > 1 and self._begin(rest[:count]):
                try:
                    yield from self._take_turns(start, count)
                finally:
                    first.session.release()
            else:
                count = 1
                with first:
                    for step in first:
                        yield start, step
            start += count

    def _begin(self, runs: Sequence[Run]) -> bool:
        """Reads the prompt; the session is held then. False where memory holds one but not several."""
        first = runs[0]
        layers = sorted({layer for run in runs for layer in run.layers})
        first.session.acquire(self._flag.native)
        try:
            first.session.prefill(
                first.layout, [run.look for run in runs], room=first.room, probe=layers, cancel=self._flag.native
            )
        except BaseException as error:
            first.session.release()
            if isinstance(error, ContextError):
                return False
            raise
        return True

    def _take_turns(self, start: int, count: int) -> Iterator[tuple[int, Step]]:
        runs = self._runs[start : start + count]
        going, last = list(range(count)), [0] * count
        while going:
            for row, k in enumerate(going):
                step = runs[k].choose(row)
                if step is not None:
                    last[k] = step.token
                    yield start + k, step
            going = [k for k in going if runs[k].finish is None]
            if going:
                runs[0].session.decode_each([last[k] for k in going], going, self._flag.native)


def _same_image(one: Run, other: Run) -> bool:
    return one.layout.image is other.layout.image
