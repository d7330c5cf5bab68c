"""The pretrained language model, frozen: its GGUF's weights in torch, and a forward pass that many answers share."""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import torch
import torch.nn.functional as F
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
import unquantized

SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"  # that its chat template begins with
BEFORE = f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n"
BEGIN, END = "<|vision_start|>", "<|vision_end|>"  # libmtmd puts them around the image; here they are plain text
AFTER = "<|im_end|>\n<|im_start|>assistant\n"


class Language:
    """A model of llama's architecture. Nothing in it learns; gradients pass through it."""

    def __init__(self, file: Path, dtype: torch.dtype = torch.bfloat16) -> None:
        """dtype: that it computes in; bfloat16 is several times faster where the processor has AMX or AVX-512 BF16."""
        reader = gguf.GGUFReader(file)
        facts, weights = unquantized.fields(reader), unquantized.tensors(reader)
        self.heads, self.kv = int(facts["llama.attention.head_count"]), int(facts["llama.attention.head_count_kv"])
        self.layers, self.width = int(facts["llama.block_count"]), int(facts["llama.embedding_length"])
        self.eps, self.dim = float(facts["llama.attention.layer_norm_rms_epsilon"]), self.width // self.heads
        self.dtype = dtype

        def take(name: str) -> torch.Tensor:
            return torch.from_numpy(weights[name]).to(dtype)

        self.embed, self.norm = take("token_embd.weight"), take("output_norm.weight")
        self.out = take("output.weight") if "output.weight" in weights else self.embed
        self.blocks = []
        for i in range(self.layers):
            qkv = torch.cat([take(f"blk.{i}.attn_{x}.weight") for x in "qkv"])
            gate_up = torch.cat([take(f"blk.{i}.ffn_{x}.weight") for x in ("gate", "up")])
            out, down = take(f"blk.{i}.attn_output.weight"), take(f"blk.{i}.ffn_down.weight")
            norms = take(f"blk.{i}.attn_norm.weight"), take(f"blk.{i}.ffn_norm.weight")
            self.blocks.append((norms[0], qkv, out, norms[1], gate_up, down))
        half = torch.arange(0, self.dim, 2) / self.dim
        self.frequencies = float(facts["llama.rope.freq_base"]) ** -half
        self.tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self._tokens: dict[str, list[int]] = {}
        self.before = [*self.tokens(BEFORE), *self.tokens(BEGIN)]
        self.prefix = self._prefix()

    def tokens(self, text: str) -> list[int]:
        if text not in self._tokens:
            self._tokens[text] = self.tokenizer(text, add_special_tokens=False).input_ids
        return self._tokens[text]

    @torch.no_grad()
    def _prefix(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Keys and values of what stands before every image, (1, kv, tokens, dim) per layer."""
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        length = len(self.before)
        self.prefix = [(torch.empty(1, self.kv, 0, self.dim, dtype=self.dtype),) * 2] * self.layers
        mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
        self.forward(self.embed[self.before][None], torch.arange(length)[None], mask, keep=kept)
        return kept

    def _turned(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        """Rotary positions on neighbouring pairs, as llama.cpp keeps them."""
        a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2).to(self.dtype)

    def forward(
        self,
        x: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        bias: dict[int, torch.Tensor] | None = None,
        keep: list[tuple[torch.Tensor, torch.Tensor]] | None = None,
    ) -> torch.Tensor:
        """x (n, l, width); positions (n, l); mask (n, 1, l, prefix + l), true where a query sees a key; bias[layer] (n
        or 1, heads, l, prefix + l) is added to the scores -> hidden states (n, l, width), normed."""
        n, length, _ = x.shape
        angle = positions[:, None, :, None] * self.frequencies
        cos, sin = angle.cos(), angle.sin()
        seen = torch.zeros(mask.shape, dtype=self.dtype).masked_fill_(~mask, float("-inf"))
        for i, (norm, qkv, out, ffn_norm, gate_up, down) in enumerate(self.blocks):
            y = F.linear(F.rms_norm(x, (self.width,), norm, self.eps), qkv)
            q, k, v = y.view(n, length, -1, self.dim).transpose(1, 2).split((self.heads, self.kv, self.kv), 1)
            q, k = self._turned(q, cos, sin), self._turned(k, cos, sin)
            if keep is not None:
                keep.append((k, v))
            before = (old.expand(n, -1, -1, -1) for old in self.prefix[i])
            k, v = (torch.cat(both, 2) for both in zip(before, (k, v), strict=True))
            k, v = (z.repeat_interleave(self.heads // self.kv, 1) for z in (k, v))
            scores = seen if bias is None or i not in bias else seen + bias[i].to(self.dtype)
            # on a CPU faster than the fused attention, whose backward pass takes most of the time with a mask
            o = ((q * self.dim**-0.5) @ k.transpose(2, 3) + scores).softmax(-1) @ v
            x = x + F.linear(o.transpose(1, 2).reshape(n, length, -1), out)
            gate, up = F.linear(F.rms_norm(x, (self.width,), ffn_norm, self.eps), gate_up).chunk(2, -1)
            x = x + F.linear(F.silu(gate) * up, down)
        return F.rms_norm(x, (self.width,), self.norm, self.eps)
