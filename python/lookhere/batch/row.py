"""A row of a job file: one ask, with an id by which its answer is known."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from .. import checks
from ..answers.ask import OPTIONS, Ask
from ..errors import JobsError, RegionError
from ..prompt.message import DocumentPart, ImagePart, Message
from ..regions.region import Region
from ..regions.text import read_region as read_text
from ..strict import Entry
from ..wire.ask import read_ask
from ..wire.region import read_region

Opener: TypeAlias = Callable[[str], Any]
"""What makes of the name of an image what ``Model.look`` takes."""

_SHORT = {"regions", "prompt", "system", *OPTIONS}
"""What may stand beside id and image."""


def beside(folder: str) -> Opener:
    """Names of images in a folder; addresses, data URIs and absolute paths stay as they are."""

    def opened(name: str) -> str:
        return name if is_address(name) else os.path.join(folder, name)

    return opened


def is_address(name: str) -> bool:
    """Whether the name of an image is an address or a data URI, and no path."""
    return name[:5].lower() == "data:" or "://" in name[:12]


@dataclass(frozen=True)
class Row:
    """number: among all rows, from 0. what: begins the messages, as 'Line 7'. name: the id, as given. data: the row."""

    number: int
    what: str
    name: str | int
    data: Mapping[str, Any]

    @classmethod
    def of(cls, number: int, what: str, data: Any) -> Row:
        """JobsError unless it is an object with an id: text, or a whole number."""
        if not isinstance(data, dict):
            raise JobsError(f"{what}: it is {checks.short(data)}; expected an object with id and image.")
        name = data.get("id")
        if name is None:
            raise JobsError(f"{what}: id is missing; expected a text or a whole number, each once in the file.")
        if isinstance(name, str):
            if not name or any("\ud800" <= each <= "\udfff" for each in name):
                raise JobsError(f"{what}: id is {checks.short(name)}; expected text in valid Unicode.")
        elif checks.as_whole(name) is None:
            raise JobsError(f"{what}: id is {checks.short(name)}; expected a text or a whole number.")
        return cls(number, what, name, data)

    @property
    def key(self) -> str:
        """The id as text: 7 and "7" are the same."""
        return str(self.name)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of a sha256 of all but the id: equal for rows that ask the same."""
        asked = {name: value for name, value in self.data.items() if name != "id"}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def image(self) -> str | None:
        """The name of the image, where the row has one name for it."""
        image = self.data.get("image")
        return image if isinstance(image, str) and image[:5].lower() != "data:" else None

    def ask(self, question: str, options: Mapping[str, Any], opened: Opener | None) -> Ask:
        """What is asked. question: where the row has none. options: of an ask, where the row does not say otherwise.

        opened: None to open no mask and no image: then it is only checked. LookhereError names what is wrong.
        """
        entry = Entry(self.what, "", self.data, JobsError)
        if "messages" in self.data:
            asked = {name: value for name, value in self.data.items() if name != "id"}
            if entry.has("at"):
                asked["at"] = [each for each in _files(entry.items("at"), opened) if each is not None]
            found = read_ask({**options, **asked, **({"at": None} if asked.get("at") == [] else {})}, self.what)
            return found if opened is None else replace(found, messages=_opened(found.messages, opened))
        entry.keys({"id", "image"}, _SHORT)
        image = entry.text("image")
        parts = (
            ImagePart(image if opened is None else opened(image)),
            entry.text("prompt") if entry.has("prompt") else question,
        )
        messages = [Message("user", parts)]
        if entry.has("system"):
            messages.insert(0, Message("system", (entry.text("system"),)))
        own = {name: value for name, value in self.data.items() if name in OPTIONS}
        return Ask.of(messages, _regions(entry, opened) if entry.has("regions") else None, **{**options, **own})


def images_of(ask: Ask) -> str:
    """What an ask that was only checked shows, as text: rows of the same image have the same."""
    shown = [part.source for message in ask.messages for part in message.shown]
    return "\0".join(each if isinstance(each, str) else str(each) for each in shown)


def _opened(messages: tuple[Message, ...], opened: Opener) -> tuple[Message, ...]:
    return tuple(
        Message(
            each.role,
            tuple(
                ImagePart(opened(part.source))
                if not isinstance(part, (str, DocumentPart)) and isinstance(part.source, str)
                else part
                for part in each.parts
            ),
        )
        for each in messages
    )


def _files(regions: list[Any], opened: Opener | None) -> list[Any]:
    """The regions with the files of masks where they lie; None for such a mask where nothing is opened."""
    found: list[Any] = []
    for each in regions:
        if isinstance(each, dict) and each.get("kind") == "mask" and isinstance(each.get("file"), str):
            found.append(None if opened is None else {**each, "file": opened(each["file"])})
        else:
            found.append(each)
    return found


def _regions(entry: Entry, opened: Opener | None) -> list[Region] | None:
    given = entry.items("regions")
    found: list[Region] = []
    for index, each in enumerate(_files(given, opened)):
        where = f"regions[{index}]"
        if isinstance(each, str):
            try:
                found.append(read_text(each))
            except ValueError as error:
                raise RegionError(
                    f"{entry.what}: {where} is {checks.short(each)}; expected a region, as panel:2/6, "
                    "box:40,60,220,300, point:120,90, or an object with its kind."
                ) from error
        elif each is not None:
            found.append(read_region(Entry(entry.what, f"{where}.", each, RegionError)))
    if not given:
        raise RegionError(f"{entry.what}: regions is empty; name one, or leave it out for the whole image.")
    return found or None
