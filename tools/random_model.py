"""A GGUF pair with the true shape of a Qwen3-VL and random weights: for timing, never for answers.

    python tools/random_model.py 2B FOLDER [--type Q4_K_M] [--layers N] [--vocabulary GGUF] [--template JINJA]

Writes FOLDER/model.gguf and FOLDER/mmproj.gguf (F16). Tensor types are those that llama.cpp's quantization chooses; one
tensor at a time is in memory. The vocabulary is the built-in model's, filled up to the true size, or the true one:
--vocabulary takes models/ggml-vocab-qwen2.gguf of llama.cpp's source, to which Qwen3-VL's special tokens are added, and
--template the published chat template. --layers cuts the language model. The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from random_blocks import blocks

VOCABULARY = 151_936
FIRST_ADDED = 151_646
ADDED = (
    "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
    "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
"""Special tokens of Qwen2.5-VL and Qwen3-VL that Qwen2 lacks, from their tokenizer_config.json."""
BUILTIN = Path(__file__).resolve().parents[1] / "python" / "lookhere" / "data" / "models" / "model.gguf"
TYPES = ("Q4_K_M", "Q5_K_M", "Q8_0", "F16")
_FILE_TYPES = {kind: gguf.LlamaFileType[f"MOSTLY_{kind}"] for kind in TYPES}


@dataclass(frozen=True)
class Vision:
    """The vision tower; deepstack: layers whose output reaches the language model's first layers."""

    layers: int
    width: int
    feed_forward: int
    deepstack: tuple[int, ...]
    heads: int = 16
    patch: int = 16
    side: int = 48  # of the grid of learned positions


@dataclass(frozen=True)
class Shape:
    """A language model and its vision tower. tied: the embedding is the output matrix too."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    tied: bool
    vision: Vision
    heads_kv: int = 8
    head: int = 128
    sections: tuple[int, ...] = (24, 20, 20, 0)
    vocabulary: int = VOCABULARY


_SMALL = Vision(24, 1024, 4096, (5, 11, 17))
_LARGE = Vision(27, 1152, 4304, (8, 16, 24))
SHAPES = {
    "2B": Shape(28, 2048, 6144, 16, True, _SMALL),
    "4B": Shape(36, 2560, 9728, 32, True, _SMALL),
    "8B": Shape(36, 4096, 12288, 32, False, _LARGE),
    "32B": Shape(64, 5120, 25600, 64, False, _LARGE),
}


@dataclass(frozen=True)
class Words:
    """A GGUF file whose tokens are taken, and a chat template; None: that file's own."""

    vocabulary: Path = BUILTIN
    template: Path | None = None

    def add_to(self, out: gguf.GGUFWriter, size: int) -> None:
        """What is missing of the size is tokens that no text becomes."""
        known = gguf.GGUFReader(self.vocabulary)

        def of(key: str) -> list[object]:
            field = known.get_field(key)
            assert field is not None, key
            return field.contents()

        tokens, kinds = of("tokenizer.ggml.tokens"), of("tokenizer.ggml.token_type")
        missing = range(len(tokens), size)
        if tokens[FIRST_ADDED : FIRST_ADDED + 1] == [f"[PAD{FIRST_ADDED}]"]:
            added = slice(FIRST_ADDED, FIRST_ADDED + len(ADDED))
            tokens[added], kinds[added] = ADDED, [gguf.TokenType.CONTROL] * len(ADDED)
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre("qwen2")
        out.add_token_list([*tokens, *(f"[{token}]" for token in missing)])
        out.add_token_types([*kinds, *(gguf.TokenType.NORMAL for _ in missing)])
        out.add_token_merges(of("tokenizer.ggml.merges"))
        out.add_eos_token_id(tokens.index("<|im_end|>"))
        out.add_bos_token_id(tokens.index("<|endoftext|>"))
        out.add_add_bos_token(False)
        template = of("tokenizer.chat_template") if self.template is None else self.template.read_text()
        out.add_chat_template(template)


