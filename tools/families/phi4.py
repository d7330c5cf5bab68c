"""Phi-4 reasoning vision: any size, a token for every patch; the tower's last layer is not used."""

from __future__ import annotations

from torch import Tensor, nn
from transformers import Phi3Config, Phi3ForCausalLM, Siglip2VisionConfig, Siglip2VisionModel

from .kit import Kit
from .sizes import HALF, TOWER_LAYERS, WIDTH, text, tower
from .templates import turns

PATCH, SIDE = 16, 16


def phi4(kit: Kit) -> None:
    template = turns("<|im_start|>{role}<|im_sep|>", "<|im_end|>", "<image>\n", "<|im_start|>assistant<|im_sep|>")
    special = ("<|im_start|>", "<|im_sep|>", "<image>", "<|endoftext|>")
    vocabulary = kit.vocabulary("gpt-2", special, template, bos="<|endoftext|>", eos="<|im_end|>", pre="dbrx")
    sizes = text(vocabulary, original_max_position_embeddings=8192, tie_word_embeddings=False)
    sizes.pop("head_dim")
    config, tensors = kit.saved(kit.model(Phi3ForCausalLM(Phi3Config(**sizes))))
    vision = tower(num_hidden_layers=TOWER_LAYERS + 1, patch_size=PATCH, num_patches=SIDE**2, layer_norm_eps=1e-6)
    seen = Siglip2VisionModel(Siglip2VisionConfig(vision_use_head=False, **vision))
    kit.model(nn.ModuleDict({"vision_tower": seen}))  # the weights of a tower
    whole = {**config, "architectures": ["Phi4ForCausalLMV"], "model_type": "phi4-siglip", "vision_config": vision}
    preprocessor = {"patch_size": PATCH, "min_num_patches": 256, "max_num_patches": 3600, **HALF}
    kit.write(
        {**tensors, **_tower(dict(seen.named_parameters())), **_projector(kit)}, vocabulary, preprocessor, config=whole
    )


def _tower(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Under the names of microsoft's checkpoint, which no class of transformers reads."""
    at = "model.vision_tower.vision_tower.vision_model."
    return {at + name.removeprefix("vision_model."): tensor.detach() for name, tensor in tensors.items()}


def _projector(kit: Kit) -> dict[str, Tensor]:
    return kit.linear("model.mm_projector.0", WIDTH, WIDTH) | kit.linear("model.mm_projector.2", WIDTH, WIDTH)
