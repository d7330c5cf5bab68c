"""llama-cpp-python, unmodified, with our library: steered to a region its answers are ours."""

import base64
import gc
import importlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere import Box, OnImage, Panel
from lookhere.comics import generate_strip
from lookhere.loading.builtin import builtin_files
from PIL import Image

if find_spec("llama_cpp") is None:
    pytest.skip("llama-cpp-python is not installed", allow_module_level=True)

import lookhere.llama_cpp as steering
from llama_cpp import Llama, LlamaRAMCache
from llama_cpp.llama_chat_format import Llava15ChatHandler, MTMDChatHandler, Qwen25VLChatHandler
from llama_cpp.llama_speculative import LlamaPromptLookupDecoding
from lookhere.llama_cpp import libraries

# its server leaves the stream of an answer to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:.*MemoryObjectReceiveStream")

ROOT = Path(__file__).parents[2]
STRIP = generate_strip(7, split="held_out", style="colour")
OTHER = generate_strip(12, split="held_out", style="colour")
BOXES = [Box(*box) for box in STRIP.boxes]
GREEDY = {"temperature": 0, "max_tokens": 24}


def png(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def uri(picture, kind="PNG", **options):
    return f"data:image/{kind.lower()};base64," + base64.b64encode(png(picture, kind, **options)).decode()


def messages(text, *urls):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls or [uri(STRIP.image)]]
    return [{"role": "user", "content": [*parts, {"type": "text", "text": text}]}]


def made(handler=MTMDChatHandler, **options):
    model, projector = map(str, builtin_files())
    seeing = handler and handler(projector, verbose=False)
    return Llama(model, chat_handler=seeing, **{"n_ctx": 1024, "n_threads": 1, "verbose": False, **options})


@pytest.fixture(scope="module")
def llm():
    llama = made()
    yield llama
    llama.close()


@pytest.fixture(scope="module")
def scene(builtin):
    return builtin.look(STRIP.image)


@pytest.fixture
def ask(llm, builtin):
    """An answer of llama-cpp-python: what it returns."""

    def asked(*urls, text=None, llama=llm, **options):
        given = messages(text or builtin.prompt, *urls)
        return llama.create_chat_completion(messages=given, **{**GREEDY, **options})

    return asked


def text_of(reply):
    return reply["choices"][0]["message"]["content"]


def same(answer, ours):
    """Whether two answers are equal but for the rounding of projectors that attend in two ways."""
    assert [step.token for step in answer.steps] == [step.token for step in ours.steps]
    assert (answer.text, answer.finish, answer.prompt) == (ours.text, ours.finish, ours.prompt)
    assert (answer.prompt_tokens, answer.steering) == (ours.prompt_tokens, ours.steering)
    for name in ("gaze", "reading"):
        for mine, its in zip(getattr(answer, name), getattr(ours, name), strict=True):
            np.testing.assert_allclose(mine, its, atol=2e-3)
    assert answer.where().box == ours.where().box


@pytest.mark.parametrize("number", range(6))
def test_it_describes_the_panel_that_it_is_steered_to_as_ours_does(llm, ask, scene, number):
    with steering.steer(llm, BOXES[number]) as steered:
        reply = ask()
    ours = scene.describe(at=BOXES[number], max_tokens=24)
    assert text_of(reply) == ours.text == STRIP.captions[number]
    same(steered.answer, ours)


@pytest.mark.parametrize(
    "options",
    [
        {"flash_attn": True},
        {"logits_all": True},
        {"n_batch": 24, "n_ubatch": 24},
        {"draft_model": LlamaPromptLookupDecoding(num_pred_tokens=4)},
    ],
    ids=["flash_attn", "logits_all", "n_batch", "draft_model"],
)
def test_however_the_llama_was_made(ask, scene, options):
    llama = made(**options)
    try:
        with steering.steer(llama, BOXES[4]) as steered:
            ask(llama=llama)
        same(steered.answer, scene.describe(at=BOXES[4], max_tokens=24))
    finally:
        llama.close()


