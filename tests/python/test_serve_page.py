"""The page without a browser: what is served of it, and to whom. With a browser: tests/page."""

import asyncio
import re

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import lookhere
from click.testing import CliRunner
from live_server import STRIP, serving
from lookhere.cli import main
from PIL import Image

TOKEN = "a-secret-of-16"


@pytest.fixture
def live(model):
    with serving(model) as found:
        yield found


def test_the_page_and_all_that_it_names(live):
    found = live.get("/")
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in found.headers["content-security-policy"]
    seen, left = set(), re.findall(r'(?:src|href)="(/page/[^"]+)"', found.body.decode())
    assert left
    while left:
        path = left.pop()
        if path in seen:
            continue
        seen.add(path)
        reply = live.get(path)
        assert reply.status == 200, path
        assert reply.headers["x-content-type-options"] == "nosniff"
        left += [f"/page/{name}" for name in re.findall(r'from "\./([\w.]+)"', reply.body.decode())]
        assert not re.search(r"https?://(?!www\.w3\.org/)", reply.body.decode()), path
    assert {"/page/main.js", "/page/style.css", "/page/link.js", "/page/heat.js"} <= seen


def test_every_id_that_a_module_asks_for_is_in_the_page(live):
    page = live.get("/").body.decode()
    code = live.get("/page/main.js").body.decode() + live.get("/page/stage.js").body.decode()
    asked = set(re.findall(r'["\'(]#([a-z][\w-]*)', code))
    assert len(asked) > 20
    assert asked <= set(re.findall(r'id="([\w-]+)"', page))


def test_facts(live, model):
    found = live.get("/page/facts.json").json
    assert (found["title"], found["layers"]) == (model.name, model.layers)
    assert found["heads"] == [list(each) for each in model.head_set.heads]
    assert {len(each) for each in found["draws"]} == {len(found["heads"])}
    assert found["load"] == {"model": model.as_given[0], "mmproj": model.as_given[2]}


@pytest.fixture
def given(engine, pair, head_set, tmp_path):
    """A model that was loaded with all that answers depend on, and that."""
    heads = tmp_path / "heads of mine.json"
    head_set.write(heads)
    options = {"mmproj": str(pair[1]), "heads": str(heads), "max_image_tokens": 100}
    with lookhere.load(pair[0], **options) as loaded:
        loaded.fit = "tile"  # which the fake engine's kind of model does not take
        yield loaded, {"model": str(pair[0]), **options, "fit": "tile"}


def test_the_page_is_told_what_the_model_was_loaded_with(given):
    model, options = given
    with serving(model) as live:
        assert live.get("/page/facts.json").json["load"] == options
    model.head_set = model.head_set.top(1)
    with serving(model) as live:
        assert "heads" not in live.get("/page/facts.json").json["load"]


def test_strangers_are_not_told_folders(given):
    model, options = given
    with serving(model, hosts=("demo.example",)) as live:
        found = live.get("/page/facts.json").json["load"]
    assert found.keys() == options.keys()
    assert not any("/" in str(each) for each in found.values())


@pytest.mark.parametrize(
    "name", ["files.py", "__init__.py", "nothing.js", "photo", "..%2fapp.py", "%2e%2e%2f%2e%2e%2fmodel.py"]
)
def test_nothing_else_is_served(live, name):
    reply = live.get(f"/page/{name}")
    assert reply.status == 404
    assert reply.error["code"] == "not_found"


def test_the_page_opens_without_the_token_and_tells_nothing(model):
    with serving(model, token=TOKEN) as live:
        assert [live.get(path).status for path in ("/", "/page/main.js", "/page/style.css")] == [200] * 3
        for path in ("/page/facts.json", "/page/strip.png", "/page/photo", "/v1/models", "/page/x/../facts.json"):
            assert live.get(path).status == 401, path
        assert live.get("/page/facts.json", Authorization=f"Bearer {TOKEN}").status == 200


def test_visitors_who_come_back_keep_it_open(monkeypatch):
    from lookhere.server.page import visitors

    monkeypatch.setattr(visitors, "SECONDS", 0.05)
    ended = []

    async def visit():
        found = visitors.Visitors(lambda: ended.append(True))
        found.enter()
        found.leave()
        found.enter()  # loaded again
        await asyncio.sleep(0.1)
        assert not ended
        found.enter()
        found.leave()
        await asyncio.sleep(0.1)
        assert not ended
        found.leave()
        await asyncio.sleep(0.1)

    asyncio.run(visit())
    assert ended == [True]


@pytest.fixture
def begun(engine, pair, monkeypatch):
    """What the server was begun with."""
    from lookhere.server import program

    found = []
    monkeypatch.setattr(program, "serve", lambda model, settings, *rest, **more: found.append((settings, more)))
    return found


def test_try(begun, pair, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(STRIP).save(path)
    result = CliRunner().invoke(main, ["try", str(path), "--model", str(pair[0])])
    assert (result.exit_code, result.stderr) == (0, "")
    settings, more = begun[0]
    assert (settings.port, settings.loopback, more["photo"]) == (0, True, path)


def test_try_refuses_what_is_no_image(begun, pair, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no image")
    result = CliRunner().invoke(main, ["try", str(path), "--model", str(pair[0])])
    assert result.exit_code == 1
    assert "notes.txt" in result.stderr
    assert not begun
