"""Fixtures: the built-in model in transformers, and llama.cpp's C API on the same numbers in F32."""

from __future__ import annotations

import os
from pathlib import Path

import capi
import checkpoint
import pytest
import unquantized
from stock import our_libraries


@pytest.fixture(scope="session")
def pair() -> tuple[Path, Path]:
    """The built-in model's files, or those of LOOKHERE_TEST_MODEL (a folder)."""
    folder = os.environ.get("LOOKHERE_TEST_MODEL")
    if folder:
        return Path(folder) / "model.gguf", Path(folder) / "mmproj.gguf"
    from lookhere.loading.builtin import builtin_files

    return builtin_files()


@pytest.fixture(scope="session")
def reference(pair: tuple[Path, Path]):  # noqa: ANN201 - transformers' own type is private
    model = checkpoint.load(*pair)
    import steered_attention  # noqa: F401 - registers it

    model.model.language_model.config._attn_implementation = "lookhere_reference"
    return model


@pytest.fixture(scope="session")
def f32(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("f32")
    return unquantized.write(pair[0], folder / "model.gguf"), unquantized.write(pair[1], folder / "mmproj.gguf")


@pytest.fixture(scope="session")
def api() -> capi.Api:
    return capi.Api(our_libraries())
