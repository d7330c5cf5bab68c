"""What runs in the KV cache of a model: batches of whatever is wanted, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import CancelledError, ClosedError
from ..process.forks import renew
from ..steering.head_set import Head
from .cache import Cache
from .reader import Reader
from .request import Request
from .sequence import KvSequence
from .stepper import Stepper
from .turns import Turns
from .waiting import Waiting

if TYPE_CHECKING:
    from .. import _engine


class HasModel(Protocol):
    """What loads the engine's model when it is needed."""

    @property
    def native(self) -> _engine.Model: ...


class Session:
    """The engine of one model, for any number of callers.

    Who wants a step of a sequence makes a request and waits. Requests that wait together are computed in the same
    batches, whatever their images, prompts, aims and heads: the caller whose turn it is computes one batch for all of
    them. Requests that are submitted, as tasks of an event loop do, have a thread that takes turns with the callers.
    Where nobody waits, nothing is computed.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._reader = Reader(cache)
        self._turns = Turns()
        self._waiting = Waiting()
        self._stepper = Stepper(lambda: bool(self._waiting.unattended), self._compute_unattended)
        self._closed = False
        self.used_at = time.monotonic()
        renew(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Session belongs to the model of this process, so that it can be neither copied nor pickled; load the "
            "model in each process."
        )

    def after_fork(self) -> None:
        """Drops the cache: its worker threads are not in the child, which reads again what it needs."""
        self._cache.drop()
        self._waiting = Waiting()
        self._stepper.after_fork()

    @property
    def context(self) -> int:
        """Tokens that the KV cache holds now; 0 before first use."""
        return self._cache.context

    @property
    def limit(self) -> int:
        """Tokens that the KV cache may hold at most."""
        return self._cache.limit

    @property
    def native(self) -> _engine.Session:
        """The engine's session, for a sampler and for reading a batch's rows; only within a turn."""
        return self._cache.native

    @contextmanager
    def turn(self, cancel: _engine.CancelFlag | None = None) -> Iterator[None]:
        """Waits for the batches of others, first come, first served, and has the engine until the end of the block.

        ClosedError after close, CancelledError, BusyError from inside a batch.
        """
        with self._turns.take(cancel), self._open():
            yield

    def compute(self, requests: Sequence[Request[Any]], cancel: _engine.CancelFlag | None = None) -> None:
        """Waits until one of the requests is done; whenever it is this caller's turn, computes a batch for all.

        What was read of the others stays; they may be given again. ClosedError, CancelledError, BusyError from inside a
        batch; the errors of a request are in it.
        """

        def enough() -> bool:
            return any(request.done for request in requests)

        with self._waiting.of(requests):
            while not enough():
                with self._turns.take(cancel, unless=enough) as mine:
                    if mine:
                        with self._open():
                            self._batch()

    def submit(self, request: Request[Any], when_done: Callable[[], None]) -> None:
        """Has a request computed without waiting for it, in the batches of all others.

        when_done: called in any thread once the request is done or holds the error that ended it, ClosedError included.
        Others wait for it: it must neither wait nor raise.
        """
        request.when_done = when_done
        self._waiting.add([request])
        self._stepper.wake()

    def step(self, sequence: KvSequence, tokens: Sequence[int] = ()) -> None:
        """Within a turn: appends tokens to a sequence that is computed alone, after what the cache lacks of it.

        Each token has a row of logits and attention then; without tokens, the prompt's last token. ContextError,
        CancelledError, EngineFailure.
        """
        sequence.feed(tokens)
        try:
            self._reader.step(sequence, max(1, len(tokens)))
        except BaseException:
            self._reader.settle([sequence])
            raise

    def fits_more(self, sequence: KvSequence) -> bool:
        """Whether a further token of a sequence fits, were it alone."""
        return sequence.tokens < self._cache.context

    def attention(self, heads: Sequence[Head], *, steered: bool, row: int = -1) -> NDArray[np.float32]:
        """(len(heads), image tokens) float32: post-softmax mass of an output row in probed heads."""
        return self._reader.attention(heads, steered=steered, row=row)

    def loads_with(self, source: HasModel) -> None:
        """The cache is made, and made again after ``free``, with the model that this gives."""
        self._cache.model = lambda: source.native

    def free(self, unless: Callable[[], bool], also: Callable[[], None]) -> bool:
        """Frees the cache between two batches; what was in it is read again on demand. -> whether it did: not once
        ``unless`` holds, or after close. also: frees what the cache was made with."""
        with self._turns.take(unless=unless) as mine:
            if not mine or self._closed:
                return False
            self._cache.drop()
            self._reader.forget()
            also()
            return True

    def close(self) -> None:
        """Frees the cache, after the batch of another thread if there is one. May be called twice."""
        self._closed = True
        if not self._turns.mine:  # else the turn's end frees it
            with suppress(CancelledError), self._turns.take():  # at the end of the program it may never come
                self._cache.drop()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """ClosedError after close; a close within the block frees the cache at its end."""
        try:
            if self._closed:
                raise ClosedError("The model is closed; load it again.")
            yield
        finally:
            self.used_at = time.monotonic()
            if self._closed:
                self._cache.drop()

    def _compute_unattended(self) -> None:
        """In the stepper's thread: a batch, unless another caller computed all that was submitted."""
        try:
            with self._turns.take(unless=lambda: not self._waiting.unattended) as mine:
                if mine:
                    with self._open():
                        self._batch()
        except Exception as error:  # goes to those who wait
            for request in self._waiting.unattended:
                request.end(error)

    def _batch(self) -> None:
        """One batch for all who wait; for one alone after a batch with others failed."""
        requests = self._waiting.ready()
        requests = [request for request in requests if request.alone][:1] or requests
        if not requests:
            return
        cancel = requests[0].cancel  # one caller's flag must not end the work of another
        if any(request.cancel is not cancel for request in requests):
            cancel = None
        with self._waiting.timed(requests):
            try:
                self._reader.read(requests, self._waiting, cancel)
            except Exception as error:
                self._reader.settle(request.sequence for request in requests)
                self._failed([request for request in requests if not request.done], error)
            except BaseException:
                self._reader.settle(request.sequence for request in requests)
                raise

    def _failed(self, requests: Sequence[Request[Any]], error: Exception) -> None:
        """Ends those whose error it is. Of several that cannot be known; they are then tried one by one."""
        ended = requests
        if len(requests) > 1 and isinstance(error, CancelledError):
            ended = [each for each in requests if each.cancel is not None and each.cancel.is_set()] or requests
        elif len(requests) > 1:
            ended = ()
            for request in requests:
                request.alone = True
        for request in ended:
            request.end(error)
