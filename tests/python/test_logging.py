"""What is logged: llama.cpp's messages at their level through the standard library, and nothing unless it is wanted."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.loading import builtin as registry
from PIL import Image


def ask():
    with lookhere.load() as model:
        model.look(np.zeros((32, 32), np.uint8)).describe(max_tokens=1)


def levels(caplog, level):
    """Levels of what llama.cpp says at work while the app listens from a level on."""
    caplog.clear()
    with caplog.at_level(level, logger="lookhere.engine"):
        ask()
    return {record.levelno for record in caplog.records if record.name == "lookhere.engine"}


def test_the_app_chooses_the_level(builtin, caplog):
    assert logging.INFO in levels(caplog, logging.INFO)
    assert not levels(caplog, logging.INFO) - {logging.INFO, logging.WARNING}
    assert logging.DEBUG in levels(caplog, logging.DEBUG)
    assert not levels(caplog, logging.ERROR)


def test_errors_are_errors(builtin, caplog, tmp_path):
    whole = Path(builtin.path).read_bytes()
    (tmp_path / "changed.gguf").write_bytes(whole.replace(b"blk.0.attn_q.weight", b"blk.0.attn_x.weight"))
    with caplog.at_level(logging.WARNING, logger="lookhere.engine"), pytest.raises(lookhere.ModelFileError):
        lookhere.load(tmp_path / "changed.gguf", mmproj=registry.builtin_files()[1])
    said = [record for record in caplog.records if record.name == "lookhere.engine"]
    assert any(record.levelno == logging.ERROR and "blk." in record.getMessage() for record in said)
    assert all(record.getMessage() == record.getMessage().rstrip() for record in said)


def test_the_package_tells_what_it_loads(builtin, caplog):
    with caplog.at_level(logging.INFO, logger="lookhere"):
        ask()
    told = [record.getMessage() for record in caplog.records if record.name == "lookhere.model"]
    assert len(told) == 1
    assert "model.gguf" in told[0]


QUIET = """
import logging, sys, numpy, lookhere
if sys.argv[1:]:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s")
with lookhere.load() as model:
    model.look(numpy.zeros((32, 32), numpy.uint8)).describe(max_tokens=1)
try:
    lookhere.load("none.gguf")
except lookhere.ModelFileError:
    pass
"""


def test_quiet_unless_the_app_configures_logging(builtin):
    def stderr(*args):
        return subprocess.run(
            [sys.executable, "-c", QUIET, *args], check=True, capture_output=True, text=True, timeout=300
        ).stderr

    assert stderr() == ""
    assert "INFO lookhere.engine" in stderr("listen")


@pytest.fixture
def run(builtin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (32, 32)).save("x.png")
    return lambda *args: CliRunner().invoke(main, ["describe", "x.png", "--max-tokens", "1", *args])


def test_verbose(run):
    quiet, told, detailed = run(), run("-v"), run("-vv")
    assert (quiet.exit_code, quiet.stderr) == (0, "")
    for loud in (told, detailed):
        assert (loud.exit_code, loud.stdout) == (0, quiet.stdout)
        assert all(re.match(r"(DEBUG|INFO|WARNING) +lookhere\.\w+: ", line) for line in loud.stderr.splitlines())
    assert "INFO    lookhere.model: " in told.stderr
    assert "DEBUG" not in told.stderr
    assert "DEBUG" in detailed.stderr
    assert run().stderr == ""  # it was for that command alone
    assert logging.getLogger("lookhere").level == logging.NOTSET


def test_verbose_does_not_hide_an_error(run):
    result = run("-v", "--model", "none.gguf")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].startswith("Error: There is no file 'none.gguf'")
