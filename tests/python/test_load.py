"""Loading: every wrong file has its named error and the process lives on."""

import json
import logging
import os
import re
import shlex
from pathlib import Path

import fake_engine as fake
import gguf_files as files
import lookhere
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import HubError, ModelFileError, OptionError, ProjectorError
from lookhere import engine as lookhere_engine
from lookhere.loading.gguf import read_header
from lookhere.loading.pair import find_pair


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
    with lookhere.load(pair[0]) as model, pytest.raises(ProjectorError, match="none is beside it"):
        _ = model.projector
    with pytest.raises(ProjectorError, match="no file"):
        lookhere.load(pair[0], mmproj=tmp_path / "missing.gguf")


@pytest.mark.filterwarnings("default::lookhere.NoProjectorWarning")
def test_a_model_that_sees_without_its_projector(engine, run, tmp_path, monkeypatch):
    """It loads for texts, and says what images need."""
    folder = tmp_path / "alone"
    folder.mkdir()
    fake.write_gguf(folder / "seeing.gguf", "qwen3vl", name="Qwen3 VL 2B Instruct")
    needs = r"'seeing.gguf' looks at texts alone\. Images need its projector: it is published in Qwen/"
    monkeypatch.chdir(folder)
    with pytest.warns(lookhere.NoProjectorWarning, match=needs) as caught:
        model = lookhere.load("seeing.gguf")
    assert caught[0].filename == __file__
    with model:
        assert model.look(lookhere.Text("A cat.")).describe().text == fake.UNSTEERED
        with pytest.raises(ProjectorError, match=r"none is beside it.*looks at texts alone"):
            model.look(np.zeros((32, 32, 3), np.uint8))
    (folder / "notes.txt").write_text("A cat.")
    result = run("describe", "notes.txt", "--model", "seeing.gguf")
    assert (result.exit_code, result.stdout) == (0, f"{fake.UNSTEERED}\n")
    assert re.fullmatch(rf"Warning: The model {needs}.*\n", result.stderr)
    (folder / "mmproj-seeing.gguf").write_bytes(b"<html>")  # one that may be its own
    with pytest.raises(ProjectorError, match="cannot be used"):
        lookhere.load(folder)


def test_files_in_the_wrong_place(engine, pair, tmp_path):
    with pytest.raises(ModelFileError, match="is a projector"):
        lookhere.load(pair[1])
    with pytest.raises(ProjectorError, match="is a language model"):
        lookhere.load(pair[0], mmproj=pair[0])
    with pytest.raises(ModelFileError, match="no file"):
        lookhere.load(tmp_path / "missing.gguf")


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
    for length in range(len(whole)):
        (tmp_path / "x.gguf").write_bytes(whole[:length])
        with pytest.raises(ModelFileError):
            read_header(tmp_path / "x.gguf")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xd8\xff\xe0 JFIF", "a JPEG picture"),
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"PK\x03\x04....", "a zip archive, as PyTorch"),
        (b"\x80\x02}q", "a Python pickle"),
        (b'8E\0\0\0\0\0\0{"__metadata__":', "a safetensors file"),
        (b"<!DOCTYPE html><html>", "a web page: the download gave a page"),
        (b"\n  <html lang=en>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a git-lfs pointer.*git lfs pull"),
        (b'{"error": "Entry not found"}', "text, perhaps JSON"),
        (b"Entry not found", "is text"),
        (bytes(512), "zeros only"),
        (b"", "is empty"),
        (b"GG", "cut off"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b"tjgg\x03", "old GGML format"),
        (b"\x01\xfe\xa7 something", "none of the first bytes"),
    ],
)
def test_what_is_no_gguf_is_told_in_words(tmp_path, content, told):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ModelFileError, match=told) as caught:
        read_header(tmp_path / "x.gguf")
    assert "\\x" not in str(caught.value)


def test_a_piece_of_a_file_that_was_cut(tmp_path):
    (tmp_path / "model.gguf.part2of3").write_bytes(b"\x01\xfe\xa7")
    with pytest.raises(ModelFileError, match="cat PIECE1 PIECE2"):
        read_header(tmp_path / "model.gguf.part2of3")


def test_big_endian_and_first_version(tmp_path):
    with pytest.raises(ModelFileError, match=r"big-endian.*gguf-convert-endian") as caught:
        read_header(files.write(tmp_path / "x.gguf", files.LANGUAGE, order=">"))
    assert "cut off" not in str(caught.value)
    (tmp_path / "x.gguf").write_bytes(b"GGUF\x01\0\0\0" + bytes(100))
    with pytest.raises(ModelFileError, match="version 1"):
        read_header(tmp_path / "x.gguf")


