"""The chat template of a GGUF, and what of a rendered prompt is template, what somebody's text, and what an image.

Rendered as transformers does it (``environment``). Texts and images never pass through the template: sentinels stand in
for them, so that nothing that anybody writes is read as a special token or an image marker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import TemplateError
from ..families import Family
from .content import (
    LISTS,
    SENTINEL,
    Content,
    Edges,
    filled,
    image_sentinel,
    joined,
    joined_with,
    text_sentinel,
    white_around,
    white_edges,
)
from .environment import compiled
from .markers import OTHER, learned, marked
from .message import DocumentPart, ImagePart, Message

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""For a GGUF without a template."""
APART = "\n\n"
"""Between a document and a text beside it."""


@dataclass(frozen=True)
class Piece:
    """A run of a prompt. ``template`` text is read for special tokens, ``text`` that somebody wrote is not, ``image``
    and ``document`` have no text."""

    kind: Literal["template", "text", "image", "document"]
    text: str = ""


@dataclass(frozen=True)
class ChatTemplate:
    """source: Jinja2. bos_token, eos_token: their text, for templates that write them. family: the model's, None where
    it is not known; it says what its own processor writes around an image beside the template."""

    source: str = CHATML
    bos_token: str = ""
    eos_token: str = ""
    family: Family | None = None

    def pieces(self, messages: Sequence[Message]) -> list[Piece]:
        """A conversation, up to where the answer begins.

        There are as many image and document pieces as images and documents, in their order; empty pieces are left out.
        A blank line parts a document from texts beside it. TemplateError.
        """
        rendered = self._rendered(messages)
        texts = [
            part if isinstance(part, str) else None
            for message in messages for part in message.parts if not isinstance(part, ImagePart)
        ]  # fmt: skip
        count = sum(len(message.images) for message in messages)
        for sentinel, what in (
            *((image_sentinel(k), "image" if count == 1 else f"image {k + 1}") for k in range(count)),
            *((text_sentinel(k), what) for k, what in enumerate(_text_names(messages))),
        ):
            if rendered.count(sentinel) != 1:
                raise TemplateError(
                    f"The model's chat template writes the {what} {rendered.count(sentinel)} times; expected once. "
                    f"{OTHER}"
                )
        known = {text_sentinel(k): text for k, text in enumerate(self._trimmed(texts, messages, rendered))}
        images = {image_sentinel(k): k for k in range(count)}
        return list(_merged(self._pieces(rendered, known, images)))

    def _pieces(self, rendered: str, texts: dict[str, str | None], images: dict[str, int]) -> Iterator[Piece]:
        """The runs of what was rendered; texts and images: what stands for each sentinel, None for a document."""
        before_it = ""  # the sentinel that stands directly before
        for run in SENTINEL.split(rendered):
            if not run:
                continue
            if run in texts and before_it in texts and None in (texts[run], texts[before_it]):
                yield Piece("template", APART)
            before_it = run
            if run in images:
                before, after = (self.family.before, self.family.after) if self.family else ("", "")
                yield Piece("template", before.replace("{index}", str(images[run])))
                yield Piece("image")
                yield Piece("template", after)
            elif run in texts:
                text = texts[run]
                yield Piece("document") if text is None else Piece("text", text)
            else:
                yield Piece("template", run)

    def _trimmed(self, texts: list[str | None], messages: Sequence[Message], rendered: str) -> list[str | None]:
        """The texts, None for a document, without the white space at their ends that the template takes away,
        as many do.

        rendered: the conversation with bare sentinels. The white space itself goes through the template a second time,
        around the sentinels: what is left of it there belongs to the text.
        """
        edges = [("", "") if text is None else white_edges(text) for text in texts]
        kept = list(texts)
        for turn in (0, 1):  # every other text, so that two never share the white space between them
            chosen = [each if k % 2 == turn else ("", "") for k, each in enumerate(edges)]
            if not any(before or after for before, after in chosen):
                continue
            spaced = self._rendered(messages, chosen)
            for k in range(turn, len(texts), 2):
                sentinel, text = text_sentinel(k), texts[k]
                if spaced.count(sentinel) == 1 and text is not None:
                    (bare_before, bare_after), (before, after) = (white_around(x, sentinel) for x in (rendered, spaced))
                    kept[k] = before[len(bare_before) :] + text.strip() + after[: len(after) - len(bare_after)]
        return kept

    def _rendered(self, messages: Sequence[Message], edges: Edges = ()) -> str:
        """The rendered conversation with sentinels for its images and texts. edges: white space around each text's.

        The first form of content of which nothing is lost is taken.
        """
        count = sum(len(message.images) for message in messages)
        if count:
            for content in LISTS:
                listed = self._render(filled(messages, content, edges), strict=False)
                plain = self._render(filled(_without_images(messages), content, edges), strict=False)
                if listed and plain and "'type'" not in listed and '"type"' not in listed and _whole(listed, messages):
                    marker = self._marker(content)
                    if marker is not None:
                        return marked(plain, listed, marker, count)
        else:
            for content in (joined, *LISTS[1:]):
                rendered = self._render(filled(messages, content, edges), strict=False)
                if rendered and _whole(rendered, messages):
                    return rendered
        content = joined_with(self.family.in_text if self.family else "")
        return self._render(filled(messages, content, edges), strict=True)

    def _marker(self, content: Content) -> str | None:
        """What the template writes for an image, learned from a conversation of one; None if it writes nothing.

        TemplateError if that is not known.
        """
        one = [Message("user", (ImagePart(None), "text"))]
        plain = self._render(filled(_without_images(one), content), strict=True)
        return learned(plain, self._render(filled(one, content), strict=True), self.family)

    def _render(self, messages: list[dict[str, Any]], *, strict: bool) -> str:
        import jinja2

        try:
            return compiled(self.source).render(
                messages=messages, add_generation_prompt=True, tools=None, documents=None, **self._special_tokens
            )
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"The model's chat template is not valid Jinja2: line {error.lineno}: {error.message}. {OTHER}"
            ) from error
        except Exception as error:  # a template may fail in any way that Python can
            if not strict and not isinstance(error, jinja2.exceptions.SecurityError):
                return ""
            raise TemplateError(
                f"The model's chat template cannot be rendered: {type(error).__name__}: {_bounded(str(error))}. {OTHER}"
            ) from error

    @property
    def _special_tokens(self) -> dict[str, str]:
        """Those that there are; transformers leaves out the others, and templates ask whether they are defined."""
        return {name: text for name in ("bos_token", "eos_token") if (text := getattr(self, name))}


