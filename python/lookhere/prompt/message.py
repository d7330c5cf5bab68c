"""Messages: what is said in a conversation, by whom, with which images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from .. import checks
from ..errors import PromptError

Role: TypeAlias = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)

_FORM = (
    'expected {"role": "user", "content": "text"}, or as content a list of {"type": "text", "text": ...} and '
    '{"type": "image", "image": ...} or {"type": "image_url", "image_url": {"url": ...}}'
)
_IMAGE_KEYS = ("image", "url", "path", "base64")


@dataclass(frozen=True, eq=False)
class ImagePart:
    """An image in a message. source: what ``Model.look`` takes, or a scene of the model that is asked."""

    source: Any

    def __repr__(self) -> str:
        return f"ImagePart({checks.short(self.source)})"


MessagePart: TypeAlias = str | ImagePart


@dataclass(frozen=True)
class Message:
    """What one side says: texts and images in their order. PromptError where a value is wrong."""

    role: Role
    parts: tuple[MessagePart, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or self.role not in ROLES:
            raise PromptError(f"A message's role is {checks.short(self.role)}; expected one of {', '.join(ROLES)}.")
        parts = (self.parts,) if isinstance(self.parts, (str, ImagePart)) else checks.items(self.parts)
        if parts is None:
            raise PromptError(
                f"The parts of a message ({self.role}) are {checks.short(self.parts)}; expected texts and ImagePart."
            )
        for part in parts:
            if not isinstance(part, ImagePart):
                checks.text(f"A part of a message ({self.role})", part)
        if self.role != "user" and any(isinstance(part, ImagePart) for part in parts):
            raise PromptError(f"A message of the role {self.role} holds an image; expected images in user messages.")
        object.__setattr__(self, "parts", parts)

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """Its images."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))


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


def _message(message: object, where: str) -> Message:
    if isinstance(message, Message):
        return message
    if not isinstance(message, Mapping):
        raise PromptError(f"{where} is {checks.short(message)}; {_FORM}.")
    _keys(message, where, {"role", "content"})
    role = message["role"]
    role = "system" if isinstance(role, str) and role == "developer" else role  # what OpenAI's clients call it now
    content = message["content"]
    if isinstance(content, str):
        content = [content]
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise PromptError(f"{where}: content is {checks.short(content)}; {_FORM}.")
    parts = tuple(_part(part, f"{where}.content[{index}]") for index, part in enumerate(content))
    return Message(role, parts)  # type: ignore[arg-type]  # checked there


def _part(part: object, where: str) -> MessagePart:
    if isinstance(part, (str, ImagePart)):
        return part
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
