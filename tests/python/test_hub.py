"""Models by name: found on this machine, fetched from a stand-in for Hugging Face, with all that can go wrong."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fake_engine as fake
import gguf_files as files
import lookhere
import pytest
from lookhere import HubError, ModelFileError, ProjectorError
from lookhere.hub import client, download, fetch, telling
from lookhere.hub.name import HubName, OllamaName
from lookhere.loading.doctor import examine
from lookhere.loading.pair import find_pair, locate, locate_language, pair_or_language
from stand_in_hub import MODEL, PROJECTOR, REPO, SECOND, Hub, gguf, in_place_of_the_hub


def parts(home):
    return sorted((home / "hub").glob("models--*/blobs/*.lookhere"))


def test_a_name_is_fetched_and_then_found_without_the_network(hub, home, published, told):
    hub.add(REPO, published)
    model, projector = find_pair(f"{REPO}:Q4_K_M", None)
    assert (model.read_bytes(), projector.read_bytes()) == (published[MODEL], published[PROJECTOR])
    assert hub.downloads() == [f"/{REPO}/resolve/main/{MODEL}", f"/{REPO}/resolve/main/{PROJECTOR}"]
    assert re.search(rf"Fetching {REPO} \(licence apache-2.0\).*{MODEL} \(\d+ kB\), {PROJECTOR}", told[0])
    asked = len(hub.asked)
    assert find_pair(f"{REPO}:Q4_K_M", None) == (model, projector)
    assert find_pair(f"https://huggingface.co/{REPO}", None) == (model, projector)
    assert find_pair(f"{REPO}/{MODEL}", None) == (model, projector)
    assert len(hub.asked) == asked
    # any other program finds it, too
    from huggingface_hub import try_to_load_from_cache

    assert try_to_load_from_cache(REPO, MODEL) == str(model)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("{}:Q8_0", SECOND), ("{}:q8_0", SECOND), ("hf.co/{}", MODEL), ("{}:latest", MODEL), ("{}", MODEL),
     ("https://huggingface.co/{}/blob/main/" + SECOND, SECOND), ("hf://{}", MODEL)],
)  # fmt: skip
def test_which_file_is_meant(hub, published, name, expected):
    hub.add(REPO, published)
    assert find_pair(name.format(REPO), None)[0].name == expected


def test_what_was_taken_is_said(hub, published, told):
    hub.add(REPO, {**published, "mmproj-Qwen3VL-2B-Q8_0.gguf": published[PROJECTOR] + b"8"})
    assert find_pair(REPO, None)[1].name == PROJECTOR
    assert f"took Q4_K_M, the usual one of 2; the projector {PROJECTOR} (of 2)" in told[1]
    assert find_pair(REPO, "Q8_0")[1].name == "mmproj-Qwen3VL-2B-Q8_0.gguf"
    assert find_pair(REPO, PROJECTOR)[1].name == PROJECTOR
    assert [line for line in told if "Fetching" in line and PROJECTOR in line and MODEL in line] == told[:1]
    assert re.search(rf"Fetching {REPO} .*: mmproj-Qwen3VL-2B-Q8_0.gguf \(\d\d kB\)\.$", told[2])
    with pytest.raises(HubError, match=rf"has no projector 'Q2_K'; of projectors it has .*{PROJECTOR}"):
        find_pair(REPO, "Q2_K")


def test_a_quantization_that_is_not_there(hub, published):
    hub.add(REPO, published)
    with pytest.raises(HubError, match=r"has no IQ2_M; it has (Q\w+ \(\d\d kB\)(, )?){2}\."):
        find_pair(f"{REPO}:IQ2_M", None)
    with pytest.raises(HubError, match=r"no whole model in a file 'other.gguf'; it has"):
        find_pair(f"{REPO}/other.gguf", None)


def test_a_split_model_is_fetched_whole(hub, published, tmp_path):
    split = {}
    for number in (1, 2, 3):
        name = f"m-Q4_K_M-0000{number}-of-00003.gguf"
        first = files.LANGUAGE if number == 1 else {}
        split[f"Q4_K_M/{name}"] = gguf(tmp_path / name, {**first, "split.no": number - 1, "split.count": 3})
    hub.add(REPO, {**split, PROJECTOR: published[PROJECTOR], "b-Q8_0-00001-of-00002.gguf": b"x" * 5000})
    model, projector = find_pair(REPO, None)
    assert model.name == "m-Q4_K_M-00001-of-00003.gguf"
    assert projector.name == PROJECTOR
    assert len(list(model.parent.glob("*.gguf"))) == 3


def test_an_interrupted_download_goes_on_where_it_stopped(hub, home, published, told):
    repository = hub.add(REPO, published, cut=3_000)
    assert find_pair(REPO, None)[0].read_bytes() == published[MODEL]  # many short connections
    assert hub.served[MODEL] == len(published[MODEL])
    ranges = [headers["range"] for method, path, headers in hub.asked if path.endswith(MODEL) and "range" in headers]
    assert ranges[:2] == ["bytes=3000-", "bytes=6000-"]
    assert not parts(home)
    # killed in between, by whatever
    repository.cut = 0
    blob = home / "hub" / "models--a--b" / "blobs"
    hub.add("a/b", {"m-Q4_K_M.gguf": published[MODEL], PROJECTOR: published[PROJECTOR]})
    blob.mkdir(parents=True)
    (blob / f"{hashlib.sha256(published[MODEL]).hexdigest()}.lookhere").write_bytes(published[MODEL][:10_000])
    assert find_pair("a/b", None)[0].read_bytes() == published[MODEL]
    assert hub.served["m-Q4_K_M.gguf"] == len(published[MODEL]) - 10_000
    assert any("10 kB of" in line and "going on there" in line for line in told)


def test_ctrl_c_keeps_what_was_fetched(hub, home, published, told, monkeypatch):
    hub.add(REPO, published, cut=3_000)
    monkeypatch.setattr(telling.Bar, "at", lambda self, done: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        find_pair(REPO, None)
    assert parts(home)[0].stat().st_size == 3_000
    assert "3 kB of" in told[-1]
    assert "the same command goes on there" in told[-1]


def test_a_connection_that_never_holds(hub, home, published):
    hub.add(REPO, published, cut=3_000)
    hub.repositories[REPO].files = dict(published)
    blob = home / "hub" / f"models--{REPO.replace('/', '--')}" / "blobs"
    blob.mkdir(parents=True)
    (blob / f"{hashlib.sha256(published[MODEL]).hexdigest()}.lookhere").write_bytes(published[MODEL][:10_000])
    hub.repositories[REPO].cut = -len(published[MODEL])  # nothing is sent
    with pytest.raises(HubError, match=r"breaks at 10 kB of .* kept: the same command goes on there"):
        find_pair(REPO, None)
    assert len(hub.downloads()) == download.TRIES
    assert parts(home)[0].stat().st_size == 10_000


def test_a_damaged_download_is_thrown_away(hub, home, published):
    repository = hub.add(REPO, published, corrupt=True)
    with pytest.raises(HubError, match=r"arrived damaged: its sha256 is .* thrown away. Try again"):
        find_pair(REPO, None)
    assert not parts(home)
    repository.corrupt = False
    assert find_pair(REPO, None)[0].read_bytes() == published[MODEL]


def test_what_is_not_there(hub, published):
    hub.add("a/text", {"m-Q4_K_M.gguf": published[MODEL]})
    hub.add("a/weights", {"model.safetensors": b"x" * 5_000, "config.json": b"{}"})
    with pytest.raises(
        HubError, match=r"There is no file or folder 'a/none' here, and no repository a/none on http.*hf auth login"
    ):
        find_pair("a/none", None)
    with pytest.raises(HubError, match=r"a/text has no projector 'F16'"):
        find_pair("a/text", "F16")
    with pytest.raises(HubError, match=r"a/weights has no GGUF file .*it holds \.safetensors files.*-GGUF"):
        find_pair("a/weights", None)
    with pytest.raises(HubError, match=r"has no revision 'gone'; expected main or a commit"):
        find_pair("https://huggingface.co/a/text/tree/gone", None)
    with pytest.raises(HubError, match="no name of a repository"):
        find_pair("a/" + "b" * 200, None)
    assert not hub.downloads()


def test_a_gated_and_a_private_model(hub, published, monkeypatch):
    hub.add(REPO, published, gated=True)
    with pytest.raises(HubError, match=rf"gated: .*Accept them on https://huggingface.co/{REPO}.*HF_TOKEN"):
        find_pair(REPO, None)
    hub.add("a/mine", published, private=True)
    with pytest.raises(HubError, match=r"or it is private.*hf auth login"):
        find_pair("a/mine", None)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert find_pair(REPO, None)[0].read_bytes() == published[MODEL]
    assert find_pair("a/mine", None)[0].read_bytes() == published[MODEL]
    assert all(headers["authorization"] == "Bearer hf_secret" for _, _, headers in hub.asked[-2:])


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, r"refuses .*HF_TOKEN"), (403, r"refuses .*HF_TOKEN"), (429, "too many"), (503, "Try again later")],
)
def test_a_hub_that_refuses(hub, status, told):
    hub.status = status
    with pytest.raises(HubError, match=told):
        find_pair(REPO, None)


def test_offline(hub, home, published, monkeypatch):
    from huggingface_hub import constants

    hub.add(REPO, published)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"HF_HUB_OFFLINE is set, so that nothing is fetched"):
        find_pair(REPO, None)
    assert not hub.asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    found = find_pair(REPO, None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_pair(REPO, None) == found


def test_no_network(home, monkeypatch):
    with Hub() as server:
        in_place_of_the_hub(server, monkeypatch)
    with pytest.raises(HubError, match=r"cannot be reached .*HTTPS_PROXY"):
        find_pair(REPO, None)


def test_files_on_another_server_get_no_token(home, published, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Hub(cdn=True) as server:
        in_place_of_the_hub(server, monkeypatch)
        server.add(REPO, published, cut=9_000)
        assert find_pair(REPO, None)[0].read_bytes() == published[MODEL]
        assert server.cdn.served[MODEL] == len(published[MODEL])
        assert server.cdn.asked
        assert not [headers for _, _, headers in server.cdn.asked if "authorization" in headers]
        assert all("authorization" in headers for _, _, headers in server.asked)


def test_a_full_disk(hub, home, published, monkeypatch):
    hub.add(REPO, published)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 70 * 2**20 - 70_000))
        patched.setattr(download, "ROOM", 70 * 2**20 - 80_000)
        with pytest.raises(
            HubError, match=r"kB are to be fetched into .* has 73 MB free.*HF_HOME.*smaller quantization"
        ):
            find_pair(REPO, None)
    assert not hub.downloads()
    if Path("/dev/full").exists():
        blob = home / "hub" / f"models--{REPO.replace('/', '--')}" / "blobs"
        blob.mkdir(parents=True)
        (blob / f"{hashlib.sha256(published[MODEL]).hexdigest()}.lookhere").symlink_to("/dev/full")
        with pytest.raises(HubError, match=r"The disk of .* is full.*HF_HOME.*goes on there"):
            find_pair(REPO, None)


def test_two_processes_fetch_it_once(hub, home, published):
    hub.add(REPO, published, pause=0.3)
    code = f"from lookhere.loading.pair import find_pair; print(*find_pair({REPO!r}, None))"
    environment = {
        **os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "0",
        "PYTHONPATH": str(Path(lookhere.__file__).parents[1]),
    }  # fmt: skip
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1]
    assert hub.served == {name: len(published[name]) for name in (MODEL, PROJECTOR)}


def test_a_short_name_takes_the_files_of_the_table(hub, published, looked_up, told):
    known = looked_up["qwen3-vl-2b"]
    other = {"z-Q4_K_M.gguf": published[SECOND], known.files[0].name: published[MODEL]}
    hub.add(known.repository, {**other, known.mmproj.name: published[PROJECTOR]}, revisions=("main", known.revision))
    located = locate("Qwen3-VL-2B", None)
    assert located.path.name == known.files[0].name
    assert located.names[0] == known.base
    assert hub.downloads()[0] == f"/{known.repository}/resolve/{known.revision}/{known.files[0].name}"
    # the revision is gone
    gone = looked_up["smolvlm-256m"]
    hub.add(gone.repository, {"new-Q8_0.gguf": published[MODEL], PROJECTOR: published[PROJECTOR]})
    assert locate("smolvlm-256m", None).path.name == "new-Q8_0.gguf"
    assert any("is gone; the newest one is taken" in line for line in told)


def test_a_mirror_that_has_other_files_than_the_table(hub, published, looked_up):
    known = looked_up["qwen3-vl-2b"]
    other = {known.files[0].name: published[SECOND], known.mmproj.name: published[PROJECTOR]}
    hub.add(known.repository, other, revisions=("main", known.revision))
    with pytest.raises(HubError, match=rf"another {known.files[0].name} at this revision .* takes it all the same"):
        find_pair("qwen3-vl-2b", None)
    assert not hub.downloads()
    assert find_pair(f"{known.repository}:Q4_K_M", None)[0].read_bytes() == published[SECOND]


def test_a_name_that_is_nearly_one(home):
    with pytest.raises(ModelFileError, match=r"did you mean qwen3-vl-2b"):
        find_pair("qwen3vl-2b", None)
    with pytest.raises(ModelFileError, match="There is no file"):
        find_pair("mymodel", None)


def lay(folder, published, names=(MODEL, PROJECTOR)):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(published[name])


def test_what_lm_studio_has_downloaded_is_used(home, published, told):
    lay(home / ".lmstudio" / "models" / REPO, published)
    assert find_pair(f"{REPO}:Q4_K_M", None)[0].read_bytes() == published[MODEL]
    assert "found what LM Studio has downloaded" in told[0]
    shutil.rmtree(home / ".lmstudio")
    lay(home / "elsewhere" / "models" / REPO, published)
    (home / ".lmstudio-home-pointer").write_text(f"{home / 'elsewhere'}\n")
    assert find_pair(REPO, None)[0].parent == home / "elsewhere" / "models" / REPO


def test_a_short_name_takes_what_another_owner_published(home, published, told):
    lay(home / ".lmstudio" / "models" / "lmstudio-community" / "Qwen3-VL-2B-Instruct-GGUF", published)
    assert find_pair("qwen3-vl-2b", None)[0].read_bytes() == published[MODEL]
    assert "LM Studio (lmstudio-community/Qwen3-VL-2B-Instruct-GGUF)" in told[0]
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        find_pair(REPO, None)
    shutil.rmtree(home / ".lmstudio")
    snapshot = home / "hub" / "models--unsloth--Qwen3-VL-2B-Instruct-GGUF" / "snapshots" / "0"
    lay(snapshot, published)
    assert find_pair("qwen3-vl-2b", None)[0].parent == snapshot
    assert "huggingface_hub (unsloth/Qwen3-VL-2B-Instruct-GGUF)" in told[1]


def test_what_llama_cpp_has_downloaded_is_used(home, published, told, monkeypatch):
    folder = home / ".cache" / "llama.cpp"
    folder.mkdir(parents=True)
    for name in (MODEL, PROJECTOR):
        (folder / f"{REPO.replace('/', '_')}_{name}").write_bytes(published[name])
    assert find_pair(REPO, None)[1].read_bytes() == published[PROJECTOR]
    assert "llama.cpp" in told[0]
    shutil.rmtree(folder)
    with pytest.raises(HubError):
        find_pair(REPO, None)
    snapshot = home / "cache" / f"models--{REPO.replace('/', '--')}" / "snapshots" / "0"
    lay(snapshot, published)
    monkeypatch.setenv("LLAMA_CACHE", str(home / "cache"))
    assert find_pair(REPO, None)[0].parent == snapshot


def ollama(folder, steps, layers):
    """What Ollama keeps of a model. layers: bytes by kind."""
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifests" / steps
    manifest.parent.mkdir(parents=True, exist_ok=True)
    entries = []
    for kind, data in layers.items():
        digest = hashlib.sha256(data).hexdigest()
        (folder / "blobs" / f"sha256-{digest}").write_bytes(data)
        media = f"application/vnd.ollama.image.{kind}"
        entries.append({"mediaType": media, "digest": f"sha256:{digest}", "size": len(data)})
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": entries}))


def test_what_ollama_has_downloaded_is_used(home, published, told, monkeypatch):
    both = {"model": published[MODEL], "projector": published[PROJECTOR], "template": b"{{ .Prompt }}"}
    ollama(home / ".ollama" / "models", "registry.ollama.ai/library/qwen3-vl/2b", both)
    model, projector = find_pair("qwen3-vl:2b", None)
    assert (model.read_bytes(), projector.read_bytes()) == (published[MODEL], published[PROJECTOR])
    assert examine("qwen3-vl:2b").loads
    assert told == ["qwen3-vl:2b: found what Ollama has downloaded."] * 2
    monkeypatch.setenv("OLLAMA_MODELS", str(home / "other"))
    with pytest.raises(HubError, match=r"Ollama has downloaded no model of this name here.*ollama pull qwen3-vl:2b"):
        find_pair("qwen3-vl:2b", None)
    ollama(home / "other", f"hf.co/{REPO}/Q4_K_M", both)
    assert find_pair(f"{REPO}:q4_k_m", None)[0].read_bytes() == published[MODEL]
    ollama(home / "other", "registry.ollama.ai/me/eyes/1b", {"model": published[MODEL]})
    one_file = gguf(home / "one", {**files.LANGUAGE, "general.architecture": "gemma3", "gemma3.vision.block_count": 27})
    ollama(home / "other", "registry.ollama.ai/me/eyes/3b", {"model": one_file})
    for seeing in ("me/eyes:1b", "me/eyes:3b"):
        with pytest.raises(ProjectorError, match=rf"{seeing}: Ollama .* without a projector file"):
            locate(seeing, None)
    (home / "other" / "manifests" / "registry.ollama.ai" / "me" / "eyes" / "2b").write_text('{"layers": [3]}')
    with pytest.raises(HubError, match="no model of this name"):
        find_pair("me/eyes:2b", None)


def test_only_what_is_whole_is_taken_from_others(home, published):
    lay(home / ".lmstudio" / "models" / REPO, published, (MODEL,))  # no projector
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        find_pair(REPO, None)
    (home / ".lmstudio" / "models" / REPO / PROJECTOR).write_bytes(published[PROJECTOR])
    with pytest.raises(HubError, match="HF_HUB_OFFLINE"):
        find_pair(f"{REPO}:Q8_0", None)


TEXT_MODEL = {"general.architecture": "llama", "general.name": "Reader", "tokenizer.ggml.model": "gpt2"}


@pytest.fixture
def text_model(tmp_path):
    """The bytes of a language model that never sees."""
    return gguf(tmp_path / "text.gguf", TEXT_MODEL)


def for_texts(name):
    """The file of a model that looks at texts alone, and how that is told to who shows it an image."""
    path, projector, why = pair_or_language(locate(name, None))
    assert projector is None
    assert re.search(r"needs its projector.*looks at texts alone", why)
    return path


@pytest.mark.parametrize("name", ["a/text:Q4_K_M", "a/text", "a/text/t-Q4_K_M.gguf", "https://huggingface.co/a/text"])
def test_a_repository_of_a_language_model(hub, home, text_model, told, name, monkeypatch):
    hub.add("a/text", {"t-Q4_K_M.gguf": text_model})
    path = for_texts(name)
    assert path.read_bytes() == text_model
    assert told[0].startswith("a/text has no projector (mmproj-*.gguf): its model looks at texts alone.")
    assert len(told) == 2
    assert for_texts(name) == path
    assert len(hub.downloads()) == 1
    assert examine(name).loads  # the network is not asked
    hub.status = 503
    assert for_texts(name) == path
    assert told[-1].endswith("the language model is on this machine, and no projector. It looks at texts alone.")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert for_texts(name) == path


def test_a_name_of_a_language_model_loads(hub, engine, run, tmp_path):
    hub.add("a/text-GGUF", {"t-Q4_K_M.gguf": Path(fake.write_gguf(tmp_path / "t.gguf")).read_bytes()})
    with lookhere.load("a/text-GGUF:Q4_K_M") as model:
        assert (model.sees, model.facts.aliases, model.as_given) == (False, ("text",), ("a/text-GGUF:Q4_K_M",))
        assert model.look(lookhere.Text("A cat.")).describe().text == fake.UNSTEERED
        with pytest.raises(ProjectorError, match=r"none is where it comes from.*looks at texts alone"):
            model.look("strip.png")
    result = run("models", "get", "a/text-GGUF")
    assert (result.exit_code, result.stdout) == (0, f"{model.path}\n")
    assert "a/text-GGUF has no projector" in result.stderr


def test_a_projector_beside_is_another_model_s(home, published, tmp_path):
    """All of Ollama's blobs lie in one folder, and all of older llama.cpp's files."""
    values = {**TEXT_MODEL, "llama.embedding_length": 2048, "llama.n_deepstack_layers": 3}
    both = {"model": published[MODEL], "projector": published[PROJECTOR]}
    ollama(home / ".ollama" / "models", "registry.ollama.ai/library/qwen3-vl/2b", both)
    reader = gguf(tmp_path / "reader.gguf", values)
    ollama(home / ".ollama" / "models", "registry.ollama.ai/library/reader/1b", {"model": reader})
    assert for_texts("reader:1b").read_bytes() == reader
    flat = home / ".cache" / "llama.cpp"
    flat.mkdir(parents=True)
    (flat / f"{REPO.replace('/', '_')}_{PROJECTOR}").write_bytes(published[PROJECTOR])
    (flat / "a_reader_r-Q8_0.gguf").write_bytes(reader)
    assert for_texts("a/reader") == flat / "a_reader_r-Q8_0.gguf"


def test_a_projector_that_is_published_is_fetched(hub, home, published, told):
    """Although the language model is here alone, and would do for texts."""
    hub.add("a/eyes", published)
    lay(home / ".lmstudio" / "models" / "a/eyes", published, (MODEL,))
    assert find_pair("a/eyes", None)[1].read_bytes() == published[PROJECTOR]
    assert not any("texts alone" in line for line in told)


@pytest.mark.parametrize("name", ["qwen3-vl-2b", REPO, "Else/Qwen3-VL-2B-Instruct-gguf", f"{REPO}:Q4_K_M"])
def test_a_model_that_is_known_to_see(hub, published, looked_up, name):
    for repository in (REPO, "Else/Qwen3-VL-2B-Instruct-gguf"):
        hub.add(repository, {MODEL: published[MODEL]}, revisions=("main", looked_up["qwen3-vl-2b"].revision))
    with pytest.raises(HubError, match=r"has no projector .*mmproj="):
        locate(name, None)
    assert not hub.downloads()


def test_nothing_is_asked_for_a_path(hub, published, tmp_path):
    for name in (MODEL, PROJECTOR):
        (tmp_path / name).write_bytes(published[name])
    assert find_pair(tmp_path / MODEL, None)[1].name == PROJECTOR
    for missing in ("./a/b", "/a/b", "missing.gguf", "a/b/c"):
        with pytest.raises(ModelFileError, match="no file"):
            find_pair(missing, None)
    assert not hub.asked


def test_a_projector_from_a_repository(hub, published, tmp_path):
    hub.add("a/eyes", {PROJECTOR: published[PROJECTOR]})
    (tmp_path / MODEL).write_bytes(published[MODEL])
    assert find_pair(tmp_path / MODEL, "a/eyes")[1].read_bytes() == published[PROJECTOR]
    assert find_pair(tmp_path / MODEL, f"a/eyes/{PROJECTOR}")[1].read_bytes() == published[PROJECTOR]
    hub.add("a/text", {"m-Q4_K_M.gguf": published[MODEL]})
    (tmp_path / "eyes.gguf").write_bytes(published[PROJECTOR])
    assert find_pair("a/text", tmp_path / "eyes.gguf")[1] == tmp_path / "eyes.gguf"
    with pytest.raises(HubError, match="has no projector"):
        find_pair(tmp_path / MODEL, "a/text")


def test_a_folder_that_cannot_be_written(hub, home, published):
    if os.geteuid() == 0:
        (home / "hub").write_text("a file in the place of the folder")
    else:
        (home / "hub").mkdir(mode=0o500)
    hub.add(REPO, published)
    with pytest.raises(HubError, match=r"cannot be written .*HF_HOME"):
        find_pair(REPO, None)


def test_find_and_get_are_one(home, published):
    assert fetch.find(HubName(REPO)) is None
    assert fetch.find(OllamaName("x", "1b")) is None
    assert client.offline()


def test_a_language_model_alone(hub, published):
    hub.add("a/text", {"m-Q4_K_M.gguf": published[MODEL]})
    hub.add(REPO, published)
    assert locate_language("a/text").path.read_bytes() == published[MODEL]
    assert locate_language(REPO).path.name == MODEL
    assert not [path for path in hub.downloads() if "mmproj" in path]
    asked = len(hub.asked)
    assert locate_language("a/text").path.read_bytes() == published[MODEL]
    assert len(hub.asked) == asked


def test_what_a_server_says_is_no_path(hub, home, monkeypatch):
    """A sha256 becomes the name of a file, and a file's name is printed."""
    listed = hub.add(
        "a/b", {"m-Q4_K_M.gguf": b"x" * 3_000, "\x1b[31m-Q8_0.gguf": b"y", "mmproj-F16.gguf": b"z" * 3_000}
    )
    real = hashlib.sha256
    monkeypatch.setattr("stand_in_hub.hashlib.sha256", lambda data: real(data) if len(data) < 2_000 else Traversal())
    files = client.list_files(HubName("a/b")).files
    assert {file.sha256 for file in files} == {""}
    assert all(file.path.isprintable() for file in files)
    assert len(files) == len(listed.files) - 1


