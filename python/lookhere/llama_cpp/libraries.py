"""The libraries of llama-cpp-python: ours, under the names that it looks for."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from ..engine import compiled
from ..errors import EngineFailure, LlamaCppError

PACKAGE = "llama-cpp-python"
FOLDERS = ("LLAMA_CPP_LIB_PATH", "MTMD_CPP_LIB")
"""Environment variables in which it is told where its libraries are."""
NAMES = ("libllama", "libmtmd")


def load() -> ModuleType:
    """llama_cpp, with our library; imports it unless that has been done. LlamaCppError where that cannot be.

    Our library holds ggml, llama and mtmd, so that the links are all to the same file, which is loaded once.
    """
    _check_version()
    library = ours()
    if "llama_cpp.llama_cpp" not in sys.modules:
        with tempfile.TemporaryDirectory(prefix="lookhere-") as folder, _told(folder):
            for name in NAMES:
                (Path(folder) / f"{name}.so").symlink_to(library._name)
            try:
                module = importlib.import_module("llama_cpp")
                importlib.import_module("llama_cpp.mtmd_cpp")
            except (ImportError, OSError, RuntimeError, AttributeError) as error:
                raise LlamaCppError(
                    f"{PACKAGE} cannot be imported with lookhere's library ({error}). Install it again: {_command()}"
                ) from error
    module = sys.modules["llama_cpp"]
    used = [importlib.import_module(f"llama_cpp.{name}") for name in ("llama_cpp", "mtmd_cpp")]
    if any(lib._handle != library._handle for lib in (used[0]._lib, used[1]._libmtmd)):
        raise LlamaCppError(
            "llama_cpp was imported before lookhere.llama_cpp, so that it computes with its own llama.cpp, which "
            "cannot be steered. Write 'import lookhere.llama_cpp' above the first import of llama_cpp in the program."
        )
    return module


@cache
def ours() -> ctypes.CDLL:
    """Our library, which the compiled engine has loaded. EngineFailure."""
    folder = Path(compiled().__file__ or "").parent / "lib"
    found = sorted(path for path in folder.glob("*lookhere-llama*") if path.suffix in (".so", ".dylib", ".dll"))
    if not found:
        raise EngineFailure(f"lookhere's library is missing in {folder}. Install lookhere again: pip install .")
    return ctypes.CDLL(os.fspath(found[0]))


def _check_version() -> None:
    """LlamaCppError where llama-cpp-python is not installed, or is not the version whose llama.cpp ours is."""
    wanted = _pinned()
    try:
        found = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise LlamaCppError(
            f"lookhere.llama_cpp needs {PACKAGE} {wanted}, which is not installed. Without its own llama.cpp, which is "
            f"not used, it installs in seconds: {_command()}"
        ) from error
    if found != wanted:
        raise LlamaCppError(
            f"{PACKAGE} {found} is installed, and lookhere's llama.cpp is that of {PACKAGE} {wanted}: another version "
            f"would call it wrongly. Install that one: {_command()}"
        )


def _pinned() -> str:
    """The version of llama-cpp-python whose llama.cpp ours is."""
    built = json.loads((Path(ours()._name).parent / "build.json").read_text())
    return str(built["llama_cpp_python"])


def _command() -> str:
    return f"CMAKE_ARGS=-DLLAMA_BUILD=OFF pip install '{PACKAGE}=={_pinned()}'"


@contextmanager
def _told(folder: str) -> Iterator[None]:
    """The environment says that the libraries are in the folder, as long as llama-cpp-python asks."""
    before = {name: os.environ.get(name) for name in FOLDERS}
    os.environ.update(dict.fromkeys(FOLDERS, folder))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
