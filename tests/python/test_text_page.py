"""The page about texts: what it shows works."""

import re
import shlex
from pathlib import Path

import fake_engine as fake
import pytest
from click.testing import CliRunner
from lookhere.cli import main

PAGE = (Path(__file__).parents[2] / "docs/text.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
    if line.startswith(("lookhere describe", "lookhere narrate"))
]  # fmt: skip
NOTES = "A cat sleeps near the fire in the kitchen.\n\nA dog eats.\n\n" + "A bird sings in the garden. " * 5


@pytest.fixture
def folder(engine, head_set, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text(NOTES)
    fake.write_gguf("smollm2.gguf")
    head_set.write("heads.json")


def test_there_is_something_to_test():
    assert len(COMMANDS) == 3


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(folder, command):
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "row 0, column" in result.stdout


def test_python(folder, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "text.md", "exec"), {})
    described, where, streamed = capsys.readouterr().out.splitlines()
    assert described == fake.steered_text(0, NOTES.index("A dog"))
    assert where.startswith("Span(")
    assert streamed.startswith("row 0, column")
