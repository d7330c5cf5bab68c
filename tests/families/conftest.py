"""Fixtures: every family that has a recipe, as a tiny pair in the engine."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pairs import RECIPES, Family, made

MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]


@pytest.fixture(scope="module", params=RECIPES)
def family(request: pytest.FixtureRequest) -> Family:
    """One after the other, every family that has a recipe."""
    if MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed: pip install '.[reference]' makes the pairs")
    folder = made(request.param)
    return Family(request.param, folder / "model.gguf", folder / "mmproj.gguf")
