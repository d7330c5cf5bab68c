"""Short names, the choice of files, the choice of heads, and the commands about both."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import gguf_files as files
import lookhere
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lookhere import BaseHeadSetWarning, HeadSet, HeadSetError, HubError
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.families import FAMILIES
from lookhere.hub.choice import DEFAULT, PROJECTORS, HubFile, choose, quantizations
from lookhere.hub.file_hash import sha256
from lookhere.hub.known import ROOM, close_names, known_model, known_models
from lookhere.hub.name import HubName, OllamaName, name_of
from lookhere.loading import builtin as registry
from lookhere.loading.doctor import examine
from lookhere.loading.gguf import Header
from lookhere.loading.head_choice import known_heads, match
from lookhere.loading.pair import find_pair
from lookhere.steering.head_set import ModelFacts
from stand_in_hub import MODEL, PROJECTOR, REPO

PAGE = (Path(__file__).parents[2] / "docs/models.md").read_text()
FACTS = ModelFacts("Qwen/Qwen3-VL-2B-Instruct", "qwen3vl", 28, 16)
QUANTIZATIONS = ("IQ1_S", "Q2_K", "IQ3_XXS", "Q3_K_M", "IQ4_XS", "Q4_0", "Q4_K_S", "Q4_K_M", "UD-Q4_K_XL", "Q5_K_M",
                 "Q6_K", "Q8_0", "BF16", "F16", "MXFP4")  # fmt: skip


def invoke(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_the_table_is_sound():
    names = [model.name for model in known_models()]
    assert names == sorted(set(names))
    families = {family.name: family for family in FAMILIES}
    for model in known_models():
        assert families[model.family].verified, model.name
        assert re.fullmatch(r"2026-\d\d-\d\d", model.checked)
        assert model.source
        assert model.licence
        assert re.fullmatch(r"[0-9a-f]{40}|main", model.revision)
        assert isinstance(name_of(model.repository), HubName)
        held = [*model.files, *([model.mmproj] if model.mmproj else [])]
        assert bool(model.files) == bool(model.mmproj) == bool(held) == (model.revision != "main")
        for file in held:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.size > 5 * 10**7 or file == model.mmproj
        if model.shipped:
            assert (model.eyes.stat().st_size, sha256(model.eyes)) == (model.mmproj.size, model.mmproj.sha256)
            assert model.mmproj.size <= 6 * 2**20
            assert len(model.files) == 1  # the one that they were made for
            continue
        listed = [HubFile(file.name, file.size, file.sha256) for file in held]
        if held:  # what the table names is what would be chosen of these files
            chosen = choose(listed, model.repository, quantization=model.quantization)
            assert [file.name for file in (*chosen.model.files, chosen.projector)] == [file.name for file in held]


def test_the_page_shows_the_table():
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if "](https://huggingface.co/" in line]
    assert len(rows) == len(known_models())
    for row, model in zip(rows, known_models(), strict=True):
        assert row[0] == f"`{model.name}`"
        assert row[1] == f"[{model.repository}](https://huggingface.co/{model.repository})"
        held = [*model.files, *([model.mmproj] if model.mmproj else [])]
        shown = re.findall(r"`([^`]+)`", row[2])
        assert shown == [file.name for file in held]
        assert row[5:] == [model.licence, model.family, model.checked]
        for text, count in ((row[3], model.size), (row[4], model.memory)):
            if count:
                number, unit = text.split()
                assert float(number) * {"GB": 1e9, "MB": 1e6}[unit] == pytest.approx(count, rel=0.05)
            else:
                assert text == "?"


COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
            for line in block.splitlines() if line.startswith("lookhere ")]  # fmt: skip


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_page_are_written_rightly(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, words = main, shlex.split(line, comments=True)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    command.make_context("lookhere", words)


def test_the_room_that_is_told_is_what_the_header_of_a_model_asks_for(tmp_path):
    words = {"tokenizer.ggml.tokens": ["a"] * 151_936}
    files.write(tmp_path / "model.gguf", {**files.LANGUAGE, **words})
    files.write(tmp_path / "mmproj.gguf", files.PROJECTOR)
    needs = examine(tmp_path).memory
    assert 0.6e9 < needs.context + needs.compute < ROOM


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qwen3-vl-2b", "Qwen/Qwen3-VL-2B-Instruct-GGUF"), ("Qwen3-VL-2B-Instruct", "Qwen/Qwen3-VL-2B-Instruct-GGUF"),
        ("gemma-3-4b-it", "ggml-org/gemma-3-4b-it-GGUF"), ("a/b", "a/b"), ("a/b:Q4_K_M", "a/b"), ("hf.co/a/b", "a/b"),
        ("a/b-GGUF:whatever", "a/b-GGUF"), ("hf:a/b", "a/b"),
    ],
)  # fmt: skip
def test_names(text, expected):
    assert name_of(text).repository == expected


@pytest.mark.parametrize("text", ["model.gguf", "./a/b", "/a/b", "a/b/c", "a b/c", "a/b.bin", "", "qwen3-vl-3b"])
def test_what_is_no_name(text):
    assert name_of(text) is None


def test_a_folder_of_the_owners_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Qwen").mkdir()
    assert name_of("Qwen/X-GGUF:Q4_K_M") == HubName("Qwen/X-GGUF", "Q4_K_M")
    assert name_of("hf.co/Qwen/X-GGUF") == HubName("Qwen/X-GGUF")
    assert name_of("Qwen/X-GGUF") is None
    with pytest.raises(
        lookhere.ModelFileError, match=r"no file 'Qwen/X-GGUF' in the folder 'Qwen'; .* hf.co/Qwen/X-GGUF"
    ):
        lookhere.load("Qwen/X-GGUF")
    with pytest.raises(lookhere.ModelFileError, match=r"There is no file .*x.gguf"):
        lookhere.load("Qwen/x.gguf")


def test_what_is_neither_a_file_nor_a_name_is_told_what_would_be(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        lookhere.ModelFileError, match=r"'nonsense-model', and no model of this short name; .*lookhere models"
    ):
        lookhere.load("nonsense-model")


def test_ollamas_names():
    assert name_of("qwen3-vl:2b") == OllamaName("qwen3-vl", "2b")
    assert name_of("me/eyes:1b") == OllamaName("me/eyes", "1b")


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_none(text):
    assert name_of(text) is None or name_of(text).text
    assert len(close_names(text)) <= 3
    assert known_model(text) is None or known_model(text).repository


names = st.from_regex(r"[A-Z][a-z]{1,6}(-[1-9]B)?", fullmatch=True)


@settings(max_examples=50)
@given(names, st.sets(st.sampled_from(QUANTIZATIONS), min_size=1), st.integers(1, 3), st.sampled_from(["", "sub/"]))
def test_the_files_of_a_quantization_are_found_however_they_are_split(name, kinds, count, folder):
    def paths(kind):
        stem = f"{folder}{name}-{kind}"
        return [f"{stem}-{n:05}-of-{count:05}.gguf" for n in range(1, count + 1)] if count > 1 else [f"{stem}.gguf"]

    listed = [HubFile(path, 10 * QUANTIZATIONS.index(kind) + 10) for kind in kinds for path in paths(kind)]
    listed += [HubFile(f"mmproj-{name}-F16.gguf", 5), HubFile("imatrix.gguf", 1), HubFile("README.md")]
    found = quantizations(listed)
    assert {each.name for each in found} == kinds
    for kind in kinds:
        chosen = choose(listed, "a/b", quantization=kind.lower())
        assert [file.path for file in chosen.model.files] == paths(kind)
        assert chosen.projector.path == f"mmproj-{name}-F16.gguf"
        assert not chosen.why
    usual = choose(listed, "a/b")
    if DEFAULT in kinds:
        assert usual.model.name == DEFAULT
    elif any(each.bits >= 4 for each in found):
        assert usual.model == min((each for each in found if each.bits >= 4), key=lambda each: each.size)
    else:
        assert usual.model == found[-1]
    assert bool(usual.why) == (len(kinds) > 1)
    if count > 1:  # a part is missing
        kind = sorted(kinds)[0]
        rest = [file for file in listed if file.path != paths(kind)[-1]]
        if len(kinds) == 1:
            with pytest.raises(HubError, match="no GGUF file of a language model"):
                choose(rest, "a/b")
        else:
            with pytest.raises(HubError, match=f"has no {kind}; it has"):
                choose(rest, "a/b", quantization=kind)


@settings(max_examples=40)
@given(st.sets(st.sampled_from([*PROJECTORS, "Q4_K_M", "Q6_K"]), min_size=1))
def test_the_preferred_projector(kinds):
    listed = [HubFile("m-Q4_K_M.gguf", 9), *(HubFile(f"mmproj-m-{kind}.gguf", 5) for kind in sorted(kinds))]
    name = choose(listed, "a/b").projector.path
    assert name == f"mmproj-m-{next(kind for kind in (*PROJECTORS, 'Q4_K_M', 'Q6_K') if kind in kinds)}.gguf"
    for kind in kinds:
        assert choose(listed, "a/b", mmproj=kind.lower()).projector.path == f"mmproj-m-{kind}.gguf"


def test_projectors_of_other_sizes_in_one_repository():
    listed = [HubFile("X_V-8B-Q4_K_M.gguf", 9), *(HubFile(f"mmproj-X_V-{size}-f16.gguf", 5) for size in ("4B", "8B"))]
    assert choose(listed, "a/b").projector.path == "mmproj-X_V-8B-f16.gguf"
    with pytest.raises(HubError, match="2 models of this quantization"):
        choose([*listed, HubFile("X_V-4B-Q4_K_M.gguf", 9)], "a/b")


def test_projectors_of_other_names():
    listed = [HubFile("Qwen2-VL-7B-Instruct-Q4_K_M.gguf", 9), HubFile("qwen2vl-vision.gguf", 5)]
    assert choose(listed, "a/b").projector.path == "qwen2vl-vision.gguf"
    assert (
        choose([*listed, HubFile("mmproj-F16.gguf", 5)], "a/b", quantization="Q4_K_M").projector.path
        == "mmproj-F16.gguf"
    )
    others = [HubFile("mtp-m-Q4_K_M.gguf", 1), HubFile("m-imatrix.gguf", 1), HubFile("m-MTP-Q4_K_M.gguf", 9)]
    assert choose(others, "a/b").model.files == (others[2],)
    alone = choose([HubFile("phi-vision-Q4_K_M.gguf", 9)], "a/b")
    assert (alone.model.name, alone.projector) == (DEFAULT, None)
    named = choose([HubFile("Llama-3.2-11B-Vision-Instruct-Q4_K_M.gguf", 9), HubFile("x-Q8_0.gguf", 9)], "a/b")
    assert (named.model.name, named.projector) == (DEFAULT, None)


def header(**values):
    return Header("qwen3vl", values.get("general.name", ""), values)


def heads_of(name, path="model.gguf", called=(), **values):
    found = match(replace(FACTS, name=name), Path(path), header(**values), called)
    return (found.head_set.model.name, found.how) if found else None


def test_heads_by_names(home):
    published = FACTS.name
    assert heads_of("Qwen3 VL 2B Instruct") == (published, "name")
    assert heads_of("Qwen3Vl 2B Lc100K Mix1", "Qwen3VL-2B-Instruct-Q4_K_M.gguf") == (published, "alias")
    assert heads_of("x", called=("Qwen/Qwen3-VL-2B-Instruct",)) == (published, "alias")
    hub = "/c/models--Qwen--Qwen3-VL-2B-Instruct-GGUF/snapshots/0/m.gguf"
    assert heads_of("x", hub) == (published, "alias")
    parts = {"general.basename": "Qwen3-VL", "general.size_label": "2B", "general.finetune": "Instruct"}
    assert heads_of("x", **parts) == (published, "alias")
    base = {"general.base_model.count": 1, "general.base_model.0.name": "Qwen3 VL 2B Instruct"}
    assert heads_of("my eyes", **base) == (published, "base")
    address = {"general.base_model.0.repo_url": "https://huggingface.co/Qwen/Qwen3-VL-2B-Instruct"}
    assert heads_of("my eyes", **address) == (published, "base")
    assert heads_of("Huihui-Qwen3-VL-2B-Instruct-abliterated") == (published, "base")
    for tuned in ("Qwen3-VL-2B-Instruct-my-eyes", "Qwen3-VL-2B-Instruct v2", "Qwen3VL-2B-Instruct-abliterated-Q4_K_M"):
        assert heads_of(tuned) == (published, "base")
    assert heads_of("x", "Qwen_Qwen3-VL-2B-Instruct-Q4_K_M-00001-of-00002.gguf") == (published, "alias")
    for other in ("my eyes", "Qwen3-VL-2B-Thinking", "", "Qwen3-VL-4B-Instruct"):
        assert heads_of(other) is None
    assert match(replace(FACTS, layers=36), Path("m.gguf"), header()) is None


@settings(max_examples=60)
@given(st.text(max_size=30), st.text(max_size=30))
def test_other_names_get_no_heads(name, stem):
    assume("qwen" not in re.sub(r"\W", "", f"{name}{stem}".lower()))
    assume(not (plain := re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())) or not "qwen".startswith(plain[:4]))
    assert heads_of(name, f"{stem}.gguf".replace("/", "").replace("\0", "")) is None


def test_heads_by_the_file_and_by_aliases(home, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKHERE_HEADS", str(tmp_path))
    facts = ModelFacts("Mine", "qwen3vl", 28, 16, aliases=("Eyes of mine",))
    from lookhere.hub.file_hash import file_hash

    model = files.write(tmp_path / "m.gguf", files.LANGUAGE)
    HeadSet(facts, ((1, 1),), evidence={"model": {"sha256": file_hash(model)}}).write(tmp_path / "mine.json")
    (tmp_path / "broken.json").write_text("{")
    assert known_heads()[0].file.stem == "mine"
    assert heads_of("Qwen3 VL 2B Instruct", model) == ("Mine", "file")
    other = files.write(tmp_path / "o.gguf", {**files.LANGUAGE, "general.name": "x"})
    assert heads_of("eyes-of-mine-Q8_0", other) == ("Mine", "name")
    assert heads_of("y", tmp_path / "o.gguf", ("Eyes-of-mine",)) == ("Mine", "alias")
    assert HeadSet.read(tmp_path / "mine.json").model == facts


def test_a_published_file_that_calls_itself_otherwise(home, tmp_path, monkeypatch):
    """As a GGUF of SmolLM2 does, by its own header."""
    monkeypatch.setenv("LOOKHERE_HEADS", str(tmp_path))
    monkeypatch.setattr(registry, "shipped", lambda: [])  # one of them is for this model
    facts = ModelFacts("HuggingFaceTB/SmolLM2-135M-Instruct", "llama", 30, 9)
    HeadSet(facts, ((1, 1),)).write(tmp_path / "smollm2.json")
    called = "Smollm2 135M 8k Lc100K Mix1 Ep2"
    for path, how in (
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "alias"),
        ("SmolLM2-135M-Instruct-tuned.gguf", "base"),
        ("m.gguf", ""),
    ):
        found = match(replace(facts, name=called), Path(path), Header("llama", called))
        assert (found.how if found else "") == how


def test_the_heads_of_a_base_come_with_a_warning(engine, tmp_path, home, head_set, monkeypatch):
    import fake_engine as fake

    monkeypatch.setattr(
        registry,
        "shipped",
        lambda: [(Path("fake.json"), replace(head_set, model=replace(head_set.model, name="Other Eyes")))],
    )
    model = fake.write_gguf(tmp_path / "huihui-other-eyes-2.gguf")
    fake.write_gguf(tmp_path / "mmproj.gguf", "clip")
    with (
        pytest.warns(BaseHeadSetWarning, match=r"made from it .*lookhere discover") as caught,
        lookhere.load(model) as loaded,
    ):
        assert loaded.head_set.model.name == "Other Eyes"
    assert caught[0].filename == __file__


def test_a_model_by_name_from_end_to_end(builtin, hub, tmp_path, monkeypatch):
    model, projector = registry.builtin_files()
    held = {"tiny-Q8_0.gguf": model.read_bytes(), "mmproj-tiny-F16.gguf": projector.read_bytes()}
    hub.add("me/tiny-GGUF", held, licence="mit")
    monkeypatch.chdir(tmp_path)
    generate_strip(7).image.save("strip.png")
    result = invoke("describe", "strip.png", "--panel", "2/6", "--model", "me/tiny-GGUF")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == generate_strip(7).captions[1]  # steered by the heads of this very file
    assert "Fetching me/tiny-GGUF (licence mit)" in result.stderr
    again = invoke("describe", "strip.png", "--panel", "2/6", "--model", "me/tiny-GGUF:Q8_0")
    assert (again.stdout, again.stderr) == (result.stdout, "")
    with lookhere.load("me/tiny-GGUF") as loaded:
        assert loaded.head_set.heads == registry.builtin_head_set().heads
    report = examine("me/tiny-GGUF")
    assert (report.loads, report.head_set_by) == (True, "file")


def test_models_lists_the_table(home, monkeypatch):
    monkeypatch.setattr("lookhere.kv.memory.available", lambda: 3_000_000_000)
    lines = invoke("models").stdout.splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "MEMORY", "FITS", "HERE", "HEADS", "LICENCE", "REPOSITORY"]
    rows = {line.split()[0]: line for line in lines[1:]}
    assert list(rows) == [model.name for model in known_models()]
    assert re.search(
        r"1.9 GB +2.9 GB +yes +no +published +apache-2.0 +Qwen/Qwen3-VL-2B-Instruct-GGUF:Q4_K_M$", rows["qwen3-vl-2b"]
    )
    assert re.search(r"no +no +discover first", rows["qwen3-vl-8b"])
    assert re.search(r"\? +\? +\? +no +published", rows["qwen2-vl-7b"])
    listed = json.loads(invoke("models", "--json").stdout)
    assert [(each["name"], each["fits"], each["here"]) for each in listed][9] == ("qwen3-vl-2b", True, False)
    assert listed[9]["files"][0]["sha256"] == known_models()[9].files[0].sha256


def test_models_show_and_get(hub, published, looked_up):
    known = looked_up["qwen3-vl-2b"]
    shown = invoke("models", "show", "qwen3-vl-2b").stdout
    for text in (
        known.files[0].sha256,
        known.mmproj.name,
        known.licence,
        known.checked,
        "published",
        f"revision {known.revision}",
    ):
        assert text in shown
    assert json.loads(invoke("models", "show", "qwen3-vl-2b", "--json").stdout)["base"] == known.base
    assert "did you mean qwen3-vl-2b" in invoke("models", "show", "qwen3vl2b").stderr
    held = {known.files[0].name: published[MODEL], known.mmproj.name: published[PROJECTOR]}
    hub.add(REPO, held, revisions=("main", known.revision))
    result = invoke("models", "get", "qwen3-vl-2b")
    assert [Path(line).name for line in result.stdout.splitlines()] == list(held)
    assert "Fetching" in result.stderr
    assert json.loads(invoke("models", "show", "qwen3-vl-2b", "--json").stdout)["here"]
    assert "is here" in invoke("models", "get", "qwen3-vl-2b", "--mmproj", known.mmproj.name, "-v").stderr
    wrong = invoke("models", "get", "nobody/nothing")
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert "no repository nobody/nothing" in wrong.stderr


def test_doctor_by_name(hub, published, looked_up):
    known = looked_up["qwen3-vl-2b"]
    missing = invoke("doctor", "qwen3-vl-2b")
    assert missing.exit_code == 1
    assert missing.stdout.startswith("It is not here yet.")
    assert "1.9 GB to fetch, and needs about 2.9 GB of memory" in missing.stdout
    assert "lookhere models get qwen3-vl-2b" in missing.stdout
    assert not json.loads(invoke("doctor", "a/b", "--json").stdout)["here"]
    assert not hub.asked
    hub.add(
        REPO,
        {known.files[0].name: published[MODEL], known.mmproj.name: published[PROJECTOR]},
        revisions=("main", known.revision),
    )
    assert invoke("models", "get", "qwen3-vl-2b").exit_code == 0
    asked = len(hub.asked)
    result = invoke("doctor", "qwen3-vl-2b")
    assert result.exit_code == 0
    assert "--box 40,60,220,300 --model qwen3-vl-2b\n" in result.stdout
    for mmproj in ("Q8_0", "a/eyes"):  # which is not here
        assert invoke("doctor", "qwen3-vl-2b", "--mmproj", mmproj).stdout.startswith("It is not here yet.")
    assert "head set       yes, found on Qwen/Qwen3-VL-2B-Instruct" in result.stdout
    assert len(hub.asked) == asked


def test_a_missing_projector_is_told_where_it_is(tmp_path):
    model = files.write(tmp_path / "model.gguf", files.LANGUAGE)
    place = rf"published in {REPO} as mmproj-Qwen3VL-2B-Instruct-F16.gguf, and load\('qwen3-vl-2b'\)"
    with pytest.raises(lookhere.ProjectorError, match=place):
        find_pair(model, None)
    report = examine(model)
    assert (report.loads, report.vision) == (True, False)
    assert re.search(rf"texts alone. Images need its projector: it is {place}", report.steps[0])


def test_heads_are_listed_shown_compared_and_checked(home, tmp_path, monkeypatch):
    assert re.search(
        r"^qwen3-vl-2b: 10 heads of Qwen/Qwen3-VL-2B-Instruct \(.*\), .*; published$",
        invoke("heads").stdout,
        re.MULTILINE,
    )
    assert {each["name"] for each in json.loads(invoke("heads", "--json").stdout)} == {
        "builtin",
        "qwen2-vl-7b",
        "qwen3-vl-2b",
        "smollm2-eyes",
    }
    shown = invoke("heads", "show", "qwen3-vl-2b").stdout
    assert re.search(r"10, as layer.head: 19.5, 17.12", shown)
    assert re.search(r"ranked +100 in all", shown)
    other = HeadSet(replace(FACTS, name="Mine"), ((19, 5), (0, 0)), source="me")
    other.write(tmp_path / "mine.json")
    told = invoke("heads", "compare", "qwen3-vl-2b", tmp_path / "mine.json").stdout
    assert "in both: 1 of 10 and 2 heads" in told
    assert "1: 100%, 2: 50%" in told
    assert "by chance: 2% of the 2 best" in told
    found = json.loads(invoke("heads", "compare", "qwen3-vl-2b", tmp_path / "mine.json", "--json").stdout)
    assert found["overlap"] == {"1": 1.0, "2": 0.5}
    apart = invoke("heads", "compare", "qwen3-vl-2b", "qwen2-vl-7b")
    assert (apart.exit_code, "cannot be compared" in apart.stderr) == (1, True)
    model = files.write(tmp_path / "model.gguf", files.LANGUAGE)
    assert "the model that it was found on" in invoke("heads", "check", "qwen3-vl-2b", "--model", model).stdout
    assert (
        "only if the one was made from the other"
        in invoke("heads", "check", tmp_path / "mine.json", "--model", model).stdout
    )
    wrong = invoke("heads", "check", "qwen2-vl-7b", "--model", model)
    assert (wrong.exit_code, "names layer" in wrong.stderr) == (1, True)
    (tmp_path / "bad.json").write_text("{}")
    assert invoke("heads", "check", tmp_path / "bad.json").exit_code == 1
    unknown = invoke("heads", "show", "nothing")
    assert "one of qwen2-vl-7b, qwen3-vl-2b, smollm2-eyes, builtin" in unknown.stderr


def test_a_path_stays_a_path_on_the_command_line(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("./me/tiny-GGUF", "../me/tiny-GGUF", "/me/tiny-GGUF"):
        assert "There is no file" in invoke("doctor", text).stdout
        assert "There is no file" in invoke("info", text).stderr
    assert not hub.asked


def test_heads_by_their_names(engine, pair, head_set, home, tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKHERE_HEADS", str(tmp_path / "known"))
    (tmp_path / "known").mkdir()
    head_set.write(tmp_path / "known" / "mine.json")
    for name in ("mine", "Fake"):
        with lookhere.load(pair[0], heads=name) as model:
            assert model.head_set == head_set
    with pytest.raises(HeadSetError, match=r"no known head set; .* or one of mine, qwen2-vl-7b, qwen3-vl-2b, smollm2-eyes, builtin"):
        lookhere.load(pair[0], heads="other")
    with pytest.raises(HeadSetError, match="is not there"):
        lookhere.load(pair[0], heads=Path("mine"))


def test_heads_are_published_and_fetched(hub, tmp_path, monkeypatch, engine, pair):
    mine = HeadSet(ModelFacts("me/Fake", "fake", 4, 2), ((1, 0),), source="measured by me")
    mine.write(tmp_path / "heads.json")
    refused = invoke("heads", "publish", tmp_path / "heads.json", "me/heads")
    assert (refused.exit_code, "HF_TOKEN" in refused.stderr) == (1, True)
    monkeypatch.setenv("HF_TOKEN", "hf_read")
    refused = invoke("heads", "publish", tmp_path / "heads.json", "me/heads")
    assert (refused.exit_code, "has no right to it" in refused.stderr) == (1, True)
    hub.tokens.add("hf_read")
    result = invoke("heads", "publish", tmp_path / "heads.json", "me/heads", "--private")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == f"{hub.url}/me/heads"
    held = hub.repositories["me/heads"]
    assert held.private
    assert HeadSet.read(tmp_path / "heads.json") == mine
    assert json.loads(held.files["heads.json"])["source"] == "measured by me"
    assert b"base_model: me/Fake" in held.files["README.md"]
    with lookhere.load(pair[0], heads="me/heads") as model:
        assert model.head_set == mine
    fetched = invoke("heads", "get", "me/heads")
    assert fetched.exit_code == 0, fetched.output
    kept = Path(fetched.stdout.strip())
    assert kept.name == "me--heads--heads.json"
    assert kept.is_relative_to(Path.home())
    assert known_heads()[0].file == kept
    assert "; yours" in invoke("heads").stdout
    hub.add("me/none", {"config.json": b"{}"})
    with pytest.raises(HeadSetError, match="me/none has no head set"):
        lookhere.load(pair[0], heads="me/none")
    with pytest.raises(HubError, match="no repository me/gone"):
        lookhere.load(pair[0], heads="me/gone")
    assert "expected owner/repo" in invoke("heads", "get", "x").stderr
