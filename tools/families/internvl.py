"""InternVL 2.5 and 3: tiles of 448, then an overview; 4 patches become a token."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM

from .kit import Kit
from .sizes import FEED_FORWARD, IMAGENET, WIDTH, text, tower
from .templates import chatml
from .weights import MIXING, PLACES

SIDE, PATCH = 448, 14
LAYERS = 4  # one more than others: the projector has a matrix of number 3


def internvl(kit: Kit) -> None:
    special = ("<|im_start|>", "<|endoftext|>", "<img>", "</img>", "<IMG_CONTEXT>")
    vocabulary = kit.vocabulary("qwen2", special, chatml("<IMG_CONTEXT>\n"), bos="<|endoftext|>", eos="<|im_end|>")
    language = Qwen2Config(**text(vocabulary, tie_word_embeddings=True))
    tensors = {f"language_model.{name}": tensor.detach() for name, tensor in
               kit.model(Qwen2ForCausalLM(language)).named_parameters()}  # fmt: skip
    config = {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "downsample_ratio": 0.5,
        "min_dynamic_patch": 1, "max_dynamic_patch": 12, "force_image_size": SIDE, "use_thumbnail": True,
        "llm_config": {**language.to_dict(), "architectures": ["Qwen2ForCausalLM"]},
        "vision_config": tower(
            num_hidden_layers=LAYERS, architectures=["InternVisionModel"], image_size=SIDE, patch_size=PATCH,
            layer_norm_eps=1e-6, hidden_act="gelu",
        ),
    }  # fmt: skip
    preprocessor = {"size": SIDE, "crop_size": SIDE, **IMAGENET}
    kit.write({**tensors, **_tower(kit)}, vocabulary, preprocessor, config=config)


def _tower(kit: Kit) -> dict[str, Tensor]:
    """Under the names of OpenGVLab's checkpoints, which no class of transformers reads."""
    found = {
        "vision_model.embeddings.class_embedding": kit.matrix(1, 1, WIDTH),
        "vision_model.embeddings.position_embedding": PLACES * torch.randn(
            1, (SIDE // PATCH) ** 2 + 1, WIDTH, generator=kit.random
        ),
    }  # fmt: skip

    found["vision_model.embeddings.patch_embedding.weight"] = kit.matrix(WIDTH, 3, PATCH, PATCH)
    found["vision_model.embeddings.patch_embedding.bias"] = torch.zeros(WIDTH)
    for layer in range(LAYERS):
        at = f"vision_model.encoder.layers.{layer}"
        found[f"{at}.ls1"], found[f"{at}.ls2"] = torch.ones(WIDTH), torch.ones(WIDTH)
        found |= kit.norm(f"{at}.norm1", WIDTH) | kit.norm(f"{at}.norm2", WIDTH)
        found |= kit.linear(f"{at}.attn.qkv", 3 * WIDTH, WIDTH) | kit.linear(f"{at}.attn.proj", WIDTH, WIDTH, MIXING)
        found |= kit.linear(f"{at}.mlp.fc1", FEED_FORWARD, WIDTH) | kit.linear(f"{at}.mlp.fc2", WIDTH, FEED_FORWARD)
    found |= kit.norm("mlp1.0", 4 * WIDTH)
    return found | kit.linear("mlp1.1", WIDTH, 4 * WIDTH) | kit.linear("mlp1.3", WIDTH, WIDTH)
