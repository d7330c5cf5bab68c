"""Step3-VL: patches of 504, then an overview of 728; 16 patches become a token by two convolutions."""

from __future__ import annotations

from transformers import Qwen3Config, Qwen3ForCausalLM

from .kit import Kit
from .projector import Projector
from .sizes import CLIP, WIDTH, text
from .templates import chatml

SIDE, PATCH = 728, 14


def step3_vl(kit: Kit) -> None:
    special = ("<|im_start|>", "<|endoftext|>", "<im_start>", "<im_end>", "<im_patch>", "<patch_start>", "<patch_end>",
               "<patch_newline>")  # fmt: skip
    vocabulary = kit.vocabulary("qwen2", special, chatml("<im_patch>"), bos="<|endoftext|>", eos="<|im_end|>")
    language = Qwen3Config(**text(vocabulary, tie_word_embeddings=True))
    kit.write(kit.model(Qwen3ForCausalLM(language)), vocabulary, {}, projector=False)
    out = Projector(kit.out / "mmproj.gguf", "step3vl", SIDE, PATCH, CLIP, seed=kit.seed)
    out.out.add_vision_projector_scale_factor(4)
    out.out.add_vision_preproc_image_size(3024)
    out.places((SIDE // PATCH) ** 2)
    out.layers()
    out.norm("v.pre_ln")
    for number in (0, 1):
        out.matrix(f"mm.{number}.weight", WIDTH, WIDTH, 3, 3)
        out.vector(f"mm.{number}.bias", WIDTH)
    out.matrix("mm.model.fc.weight", WIDTH, WIDTH)
    out.close()
