"""Pixtral, Mistral 3 and LightOnOCR: any size, rows of patches; the first two write a break after each row."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import (
    LightOnOcrConfig,
    LightOnOcrForConditionalGeneration,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
)

from .kit import Kit
from .sizes import CLIP, HEAD, text, tower
from .templates import chatml, turns
from .vocabulary import Vocabulary


def pixtral(kit: Kit) -> None:
    vocabulary = _mistral(kit, turns("{role}", "", "[IMG]", "", roles="''", start="<s>"))
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            text_config={"model_type": "mistral", **text(vocabulary)},
            vision_config=_tower(1024, 16),
            image_token_index=vocabulary.id("[IMG]"),
            vision_feature_layer=-1,
            vision_feature_select_strategy="full",
        )
    )
    kit.write(kit.model(model), vocabulary, _preprocessor(1024, 16), edit=_without_prefix)


def mistral3(kit: Kit) -> None:
    vocabulary = _mistral(kit, "Mistral-Small-3.2-24B-Instruct-2506.jinja")
    model = Mistral3ForConditionalGeneration(
        Mistral3Config(
            text_config={"model_type": "mistral", **text(vocabulary, tie_word_embeddings=False)},
            vision_config=_tower(1540, 14),
            image_token_index=vocabulary.id("[IMG]"),
            spatial_merge_size=2,
            tie_word_embeddings=False,
        )
    )
    kit.write(kit.model(model), vocabulary, _preprocessor(1540, 14), edit=_without_prefix)


def lightonocr(kit: Kit) -> None:
    special = ("<|im_start|>", "<|endoftext|>", "<|vision_pad|>", "<|image_pad|>")
    vocabulary = kit.vocabulary("qwen2", special, chatml("<|image_pad|>"), bos="<|endoftext|>", eos="<|im_end|>")
    model = LightOnOcrForConditionalGeneration(
        LightOnOcrConfig(
            text_config={"model_type": "qwen3", **text(vocabulary, tie_word_embeddings=True)},
            vision_config={"model_type": "pixtral", **_tower(1540, 14)},
            image_token_id=vocabulary.id("<|image_pad|>"),
            spatial_merge_size=2,
        )
    )
    kit.write(kit.model(model), vocabulary, _preprocessor(1540, 14), edit=_as_on_the_hub)


def _as_on_the_hub(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Names that transformers saves otherwise."""
    config["architectures"] = ["LightOnOCRForConditionalGeneration"]
    config["text_config"]["architectures"] = ["Qwen3ForCausalLM"]


def _mistral(kit: Kit, template: str) -> Vocabulary:
    special = ("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
    return kit.vocabulary("gpt-2", special, template, bos="<s>", eos="</s>", pre="tekken")


def _tower(side: int, patch: int) -> dict[str, Any]:
    return {"model_type": "pixtral", **tower(
        image_size=side, patch_size=patch, head_dim=HEAD, hidden_act="silu"
    )}  # fmt: skip


def _preprocessor(side: int, patch: int) -> dict[str, Any]:
    return {"size": {"longest_edge": side}, "patch_size": {"height": patch, "width": patch}, **CLIP}


def _without_prefix(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Under the hub's name the converter drops the embeddings, and with them the break's, which it needs."""
    for name in list(tensors):
        if name.endswith("embed_tokens.weight"):
            tensors["model.embed_tokens.weight"] = tensors.pop(name)
