"""A language model in torch: weights out of a GGUF file, as float32, and a forward pass that gradients pass through.

Only what slopes are computed by; answers come from the engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError

AXES = {"llama": "one", "qwen2": "one", "qwen3": "one", "qwen2vl": "in turn", "qwen3vl": "interleaved"}
"""Architectures whose forward pass is here, and how their pairs of channels are turned: all by one position, or some by
time, some by row and some by column (M-RoPE)."""
NEIGHBOURS = ("llama",)
"""Architectures whose pairs are neighbours; elsewhere a pair is a channel of each half."""


NEEDED = {
    f"{name}.weight"
    for name in (
        "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
    )
}  # fmt: skip
KNOWN = {"attn_q_norm.weight", "attn_k_norm.weight", *(f"attn_{name}.bias" for name in ("q", "k", "v", "output"))}
"""Tensors of a layer: those that it must have, and may."""
INSTEAD = "Use 'difference' (--rank difference), which works with any model."


class Cached(NamedTuple):
    """keys, values: (n, key-value heads, tokens, channels)."""

    keys: Any
    values: Any


def libraries() -> tuple[Any, Any]:
    """torch and gguf; OptionError where one is missing."""
    try:
        return importlib.import_module("torch"), importlib.import_module("gguf")
    except ImportError as error:
        raise OptionError(
            f"rank='gradient' needs torch and gguf ({error}). Install them: pip install 'lookhere[torch]'. Or "
            "use 'difference' (--rank difference), which needs neither."
        ) from error


def check_architecture(architecture: str) -> None:
    """OptionError where there is no forward pass of it here."""
    if architecture not in AXES:
        raise OptionError(
            f"rank='gradient' of a model of the architecture {architecture!r}; expected {', '.join(AXES)}, whose "
            f"forward pass is known in torch. {INSTEAD}"
        )


class TorchModel:
    """layers, heads: as of the model's facts. mrope: whether image tokens have rows and columns for positions.

    OptionError where the libraries are missing, and where the file is none of a known kind.
    """

    def __init__(self, path: str) -> None:
        self.torch, gguf = libraries()
        reader = gguf.GGUFReader(path)
        facts = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("tokenizer.")}
        self.architecture = str(facts["general.architecture"])
        check_architecture(self.architecture)
        self._weights = {each.name: each for each in reader.tensors}
        self._dequantize = gguf.quants.dequantize

        def number(name: str, default: float = 0) -> float:
            return float(facts.get(f"{self.architecture}.{name}", default))

        unknown = [name for name in ("rope.scaling.type", "expert_count", "attention.scale", "logit_scale")
                   if facts.get(f"{self.architecture}.{name}") not in (None, 0, "none")]  # fmt: skip
        if unknown or int(facts.get("split.count", 1)) > 1:
            what = ", ".join(unknown) or "several files"
            raise OptionError(
                f"rank='gradient' of a model with {what}, which its forward pass in torch does not know. {INSTEAD}"
            )
        self.layers, self.heads = int(number("block_count")), int(number("attention.head_count"))
        self.width, self._eps = int(number("embedding_length")), number("attention.layer_norm_rms_epsilon")
        self._kv = int(number("attention.head_count_kv", self.heads))
        self._dim = int(number("attention.key_length", self.width // self.heads))
        self.mrope = AXES[self.architecture] != "one"
        self._axes = axes(AXES[self.architecture], facts.get(f"{self.architecture}.rope.dimension_sections", ()),
                          self._dim // 2)  # fmt: skip
        pairs = self.torch.arange(0, self._dim, 2) / self._dim
        self._frequencies = number("rope.freq_base", 10000.0) ** -pairs
        if "rope_freqs.weight" in self._weights:
            self._frequencies = self._frequencies / self._take("rope_freqs.weight")
        self._embed, self._norm = self._take("token_embd.weight"), self._take("output_norm.weight")
        self._out = self._take("output.weight") if "output.weight" in self._weights else self._embed
        self._blocks = [self._block(layer) for layer in range(self.layers)]
        self._weights.clear()

    def embed(self, tokens: Sequence[int]) -> Any:
        """(tokens, width)."""
        return self._embed[list(tokens)]

    def forward(
        self,
        x: Any,
        positions: NDArray[np.int64],
        past: Sequence[Cached] = (),
        bias: Any = None,
        deep: Any = None,
        keep: list[Cached] | None = None,
    ) -> Any:
        """Hidden states, normed, (n, length, width).

        x (n, length, width). positions (4, length): time, row, column, and none of these. past: of each layer what was
        read before, (n, ...). bias: (layers, n, heads, 1, keys) added to the scores. deep: (some layers, length, width)
        added to what comes out of the first layers. keep: takes the keys and values of each layer.
        """
        torch, f = self.torch, self.torch.nn.functional
        n, length, _ = x.shape
        angle = torch.from_numpy(positions[self._axes].T.astype(np.float32)) * self._frequencies
        cos, sin = angle.cos(), angle.sin()
        before = past[0].keys.shape[2] if past else 0
        hidden = torch.ones(length, before + length, dtype=torch.bool).triu(before + 1)
        for layer, block in enumerate(self._blocks):
            y = f.rms_norm(x, (self.width,), block["attn_norm.weight"], self._eps)
            q, k, v = (self._heads_of(block, name, y) for name in ("attn_q", "attn_k", "attn_v"))
            q, k = self._turned(q, cos, sin), self._turned(k, cos, sin)
            if keep is not None:
                keep.append(Cached(k, v))
            if past:
                k = torch.cat((past[layer].keys.expand(n, -1, -1, -1), k), 2)
                v = torch.cat((past[layer].values.expand(n, -1, -1, -1), v), 2)
            k, v = (each.repeat_interleave(self.heads // self._kv, 1) for each in (k, v))
            scores = (q * self._dim**-0.5) @ k.transpose(2, 3)
            scores = scores if bias is None else scores + bias[layer]
            o = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
            x = x + self._linear(block, "attn_output", o.transpose(1, 2).reshape(n, length, -1))
            y = f.rms_norm(x, (self.width,), block["ffn_norm.weight"], self._eps)
            y = f.silu(self._linear(block, "ffn_gate", y)) * self._linear(block, "ffn_up", y)
            x = x + self._linear(block, "ffn_down", y)
            if deep is not None and layer < len(deep):
                x = x + deep[layer]
        return f.rms_norm(x, (self.width,), self._norm, self._eps)

    def logits(self, hidden: Any) -> Any:
        """(..., vocabulary)."""
        return hidden @ self._out.T

    def _block(self, layer: int) -> Mapping[str, Any]:
        start = f"blk.{layer}."
        block = {name.removeprefix(start): self._take(name) for name in self._weights if name.startswith(start)}
        lacks, has = NEEDED - set(block), set(block) - NEEDED - KNOWN
        if lacks or has:
            raise OptionError(
                f"rank='gradient': layer {layer} of this {self.architecture} model {'lacks' if lacks else 'has'} "
                f"{', '.join(sorted(lacks or has))}, so that its forward pass is not the one known in torch. {INSTEAD}"
            )
        return block

    def _take(self, name: str) -> Any:
        tensor = self._weights[name]
        values = self._dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        return self.torch.from_numpy(values.reshape(tuple(reversed(tensor.shape.tolist()))))

    def _linear(self, block: Mapping[str, Any], name: str, x: Any) -> Any:
        return self.torch.nn.functional.linear(x, block[f"{name}.weight"], block.get(f"{name}.bias"))

    def _heads_of(self, block: Mapping[str, Any], name: str, y: Any) -> Any:
        """(n, heads, length, channels), normed where the model norms them."""
        x = self._linear(block, name, y).unflatten(-1, (-1, self._dim)).transpose(1, 2)
        norm = block.get(f"{name}_norm.weight")
        return x if norm is None else self.torch.nn.functional.rms_norm(x, (self._dim,), norm, self._eps)

    def _turned(self, x: Any, cos: Any, sin: Any) -> Any:
        """Rotary positions."""
        torch = self.torch
        if self.architecture in NEIGHBOURS:
            a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
            return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
        a, b = x.chunk(2, -1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def axes(kind: str, sections: Sequence[int], pairs: int) -> NDArray[np.int64]:
    """(pairs,) which of the four positions turns each pair of channels. sections: pairs of each, as in the file."""
    if kind == "one":
        return np.zeros(pairs, np.int64)
    time, row, column, other = (*map(int, sections), 0, 0, 0, 0)[:4]
    sector = np.arange(pairs) % (time + row + column + other)
    if kind == "interleaved":
        found = np.full(pairs, 3)
        for axis, count in enumerate((time, row, column)):
            found[(sector % 3 == axis) & (sector < 3 * count)] = axis
        return found
    return np.searchsorted(np.cumsum((time, row, column)), sector, side="right")
