"""What of a model lies in a folder, told by what the files hold and not by their names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ..errors import ModelFileError
from .gguf import read_header

_MOST_ENTRIES = 10_000  # of a folder, and files altogether
_DEPTH = 3  # folders within folders, as downloads of a hub make them
_MOST_NAMED = 6
_OTHER_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx")


@dataclass(frozen=True)
class Found:
    """models: language models, of split ones the first file. parts: their later files. broken: with what is wrong.
    weights: files of other formats."""

    models: tuple[Path, ...] = ()
    projectors: tuple[Path, ...] = ()
    parts: tuple[Path, ...] = ()
    broken: tuple[tuple[Path, str], ...] = ()
    weights: tuple[Path, ...] = ()


def look_into(folder: Path) -> Found:
    """What there is in a folder; where it holds no language model itself, in the folders within it, too."""
    files, others = _files(folder)
    found = _sorted_out([path for path in files if path.parent == folder], others)
    return found if found.models else _sorted_out(files, others)


def _sorted_out(files: Sequence[Path], others: Sequence[Path]) -> Found:
    kinds: dict[str, list[Path]] = {"model": [], "projector": [], "part": []}
    broken: list[tuple[Path, str]] = []
    for path in files:
        try:
            kinds.setdefault(read_header(path, brief=True).kind, []).append(path)
        except ModelFileError as error:
            broken.append((path, str(error)))
    return Found(tuple(kinds["model"]), tuple(kinds["projector"]), tuple(kinds["part"]), tuple(broken), tuple(others))


def listed(paths: Sequence[Path], folder: Path) -> str:
    """Files in a folder for a message, not too many."""
    names = [str(path.relative_to(folder))[-100:] for path in paths[:_MOST_NAMED]]
    return ", ".join(names) + (f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else "")


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """GGUF files, and other files of weights that lie in the folder itself, sorted."""
    found: tuple[list[Path], list[Path]] = ([], [])
    for path in islice(_walk(folder, _DEPTH), _MOST_ENTRIES):
        suffix = path.suffix.lower()
        if suffix == ".gguf":
            found[0].append(path)
        elif suffix in _OTHER_WEIGHTS and path.parent == folder:
            found[1].append(path)
    return sorted(found[0]), sorted(found[1])


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """The files of a folder, then those of the folders within it; hidden ones and what may not be read are left out."""
    inner = []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _MOST_ENTRIES):
                if not entry.name.startswith("."):
                    inner.append((entry.name, entry.is_dir(follow_symlinks=False)))
    except OSError:
        pass
    for name, is_folder in sorted(inner):
        if not is_folder:
            yield folder / name
    for name, is_folder in sorted(inner):
        if is_folder and depth > 1:
            yield from _walk(folder / name, depth - 1)
