"""The doctor: what a model is and needs, told from headers alone, and what to do next."""

import json
import re
import shlex
import time

import gguf_files as files
import pytest
from click.testing import CliRunner
from lookhere.cli import main
from lookhere.kv import memory
from lookhere.loading.doctor import examine
from lookhere.loading.ggml_types import FILE_TYPES, TYPES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the pair of a Qwen3-VL-2B, 40 GiB being free."""
    monkeypatch.setattr(memory, "available", lambda: 40 * 2**30)
    files.write(tmp_path / "Qwen3VL-2B-Q4_K_M.gguf", files.LANGUAGE)
    files.write(tmp_path / "mmproj-F16.gguf", files.PROJECTOR)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_a_pair_in_a_folder(folder):
    report = examine(folder)
    model, projector = report.model, report.projector
    assert (model.name, model.architecture, model.layers, model.heads) == ("Qwen3 VL 2B Instruct", "qwen3vl", 28, 16)
    assert (model.quantization, model.context, model.parameters) == ("Q4_K_M", 262144, 256)
    assert (projector.kind, projector.family, projector.why, projector.given) == (
        "qwen3vl_merger",
        "Qwen3-VL and 3.5",
        "",
        False,
    )
    assert report.head_set == "Qwen/Qwen3-VL-2B-Instruct"
    assert (report.loads, report.vision, report.problems) == (True, True, ())
    assert report.template.own
    assert not report.template.why
    assert report.memory.context == 1000 * 28 * 8 * 256 * 2
    assert report.memory.weights == sum(path.stat().st_size for path in folder.iterdir())
    assert report.memory.needed < report.memory.free
    assert "--box" in report.steps[-1]


def test_the_command_says_it_in_words_and_as_json(folder):
    said = run(folder)
    assert (said.exit_code, said.stderr) == (0, "")
    for words in ("It can be loaded.", "Qwen3 VL 2B", "Q4_K_M", "mmproj-F16.gguf (found beside", "family", "Qwen3-VL",
                  "fits", "head set", "usable", "40.0 GiB are free", "(a guess)", "What to do next"):  # fmt: skip
        assert words in said.stdout
    printed = json.loads(run(folder, "--json").stdout)
    assert printed["loads"] is True
    assert printed["model"]["quantization"] == "Q4_K_M"
    assert printed["projector"]["family"] == "Qwen3-VL and 3.5"
    assert printed["memory"]["free"] == 40 * 2**30
    wrong = run(folder / "nothing.gguf", "--json")
    assert wrong.exit_code == 1
    assert "no file" in json.loads(wrong.stdout)["problems"][0]


def test_the_commands_that_it_names_can_be_copied(folder, monkeypatch):
    files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", {**files.LANGUAGE, "general.name": "my own"})
    place = folder.rename(folder.with_name("a folder's name"))
    report = examine(place)
    assert report.head_set is None
    commands = [step[step.index("lookhere ") :] for step in report.steps]
    assert [command.split()[1] for command in commands] == ["discover", "describe"]
    for command in commands:
        words = shlex.split(command)
        assert str(place / "Qwen3VL-2B-Q4_K_M.gguf") in words
        assert words[words.index("--mmproj") + 1] == str(place / "mmproj-F16.gguf")
        parsed = main.commands[words[1]].make_context(words[1], words[2:], resilient_parsing=False)
        assert parsed.params["mmproj"] == place / "mmproj-F16.gguf"


def test_the_built_in_model():
    report = examine()
    assert report.loads
    assert report.model.name == report.head_set == "lookhere built-in"
    assert "--model" not in report.steps[-1]
    said = run()
    assert said.exit_code == 0
    assert "mmproj.gguf (comes with lookhere)" in said.stdout


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"clip.projector_type": "granite4_vision"}, "of the kind granite4_vision, of the family Granite 4 Vision"),
        ({"clip.projector_type": "new"}, "of the kind new, which is not known here.*verified are Qwen2-VL"),
        ({"clip.vision.projection_dim": 4096}, "rows of 4096 numbers, the model takes rows of 2048"),
        ({"clip.vision.is_deepstack_layers": [False]}, "feeds 0 layers.*expects 3"),
        ({"general.architecture": "llama"}, "language model"),
        ({"clip.projector_type": ""}, "does not say which kind"),
    ],
)
def test_a_projector_that_does_not_fit(folder, change, problem):
    other = files.write(folder / "other.gguf", {**files.PROJECTOR, **change})
    report = examine(folder / "Qwen3VL-2B-Q4_K_M.gguf", mmproj=other)
    assert not report.loads
    assert re.search(problem, report.problems[0])
    assert run(folder / "Qwen3VL-2B-Q4_K_M.gguf", "--mmproj", other).exit_code == 1


def test_of_several_projectors_the_one_that_fits(folder):
    files.write(folder / "mmproj-of-8B.gguf", {**files.PROJECTOR, "clip.vision.projection_dim": 4096})
    assert examine(folder).projector.file == str(folder / "mmproj-F16.gguf")
    files.write(folder / "mmproj-BF16.gguf", files.PROJECTOR)
    report = examine(folder)
    assert "2 of them are beside it (mmproj-BF16.gguf, mmproj-F16.gguf)" in report.problems[0]
    assert (report.loads, report.vision, report.projector) == (False, False, None)


def test_too_little_memory(folder, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 100)
    report = examine(folder)
    assert "0.0 GiB of memory are free" in report.problems[-1]
    monkeypatch.setattr(memory, "available", lambda: report.memory.needed - 1)
    assert "Memory is short" in " ".join(examine(folder).steps)
    monkeypatch.setattr(memory, "available", lambda: None)
    assert examine(folder).loads
    assert "free" not in run(folder).stdout


def test_templates(folder):
    model = folder / "Qwen3VL-2B-Q4_K_M.gguf"
    files.write(model, {**files.LANGUAGE, "tokenizer.chat_template": "{{ raise_exception('no images') }}"})
    report = examine(folder)
    assert report.loads
    assert "no images" in report.template.why
    assert "chat_template=" in report.steps[0]
    files.write(model, {key: value for key, value in files.LANGUAGE.items() if "template" not in key})
    report = examine(folder)
    assert (report.template.own, report.template.why) == (False, "")


def test_a_text_model_alone(tmp_path):
    text = {"general.architecture": "llama", "general.name": "Llama", "tokenizer.ggml.model": "gpt2"}
    files.write(tmp_path / "llama.gguf", text)
    report = examine(tmp_path / "llama.gguf")
    assert (report.vision, report.loads, report.projector, report.problems) == (False, True, None, ())
    assert "texts alone" in report.steps[0]
    assert "--text -o heads.json" in report.steps[1]
    assert "describe notes.txt" in report.steps[2]
    result = run(tmp_path)
    assert (result.exit_code, "vision         no" in result.stdout) == (0, True)
    files.write(tmp_path / "mmproj.gguf", {**files.PROJECTOR, "clip.vision.projection_dim": 1})
    text["llama.embedding_length"] = 64
    files.write(tmp_path / "llama.gguf", text)
    assert examine(tmp_path / "llama.gguf").loads  # the projector is another model's
    (tmp_path / "mmproj.gguf").write_bytes(b"<html>")
    assert "cannot be used" in examine(tmp_path / "llama.gguf").problems[0]


def test_a_model_without_a_tokenizer(folder):
    del (values := dict(files.LANGUAGE))["tokenizer.ggml.model"]
    files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", values)
    assert "no tokenizer" in examine(folder).problems[0]


def test_heads_of_keys_by_layer(folder):
    values = {**files.LANGUAGE, "qwen3vl.attention.head_count_kv": [8] * 14 + [0] * 14}
    files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", values)
    assert examine(folder).memory.context == 1000 * 14 * 8 * 256 * 2


def test_names_print_no_control_characters(folder):
    values = {**files.LANGUAGE, "general.name": "evil\x1b[2J\x07\nname"}
    files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", values)
    assert "\x1b" not in run(folder).stdout
    assert "evil?[2J??name" in run(folder).stdout


def test_a_large_file_takes_no_longer_than_its_table_of_tokens(folder):
    model = folder / "Qwen3VL-2B-Q4_K_M.gguf"
    words = [f"token{k}" for k in range(152_000)]
    values = {**files.LANGUAGE, "tokenizer.ggml.tokens": words, "tokenizer.ggml.merges": words}
    files.write(model, values, [(f"blk.{k}.weight", (4096, 4096), 8) for k in range(400)])
    with model.open("r+b") as file:
        file.truncate(20 * 2**30)  # a sparse file
    start = time.process_time()
    report = examine(folder)
    assert time.process_time() - start < 5
    assert report.model.size == 20 * 2**30
    assert report.model.parameters == 400 * 4096 * 4096


def test_the_tables_are_those_of_ggml():
    import gguf

    ours = {number: (name, block, size) for number, (name, block, size) in TYPES.items()}
    theirs = {kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType}
    assert {number: each for number, each in theirs.items() if number in ours} == ours
    kinds = {each.value: each.name.removeprefix("MOSTLY_").removeprefix("ALL_") for each in gguf.LlamaFileType}
    assert {number: kinds[number].removesuffix("_MOE") for number in FILE_TYPES} == FILE_TYPES


def test_guessed_memory_is_of_the_order_of_the_words(folder):
    """The rows of logits of a batch are most of what a model with a large vocabulary computes with."""
    values = {**files.LANGUAGE, "tokenizer.ggml.tokens": ["x"] * 151_936}
    files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", values)
    compute = examine(folder).memory.compute
    assert 512 * 151_936 * 4 < compute < 2 * 2**30


def test_split_files_count_together(folder):
    model = folder / "Qwen3VL-2B-Q4_K_M.gguf"
    model.unlink()
    split = {"split.count": 2, "split.no": 0}
    first = files.write(folder / "m-00001-of-00002.gguf", {**files.LANGUAGE, **split})
    files.write(folder / "m-00002-of-00002.gguf", {"split.count": 2, "split.no": 1})
    for given in (folder, first):
        report = examine(given)
        assert report.loads
        assert len(report.model.files) == 2
        assert report.model.parameters == 512
        assert report.model.size > first.stat().st_size
    assert "and 1 more" in run(folder).stdout
    assert "Give that one" in run(folder / "m-00002-of-00002.gguf").stdout


def test_a_file_that_is_cut_off(folder):
    model = files.write(folder / "Qwen3VL-2B-Q4_K_M.gguf", files.LANGUAGE, data=False)
    assert "cut off" in examine(model).problems[0]
