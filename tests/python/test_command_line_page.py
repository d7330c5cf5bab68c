"""The page about the command line: what it shows works, and it names every command."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.loading import builtin as registry
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs/command-line.md").read_text()
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
            for line in block.splitlines()]  # fmt: skip


@pytest.fixture
def run(engine, pair, head_set, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "builtin_files", lambda: pair)
    monkeypatch.setattr(registry, "builtin_head_set", lambda: head_set)
    monkeypatch.chdir(tmp_path)
    for name in ("strip.png", "page.png", "street.jpg"):
        Image.fromarray(np.full((320, 240, 3), 200, np.uint8)).save(name)
    return lambda command: CliRunner().invoke(main, shlex.split(command)[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(run, command):
    result = run(command)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.strip()
    for option, file in re.findall(r"(--heatmap|--show-grid) (\S+)", command):
        assert Path(file).exists(), option


def test_every_command_is_named():
    assert re.findall(r"^\| `lookhere (\w+)", PAGE, re.MULTILINE) == list(main.commands)


def test_the_object_of_a_token_has_these_keys(run):
    shown = json.loads(re.search(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1])
    printed = json.loads(run("lookhere narrate strip.png --schedule 2 --json").stdout.splitlines()[0])
    assert list(shown) == list(printed)


def test_the_same_in_python(run, capsys):
    code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
    printed = run("lookhere narrate strip.png --schedule 4,2,1 --every 20").stdout
    exec(compile(code, "command-line.md", "exec"), {})
    assert capsys.readouterr().out + "\n" == printed
