"""What discovery writes for research: attention of all heads, rankings that others' code reads, a table beside the
paper's."""

import json
import re
from pathlib import Path

import jsonschema
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import HeadSet
from lookhere.cli import main
from lookhere.lab import calibration
from lookhere.lab.controls import PAPER, table
from lookhere.lab.ranking import Scores, read_ranking
from planted_engine import HEADS, LAYERS, PLANTED

COMMAND = ["--strips", "3", "--calibration", "2", "--panel-size", "64", "--readers", "0"]


@pytest.fixture
def written(planted_files, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "FIRST", (5.0,))
    monkeypatch.setattr(calibration, "CHANGES", 0)
    folder, out = tmp_path / "results", tmp_path / "heads.json"
    result = CliRunner().invoke(
        main, ["discover", str(planted_files[0]), "-o", str(out), *COMMAND, "--results", str(folder)]
    )
    assert result.exit_code == 0, result.output
    return folder, HeadSet.read(out), result


def test_everything_comes_from_one_command(written):
    folder, heads, result = written
    assert sorted(each.name for each in folder.iterdir()) == [
        "attention.npz", "gaze_head_ranking.json", "ranking.json", "table.md",
    ]  # fmt: skip
    for name in ("attention.npz", "table.md"):
        assert name in result.stderr
    with np.load(folder / "attention.npz") as arrays:
        for place in ("prompt", "answer"):
            a = arrays[f"attention_{place}"]
            assert (a.shape, a.dtype) == ((LAYERS, HEADS, 6, 6), np.float32)
            scores = Scores.of(a.astype(np.float64))
            for name in ("mass", "selectivity", "guarded"):
                np.testing.assert_allclose(arrays[f"{name}_{place}"], getattr(scores, name), atol=2e-5)
    paper = json.loads((folder / "gaze_head_ranking.json").read_text())
    assert (paper["layers"], paper["heads_per_layer"], len(paper["heads"])) == (LAYERS, HEADS, LAYERS * HEADS)
    assert paper["score"].startswith("selectivity (row-normalised attention), 0 below a floor of mass, ")
    assert {(each["layer"], each["head"]) for each in paper["heads"][:3]} == set(PLANTED)
    ours = HeadSet.read(folder / "ranking.json")
    again = read_ranking(folder / "gaze_head_ranking.json", heads.model)
    assert (again.heads, again.scores) == (ours.heads, ours.scores)
    controls = heads.evidence["controls"]
    assert controls["pictures"] == "2 fresh generated strips"
    assert (controls["asked"], controls["gaze"][0], controls["all"][0]) == (12, 1, 0)
    assert len(controls["random"]) == 10
    assert max(controls["random"]) < 0.5  # none of them is planted
    schema = json.loads((Path(lookhere.__file__).parent / "data/heads/schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps({"x": controls}))["x"],
                        schema["properties"]["evidence"]["properties"]["controls"])  # fmt: skip
    text = (folder / "table.md").read_text()
    assert text == table(heads, heads.evidence["controls"])
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {5}
    assert rows[2][:2] == ["Fake", f"{len(heads.heads)} of {LAYERS * HEADS}"]
    assert rows[2][2].startswith("100.0% (")
    assert rows[2][4].startswith("0.0% (")
    assert re.search(
        r"^\| Qwen3-VL-8B \(Gaze Heads\) \| 100 of 1,152 \| 83\.1% \| 14\.6% \| 0\.9% \|$", text, re.MULTILINE
    )
    assert len(rows) == 3 + len(PAPER)


def test_files_that_are_there_are_not_replaced(planted_files, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "attention.npz").write_bytes(b"mine")
    arguments = [
        "discover",
        str(planted_files[0]),
        "-o",
        str(tmp_path / "other.json"),
        *COMMAND,
        "--results",
        str(folder),
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert re.search(r"--results, attention\.npz: .* is there already", result.stderr)
    (tmp_path / "file").write_text("x")
    result = CliRunner().invoke(main, [*arguments[:-1], str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "is no folder and cannot be made" in result.stderr
