"""The one door to the compiled engine: its errors under our names, its messages in the app's logging."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import CancelledError, EngineFailure
from .process import control_groups

if TYPE_CHECKING:
    from types import ModuleType

SMALL = 50_000_000
"""Parameters; real vision-language models have ten times more."""

_log = logging.getLogger("lookhere.engine")
_ender: int | None = None


def compiled() -> ModuleType:
    """The compiled module, loaded when it is first needed; its types are in ``_engine.pyi``.

    EngineFailure where it is not there, or cannot be loaded.
    """
    try:
        from lookhere import _engine
    except ImportError as error:
        raise EngineFailure(_why_missing(Path(__file__).parent, error)) from error
    return _engine


def _why_missing(here: Path, error: ImportError) -> str:
    """Why the compiled module of the package in a folder cannot be loaded, and what to do."""
    if importlib.util.find_spec("lookhere._engine") is not None:
        return f"lookhere's compiled engine does not load ({error}). Install lookhere again: pip install ."
    built = sorted(path.name for path in here.glob("_engine*.so"))
    if built:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return (
            f"lookhere's compiled engine in {here} was built for another Python ({built[0]}); this is Python {python}. "
            f"Install lookhere with this one: {sys.executable} -m pip install ."
        )
    source = here.parent.parent
    if (source / "pyproject.toml").is_file() and here.parent.name == "python":
        return (
            f"This is lookhere's source ({here}), which has no compiled engine. Install it with "
            f"'pip install {source}', and run Python from another folder than {here.parent}, without it on PYTHONPATH."
        )
    return f"lookhere's compiled engine is missing in {here}. Install lookhere again: pip install ."


def ending() -> bool:
    """Whether this thread ends the interpreter, past its handlers: what another thread holds, it holds for ever."""
    return _ender == threading.get_ident()


@atexit.register  # at import, so that it runs after the handlers of the app
def _end() -> None:
    """Stops what other threads compute, before the interpreter goes from under them."""
    global _ender  # noqa: PLW0603
    _ender = threading.get_ident()
    engine = sys.modules.get("lookhere._engine")
    if engine is not None:
        engine.end()


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
    _log.log(level, "%s", _own_names(text.rstrip()))


def _own_names(text: str) -> str:
    """A message of llama.cpp, which may advise an option of its own program, with what the option is called here."""
    text = re.sub(r"adding --image-(min|max)-tokens (\d+)", r"load(\1_image_tokens=\2)", text)
    return re.sub(r"--image-(min|max)-tokens", r"\1_image_tokens", text)


def default_threads(parameters: int) -> int:
    """Threads for a model of so many parameters: the cores that this process may use, 16 at most.

    A quota of processor time (as of ``docker run --cpus``) counts as so many whole cores: more threads would be stopped
    for the rest of every period. More than 16 only wait for memory. One for a small model: its threads would wait for
    each other longer than they compute, and far longer wherever another program wants a core.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    quota = control_groups.processors()
    if quota is not None:
        cores = max(1, min(cores, int(quota)))
    return 1 if parameters < SMALL else min(cores, 16)
