"""A flag that one thread raises to end what another computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    def set(self) -> None:
        """Raises it."""
        self.native.set()

    def clear(self) -> None:
        """Lowers it."""
        self.native.clear()

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
