"""The header of a GGUF file: enough to say at the door what a file is, whether it is whole, and what it will need.

Format: ggml's docs/gguf.md, versions 2 and 3, little endian. The weights are not read. Bytes of texts that are not
UTF-8 become U+FFFD.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from .. import checks
from ..errors import ModelFileError
from ..families import PROJECTOR_ARCHITECTURE
from . import ggml_types
from .head_bytes import shown, what_it_is

Value: TypeAlias = str | int | float | bool | tuple[int | float | bool, ...]
Kind: TypeAlias = Literal["model", "projector", "adapter", "part", "matrix"]

_LAYOUTS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}  # by value type
_STRING, _ARRAY = 8, 9
_MOST_ENTRIES = 100_000
_MOST_TEXTS = 10_000_000  # in all arrays
_MOST_KEPT = 4096  # numbers of an array
_LONGEST_KEY = 1 << 16  # bytes
_LONGEST_TEXT = 1 << 22  # bytes of a value that is kept
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class Header:
    """architecture: general.architecture, empty in the later files of a split model. name: general.name, may be empty.

    values: scalars and short arrays of numbers by their keys, of arrays of texts how many there are. size: bytes of the
    file. parameters: numbers in all tensors. sizes: bytes by type of weight. missing: bytes that the file lacks.
    """

    architecture: str
    name: str = ""
    values: Mapping[str, Value] = field(default_factory=dict, repr=False)
    size: int = 0
    parameters: int = 0
    sizes: Mapping[int, int] = field(default_factory=dict)
    missing: int = 0

    @property
    def kind(self) -> Kind:
        """What it is: a projector (mmproj) has the architecture clip; a part is a later file of a split model."""
        if self.architecture == PROJECTOR_ARCHITECTURE:
            return "projector"
        if self.values.get("general.type") == "adapter" or "adapter.type" in self.values:
            return "adapter"
        if self.values.get("general.type") == "imatrix" or self.architecture == "imatrix":
            return "matrix"
        return "part" if self.whole("split.no") else "model"

    def whole(self, key: str) -> int:
        """A whole number from 0 on; the first one of an array; 0 where there is none."""
        value = self.values.get(key, 0)
        value = value[0] if isinstance(value, tuple) and value else value
        found = checks.as_whole(value)
        return found if found is not None and found > 0 else 0

    def of_model(self, key: str) -> int:
        """As ``whole``, of a key that begins with the architecture."""
        return self.whole(f"{self.architecture}.{key}")

    def text(self, key: str) -> str:
        """A text; empty where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else ""

    @property
    def quantization(self) -> str:
        """As people call it, for instance Q4_K_M; may be empty."""
        return ggml_types.quantization(self.values.get("general.file_type"), dict(self.sizes))


def read_header(path: Path, *, brief: bool = False) -> Header:
    """The header of a GGUF file; ModelFileError says what the file is instead.

    brief: only so far that architecture, name and kind are known, before the long tables of tokens.
    """
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise ModelFileError(f"{shown(path)} is not a file; expected a GGUF file.")
        with path.open("rb", buffering=1 << 18) as file:
            return _read(file, path, brief)
    except FileNotFoundError:
        raise ModelFileError(f"There is no file {shown(path)}; expected a GGUF file.") from None
    except OSError as error:
        why = error.strerror or error
        raise ModelFileError(f"{shown(path)} cannot be read: {why}; expected a GGUF file.") from error


