"""MiniCPM-V 4.6: an overview and slices of another grid, a hybrid language model."""

from __future__ import annotations

from transformers import MiniCPMV4_6Config, MiniCPMV4_6ForConditionalGeneration

from .kit import Kit
from .qwen import NO_DRAFT, language35, vocabulary35
from .sizes import HALF, tower


def minicpm_v_4_6(kit: Kit) -> None:
    vocabulary = vocabulary35(kit, ("<image>", "</image>", "<slice>", "</slice>", "<image_id>", "</image_id>"))
    config = MiniCPMV4_6Config(
        text_config={"model_type": "qwen3_5_text", **language35(vocabulary)},
        vision_config=tower(image_size=980, patch_size=14, insert_layer_id=1),
        insert_layer_id=1, image_size=448, image_token_id=vocabulary.id("<|image_pad|>"),
        video_token_id=vocabulary.id("<|video_pad|>"), tie_word_embeddings=True,
    )  # fmt: skip
    preprocessor = {"max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14, "slice_mode": True,
                    "downsample_mode": "16x", "use_image_id": True, **HALF}  # fmt: skip
    model = kit.model(MiniCPMV4_6ForConditionalGeneration(config))
    kit.write(model, vocabulary, preprocessor, options=NO_DRAFT)
