"""Files that a command writes. None is one that it reads; none replaces another unless --force says so."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import click

from ..checks import short
from ..errors import OptionError
from .picture import is_ours

force_option = click.option("--force", is_flag=True, help="Replace files that are there.")

_READ = f"{__name__}.read"


def note_input(ctx: click.Context | None, path: object) -> None:
    """Tells that a file is read which the command itself does not see: a mask becomes a region at once."""
    if ctx is not None:
        ctx.meta.setdefault(_READ, []).append(path)


def check_outputs(
    outputs: Mapping[str, Path | None], inputs: Iterable[object], *, replace: bool = False, pictures: bool = False
) -> None:
    """OptionError for an output that cannot be written, is an input, or would replace what it must not.

    outputs: by option. inputs: files, folders, addresses, ``-``, bytes and None; what is no local file is left out.
    replace: whether files that are there may be replaced. Inputs never are, nor is any file that begins like a model.
    pictures: the outputs are pictures, which may take the place of those that lookhere saved.
    """
    named = {option: path for option, path in outputs.items() if path is not None}
    context = click.get_current_context(silent=True)
    read = [*inputs, *(context.meta.get(_READ, ()) if context else ())]
    for option, path in named.items():
        _check_place(option, path)
        _check_inputs(option, path, read)
        if not replace and path.is_file() and not (pictures and is_ours(path)):
            raise OptionError(
                f"{option} {_told(path)} is there already, and would be replaced. Give --force to replace it, or name "
                "another file."
            )
    seen: dict[str, str] = {}
    for option, path in named.items():
        other = seen.setdefault(os.path.normcase(os.path.realpath(path)), option)
        if other != option and not _is_special(path):
            raise OptionError(f"{other} and {option} name the same file, {_told(path)}; give each its own.")


def _check_place(option: str, path: Path) -> None:
    folder = path.parent
    try:
        there = folder.is_dir()
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        raise OptionError(f"{option} {_told(path)} cannot be written: {error}.") from error
    if not there:
        raise OptionError(
            f"{option} {_told(path)} cannot be written: there is no folder {_told(folder)}. Make it, or name another."
        )
    if is_folder:
        raise OptionError(f"{option} {_told(path)} is a folder; name a file, for instance in it.")
    if not _is_special(path) and not os.access(os.path.dirname(os.path.realpath(path)) or ".", os.W_OK):
        raise OptionError(f"{option} {_told(path)} cannot be written: nothing may be written to {_told(folder)}.")


def _check_inputs(option: str, path: Path, read: Iterable[object]) -> None:
    if not path.exists() or _is_special(path):
        return
    target = os.stat(path)
    for each in read:
        if each == "-":
            same, told = _is_standard_input(target), "standard input"
        else:
            source = _local(each)
            if source is None:
                continue
            same, told = _same(path, target, source), _told(source)
        if same:
            raise OptionError(
                f"{option} {_told(path)} is read by this command ({told}), and would be lost; name another file."
            )
    with suppress(OSError), open(path, "rb") as file:
        if file.read(4) == b"GGUF":
            raise OptionError(f"{option} {_told(path)} is a model (GGUF), and would be lost; name another file.")


def _same(path: Path, target: os.stat_result, source: Path) -> bool:
    """Whether a file is another, by any name or link, or lies in a folder that is read."""
    try:
        if source.is_dir():
            return Path(os.path.realpath(source)) in Path(os.path.realpath(path)).parents
        return os.path.samestat(target, os.stat(source))
    except (OSError, ValueError):  # there is no such input; its reader says so
        return False


def _is_standard_input(target: os.stat_result) -> bool:
    try:
        return os.path.samestat(target, os.fstat(sys.stdin.fileno()))
    except (OSError, ValueError, AttributeError):
        return False


def _is_special(path: Path) -> bool:
    """A pipe or a device, which a writing does not replace."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _local(source: object) -> Path | None:
    if isinstance(source, os.PathLike):
        return Path(source)
    if not isinstance(source, str) or source[:5].lower() == "data:":
        return None
    if source[:5].lower() == "file:":
        return Path(url2pathname(urlparse(source).path))
    return None if source.lower().startswith(("http://", "https://")) else Path(source)


def _told(path: Path) -> str:
    return short(str(path))