def test_what_a_header_says(tmp_path):
    header = read_header(files.write(tmp_path / "x.gguf", files.LANGUAGE))
    assert (header.kind, header.name, header.quantization) == ("model", "Qwen3 VL 2B Instruct", "Q4_K_M")
    assert (header.of_model("block_count"), header.whole("tokenizer.ggml.tokens")) == (28, 3)
    assert (header.parameters, header.sizes, header.missing) == (256, {8: 272}, 0)
    brief = read_header(tmp_path / "x.gguf", brief=True)
    assert (brief.kind, brief.name, brief.of_model("block_count")) == ("model", "Qwen3 VL 2B Instruct", 0)


def test_text_that_is_no_utf8_is_read(tmp_path):
    files.write(tmp_path / "mmproj.gguf", {**files.PROJECTOR, "x.note": b"\xff"})
    for key in ("general.author", "general.name", "tokenizer.chat_template", "x.note"):
        path = files.write(tmp_path / "x.gguf", {**files.LANGUAGE, key: b"caf\xe9 \xff"})
        assert read_header(path).text(key) == "caf\ufffd \ufffd"
        assert find_pair(path, None) == (path, tmp_path / "mmproj.gguf")


@given(st.dictionaries(st.binary(max_size=12), st.binary(max_size=12), max_size=3))
def test_any_bytes_are_text(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "any.gguf"
    texts = {key: value for key, value in values.items() if key not in (b"general.name", b"split.no")}
    header = read_header(files.write(path, {**files.LANGUAGE, **texts}))
    for key, value in {key.decode(errors="replace"): value for key, value in texts.items()}.items():
        assert header.text(key) == value.decode(errors="replace")
    assert (header.name, header.of_model("block_count")) == ("Qwen3 VL 2B Instruct", 28)


def test_a_lora_is_called_a_lora(engine, pair, tmp_path):
    values = {"general.architecture": "qwen3vl", "general.type": "adapter", "adapter.type": "lora"}
    path = files.write(tmp_path / "lora.gguf", values)
    with pytest.raises(ModelFileError, match=r"is a LoRA adapter for a model of the architecture qwen3vl.*Merge"):
        lookhere.load(path)
    with pytest.raises(ProjectorError, match="is a LoRA adapter"):
        lookhere.load(pair[0], mmproj=path)
    matrix = files.write(tmp_path / "m.gguf", {"general.architecture": "x", "general.type": "imatrix"})
    with pytest.raises(ModelFileError, match="importance matrix"):
        lookhere.load(matrix)


def split(folder, count=2):
    """A model in so many files, each with its own weights."""
    for number in range(count):
        own = files.LANGUAGE if number == 0 else {}
        values = {**own, "split.count": count, "split.no": number}
        files.write(folder / f"m-{number + 1:05}-of-{count:05}.gguf", values)
    files.write(folder / "mmproj.gguf", files.PROJECTOR)
    return [folder / f"m-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def test_any_file_of_a_split_model_leads_to_the_first(tmp_path):
    parts = split(tmp_path, 3)
    for given_as in (parts[0], tmp_path):
        assert find_pair(given_as, None) == (parts[0], tmp_path / "mmproj.gguf")
    for part in parts[1:]:
        with pytest.raises(ModelFileError, match=r"of a split model, .*. Give that one: '.*m-00001-of-00003.gguf'\."):
            find_pair(part, None)


def test_a_split_model_with_a_file_missing(tmp_path):
    first, second, third = split(tmp_path, 3)
    second.unlink()
    with pytest.raises(ModelFileError, match=r"missing beside it: m-00002-of-00003.gguf"):
        find_pair(first, None)
    first.unlink()
    with pytest.raises(ModelFileError, match=r"is file 3 of 3 of a split model.*'m-00001-of-00003.gguf' is missing"):
        find_pair(third, None)
    with pytest.raises(ModelFileError, match=r"holds m-00003-of-00003.gguf, but not the first file"):
        find_pair(tmp_path, None)


def test_a_split_model_with_other_names(tmp_path):
    first, second = split(tmp_path)
    first = first.rename(tmp_path / "first.gguf")
    with pytest.raises(ModelFileError, match=r"must end in -00001-of-00002.gguf"):
        find_pair(first, None)
    with pytest.raises(ModelFileError, match="named as they were published"):
        find_pair(second.rename(tmp_path / "second.gguf"), None)


def test_a_split_model_with_a_file_that_is_cut_off(tmp_path):
    first, second = split(tmp_path)
    second.write_bytes(second.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=f"{second.name}' is cut off: .* by its header 1 are missing"):
        find_pair(first, None)


def test_a_folder(tmp_path):
    with pytest.raises(ModelFileError, match="a folder without a language model; expected"):
        find_pair(tmp_path, None)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelFileError, match=r"model.safetensors is not GGUF"):
        find_pair(tmp_path, None)
    projector = files.write(tmp_path / "vision.gguf", files.PROJECTOR)
    with pytest.raises(ModelFileError, match=r"only a projector: vision.gguf"):
        find_pair(tmp_path, None)
    model = files.write(tmp_path / "b.gguf", files.LANGUAGE)
    (tmp_path / "notes.gguf.txt").write_text("no")
    assert find_pair(tmp_path, None) == find_pair(model, None) == (model, projector)
    assert find_pair(str(tmp_path), tmp_path) == (model, projector)
    named = files.write(tmp_path / "mmproj-b.gguf", files.PROJECTOR)
    assert find_pair(model, None) == (model, named)
    named.unlink()
    files.write(tmp_path / "a.gguf", files.LANGUAGE)
    with pytest.raises(ModelFileError, match=r"2 language models: a.gguf, b.gguf. Name the one .*a.gguf'\)"):
        find_pair(tmp_path, None)


def test_a_folder_as_a_hub_keeps_it(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0123"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for name, values in (("m-Q4_K_M.gguf", files.LANGUAGE), ("mmproj-F16.gguf", files.PROJECTOR)):
        files.write(blobs / name[:3], values)
        (snapshot / name).symlink_to(blobs / name[:3])
    expected = (snapshot / "m-Q4_K_M.gguf", snapshot / "mmproj-F16.gguf")
    assert find_pair(tmp_path, None) == find_pair(expected[0], None) == expected
    (tmp_path / "snapshots" / "4567").mkdir()
    files.write(tmp_path / "snapshots" / "4567" / "m-Q4_K_M.gguf", files.LANGUAGE)
    with pytest.raises(ModelFileError, match=r"2 language models: .*0123/m-Q4_K_M.gguf, .*4567/m-Q4_K_M.gguf"):
        find_pair(tmp_path, None)


def test_a_folder_with_its_models_in_folders(tmp_path):
    for name in ("Q4_K_M", "UD-Q8_K_XL"):
        (tmp_path / name).mkdir()
    model = files.write(tmp_path / "Q4_K_M" / "m.gguf", files.LANGUAGE)
    projector = files.write(tmp_path / "mmproj-F16.gguf", files.PROJECTOR)
    assert find_pair(tmp_path, None) == (model, projector)
    own = files.write(tmp_path / "Q4_K_M" / "mmproj-F16.gguf", files.PROJECTOR)
    assert find_pair(tmp_path, None) == (model, own)
    files.write(tmp_path / "UD-Q8_K_XL" / "m.gguf", files.LANGUAGE)
    with pytest.raises(ModelFileError, match=r"Q4_K_M/m.gguf, UD-Q8_K_XL/m.gguf"):
        find_pair(tmp_path, None)


def test_a_projector_that_is_broken_or_alone(tmp_path):
    model = files.write(tmp_path / "m.gguf", files.LANGUAGE)
    (tmp_path / "mmproj.gguf").write_bytes(b"<html>")
    with pytest.raises(ProjectorError, match=r"cannot be used: .*web page"):
        find_pair(model, None)
    projector = files.write(tmp_path / "mmproj.gguf", files.PROJECTOR)
    with pytest.raises(ModelFileError, match=r"is a projector.*beside it: m.gguf"):
        find_pair(projector, None)
    files.write(tmp_path / "mmproj.gguf", {**files.PROJECTOR, "clip.vision.projection_dim": 1})
    with pytest.raises(ProjectorError, match="rows of 1 numbers"):
        find_pair(model, None)
    (tmp_path / "mmproj.gguf").unlink()
    with pytest.raises(ProjectorError, match="no vision by itself") as caught:
        find_pair(model, None)
    assert "text model" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Qwen/Qwen3-VL-2B-Instruct-GGUF:Q4_K_M", "Qwen/Qwen3-VL-2B-Instruct-GGUF:Q4_K_M is not on this machine"),
        ("qwen3-vl-2b", "qwen3-vl-2b is not on this machine, or not all of it, and HF_HUB_OFFLINE is set"),
        ("hf://Qwen/Qwen3-VL-2B-Instruct-GGUF", "Qwen/Qwen3-VL-2B-Instruct-GGUF is not on this machine"),
        ("https://huggingface.co/a/b-GGUF/resolve/main/q4/a%20b.gguf", "a/b-GGUF/q4/a b.gguf is not on this machine"),
        ("Qwen/Qwen3-VL-2B-Instruct-GGUF/a.gguf", "Qwen/Qwen3-VL-2B-Instruct-GGUF/a.gguf is not on this machine"),
        ("HTTP://example.org/m.gguf?x=1&y=2", "curl -L -O 'http://example.org/m.gguf?x=1&y=2'"),
        ("qwen3-vl:2b", "ollama"),
        ("someone/qwen3-vl:2b", "ollama"),
    ],
)  # fmt: skip
def test_names_and_addresses_without_the_network(engine, pair, monkeypatch, name, told):
    monkeypatch.chdir(pair[0].parent)
    monkeypatch.setenv("HOME", str(pair[0].parent))
    with pytest.raises((HubError, ModelFileError), match=f"(?i){re.escape(told)}"):
        lookhere.load(name)
    with pytest.raises((HubError, ProjectorError), match=f"(?i){re.escape(told)}"):
        lookhere.load(pair[0], mmproj=name)


