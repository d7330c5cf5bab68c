"""The page about whole folders: its commands run, its rows are rows, and its answer has the keys of an answer."""

import json
import re
import shlex
from pathlib import Path

import pytest
from lookhere.batch.jobs import Rows
from lookhere.batch.plan import Plan
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs/batch.md").read_text()
COMMANDS = re.search(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1].splitlines()
LINES = [json.loads(line) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
         for line in block.splitlines()]  # fmt: skip
JOBS, ANSWER = [each for each in LINES if "text" not in each], next(each for each in LINES if "text" in each)


@pytest.fixture
def folder(run):
    size = {"width": 96, "height": 32}
    Path("photos").mkdir()
    for number, name in enumerate(("a.png", "b.png", "photos/c.jpg", "photos/d.png")):
        Image.new("RGB", (96, 32), (number, 0, 0)).save(name)
    Path("jobs.jsonl").write_text("\n".join(map(json.dumps, JOBS)))
    labels = {
        "images": [{"id": 1, "file_name": "d.png", **size}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 20]}],
    }
    Path("boxes.json").write_text(json.dumps(labels))
    return lambda command: run(*shlex.split(command)[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(folder, command, capsys):
    result = folder(command)
    assert (result.exit_code, result.stdout) == (0, ""), result.stderr
    output = re.search(r"-o (\S+)", command)[1]
    answers = [json.loads(line) for line in Path(output).read_text().splitlines()]
    assert len(answers) == {"answers": 4, "captions": 2, "panels": 12, "four": 8, "boxes": 1}[Path(output).stem]
    assert all(list(each) == list(ANSWER) for each in answers)
    if output == "answers.jsonl":
        code = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1]
        exec(compile(code, "batch.md", "exec"), {})
        assert len(capsys.readouterr().out.splitlines()) == 4


def test_rows():
    assert Plan(Rows(JOBS), {}).bad == []
    assert len(JOBS) == 4
