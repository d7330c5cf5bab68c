"""What the KV cache of a model takes: by token, and by sequence where layers are recurrent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .. import _engine

SEQUENCES = 32
"""Prompts that stay in the cache at most, whatever the budget."""

_LEAST_SEQUENCES = 8
"""As many stay in it at least; what is asked at once must have a place."""

_STATES = 4
"""The part of the budget, one of so many, that states of sequences may take before there are fewer of them."""

_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
KV_TYPES = tuple(_BYTES)


def bytes_per_token(model: _engine.Model, kv_type: str) -> float:
    """Bytes that one token takes of the cache, as if every layer with attention kept all tokens."""

    def length(name: str) -> int:
        text = model.metadata.get(f"{model.architecture}.{name}", "")
        return int(text) if text.isdecimal() else 0

    head = length("embedding_length") // max(1, model.heads)
    key, value = length("attention.key_length") or head, length("attention.value_length") or head
    return max(1.0, len(model.attention_layers) * model.heads_kv * (key + value) * _BYTES[kv_type])


def sequences(model: _engine.Model, budget: int) -> int:
    """Prompts that stay in the cache at most: fewer where a recurrent model keeps a large state for each."""
    if not model.state_bytes:
        return SEQUENCES
    return max(_LEAST_SEQUENCES, min(SEQUENCES, budget // _STATES // model.state_bytes))
