"""The page about Python: its blocks run, and its tables name what there is."""

import dataclasses
import inspect
import re
from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere.answers.ask import OPTIONS
from lookhere.loading import builtin as registry
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def first_column(title):
    """The names in the first column of the table with this title."""
    table = re.search(rf"^\| {re.escape(title)} \|.*?\n\n", PAGE + "\n\n", re.MULTILINE | re.DOTALL)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def needs_anyio(code):
    if "asyncio" in code:
        pytest.importorskip("anyio")


@pytest.mark.parametrize("code", BLOCKS)
def test_blocks(engine, pair, head_set, tmp_path, monkeypatch, capsys, code):
    needs_anyio(code)
    monkeypatch.setattr(registry, "builtin_files", lambda: pair)
    monkeypatch.setattr(registry, "builtin_head_set", lambda: head_set)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((32, 96, 3), 200, np.uint8)).save("strip.png")
    exec(compile(code, "python.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.strip()
    assert "too long" not in printed


@pytest.mark.parametrize("code", BLOCKS)
def test_blocks_with_the_built_in_model(builtin, tmp_path, monkeypatch, capsys, code):
    needs_anyio(code)
    from lookhere.comics import generate_strip

    monkeypatch.chdir(tmp_path)
    generate_strip(7).image.save("strip.png")
    exec(compile(code, "python.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_the_tables_are_complete():
    assert sorted(first_column("`load(...)`")) == sorted(inspect.signature(lookhere.load).parameters)
    stream = set(inspect.signature(lookhere.Scene.stream).parameters) - {"self", "options"} | set(OPTIONS)
    assert sorted(first_column("argument")) == sorted(stream)
    for kind in (lookhere.Step, lookhere.Answer):
        assert sorted(first_column(f"`{kind.__name__}`")) == sorted(each.name for each in dataclasses.fields(kind))
