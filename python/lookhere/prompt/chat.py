"""The chat template of a GGUF, and what of a rendered prompt is template, what somebody's text, and what an image.

Rendered as transformers does it (``environment``). Texts and images never pass through the template: sentinels stand in
for them, so that nothing that anybody writes is read as a special token or an image marker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .. import checks
from ..errors import TemplateError
from ..families import image_markers
from .environment import compiled
from .message import ImagePart, Message

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""For a GGUF without a template."""

_TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]")
"""What looks like a special token. Where one stands beside a known marker, the two together are something else."""
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
                    f"The model's chat template writes the {what} {rendered.count(sentinel)} times; expected once. "
                    f"{_OTHER}"
                )
        texts = self._trimmed(texts, messages, rendered)
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

    def _trimmed(self, texts: list[str], messages: Sequence[Message], rendered: str) -> list[str]:
        """The texts without the white space at their ends that the template takes away, as many do.

        rendered: the conversation with bare sentinels. The white space itself goes through the template a second time,
        around the sentinels: what is left of it there belongs to the text.
        """
        edges = [_edges(text) for text in texts]
        kept = list(texts)
        for turn in (0, 1):  # every other text, so that two never share the white space between them
            chosen = [each if k % 2 == turn else ("", "") for k, each in enumerate(edges)]
            if not any(before or after for before, after in chosen):
                continue
            spaced = self._rendered(messages, chosen)
            for k in range(turn, len(texts), 2):
                if spaced.count(_text(k)) == 1:
                    (bare_before, bare_after), (before, after) = (_around(x, _text(k)) for x in (rendered, spaced))
                    kept[k] = before[len(bare_before) :] + texts[k].strip() + after[: len(after) - len(bare_after)]
        return kept

    def _rendered(self, messages: Sequence[Message], edges: Sequence[tuple[str, str]] = ()) -> str:
        """The rendered conversation with sentinels for its images and texts. edges: white space around each text's.

        Templates differ in what they take as content: a list of parts from users, or from everybody, or texts alone.
        The first form of which nothing is lost is taken.
        """
        count = sum(len(message.images) for message in messages)
        if count:
            for content in (_users_listed, _all_listed):
                listed = self._render(_filled(messages, content, edges), strict=False)
                plain = self._render(_filled(_without_images(messages), content, edges), strict=False)
                if listed and plain and "'type'" not in listed and '"type"' not in listed and _whole(listed, messages):
                    marker = self._marker(content)
                    if marker is not None:
                        return _marked(listed, plain, marker, count)
        else:
            for content in (_joined, _all_listed):
                rendered = self._render(_filled(messages, content, edges), strict=False)
                if rendered and _whole(rendered, messages):
                    return rendered
        return self._render(_filled(messages, _joined, edges), strict=True)

    def _marker(self, content: Content) -> str | None:
        """What the template writes for an image, learned from a conversation of one; None if it writes nothing.

        TemplateError if that is not known.
        """
        one = [Message("user", (ImagePart(None), "text"))]
        plain = self._render(_filled(_without_images(one), content), strict=True)
        listed = self._render(_filled(one, content), strict=True)
        written = _inserted(plain, listed)
        for marker in image_markers():
            beside = [each.replace(marker, "", 1) for each in written if marker in each]
            if beside and not any(map(_TOKEN.search, beside)):
                return marker
        if written[0].strip():
            shown = next((each for each in written if each.startswith(("<", "["))), written[0])
            raise TemplateError(
                f"The model's chat template writes {checks.short(shown)} for an image, which is not known here; known "
                f"are {', '.join(image_markers())}. {_OTHER}"
            )
        return None

    def _render(self, messages: list[dict[str, Any]], *, strict: bool) -> str:
        import jinja2

        try:
            return compiled(self.source).render(
                messages=messages, add_generation_prompt=True, tools=None, documents=None, **self._special_tokens
            )
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(
                f"The model's chat template is not valid Jinja2: line {error.lineno}: {error.message}. {_OTHER}"
            ) from error
        except Exception as error:  # a template may fail in any way that Python can
            if not strict and not isinstance(error, jinja2.exceptions.SecurityError):
                return ""
            raise TemplateError(
                f"The model's chat template cannot be rendered: {type(error).__name__}: {_bounded(str(error))}. "
                f"{_OTHER}"
            ) from error

    @property
    def _special_tokens(self) -> dict[str, str]:
        """Those that there are; transformers leaves out the others, and templates ask whether they are defined."""
        return {name: text for name in ("bos_token", "eos_token") if (text := getattr(self, name))}


def _bounded(words: str) -> str:
    """What a template says, which may be long."""
    return words if len(words) <= 300 else words[:297] + "..."


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


def _edges(text: str) -> tuple[str, str]:
    """The white space that a text begins and ends with; all of it before, where there is nothing else."""
    start = len(text) - len(text.lstrip())
    return text[:start], text[max(start, len(text.rstrip())) :]


def _around(rendered: str, sentinel: str) -> tuple[str, str]:
    """The white space directly before and after a sentinel."""
    before, _, after = rendered.partition(sentinel)
    return _edges(before)[1] if before.strip() else before, _edges(after)[0]


def _filled(
    messages: Sequence[Message], content: Content, edges: Sequence[tuple[str, str]] = ()
) -> list[dict[str, Any]]:
    """The conversation as a template takes it, with sentinels for texts and images. edges: white space around each
    text's."""
    texts = images = 0
    filled = []
    for message in messages:
        sentinels = []
        for part in message.parts:
            if isinstance(part, str):
                before, after = edges[texts] if edges else ("", "")
                sentinels.append(before + _text(texts) + after)
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
    extra = listed.count(marker) - plain.count(marker)
    if extra != count or (count > 1 and marker in plain):
        raise TemplateError(
            f"The model's chat template writes {marker!r} {extra} times for {count} "
            f"image{'s' if count > 1 else ''}; expected once for each. {_OTHER}"
        )
    if marker not in plain:
        for k in range(count):
            listed = listed.replace(marker, _image(k), 1)
        return listed
    found = next((each for each in _insertions(plain, listed) if marker in listed[each[0] : each[1]]), None)
    if found is None:
        raise TemplateError(
            f"The model's chat template writes {marker!r} for an image and elsewhere, too; which is which is unknown. "
            f"{_OTHER}"
        )
    start = listed.index(marker, found[0])
    return listed[:start] + _image(0) + listed[start + len(marker) :]


def _inserted(plain: str, listed: str) -> list[str]:
    """What listed holds and plain does not; of several readings, all."""
    return [listed[start:end] for start, end in _insertions(plain, listed)]


def _insertions(plain: str, listed: str) -> list[tuple[int, int]]:
    """Where listed holds what plain does not: start and end in listed.

    Where the same characters stand at the beginning of what is inserted and after it, as in ``[IMG][/INST]``, there are
    several such places, one character apart.
    """
    most = min(len(plain), len(listed))
    start = next((k for k in range(most) if plain[k] != listed[k]), most)
    tail = next((k for k in range(most - start) if plain[-1 - k] != listed[-1 - k]), most - start)
    places = [(start, len(listed) - tail)]
    while places[0][0] > 0 and len(listed) - len(plain) == places[0][1] - places[0][0] > 0:
        first, end = places[0]
        if listed[first - 1] != listed[end - 1]:
            break
        places.insert(0, (first - 1, end - 1))
    return places
