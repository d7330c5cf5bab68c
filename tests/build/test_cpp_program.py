"""The C++ example: found by find_package in the installed package, linked with it, and right."""

from __future__ import annotations

import subprocess
from pathlib import Path

import lookhere
import pytest
import stock
from lookhere.comics import generate_strip
from lookhere.loading.builtin import builtin_files

FOUND = stock.our_libraries().parent / "cmake"


def run(*command: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("build")
    run(
        "cmake", "-S", stock.ROOT / "examples/cpp", "-B", build, f"-Dlookhere_DIR={FOUND}", "-DCMAKE_BUILD_TYPE=Release"
    )
    run("cmake", "--build", build)
    return build / "describe"


def test_it_says_what_python_says(program: Path, tmp_path: Path) -> None:
    strip = generate_strip(7, split="held_out", style="colour")
    strip.image.convert("RGB").save(tmp_path / "strip.ppm")
    with lookhere.load(threads=1) as model:
        scene, heads = model.look(strip.image), model.head_set
        assert heads is not None
        ours = [scene.describe(at=lookhere.Box(*box)).text for box in strip.boxes]
        question = model.prompt
    named = ",".join(f"{layer}:{head}" for layer, head in heads.heads)
    for box, text in zip(strip.boxes, ours, strict=True):
        place = ",".join(map(str, box))
        said = run(program, *builtin_files(), tmp_path / "strip.ppm", place, heads.push.strength, named, question)
        assert said == text + "\n"


def test_what_is_wrong_is_told(program: Path, tmp_path: Path) -> None:
    (tmp_path / "strip.ppm").write_bytes(b"P6\n4 4\n255\n")
    given = [*map(str, builtin_files()), str(tmp_path / "strip.ppm"), "0,0,1,1", "5", "0:0", "What?"]
    done = subprocess.run([program, *given], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("strip.ppm is cut off\n")
    assert subprocess.run([program], capture_output=True, check=False).returncode == 2
