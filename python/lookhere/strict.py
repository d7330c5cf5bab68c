"""JSON objects, read strictly: every key is known, every value is of its kind, or a named error says where and what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from . import checks
from .errors import LookhereError


@dataclass(frozen=True)
class Entry:
    """A JSON object and where it stands. what, path: for messages. error: what is raised."""

    what: str
    path: str
    data: Any
    error: type[LookhereError]

    def keys(self, required: set[str], optional: set[str]) -> None:
        """Raises unless it is an object with all required keys and no unknown one."""
        if not isinstance(self.data, dict):
            raise self.error(f"{self.what}: {self.path or 'it '}is {checks.short(self.data)}; expected an object.")
        missing, unknown = required - self.data.keys(), self.data.keys() - required - optional
        if missing:
            raise self.error(f"{self.what}: {self.path}{min(missing)} is missing.")
        if unknown:
            allowed = ", ".join(sorted(required | optional))
            named = min(unknown, key=str)
            raise self.error(
                f"{self.what}: unknown key {self.path}{checks.short(named).strip(chr(39))}; expected only {allowed}."
            )

    def has(self, key: str) -> bool:
        """Whether the key is there and not null."""
        return self.data.get(key) is not None

    def wrong(self, key: str, expected: str) -> NoReturn:
        """Raises for the value of a key."""
        raise self.error(f"{self.what}: {self.path}{key} is {checks.short(self.data[key])}; expected {expected}.")

    def text(self, key: str) -> str:
        """A text in valid Unicode."""
        text = self.data[key]
        if not isinstance(text, str) or any("\ud800" <= each <= "\udfff" for each in text):
            self.wrong(key, "text in valid Unicode")
        return str(text)

    def whole(self, key: str, least: int, most: int | None = None) -> int:
        """A whole number."""
        value = checks.as_whole(self.data[key])
        if value is None or value < least or (most is not None and value > most):
            self.wrong(key, f"a whole number from {least} {'on' if most is None else f'to {most}'}")
        return value

    def number(self, key: str, default: float, most: float, least: float = 0.0) -> float:
        """A finite number, the default where the key is missing."""
        value = checks.as_float(self.data.get(key, default))
        if value is None or not least <= value <= most:
            self.wrong(key, f"a number from {least:g} to {most:g}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false, the default where the key is missing."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, "true or false")
        return value

    def one_of(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of the allowed texts, the default where the key is missing."""
        value = self.data.get(key, default)
        if value not in allowed:
            self.wrong(key, f"one of {', '.join(allowed)}")
        return str(value)

    def items(self, key: str) -> list[Any]:
        """A list."""
        value = self.data[key]
        if not isinstance(value, list):
            self.wrong(key, "a list")
        return list(value)

    def child(self, key: str) -> Entry:
        """The object under a key."""
        return Entry(self.what, f"{self.path}{key}.", self.data[key], self.error)

    def children(self, key: str) -> Iterator[Entry]:
        """The objects in the list under a key."""
        for index, item in enumerate(self.items(key)):
            yield Entry(self.what, f"{self.path}{key}[{index}].", item, self.error)
