"""An assertion that fails on a thread of a graph (ggml_patches/0009)."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("failing_graph.py")


@pytest.mark.parametrize("pool", ["pool", "none"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_a_failed_assertion_ends_the_graph_alone(threads, pool):
    """On whichever thread: the process does not end, the others do not wait for ever, the next graph is right."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(threads), pool], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "survived\n", "")
