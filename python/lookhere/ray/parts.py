"""The answers of a cluster: a folder of parts, in any store that fsspec knows, to which whole parts are added."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from .. import checks
from ..batch.failure import Failure
from ..batch.parquet import table
from ..batch.plan import Plan
from ..errors import JobsError

Format: TypeAlias = Literal["parquet", "jsonl"]

_SETTINGS, _ERRORS = "_settings.json", "_errors.jsonl"  # readers of such folders pass over what begins so


class Parts:
    """Answers that are there stay; a part is named by the number of its first row, so that names give the order.

    done: the numbers of rows that are answered.
    """

    def __init__(self, address: str, plan: Plan, form: Format, *, force: bool) -> None:
        """JobsError where what is there is of other jobs; OSError and the like from the store."""
        import fsspec

        self.address, self._form = address, form
        self._fs, self._root = fsspec.core.url_to_fs(address)
        self.done: set[int] = set()
        if force and self._fs.exists(self._root):
            for path in [*self._parts(), f"{self._root}/{_SETTINGS}"]:
                if self._fs.exists(path):
                    self._fs.rm(path)
        self._fs.makedirs(self._root, exist_ok=True)
        self._settings = self._read_settings()
        for path in self._parts():
            for name, digest in self._rows(path):
                self._check(plan, path, name, digest)
        if self.done and self._settings is None:
            raise JobsError(
                f"{checks.file(address)} holds answers, and {_SETTINGS} is lost, which says with what they were made. "
                "Give force=True to begin again, or name another folder."
            )

    def check(self, settings: Mapping[str, str]) -> None:
        """JobsError names what differs from what the answers that are there were made with."""
        if self._settings is None:
            self._write(_SETTINGS, json.dumps(settings, indent=1).encode())
            self._settings = dict(settings)
        before = self._settings
        for name in (*settings, *before):
            if before.get(name) != settings.get(name):
                one, other = (checks.short(each.get(name, "the default")) for each in (before, settings))
                raise JobsError(
                    f"The answers in {checks.file(self.address)} were made with another {name}: {one}, and a worker "
                    f"has {other}. Give all workers the same to go on, force=True to begin again, or name another "
                    "folder."
                )

    def add(self, answers: Sequence[tuple[int, str]]) -> None:
        """A part of them, whole or not at all."""
        lines = [line.encode() for _, line in answers]
        name = f"part-{answers[0][0]:012}.{self._form}"
        if self._form == "jsonl":
            self._write(name, b"".join(lines))
        else:
            from pyarrow import BufferOutputStream, parquet

            stream = BufferOutputStream()
            parquet.write_table(table(lines), stream)
            self._write(name, stream.getvalue().to_pybytes())
        self.done.update(number for number, _ in answers)

    def failed(self, failures: Sequence[Failure]) -> None:
        """Keeps what failed in this run, in place of what failed in another."""
        path = f"{self._root}/{_ERRORS}"
        if failures:
            lines = [json.dumps(each.as_json(), ensure_ascii=False) + "\n" for each in failures]
            self._write(_ERRORS, "".join(lines).encode(errors="backslashreplace"))
        elif self._fs.exists(path):
            self._fs.rm(path)

    def _write(self, name: str, data: bytes) -> None:
        """First beside its place, for only some stores write a file whole."""
        beside = f"{self._root}/.{name}.tmp"
        with self._fs.open(beside, "wb") as file:
            file.write(data)
        self._fs.mv(beside, f"{self._root}/{name}")

    def _parts(self) -> list[str]:
        return sorted(
            str(path)
            for path in self._fs.ls(self._root, detail=False)
            if str(path).rsplit("/", 1)[-1].startswith("part-")
        )

    def _read_settings(self) -> dict[str, str] | None:
        try:
            with self._fs.open(f"{self._root}/{_SETTINGS}", "rb") as file:
                found = json.loads(file.read())
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _rows(self, path: str) -> Iterator[tuple[str, Any]]:
        """-> id and digest of each."""
        try:
            with self._fs.open(path, "rb") as file:
                if path.endswith(".parquet"):
                    from pyarrow import parquet

                    rows = parquet.read_table(file, columns=["id", "ask"]).to_pylist()
                else:
                    rows = [json.loads(line) for line in file.read().splitlines()]
            found = [(str(each["id"]), each["ask"]) for each in rows]
        except Exception as error:  # of a file that somebody else wrote
            raise JobsError(
                f"{path} is no part of answers ({type(error).__name__}). Remove it: its rows are then answered again."
            ) from error
        yield from found

    def _check(self, plan: Plan, path: str, name: str, digest: object) -> None:
        again = "Give force=True to begin again, or name another folder."
        number = plan.number(name)
        if number is None:
            raise JobsError(f"{path} answers the job {name!r}, which is not among the jobs any more. {again}")
        if plan.digest(number) != digest:
            raise JobsError(f"{path} answers the job {name!r}, which has been changed since. {again}")
        self.done.add(number)
