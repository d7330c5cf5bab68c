"""Ctrl-C while the command line is still being imported: the process ends at once, and says nothing.

A library leaves signals alone. So this acts only where the process is ``lookhere`` or ``python -m lookhere``, and only
until the command line can answer for itself.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import PurePath
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended, as shells have it."""


def _is_command() -> bool:
    if sys.argv[:1] == ["-m"]:  # until Python has found the module
        after = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
        return after[:1] == ["lookhere"]
    return PurePath(*sys.argv[:1]).name.lower() in ("lookhere", "lookhere.exe")


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(INTERRUPTED)


def begin() -> None:
    """Ctrl-C ends the process from now on, if it is the command line. Called by the import of this module."""
    if (
        _is_command()
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        signal.signal(signal.SIGINT, _leave)


def end() -> None:
    """Ctrl-C is a KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


begin()
