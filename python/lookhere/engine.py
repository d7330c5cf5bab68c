"""The one door to the compiled engine: its errors under our names, its messages in the app's logging."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import CancelledError, EngineFailure

if TYPE_CHECKING:
    from types import ModuleType

SMALL = 50_000_000
"""Parameters; real vision-language models have ten times more."""

_log = logging.getLogger("lookhere.engine")


def compiled() -> ModuleType:
    """The compiled module, loaded when it is first needed; its types are in ``_engine.pyi``."""
    from lookhere import _engine

    return _engine


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Turns what the engine raises into CancelledError or EngineFailure; ``doing`` says what failed."""
    engine = compiled()
    try:
        yield
    except engine.Cancelled as error:
        raise CancelledError(f"Cancelled while {doing}.") from error
    except engine.EngineError as error:
        raise EngineFailure(
            f"The engine failed while {doing} ({error}). Fetch the model files again; if that does not help, report it."
        ) from error
    except MemoryError as error:
        raise EngineFailure(f"No memory left while {doing}; use a smaller context or a smaller model.") from error


def forward_log() -> None:
    """Sends llama.cpp's messages to the logger ``lookhere.engine``, which is quiet unless the app wants it."""
    compiled().set_log(_forward, _log.getEffectiveLevel())


def _forward(level: int, text: str) -> None:
    _log.log(level, "%s", text.rstrip())


def default_threads(parameters: int) -> int:
    """Threads for a model of so many parameters: the cores that this process may use, 16 at most.

    More only wait for memory. One for a small model: its threads would wait for each other longer than they compute,
    and far longer wherever another program wants a core.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return 1 if parameters < SMALL else min(cores, 16)