PARTS = (
    "{% for part in messages[0].content %}{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}"
)
WRITTEN = {
    Qwen25VLChatHandler: (
        f"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{PARTS}<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    # no line breaks: Jinja takes those after its tags
    Llava15ChatHandler: f"{Llava15ChatHandler.DEFAULT_SYSTEM_MESSAGE}USER: {PARTS}ASSISTANT: ",
}


@pytest.mark.parametrize("handler", WRITTEN)
def test_other_handlers(ask, handler):
    """They write prompts of their own, which the built-in model does not know; so does ours here."""
    llama = made(handler)
    try:
        with lookhere.load(chat_template=WRITTEN[handler]) as model, steering.steer(llama, BOXES[1]) as steered:
            ask(llama=llama)
            same(steered.answer, model.look(STRIP.image).describe(at=BOXES[1], max_tokens=24))
    finally:
        llama.close()


@pytest.mark.parametrize(
    "push",
    [
        {"mode": "boost_suppress", "strength": 3, "queries": "all"},
        {"mode": "suppress_image", "strength": 8, "queries": "after_image"},
        {"mode": "suppress_all", "strength": 2, "queries": "answer"},
        {"mode": "max_suppress_all", "strength": 1, "queries": "generated"},
        {"mode": "target_share", "share": 0.9},
        {"mode": "within_image", "sharpness": 0.5},
    ],
    ids=lambda push: push["mode"],
)
def test_every_way_to_push(llm, ask, scene, push):
    with steering.steer(llm, BOXES[3], **push) as steered:
        ask()
    same(steered.answer, scene.describe(at=BOXES[3], max_tokens=24, **push))


def test_a_stream_whose_target_moves(llm, ask, scene):
    with steering.steer(llm, BOXES[0]) as steered:
        text = ""
        for chunk in ask(stream=True):
            text += chunk["choices"][0]["delta"].get("content", "")
            if len(steered.steps) == 4:
                steered.look_at(BOXES[5])
            elif len(steered.steps) == 7:
                steered.look_at(None)
    with scene.stream(at=BOXES[0], max_tokens=24) as run:
        steps = []
        for step in run:
            steps.append(step)
            if len(steps) == 4:
                run.look_at(BOXES[5])
            elif len(steps) == 7:
                run.look_at(None)
        ours = run.answer(steps)
    assert text == ours.text
    same(steered.answer, ours)


def test_without_a_gaze(llm, ask):
    with steering.steer(llm, BOXES[3], gaze=False) as steered:
        ask()
    assert steered.answer.text == STRIP.captions[3]
    assert steered.answer.where() is None


@pytest.mark.parametrize("stop", ["the", ["in", "nowhere"]])
def test_a_stop_text(llm, ask, scene, stop):
    with steering.steer(llm, BOXES[1]) as steered:
        reply = ask(stop=stop)
    ours = scene.describe(at=BOXES[1], max_tokens=24, stop=stop)
    assert text_of(reply) == ours.text
    same(steered.answer, ours)


@pytest.mark.parametrize("length", [1, 3])
def test_an_answer_that_is_cut(llm, ask, scene, length):
    with steering.steer(llm, BOXES[1]) as steered:
        ask(max_tokens=length)
    same(steered.answer, scene.describe(at=BOXES[1], max_tokens=length))


def test_leaving_undoes_it(llm, ask):
    handler, before = llm.chat_handler, ask()
    llm.set_cache(kept := LlamaRAMCache())
    with steering.steer(llm, BOXES[4], queries="all"):
        steered = ask()
    assert llm.n_tokens == 0, "what was read under the steering would be taken for a prefix"
    assert llm.chat_handler is handler
    assert llm.cache is kept
    assert not kept.cache_state
    assert "sample" not in vars(llm)
    llm.set_cache(None)
    assert text_of(steered) != text_of(before)
    assert text_of(ask()) == text_of(before)


def test_what_is_no_chat_is_left_alone(llm, ask):
    """A completion of text has its own positions, at which nothing may act; one that goes on with a steered prompt is
    not steered either."""
    alone = llm.create_completion("A dog", **GREEDY)["choices"][0]["text"]
    with steering.steer(llm, BOXES[4], mode="max_suppress_all", strength=100, queries="all"):
        assert llm.create_completion("A dog", **GREEDY)["choices"][0]["text"] == alone
        ask()
        assert llm.create_completion("A dog", **GREEDY)["choices"][0]["text"] == alone


def test_its_own_prefix_reuse(llm, ask, scene):
    """Asked twice, with another prompt between, whatever is left in its KV cache."""
    ours = scene.describe(at=BOXES[2], max_tokens=24)
    llm.set_cache(LlamaRAMCache())
    try:
        for number in (5, 2):
            with steering.steer(llm, BOXES[number]) as steered:
                ask()
                if number == 5:
                    ask(uri(OTHER.image))
            if number == 5:
                ask()
        same(steered.answer, ours)
    finally:
        llm.set_cache(None)


def test_one_of_several_images(llm, ask, builtin):
    urls = uri(STRIP.image), uri(OTHER.image)
    parts = [lookhere.ImagePart(STRIP.image), lookhere.ImagePart(OTHER.image), builtin.prompt]
    shown = [lookhere.Message("user", tuple(parts))]
    place = Box(*OTHER.boxes[2])
    ours = builtin.chat(shown, at=OnImage(place, 2), max_tokens=24)
    with steering.steer(llm, OnImage(place, 2)) as steered:
        ask(*urls)
    same(steered.answer, ours)
    with steering.steer(llm, place, image=np.asarray(OTHER.image)) as steered:
        ask(*urls)
    assert [step.token for step in steered.answer.steps] == [step.token for step in ours.steps]


def test_a_photo_is_turned_upright(llm, ask, builtin):
    """llama-cpp-python's own decoder would leave it lying on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = STRIP.image.rotate(90, expand=True)
    file = png(lying, "JPEG", exif=exif, quality=95)
    with steering.steer(llm, BOXES[1], image=file) as steered:
        ask("data:image/jpeg;base64," + base64.b64encode(file).decode())
    ours = builtin.look(file).describe(at=BOXES[1], max_tokens=24)
    assert ours.gaze.frame.width == STRIP.image.width
    same(steered.answer, ours)


def test_limits_that_the_model_states(builtin):
    """A Llama that has answered before knows nothing of them; it is told while it is steered, and never else."""
    picture = STRIP.image.resize((STRIP.image.width * 3 // 2, STRIP.image.height * 3 // 2), Image.Resampling.LANCZOS)
    llama, prompt = made(), messages(builtin.prompt, uri(picture))
    try:
        before = llama.create_chat_completion(messages=prompt, **GREEDY)["usage"]["prompt_tokens"]
        with steering.steer(llama, Panel(1, 2, 1, 6)) as steered:
            llama.create_chat_completion(messages=prompt, **GREEDY)
        same(steered.answer, builtin.look(picture).describe(at=Panel(1, 2, 1, 6), max_tokens=24))
        assert llama.create_chat_completion(messages=prompt, **GREEDY)["usage"]["prompt_tokens"] == before
    finally:
        llama.close()


class TestErrors:
    """Each a sentence that says what to do."""

    def test_no_llama(self):
        with pytest.raises(lookhere.LlamaCppError, match=r"expected a llama_cpp\.Llama"):
            steering.steer("model.gguf", BOXES[0])

    def test_a_text_handler(self):
        llama = made(None)
        try:
            with pytest.raises(lookhere.LlamaCppError, match=r"sees no images\. Give it one of"):
                steering.steer(llama, BOXES[0])
        finally:
            llama.close()

    def test_a_closed_llama(self):
        llama = made()
        with steering.steer(llama, BOXES[0]) as steered:
            llama.close()
        assert not steered.steps
        with pytest.raises(lookhere.ClosedError, match="This Llama is closed"):
            steering.steer(llama, BOXES[0])

    def test_steered_twice(self, llm):
        with steering.steer(llm, BOXES[0]), pytest.raises(lookhere.BusyError, match=r"steered\.look_at"):
            steering.steer(llm, BOXES[1])

    def test_an_image_that_is_not_shown(self, llm, ask):
        with (
            steering.steer(llm, BOXES[0], image=OTHER.image),
            pytest.raises(lookhere.ImageError, match="which the messages do not show; they show 1 of 384 x 64 pixels"),
        ):
            ask()
        assert text_of(ask()), "it goes on"

    def test_no_image_at_all(self, llm):
        with steering.steer(llm, BOXES[0]), pytest.raises(lookhere.ImageError, match="The messages show no image"):
            llm.create_chat_completion(messages=[{"role": "user", "content": "What is it?"}], **GREEDY)

    def test_which_of_several(self, llm, ask):
        with steering.steer(llm, BOXES[0]), pytest.raises(lookhere.RegionError, match="on which of the 2 images"):
            ask(uri(STRIP.image), uri(OTHER.image))

    def test_outside(self, llm, ask):
        with pytest.raises(lookhere.RegionError, match="384 x 64"):
            steering.steer(llm, Box(0, 0, 400, 400), image=STRIP.image)
        with steering.steer(llm, Box(0, 0, 400, 400)), pytest.raises(lookhere.RegionError, match="384 x 64"):
            ask()

    def test_a_target_outside_does_not_end_the_stream(self, llm, ask):
        with steering.steer(llm, BOXES[0]) as steered:
            stream = ask(stream=True)
            next(stream), next(stream)
            with pytest.raises(lookhere.RegionError, match="384 x 64"):
                steered.look_at(Box(0, 0, 400, 400))
            assert list(stream)
        assert steered.answer.text == STRIP.captions[0]

    def test_both_ways_to_name_an_image(self, llm):
        with pytest.raises(lookhere.RegionError, match="leave one out"):
            steering.steer(llm, OnImage(BOXES[0], 1), image=STRIP.image)

    def test_a_stream_that_outlives_it(self, llm, ask):
        with steering.steer(llm, BOXES[0]) as steered:
            stream = ask(stream=True)
            next(stream)
        with pytest.raises(lookhere.ClosedError, match="read it to its end first"):
            list(stream)
        with pytest.raises(lookhere.CancelledError):
            print(steered.answer)

    def test_no_heads_known(self, llm, monkeypatch):
        monkeypatch.setattr("lookhere.llama_cpp.steered.heads_of", lambda *given: None)
        with pytest.raises(lookhere.HeadSetMissingError, match=r"lookhere discover .*--mmproj"):
            steering.steer(llm, BOXES[0])

    def test_another_version(self, monkeypatch):
        monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.3.2")
        with pytest.raises(lookhere.LlamaCppError, match=r"0\.3\.2 is installed, .* CMAKE_ARGS=-DLLAMA_BUILD=OFF"):
            libraries.load()

    def test_not_installed(self, monkeypatch):
        def missing(name):
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(importlib.metadata, "version", missing)
        with pytest.raises(lookhere.LlamaCppError, match="which is not installed"):
            libraries.load()


def test_imported_too_late(tmp_path):
    for name in libraries.NAMES:
        shutil.copy(libraries.ours()._name, tmp_path / f"{name}.so")
    code = (
        "import llama_cpp, lookhere\n"
        "try: import lookhere.llama_cpp\n"
        "except lookhere.LlamaCppError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | dict.fromkeys(libraries.FOLDERS, str(tmp_path)),
    )  # fmt: skip
    assert "llama_cpp was imported before lookhere.llama_cpp" in done.stdout


def test_the_environment_is_left_as_it_was_and_one_library_is_loaded():
    assert not set(libraries.FOLDERS) & os.environ.keys()
    maps = Path("/proc/self/maps")
    if maps.exists():
        found = set(re.findall(r"\S*(?:libllama|libmtmd|-llama\.so)\S*", maps.read_text()))
        assert found == {os.path.realpath(libraries.ours()._name)}


def test_the_extra_is_of_the_pinned_version():
    pinned = re.search(r"LLAMA_VERSION (\S+)\)", (ROOT / "ggml_patches/upstream.cmake").read_text())[1]
    assert f'"llama-cpp-python[server]=={pinned}"' in (ROOT / "pyproject.toml").read_text()
    assert importlib.metadata.version("llama-cpp-python") == pinned


@pytest.fixture(scope="module")
def server():
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("sse_starlette")
    from llama_cpp.server import app
    from llama_cpp.server.settings import ModelSettings, ServerSettings

    model, projector = map(str, builtin_files())
    settings = ModelSettings(
        model=model, clip_model_path=projector, chat_format="mtmd", n_ctx=1024, n_threads=1, verbose=False
    )
    made = app.create_app(server_settings=ServerSettings(), model_settings=[settings])
    running = uvicorn.Server(uvicorn.Config(made, port=0, log_level="warning"))
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = running.servers[0].sockets[0].getsockname()[1]
    yield app._llama_proxy(), f"http://127.0.0.1:{port}/v1"
    running.should_exit = True
    thread.join(20)
    app._llama_proxy.free()


class TestServer:
    """llama-cpp-python's own, over HTTP."""

    def test_openais_client(self, server, scene, builtin):
        openai = pytest.importorskip("openai")
        llama, url = server
        client = openai.OpenAI(base_url=url, api_key="none")
        asked = {"model": "it", "messages": messages(builtin.prompt), **GREEDY}
        with steering.steer(llama, BOXES[1]) as steered:
            whole = client.chat.completions.create(**asked)
            ours = scene.describe(at=BOXES[1], max_tokens=24)
            assert whole.choices[0].message.content == ours.text == STRIP.captions[1]
            same(steered.answer, ours)
            steered.look_at(BOXES[4])
            stream = client.chat.completions.create(**asked, stream=True)
            streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            assert streamed == scene.describe(at=BOXES[4], max_tokens=24).text
        gc.collect()  # within this test, which knows of it
        free = client.chat.completions.create(**asked)
        assert free.choices[0].message.content == scene.describe(max_tokens=24).text
        client.close()

    def test_what_is_wrong_is_told(self, server, builtin):
        openai = pytest.importorskip("openai")
        llama, url = server
        client = openai.OpenAI(base_url=url, api_key="none", max_retries=0)
        with steering.steer(llama, BOXES[1], image=OTHER.image), pytest.raises(openai.APIError) as raised:
            client.chat.completions.create(model="it", messages=messages(builtin.prompt), **GREEDY)
        assert "the messages do not show" in json.dumps(raised.value.body)
        client.close()


def test_the_page(tmp_path, monkeypatch, capsys):
    """Its blocks, one after another."""
    page = (ROOT / "docs/llama-cpp-python.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for path, name in zip(builtin_files(), ("model.gguf", "mmproj.gguf"), strict=True):
        Path(name).symlink_to(path)
    STRIP.image.save("strip.png")
    names = {}
    monkeypatch.setattr("uvicorn.run", lambda app, **options: print("serving", options["port"]))
    for block in blocks:
        exec(compile(block, "llama-cpp-python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert STRIP.captions[1] in printed
    assert STRIP.captions[4] in printed
    assert "serving 8080" in printed
    names["llm"].close()
    names["llama"].close()