def _read(file: BinaryIO, path: Path, brief: bool) -> Header:
    head = file.read(512)
    if head[:4] != b"GGUF":
        raise ModelFileError(f"{shown(path)} is not a GGUF file, it {what_it_is(head, path)}")
    version = int.from_bytes(head[4:8], "little")
    if len(head) >= 8 and version & 0xFFFF == 0 and version:
        raise ModelFileError(
            f"{shown(path)} is a big-endian GGUF file, for another kind of machine (s390x); expected a little-endian "
            "one. Take the usual file from where the model is published, or turn it around: pip install gguf, then "
            "gguf-convert-endian FILE little."
        )
    if version == 1:
        raise ModelFileError(
            f"{shown(path)} is a GGUF file of version 1, from the year 2023; expected version 2 or 3. Get a newer file "
            "of the model, or convert it again."
        )
    try:
        if len(head) >= 8 and version not in (2, 3):
            raise ValueError(f"version {version}")
        return _Reader(file).header(brief)
    except (ValueError, KeyError) as error:
        raise ModelFileError(
            f"{shown(path)} is a broken GGUF file ({error}); expected version 2 or 3, whole. Was the download cut off? "
            "Fetch it again."
        ) from error


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._end = file.seek(0, 2)
        self._at = file.seek(8)
        self._texts = 0

    def header(self, brief: bool) -> Header:
        tensors, entries = self._numbers("QQ")
        if entries > _MOST_ENTRIES or tensors > _MOST_ENTRIES:
            raise ValueError(f"{entries} entries and {tensors} tensors")
        values: dict[str, Value] = {}
        for _ in range(entries):
            key = self._key()
            if brief and "general.architecture" in values and not key.startswith("general."):
                tensors = 0
                break
            value = self._value()
            if value is not None:
                values[key] = value
        architecture = values.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            architecture = ""
            if not values.get("split.no"):
                raise ValueError("it names no architecture")
        name = values.get("general.name")
        parameters, sizes, missing = self._tensors(tensors, values.get("general.alignment"))
        known = name if isinstance(name, str) else ""
        return Header(architecture, known, values, self._end, parameters, sizes, missing)

    def _tensors(self, count: int, alignment: Value | None) -> tuple[int, dict[int, int], int]:
        """-> parameters, bytes by type, bytes that the file lacks."""
        parameters, sizes, end = 0, dict[int, int](), 0
        for _ in range(count):
            self._key()
            (dimensions,) = self._numbers("I")
            if dimensions > _MOST_DIMENSIONS:
                raise ValueError(f"a tensor of {dimensions} dimensions")
            weights = prod(self._numbers(f"{dimensions}Q"))
            kind, offset = self._numbers("IQ")
            size = ggml_types.size_of(kind, weights) or 0
            parameters += weights
            sizes[kind] = sizes.get(kind, 0) + size
            end = max(end, offset + size)
        step = alignment if isinstance(alignment, int) and alignment > 0 else 32
        start = -(-self._at // step) * step
        return parameters, sizes, max(0, start + end - self._end) if end else 0

    def _numbers(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(f"<{layout}", self._take(struct.calcsize(f"<{layout}")))

    def _take(self, size: int) -> bytes:
        data = self._file.read(size) if self._at + size <= self._end else b""
        if len(data) < size:
            raise ValueError("it ends inside its header")
        self._at += size
        return data

    def _key(self) -> str:
        (length,) = self._numbers("Q")
        if length > _LONGEST_KEY:
            raise ValueError(f"a key of {length} bytes")
        return self._take(length).decode(errors="replace")

    def _value(self) -> Value | None:
        (kind,) = self._numbers("I")
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            return self._array()
        value: Value = self._numbers(self._layout(kind))[0]
        return value

    def _text(self) -> str | None:
        (length,) = self._numbers("Q")
        if length > _LONGEST_TEXT:
            self._skip(length)
            return None
        return self._take(length).decode(errors="replace")

    def _array(self) -> Value | None:
        kind, count = struct.unpack("<IQ", self._take(12))
        if kind == _ARRAY:
            raise ValueError("an array of arrays")
        if kind == _STRING:
            self._texts += count
            if self._texts > _MOST_TEXTS:
                raise ValueError(f"an array of {count} texts")
            for _ in range(count):
                self._skip(int.from_bytes(self._take(8), "little"))
            return int(count)
        layout = self._layout(kind)
        if count > _MOST_KEPT:
            self._skip(struct.calcsize(f"<{layout}") * count)
            return None
        return self._numbers(f"{count}{layout}")

    def _layout(self, kind: int) -> str:
        if kind not in _LAYOUTS:
            raise ValueError(f"a value of the unknown type {kind}")
        return _LAYOUTS[kind]

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > self._end:
            raise ValueError("it ends inside a value")
        self._file.seek(size, 1)


def check_whole(path: Path, header: Header) -> None:
    """ModelFileError for a file that is shorter than its header says."""
    if header.missing:
        raise ModelFileError(
            f"{shown(path)} is cut off: it has {header.size:,} bytes, by its header {header.missing:,} are missing. "
            "Fetch it again."
        )
