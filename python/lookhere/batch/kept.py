"""The answers that are there: a file of whole lines that grows, and loses nothing when its program is killed."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from .. import checks
from ..atomic import replacing
from ..errors import JobsError
from .plan import Plan

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

_NONE = 2**64 - 1


class Kept:
    """Lines are appended whole and reach the disk before ``add`` returns. Use ``with``.

    A last line without its end was torn by a kill: it goes, and its row is answered again. count: lines that are there.
    """

    def __init__(self, path: Path, plan: Plan, ready: Callable[[bool], None], *, fresh: bool = False) -> None:
        """ready: called once nobody else can write there, with whether anything is there; it may raise. fresh: whether
        what is there goes. JobsError where a line is not of this plan, or another program writes there now."""
        self.path, self.count = path, 0
        self._starts = array("Q", [_NONE]) * len(plan.jobs)
        self._ends = array("Q", [0]) * len(plan.jobs)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._lock()
            if fresh:
                os.ftruncate(self._file, 0)
            ready(os.fstat(self._file).st_size > 0)
            self._size = self._read(plan)
            if self._size < os.fstat(self._file).st_size:
                os.ftruncate(self._file, self._size)
            os.lseek(self._file, 0, os.SEEK_END)
        except BaseException:
            os.close(self._file)
            raise

    def has(self, number: int) -> bool:
        """Whether the row is answered."""
        return self._starts[number] != _NONE

    def add(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """(number of the row, its line) each. OSError, as where the disk is full: then none of them is there."""
        try:
            data = memoryview(b"".join(line for _, line in lines))
            while data:
                data = data[os.write(self._file, data) :]
            os.fsync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, 0, os.SEEK_END)
            raise
        for number, line in lines:
            self._note(number, self._size, self._size + len(line))
            self._size += len(line)

    def lines(self) -> Iterator[bytes]:
        """All of them, in the order of the rows."""
        for number, start in enumerate(self._starts):
            if start != _NONE:
                yield os.pread(self._file, self._ends[number] - start, start)

    def sort(self) -> None:
        """Puts them into the order of the rows, unless they are in it. OSError; then they are as they were."""
        starts = [start for start in self._starts if start != _NONE]
        if any(one > other for one, other in pairwise(starts)):
            with replacing(self.path) as file:
                file.writelines(self.lines())

    def __enter__(self) -> Kept:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _lock(self) -> None:
        """Until the file is closed, however the program ends."""
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise JobsError(
                    f"Another lookhere batch writes to {checks.file(self.path)} now. Wait until it ends, or name "
                    "another file."
                ) from None
            except OSError:  # some network file systems have no locks
                pass

    def _read(self, plan: Plan) -> int:
        """-> bytes of the whole lines."""
        size = 0
        with open(self.path, "rb") as file:
            for line, data in enumerate(file, 1):
                if not data.endswith(b"\n"):
                    break
                self._check(plan, line, data, size)
                size += len(data)
        return size

    def _check(self, plan: Plan, line: int, data: bytes, start: int) -> None:
        where = f"Line {line} of {checks.file(self.path)}"
        again = "Give --force to begin again, or name another file."
        try:
            found = json.loads(data)
            name, digest = str(found["id"]), found["ask"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise JobsError(f"{where} is no answer of lookhere batch. {again}") from None
        number = plan.number(name)
        if number is None:
            raise JobsError(f"{where} answers the job {name!r}, which is not among the jobs any more. {again}")
        if plan.digest(number) != digest:
            raise JobsError(f"{where} answers the job {name!r}, which has been changed since. {again}")
        if self.has(number):
            raise JobsError(f"{where} answers the job {name!r}, which an earlier line answers too. {again}")
        self._note(number, start, start + len(data))

    def _note(self, number: int, start: int, end: int) -> None:
        self._starts[number], self._ends[number] = start, end
        self.count += 1
