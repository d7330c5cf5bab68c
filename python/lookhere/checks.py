"""Plain values at the door: what a caller gives becomes a Python number, or a named error says what was expected."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from .errors import LookhereError, OptionError, PromptError

LONGEST = 80
"""Characters of a value that a message repeats."""

MOST_ITEMS = 100_000
"""Of an iterable that a caller gives; more may never end."""


def short(value: object, most: int = LONGEST) -> str:
    """The repr of a value, cut where it is long. most: characters."""
    try:
        text = repr(value)
    except Exception:  # of an object that nobody here made
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."


def file(path: str | os.PathLike[str]) -> str:
    """The name of a file or folder as messages repeat it, cut where it is long."""
    return short(os.fspath(path), 300)


def reason(error: Exception) -> str:
    """What an error says, on a line and cut where it is long; an OSError's without the path."""
    return label(str(getattr(error, "strerror", None) or error), 2 * LONGEST)


def label(name: str, most: int) -> str:
    """A name as it is, but for line breaks and other signs that do not print, cut where it is long."""
    text = repr(name)[1:-1]
    return text if len(text) <= most else text[: most - 3] + "..."


def _scalar(value: object) -> object:
    """What a NumPy scalar, or an array or tensor of no dimensions, holds; everything else as it is."""
    if getattr(value, "shape", None) != () or isinstance(value, np.ma.MaskedArray):
        return value
    item = getattr(value, "item", None)
    return item() if callable(item) else value


def as_float(value: object) -> float | None:
    """A finite number of any type as a float; None for anything else, bool included."""
    try:
        value = _scalar(value)
        if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
            return None
        found = float(value)
    except Exception:  # of an object that nobody here made, or a number that no float holds
        return None
    return found if math.isfinite(found) else None


def as_number(value: object) -> float | None:
    """As ``as_float``, but a whole number of any integer type as an int."""
    whole, found = as_whole(value), as_float(value)
    return whole if whole is not None and found is not None else found


def as_whole(value: object) -> int | None:
    """A whole number of any integer type as an int; None for anything else, bool included."""
    try:
        value = _scalar(value)
        if isinstance(value, bool) or not isinstance(value, Integral):
            return None
        return int(value)
    except Exception:  # of an object that nobody here made
        return None


def whole(name: str, value: object, least: int, most: int, *, error: type[LookhereError] = OptionError) -> int:
    """The value as an int from least to most; an OptionError (or the error that is named) otherwise."""
    found = as_whole(value)
    if found is None or not least <= found <= most:
        raise error(f"{name}={short(value)}; expected a whole number from {least} to {most}.")
    return found


def number(
    name: str,
    value: object,
    least: float,
    most: float,
    *,
    hint: str = "",
    unit: str = "",
    error: type[LookhereError] = OptionError,
) -> float:
    """The value as a float from least to most; an OptionError (or the error that is named) otherwise.

    hint: stands in brackets at the end of the message. unit: of the number, for the message.
    """
    found = as_float(value)
    if found is None or not least <= found <= most:
        of = f" of {unit}" if unit else ""
        raise error(
            f"{name}={short(value)}; expected a number{of} from {least:g} to {most:g}{f' ({hint})' if hint else ''}."
        )
    return found


def items(value: object) -> tuple[Any, ...] | None:
    """What a list, an array or any other iterable holds; None for anything else, for texts, and for what has no end."""
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
        return None
    try:
        found = tuple(islice(value, MOST_ITEMS + 1))
    except Exception:  # of an object that nobody here made, and of an array without dimensions
        return None
    return found if len(found) <= MOST_ITEMS else None


def path(name: str, value: object, *, error: type[LookhereError]) -> Path:
    """The value as a path, if it can be one; the error that is named otherwise."""
    try:
        found = os.fsdecode(value)  # type: ignore[arg-type]  # TypeError for what is none
        if b"\0" not in os.fsencode(found):  # UnicodeEncodeError for a lone surrogate
            return Path(found)
    except Exception:  # of an object that nobody here made
        pass
    raise error(f"{name}={short(value)}; expected the path of a file.")


def one_of(name: str, value: object, allowed: Sequence[str]) -> str:
    """The value if it is one of the allowed texts; OptionError otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise OptionError(f"{name}={short(value)}; expected one of {', '.join(allowed)}.")
    return value


def flag(name: str, value: object) -> bool:
    """The value if it is True or False; OptionError otherwise."""
    if not isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name}={short(value)}; expected True or False.")
    return bool(value)


def kinds(value: object, **expected: type | tuple[type, ...]) -> None:
    """OptionError unless the attributes of a value that are named are of these types."""
    for name, kind in expected.items():
        found = getattr(value, name)
        if not isinstance(found, kind):
            wanted = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
            raise OptionError(f"{type(value).__name__}: {name}={short(found)}; expected a value of type {wanted}.")


def text(name: str, value: object) -> str:
    """The value if it is a str that can be written as UTF-8; PromptError otherwise."""
    if not isinstance(value, str):
        raise PromptError(f"{name} is {type(value).__name__}; expected text.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        at = error.start
        raise PromptError(f"{name} holds a lone surrogate at character {at}; expected valid Unicode.") from None
    return value
