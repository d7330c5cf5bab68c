"""What is known of the families of vision-language models: the one table of the package, told in docs/families.md.

It holds every kind of projector that the pinned llama.cpp knows; a test compares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

PROJECTOR_ARCHITECTURE = "clip"
"""general.architecture of every projector file (mmproj)."""

PLANE = "M-RoPE: an image is a plane of rows and columns"
LINE = "one position per token"
M_LINE = "M-RoPE, one position per token"

PADDED = "scaled to whole tokens within the limits, the shape kept; padded, on thin strips by several tokens"
STRETCHED = "scaled to whole tokens within the limits, stretched by less than a token"
EDGE = "scaled down to the longest edge of the file, rounded up and stretched; beyond the token limits padded"
LETTERBOX = "scaled into a square of fixed size, the rest padded"
SQUARE = "stretched to a square of fixed size"

MLA = "its language models keep compressed keys and values (MLA), which are not steered"
UNTOLD = "so that no region can be told to its tokens"

TINY = "tiny models with random weights"
GRID = f"{TINY}; the grid against transformers"
TRAINED = f"{GRID}; a tiny trained model"


@dataclass(frozen=True)
class Family:
    """One family. Everything that is not a name or a marker is for people.

    projectors: their kinds, as mmproj files name them. architectures: of its language models. markers: what its chat
    templates write for an image; the encoded image takes their place. begin, end: what libmtmd puts around the encoded
    image. before, after: what the family's own processor puts around that beside it, and libmtmd does not; {index} is
    the image's number in the conversation, from 0. in_text: what follows an image in a template that takes texts alone.
    tokens: per image. cell: what one token shows. tiles: '' for one grid. template: where the published one was read;
    '' where it was not found. verified_on: '' where no test of this package runs the family. refused: why it does not
    load; '' where it does.
    """

    name: str
    projectors: tuple[str, ...]
    architectures: tuple[str, ...]
    markers: tuple[str, ...] = ()
    begin: str = ""
    end: str = ""
    before: str = ""
    after: str = ""
    in_text: str = ""
    tokens: str = ""
    cell: str = ""
    tiles: str = ""
    resize: str = ""
    positions: str = LINE
    template: str = ""
    verified_on: str = ""
    limits: str = ""
    refused: str = ""

    @property
    def sees_squares(self) -> bool:
        """Whether it puts images into squares of one size, so that they may be stretched or cut to fill these."""
        return LETTERBOX in self.resize or SQUARE in self.resize

    @property
    def verified(self) -> bool:
        """Whether tests of this package run it: where its tokens lie, that steering reaches them, and its template."""
        return bool(self.verified_on)


VISION = ("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|>", "<|vision_end|>")
"""How the Qwens mark an image: in templates, and what libmtmd puts before and after it."""
GLM = ("<|begin_of_image|><|image|><|end_of_image|>", "<|begin_of_image|>", "<|end_of_image|>")
KIMI = ("<|media_start|>image<|media_content|><|media_pad|><|media_end|>", "<|media_start|>", "<|media_end|>")
KIMI_2 = ("<|media_begin|>image<|media_content|><|media_pad|><|media_end|>", "<|media_begin|>", "<|media_end|>")
_HY = "<\uff5chy_place\u2581holder\u2581no\u2581{}\uff5c>"
HUNYUAN = ("".join(_HY.format(k) for k in (100, 102, 101)), _HY.format(100), _HY.format(101))
_WITHOUT_WORDS = "libmtmd leaves out the words image<|media_content|> between begin and image"

FAMILIES = (
    Family("Qwen2-VL", ("qwen2vl_merger",), ("qwen2vl",), VISION[:1], *VISION[1:], tokens="8 to 4,096",
           cell="28 x 28 pixels", resize=PADDED, positions=PLANE, template="published", verified_on=GRID),
    Family("Qwen2.5-VL", ("qwen2.5vl_merger",), ("qwen2vl",), VISION[:1], *VISION[1:], tokens="8 to 4,096",
           cell="28 x 28 pixels", resize=PADDED, positions=PLANE, template="published", verified_on=GRID),
    Family(
        "Qwen2.5-Omni", ("qwen2.5o",), ("qwen2vl",),
        ("<|vision_bos|><|IMAGE|><|vision_eos|>", VISION[0]), *VISION[1:],
        tokens="8 to 4,096", cell="28 x 28 pixels", resize=PADDED, positions=PLANE, verified_on=GRID,
        limits="libmtmd does not write its <|vision_bos|> and <|vision_eos|>",
    ),
    Family(
        "Qwen3-VL and 3.5", ("qwen3vl_merger",), ("qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe"),
        VISION[:1], *VISION[1:],
        tokens="8 to 4,096", cell="32 x 32 pixels", resize=PADDED, positions=PLANE, template="llama.cpp",
        verified_on=f"{GRID}; the built-in model",
        limits="of Qwen3.5 only the attention layers have heads",
    ),
    Family(
        "InternVL 2.5, 3 and 3.5", ("internvl",), ("internlm2", "llama", "qwen2", "qwen3", "qwen3moe", "gpt-oss"),
        ("<IMG_CONTEXT>", "<image>"), "<img>", "</img>", in_text="\n",
        tokens="256 per tile", cell="28 x 28 pixels of a tile of 448 x 448",
        tiles="1 to 12 in the closest shape, then an overview; one tile alone",
        resize="tiles and overview stretched", template="excerpt", verified_on=GRID,
    ),
    Family(
        "Gemma 3", ("gemma3",), ("gemma3",), ("<start_of_image>", "<image_soft_token>"), "<start_of_image>",
        "<end_of_image>", "\n\n", "\n\n", tokens="256", cell="56 x 56 pixels of 896 x 896", resize=LETTERBOX,
        template="transformers", verified_on=TRAINED,
        limits="image tokens see one another in both directions; pan and scan is not done",
    ),
    Family(
        "Gemma 3n", ("gemma3nv",), ("gemma3n",), ("<image_soft_token>",), "<start_of_image>", "<end_of_image>",
        "\n\n", "\n\n", tokens="256", cell="48 x 48 pixels of 768 x 768", resize=LETTERBOX,
        template="excerpt",
    ),
    Family(
        "Gemma 4", ("gemma4v", "gemma4uv"), ("gemma4",), ("<|image|>",), "<|image>", "<image|>",
        tokens="up to 280, or max_image_tokens", cell="48 x 48 pixels", resize="scaled up or down to as many tokens as "
        "allowed, both edges rounded down; stretched", template="llama.cpp", verified_on=GRID,
        limits="but for E2B and E4B image tokens see one another in both directions",
    ),
    Family(
        "SmolVLM and Idefics3", ("idefics3",), ("llama",), ("<image>",),
        tokens="64 (SmolVLM) or 169 (Idefics3) per tile", cell="a tile's side / 8 or / 13",
        tiles="by the longest edge, then an overview", resize="scaled to the longest edge, up or down; stretched",
        template="transformers", verified_on=TRAINED,
        limits="borders blur: a small image's pixel spans most of a token",
    ),
    Family(
        "LLaVA 1.5, 1.6 and relatives", ("mlp",), ("llama", "qwen2", "phi3", "gemma", "stablelm"), ("<image>",),
        in_text="\n", tokens="576 (336 x 336), per tile in 1.6", cell="14 x 14 pixels of a tile",
        tiles="1.6: by its pinpoints, then an overview", resize=f"1.5: {LETTERBOX}; 1.6: tiles padded, overview "
        "stretched", template="transformers", verified_on=TRAINED,
        limits="token i shows patch i + 1, the last one is the class token, as llama.cpp does it",
    ),
    Family("MobileVLM", ("ldp", "ldpv2"), ("llama",), ("<image>",), in_text="\n", tokens="144",
           cell="28 x 28 pixels of 336 x 336", resize=LETTERBOX, verified_on=TINY,
           limits="tokens see half of their neighbours', too: by convolutions, and by the class token as in LLaVA 1.5"),
    Family(
        "Pixtral and Mistral 3", ("pixtral",), ("llama", "mistral3", "mistral4"), ("[IMG]",), "", "[IMG_END]",
        tokens="8 to 1,024, and a break after each row but the last", cell="16 x 16 (Pixtral) or 28 x 28 pixels",
        resize=EDGE, template="llama.cpp", verified_on=GRID,
         limits="breaks show no part of the image, and are not steered",
    ),
    Family(
        "LightOnOCR", ("lightonocr",), ("qwen3",), ("<|image_pad|>",), "<|im_start|>", "<|im_end|>",
        tokens="up to 55 x 55", cell="28 x 28 pixels", resize=EDGE, verified_on=GRID,
    ),
    Family(
        "LFM2-VL", ("lfm2",), ("lfm2", "lfm2moe"), ("<image>",), "<|image_start|>", "<|image_end|>",
        tokens="64 to 256, per tile 256", cell="32 x 32 pixels", tiles="2 to 10 of 512 x 512, then a thumbnail; small "
        "images are one stretched grid", resize="tiles padded, thumbnail stretched", template="llama.cpp",
        verified_on=TINY,
        limits="a hybrid model: only its attention layers have heads",
    ),
    Family(
        "MiniCPM-V 2.5, 2.6, 4.0, 4.5", ("resampler",), ("llama", "qwen2", "qwen3", "minicpm", "minicpm3"),
        ("(<image>./</image>)",), in_text="\n",
        tokens="64 (2.5: 96) per slice", cell="a whole slice", tiles="an overview, then up to 9 slices",
        resize="slices cut from the scaled image", verified_on=f"{TINY}, by slice",
        limits="every token of a slice sees all of it, so that only whole "
        "slices can be aimed at",
    ),
    Family(
        "MiniCPM-V 4.6", ("minicpmv4_6",), ("qwen35",),
        ("<image><|image_pad|></image>", VISION[0], "<|image_pad|>"), before="<image_id>{index}</image_id>",
        tokens="up to about 64 per slice", cell="56 x 56 pixels (28 x 28 with 4x)", tiles="an overview, then slices "
        "with another grid", resize="slices cut from the scaled image", positions=M_LINE, verified_on=GRID,
        limits="a hybrid model: only its attention layers have heads",
    ),
    Family(
        "Llama 4", ("llama4",), ("llama4",), ("<|image|>",), "<|image_start|>", "<|image_end|>",
        tokens="144 per tile", cell="28 x 28 pixels of a tile of 336 x 336", tiles="up to 3 x 3, then an overview",
        resize="tiles padded, overview stretched", template="excerpt", verified_on=TINY,
        limits="llama.cpp's tokens run down columns and have no tile separators; it warns of a lower quality",
    ),
    Family(
        "GLM-4.xV and GLM-OCR", ("glm4v",), ("glm4", "glm4moe"), GLM[:1], *GLM[1:],
        tokens="8 to 4,096", cell="28 x 28 pixels", resize=PADDED, positions=PLANE, template="published",
        verified_on=GRID,
    ),
    Family("GLM-5 Next", ("glm5v",), ("glm5-next",), GLM[:1], *GLM[1:], refused=MLA),
    Family("GLM-Edge-V", ("adapter",), ("chatglm", "glm4"), ("<|begin_of_image|>",), in_text="\n",
           tokens="576, and a begin and an end within", cell="28 x 28 pixels of 672 x 672", resize=LETTERBOX,
           verified_on=TINY),
    Family(
        "HunyuanVL and HunyuanOCR", ("hunyuanvl",), ("hunyuan_vl",), HUNYUAN[:1], *HUNYUAN[1:],
        tokens="256 to 16,384, one more for each row and two more", cell="32 x 32 pixels", resize=STRETCHED,
        positions=M_LINE, template="excerpt", verified_on=GRID,
        limits="begin, row breaks and end within show no part of the image",
    ),
    Family("PaddleOCR-VL", ("paddleocr",), ("paddleocr",), ("<|IMAGE_START|><|IMAGE_PLACEHOLDER|><|IMAGE_END|>",),
           "<|IMAGE_START|>", "<|IMAGE_END|>", tokens="by the file", cell="28 x 28 pixels", resize=PADDED,
           positions=PLANE, template="excerpt", verified_on=GRID),
    Family("Kimi-VL", ("kimivl",), ("deepseek2",), KIMI[:1], *KIMI[1:], template="excerpt", limits=_WITHOUT_WORDS,
           refused=MLA),
    Family("Kimi-K2.5 and GLM-5.2-V", ("kimik25",), ("deepseek2", "glm-dsa"), (KIMI_2[0], GLM[0]), *KIMI_2[1:],
           limits=_WITHOUT_WORDS, refused=MLA),
    Family("dots3 note", ("dots3note_v",), ("dots3note",), ("<|img|><|imgpad|><|endofimg|>",), "<|img|>",
           "<|endofimg|>", refused=MLA),
    Family("dots.ocr", ("dots_ocr",), ("qwen2",), ("<|img|><|imgpad|><|endofimg|>",), "<|img|>", "<|endofimg|>",
           tokens="by the file", cell="28 x 28 pixels", resize=PADDED, template="excerpt",
           verified_on=GRID),
    Family("EXAONE 4.5", ("exaone4_5",), ("exaone4",), ("<vision><|image_pad|></vision>",), "<vision>", "</vision>",
           tokens="by the file", cell="28 x 28 pixels", resize=PADDED, verified_on=TINY),
    Family("MiMo-VL", ("mimovl",), ("mimo2",), VISION[:1], *VISION[1:], tokens="by the file", cell="2 x 2 patches",
           resize=PADDED, template="llama.cpp", verified_on=GRID,
           limits="only layers without attention sinks are steered, those that see the whole context"),
    Family("Ling 3 VL", ("ling3vl",), ("bailingmoe3",), VISION[:1], *VISION[1:], refused=MLA),
    Family("MiniMax-M3", ("minimax_m3",), ("minimax-m3",), ("]<]image[>[",), "]<]start of image[>[",
           "]<]end of image[>[", tokens="8 to 576", cell="28 x 28 pixels", resize=STRETCHED, template="llama.cpp"),
    Family("Youtu-VL", ("youtuvl",), ("deepseek2",), VISION[:1], *VISION[1:], refused=MLA),
    Family("Step3-VL", ("step3vl",), ("qwen3", "step35"), ("<im_patch>",), tokens="169 per overview, 81 per patch",
           cell="a tile's side / 13 or / 9", tiles="patches, then an overview",
           resize="tiles cut from the scaled image", template="llama.cpp", verified_on=TINY,
           limits="tokens see half of their neighbours', too, by convolutions"),
    Family("Phi-4 reasoning vision", ("phi4",), ("phi3",), ("<image>",), in_text="\n", tokens="by the file",
           cell="16 x 16 pixels", resize=PADDED, verified_on=TINY),
    Family("Janus-Pro", ("janus_pro",), ("llama",), ("<image_placeholder>",), "", "", "<begin_of_image>",
           "<end_of_image>", tokens="576", cell="16 x 16 pixels of 384 x 384", resize=LETTERBOX,
           template="excerpt", verified_on=GRID),
    Family("CogVLM", ("cogvlm",), ("cogvlm",), tokens="a begin and an end within", cell="14 x 14 pixels of a square",
           resize=LETTERBOX, verified_on=TINY,
           limits="no template writes an image: it stands where it stands in the message; llama.cpp's converter now "
           "drops its experts for images, and such files do not load"),
    Family("Nemotron Nano V2 VL", ("nemotron_v2_vl",), ("nemotron_h", "nemotron_h_moe"), ("<image>",),
           tokens="256", cell="32 x 32 pixels of 512 x 512", resize=LETTERBOX, verified_on=TINY,
           limits="a hybrid model: only its attention layers have heads"),
    Family("Reka Edge", ("yasa2",), ("qwen3", "llama"), ("<REKA_IMG_TOKEN>",), "<image>", "</image>", tokens="64",
           cell="an eighth of the image's sides", resize=SQUARE, template="llama.cpp", verified_on=TINY,
           limits="convolutions: a trained token may see its neighbours' cells, too"),
    Family("Muse Glimmer", ("muse-glimmer",), ("muse-glimmer",), ("<|patch|>",), "<|image_start|>", "<|image_end|>",
           tokens="1 to 4,096", cell="2 x 2 patches", resize=STRETCHED, template="llama.cpp",
           verified_on=TINY),
    Family("DeepSeek-OCR", ("deepseekocr", "deepseekocr2"), ("deepseek2-ocr",), ("<image>",),
           refused="its views share one run of tokens, whose order is not told, " + UNTOLD),
    Family("DeepSeek-V4 vision", ("deepseek4v",), ("deepseek4",),
           refused="its tokens lie in blocks that begin and end within the image, whose order is not told, " + UNTOLD),
    Family("Granite 4 Vision", ("granite4_vision",), ("granite", "granitehybrid"), ("<image>",), "", "\n",
           refused="its tiles share one run of tokens with breaks, whose order is not told, " + UNTOLD),
)  # fmt: skip

HEARING = (
    "gemma3na", "gemma4a", "gemma4ua", "ultravox", "qwen2a", "qwen3a", "glma", "voxtral", "meralion", "musicflamingo",
    "dots3note_a", "lfm2a", "granite_speech", "mimo_audio", "parakeet", "qwen3tts_spkenc", "qwen3tts_gen",
    "pockettts_spkenc", "pockettts_gen",
)  # fmt: skip
"""The kinds that hear or speak, and see nothing."""


@cache
def image_markers(family: Family | None = None) -> tuple[str, ...]:
    """Patterns (re) of everything that a template may write for an image, the family's own first, then the longest.

    A marker may be written several times in a row, once for each token, and within what libmtmd puts around the image.
    """
    own = set(_patterns(family)) if family else set()
    others = {pattern for each in FAMILIES for pattern in _patterns(each)} - own
    return (*_longest_first(own), *_longest_first(others))


def _patterns(family: Family) -> list[str]:
    runs = [f"(?:{re.escape(marker)})+" for marker in family.markers]
    begin, end = (re.escape(around) if around.strip() else "" for around in (family.begin, family.end))
    return [*runs, *(begin + run + end for run in runs)]


def _longest_first(patterns: set[str]) -> list[str]:
    return sorted(patterns, key=lambda pattern: (-len(pattern), pattern))


def projector_kinds() -> tuple[str, ...]:
    """The kinds of projectors whose image tokens are known to lie in a grid, sorted."""
    return tuple(sorted(kind for family in FAMILIES if not family.refused for kind in family.projectors))


def family_of(projector: str) -> Family | None:
    """The family of a kind of projector, a refused one too; None where it is not known."""
    return next((family for family in FAMILIES if projector in family.projectors), None)


def verified_names() -> str:
    """The families that tests run, for messages."""
    return ", ".join(family.name for family in FAMILIES if family.verified)


def refusal(projector: str) -> str:
    """Why a kind of projector does not load, and what to do; '' where it may."""
    family = family_of(projector)
    if not projector or (family is not None and not family.refused):
        return ""
    kind = f"it is of the kind {projector[:60]}"
    why = "which sees nothing" if projector in HEARING else f"which is not known here, {UNTOLD}"
    why = f"of the family {family.name}: {family.refused}" if family else why
    return (
        f"{kind}, {why}. Take a model of another family; verified are {verified_names()}, others are in "
        "docs/families.md"
    )
