"""Where rows come from: each is read when it is needed, so that there may be any number of them."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from .. import checks
from ..errors import JobsError
from .row import Row

LONGEST = 64 << 20
"""Bytes of a line; longer ones are bad rows."""

_BLOCK = 1 << 20


class Jobs(Protocol):
    """Rows by their numbers, from 0. what: their source, for messages."""

    what: str

    def __len__(self) -> int: ...

    def row(self, number: int) -> Row:
        """JobsError where it is none."""


class JobFile:
    """The lines of a file in JSON Lines; blank ones do not count."""

    def __init__(self, path: Path) -> None:
        """JobsError where there is no such file, or nothing in it."""
        self.what = f"The job file {checks.file(path)}"
        try:
            self._file = open(path, "rb")  # noqa: SIM115  # it is read until the end of the work
        except OSError as error:
            raise JobsError(f"{self.what} cannot be read: {checks.reason(error)}.") from error
        try:
            self._starts, self._lines = self._scan()
        except OSError as error:  # a folder, a pipe
            self.close()
            raise JobsError(f"{self.what} cannot be read: {checks.reason(error)}.") from error
        except BaseException:
            self.close()
            raise
        if not self._lines:
            self.close()
            raise JobsError(f'{self.what} is empty; expected a line for each job, as {{"id": "1", "image": "a.png"}}.')

    def __len__(self) -> int:
        return len(self._lines)

    def row(self, number: int) -> Row:
        """Any thread may ask for any row."""
        what = f"Line {self._lines[number]}"
        start, end = self._starts[2 * number], self._starts[2 * number + 1]
        if end - start > LONGEST:
            raise JobsError(f"{what}: it has {end - start} bytes; expected {LONGEST >> 20} MiB at most.")
        line = os.pread(self._file.fileno(), end - start, start)
        try:
            return Row.of(number, what, json.loads(line.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise JobsError(f"{what}: byte {error.start + 1} is not UTF-8; write the file in UTF-8.") from error
        except (ValueError, RecursionError) as error:
            told = checks.reason(error)
            if isinstance(error, json.JSONDecodeError):  # not its line, which is 1
                told = f"{error.msg}: column {error.colno}"
            raise JobsError(f"{what}: it is not JSON ({told}); expected an object on one line.") from error

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _scan(self) -> tuple[array[int], array[int]]:
        """-> start and end of each line that is not blank, and its number from 1."""
        starts, lines = array("Q"), array("Q")
        begin = self._file.read(4)
        if begin[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise JobsError(f"{self.what} is written in UTF-16; write it in UTF-8: iconv -f UTF-16 -t UTF-8.")
        at = 3 if begin[:3] == b"\xef\xbb\xbf" else 0  # the mark that some editors write
        self._file.seek(at)
        number, blank, start = 1, True, at
        while block := self._file.read(_BLOCK):
            pieces = block.split(b"\n")
            for index, piece in enumerate(pieces):
                blank = blank and not piece.strip()
                at += len(piece)
                if index < len(pieces) - 1:
                    if not blank:
                        starts.extend((start, at))
                        lines.append(number)
                    at += 1
                    number, blank, start = number + 1, True, at
        if not blank:
            starts.extend((start, at))
            lines.append(number)
        return starts, lines


class Rows:
    """Rows that a program gives, as dictionaries."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self.what, self._rows = "The list of jobs", rows
        if not rows:
            raise JobsError('The list of jobs is empty; expected dictionaries, as {"id": "1", "image": "a.png"}.')

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, number: int) -> Row:
        """Its place is counted from 0."""
        return Row.of(number, f"Row {number}", self._rows[number])


class Listed:
    """Rows that are made from what is given: images, and what is asked of each.

    names: of the images. places: the regions of each row, as JSON, None for none. prompts: None for the model's own.
    """

    def __init__(self, names: list[str], places: list[Any], prompts: list[str | None]) -> None:
        self.what = "The list of images"
        self._names, self._places, self._prompts = names, places, prompts

    def __len__(self) -> int:
        return len(self._names) * len(self._places) * len(self._prompts)

    def row(self, number: int) -> Row:
        """Rows of an image follow one another."""
        rest, prompt = divmod(number, len(self._prompts))
        image, place = divmod(rest, len(self._places))
        name = self._names[image]
        if len(self._places) > 1:
            name += f"#{place + 1}"
        if len(self._prompts) > 1:
            name += f"?{prompt + 1}"
        return _made(number, name, self._names[image], self._places[place], self._prompts[prompt])


class Boxes:
    """A row for each labelled box and prompt. boxes: (id, name of the image, region as JSON)."""

    def __init__(self, what: str, boxes: list[tuple[int, str, dict[str, Any]]], prompts: list[str | None]) -> None:
        self.what, self._boxes, self._prompts = what, boxes, prompts

    def __len__(self) -> int:
        return len(self._boxes) * len(self._prompts)

    def row(self, number: int) -> Row:
        """Its id is that of the annotation."""
        place, prompt = divmod(number, len(self._prompts))
        name, image, region = self._boxes[place]
        named: str | int = f"{name}?{prompt + 1}" if len(self._prompts) > 1 else name
        return _made(number, named, image, region, self._prompts[prompt])


def rows_of(jobs: Jobs) -> Iterator[Row | JobsError]:
    """All of them, an error in place of what is none."""
    for number in range(len(jobs)):
        try:
            yield jobs.row(number)
        except JobsError as error:
            yield error


def _made(number: int, name: str | int, image: str, region: Any, prompt: str | None) -> Row:
    data: dict[str, Any] = {"id": name, "image": image}
    if region is not None:
        data["regions"] = [region]
    if prompt is not None:
        data["prompt"] = prompt
    return Row.of(number, f"Job {name}", data)
