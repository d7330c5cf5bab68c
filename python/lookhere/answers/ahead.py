"""Runs that are made ahead, in a thread of their own: their images are encoded while other answers go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from ..process.forks import renew
from .run import Run

_AHEAD = 2
"""Runs that are made before anybody asks for them: each may hold an encoded image."""


class Ahead:
    """Runs in their order. Use ``with``; nothing is made before."""

    def __init__(self, makers: Sequence[Callable[[], Run]]) -> None:
        """makers: each makes a run, which may take long."""
        self._count = len(makers)
        self._makers = deque(makers)
        self._coming: deque[tuple[Callable[[], Run], Future[Run]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        renew(self)

    @classmethod
    def made(cls, runs: Sequence[Run]) -> Ahead:
        """Of runs that are made already."""
        ahead = cls([])
        ahead._count = len(runs)
        for run in runs:
            future: Future[Run] = Future()
            future.set_result(run)
            ahead._coming.append((future.result, future))
        return ahead

    def after_fork(self) -> None:
        """The thread is not in the child: what it was at begins again."""
        self._makers.extendleft(make for make, _ in reversed(self._coming))
        self._coming.clear()
        self._pool = None

    def __len__(self) -> int:
        return self._count

    @property
    def left(self) -> int:
        """Runs that were not taken yet."""
        return len(self._makers) + len(self._coming)

    @property
    def ready(self) -> bool:
        """Whether the next one need not be waited for. Begins to make it."""
        self._begin()
        return bool(self._coming) and self._coming[0][1].done()

    def when_ready(self, ring: Callable[[], None]) -> None:
        """ring: called once the next one is ready, from any thread, and once more for each further call of this."""
        self._begin()
        if self._coming:
            self._coming[0][1].add_done_callback(lambda _: ring())

    @property
    def place(self) -> int:
        """The number of the next one, from 0."""
        return self._count - self.left

    def take(self) -> Run:
        """The next one; waits for it. What making it raised is raised here."""
        self._begin()
        _, future = self._coming.popleft()
        self._begin()
        return future.result()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._makers.clear()
        for _, future in self._coming:
            future.cancel()
        self._coming.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False)

    def _begin(self) -> None:
        while self._makers and len(self._coming) < _AHEAD:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="lookhere-encode")
            make = self._makers.popleft()
            self._coming.append((make, self._pool.submit(make)))
