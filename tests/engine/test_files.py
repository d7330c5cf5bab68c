"""Files that are missing, damaged, swapped, or do not fit: a named error, and the process lives."""

import shutil
import subprocess
import sys
from pathlib import Path

import lookhere
import numpy as np
import pytest
from harness import engine
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b"", "not a GGUF file: it has 0 bytes"),
        (lambda b: b"PNG" + b[3:], "does not begin with the letters GGUF"),
        (lambda b: b[:4], "broken GGUF header"),
        (lambda b: b[:1000], "broken GGUF header"),
        (lambda b: b[:4] + b"\xff" * 8 + b[12:], "broken GGUF header"),
        (lambda b: b[: len(b) * 3 // 4], "cut off|file bounds|incomplete"),
        (lambda b: b.replace(b"general.architecture", b"general.architectura", 1), "which architecture"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_files(model, damaged, which, change, message):
    path = damaged(which, change)
    with pytest.raises(engine.LoadError, match=message):
        engine.Projector(path, model, threads=1) if which else engine.Model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.replace(b"qwen3vl_merger", b"gemma3_merger_", 1), "unknown projector type: gemma3_merger_"),
        (lambda b: b.replace(b"v.patch_embd.bias", b"v.patch_embd.bios", 1), "v.patch_embd.bias"),
        (lambda b: b.replace(b"mm.2.weight", b"mm.3.weight", 1), "cannot load.*mm.2.weight"),
        (lambda b: b.replace(b"clip.vision.image_mean", b"clip.vision.image_neam", 1), "image_mean"),
        (lambda b: b.replace(b"clip.vision.block_count", b"clip.vision.block_cound", 1), "clip.vision.block_count"),
        (lambda b: b.replace(b"clip.has_vision_encoder", b"clip.has_vision_encodes", 1), "no vision encoder"),
    ],
)
def test_projectors_that_cannot_be(model, damaged, change, message):
    with pytest.raises(engine.LoadError, match=message):
        engine.Projector(damaged(1, change), model, threads=1)


def test_a_check_of_llama_cpp_itself_does_not_end_the_process(model, damaged, pixels, projector):
    key = b"clip.vision.attention.head_count"

    def seven_heads(data):  # no divisor of the width: a failed assertion when the graph is built
        at = data.index(key) + len(key) + 4
        return data[:at] + (7).to_bytes(4, "little") + data[at + 4 :]

    broken = engine.Projector(damaged(1, seven_heads), model, threads=1)
    with pytest.raises(engine.EngineError, match="a check of its own"):
        broken.encode(pixels)
    with pytest.raises(engine.EngineError, match="failed before"):
        broken.encode(pixels)
    assert projector.encode(pixels).tokens


def test_swapped_and_missing_files(model, model_files, tmp_path):
    with pytest.raises(engine.LoadError, match="swapped"):
        engine.Model(model_files[1])
    with pytest.raises(engine.LoadError, match="swapped"):
        engine.Projector(model_files[0], model, threads=1)
    with pytest.raises(engine.LoadError, match="no such file"):
        engine.Model(str(tmp_path / "none.gguf"))
    with pytest.raises(engine.LoadError, match="not a file"):
        engine.Model(str(tmp_path))


def test_a_projector_of_another_width(model_files, tmp_path):
    """The text model of another size is made by hand: its first DeepStack count is changed."""
    data = Path(model_files[0]).read_bytes()
    key = b"n_deepstack_layers"
    at = data.index(key) + len(key) + 4  # past the value's type
    other = tmp_path / "other.gguf"
    other.write_bytes(data[:at] + (data[at] + 1).to_bytes(1, "little") + data[at + 1 :])
    with pytest.raises(engine.LoadError, match="mismatch between text model"):
        engine.Projector(model_files[1], engine.Model(str(other)), threads=1)


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 0},
        {"threads": 10_000},
        {"threads": 1, "min_tokens": 9, "max_tokens": 8},
        {"threads": 1, "min_tokens": -1},
    ],
)
def test_projector_options(model, model_files, options):
    with pytest.raises(engine.LoadError, match="expected"):
        engine.Projector(model_files[1], model, **options)


def test_a_mapped_file_is_computed_with_alike(model_files):
    answers = []
    for mmap in (False, True):
        model = engine.Model(model_files[0], mmap=mmap)
        session = engine.Session(model, context=256, threads=1)
        session.decode(model.tokenize("Describe the scene.", parse_special=False), outputs=[0])
        answers.append(session.logits(0).copy())
    assert np.array_equal(*answers)


def with_text(data, key, text):
    """The file with the beginning of a text replaced."""
    at = data.index(key) + len(key) + 4  # past the value's type
    length = int.from_bytes(data[at : at + 8], "little")
    text = text[:length]
    return data[: at + 8] + text + data[at + 8 + len(text) :], text + data[at + 8 + len(text) : at + 8 + length]


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=1, max_size=12).filter(lambda text: b"\0" not in text))
def test_text_that_is_no_utf8_is_read(model_files, tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "not_utf8.gguf"
    data, name = with_text(Path(model_files[0]).read_bytes(), b"general.name", text)
    data, template = with_text(data, b"tokenizer.chat_template", text)
    path.write_bytes(data)
    model = engine.Model(str(path))
    assert model.metadata["general.name"] == name.decode(errors="replace")
    assert model.chat_template == template.decode(errors="replace")
    with lookhere.load(path, mmproj=model_files[1]) as loaded:
        assert loaded.name == name.decode(errors="replace")


def test_a_message_quotes_text_that_is_no_utf8(damaged):
    path = damaged(0, lambda data: with_text(data, b"general.architecture", b"caf\xe9")[0])
    with pytest.raises(engine.LoadError, match="caf\ufffd"):
        engine.Model(path)


CUT = """
import sys
from lookhere import _engine
model = _engine.Model(sys.argv[1])
open(sys.argv[1], "w").close()
session = _engine.Session(model, context=256, threads=1)
session.decode([1, 2], outputs=[1])
print(session.logits(0).sum() != 0)
"""


def test_a_file_that_is_cut_short_while_it_is_loaded_does_no_harm(model_files, tmp_path):
    path = shutil.copy(model_files[0], tmp_path / "model.gguf")
    ended = subprocess.run([sys.executable, "-c", CUT, path], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr
