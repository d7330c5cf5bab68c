"""Stretches of a prompt's text, and the tokens that hold them: what attention to text is read by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .. import checks
from ..errors import PromptError
from .layout import Layout, PlacedGrid

if TYPE_CHECKING:
    from .. import _engine


@dataclass(frozen=True, eq=False)
class TextLayout(Layout):
    """A prompt of text in which a run of tokens is read like a token grid of one row. run: indices of its items."""

    run: range = range(0)

    @cached_property
    def grids(self) -> tuple[PlacedGrid, ...]:
        """The run alone."""
        count = len(self.run)
        return (PlacedGrid(self.starts[self.run.start], 1, count, np.arange(count, dtype=np.int32)),)


def read_stretches(
    model: _engine.Model, layout: Layout, texts: Sequence[str]
) -> tuple[TextLayout, NDArray[np.float64]]:
    """A prompt whose stretches can be read, and what each token of its run holds of each of them: (stretches, tokens of
    the run) shares of the token's bytes, 0 to 1.

    texts: stretches of the prompt, in their order. The run goes from the first token of the first to the last token of
    the last. PromptError where the prompt's tokens do not spell one of them.
    """
    pieces = [model.piece(item) if isinstance(item, int) else b"\0" for item in layout.items]
    ends = np.array(list(accumulate(map(len, pieces))), np.int64)
    begins, whole, at = ends - [len(piece) for piece in pieces], b"".join(pieces), 0
    shares = np.zeros((len(texts), len(pieces)))
    for index, text in enumerate(texts):
        sought = text.encode()
        at = whole.find(sought, at)
        if at < 0 or not sought:
            raise PromptError(
                f"The tokens of the prompt do not spell {checks.short(text)}; expected a tokenizer that keeps texts as "
                "they are, and stretches of the prompt in their order."
            )
        held = np.clip(np.minimum(ends, at + len(sought)) - np.maximum(begins, at), 0, None)
        shares[index] = held / np.maximum(ends - begins, 1)
        at += len(sought)
    held_at_all = np.flatnonzero(shares.any(axis=0))
    run = range(int(held_at_all[0]), int(held_at_all[-1]) + 1)
    return TextLayout(layout.items, run=run), shares[:, run.start : run.stop]
