"""Clients that people have, against the server: what docs/clients.md and docs/server.md show of each."""

import contextlib
import gc
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fake_engine as fake
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from live_server import STRIP, serving
from PIL import Image

# the clients leave their connections to the garbage collector
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
)

DOCS = Path(__file__).parents[2] / "docs"
CLIENTS = (DOCS / "clients.md").read_text()
SERVER = (DOCS / "server.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", CLIENTS, re.MULTILINE | re.DOTALL)
STEERED = fake.steered_text(0, 2)


@pytest.fixture
def live(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(STRIP).save("strip.png")
    with serving(model, name="lookhere") as found:
        yield found


def here(live, code):
    return code.replace("127.0.0.1:8000", f"127.0.0.1:{live.port}")


def run(live, *blocks):
    said = io.StringIO()
    names = {"__name__": "docs"}
    with contextlib.redirect_stdout(said):
        for block in blocks:
            exec(compile(here(live, block), "docs", "exec"), names)
    names.clear()
    gc.collect()  # what the clients leave goes here, and not in another test
    return said.getvalue()


def block_with(text):
    (found,) = [each for each in BLOCKS if text in each]
    return found


def needs(*modules):
    for name in modules:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def test_openai(live):
    needs("openai")
    said = run(live, BLOCKS[0], block_with("from openai import OpenAI\n"))
    assert said.count(STEERED) == 2
    assert re.search(r"\d+$", said.strip())


def test_openai_asynchronous_with_a_moving_target(live, monkeypatch):
    import time

    needs("openai", "httpx")
    plain = fake.Session.decode_texts
    monkeypatch.setattr(fake.Session, "decode_texts", lambda *a, **o: time.sleep(0.05) or plain(*a, **o))
    said = run(live, BLOCKS[0], block_with("AsyncOpenAI"))
    assert re.fullmatch(r"row 0, column [04] … é", said)
    assert 'lookhere_answers_total{finish="end"} 1.0' in live.get("/metrics").body.decode()


def test_openai_errors(live):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{live.port}/v1", api_key="none", max_retries=0)
    hello = [{"role": "user", "content": "Hi"}]
    with pytest.raises(openai.BadRequestError, match="one answer"):
        client.chat.completions.create(model="lookhere", messages=hello, n=2)
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.chat.completions.create(model="gpt-4o", messages=hello)
    assert [each.id for each in client.models.list()] == ["lookhere"]
    assert client.models.retrieve("lookhere").owned_by == "lookhere"
    client.close()


def test_langchain(live):
    needs("langchain_openai")
    assert run(live, BLOCKS[0], block_with("ChatOpenAI")).count(STEERED) == 2


def test_litellm(live, monkeypatch):
    needs("litellm")
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    command = [
        sys.executable,
        "-c",
        here(live, BLOCKS[0] + block_with("import litellm")),
    ]  # it warns, and keeps threads
    assert STEERED in subprocess.run(command, check=False, capture_output=True, text=True, timeout=300).stdout


def test_llm(live, tmp_path, monkeypatch):
    needs("llm")
    yaml = re.search(r"^```yaml\n(.*?)^```", CLIENTS, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "extra-openai-models.yaml").write_text(here(live, yaml))
    command = [sys.executable, "-m", "llm", "-m", "lookhere", "What is happening?", "-a", "strip.png", "--key", "none"]
    environment = {**os.environ, "LLM_USER_PATH": str(tmp_path)}
    result = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120, env=environment, stdin=subprocess.DEVNULL
    )
    assert result.stdout.strip() == fake.UNSTEERED, result.stderr


def test_openai_of_npm(live, tmp_path):
    """Where node is, and LOOKHERE_NODE_MODULES names a folder with the package."""
    modules = os.environ.get("LOOKHERE_NODE_MODULES")
    if not modules or shutil.which("node") is None:
        pytest.skip("no openai of npm")
    (tmp_path / "node_modules").symlink_to(modules)
    code = re.search(r"^```js\n(.*?)^```", CLIENTS, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "ask.mjs").write_text(here(live, code))
    result = subprocess.run(["node", "ask.mjs"], check=False, capture_output=True, text=True, timeout=120)
    assert result.stdout.count(STEERED) == 2, result.stderr


def test_the_servers_page(live):
    needs("openai")
    code = re.search(r"^```python\n(.*?)^```", SERVER, re.MULTILINE | re.DOTALL)[1]
    assert run(live, code).startswith(STEERED)


def test_the_page_names_every_field():
    from lookhere.server.request import HABITS, NEUTRAL, ChatRequest
    from lookhere.wire.pointing import _KEYS

    for name in (*HABITS, *NEUTRAL, *ChatRequest.model_fields, *_KEYS):
        assert re.search(rf"`{name}[`.]", SERVER) or name in ("model", "messages", "lookhere", "stream_options"), name


def test_the_page_names_every_path(live):
    from lookhere.server.app import App

    paths = [route.path for route in App(live.desk).asgi.routes]
    assert "/v1/chat/completions" in paths
    for path in paths:
        assert path.replace("{name:path}", "{name}") in SERVER, path
