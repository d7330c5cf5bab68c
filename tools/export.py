"""Checkpoint -> GGUF pair, with the converter of llama.cpp's own source.

    python tools/export.py CHECKPOINT OUT --llama SOURCE [--quantize Q8_0 --libllama libllama.so]

SOURCE is the unpacked vendor/llama.cpp of the pinned source package. Writes OUT/model.gguf and
OUT/mmproj.gguf (F16, or quantized text). Both carry `lookhere.image_min_tokens` and
`lookhere.image_max_tokens`: llama.cpp takes a Qwen-VL model's image size limits from its caller only.
"""

from __future__ import annotations

import argparse
import ctypes
import runpy
import sys
from pathlib import Path

from vlm import MAX_TOKENS, MIN_TOKENS

FTYPES = {"Q8_0": 7, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18}


class QuantizeParams(ctypes.Structure):
    """llama_model_quantize_params of llama.h."""

    _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int), ("output_tensor_type", ctypes.c_int),
                ("token_embedding_type", ctypes.c_int), ("allow_requantize", ctypes.c_bool),
                ("quantize_output_tensor", ctypes.c_bool), ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool),
                ("keep_split", ctypes.c_bool), ("dry_run", ctypes.c_bool), ("imatrix", ctypes.c_void_p),
                ("kv_overrides", ctypes.c_void_p), ("tt_overrides", ctypes.c_void_p),
                ("prune_layers", ctypes.c_void_p), ("max_buf_size", ctypes.c_size_t)]


def convert(
    source: Path, checkpoint: Path, out: Path, mmproj: bool, outtype: str, name: str = "lookhere built-in"
) -> None:  # fmt: skip
    """Run the converter in this process, with what it cannot know declared."""
    sys.path.insert(0, str(source))
    sys.path.insert(0, str(source / "gguf-py"))
    from conversion import base

    # The hash of a tokenizer trained here is unknown to it; its pattern is Qwen 2's (see vlm.PATTERN).
    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
    for cls in (base.TextModel, base.MmprojModel):
        if not hasattr(cls, "_lookhere"):
            def more(self, original=cls.set_gguf_parameters):
                original(self)
                self.gguf_writer.add_uint32("lookhere.image_min_tokens", MIN_TOKENS)
                self.gguf_writer.add_uint32("lookhere.image_max_tokens", MAX_TOKENS)

            cls.set_gguf_parameters = more
            cls._lookhere = True
    sys.argv = ["convert_hf_to_gguf.py", str(checkpoint), "--outfile", str(out), "--outtype", outtype,
                "--model-name", name, *(["--mmproj"] if mmproj else [])]
    runpy.run_path(str(source / "convert_hf_to_gguf.py"), run_name="__main__")


def quantize(library: Path, source: Path, out: Path, kind: str) -> None:
    llama = ctypes.CDLL(str(library))
    llama.llama_model_quantize_default_params.restype = QuantizeParams
    llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(QuantizeParams)]
    llama.llama_model_quantize.restype = ctypes.c_uint32
    params = llama.llama_model_quantize_default_params()
    params.ftype, params.nthread = FTYPES[kind], 1
    if llama.llama_model_quantize(str(source).encode(), str(out).encode(), ctypes.byref(params)):
        raise SystemExit(f"{library} could not quantize {source} to {kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--llama", type=Path, required=True)
    parser.add_argument("--quantize", choices=FTYPES)
    parser.add_argument("--libllama", type=Path)
    parser.add_argument("--mmproj-type", default="f16", choices=("f32", "f16", "q8_0"))
    args = parser.parse_args()
    if args.quantize and not args.libllama:
        parser.error("--quantize needs --libllama")
    args.out.mkdir(parents=True, exist_ok=True)
    text = args.out / ("model-f16.gguf" if args.quantize else "model.gguf")
    convert(args.llama, args.checkpoint, text, False, "f16")
    convert(args.llama, args.checkpoint, args.out / "mmproj.gguf", True, args.mmproj_type)
    if args.quantize:
        quantize(args.libllama, text, args.out / "model.gguf", args.quantize)
    for file in sorted(args.out.glob("*.gguf")):
        print(f"{file.name}: {file.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
