"""MiniCPM-V 2.6: an overview and slices, each seen as a whole by 64 queries."""

from __future__ import annotations

from transformers import Qwen2Config, Qwen2ForCausalLM

from .kit import Kit
from .projector import Projector
from .sizes import HALF, HEADS, WIDTH, text
from .templates import chatml

QUERIES, RESAMPLER = 64, 128
"""llama.cpp's resampler has heads of 128, and so the language model that width."""


def minicpm_v_2_6(kit: Kit) -> None:
    special = ("<|im_start|>", "<|endoftext|>", "<image>", "</image>", "<slice>", "</slice>", "<image_id>",
               "</image_id>")  # fmt: skip
    vocabulary = kit.vocabulary("qwen2", special, chatml("(<image>./</image>)"), bos="<|endoftext|>", eos="<|im_end|>")
    sizes = {"hidden_size": RESAMPLER, "head_dim": RESAMPLER // HEADS}
    language = Qwen2Config(**text(vocabulary, **sizes, tie_word_embeddings=True))
    kit.write(kit.model(Qwen2ForCausalLM(language)), vocabulary, {}, projector=False)
    out = Projector(kit.out / "mmproj.gguf", "resampler", 448, 14, HALF, width=RESAMPLER, seed=kit.seed)
    out.out.add_int32("clip.minicpmv_version", 3)
    out.out.add_uint32("clip.minicpmv_query_num", QUERIES)
    out.out.add_vision_use_gelu(True)
    out.places(70 * 70)
    out.layers()
    out.vector("resampler.pos_embed_k", RESAMPLER)  # asked for and not used
    out.embeddings("resampler.query", QUERIES, RESAMPLER, 1.0)
    out.matrix("resampler.kv.weight", RESAMPLER, WIDTH)
    out.matrix("resampler.proj.weight", RESAMPLER, RESAMPLER)
    for name in ("q", "k", "v", "out"):
        out.linear(f"resampler.attn.{name}", RESAMPLER, RESAMPLER)
    for name in ("q", "kv", "post"):
        out.norm(f"resampler.ln_{name}", RESAMPLER)
    out.close()
