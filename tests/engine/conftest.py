"""Fixtures: the built-in model in the engine, or the pair that LOOKHERE_TEST_MODEL and LOOKHERE_TEST_MMPROJ name."""

import ctypes
import os
import sys
from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere.loading import builtin as registry

sys.path.insert(0, str(Path(__file__).parent))

from harness import BATCH, Batch, engine


@pytest.fixture(scope="module")
def model_files():
    named = os.environ.get("LOOKHERE_TEST_MODEL"), os.environ.get("LOOKHERE_TEST_MMPROJ")
    if all(named):
        return named
    try:
        return tuple(map(str, registry.builtin_files()))
    except lookhere.ModelFileError as error:
        pytest.fail(f"{error} Or name a pair in LOOKHERE_TEST_MODEL and LOOKHERE_TEST_MMPROJ.")


@pytest.fixture(scope="module")
def model(model_files, gpu_layers):
    return engine.Model(model_files[0], gpu_layers=gpu_layers)


@pytest.fixture(scope="module")
def projector(model, model_files, gpu_layers):
    return engine.Projector(model_files[1], model, threads=1, gpu=gpu_layers > 0)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def image(projector, pixels):
    return projector.encode(pixels)


@pytest.fixture
def session(model):
    with_session = engine.Session(model, context=1024, threads=1, batch=BATCH)
    yield with_session
    with_session.close()


@pytest.fixture(scope="module")
def prompt(model):
    return model.tokenize("Describe the scene.", parse_special=False)


@pytest.fixture(scope="module")
def native():
    """llama.cpp's C API in the library that the engine uses."""
    folder = Path(lookhere.__file__).parent / "lib"
    path = next(p for name in ("*lookhere*", "*mtmd*") for p in sorted(folder.glob(name)))
    lib = ctypes.CDLL(str(path))
    for name in ("mtmd_bitmap_init", "mtmd_input_chunks_init", "llama_get_logits_ith", "llama_get_memory"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.llama_batch_get_one.restype = Batch
    lib.llama_state_seq_get_size.restype = lib.llama_state_seq_get_data.restype = ctypes.c_size_t
    return lib


@pytest.fixture
def damaged(tmp_path, model_files):
    """(which of the pair, what is done to its bytes) -> a file."""

    def make(which, change):
        path = tmp_path / "damaged.gguf"
        path.write_bytes(change(Path(model_files[which]).read_bytes()))
        return str(path)

    return make
