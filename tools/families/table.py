"""The table: every family with a recipe, and those without, with the reason."""

from __future__ import annotations

from pathlib import Path

from .recipe import Recipe

GPT_2, QWEN_2 = "made up: GPT-2's, cut", "Qwen2's, cut"
_LLAVA = "converter; the projector with gguf, as the converter has none"
_GGUF = "converter; the projector with gguf, no class of transformers has it"
_SIZE = "converter; the projector with gguf, as the converter takes the true size only"
_NORM = "converter, the tower's norms under a name that it does not take for Gemma 4's"
_BREAK = "converter, the embeddings under a name that it does not drop"

RECIPES = {
    "llava-1.5": Recipe("llava.llava", "mlp", "llama", "Llama's, whole", "llava-hf/llava-1.5-7b-hf", by=_LLAVA),
    "llava-next": Recipe(
        "llava.llava_next", "mlp", "llama", "Llama's, whole", "llava-hf/llava-v1.6-vicuna-7b-hf", by=_LLAVA
    ),
    "smolvlm": Recipe("smolvlm.smolvlm", "idefics3", "llama", GPT_2, "HuggingFaceTB/SmolVLM-500M-Instruct"),
    "gemma3": Recipe("gemma.gemma3", "gemma3", "gemma3", "made up: Llama's, cut", "google/gemma-3-4b-it"),
    "internvl": Recipe("internvl.internvl", "internvl", "qwen2", QWEN_2, "OpenGVLab/InternVL3-2B"),
    "pixtral": Recipe("pixtral.pixtral", "pixtral", "llama", GPT_2, "mistral-community/pixtral-12b", by=_BREAK),
    "mistral3": Recipe(
        "pixtral.mistral3", "pixtral", "mistral3", GPT_2, "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        "Mistral-Small-3.2's, from the archive", _BREAK,
    ),
    "lightonocr": Recipe("pixtral.lightonocr", "lightonocr", "qwen3", QWEN_2, "lightonai/LightOnOCR-1B-1025"),
    "qwen2-vl": Recipe("qwen.qwen2_vl", "qwen2vl_merger", "qwen2vl", QWEN_2, "Qwen/Qwen2-VL-2B-Instruct"),
    "qwen2.5-vl": Recipe("qwen.qwen2_5_vl", "qwen2.5vl_merger", "qwen2vl", QWEN_2, "Qwen/Qwen2.5-VL-3B-Instruct"),
    "qwen3-vl": Recipe("qwen.qwen3_vl", "qwen3vl_merger", "qwen3vl", QWEN_2, "Qwen/Qwen3-VL-2B-Instruct"),
    "qwen3.5": Recipe(
        "qwen.qwen3_5", "qwen3vl_merger", "qwen35", "Qwen3.5's, cut", "Qwen/Qwen3.5-4B", "from the archive"
    ),
    "lfm2-vl": Recipe("lfm2.lfm2_vl", "lfm2", "lfm2", GPT_2, "LiquidAI/LFM2-VL-450M"),
    "llama4": Recipe(
        "llama4.llama4", "llama4", "llama4", "made up: Llama 3's, cut", "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        by=_NORM,
    ),
    "glm-4.1v": Recipe("glm.glm4v", "glm4v", "glm4", GPT_2, "zai-org/GLM-4.1V-9B-Thinking"),
    "minicpm-v-4.6": Recipe(
        "minicpm.minicpm_v_4_6", "minicpmv4_6", "qwen35", "Qwen3.5's, cut", "openbmb/MiniCPM-V-4_6",
        "Qwen3.5's, from the archive",
    ),
    "minicpm-v-2.6": Recipe(
        "minicpm26.minicpm_v_2_6", "resampler", "qwen2", QWEN_2, "openbmb/MiniCPM-V-2_6", by=_GGUF
    ),
    "hunyuan-vl": Recipe("hunyuan.hunyuan_vl", "hunyuanvl", "hunyuan_vl", GPT_2, "tencent/HunyuanOCR"),
    "gemma4": Recipe(
        "gemma.gemma4", "gemma4v", "gemma4", "Gemma 4's, cut", "google/gemma-4-31B-it", "from the archive"
    ),
    "paddleocr": Recipe("ocr.paddleocr", "paddleocr", "paddleocr", GPT_2, "PaddlePaddle/PaddleOCR-VL"),
    "janus-pro": Recipe("ocr.janus_pro", "janus_pro", "llama", "DeepSeek's, cut", "deepseek-community/Janus-Pro-1B"),
    "kimi-vl": Recipe("kimi.kimi_vl", "kimivl", "deepseek2", GPT_2, "moonshotai/Kimi-VL-A3B-Instruct"),
    "step3-vl": Recipe("step3.step3_vl", "step3vl", "qwen3", QWEN_2, "stepfun-ai/Step3-VL-10B", by=_SIZE),
    "exaone-4.5": Recipe("exaone.exaone4_5", "exaone4_5", "exaone4", GPT_2, "Qwen2.5-VL's; LGAI-EXAONE/EXAONE-4.5-33B"),
    "muse-glimmer": Recipe(
        "muse.muse_glimmer", "muse-glimmer", "muse-glimmer", "made up: Llama 3's, cut",
        "meta-models/Muse-Glimmer-30B; pixel statistics unverified", "from the archive",
    ),
    "mobilevlm": Recipe(
        "mobilevlm.mobilevlm", "ldp", "llama", "Llama's, whole", "mtgv/MobileVLM-1.7B; unverified", by=_GGUF
    ),
    "mobilevlm-v2": Recipe(
        "mobilevlm.mobilevlm_v2", "ldpv2", "llama", "Llama's, whole", "mtgv/MobileVLM_V2-1.7B; unverified", by=_GGUF
    ),
    "glm-edge-v": Recipe(
        "glm_edge.glm_edge_v", "adapter", "chatglm", GPT_2, "zai-org/glm-edge-v-2b; unverified", by=_GGUF
    ),
    "cogvlm": Recipe("cogvlm.cogvlm", "cogvlm", "cogvlm", "Llama's, whole", "zai-org/cogvlm-chat-hf; unverified"),
    "dots.ocr": Recipe("dots.dots_ocr", "dots_ocr", "qwen2", QWEN_2, "rednote-hilab/dots.ocr; unverified"),
    "reka-edge": Recipe(
        "reka.reka_edge", "yasa2", "qwen3", QWEN_2, "RekaAI/reka-edge-2603; unverified", "from the archive", _GGUF
    ),
    "nemotron-v2-vl": Recipe(
        "nemotron.nemotron_v2_vl", "nemotron_v2_vl", "nemotron_h_moe", GPT_2,
        "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL-BF16; unverified", by=_SIZE,
    ),
    "mimo-vl": Recipe(
        "mimo.mimo_vl", "mimovl", "mimo2", QWEN_2, "XiaomiMiMo/MiMo-V2.5; limits unverified",
        "MiMo-VL's, from the archive", _GGUF,
    ),
    "qwen2.5-omni": Recipe(
        "qwen.qwen2_5_omni", "qwen2.5o", "qwen2vl", QWEN_2, "Qwen2.5-VL's; Qwen/Qwen2.5-Omni-3B",
        by="converter, without what hears",
    ),
    "phi-4": Recipe("phi4.phi4", "phi4", "phi3", GPT_2, "microsoft/Phi-4-reasoning-vision-15B; limits unverified"),
}  # fmt: skip

