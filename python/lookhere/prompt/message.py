"""Messages: what is said in a conversation, by whom, with which images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from .. import checks
from ..errors import PromptError
from ..images.image import Image
from ..texts.text import OfText, Text

Role: TypeAlias = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)

_FORM = (
    'expected {"role": "user", "content": "text"}, or as content a list of {"type": "text", "text": ...} and '
    '{"type": "image", "image": ...} or {"type": "image_url", "image_url": {"url": ...}}, or {"type": "document", '
    '"document": ...} for a text to look at'
)
_IMAGE_KEYS = ("image", "url", "path", "base64")


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """What can be looked at. Parts are equal where their sources are: by content, scenes and open files by identity."""

    source: Any

    def __repr__(self) -> str:
        return f"{type(self).__name__}({checks.short(self.source)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _same(self.source, other.source)

    def __hash__(self) -> int:
        source = self.source
        return hash((type(self), source if isinstance(source, (str, bytes, Text)) else type(source)))


@dataclass(frozen=True, eq=False, repr=False)
class ImagePart(Part):
    """An image in a message. source: what ``Model.look`` takes, or a scene of the model that is asked."""


@dataclass(frozen=True, eq=False, repr=False)
class DocumentPart(Part):
    """A text in a message that can be looked at. source: a ``Text``, its characters, or a scene of one."""

    def __post_init__(self) -> None:
        if isinstance(self.source, str):
            object.__setattr__(self, "source", Text(self.source))


Shown: TypeAlias = ImagePart | DocumentPart
"""What can be looked at."""
MessagePart: TypeAlias = str | ImagePart | DocumentPart


@dataclass(frozen=True)
class Message:
    """What one side says: texts, and images and documents to look at, in their order. A ``Text`` among the parts is a
    document. PromptError where a value is wrong."""

    role: Role
    parts: tuple[MessagePart, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or self.role not in ROLES:
            raise PromptError(f"A message's role is {checks.short(self.role)}; expected one of {', '.join(ROLES)}.")
        one = isinstance(self.parts, (str, ImagePart, DocumentPart, Text))
        parts = (self.parts,) if one else checks.items(self.parts)
        if parts is None:
            raise PromptError(
                f"The parts of a message ({self.role}) are {checks.short(self.parts)}; expected texts, ImagePart and "
                "DocumentPart."
            )
        parts = tuple(map(_document, parts))
        for part in parts:
            if not isinstance(part, (ImagePart, DocumentPart)):
                checks.text(f"A part of a message ({self.role})", part)
            elif self.role != "user":
                what = "an image" if isinstance(part, ImagePart) else "a document"
                raise PromptError(f"A message of the role {self.role} holds {what}; expected it in a user message.")
        object.__setattr__(self, "parts", parts)

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """Its images."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))

    @property
    def shown(self) -> tuple[Shown, ...]:
        """Its images and documents."""
        return tuple(part for part in self.parts if not isinstance(part, str))


def as_messages(messages: object) -> tuple[Message, ...]:
    """A conversation, up to a user's message: our own values, or the dictionaries that OpenAI's clients and the chat
    templates of transformers take. Keys that are not known are errors, so that nothing is lost in silence. PromptError.
    """
    given = checks.items(messages)
    if given is None:
        raise PromptError(f"messages is {checks.short(messages)}; expected a list of messages: {_FORM}.")
    found = tuple(_message(each, f"messages[{index}]") for index, each in enumerate(given))
    if not found:
        raise PromptError(f"messages is empty; {_FORM}.")
    if found[-1].role != "user":
        raise PromptError(f"The last message is of the role {found[-1].role}; expected the user's, which is answered.")
    if any(each.role == "system" for each in found[1:]):
        raise PromptError("A system message stands after another message; expected it first.")
    return found


def _document(part: Any) -> Any:
    """A text that is given in an image's place, as the document that it is; everything else as it is."""
    source = part.source if isinstance(part, ImagePart) else part
    return DocumentPart(source) if isinstance(source, (Text, OfText)) else part


def _message(message: object, where: str) -> Message:
    if isinstance(message, Message):
        return message
    if not isinstance(message, Mapping):
        raise PromptError(f"{where} is {checks.short(message)}; {_FORM}.")
    _keys(message, where, {"role", "content"})
    role = message["role"]
    role = "system" if isinstance(role, str) and role == "developer" else role  # what OpenAI's clients call it now
    content = message["content"]
    if isinstance(content, (str, Text)):
        content = [content]
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise PromptError(f"{where}: content is {checks.short(content)}; {_FORM}.")
    parts = tuple(_part(part, f"{where}.content[{index}]") for index, part in enumerate(content))
    return Message(role, parts)  # type: ignore[arg-type]  # checked there


def _part(part: object, where: str) -> MessagePart:
    if isinstance(part, (str, ImagePart, DocumentPart, Text)):
        return part  # type: ignore[return-value]  # a Text becomes a document there
    if not isinstance(part, Mapping) or "type" not in part:
        raise PromptError(f"{where} is {checks.short(part)}; {_FORM}.")
    kind = part["type"]
    if not isinstance(kind, str):
        raise PromptError(f"{where}: type is {checks.short(kind)}; {_FORM}.")
    if kind in ("text", "input_text"):
        _keys(part, where, {"type", "text"})
        return checks.text(f"{where}: text", part["text"])
    if kind == "image_url":
        _keys(part, where, {"type", "image_url"})
        address = part["image_url"]
        if isinstance(address, Mapping):
            _keys(address, f"{where}.image_url", {"url"}, {"detail"})  # detail: how large OpenAI's models look
            address = address["url"]
        return ImagePart(address)
    if kind == "document":
        _keys(part, where, {"type", "document"})
        return DocumentPart(part["document"])
    if kind == "image":
        named = [key for key in _IMAGE_KEYS if key in part]
        if len(named) != 1:
            raise PromptError(f"{where} names {len(named)} images; expected one of {', '.join(_IMAGE_KEYS)}.")
        _keys(part, where, {"type", named[0]})
        source = part[named[0]]
        return ImagePart(f"data:;base64,{source}" if named[0] == "base64" else source)
    raise PromptError(f"{where}: type is {checks.short(kind)}; {_FORM}.")


def _keys(data: Mapping[Any, Any], where: str, required: set[str], optional: set[str] | None = None) -> None:
    missing, unknown = required - data.keys(), data.keys() - required - (optional or set())
    if missing:
        raise PromptError(f"{where}: {min(missing)} is missing; {_FORM}.")
    if unknown:
        raise PromptError(f"{where}: unknown key {checks.short(min(unknown, key=checks.short))}; {_FORM}.")


def _same(one: object, other: object) -> bool:
    """Whether two sources show the same."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, Image):
        one, other = one.pixels, other.pixels  # type: ignore[attr-defined]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    try:
        return bool(one == other)
    except Exception:  # of an object that nobody here made
        return False
