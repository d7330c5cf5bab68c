"""A device that lacks what steering wants: steered all the same, exactly, with the CPU doing what the device cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stock import our_build, our_libraries, source

NOTHING, SINKS, FLASH_ATTENTION = "0", "1", "2"
LAYERS, BATCHES, STEERED = 6, 6, 4  # of the tiny model; of a scene; layers with a steered head
ROUNDED = {"atol": 2e-2, "rtol": 1e-3}  # without flash attention llama.cpp rounds queries and probabilities to F16
EXACT = {"atol": 1e-4, "rtol": 0}
HERE = Path(__file__).resolve().parent

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A scene on the CPU ("cpu"), or on a pretended device that lacks something."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the pretended device is built without sanitizers")
    compiler = our_build()["cxx_compiler"]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler}, which lookhere was built with, is not here")
    folder = tmp_path_factory.mktemp("pretend")
    source(folder / "llama.cpp")
    ggml = folder / "llama.cpp" / "ggml"
    library = next(p for p in our_libraries().iterdir() if p.name.endswith(("llama.so", "llama.dylib")))
    pretend = folder / "libpretend.so"
    subprocess.run(
        [compiler, "-std=c++17", "-shared", "-fPIC", f"-I{ggml / 'include'}", f"-I{ggml / 'src'}",
         HERE / "pretend_device.cpp", library, f"-Wl,-rpath,{library.parent}", "-o", pretend],
        check=True,
    )  # fmt: skip

    @cache
    def answered(lacks: str, flash: str = "on") -> dict[str, Any]:
        command = [
            sys.executable,
            HERE / "on_pretend_device.py",
            pretend,
            our_libraries(),
            models["qwen3vl"],
            lacks,
            flash,
        ]
        answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return answer

    return answered


@pytest.fixture(scope="module")
def on_cpu(run: Run) -> dict[str, Any]:
    return run("cpu")


@pytest.mark.parametrize(
    ("lacks", "flash"), [(NOTHING, "on"), (SINKS, "on"), (FLASH_ATTENTION, "on"), (FLASH_ATTENTION, "auto")]
)
def test_steering_is_exact_whatever_the_device_lacks(run: Run, on_cpu: dict[str, Any], lacks: str, flash: str) -> None:
    """With `auto`, as the engine loads a model, llama.cpp does without flash attention where the device has none."""
    found = run(lacks, flash)
    for name in ("unsteered", "steered", "read", "rows"):
        np.testing.assert_allclose(found[name], on_cpu[name], **(EXACT if flash == "on" else ROUNDED), err_msg=name)
    assert np.abs(np.subtract(on_cpu["steered"], on_cpu["unsteered"])).max() > 0.1, "steering did nothing"


def test_what_is_read_goes_to_pinned_memory(run: Run, on_cpu: dict[str, Any]) -> None:
    """A copy to other memory would make the host wait. Without such memory the batch fails, and the next does not."""
    pinned, others = run(NOTHING)["copies"]
    assert pinned > 0
    assert others == 0
    assert run(NOTHING)["without memory"] == -2
    assert len(run(NOTHING)["rows"]) == 12
    assert on_cpu["without memory"] == 0


def test_the_fast_path_is_for_the_cpu_alone(run: Run, on_cpu: dict[str, Any]) -> None:
    assert on_cpu["grouped"] is True
    assert run(NOTHING)["grouped"] is False


def test_each_attention_runs_where_it_can(run: Run, on_cpu: dict[str, Any]) -> None:
    ran = {lacks: run(lacks) for lacks in (NOTHING, SINKS, FLASH_ATTENTION)}
    on_device = {lacks: (r["unsteered, on the device"], r["steered, on the device"]) for lacks, r in ran.items()}
    passes = BATCHES * LAYERS  # one for each batch and layer; a steered layer has two, neither with sinks
    assert on_device[NOTHING] == (passes, passes + BATCHES * STEERED)
    assert on_device[SINKS] == (passes, passes + BATCHES * STEERED)
    assert on_device[FLASH_ATTENTION] == (0, 0)
    assert on_cpu["steered, on the device"] == 0
