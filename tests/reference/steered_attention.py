"""Attention of the reference: eager, with a bias per head and key, and a record of the probabilities.

Written for the tests from the paper's description; it shares no code with the patches or the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import AttentionInterface

BIAS: dict[tuple[int, int], Tensor] = {}  # (layer, head) -> (rows or 1, keys), nats, zero where nothing acts
ROUNDED: list[torch.dtype] = []  # the type in which scores and bias are added, if not float32
SEEN: dict[int, Tensor] = {}  # layer -> (heads, rows, keys) of the last pass


def attention(module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float, **_: object) -> tuple[Tensor, Tensor]:
    """query (1, heads, rows, dim); key, value (1, kv heads, keys, dim)."""
    group = query.shape[1] // key.shape[1]
    scores = query @ key.repeat_interleave(group, 1).transpose(2, 3) * scaling
    rows, keys = scores.shape[-2:]
    future = torch.ones(rows, keys, dtype=torch.bool).triu(keys - rows + 1)
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
    if hasattr(module, "q_norm"):  # a language-model layer, not one of the vision encoder
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
