"""The chat template of a GGUF, and what of a rendered prompt is template, user text and image.

Rendered as transformers does it: a sandboxed, immutable Jinja2 environment with trim_blocks and lstrip_blocks, loop
controls, ``raise_exception``, ``strftime_now`` and its ``tojson``. User text and image never pass through the template:
sentinels stand in for them, so that nothing a user writes is read as a special token or an image marker.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from ..errors import PromptError, TemplateError

if TYPE_CHECKING:
    import jinja2

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""For a GGUF without a template."""

_IMAGE = "\ue000lookhere image\ue001"
_USER = "\ue000lookhere user\ue001"
_SYSTEM = "\ue000lookhere system\ue001"
_SENTINEL = re.compile(f"({_IMAGE}|{_USER}|{_SYSTEM})")

_MARKERS = (
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<|image_pad|>",
    "<start_of_image>",
    "<|image|>",
    "<image>",
    "[IMG]",
)
"""What templates write for an image, longest first. The encoded image brings the same tokens along."""


@dataclass(frozen=True)
class Piece:
    """A run of a prompt. ``template`` text is read for special tokens, ``user`` text is not, ``image`` has no text."""

    kind: Literal["template", "user", "image"]
    text: str = ""


@dataclass(frozen=True)
class ChatTemplate:
    """source: Jinja2. bos_token, eos_token: their text, for templates that write them."""

    source: str = CHATML
    bos_token: str = ""
    eos_token: str = ""

    def pieces(self, prompt: str, *, system: str | None = None) -> list[Piece]:
        """The prompt with one image before it, up to where the answer begins.

        Exactly one piece is the image; empty pieces are left out. TemplateError, PromptError.
        """
        texts = {_USER: checked_text("prompt", prompt)}
        if system is not None:
            texts[_SYSTEM] = checked_text("system", system)
        rendered = self._render_with_image(_SYSTEM if system is not None else None)
        for sentinel in (_IMAGE, *texts):
            if rendered.count(sentinel) != 1:
                what = {_IMAGE: "image", _USER: "prompt", _SYSTEM: "system text"}[sentinel]
                raise TemplateError(
                    f"The model's chat template writes the {what} {rendered.count(sentinel)} times; expected once. "
                    "Give another template with load(chat_template=...)."
                )
        pieces = []
        for run in _SENTINEL.split(rendered):
            if run == _IMAGE:
                pieces.append(Piece("image"))
            elif run in texts:
                pieces.append(Piece("user", texts[run]))
            else:
                pieces.append(Piece("template", run))
        return [piece for piece in pieces if piece.text or piece.kind == "image"]

    def _render_with_image(self, system: str | None) -> str:
        """The rendered prompt with sentinels for the image and the texts."""
        listed = self._render(system, [{"type": "image"}, {"type": "text", "text": _USER}], strict=False)
        plain = self._render(system, [{"type": "text", "text": _USER}], strict=False)
        if listed and plain and "'type'" not in listed and '"type"' not in listed:
            start, end = _inserted(plain, listed)
            written = listed[start:end]
            for marker in _MARKERS:
                if marker in written:
                    return listed[:start] + written.replace(marker, _IMAGE, 1) + listed[end:]
            if written.strip():
                raise TemplateError(
                    f"The model's chat template writes {written!r} for an image, which is not known here. "
                    "Give another template with load(chat_template=...)."
                )
        return self._render(system, _IMAGE + _USER, strict=True)

    def _render(self, system: str | None, content: str | list[dict[str, str]], *, strict: bool) -> str:
        import jinja2

        messages: list[dict[str, Any]] = [] if system is None else [{"role": "system", "content": system}]
        messages.append({"role": "user", "content": content})
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
                f"The model's chat template cannot be rendered: {type(error).__name__}: {error}. "
                "Give another template with load(chat_template=...)."
            ) from error


def checked_text(name: str, text: object) -> str:
    """The text itself; PromptError unless it is a str that can be written as UTF-8."""
    if not isinstance(text, str):
        raise PromptError(f"{name} is {type(text).__name__}; expected text.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        at = error.start
        raise PromptError(f"{name} holds a lone surrogate at character {at}; expected valid Unicode.") from None
    return text


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
