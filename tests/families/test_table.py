"""The table of the pairs: every kind of projector that lookhere knows has a recipe, or a reason why not."""

from __future__ import annotations

import subprocess
import sys

import pytest
import stock
from lookhere.families import FAMILIES, family_of
from pairs import NOT_MADE, RECIPES, converter, made


def test_every_kind_of_projector_is_made_or_said_not_to_be():
    known = {kind for family in FAMILIES for kind in family.projectors}
    with_recipe = {recipe.projector for recipe in RECIPES.values()}
    assert with_recipe | set(NOT_MADE) == known
    assert not with_recipe & set(NOT_MADE)
    assert all(reason.strip() for reason in NOT_MADE.values())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_the_language_model_of_its_family(name):
    recipe = RECIPES[name]
    family = family_of(recipe.projector)
    assert family is not None
    assert recipe.architecture in family.architectures
    assert recipe.source.is_file()


def test_the_list_names_every_family():
    command = [sys.executable, str(stock.ROOT / "tools" / "families"), "--list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(name in told for name in (*RECIPES, *NOT_MADE))


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    pytest.importorskip("transformers", reason="the extra `reference` is not installed")
    kept = made("pixtral")
    command = [sys.executable, str(stock.ROOT / "tools" / "families"), "pixtral", str(tmp_path), "--llama"]
    subprocess.run([*command, str(converter())], check=True, capture_output=True)
    for name in ("model.gguf", "mmproj.gguf"):
        assert (tmp_path / name).read_bytes() == (kept / name).read_bytes()
