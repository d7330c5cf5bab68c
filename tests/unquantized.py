"""A GGUF file of the same numbers without quantization: what is compared then does not depend on how it was rounded."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np


def fields(reader: gguf.GGUFReader) -> dict[str, object]:
    return {name: field.contents() for name, field in reader.fields.items()}


def tensors(reader: gguf.GGUFReader) -> dict[str, np.ndarray]:
    """Every tensor as float32, (rows, columns)."""
    return {
        t.name: gguf.quants.dequantize(t.data, t.tensor_type)
        .astype(np.float32)
        .reshape(tuple(reversed(t.shape.tolist())))
        for t in reader.tensors
    }


def write(source: Path, target: Path, *, half: bool = False) -> Path:
    """A copy of a GGUF file with every tensor in F32; half: matrices in F16."""
    reader = gguf.GGUFReader(source)
    known = fields(reader)
    out = gguf.GGUFWriter(target, str(known["general.architecture"]))
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        out.add_key_value(name, field.contents(), kind, sub)
    out.add_file_type(1 if half else 0)
    for name, value in tensors(reader).items():
        out.add_tensor(name, value.astype(np.float16) if half and value.ndim > 1 else value)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return target
