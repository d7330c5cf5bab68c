"""Asks as JSON, both ways, strictly: unknown keys are refused by name."""

from __future__ import annotations

import base64
import io
import os
from typing import Any

from ..answers.ask import MAP_OPTIONS, PUSH_OPTIONS, SAMPLING_OPTIONS, Ask
from ..answers.sampling import Sampling
from ..errors import OptionError, PromptError
from ..images.image import Image
from ..prompt.message import ROLES, DocumentPart, ImagePart, Message, MessagePart
from ..steering.steering import Steering
from ..strict import Entry
from ..texts.text import OfText
from .region import read_region, region_json


def ask_json(ask: Ask) -> dict[str, Any]:
    """An ask as JSON: messages, at, and of the options those that differ from the defaults.

    Images become paths, addresses or data URIs, documents their text.
    OptionError for a ``Steering`` in ``at``, which brings heads of its
    own.
    """
    if isinstance(ask.at, Steering):
        raise OptionError(
            "An ask with a Steering in at= has no JSON form; give regions, and strength= and mode= beside."
        )
    default = Sampling()
    sampling = {
        name: list(value) if isinstance(value, tuple) else value
        for name in SAMPLING_OPTIONS
        if (value := getattr(ask.sampling, name)) != getattr(default, name)
    }
    maps = {name: getattr(ask, name) for name in MAP_OPTIONS if getattr(ask, name) != (name == "gaze")}
    return {
        "messages": [
            {"role": each.role, "content": [_part_json(part) for part in each.parts]} for each in ask.messages
        ],
        **({} if ask.at is None else {"at": [region_json(region) for region in ask.at]}),
        **ask.push.given,
        **sampling,
        **maps,
        **({} if ask.readers is None else {"readers": [list(head) for head in ask.readers]}),
        **({"zoom": True} if ask.zoom else {}),
    }


def read_ask(data: Any, what: str = "The ask") -> Ask:
    """What ``ask_json`` wrote. PromptError, RegionError, OptionError, HeadSetError name what is wrong and where.

    what: begins the messages.
    """
    entry = Entry(what, "", data, OptionError)
    entry.keys({"messages"}, {"at", *PUSH_OPTIONS, *SAMPLING_OPTIONS, *MAP_OPTIONS, "readers", "zoom"})
    options = {key: value for key, value in data.items() if key not in ("messages", "at")}
    at = [read_region(each) for each in entry.children("at")] if entry.has("at") else None
    return Ask.of([_message(each) for each in entry.children("messages")], at, **options)


def _message(entry: Entry) -> Message:
    entry.keys({"role", "content"}, set())
    role = entry.one_of("role", "", ROLES)
    parts = tuple(_part(each) for each in entry.children("content"))
    return Message(role, parts)  # type: ignore[arg-type]


def _part(entry: Entry) -> MessagePart:
    kinds = ("text", "image", "document")
    entry.keys({"type"}, set(kinds))
    kind = entry.one_of("type", "", kinds)
    entry.keys({"type", kind}, set())
    text = entry.text(kind)
    return text if kind == "text" else ImagePart(text) if kind == "image" else DocumentPart(text)


def _part_json(part: MessagePart) -> dict[str, str]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, DocumentPart):
        text = part.source.text if isinstance(part.source, OfText) else part.source
        return {"type": "document", "document": str(text)}
    return {"type": "image", "image": _image_json(part.source)}


def _image_json(source: Any) -> str:
    """A path or address as it is, everything else as a data URI of a PNG."""
    if isinstance(source, (str, os.PathLike)):
        found = os.fspath(source)
        if isinstance(found, bytes):
            raise PromptError(f"The path {found!r} is bytes; expected text.")
        return found
    image = Image.open(source.image if hasattr(source, "encoded") else source)  # a scene, or an image
    file = io.BytesIO()
    image.pillow().save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
