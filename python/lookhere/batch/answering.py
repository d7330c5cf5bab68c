"""Many asks at once: 16 threads on one model, whose steps share the engine's batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from ..answers.answer import Answer
from ..answers.ask import Ask
from ..cancel import CancelFlag
from ..errors import BusyError, CancelledError, ClosedError, LookhereError
from ..kv.reader import ROWS
from ..model import Model
from .looked import Looked
from .row import Row


@dataclass(frozen=True)
class Outcome:
    """number: of the row. row, ask, answer: None where it failed before there was one. error: why it failed."""

    number: int
    row: Row | None = None
    ask: Ask | None = None
    answer: Answer | None = None
    error: LookhereError | None = None

    @property
    def whole(self) -> tuple[Row, Ask, Answer]:
        """Of one that is answered."""
        assert self.row is not None
        assert self.ask is not None
        assert self.answer is not None
        return self.row, self.ask, self.answer


RowOf = Callable[[int], Row]
AskOf = Callable[[Row], Ask]
Take = Callable[[list[Outcome]], None]


def answer_each(model: Model, numbers: Iterable[int], row_of: RowOf, ask_of: AskOf, take: Take) -> None:
    """Every row is answered, or fails for itself; ``take`` gets them as they end, in one other thread.

    row_of, ask_of: called in any thread.

    However many there are, 16 are held at a time. Ctrl-C ends within one batch of the engine, after ``take`` got all
    that ended before; so does an error of ``take``. Errors that are not of one row are raised: ClosedError, and what is
    no LookhereError.
    """
    flag = CancelFlag()
    with ThreadPoolExecutor(1, thread_name_prefix="lookhere-take") as one:  # where no Ctrl-C comes between two lines
        work = one.submit(_answer_each, model, numbers, row_of, ask_of, take, flag)
        try:
            work.result()
        except BaseException:
            flag.set()
            _wait_for(work)
            raise


def _wait_for(work: Future[None]) -> None:
    """Whatever comes, a second Ctrl-C included: ``take`` must not be left in the middle of a line."""
    while not work.done():
        with suppress(KeyboardInterrupt):
            wait([work])


def _answer_each(
    model: Model, numbers: Iterable[int], row_of: RowOf, ask_of: AskOf, take: Take, flag: CancelFlag
) -> None:
    ended: SimpleQueue[Outcome | BaseException] = SimpleQueue()
    looked = Looked(model, flag)

    def answer(number: int) -> None:
        row = ask = None
        try:
            row = row_of(number)
            ask = ask_of(row)
            ended.put(Outcome(number, row, ask, model.run(looked.ready(ask), cancel=flag).join()))
        except (ClosedError, BusyError, CancelledError) as error:
            ended.put(error)
        except LookhereError as error:
            ended.put(Outcome(number, row, ask, error=error))
        except BaseException as error:  # goes to the caller
            ended.put(error)

    left, going = iter(numbers), 0
    with ThreadPoolExecutor(ROWS, thread_name_prefix="lookhere-answer") as pool:
        try:
            while True:
                while going < ROWS and not flag.is_set() and (number := next(left, None)) is not None:
                    pool.submit(answer, number)
                    going += 1
                if not going:
                    return
                found = _all(ended)
                going -= len(found)
                wrong = [each for each in found if not isinstance(each, Outcome)]
                take([each for each in found if isinstance(each, Outcome)])
                for error in wrong:
                    if not isinstance(error, CancelledError) or not flag.is_set():
                        raise error
        finally:
            flag.set()


def _all(ended: SimpleQueue[Outcome | BaseException]) -> list[Outcome | BaseException]:
    """What ended, one at least."""
    found = [ended.get()]
    while True:
        try:
            found.append(ended.get_nowait())
        except Empty:
            return found
