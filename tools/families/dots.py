"""dots.ocr: any size, a grid of merged patches; the file states no size of its own."""

from __future__ import annotations

from transformers import Qwen2Config, Qwen2ForCausalLM

from .kit import Kit, Tensors
from .sizes import CLIP, FEED_FORWARD, TOWER_LAYERS, WIDTH, text, tower
from .templates import turns
from .weights import MIXING

PATCH, MERGE = 14, 2


def dots_ocr(kit: Kit) -> None:
    template = turns("<|{role}|>", "<|endof{role}|>", "<|img|><|imgpad|><|endofimg|>", "<|assistant|>")
    special = ("<|system|>", "<|user|>", "<|assistant|>", "<|endofsystem|>", "<|endofuser|>", "<|img|>", "<|imgpad|>",
               "<|endofimg|>")  # fmt: skip
    vocabulary = kit.vocabulary("qwen2", special, template, bos="<|endoftext|>", eos="<|endofassistant|>")
    language = Qwen2Config(**text(vocabulary, tie_word_embeddings=False))
    config, tensors = kit.saved(kit.model(Qwen2ForCausalLM(language)))
    vision = tower(embed_dim=WIDTH, patch_size=PATCH, spatial_merge_size=MERGE, rms_norm_eps=1e-5)
    whole = {**config, "architectures": ["DotsOCRForCausalLM"], "model_type": "dots_ocr", "vision_config": vision}
    preprocessor = {"patch_size": PATCH, "merge_size": MERGE, "min_pixels": 3136, "max_pixels": 11289600, **CLIP}
    kit.write({**tensors, **_tower(kit)}, vocabulary, preprocessor, config=whole)


def _tower(kit: Kit) -> Tensors:
    """Under the names of rednote's checkpoint, which no class of transformers reads."""
    at = "vision_tower."
    found: Tensors = {
        f"{at}patch_embed.patchifier.proj.weight": kit.matrix(WIDTH, 3, PATCH, PATCH),
        **{f"{at}patch_embed.patchifier.{name}": value for name, value in kit.norm("norm", WIDTH).items()},
        f"{at}patch_embed.patchifier.proj.bias": kit.matrix(WIDTH, WIDTH)[0] * 0,
        f"{at}post_trunk_norm.weight": kit.norm("", WIDTH)[".weight"],
        **kit.norm(f"{at}merger.ln_q", WIDTH),
        **kit.linear(f"{at}merger.mlp.0", MERGE**2 * WIDTH, MERGE**2 * WIDTH),
        **kit.linear(f"{at}merger.mlp.2", WIDTH, MERGE**2 * WIDTH),
    }
    found.pop(f"{at}patch_embed.patchifier.norm.bias")
    for layer in range(TOWER_LAYERS):
        block = f"{at}blocks.{layer}"
        found |= {
            f"{block}.attn.qkv.weight": kit.matrix(3 * WIDTH, WIDTH),
            f"{block}.attn.proj.weight": kit.matrix(WIDTH, WIDTH, gain=MIXING),
            f"{block}.mlp.fc1.weight": kit.matrix(FEED_FORWARD, WIDTH),
            f"{block}.mlp.fc2.weight": kit.matrix(WIDTH, FEED_FORWARD),
            f"{block}.mlp.fc3.weight": kit.matrix(FEED_FORWARD, WIDTH),
            **{f"{block}.{name}.weight": kit.norm("", WIDTH)[".weight"] for name in ("norm1", "norm2")},
        }
    return found
