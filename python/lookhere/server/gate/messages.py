"""Messages as clients of OpenAI send them back: with keys that say nothing here, and system texts in several pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import RequestError
from ...prompt.message import Message, as_messages

EMPTY = ("refusal", "annotations", "audio", "function_call", "tool_calls")
"""Keys of a message that are left out where they hold nothing."""
LABELS = ("name", "id", "reasoning_content")
"""Keys that are left out whatever they hold."""


def as_ask_messages(given: Sequence[Any]) -> tuple[Message, ...]:
    """The messages; system texts at the beginning are one. PromptError; RequestError for what a tool said."""
    plain = [_plain(each, f"messages[{index}]") for index, each in enumerate(given)]
    systems = 0
    while systems < len(plain) and isinstance(plain[systems], Mapping) and plain[systems].get("role") in _SYSTEM:
        systems += 1
    if systems > 1:
        contents = [_text(each.get("content")) for each in plain[:systems]]
        if None not in contents:
            plain[:systems] = [
                {"role": "system", "content": "\n\n".join(each for each in contents if each is not None)}
            ]
    return as_messages(plain)


_SYSTEM = ("system", "developer")


def _text(content: Any) -> str | None:
    """The text of a system message; None where it is more than that."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [each.get("text") if isinstance(each, Mapping) and each.get("type") == "text" else None for each in parts]
    found = [each for each in texts if isinstance(each, str)]
    return "".join(found) if len(found) == len(texts) else None


def _plain(message: Any, where: str) -> Any:
    """Without what says nothing; a model's content of null is no text."""
    if not isinstance(message, Mapping):
        return message
    if message.get("role") in ("tool", "function") or message.get("tool_calls") or message.get("function_call"):
        raise RequestError(f"{where} is about tools, which this server does not have.", 400, "unsupported", "messages")
    plain = {key: value for key, value in message.items() if key not in LABELS and (value or key not in EMPTY)}
    if message.get("role") == "assistant" and plain.get("content") is None:
        plain["content"] = ""
    return plain
