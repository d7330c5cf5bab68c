"""Steering and reading of attention in transformers, written apart from the engine: a reference to test it by.

An attention implementation `lookhere` for transformers: eager attention in float32, with a bias on chosen
heads' scores over image tokens, and the last query row's probabilities kept where asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask


@dataclass
class Hook:
    """What the next forward passes do.

    bias (batch, image tokens) or None; heads [(layer, head)]; first: the first query row, counted from the
    start of the sequence, that is steered; start: index of the first image token; keep: whether to store
    probabilities of the last row in kept[layer] (batch, heads, image tokens).
    """

    bias: torch.Tensor | None = None
    heads: list[tuple[int, int]] = field(default_factory=list)
    first: int = 0
    start: int = 0
    count: int = 0
    keep: bool = False
    kept: dict[int, torch.Tensor] = field(default_factory=dict)


HOOK = Hook()


def attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """(batch, heads, queries, dim) -> (batch, queries, heads, dim), probabilities."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = query @ key.transpose(2, 3) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    layer = getattr(module, "layer_idx", None)
    if layer is not None and HOOK.bias is not None:
        chosen = [h for at, h in HOOK.heads if at == layer]
        total, rows = key.shape[2], query.shape[2]
        row = torch.arange(total - rows, total) >= HOOK.first
        if chosen and bool(row.any()):
            extra = torch.zeros(scores.shape[0], rows, total)
            extra[:, :, HOOK.start:HOOK.start + HOOK.count] = HOOK.bias[:, None] * row[None, :, None]
            scores[:, chosen] = scores[:, chosen] + extra[:, None]
    probabilities = scores.softmax(-1)
    if layer is not None and HOOK.keep:
        HOOK.kept[layer] = probabilities[:, :, -1, HOOK.start:HOOK.start + HOOK.count].clone()
    return (probabilities @ value).transpose(1, 2).contiguous(), probabilities


AttentionInterface.register("lookhere", attention)
ALL_MASK_ATTENTION_FUNCTIONS.register("lookhere", eager_mask)
