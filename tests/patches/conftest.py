"""Fixtures of the proofs: patched and stock libraries, tiny models of several families."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import capi
import tiny


@pytest.fixture(scope="session")
def patched() -> capi.Api:
    """The libraries that lookhere was installed with (or those of LOOKHERE_PATCHED_LIBRARIES)."""
    folder = os.environ.get("LOOKHERE_PATCHED_LIBRARIES")
    if not folder:
        import lookhere

        folder = str(Path(lookhere.__file__).parent / "lib")
    return capi.Api(Path(folder))


@pytest.fixture(scope="session")
def stock() -> capi.Api:
    """Libraries built from the unpatched source."""
    from stock import stock_libraries

    return capi.Api(stock_libraries())


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {arch: tiny.write(folder / f"{arch}.gguf", arch) for arch in ("qwen3vl", "gemma3", "refact", "mamba")}
