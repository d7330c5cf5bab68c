"""A prompt as tokens: texts and encoded images in their order, and the positions of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, groupby
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..errors import TemplateError
from .chat import ChatTemplate, Piece
from .message import Message
from .tokenized import TokenizedText

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .. import _engine
    from ..tokens.tiled import Encoded

    Item: TypeAlias = int | Encoded
    """A text token, or a whole image."""


class PlacedGrid(NamedTuple):
    """A token grid in a sequence. position: of its first token. cells: (tokens,) int32 which cell each token shows, -1
    for none; None where token i shows cell i."""

    position: int
    rows: int
    cols: int
    cells: NDArray[np.int32] | None


@dataclass(frozen=True, eq=False)
class Layout:
    """items: text tokens, and encoded images with the text around them. documents: the runs of tokens that can be
    looked at, as indices of items. Positions are counted as the engine does."""

    items: tuple[Item, ...]
    documents: tuple[range, ...] = ()

    @cached_property
    def images(self) -> tuple[Encoded, ...]:
        """In their order."""
        return tuple(item for item in self.items if not isinstance(item, int))

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Position of each item, and of the first generated token."""
        return tuple(accumulate((1 if isinstance(item, int) else item.positions for item in self.items), initial=0))

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Tokens before each item, and all of them."""
        return tuple(accumulate((1 if isinstance(item, int) else item.tokens for item in self.items), initial=0))

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt, which is what it takes of the context."""
        return self.ends[-1]

    @cached_property
    def image_end(self) -> int:
        """Position after the last image, with the text that belongs to it, or document; 0 without both."""
        return self.starts[max(self.shown_ends, default=0)]

    @cached_property
    def shown_ends(self) -> tuple[int, ...]:
        """Items up to the end of each image and of each document."""
        images = (index + 1 for index, item in enumerate(self.items) if not isinstance(item, int))
        return (*images, *(run.stop for run in self.documents))

    @property
    def prompt_end(self) -> int:
        """Position of the first generated token."""
        return self.starts[-1]

    @cached_property
    def grids(self) -> tuple[PlacedGrid, ...]:
        """The token grids of all images and documents, and where they lie in the sequence."""
        found = []
        documents = {run.start: len(run) for run in self.documents}
        for index, (item, start) in enumerate(zip(self.items, self.starts, strict=False)):
            if count := documents.get(index):
                found.append(PlacedGrid(start, 1, count, np.arange(count, dtype=np.int32)))
            if not isinstance(item, int):
                at = start
                for part in item.parts:
                    if part.grid is not None:
                        found.append(PlacedGrid(at, part.grid.rows, part.grid.cols, part.cells))
                    at += part.positions
        return tuple(found)


def lay_out(
    model: _engine.Model,
    template: ChatTemplate,
    messages: Sequence[Message],
    shown: Sequence[Encoded | TokenizedText],
) -> Layout:
    """The tokens of a conversation. shown: one for each ``ImagePart`` and ``DocumentPart``, in their order.

    The template's text is read for special tokens, what anybody wrote never. TemplateError.
    """
    items: list[Item] = []
    documents: list[range] = []
    left = iter(shown)
    for is_shown, run in groupby(template.pieces(messages), lambda piece: piece.kind in ("image", "document")):
        if not is_shown:
            items += _tokens(model, list(run))
            continue
        for _ in run:
            each = next(left)
            if isinstance(each, TokenizedText):
                documents.append(range(len(items), len(items) + each.tokens))
                items += each.ids
            else:
                items.append(each)
    if model.add_bos and model.bos_token >= 0 and items[:1] != [model.bos_token]:
        items.insert(0, model.bos_token)
        documents = [range(run.start + 1, run.stop + 1) for run in documents]
    if not items or not isinstance(items[-1], int):
        after = "after the image" if shown else "at all"
        raise TemplateError(
            f"The model's chat template writes nothing {after}, so that no token can start the answer. "
            "Give another template with load(chat_template=...)."
        )
    return Layout(tuple(items), tuple(documents))


def _tokens(model: _engine.Model, run: Sequence[Piece]) -> list[int]:
    """Of texts in a row, read as one as transformers does it; piece by piece where somebody's text would be read as a
    special token then, alone or together with what stands beside it."""
    apart = [model.tokenize(piece.text, parse_special=piece.kind == "template") for piece in run]
    if len(run) == 1:
        return apart[0]
    whole = model.tokenize("".join(piece.text for piece in run), parse_special=True)
    known = {token for token in {*whole, *chain(*apart)} if not model.piece(token) and model.special_piece(token)}
    written = [token for piece, tokens in zip(run, apart, strict=True) if piece.kind == "template" for token in tokens]
    if [token for token in whole if token in known] == [token for token in written if token in known]:
        return whole
    return list(chain(*apart))
