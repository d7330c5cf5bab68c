"""The built-in model in other types, made by llama.cpp's own quantization, and in several files."""

from __future__ import annotations

import ctypes
from pathlib import Path

import gguf
import lookhere
import unquantized
from lookhere.loading.builtin import builtin_files

WEIGHTS = {"F16": 1, "Q8_0": 7, "Q6_K": 18, "Q5_K_M": 17, "Q4_K_M": 15, "IQ4_XS": 30}
"""llama_ftype by name."""
BLOCK = 32
"""Values that Q8_0 rounds together; rows of another length stay as they are."""


class Params(ctypes.Structure):
    """llama_model_quantize_params of llama.h."""

    _fields_ = [
        ("nthread", ctypes.c_int32), ("ftype", ctypes.c_int), ("output_tensor_type", ctypes.c_int),
        ("token_embedding_type", ctypes.c_int), ("allow_requantize", ctypes.c_bool),
        ("quantize_output_tensor", ctypes.c_bool), ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool),
        ("keep_split", ctypes.c_bool), ("dry_run", ctypes.c_bool), ("imatrix", ctypes.c_void_p),
        ("kv_overrides", ctypes.c_void_p), ("tt_overrides", ctypes.c_void_p), ("prune_layers", ctypes.c_void_p),
        ("max_buf_size", ctypes.c_size_t),
    ]  # fmt: skip


def model(folder: Path, kind: str) -> Path:
    """The language model with weights of a type; those of the shipped file, which is Q8_0, are rounded again."""
    target = folder / f"model-{kind}.gguf"
    if not target.exists():
        half = folder / "model-F16.gguf"
        if not half.exists():
            unquantized.write(builtin_files()[0], half, half=True)
        if kind != "F16":
            _quantize(half, target, WEIGHTS[kind])
    return target


def _quantize(source: Path, target: Path, kind: int) -> None:
    folder = Path(lookhere.__file__).parent / "lib"
    llama = ctypes.CDLL(str(next(path for name in ("*lookhere*", "*llama*") for path in sorted(folder.glob(name)))))
    llama.llama_model_quantize_default_params.restype = Params
    llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params)]
    params = llama.llama_model_quantize_default_params()
    params.ftype, params.nthread = kind, 1
    if llama.llama_model_quantize(bytes(source), bytes(target), ctypes.byref(params)):
        raise RuntimeError(f"llama.cpp could not quantize {source} to type {kind}")


def projector(folder: Path, kind: str) -> Path:
    """The projector with weights in F16 (as shipped) or Q8_0."""
    shipped = builtin_files()[1]
    if kind == "F16":
        return shipped
    target = folder / f"mmproj-{kind}.gguf"
    if not target.exists():
        _copy(shipped, target, gguf.GGMLQuantizationType[kind])
    return target


def split(folder: Path, tensors: int) -> Path:
    """The shipped language model in files of so many tensors; the first of them."""
    _copy(builtin_files()[0], folder / "split.gguf", None, tensors)
    return min(folder.glob("split-*.gguf"))


def _copy(source: Path, target: Path, kind: gguf.GGMLQuantizationType | None, tensors: int = 0) -> None:
    reader = gguf.GGUFReader(source)
    known = unquantized.fields(reader)
    out = gguf.GGUFWriter(target, str(known["general.architecture"]), split_max_tensors=tensors)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            types = field.types
            out.add_key_value(name, field.contents(), types[0], types[-1] if len(types) > 1 else None)
    for tensor in reader.tensors:
        data, held = tensor.data, tensor.tensor_type
        if kind is not None and data.ndim == 2 and data.shape[-1] % BLOCK == 0 and held.name == "F16":
            data, held = gguf.quants.quantize(data.astype("float32"), kind), kind
        out.add_tensor(tensor.name, data, raw_dtype=held)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
