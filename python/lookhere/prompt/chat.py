"""The chat template of a GGUF, and what of a rendered prompt is template, what somebody's text, and what an image.

Rendered as transformers does it: a sandboxed, immutable Jinja2 environment with trim_blocks and lstrip_blocks, loop
controls, ``raise_exception``, ``strftime_now`` and its ``tojson``. Texts and images never pass through the template:
sentinels stand in for them, so that nothing that anybody writes is read as a special token or an image marker.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

from ..errors import TemplateError
from ..families import image_markers
from .message import ImagePart, Message

if TYPE_CHECKING:
    import jinja2

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""For a GGUF without a template."""

_SENTINEL = re.compile("(\ue000lookhere (?:text|image) \\d+\ue001)")
Content: TypeAlias = "Callable[[Message, list[str]], str | list[dict[str, str]]]"
"""How a message's content is given to a template, with sentinels for its parts."""

_OTHER = "Give another template with load(chat_template=...)."


@dataclass(frozen=True)
class Piece:
    """A run of a prompt. ``template`` text is read for special tokens, ``text`` that somebody wrote is not, ``image``
    has no text."""

    kind: Literal["template", "text", "image"]
    text: str = ""


@dataclass(frozen=True)
class ChatTemplate:
    """source: Jinja2. bos_token, eos_token: their text, for templates that write them."""

    source: str = CHATML
    bos_token: str = ""
    eos_token: str = ""

    def pieces(self, messages: Sequence[Message]) -> list[Piece]:
        """A conversation, up to where the answer begins.

        There are as many image pieces as images, in their order; empty pieces are left out. TemplateError.
        """
        rendered = self._rendered(messages)
        texts = [part for message in messages for part in message.parts if isinstance(part, str)]
        count = sum(len(message.images) for message in messages)
        for sentinel, what in (
            *((_image(k), "image" if count == 1 else f"image {k + 1}") for k in range(count)),
            *((_text(k), what) for k, what in enumerate(_text_names(messages))),
        ):
            if rendered.count(sentinel) != 1:
                raise TemplateError(
                    f"The model's chat template writes the {what} {rendered.count(sentinel)} times; expected once. {_OTHER}"
                )
        pieces = []
        known = {_text(k): text for k, text in enumerate(texts)}
        images = {_image(k) for k in range(count)}
        for run in _SENTINEL.split(rendered):
            if run in images:
                pieces.append(Piece("image"))
            elif run in known:
                pieces.append(Piece("text", known[run]))
            else:
                pieces.append(Piece("template", run))
        return [piece for piece in pieces if piece.text or piece.kind == "image"]

    def _rendered(self, messages: Sequence[Message]) -> str:
        """The rendered conversation with sentinels for its images and texts.

        Templates differ in what they take as content: a list of parts from users, or from everybody, or texts alone. The
        first form of which nothing is lost is taken.
        """
        count = sum(len(message.images) for message in messages)
        if count:
            for content in (_users_listed, _all_listed):
                listed = self._render(_filled(messages, content), strict=False)
                plain = self._render(_filled(_without_images(messages), content), strict=False)
                if listed and plain and "'type'" not in listed and '"type"' not in listed and _whole(listed, messages):
                    marker = self._marker(content)
                    if marker is not None:
                        return _marked(listed, plain, marker, count)
        else:
            for content in (_joined, _all_listed):
                rendered = self._render(_filled(messages, content), strict=False)
                if rendered and _whole(rendered, messages):
                    return rendered
        return self._render(_filled(messages, _joined), strict=True)

    def _marker(self, content: Content) -> str | None:
        """What the template writes for an image, learned from a conversation of one; None if it writes nothing.

        TemplateError if that is not known.
        """
        one = [Message("user", (ImagePart(None), "text"))]
        plain = self._render(_filled(_without_images(one), content), strict=True)
        listed = self._render(_filled(one, content), strict=True)
        start, end = _inserted(plain, listed)
        written = listed[start:end]
        for marker in image_markers():
            if marker in written:
                return marker
        if written.strip():
            raise TemplateError(
                f"The model's chat template writes {written!r} for an image, which is not known here. {_OTHER}"
            )
        return None

    def _render(self, messages: list[dict[str, Any]], *, strict: bool) -> str:
        import jinja2

        try:
            return _compiled(self.source).render(
                messages=messages,
                add_generation_prompt=True,
                bos_token=self.bos_token,
                eos_token=self.eos_token,
                tools=None,
                documents=None,
            )
        except Exception as error:  # a template may fail in any way that Python can
            if not strict and not isinstance(error, jinja2.exceptions.SecurityError):
                return ""
            raise TemplateError(
                f"The model's chat template cannot be rendered: {type(error).__name__}: {error}. {_OTHER}"
            ) from error