@dataclass(frozen=True)
class Tensor:
    """shape: as numpy has it, rows first. value: None for random weights."""

    name: str
    shape: tuple[int, ...]
    kind: Type
    value: float | None = None

    @property
    def bytes(self) -> int:
        values, size = gguf.GGML_QUANT_SIZES[self.kind]
        return math.prod(self.shape) // values * size

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """The tensor's bytes."""
        if self.value is not None:
            return np.full(self.shape, self.value, np.float32)
        count = math.prod(self.shape) // gguf.GGML_QUANT_SIZES[self.kind][0]
        return blocks(rng, self.kind, count, 1 / math.sqrt(math.prod(self.shape[1:])))


def better(layer: int, layers: int) -> bool:
    """Whether Q4_K_M and Q5_K_M spend Q6_K on this layer's values and on the way back from its feed-forward part."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def text_tensors(shape: Shape, kind: str) -> Iterator[Tensor]:
    """The language model's, in the order of the file."""
    plain = Type[kind.removesuffix("_M")]
    more = Type.Q6_K if kind.endswith("_M") else plain
    rows, kv, width = shape.heads * shape.head, shape.heads_kv * shape.head, shape.width
    if not shape.tied:
        yield Tensor("output.weight", (shape.vocabulary, width), more)
    yield Tensor("token_embd.weight", (shape.vocabulary, width), more if shape.tied else plain)
    yield Tensor("output_norm.weight", (width,), Type.F32, 1.0)
    for layer in range(shape.layers):
        best = more if better(layer, shape.layers) else plain
        parts: list[tuple[str, tuple[int, ...], Type]] = [
            ("attn_norm", (width,), Type.F32),
            ("attn_q", (rows, width), plain),
            ("attn_k", (kv, width), plain),
            ("attn_v", (kv, width), best),
            ("attn_q_norm", (shape.head,), Type.F32),
            ("attn_k_norm", (shape.head,), Type.F32),
            ("attn_output", (width, rows), plain),
            ("ffn_norm", (width,), Type.F32),
            ("ffn_gate", (shape.feed_forward, width), plain),
            ("ffn_up", (shape.feed_forward, width), plain),
            ("ffn_down", (width, shape.feed_forward), best),
        ]
        for name, size, type_ in parts:
            yield Tensor(f"blk.{layer}.{name}.weight", size, type_, 1.0 if len(size) == 1 else None)


def vision_tensors(shape: Shape) -> Iterator[Tensor]:
    """The projector's, matrices in F16."""
    vision = shape.vision
    width, merged = vision.width, 4 * vision.width

    def norm(name: str, size: int) -> Iterator[Tensor]:
        yield Tensor(f"{name}.weight", (size,), Type.F32, 1.0)
        yield Tensor(f"{name}.bias", (size,), Type.F32, 0.0)

    def linear(name: str, to: int, of: int) -> Iterator[Tensor]:
        yield Tensor(f"{name}.weight", (to, of), Type.F16)
        yield Tensor(f"{name}.bias", (to,), Type.F32, 0.0)

    for name in ("v.patch_embd.weight", "v.patch_embd.weight.1"):
        yield Tensor(name, (width, 3, vision.patch, vision.patch), Type.F16)
    yield Tensor("v.patch_embd.bias", (width,), Type.F32, 0.0)
    yield Tensor("v.position_embd.weight", (vision.side**2, width), Type.F32)
    for layer in range(vision.layers):
        at = f"v.blk.{layer}"
        yield from norm(f"{at}.ln1", width)
        yield from linear(f"{at}.attn_qkv", 3 * width, width)
        yield from linear(f"{at}.attn_out", width, width)
        yield from norm(f"{at}.ln2", width)
        yield from linear(f"{at}.ffn_up", vision.feed_forward, width)
        yield from linear(f"{at}.ffn_down", width, vision.feed_forward)
    yield from norm("v.post_ln", width)
    for layer in vision.deepstack:
        yield from norm(f"v.deepstack.{layer}.norm", merged)
        yield from linear(f"v.deepstack.{layer}.fc1", merged, merged)
        yield from linear(f"v.deepstack.{layer}.fc2", shape.width, merged)
    yield from linear("mm.0", merged, merged)
    yield from linear("mm.2", shape.width, merged)


