"""The tool that writes random models: types as llama.cpp's own quantization chooses them, outputs finite."""

import ctypes
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from harness import engine

sys.path.append(str(Path(__file__).parents[2] / "tools"))

import random_model
from random_blocks import blocks

TINY = random_model.Vision(layers=2, width=64, feed_forward=64, deepstack=(0,), heads=2, patch=16, side=4)


def tiny(layers, *, tied):
    return random_model.Shape(layers, 256, 512, 2, tied, TINY, heads_kv=1, vocabulary=1024)


class QuantizeParams(ctypes.Structure):
    """llama_model_quantize_params: the first fields, and the others as they are."""

    _fields_ = [("threads", ctypes.c_int32), ("kind", ctypes.c_int), ("others", ctypes.c_uint64 * 7)]


@pytest.mark.parametrize("kind", [Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.Q8_0, Type.F16, Type.F32])
@pytest.mark.parametrize("columns", [1024, 25_600])
def test_blocks_have_the_mean_and_deviation_that_were_asked_for(kind, columns):
    wanted = columns**-0.5
    drawn = blocks(np.random.default_rng(0), kind, 200_000 // gguf.GGML_QUANT_SIZES[kind][0], wanted)
    values = gguf.quants.dequantize(drawn, kind).astype(np.float64)
    assert abs(values.mean()) < 0.02 * wanted
    assert values.std() == pytest.approx(wanted, rel=0.02)


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="Q2_K is not drawn"):
        blocks(np.random.default_rng(0), Type.Q2_K, 1, 1.0)


@pytest.mark.parametrize(
    ("kind", "tied", "layers"),
    [("Q4_K_M", True, 28), ("Q4_K_M", False, 36), ("Q5_K_M", True, 28), ("Q5_K_M", False, 36), ("Q8_0", False, 4)],
)
def test_types_are_those_of_llama_cpp(native, tmp_path, kind, tied, layers):
    shape = tiny(layers, tied=tied)
    random_model.write_text(tmp_path / "f16.gguf", "tiny", shape, "F16")
    native.llama_model_quantize_default_params.restype = QuantizeParams
    params = native.llama_model_quantize_default_params()
    params.threads, params.kind = 1, int(random_model._FILE_TYPES[kind])
    done = native.llama_model_quantize(
        str(tmp_path / "f16.gguf").encode(), str(tmp_path / "quantized.gguf").encode(), ctypes.byref(params)
    )
    assert done == 0
    theirs = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(tmp_path / "quantized.gguf").tensors}
    assert {tensor.name: tensor.kind for tensor in random_model.text_tensors(shape, kind)} == theirs


@pytest.mark.parametrize(("kind", "tied"), [("Q4_K_M", True), ("Q8_0", False)])
def test_a_pair_runs(tmp_path, kind, tied, monkeypatch):
    monkeypatch.setitem(random_model.SHAPES, "tiny", tiny(4, tied=tied))
    paths = random_model.write_pair(tmp_path, "tiny", kind)
    model = engine.Model(str(paths[0]))
    projector = engine.Projector(str(paths[1]), model, threads=1)
    image = projector.encode(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    embeddings = image.embeddings()
    assert 0.1 < embeddings.std() < 10
    session = engine.Session(model, context=256, threads=1)
    session.decode_image(image)
    for token in (1, 2, 1023):
        session.decode([token], outputs=[0])
        logits = session.logits()
        assert np.isfinite(logits).all()
        assert 0.5 < logits.std() < 2
    session.close()
    projector.close()
    model.close()


def test_too_few_layers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected 4 to 28"):
        random_model.write_pair(tmp_path, "2B", "Q8_0", layers=3)
