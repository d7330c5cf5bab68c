"""The header of a GGUF file: enough to say at the door whether a file is a model, a projector or something else.

Format: ggml's docs/gguf.md, versions 2 and 3, little endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ..errors import ModelFileError
from ..families import PROJECTOR_ARCHITECTURE

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # value type -> bytes
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES = 100_000
_MOST_TEXTS = 10_000_000
_LONGEST = 1 << 20  # bytes of a key or a value that is kept


@dataclass(frozen=True)
class Header:
    """architecture: general.architecture. name: general.name, may be empty."""

    architecture: str
    name: str

    @property
    def kind(self) -> Literal["model", "projector"]:
        """A projector (mmproj) has the architecture clip."""
        return "projector" if self.architecture == PROJECTOR_ARCHITECTURE else "model"


def read_header(path: Path) -> Header:
    """The header of a GGUF file; ModelFileError says what the file is instead."""
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except FileNotFoundError:
        raise ModelFileError(f"There is no file {str(path)!r}; expected a GGUF file.") from None
    except OSError as error:
        why = error.strerror or error
        raise ModelFileError(f"{str(path)!r} cannot be read: {why}; expected a GGUF file.") from error


def _read(file: BinaryIO, path: Path) -> Header:
    magic = file.read(4)
    if magic != b"GGUF":
        found = "is empty" if not magic else f"begins with {magic!r}"
        raise ModelFileError(f"{str(path)!r} is not a GGUF file, it {found}; expected a whole one.")
    try:
        version, _, entries = struct.unpack("<IQQ", file.read(20))
        if version not in (2, 3) or entries > _MOST_ENTRIES:
            raise ValueError(f"version {version} with {entries} entries")
        return _Reader(file).header(entries)
    except (struct.error, ValueError, UnicodeDecodeError, KeyError) as error:
        raise ModelFileError(
            f"{str(path)!r} is a broken GGUF file ({error}); expected version 2 or 3, whole. Was the download cut off?"
        ) from error


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = file.seek(0, 2)
        file.seek(24)

    def header(self, entries: int) -> Header:
        found = {"general.architecture": "", "general.name": ""}
        for _ in range(entries):
            key = self._text()
            if found["general.architecture"] and not key.startswith("general."):
                break  # the long tables follow; llama.cpp checks them
            kind = self._number("<I")
            if key in found and kind == _STRING:
                found[key] = self._text()
            else:
                self._skip(kind)
        if not found["general.architecture"]:
            raise ValueError("it names no architecture")
        return Header(found["general.architecture"], found["general.name"])

    def _number(self, layout: Literal["<I", "<Q"]) -> int:
        return int(struct.unpack(layout, self._file.read(struct.calcsize(layout)))[0])

    def _text(self) -> str:
        length = self._number("<Q")
        if length > _LONGEST:
            raise ValueError(f"a text of {length} bytes")
        data = self._file.read(length)
        if len(data) < length:
            raise ValueError("it ends inside a text")
        return data.decode()

    def _skip(self, kind: int, count: int = 1) -> None:
        if kind == _STRING:
            if count > _MOST_TEXTS:
                raise ValueError(f"an array of {count} texts")
            for _ in range(count):
                self._forward(self._number("<Q"))
        elif kind == _ARRAY:
            inner = self._number("<I")
            if inner == _ARRAY:
                raise ValueError("an array of arrays")
            self._skip(inner, self._number("<Q"))
        elif kind in _SIZES:
            self._forward(_SIZES[kind] * count)
        else:
            raise ValueError(f"a value of the unknown type {kind}")

    def _forward(self, size: int) -> None:
        if self._file.tell() + size > self._end:
            raise ValueError("it ends inside a value")
        self._file.seek(size, 1)