def _text(k: int) -> str:
    return f"\ue000lookhere text {k}\ue001"


def _image(k: int) -> str:
    return f"\ue000lookhere image {k}\ue001"


def _text_names(messages: Sequence[Message]) -> list[str]:
    """What each text of a conversation is called in a message to a person."""
    names = []
    for index, message in enumerate(messages):
        last = index == len(messages) - 1
        name = {"system": "system text", "user": "prompt" if last else "user's text"}.get(message.role, "answer")
        names += [name for part in message.parts if isinstance(part, str)]
    return names


def _whole(rendered: str, messages: Sequence[Message]) -> bool:
    """Whether every text of a conversation is in what was rendered of it."""
    return all(_text(k) in rendered for k in range(len(_text_names(messages))))


def _filled(messages: Sequence[Message], content: Content) -> list[dict[str, Any]]:
    """The conversation as a template takes it, with sentinels for texts and images."""
    texts = images = 0
    filled = []
    for message in messages:
        sentinels = []
        for part in message.parts:
            if isinstance(part, str):
                sentinels.append(_text(texts))
                texts += 1
            else:
                sentinels.append(_image(images))
                images += 1
        filled.append({"role": message.role, "content": content(message, sentinels)})
    return filled


def _all_listed(message: Message, sentinels: list[str]) -> str | list[dict[str, str]]:
    """A list of parts, as templates for images take it; a system text as a text."""
    if message.role == "system":
        return "".join(sentinels)
    return [
        {"type": "text", "text": sentinel} if isinstance(part, str) else {"type": "image"}
        for part, sentinel in zip(message.parts, sentinels, strict=True)
    ]


def _users_listed(message: Message, sentinels: list[str]) -> str | list[dict[str, str]]:
    """What a user says as a list of parts, what others say as a text."""
    return _all_listed(message, sentinels) if message.role == "user" else "".join(sentinels)


def _joined(message: Message, sentinels: list[str]) -> str:
    """For templates that know texts only: images stand where they stand in the message."""
    return "".join(sentinels)


def _without_images(messages: Sequence[Message]) -> list[Message]:
    return [Message(each.role, tuple(part for part in each.parts if isinstance(part, str))) for each in messages]


def _marked(listed: str, plain: str, marker: str, count: int) -> str:
    """listed with a sentinel in place of each marker that plain, the same without images, does not have."""
    start, end = _inserted(plain, listed) if count == 1 else (0, len(listed))
    written = listed[start:end]
    if count > 1 and (written.count(marker) != count or marker in plain):
        raise TemplateError(
            f"The model's chat template writes {marker!r} {written.count(marker)} times for {count} images; expected once "
            f"for each. {_OTHER}"
        )
    for k in range(count):
        written = written.replace(marker, _image(k), 1)
    return listed[:start] + written + listed[end:]


def _inserted(plain: str, listed: str) -> tuple[int, int]:
    """Where listed holds what plain does not: start and end in listed."""
    start = 0
    while start < min(len(plain), len(listed)) and plain[start] == listed[start]:
        start += 1
    tail = 0
    while tail < min(len(plain), len(listed)) - start and plain[-1 - tail] == listed[-1 - tail]:
        tail += 1
    return start, len(listed) - tail


@lru_cache(maxsize=16)
def _compiled(source: str) -> jinja2.Template:
    import jinja2
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(
            f"The model's chat template is not valid Jinja2: line {error.lineno}: {error.message}. "
            "Give another template with load(chat_template=...)."
        ) from error


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    import jinja2

    raise jinja2.exceptions.TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)
