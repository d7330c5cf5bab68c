"""The eyes: the built-in model's vision tower, and a merger that makes one word embedding of 16 x 16 pixels."""

from __future__ import annotations

import sys
from pathlib import Path

import lookhere_source  # noqa: F401
import torch
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration
from vlm import MERGE, PATCH, Packed, add_waves, patches

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "reference")]
import checkpoint  # noqa: E402

MODELS = Path(__file__).resolve().parents[2] / "python/lookhere/data/models"


def whole(width: int) -> Qwen3VLForConditionalGeneration:
    """A model whose visual part are the eyes; its language model, of one layer, is never run."""
    model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(
        text_config={"vocab_size": 64, "hidden_size": width, "intermediate_size": 64, "num_hidden_layers": 1,
                     "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "tie_word_embeddings": True,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [11, 11, 10],
                                         "mrope_interleaved": True}},
        vision_config={"depth": 4, "hidden_size": 128, "intermediate_size": 512, "num_heads": 4, "patch_size": PATCH,
                       "spatial_merge_size": MERGE, "temporal_patch_size": 2, "out_hidden_size": width,
                       "num_position_embeddings": 576, "deepstack_visual_indexes": [], "initializer_range": 0.03},
        image_token_id=5, video_token_id=6, vision_start_token_id=3, vision_end_token_id=4,
        tie_word_embeddings=True))  # fmt: skip
    model.tie_weights()
    return model


class _Seeing(Packed):
    """The half of a packed forward pass that sees."""

    def __init__(self, visual: torch.nn.Module) -> None:
        self.visual, self.before = visual, []  # type: ignore[assignment]

    def rope(self, positions: torch.Tensor) -> None:  # type: ignore[override]
        """Of a language model, which this has none of."""


class Eyes(torch.nn.Module):
    def __init__(self, width: int, learned: bool = True) -> None:
        """width: of the language model's embeddings. learned: begin with the built-in's tower, else with random
        weights, so that no word was ever taught to it."""
        super().__init__()
        self.visual = whole(width).model.visual
        with torch.no_grad():
            for part in (self.visual.merger.linear_fc1, self.visual.merger.linear_fc2):
                part.weight.normal_(0, 0.04)
            if learned:
                known = checkpoint.load(MODELS / "model.gguf", MODELS / "mmproj.gguf").model.visual.state_dict()
                own = self.visual.state_dict()
                own.update({k: v for k, v in known.items() if k in own and v.shape == own[k].shape})
                self.visual.load_state_dict(own)
            else:
                self.visual.patch_embed.proj.weight.normal_(0, 0.05)
                add_waves(self.visual.pos_embed.weight)
        object.__setattr__(self, "_seeing", _Seeing(self.visual))  # not a part: its weights are the visual's

    @property
    def merger(self) -> list[torch.nn.Parameter]:
        return list(self.visual.merger.parameters())

    @property
    def tower(self) -> list[torch.nn.Parameter]:
        return [p for name, p in self.visual.named_parameters() if not name.startswith("merger")]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, height, width, 3) uint8 -> (n, rows * cols, width of the embeddings)."""
        return self._seeing.see(patches(pixels), pixels.shape[1] // PATCH, pixels.shape[2] // PATCH)[0]