@pytest.mark.parametrize("name", ["missing.gguf", "./Qwen/Qwen3", "here/missing", "here/missing.gguf", "models/x.bin",
                                  "C:\\models\\m.gguf", "/a/b", "a b/c d"])  # fmt: skip
def test_paths_are_not_taken_for_names(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ModelFileError, match="There is no file"):
        find_pair(name, None)
    for text in ("qwen3-vl-2b", "a/b-GGUF:Q4_K_M", "qwen3-vl:2b"):
        with pytest.raises(ModelFileError, match=r"There is no file|no model of this short name"):
            find_pair(Path(text), None)


@given(st.one_of(
    st.text(max_size=20), st.binary(max_size=8), st.integers(), st.none().map(lambda _: object()), st.floats(),
    st.lists(st.integers(), max_size=2),
    st.from_regex(r"(https?:/{0,3}|hf:(//)?|file:/{0,3}|)[\w./:%?#\[\]@ -]{0,40}", fullmatch=True),
))  # fmt: skip
def test_whatever_is_given_as_a_model(given_as_model):
    assert len(fault(given_as_model, None)) < 2500
    assert len(fault(None, given_as_model)) < 2500


def fault(model, mmproj):
    """What find_pair says; any other error than the two passes through."""
    try:
        find_pair(model, mmproj)
    except (ModelFileError, ProjectorError, HubError) as error:
        return str(error)
    return ""