_MLA = "lookhere refuses its language models"
NOT_MADE = {
    "gemma3nv": "its tower is a convolutional network of another package",
    "gemma4uv": "its pair needs a part that hears too; it lays tokens out as gemma4v",
    **dict.fromkeys(("glm5v", "kimik25", "dots3note_v", "ling3vl", "youtuvl"), _MLA),
    **dict.fromkeys(
        ("minimax_m3", "deepseekocr", "deepseekocr2", "deepseek4v", "granite4_vision"),
        "no recipe yet",
    ),
}
"""Kinds of projectors that llama.cpp runs and no recipe makes, and why."""


def shown() -> str:
    """The table as text."""
    rows = [("family", "projector", "architecture", "vocabulary", "settings of", "template", "made by")]
    for name, r in RECIPES.items():
        rows.append((name, r.projector, r.architecture, r.vocabulary, r.settings, r.template, r.by))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"not made: {kind}: {why}" for kind, why in NOT_MADE.items())])


def missing(llama: Path) -> str:
    """What a folder lacks to be the pinned source; empty where it lacks nothing."""
    needed = ("convert_hf_to_gguf.py", "conversion", "gguf-py", "models")
    lacking = [name for name in needed if not (llama / name).exists()]
    if not lacking:
        return ""
    return f"{llama} lacks {', '.join(lacking)}; expected the whole vendor/llama.cpp of the pinned source package"