def _merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Without empty ones, and what a template writes in a row as one, so that it is read as one."""
    written = ""
    for piece in pieces:
        if piece.kind == "template":
            written += piece.text
        elif piece.text or piece.kind in ("image", "document"):
            if written:
                yield Piece("template", written)
                written = ""
            yield piece
    if written:
        yield Piece("template", written)


def _bounded(words: str) -> str:
    """What a template says, which may be long."""
    return words if len(words) <= 300 else words[:297] + "..."


def _text_names(messages: Sequence[Message]) -> list[str]:
    """What each text of a conversation is called in a message to a person."""
    names = []
    for index, message in enumerate(messages):
        last = index == len(messages) - 1
        name = {"system": "system text", "user": "prompt" if last else "user's text"}.get(message.role, "answer")
        names += ["document" if isinstance(part, DocumentPart) else name
                  for part in message.parts if not isinstance(part, ImagePart)]  # fmt: skip
    return names


def _whole(rendered: str, messages: Sequence[Message]) -> bool:
    """Whether every text of a conversation is in what was rendered of it."""
    return all(text_sentinel(k) in rendered for k in range(len(_text_names(messages))))


def _without_images(messages: Sequence[Message]) -> list[Message]:
    return [
        Message(each.role, tuple(part for part in each.parts if not isinstance(part, ImagePart))) for each in messages
    ]
