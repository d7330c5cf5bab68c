"""Fixtures: a fake engine for tests of the package alone, the built-in model for those of the whole."""

import hashlib
import os
import sys
from dataclasses import replace

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported: no test reaches the network

import fake_engine as fake
import gguf_files as files
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.hub import known, telling
from lookhere.loading import builtin as registry
from lookhere.steering.head_set import HeadSet, ModelFacts
from PIL import Image
from planted_engine import GAZE, HEADS, LAYERS, Planted
from stand_in_hub import MODEL, PROJECTOR, SECOND, Hub, gguf, in_place_of_the_hub


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


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home without anything of other programs, and a cache of huggingface_hub of its own."""
    from huggingface_hub import constants

    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("OLLAMA_MODELS", "LLAMA_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HF_TOKEN", "LOOKHERE_HEADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    return folder


@pytest.fixture
def hub(home, monkeypatch):
    """The stand-in, in place of Hugging Face."""
    with Hub() as server:
        in_place_of_the_hub(server, monkeypatch)
        yield server


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """What a repository of a Qwen3-VL-2B holds, with few weights."""
    folder = tmp_path_factory.mktemp("published")
    held = ((MODEL, files.LANGUAGE), (SECOND, files.LANGUAGE), (PROJECTOR, files.PROJECTOR))
    return {**{name: gguf(folder / name, values) for name, values in held}, "README.md": b"# a model"}


@pytest.fixture
def looked_up(published, monkeypatch):
    """The table of short names, as if it had been looked up for the files that are published."""

    def renewed(file, name):
        return file and replace(file, sha256=hashlib.sha256(published[name]).hexdigest())

    found = [
        replace(
            model, files=tuple(renewed(file, MODEL) for file in model.files), mmproj=renewed(model.mmproj, PROJECTOR)
        )
        for model in known.known_models()
    ]
    monkeypatch.setattr(known, "known_models", lambda: found)
    return {model.name: model for model in found}


@pytest.fixture
def told():
    """Every line that a download says."""
    lines = []
    with telling.heard_by(lines.append):
        yield lines
