"""Rows that failed: which, and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .. import checks
from ..errors import JobsError, LookhereError


@dataclass(frozen=True)
class Failure:
    """number: of the row, from 0. name: its id, None where it has none. error: the kind. message: begins with the
    row."""

    number: int
    name: str | int | None
    error: str
    message: str

    @classmethod
    def of(cls, number: int, what: str | None, name: str | int | None, error: LookhereError) -> Failure:
        """what: names the row, where the message may not do it."""
        message = str(error)
        if what is not None and not message.startswith(what):
            message = f"{what}: {message}"
        return cls(number, name, type(error).__name__, message)

    def as_json(self) -> dict[str, Any]:
        """The id, the kind of the error, and its message."""
        return {"id": self.name, "error": self.error, "message": self.message}


class Failures:
    """A file of them in JSON Lines, made with the first one; what an earlier run left there goes at once."""

    def __init__(self, path: Path) -> None:
        """JobsError where the file is somebody else's."""
        self.path, self.count = path, 0
        self._file: IO[bytes] | None = None
        if path.exists() and not _is_ours(path):
            raise JobsError(
                f"{checks.file(path)} is there already, and what fails would be written there. Move it, or name the "
                "answers otherwise."
            )
        path.unlink(missing_ok=True)

    def add(self, failure: Failure) -> None:
        """OSError."""
        if self._file is None:
            self._file = open(self.path, "wb", buffering=0)  # noqa: SIM115  # closed by close
        self.count += 1
        self._file.write(json.dumps(failure.as_json(), ensure_ascii=False).encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            self._file.close()


def _is_ours(path: Path) -> bool:
    """Whether it begins as such a file; one that is empty may go too."""
    try:
        with open(path, "rb") as file:
            line = file.readline(1 << 20)
        return not line or set(json.loads(line)) == {"id", "error", "message"}
    except (OSError, ValueError, TypeError, RecursionError):
        return False
