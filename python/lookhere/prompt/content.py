"""A message's content as templates take it, with sentinels in place of what anybody wrote and of images.

Templates differ in what they take: texts alone, or lists of parts, from users or from everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .message import ImagePart, Message

SENTINEL = re.compile("(\ue000lookhere (?:text|image) \\d+\ue001)")
Content: TypeAlias = "Callable[[Message, list[str]], str | list[dict[str, str]]]"
"""How a message's content is given to a template, with sentinels for its parts."""
Edges: TypeAlias = "Sequence[tuple[str, str]]"
"""White space before and after each text."""


def text_sentinel(k: int) -> str:
    """Stands for the k-th text of a conversation, documents included."""
    return f"\ue000lookhere text {k}\ue001"


def image_sentinel(k: int) -> str:
    """Stands for the k-th image of a conversation."""
    return f"\ue000lookhere image {k}\ue001"


def filled(messages: Sequence[Message], content: Content, edges: Edges = ()) -> list[dict[str, Any]]:
    """The conversation as a template takes it. edges: around each text's sentinel; none for no white space."""
    texts = images = 0
    made = []
    for message in messages:
        sentinels = []
        for part in message.parts:
            if not isinstance(part, ImagePart):
                before, after = edges[texts] if edges else ("", "")
                sentinels.append(before + text_sentinel(texts) + after)
                texts += 1
            else:
                sentinels.append(image_sentinel(images))
                images += 1
        made.append({"role": message.role, "content": content(message, sentinels)})
    return made


def joined(message: Message, sentinels: list[str]) -> str:
    """One text: images stand where they stand in the message."""
    return "".join(sentinels)


def listed(message: Message, sentinels: list[str]) -> str | list[dict[str, str]]:
    """A list of parts, from everybody."""
    return [
        {"type": "image"} if isinstance(part, ImagePart) else {"type": "text", "text": sentinel}
        for part, sentinel in zip(message.parts, sentinels, strict=True)
    ]


def listed_but_system(message: Message, sentinels: list[str]) -> str | list[dict[str, str]]:
    """A list of parts from users and models; a system text as a text."""
    return joined(message, sentinels) if message.role == "system" else listed(message, sentinels)


def users_listed(message: Message, sentinels: list[str]) -> str | list[dict[str, str]]:
    """A list of parts from users, texts from all others."""
    return listed(message, sentinels) if message.role == "user" else joined(message, sentinels)


LISTS: tuple[Content, ...] = (users_listed, listed_but_system, listed)
"""In the order in which they are tried."""


def joined_with(after_image: str) -> Content:
    """As ``joined``, with a text after each image."""

    def content(message: Message, sentinels: list[str]) -> str:
        pairs = zip(message.parts, sentinels, strict=True)
        return "".join(each + after_image if isinstance(part, ImagePart) else each for part, each in pairs)

    return content


def white_edges(text: str) -> tuple[str, str]:
    """The white space that a text begins and ends with; all of it before, where there is nothing else."""
    start = len(text) - len(text.lstrip())
    return text[:start], text[max(start, len(text.rstrip())) :]


def white_around(rendered: str, sentinel: str) -> tuple[str, str]:
    """The white space directly before and after a sentinel."""
    before, _, after = rendered.partition(sentinel)
    return white_edges(before)[1] if before.strip() else before, white_edges(after)[0]
