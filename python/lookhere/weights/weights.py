"""The weights of a model in the engine, which may be freed and loaded again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from ..errors import ClosedError, ModelFileError
from ..process.forks import renew

if TYPE_CHECKING:
    from .. import _engine

Held: TypeAlias = "tuple[_engine.Model, _engine.Projector | None]"


class Weights:
    """The engine's model and projector, loaded again when somebody needs them.

    name: of the model, for messages. again: loads what ``held`` was loaded from. paths: its files, which must not have
    changed then. used_at: when they were last used, in seconds of ``time.monotonic``. when_needed: called at the first
    use, and at the first one after they were freed or the process was forked.
    """

    def __init__(self, name: str, held: Held, again: Callable[[], Held], paths: tuple[str, ...]) -> None:
        self._name, self._again = name, again
        self._held: Held | None = held
        self._paths = paths
        self._stamps = [_stamp(path) for path in paths]
        self.closed = False
        self.touch()
        self.when_needed: Callable[[], None] = lambda: None
        self.after_fork()
        renew(self)

    def after_fork(self) -> None:
        """Another thread may have held the lock."""
        self._lock = threading.RLock()
        self._told = False  # when_needed was called since they were loaded

    @property
    def loaded(self) -> bool:
        """Whether they are in memory."""
        return self._held is not None

    @property
    def native(self) -> _engine.Model:
        """The engine's model. ClosedError after close; ModelFileError, ProjectorError where they do not load again."""
        return self._use()[0]

    @property
    def projector(self) -> _engine.Projector | None:
        """The engine's projector, if there is one. Errors as of ``native``."""
        return self._use()[1]

    def check_open(self) -> None:
        """ClosedError after close."""
        if self.closed:
            raise ClosedError(f"The model {self._name!r} is closed; load it again.")

    def touch(self) -> None:
        """They are used now."""
        self.used_at = time.monotonic()

    def free(self) -> None:
        """Lets go of them; they are in memory until the last one that computes with them lets go, too."""
        with self._lock:
            self._held = None

    def close(self) -> Held | None:
        """-> what was in memory, to be closed."""
        with self._lock:
            held, self._held, self.closed = self._held, None, True
            return held

    def _use(self) -> Held:
        self.touch()
        held = self._held
        if held is None:
            with self._lock:
                self.check_open()
                if self._held is None:
                    self._check_files()
                    fresh = self._again()
                    self.check_open()  # a signal handler may have closed it
                    self._held = fresh
                    self._told = False
                    self.touch()
                held = self._held
        if not self._told:
            self._told = True
            self.when_needed()
        return held

    def _check_files(self) -> None:
        for path, stamp in zip(self._paths, self._stamps, strict=True):
            if _stamp(path) != stamp:
                raise ModelFileError(
                    f"{os.path.basename(path)!r} has changed or gone since the model {self._name!r} was loaded, so "
                    "that its weights, which were freed while nobody used them, cannot be loaded again. Load the model "
                    "anew."
                )


def _stamp(path: str) -> tuple[int, int] | None:
    """Size and time of change of a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
