"""A flag that one thread raises to end what another computes."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, NoReturn

from . import checks
from .engine import compiled
from .errors import OptionError

if TYPE_CHECKING:
    from . import _engine


class CancelFlag:
    """Ends work from another thread: given to ``look``, ``describe``, ``stream``, ``chat`` and their like and raised by
    ``set``, it ends them within one layer of the image's encoder or one batch of tokens, with CancelledError or as the
    end of the iteration. The model can be used on. It stays raised until ``clear``.
    """

    def __init__(self) -> None:
        self.native: _engine.CancelFlag = compiled().CancelFlag()
        self._children: tuple[weakref.ref[CancelFlag], ...] = ()
        self._adding = threading.RLock()  # a signal handler may interrupt this thread

    def set(self) -> None:
        """Raises it."""
        self.native.set()
        for each in self._children:
            child = each()
            if child is not None:
                child.set()

    def clear(self) -> None:
        """Lowers it."""
        self.native.clear()

    def child(self) -> CancelFlag:
        """A flag that is raised with this one, and may be raised without it."""
        found = CancelFlag()
        with self._adding:
            self._children = (*(each for each in self._children if each() is not None), weakref.ref(found))
        if self.is_set():
            found.set()
        return found

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A CancelFlag is raised in the process that computes, so that it can be neither copied nor pickled; make "
            "one in each process."
        )

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self.native.is_set()


def checked_flag(cancel: object) -> CancelFlag | None:
    """The value if it is a flag or None; OptionError otherwise."""
    if cancel is not None and not isinstance(cancel, CancelFlag):
        raise OptionError(
            f"cancel={checks.short(cancel)}; expected a lookhere.CancelFlag(), which another thread raises with set()."
        )
    return cancel


def child_flag(cancel: object) -> CancelFlag:
    """A flag of its own for one call, raised with the one that was given, if one was. OptionError."""
    flag = checked_flag(cancel)
    return CancelFlag() if flag is None else flag.child()
