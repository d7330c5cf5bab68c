"""Loading: every wrong file has its named error and the process lives on."""

import json

import fake_engine as fake
import lookhere
import pytest
from lookhere import ModelFileError, OptionError, ProjectorError
from lookhere.loading.gguf import read_header


def test_the_projector_beside_the_model_is_found(engine, pair):
    with lookhere.load(pair[0]) as model:
        assert model.name == "Fake"
        assert repr(model) == "<Model Fake, fake, 4 layers of 2 heads>"
        assert model.path == str(pair[0])


def test_no_projector_or_too_many(engine, pair, tmp_path):
    fake.write_gguf(tmp_path / "mmproj-other.gguf", "clip")
    with pytest.raises(ProjectorError, match=r"2 of them are beside it.*mmproj-model.gguf.*mmproj="):
        lookhere.load(pair[0])
    for path in tmp_path.glob("mmproj*"):
        path.unlink()
    with pytest.raises(ProjectorError, match="none is beside it"):
        lookhere.load(pair[0])
    with pytest.raises(ProjectorError, match="no file"):
        lookhere.load(pair[0], mmproj=tmp_path / "missing.gguf")


def test_files_in_the_wrong_place(engine, pair, tmp_path):
    with pytest.raises(ModelFileError, match="is a projector"):
        lookhere.load(pair[1])
    with pytest.raises(ProjectorError, match="is a language model"):
        lookhere.load(pair[0], mmproj=pair[0])
    with pytest.raises(ModelFileError, match="no file"):
        lookhere.load(tmp_path / "missing.gguf")
    with pytest.raises(ModelFileError, match="is a folder"):
        lookhere.load(tmp_path)


def test_a_pair_that_does_not_match(engine, pair, tmp_path):
    other = fake.write_gguf(tmp_path / "other.gguf", "clip", width=16)
    with pytest.raises(ProjectorError, match=r"does not work with this model.*n_embd = 8"):
        lookhere.load(pair[0], mmproj=other)


def test_a_model_that_does_not_load(engine, pair, tmp_path):
    broken = fake.write_gguf(tmp_path / "broken.gguf", broken=True)
    with pytest.raises(ModelFileError, match="attn_q"):
        lookhere.load(broken, mmproj=pair[1])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"hello, I am not a model",
        b"GGUF" + b"\xff" * 100,
        b"GGUF" + (3).to_bytes(4, "little") + bytes(16),
        b"GGUF" + (9).to_bytes(4, "little") + bytes(16),
        b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (2**60).to_bytes(8, "little"),
        b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (5).to_bytes(8, "little") + (2**62).to_bytes(8, "little"),
    ],
)
def test_what_is_no_gguf(engine, pair, tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ModelFileError, match="expected"):
        lookhere.load(tmp_path / "x.gguf", mmproj=pair[1])
    with pytest.raises(ProjectorError, match="expected"):
        lookhere.load(pair[0], mmproj=tmp_path / "x.gguf")


def test_a_header_cut_anywhere(tmp_path):
    whole = fake.write_gguf(tmp_path / "x.gguf").read_bytes()
    assert read_header(tmp_path / "x.gguf").name == "Fake"
    for length in range(whole.index(b"general.name")):
        (tmp_path / "x.gguf").write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            read_header(tmp_path / "x.gguf")


def test_heads_from_a_file_and_of_another_model(engine, pair, head_set, tmp_path):
    head_set.write(tmp_path / "heads.json")
    with lookhere.load(pair[0], heads=tmp_path / "heads.json") as model:
        assert model.heads == head_set
    data = json.loads((tmp_path / "heads.json").read_text())
    data["model"]["layers"], data["heads"][0]["layer"] = 9, 8
    (tmp_path / "heads.json").write_text(json.dumps(data))
    with pytest.raises(lookhere.HeadSetError, match="layer 8, head 0"):
        lookhere.load(pair[0], heads=tmp_path / "heads.json")


@pytest.mark.parametrize(
    "options",
    [{"context": 0}, {"threads": 0}, {"context": 1.5}, {"kv_type": "q3"}, {"flash_attention": "yes"},
     {"gpu_layers": -1}, {"min_image_tokens": 9, "max_image_tokens": 4}, {"context": 2**22 + 1},
     {"max_image_tokens": 2**16 + 1}, {"mmap": 1}],
)  # fmt: skip
def test_options_out_of_range(engine, pair, options):
    with pytest.raises(OptionError):
        lookhere.load(pair[0], **options)


def test_layers_on_a_gpu_that_is_not_there(engine, pair, monkeypatch):
    with pytest.raises(OptionError, match=r"gpu_layers=9, but llama.cpp sees no GPU, only CPU \(fake\)"):
        lookhere.load(pair[0], gpu_layers=9)
    monkeypatch.setattr(engine, "sees_gpu", lambda: True)
    lookhere.load(pair[0], gpu_layers=9).close()


def test_the_head_set_brings_the_question(engine, pair, head_set):
    asked = lookhere.HeadSet(head_set.model, head_set.heads, prompt="What is it?")
    with lookhere.load(pair[0], heads=asked) as model:
        assert model.prompt == "What is it?"
    with lookhere.load(pair[0]) as model:
        assert model.prompt == lookhere.questions.GENERAL
