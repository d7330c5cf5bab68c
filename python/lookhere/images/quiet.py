"""Pillow's warnings about files that it reads all the same: nobody needs them, and a strict caller would get errors."""

from __future__ import annotations

import threading
import warnings
from types import TracebackType


class Quiet:
    """No warnings within; several threads may be within at a time, which ``warnings.catch_warnings`` alone forbids."""

    _lock = threading.Lock()
    _inside = 0
    _saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with Quiet._lock:
            if Quiet._inside == 0:
                Quiet._saved = warnings.catch_warnings()
                Quiet._saved.__enter__()
                warnings.simplefilter("ignore")
            Quiet._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with Quiet._lock:
            Quiet._inside -= 1
            if Quiet._inside == 0 and Quiet._saved is not None:
                Quiet._saved.__exit__(None, None, None)
                Quiet._saved = None
