"""MobileVLM 1 and 2: CLIP's tower, four patches become a token by a convolution or a mean."""

from __future__ import annotations

from transformers import LlamaConfig, LlamaForCausalLM

from .kit import Kit
from .projector import Projector
from .sizes import CLIP, TOWER_LAYERS, WIDTH, text
from .templates import turns
from .weights import MIXING

SIDE, PATCH = 336, 14
INNER = WIDTH // 4
"""Of the networks that weigh channels."""


def mobilevlm(kit: Kit) -> None:
    out = _pair(kit, "ldp")
    for number in (1, 3):
        out.linear(f"mm.model.mlp.{number}", WIDTH, WIDTH)
    for block in (1, 2):
        at = f"mm.model.mb_block.{block}.block"
        out.matrix(f"{at}.0.0.weight", WIDTH, 1, 3, 3)
        out.norm(f"{at}.0.1")
        out.linear(f"{at}.1.fc1", INNER, WIDTH)
        out.linear(f"{at}.1.fc2", WIDTH, INNER, MIXING)  # of a mean over the whole image
        out.matrix(f"{at}.2.0.weight", WIDTH, WIDTH)
        out.norm(f"{at}.2.1", value=MIXING if block == 1 else 1.0)  # added to what each patch is by itself
    out.close()


def mobilevlm_v2(kit: Kit) -> None:
    out = _pair(kit, "ldpv2")
    for number in (0, 2):
        out.linear(f"mm.model.mlp.{number}", WIDTH, WIDTH)
    out.matrix("mm.model.peg.0.weight", WIDTH, 1, 3, 3, gain=MIXING)
    out.vector("mm.model.peg.0.bias", WIDTH)
    out.close()


def _pair(kit: Kit, kind: str) -> Projector:
    """The language model is written, the projector begun."""
    template = turns("{role}: ", " ", "<image>\n", "ASSISTANT:", roles="message.role.upper()")
    vocabulary = kit.vocabulary("llama-spm", ("<image>",), template, bos="<s>", eos="</s>", add_bos=True, keep=None)
    language = LlamaConfig(**text(vocabulary, tie_word_embeddings=True))
    kit.write(kit.model(LlamaForCausalLM(language)), vocabulary, {}, projector=False)
    out = Projector(kit.out / "mmproj.gguf", kind, SIDE, PATCH, CLIP, seed=kit.seed)
    out.out.add_array("clip.vision.feature_layer", [TOWER_LAYERS])
    out.embeddings("v.class_embd", 1, WIDTH, 1.0)
    out.places((SIDE // PATCH) ** 2 + 1)
    out.norm("v.pre_ln")
    out.layers(last_norm=False)
    return out
