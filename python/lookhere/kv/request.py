"""A request: one engine step that is wanted of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from .sequence import KvSequence

if TYPE_CHECKING:
    from .. import _engine

Result = TypeVar("Result")

_numbers = count()


class Request(Generic[Result]):
    """Reads a sequence to its end, and has the row of its last token taken.

    pending: what is to be added to the sequence first; asked for when the request is begun. take: called with the
    number of the engine's row, within the turn that computed it, maybe by another thread. cancel: ends the request.

    done: the row was taken, and ``result`` is what that gave; or ``error`` says why it was not; neither where the
    sequence was closed meanwhile. alone: computed by itself, after a batch with others failed. number: in the order in
    which requests were made. when_done: called once it is done, where no thread waits for it (``Session.submit``).
    """

    def __init__(
        self,
        sequence: KvSequence,
        pending: Callable[[], Sequence[int]],
        take: Callable[[int], Result],
        cancel: _engine.CancelFlag | None = None,
    ) -> None:
        self.sequence = sequence
        self.cancel = cancel
        self.done = False
        self.alone = False
        self.result: Result | None = None
        self.error: Exception | None = None
        self.thread = 0
        self.when_done: Callable[[], None] | None = None
        self.number = next(_numbers)
        self._pending, self._take = pending, take
        self._begun = False

    def begin(self) -> None:
        """Adds what is pending, once, to be read under the aim of now."""
        if not self._begun:
            self._begun = True
            self.sequence.feed(self._pending())
            self.sequence.settle()

    def take(self, row: int) -> None:
        """The row is ready. What taking it raises belongs to the request."""
        try:
            self.result = self._take(row)
        except Exception as error:
            self.end(error)
        self.end()

    def outcome(self) -> Result | None:
        """The result; raises the error where there is one."""
        error = self.error
        if error is not None:
            raise error
        return self.result

    def end(self, error: Exception | None = None) -> None:
        """It is done; the first error stays."""
        self.error = self.error or error
        if not self.done:
            self.done = True
            if self.when_done is not None:
                self.when_done()
