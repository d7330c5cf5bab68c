"""The plan of a batch: which rows there are, in which order they are worked on, and which are no rows at all."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import JobsError, LookhereError
from .failure import Failure
from .jobs import Jobs, rows_of
from .row import Row, images_of

_NONE = 2**64 - 1


class Plan:
    """Every row is read and checked once, and none is kept.

    options: of every ask that does not say otherwise. bad: what is wrong with rows that cannot be asked. points:
    whether any row names a region.
    """

    def __init__(self, jobs: Jobs, options: Mapping[str, Any]) -> None:
        self.jobs, self.options = jobs, dict(options)
        self.bad: list[Failure] = []
        self.points = False
        self._numbers: dict[str, int] = {}
        self._digests = array("Q")
        self._images = array("Q")  # the number of the image, in the order in which they come
        known: dict[bytes, int] = {}
        for number, row in enumerate(rows_of(jobs)):
            self._digests.append(_NONE)
            self._images.append(_NONE)
            try:
                self._add(row, known)
            except LookhereError as error:
                what = row.what if isinstance(row, Row) else None
                self.bad.append(Failure.of(number, what, row.name if isinstance(row, Row) else None, error))

    def __len__(self) -> int:
        """Rows that can be asked."""
        return len(self._numbers)

    def number(self, key: str) -> int | None:
        """The number of the row with this id."""
        return self._numbers.get(key)

    def digest(self, number: int) -> str:
        """Of a row that can be asked."""
        return f"{self._digests[number]:016x}"

    def image(self, number: int) -> int:
        """Which image a row is about: equal for rows of the same."""
        return self._images[number]

    def in_order(self) -> Iterator[int]:
        """The numbers of the rows that can be asked, as they are given."""
        return (number for number, image in enumerate(self._images) if image != _NONE)

    def by_image(self) -> list[int]:
        """The same with the rows of an image together, so that it is encoded once."""
        return sorted(self.in_order(), key=lambda number: self._images[number])

    def _add(self, row: Row | JobsError, known: dict[bytes, int]) -> None:
        if isinstance(row, JobsError):
            error = row
            raise error
        ask = row.ask("?", self.options, None)
        other = self._numbers.setdefault(row.key, row.number)
        if other != row.number:
            first = self.jobs.row(other).what
            raise JobsError(f"{row.what}: the id {row.name!r} is that of {first.lower()} too; expected each once.")
        key = hashlib.blake2b(images_of(ask).encode(errors="surrogatepass"), digest_size=16).digest()
        self.points = self.points or ask.at is not None
        self._images[-1] = known.setdefault(key, len(known))
        self._digests[-1] = int(row.digest, 16)
