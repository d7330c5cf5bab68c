"""A prompt as tokens: text, one encoded image, text; and the positions of its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import TemplateError
from .chat import ChatTemplate

if TYPE_CHECKING:
    from .. import _engine


@dataclass(frozen=True, eq=False)
class Layout:
    """prefix, suffix: text tokens before and after the image. Positions are counted as the engine counts them."""

    prefix: tuple[int, ...]
    image: _engine.EncodedImage
    suffix: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt, which is what it takes of the context."""
        return len(self.prefix) + self.image.tokens + len(self.suffix)

    @property
    def image_end(self) -> int:
        """Position after the image and the text that belongs to it."""
        return len(self.prefix) + self.image.positions

    @property
    def prompt_end(self) -> int:
        """Position of the first generated token."""
        return self.image_end + len(self.suffix)

    @cached_property
    def grid_positions(self) -> tuple[int, ...]:
        """Position of each token grid."""
        at, positions = len(self.prefix), []
        for part in self.image.parts:
            if part.grid is not None:
                positions.append(at)
            at += part.positions
        return tuple(positions)


def lay_out(
    model: _engine.Model, template: ChatTemplate, image: _engine.EncodedImage, prompt: str, system: str | None
) -> Layout:
    """The tokens of a prompt. Template text is read for special tokens, user text never. TemplateError, PromptError."""
    pieces = template.pieces(prompt, system=system)
    cut = next(index for index, piece in enumerate(pieces) if piece.kind == "image")

    def tokens(run: Iterable[int]) -> list[int]:
        return [
            token
            for index in run
            for token in model.tokenize(pieces[index].text, parse_special=pieces[index].kind == "template")
        ]

    prefix, suffix = tokens(range(cut)), tokens(range(cut + 1, len(pieces)))
    if model.add_bos and model.bos_token >= 0 and prefix[:1] != [model.bos_token]:
        prefix.insert(0, model.bos_token)
    if not suffix:
        raise TemplateError(
            "The model's chat template writes nothing after the image, so that no token can start the answer. "
            "Give another template with load(chat_template=...)."
        )
    return Layout(tuple(prefix), image, tuple(suffix))
