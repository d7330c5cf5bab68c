"""Reka Edge: a square of fixed size, seen by stages of convolutions and pooled to 8 x 8."""

from __future__ import annotations

from transformers import Qwen3Config, Qwen3ForCausalLM

from .kit import Kit
from .projector import Projector
from .sizes import IMAGENET, WIDTH, text
from .weights import MIXING, PLACES

SIDE, PATCH, STAGES = 512, 4, 4


def reka_edge(kit: Kit) -> None:
    special = ("<REKA_IMG_TOKEN>", "<image>", "</image>", "<sep>", "<|endoftext|>")
    vocabulary = kit.vocabulary("qwen2", special, "Reka-Edge.jinja", bos="<|endoftext|>", eos="<sep>")
    language = Qwen3Config(**text(vocabulary, tie_word_embeddings=True))
    kit.write(kit.model(Qwen3ForCausalLM(language)), vocabulary, {}, projector=False)
    out = Projector(kit.out / "mmproj.gguf", "yasa2", SIDE, PATCH, IMAGENET, layers=0, seed=kit.seed)
    out.matrix("v.patch_embd.weight", WIDTH, 3, PATCH, PATCH)
    out.vector("v.patch_embd.bias", WIDTH)
    out.norm("v.patch_ln")
    for stage in range(STAGES):
        if stage:
            out.norm(f"v.stage.{stage}.down.ln")
            out.matrix(f"v.stage.{stage}.down.conv.weight", WIDTH, WIDTH, 2, 2)
            out.vector(f"v.stage.{stage}.down.conv.bias", WIDTH)
        at = f"v.stage.{stage}.blk.0"
        out.matrix(f"{at}.dw.weight", WIDTH, 1, 7, 7)
        out.vector(f"{at}.dw.bias", WIDTH)
        out.norm(f"{at}.ln")
        out.linear(f"{at}.pw1", 4 * WIDTH, WIDTH)
        out.vector(f"{at}.grn.weight", 4 * WIDTH)
        out.vector(f"{at}.grn.bias", 4 * WIDTH)
        out.linear(f"{at}.pw2", WIDTH, 4 * WIDTH, MIXING)  # added to what each place is by itself
    out.embeddings("v.vision_pos_embed", (SIDE // PATCH // 2 ** (STAGES - 1)) ** 2, WIDTH, PLACES)
    out.linear("mm.0", WIDTH, WIDTH)
    out.linear("mm.2", WIDTH, WIDTH)
    out.close()