def write_text(path: Path, name: str, shape: Shape, kind: str, seed: int = 0, words: Words | None = None) -> None:
    """The language model."""
    out = gguf.GGUFWriter(path, "qwen3vl")
    out.add_type("model")
    out.add_name(name)
    out.add_file_type(_FILE_TYPES[kind])
    out.add_block_count(shape.layers)
    out.add_context_length(262_144)
    out.add_embedding_length(shape.width)
    out.add_feed_forward_length(shape.feed_forward)
    out.add_head_count(shape.heads)
    out.add_head_count_kv(shape.heads_kv)
    out.add_key_length(shape.head)
    out.add_value_length(shape.head)
    out.add_rope_freq_base(5_000_000.0)
    out.add_rope_dimension_sections(list(shape.sections))
    out.add_layer_norm_rms_eps(1e-6)
    out.add_uint32("qwen3vl.n_deepstack_layers", len(shape.vision.deepstack))
    (words or Words()).add_to(out, shape.vocabulary)
    _write(out, list(text_tensors(shape, kind)), np.random.default_rng([seed, 0]))


def write_projector(path: Path, name: str, shape: Shape, seed: int = 0) -> None:
    """The vision tower and its projector."""
    vision = shape.vision
    out = gguf.GGUFWriter(path, "clip")
    out.add_type("mmproj")
    out.add_name(name)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    out.add_clip_has_vision_encoder(True)
    out.add_clip_projector_type("qwen3vl_merger")
    out.add_vision_use_gelu(True)
    out.add_vision_projection_dim(shape.width)
    out.add_vision_image_size(vision.side * vision.patch)
    out.add_vision_patch_size(vision.patch)
    out.add_vision_spatial_merge_size(2)
    out.add_vision_embedding_length(vision.width)
    out.add_vision_feed_forward_length(vision.feed_forward)
    out.add_vision_block_count(vision.layers)
    out.add_vision_head_count(vision.heads)
    out.add_vision_attention_layernorm_eps(1e-6)
    out.add_vision_image_mean([0.5] * 3)
    out.add_vision_image_std([0.5] * 3)
    out.add_vision_is_deepstack_layers([layer in vision.deepstack for layer in range(vision.layers)])
    _write(out, list(vision_tensors(shape)), np.random.default_rng([seed, 1]))


def write_pair(
    folder: Path, size: str, kind: str, *, layers: int | None = None, seed: int = 0, words: Words | None = None
) -> tuple[Path, Path]:
    """model.gguf and mmproj.gguf; layers: of the language model, None for all."""
    shape = SHAPES[size]
    if layers is not None:
        least = len(shape.vision.deepstack) + 1  # the last layer must not be one that the vision tower feeds
        if not least <= layers <= shape.layers:
            raise ValueError(f"layers={layers}; expected {least} to {shape.layers} for {size}")
        shape = replace(shape, layers=layers)
    folder.mkdir(parents=True, exist_ok=True)
    model, projector = folder / "model.gguf", folder / "mmproj.gguf"
    name = f"Qwen3-VL-{size}-Instruct, random weights"
    part = folder / "part"  # whoever has mapped an older file keeps it whole
    write_text(part, name, shape, kind, seed, words)
    part.replace(model)
    write_projector(part, name, shape, seed)
    part.replace(projector)
    return model, projector


def _write(out: gguf.GGUFWriter, tensors: list[Tensor], rng: np.random.Generator) -> None:
    """Everything, tensor by tensor."""
    for tensor in tensors:
        out.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.bytes, tensor.kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_ti_data_to_file()
    for tensor in tensors:
        out.write_tensor_data(tensor.draw(rng))
    out.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--type", dest="kind", choices=TYPES, default="Q4_K_M")
    parser.add_argument("--layers", type=int, default=None, help="of the language model; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocabulary", type=Path, default=BUILTIN, help="GGUF file; default: the built-in model's")
    parser.add_argument("--template", type=Path, default=None, help="chat template; default: the vocabulary file's")
    args = parser.parse_args()
    words = Words(args.vocabulary, args.template)
    try:
        written = write_pair(args.folder, args.size, args.kind, layers=args.layers, seed=args.seed, words=words)
    except ValueError as error:
        parser.error(str(error))
    for path in written:
        print(f"{path} {path.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
