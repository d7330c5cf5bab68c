"""Gradient: slopes of all heads out of one backward pass, through a forward pass in torch of the file's own weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..prompt.stretches import TextLayout
from .forced import Forced, Reader, forcing, of_text
from .torch_model import INSTEAD, Cached, TorchModel

if TYPE_CHECKING:
    from ..prompt.layout import Layout

TOLERANCE = 0.3
"""Nats a token that torch and the engine may differ by, mean over a caption. The engine rounds what passes through
quantized weights: 0.05 with Q4_1, 0.015 with Q8_0."""

COMPARED = ("A fox jumps over the fence.", "Two dogs sleep in the garden.")
"""A text on which they are compared: a model that knows its pictures by heart tells little of how it is computed."""


class Gradient:
    """Loads the model's weights into torch when the first item is given. captions: how many there are of all items."""

    def __init__(self, model: Reader, captions: int) -> None:
        self._model = model
        self._torch_model: TorchModel | None = None
        self._captions = captions

    @property
    def told(self) -> str:
        """What it costs, for people."""
        return f"a backward pass of each of {self._captions:,} captions in torch"

    def slopes(self, forced: Forced, number: int) -> NDArray[np.float64]:
        """(places, layers, heads) of an item. OptionError where torch and the engine do not agree on captions."""
        if self._torch_model is None:
            self._torch_model = TorchModel(self._model.path)
            self._compare(self._torch_model, of_text(self._model, COMPARED, "What is happening?"))
            self._compare(self._torch_model, forced)
        return caption_slopes(self._torch_model, forced)[0]

    def _compare(self, model: TorchModel, forced: Forced) -> None:
        ours = caption_slopes(model, forced)[1]
        with forcing(self._model, forced) as nats:
            engine = [nats(place, None) for place in range(len(ours))]
        apart = float(np.abs(np.concatenate(ours) - np.concatenate(engine)).mean())
        if not apart <= TOLERANCE:  # nan, too
            raise OptionError(
                f"rank='gradient': torch and the engine are {apart:.2f} nats a token apart about captions (expected "
                f"{TOLERANCE} at most), so that this {self._model.facts.architecture} model is not computed as its "
                f"architecture usually is. {INSTEAD}"
            )


def caption_slopes(model: TorchModel, forced: Forced) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """-> (places, layers, heads), and by place the log-probability of each token of its caption."""
    torch = model.torch
    x, positions, cells, deep = _prompt(model, forced.layout)
    past: list[Cached] = []
    with torch.no_grad():
        model.forward(x[None], positions, deep=deep, keep=past)
    places = len(forced.answers)
    fed = [forced.fed(place) for place in range(places)]
    length = max(map(len, fed))
    ids = [tokens + [forced.last] * (length - len(tokens)) for tokens in fed]  # what follows a caption changes nothing
    signs = np.zeros((places, len(cells) + length), np.float32)
    for place in range(places):
        signs[place, : len(cells)] = np.where(cells >= 0, forced.signs(place)[cells], 0)
    slopes = torch.zeros(model.layers, places, model.heads, requires_grad=True)
    bias = slopes[..., None, None] * torch.from_numpy(signs)[:, None, None]
    start = forced.layout.prompt_end
    at = np.tile(np.arange(start, start + length), (4, 1))
    at[3] = 0
    with torch.enable_grad():
        hidden = model.forward(
            model.embed([token for each in ids for token in each]).view(places, length, -1), at, past, bias
        )
        nats = model.logits(hidden).log_softmax(-1)
        said = [nats[place, range(len(each)), list(each)] for place, each in enumerate(forced.answers)]
        sum(each.sum() for each in said).backward()
    grad: Any = slopes.grad
    return grad.transpose(0, 1).double().numpy(), [each.detach().double().numpy() for each in said]


def _prompt(model: TorchModel, layout: Layout) -> tuple[Any, NDArray[np.int64], NDArray[np.int64], Any]:
    """A prompt's rows (tokens, width), their positions (4, tokens), the cell of all token grids that each shows, -1 for
    none, and what DeepStack adds after the first layers (layers, tokens, width), None where nothing."""
    torch = model.torch
    rows: list[Any] = []
    at: list[NDArray[np.int64]] = []
    cells: list[NDArray[np.int64]] = []
    seen = 0
    for index, (item, start) in enumerate(zip(layout.items, layout.starts, strict=False)):
        if isinstance(item, int):
            rows.append(model.embed([item]))
            at.append(_along(start, 1))
            in_run = isinstance(layout, TextLayout) and index in layout.run
            cells.append(np.array([index - layout.run.start if in_run else -1]))  # type: ignore[attr-defined]
            continue
        image, used = torch.from_numpy(item.embeddings()), 0
        for part in item.parts:
            grid = part.grid
            if grid is None:
                rows.append(model.embed(part.text))
                cells.append(np.full(part.tokens, -1))
                at.append(_along(start, part.tokens))
            else:
                _check_causal(part.causal)
                shown = np.arange(part.tokens) if part.cells is None else part.cells.astype(np.int64)
                rows.append(image[used : used + part.tokens])
                cells.append(np.where(shown < 0, -1, shown + seen))
                at.append(_across(start, shown, grid.cols) if model.mrope else _along(start, part.tokens))
                used, seen = used + part.tokens, seen + grid.rows * grid.cols
            start += part.positions  # noqa: PLW2901
    wide = max(each.shape[1] for each in rows)
    full = torch.cat([torch.nn.functional.pad(each, (0, wide - each.shape[1])) for each in rows])
    x, *deep = full.split(model.width, dim=1)
    return x, np.concatenate(at, axis=1), np.concatenate(cells), torch.stack(deep) if deep else None


def _along(start: int, count: int) -> NDArray[np.int64]:
    """Positions of text, and of image tokens where these have one each: the fourth is not used."""
    line = np.arange(start, start + count)
    return np.stack([line, line, line, np.zeros_like(line)])


def _across(start: int, shown: Sequence[int] | NDArray[np.int64], cols: int) -> NDArray[np.int64]:
    """Positions of image tokens of a M-RoPE model: one time for all, and rows and columns."""
    row, col = np.divmod(np.asarray(shown), cols)
    return np.stack([np.full_like(row, start), start + row, start + col, np.zeros_like(row)])


def _check_causal(causal: bool) -> None:
    if not causal:
        raise OptionError(
            "rank='gradient' of a model whose image tokens attend to one another in both directions, which its forward "
            f"pass in torch does not know. {INSTEAD}"
        )