def test_a_file_address_is_a_path(tmp_path):
    model = files.write(tmp_path / "a b.gguf", files.LANGUAGE)
    projector = files.write(tmp_path / "mmproj.gguf", files.PROJECTOR)
    assert find_pair(model.as_uri(), projector.as_uri()) == (model, projector)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_what_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelFileError, match="is not a file"):
        find_pair(tmp_path / "pipe.gguf", None)


def test_names_that_are_no_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/m\xff.gguf"
    for given_as in (path, os.fsdecode(path), Path(os.fsdecode(path))):
        with pytest.raises(ModelFileError, match=r"not UTF-8.*rename"):
            find_pair(given_as, None)


def test_messages_are_bounded(tmp_path):
    for name in (
        "x" * 10_000,
        "https://example.org/" + "x" * 100_000,
        "a/" + "b" * 100_000,
        "/".join(["y" * 200] * 15),
    ):
        with pytest.raises(ModelFileError) as caught:
            find_pair(name, None)
        assert len(str(caught.value)) < 3000


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


def test_a_head_set_that_is_missing_is_answered_with_the_command_that_finds_one(engine, pair):
    from lookhere.cli import main

    with lookhere.load(pair[0]) as model:
        scene = model.look(np.zeros((32, 32, 3), np.uint8))
        with pytest.raises(
            lookhere.HeadSetMissingError, match=r"lookhere discover .* -o heads.json; then give it"
        ) as told:
            scene.describe(at=lookhere.Point(1, 1))
    words = shlex.split(re.search(r"lookhere (discover .*? -o heads.json)", str(told.value))[1])
    parsed = main.commands["discover"].make_context("discover", words[1:])
    assert (parsed.params["model"], parsed.params["mmproj"]) == pair


def test_advice_of_llama_cpp_comes_under_our_names(caplog):
    advice = "clip: if you encounter problems with accuracy, try adding --image-min-tokens 1024\n"
    with caplog.at_level(logging.WARNING, "lookhere.engine"):
        lookhere_engine._forward(logging.WARNING, advice)
        lookhere_engine._forward(logging.WARNING, "--image-max-tokens is small")
    assert [record.message for record in caplog.records] == [
        "clip: if you encounter problems with accuracy, try load(min_image_tokens=1024)",
        "max_image_tokens is small",
    ]


def test_the_head_set_brings_the_question(engine, pair, head_set):
    asked = lookhere.HeadSet(head_set.model, head_set.heads, prompt="What is it?")
    with lookhere.load(pair[0], heads=asked) as model:
        assert model.prompt == "What is it?"
    with lookhere.load(pair[0]) as model:
        assert model.prompt == lookhere.questions.GENERAL
