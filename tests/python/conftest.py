"""Fixtures: a fake engine for tests of the package alone, the built-in model for those of the whole."""

import os
import sys

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import settings
from lookhere.cli import main
from lookhere.loading import builtin as registry
from lookhere.steering.head_set import HeadSet, ModelFacts
from PIL import Image
from planted_engine import GAZE, HEADS, LAYERS, Planted

# A busy machine is not a failure. CI=1 draws the same values each time; without it, new ones are tried.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")


@pytest.fixture
def engine(monkeypatch):
    """The fake engine in place of the compiled one."""
    monkeypatch.setitem(sys.modules, "lookhere._engine", fake)
    monkeypatch.setattr(lookhere, "_engine", fake, raising=False)
    return fake


@pytest.fixture
def made_up_system(tmp_path):
    """Writes files of /proc and /sys by their names; returns the folder that stands for the root."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


@pytest.fixture
def head_set():
    return HeadSet(ModelFacts("Fake", "fake", 4, 2), ((1, 0), (3, 1)), queries="answer", source="made up")


@pytest.fixture
def pair(tmp_path):
    """A model and its projector for the fake engine."""
    return fake.write_gguf(tmp_path / "model.gguf"), fake.write_gguf(tmp_path / "mmproj-model.gguf", "clip")


@pytest.fixture
def model(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set) as loaded:
        yield loaded


@pytest.fixture
def planted(engine, monkeypatch):
    """Gaze heads planted in the fake engine."""
    return Planted().install(monkeypatch)


@pytest.fixture
def planted_files(planted, tmp_path):
    """A model with planted gaze heads and its projector."""
    facts = {"layers": LAYERS, "heads": HEADS, "context": 100_000}
    return fake.write_gguf(tmp_path / "model.gguf", **facts), fake.write_gguf(tmp_path / "mmproj.gguf", "clip")


@pytest.fixture
def planted_model(planted_files):
    """The model with planted gaze heads, loaded with them."""
    with lookhere.load(planted_files[0], heads=GAZE) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def builtin(gpu_layers):
    """The built-in model in the real engine."""
    pytest.importorskip("lookhere._engine", reason="the engine is not built")
    try:
        registry.builtin_files()
    except lookhere.ModelFileError as error:
        pytest.skip(str(error))
    if registry.builtin_head_set() is None:
        pytest.skip("the built-in model has no head set")
    with lookhere.load(gpu_layers=gpu_layers) as loaded:
        yield loaded


@pytest.fixture
def run(engine, pair, head_set, tmp_path, monkeypatch):
    """Runs a command with the fake engine and a fake built-in model, in an empty folder with a strip.png."""
    monkeypatch.setattr(registry, "builtin_files", lambda: pair)
    monkeypatch.setattr(registry, "builtin_head_set", lambda: head_set)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((32, 96, 3), 200, np.uint8)).save("strip.png")
    return lambda *args, **options: CliRunner().invoke(main, [str(arg) for arg in args], **options)
