"""Random weights: every matrix keeps the size of what passes through it, and vision towers mix little by attention."""

from __future__ import annotations

import re

import torch
from torch import nn

MIXING = 0.005
"""Gain of what attention adds in a vision tower. With 1 a changed patch would move all tokens about as far."""

PLACES = 0.2
"""Size of learned positions of patches."""

_TOWER = re.compile(r"vision|visual|\bvit")
_ATTENTION_OUT = re.compile(r"(attn|attention)\.(proj|o_proj|out_proj|projection_layer)(\.linear)?\.weight$")
_PLACE = re.compile(r"(position|pos_e)[^.]*(\.weight)?$")


def draw(model: nn.Module, seed: int) -> None:
    """Fills a model in place. Vectors (norms, biases, gates) stay as transformers begins them, biases are 0."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in model.named_parameters():
            if values.ndim < 2:
                if name.endswith(".bias"):
                    values.zero_()
                continue
            convolution = isinstance(model.get_submodule(name.rpartition(".")[0]), (nn.Conv1d, nn.Conv2d, nn.Conv3d))
            inputs = values[0].numel() if convolution else values.shape[-1]
            values.normal_(0, gain(name, inputs) * inputs**-0.5, generator=random)


def gain(name: str, inputs: int) -> float:
    """What the size of a tensor is changed by."""
    if _TOWER.search(name) and _ATTENTION_OUT.search(name):
        return MIXING
    return PLACES * inputs**0.5 if _PLACE.search(name) else 1.0
