"""Attention of the reference: eager, with a bias per head and key or attention moved, and a record of the probabilities.

Written for the tests from the paper's description; it shares no code with the patches or the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface


class Moved(NamedTuple):
    """Attention goes to the target: so much that it has a share of all, or, without one, all that the image had."""

    target: Tensor  # (keys,), 0 to 1
    image: Tensor  # (keys,), bool
    first_row: int
    share: float | None = None

    def of(self, p: Tensor) -> Tensor:
        """p (rows, keys): the paper-and-pencil form, row by row."""
        keys = p.shape[-1]
        out = p.clone()
        for row in range(self.first_row, len(p)):
            on_target = p[row] * self.target[:keys]
            s = on_target.sum()
            if s == 0:
                continue
            if self.share is None:
                on_image = p[row] * self.image[:keys]
                out[row] = p[row] - on_image + on_image.sum() * on_target / s
            elif s < self.share:
                g = (self.share - s) / (1 - s)
                out[row] = (1 - g) * p[row] + g * on_target / s
        return out


BIAS: dict[tuple[int, int], Tensor] = {}  # (layer, head) -> (rows or 1, keys), nats, zero where nothing acts
MOVED: dict[tuple[int, int], Moved] = {}
ROUNDED: list[torch.dtype] = []  # the type in which scores and bias are added, if not float32
SEEN: dict[int, Tensor] = {}  # layer -> (heads, rows, keys) of the last pass
NATURAL: dict[int, Tensor] = {}  # the same, as if nothing acted in this layer


def attention(module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_: object) -> tuple[Tensor, Tensor]:
    """query (1, heads, rows, dim); key, value (1, kv heads, keys, dim)."""
    group = query.shape[1] // key.shape[1]
    scores = query @ key.repeat_interleave(group, 1).transpose(2, 3) * scaling
    rows, keys = scores.shape[-2:]
    future = torch.ones(rows, keys, dtype=torch.bool).triu(keys - rows + 1)
    if module.is_causal:  # a language-model layer, not one of the vision encoder
        NATURAL[module.layer_idx] = scores[0].masked_fill(future, -torch.inf).softmax(-1).detach()
    for head in range(scores.shape[1]):
        bias = BIAS.get((module.layer_idx, head))
        if bias is None:
            continue
        bias = bias[..., :keys]
        bias = bias[-rows:] if len(bias) > 1 else bias.expand(rows, -1)
        acts = bias.abs().amax(-1, keepdim=True) > 0
        both = scores[0, head] + bias
        if ROUNDED:
            both = (scores[0, head].to(ROUNDED[0]) + bias.to(ROUNDED[0])).to(scores.dtype)
        scores[0, head] = torch.where(acts, both, scores[0, head])
    p = scores.masked_fill(future, -torch.inf).softmax(-1)
    for head in range(scores.shape[1]):
        if module.is_causal and (module.layer_idx, head) in MOVED:
            p[0, head] = MOVED[module.layer_idx, head].of(p[0, head])
    if module.is_causal:
        SEEN[module.layer_idx] = p[0].detach()
    return (p @ value.repeat_interleave(group, 1)).transpose(1, 2).contiguous(), p


AttentionInterface.register("lookhere_reference", attention)


@contextmanager
def steered(bias: dict[tuple[int, int], Tensor], rounded: torch.dtype | None = None) -> Iterator[None]:
    BIAS.update(bias)
    ROUNDED.extend([rounded] if rounded else [])
    try:
        yield
    finally:
        BIAS.clear()
        ROUNDED.clear()


@contextmanager
def shared(heads: list[tuple[int, int]], moved: Moved) -> Iterator[None]:
    MOVED.update(dict.fromkeys(heads, moved))
    try:
        yield
    finally:
        MOVED.clear()
