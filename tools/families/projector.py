"""Projector: an mmproj file written with gguf, where the converter makes none of its kind."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from .sizes import FEED_FORWARD, HEADS, TOWER_LAYERS, WIDTH
from .weights import MIXING, PLACES


class Projector:
    """Matrices in F16, the rest in F32, as the converter has them. pixels: mean and deviation of the preprocessor."""

    def __init__(
        self, path: Path, kind: str, side: int, patch: int, pixels: dict[str, list[float]], *, width: int = WIDTH,
        layers: int = TOWER_LAYERS, seed: int = 0,
    ) -> None:  # fmt: skip
        """width: of the language model. layers: of the tower, 0 where it has stages instead."""
        self.random = np.random.default_rng(seed)
        self.width, self.patch = width, patch
        self.out = out = gguf.GGUFWriter(path, "clip")
        out.add_type("mmproj")
        out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
        out.add_clip_has_vision_encoder(True)
        out.add_clip_projector_type(kind)
        out.add_vision_projection_dim(width)
        out.add_vision_image_size(side)
        out.add_vision_patch_size(patch)
        out.add_vision_embedding_length(WIDTH)
        out.add_vision_feed_forward_length(FEED_FORWARD)
        out.add_vision_head_count(HEADS)
        out.add_vision_block_count(layers)
        out.add_vision_attention_layernorm_eps(1e-6)
        out.add_vision_image_mean(pixels["image_mean"])
        out.add_vision_image_std(pixels["image_std"])

    def matrix(self, name: str, *shape: int, gain: float = 1.0) -> None:
        """Random, and keeps the size of what passes through it, times gain."""
        values = self.random.standard_normal(shape) * gain / np.sqrt(np.prod(shape[1:]))
        self.out.add_tensor(name, values.astype(np.float16))

    def vector(self, name: str, size: int, value: float = 0.0) -> None:
        """One value all over."""
        self.out.add_tensor(name, np.full(size, value, np.float32))

    def linear(self, name: str, to: int, of: int, gain: float = 1.0) -> None:
        """A matrix and its bias."""
        self.matrix(f"{name}.weight", to, of, gain=gain)
        self.vector(f"{name}.bias", to)

    def norm(self, name: str, size: int = WIDTH, value: float = 1.0) -> None:
        """Of a layer, with a bias. value: the size of what it gives."""
        self.vector(f"{name}.weight", size, value)
        self.vector(f"{name}.bias", size)

    def embeddings(self, name: str, count: int, width: int, size: float) -> None:
        """Learned vectors of a size, in F32."""
        values = self.random.standard_normal((count, width)) * size
        self.out.add_tensor(name, values.astype(np.float32))

    def places(self, count: int) -> None:
        """Learned positions of patches."""
        self.embeddings("v.position_embd.weight", count, WIDTH, PLACES)

    def layers(self, *, last_norm: bool = True) -> None:
        """Patches, and the tower's layers as most families have them."""
        self.matrix("v.patch_embd.weight", WIDTH, 3, self.patch, self.patch)
        self.vector("v.patch_embd.bias", WIDTH)
        for layer in range(TOWER_LAYERS):
            at = f"v.blk.{layer}"
            self.norm(f"{at}.ln1")
            self.norm(f"{at}.ln2")
            for name in ("q", "k", "v"):
                self.linear(f"{at}.attn_{name}", WIDTH, WIDTH)
            self.linear(f"{at}.attn_out", WIDTH, WIDTH, MIXING)
            self.linear(f"{at}.ffn_up", FEED_FORWARD, WIDTH)
            self.linear(f"{at}.ffn_down", WIDTH, FEED_FORWARD)
        if last_norm:
            self.norm("v.post_ln")

    def close(self) -> None:
        """Writes the file."""
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()
