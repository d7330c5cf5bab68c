"""Models that are split into several files, as llama-gguf-split makes them: NAME-00001-of-00003.gguf and so on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from ..errors import ModelFileError
from .gguf import Header
from .head_bytes import shown

_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
_MOST_NAMED = 5


def refuse_part(part: Path, header: Header) -> NoReturn:
    """ModelFileError for a later file of a split model, which says where the first one is."""
    number, count = header.whole("split.no") + 1, header.whole("split.count")
    first = _named(part, number, count, 1)
    what = f"{shown(part)} is file {number} of {count} of a split model, which is loaded by its first file"
    if first is None:
        raise ModelFileError(f"{what}. Give that one; all files must be in one folder, named as they were published.")
    if not first.is_file():
        raise ModelFileError(f"{what}; {first.name!r} is missing beside it. Fetch it into the same folder.")
    raise ModelFileError(f"{what}. Give that one: {shown(first)}.")


def parts_of(path: Path, header: Header) -> list[Path]:
    """All files of a model, given its first one. ModelFileError where one is missing."""
    count = header.whole("split.count")
    if count < 2:
        return [path]
    parts = [_named(path, 1, count, number) for number in range(1, count + 1)]
    if None in parts:
        raise ModelFileError(
            f"{shown(path)} is the first of {count} files of a split model, whose names must end in "
            f"-00001-of-{count:05}.gguf and so on. Name the files as they were published."
        )
    found = [part for part in parts if part is not None]
    missing = [part.name for part in found if not part.is_file()]
    if missing:
        names = ", ".join(missing[:_MOST_NAMED]) + (", ..." if len(missing) > _MOST_NAMED else "")
        raise ModelFileError(
            f"{shown(path)} is the first of {count} files of a split model; missing beside it: {names}. Fetch them "
            "into the same folder."
        )
    return found


def _named(path: Path, number: int, count: int, wanted: int) -> Path | None:
    """The name of another file of a split model, from that of one; None where its name is not of that form."""
    named = _NAME.fullmatch(path.name)
    if named is None or (int(named["number"]), int(named["count"])) != (number, count):
        return None
    return path.with_name(f"{named['stem']}-{wanted:05}-of-{count:05}.gguf")
