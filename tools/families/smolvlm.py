"""SmolVLM and Idefics3: square tiles, then an overview; 16 patches become a token."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

from .kit import Kit
from .sizes import HALF, text, tower
from .templates import turns

TILE, PATCH, SCALE, LONGEST_EDGE = 512, 16, 4, 2048


def smolvlm(kit: Kit) -> None:
    tiles = tuple(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7))
    template = turns("{role}: ", "<end_of_utterance>\n", "<image>", "Assistant:", roles="message.role.capitalize()",
                     start="<|im_start|>")  # fmt: skip
    vocabulary = kit.vocabulary(
        "gpt-2", ("<|im_end|>", "<fake_token_around_image>", "<image>", "<global-img>", *tiles), template,
        bos="<|im_start|>", eos="<end_of_utterance>", pre="smollm",
    )  # fmt: skip
    model = SmolVLMForConditionalGeneration(
        SmolVLMConfig(
            text_config={"model_type": "llama", **text(vocabulary, tie_word_embeddings=True)},
            vision_config=tower(image_size=TILE, patch_size=PATCH),
            image_token_id=vocabulary.id("<image>"), scale_factor=SCALE, tie_word_embeddings=True,
        )
    )  # fmt: skip
    preprocessor = {"size": {"longest_edge": LONGEST_EDGE}, "max_image_size": {"longest_edge": TILE}, **HALF}
    kit.write(kit.model(model), vocabulary, preprocessor, edit=as_on_the_hub)


def as_on_the_hub(config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """The language model's name, which transformers does not save."""
    config["text_config"]["architectures"] = ["VLlama3ForCausalLM"]
