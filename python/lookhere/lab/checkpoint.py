"""Long work that survives a kill: what is done is kept in a small file beside the output."""

from __future__ import annotations

import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import replacing
from ..errors import OptionError
from ..hub.file_hash import file_hash as file_hash  # noqa: PLC0414  # for the lab

EVERY = 5.0
"""Seconds between two writes."""


class Checkpoint:
    """Finished results by name, and arrays; ``done`` and ``arrays`` are empty where the file was made by other work.

    path: None keeps everything in memory. key: all that decides the results, for instance the model's hash and the
    arguments. OptionError if the folder does not take the file.
    """

    def __init__(self, path: Path | None, key: Mapping[str, object]) -> None:
        self.path = path
        self._key = json.dumps(key, sort_keys=True)
        self.done: dict[str, Any] = {}
        self.arrays: dict[str, NDArray[Any]] = {}
        self._before, self._begun = 0.0, time.monotonic()
        self._written = self._begun
        if path is not None:
            self._read(path)

    @property
    def seconds(self) -> float:
        """That the work took, in earlier runs too, up to what they kept."""
        return self._before + time.monotonic() - self._begun

    def put(self, name: str, value: object) -> None:
        """Keeps a result, which JSON can hold; it reaches the disk within some seconds."""
        self.done[name] = value
        self.touch()

    def touch(self) -> None:
        """Writes if the last time is long ago."""
        if time.monotonic() - self._written >= EVERY:
            self.write()

    def write(self) -> None:
        """Writes, whole or not at all."""
        if self.path is None:
            return
        meta = json.dumps({"key": self._key, "done": self.done, "seconds": self.seconds})
        try:
            with replacing(self.path) as file:
                np.savez(file, meta=np.frombuffer(meta.encode(), np.uint8), **self.arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise OptionError(f"The progress cannot be kept in {os.fspath(self.path)!r}: {error}.") from error
        self._written = time.monotonic()

    def remove(self) -> None:
        """Forgets the file, once the work is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                meta = json.loads(bytes(file["meta"]))
                arrays = {name: file[name] for name in file.files if name != "meta"}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return  # not ours, or of a broken disk: the work starts again
        if isinstance(meta, dict) and meta.get("key") == self._key:
            self.done, self.arrays, self._before = meta["done"], arrays, float(meta.get("seconds", 0))