class Traversal:
    """In place of a digest."""

    def hexdigest(self):
        return "../../../evil"


def test_lines_are_printed_where_a_person_sits_and_nobody_listens(capsys, monkeypatch):
    telling.say("to nobody")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")
    telling.say("to a person")
    assert capsys.readouterr() == ("", "to a person\n")
    with telling.heard_by(print):
        telling.say("to a listener")
    assert capsys.readouterr() == ("to a listener\n", "")
    with telling.heard_by(print), telling.unheard():
        telling.say("to nobody")
    assert capsys.readouterr() == ("", "")


def test_the_time_left(monkeypatch, told):
    now = iter([0.0, 10.0, 40.0, 41.0, 100.0])
    monkeypatch.setattr(telling.time, "monotonic", lambda: next(now))
    with telling.Bar("m.gguf", 4_000_000_000, 1_000_000_000) as bar:
        for done in (1_500_000_000, 2_000_000_000, 2_100_000_000, 3_500_000_000):
            bar.at(done)
    assert told == [
        "m.gguf: 2.0 GB of 4.0 GB, about 80 s left.",
        "m.gguf: 3.5 GB of 4.0 GB, about 20 s left.",
    ]
    assert [telling.duration(seconds) for seconds in (89, 600, 12_000)] == ["89 s", "10 min", "3 h 20 min"]
