"""The tools of ``lookhere mcp``, asked by the SDK's own client within the process, with the fake engine."""

import base64
import json
import sys
import threading
import time
from functools import partial

import anyio
import fake_engine as fake
import jsonschema
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from lookhere import ImageError, ModelFileError
from lookhere.cli import main
from lookhere.cli.asked import question, unknown
from PIL import Image

pytest.importorskip("mcp.server.lowlevel")

from lookhere.mcp import looking
from lookhere.mcp.coming import ComingModel
from lookhere.mcp.folders import Folders
from lookhere.mcp.looking import Looking
from lookhere.mcp.pictures import Pictures
from lookhere.mcp.server import NOT_YET, make_server
from lookhere.mcp.tools import MOST_REGIONS, TOOLS
from mcp import Client

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    Image.fromarray(STRIP).save(images / "strip.png")
    return images


@pytest.fixture
def server(model, folder):
    return serving(lambda: model, folder)


def serving(load, folder, patience=30.0):
    return make_server(Looking(Pictures(Folders([folder])), question, unknown), ComingModel(load), patience)


def ask(server, *calls):
    """The results of calls (tool, arguments), all made at once over one connection."""
    found = [None] * len(calls)

    async def run():
        async with Client(server, mode="legacy") as client, anyio.create_task_group() as group:

            async def one(index, name, arguments):
                found[index] = await client.call_tool(name, arguments)

            for index, (name, arguments) in enumerate(calls):
                group.start_soon(one, index, name, arguments)

    anyio.run(run)
    return found


def told(server, name, **arguments):
    """The object of a call that went well; its text is the same object."""
    (result,) = ask(server, (name, {"image": "strip.png", **arguments}))
    assert not result.is_error, result.content
    assert json.loads(result.content[0].text) == result.structured_content
    return result.structured_content


def refused(server, name, **arguments):
    """The message of a call that was refused."""
    (result,) = ask(server, (name, {"image": "strip.png", **arguments}))
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text


def steered(col):
    return fake.steered_text(0, col)


def test_what_there_is(server):
    async def run():
        async with Client(server, mode="legacy") as client:
            return client.instructions, (await client.list_tools()).tools

    instructions, tools = anyio.run(run)
    assert "look_around" in instructions
    assert [tool.name for tool in tools] == ["describe_region", "describe_regions", "where_is", "look_around"]
    for tool, facts in zip(tools, TOOLS, strict=True):
        for schema in (tool.input_schema, tool.output_schema):
            jsonschema.Draft202012Validator.check_schema(schema)
            assert schema["additionalProperties"] is False
        assert tool.input_schema["required"] == list(facts.needs)
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.annotations.idempotent_hint
        assert not tool.annotations.open_world_hint
        assert tool.description
        assert tool.title
        assert all("description" in value or name == "regions" for name, value in facts.takes.items()
                   if name not in ("rows", "cols"))  # fmt: skip


@pytest.mark.parametrize(
    "region",
    ["panel:3/6", "box:32,0,48,16", {"kind": "panel", "row": 1, "col": 3, "rows": 1, "cols": 6},
     '{"kind": "box", "x0": 32, "y0": 0, "x1": 48, "y1": 16}', "point:40,8", "box:33.4%,0,50%,50%"],
)  # fmt: skip
def test_a_region_in_every_form(server, region):
    found = told(server, "describe_region", region=region)
    assert found["text"] == steered(2)
    assert (found["finish"], found["image"]) == ("end", {"width": 96, "height": 32})
    assert found["note"] is None
    assert found["looked_at"]["box"]


def test_without_a_region_nothing_is_steered(server, folder):
    data = "data:image/png;base64," + base64.b64encode((folder / "strip.png").read_bytes()).decode()
    for image in ("strip.png", str(folder / "strip.png"), (folder / "strip.png").as_uri(), data):
        assert told(server, "describe_region", image=image)["text"] == fake.UNSTEERED
    assert told(server, "describe_region", region=None, prompt=None)["text"] == fake.UNSTEERED


def test_several_regions_in_their_order(server):
    found = told(server, "describe_regions", regions=["panel:6/6", "panel:1/6", "panel:6/6"])
    assert [answer["text"] for answer in found["answers"]] == [steered(5), steered(0), steered(5)]


def test_a_grid(server):
    found = told(server, "look_around", rows=1, cols=6)
    assert [cell["text"] for cell in found["cells"]] == [steered(col) for col in range(6)]
    assert [(cell["row"], cell["col"]) for cell in found["cells"]] == [(1, col) for col in range(1, 7)]
    assert [cell["box"] for cell in found["cells"]] == [[16 * col, 0, 16 * col + 16, 32] for col in range(6)]
    cell = found["cells"][4]
    assert told(server, "describe_region", region=cell["region"])["text"] == cell["text"]
    assert len(told(server, "look_around")["cells"]) == 9


def test_where_something_is(server, model):
    found = told(server, "where_is", what=" the third panel. ")
    answer = model.describe(STRIP, "Describe the third panel.")
    assert found["text"] == answer.text
    assert found["looked_at"] == answer.where().as_json()
    assert "".join(word["text"] for word in found["words"]) == "".join(word.text for word in answer.words())


def test_options_reach_the_model(server, model, monkeypatch):
    asked = []
    plain = lookhere.Scene.stream_all
    monkeypatch.setattr(
        lookhere.Scene, "stream_all",
        lambda scene, at, prompt, **more: asked.append((prompt, more)) or plain(scene, at, prompt, **more),
    )  # fmt: skip
    found = told(server, "describe_region", region="panel:1/6", prompt="What?", max_tokens=2, zoom=True)
    assert found["finish"] == "length"
    ((prompt, more),) = asked
    assert (prompt, more["max_tokens"], more["zoom"]) == ("What?", 2, True)
    told(server, "look_around", rows=1, cols=2)
    assert asked[1][0] == model.prompt


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        (
            "describe_region",
            {"regio": "panel:1/6"},
            "unknown key regio; expected only image, max_tokens, prompt, region",
        ),
        ("describe_region", {"image": None}, "image is None; expected text"),
        ("describe_region", {"image": 7}, "image is 7; expected text"),
        ("describe_region", {"image": "stripp.png"}, "There is no file 'stripp.png'. Images there: 'strip.png'."),
        ("describe_region", {"image": "/etc/passwd"}, "outside of the folders"),
        ("describe_region", {"image": "https://example.org/a.png"}, "fetches nothing"),
        ("describe_region", {"image": "data:image/png;base64,AAAA"}, "not an image"),
        ("describe_region", {"region": [32, 0, 48, 16]}, "expected a text, as box:40,60,220,300"),
        ("describe_region", {"region": "the dog"}, "expected a region, as panel:2/6"),
        ("describe_region", {"region": "box:0,0,960,32"}, "leaves the image, which is 96 x 32 pixels"),
        ("describe_region", {"region": "box:0.1,0.1,0.5,0.5"}, "Box.relative(0.1, 0.1, 0.5, 0.5)"),
        ("describe_region", {"region": {"kind": "mask", "file": "strip.png"}}, "expected a data URI of the mask"),
        ("describe_region", {"region": "panel:9/6"}, "there are only 6 panels"),
        ("describe_region", {"zoom": True}, "zoom enlarges what is around a region"),
        ("describe_region", {"max_tokens": 0}, "max_tokens is 0; expected a whole number from 1 to 1000"),
        ("describe_regions", {}, "regions is missing"),
        ("describe_regions", {"regions": []}, "expected 1 to 64"),
        ("describe_regions", {"regions": "panel:1/6"}, "expected a list"),
        ("describe_regions", {"regions": ["panel:1/6", "x"]}, "regions[1] is 'x'"),
        ("look_around", {"rows": 9, "cols": 8}, "expected 64 cells at most"),
        ("look_around", {"rows": 0}, "rows is 0"),
        ("look_around", {"prompt": "\ud800"}, "valid Unicode"),
        ("where_is", {"what": " . "}, "expected what to find"),
        ("see", {}, "There is no tool 'see'; expected one of describe_region, describe_regions, where_is, look_around"),
    ],
)
def test_what_is_wrong_is_said_so_that_an_agent_can_mend_it(server, name, arguments, words):
    if "\ud800" in str(arguments):  # JSON-RPC cannot carry it: the reader alone is asked
        reader = Looking(Pictures(Folders([])), question, unknown)
        with pytest.raises(lookhere.OptionError, match=words):
            reader.read(name, {"image": "a", **arguments}).text("prompt")
        return
    assert words in refused(server, name, **arguments)


def test_a_model_without_heads_describes_and_does_not_point(engine, pair, folder):
    with lookhere.load(pair[0]) as model:
        server = serving(lambda: model, folder)
        assert told(server, "describe_region")["text"] == fake.UNSTEERED
        assert "lookhere discover" in refused(server, "where_is", what="a dog")
        assert "lookhere discover" in refused(server, "describe_region", region="panel:1/6")


def test_a_host_is_told_how_far_a_call_is(server, monkeypatch):
    monkeypatch.setattr(looking, "EVERY", -1.0)
    told = []

    async def progress(done, total, message):
        told.append((done, total))

    async def run():
        async with Client(server, mode="legacy") as client:
            arguments = {"image": "strip.png", "rows": 1, "cols": 3}
            return await client.call_tool("look_around", arguments, progress_callback=progress)

    assert not anyio.run(run).is_error
    assert told == sorted(told)
    assert {total for _, total in told} == {3}
    assert told[0][0] == pytest.approx(1 / 100)
    assert len(told) >= 3 * len(steered(0))  # a token each time: the fake engine's are bytes


def test_calls_at_once_share_batches(server, model, monkeypatch):
    """The first step waits until all calls have come."""
    here, count = threading.Semaphore(0), 12
    plain, begun = Looking._answers, threading.Event()
    decode = fake.Session.decode_texts

    def answers(*args):
        here.release()
        return plain(*args)

    def decoded(*args, **options):
        if not begun.is_set():
            assert all(here.acquire(timeout=60) for _ in range(count))
            begun.set()
        return decode(*args, **options)

    monkeypatch.setattr(Looking, "_answers", answers)
    monkeypatch.setattr(fake.Session, "decode_texts", decoded)
    calls = [("describe_region", {"image": "strip.png", "region": f"panel:{k % 6 + 1}/6"}) for k in range(count)]
    results = ask(server, *calls)
    assert [each.structured_content["text"] for each in results] == [steered(k % 6) for k in range(count)]
    texts = [len(sequences) for kind, sequences, _ in model.session.native.batches if kind == "text"]
    assert max(texts) > 1
    assert len(texts) < sum(len(steered(k % 6)) for k in range(count)) / 2


def test_a_call_that_is_cancelled_ends_in_the_engine(server, monkeypatch):
    decode, ended, begun = fake.Session.decode_texts, threading.Event(), threading.Event()

    def decoded(*args, cancel=None, **options):
        begun.set()
        until = time.monotonic() + 60
        while not ended.is_set() and time.monotonic() < until:
            if cancel.is_set():
                ended.set()
            time.sleep(0.01)
        return decode(*args, cancel=cancel, **options)

    monkeypatch.setattr(fake.Session, "decode_texts", decoded)

    async def run():
        async with Client(server, mode="legacy") as client, anyio.create_task_group() as group:
            group.start_soon(partial(client.call_tool, "describe_region", {"image": "strip.png"}))
            await anyio.to_thread.run_sync(begun.wait, 60)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(ended.wait, 60)

    anyio.run(run)
    assert told(server, "describe_region")["text"] == fake.UNSTEERED  # the model goes on


def test_the_model_is_loaded_once_and_waited_for(model, folder):
    loads, go = [], threading.Event()

    def load():
        loads.append(1)
        go.wait(60)
        return model

    server = serving(load, folder, patience=0.05)
    assert refused(server, "describe_region") == NOT_YET
    assert "unknown key" in refused(server, "describe_region", regio="x")  # that is known without the model
    go.set()
    until = time.monotonic() + 60
    while (result := ask(server, ("describe_region", {"image": "strip.png"}))[0]).is_error:
        assert time.monotonic() < until
    assert result.structured_content["text"] == fake.UNSTEERED
    assert loads == [1]


def test_a_model_that_cannot_be_loaded_is_told_of(folder):
    said = []

    def load():
        raise ModelFileError("There is no model 'x.gguf'.")

    coming = ComingModel(load, said.append)
    server = make_server(Looking(Pictures(Folders([folder])), question, unknown), coming)
    for _ in range(2):
        assert refused(server, "describe_region") == "There is no model 'x.gguf'."
    assert said == ["Error: There is no model 'x.gguf'."]
    coming.close()


def test_an_error_of_loading_that_is_a_timeout_is_no_waiting():
    def load():
        raise TimeoutError("the network")

    coming = ComingModel(load)
    with pytest.raises(TimeoutError, match="the network"):
        coming.get(60)


def test_no_memory(server, monkeypatch):
    def read(*args):
        raise MemoryError

    monkeypatch.setattr(Folders, "read", read)
    assert "No memory is left" in refused(server, "describe_region")


def run_command(*words):
    return CliRunner().invoke(main, ["mcp", *map(str, words)])


def test_the_command(engine, pair, folder, monkeypatch):
    program, served = pytest.importorskip("lookhere.mcp.program"), []
    monkeypatch.setattr(
        program, "serve", lambda load, allow, *others: served.append((load().name, [path.name for path in allow]))
    )
    result = run_command(pair[0], "--allow", folder, "--allow", folder.parent)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert served == [("Fake", ["images", folder.parent.name])]
    assert run_command(pair[0], "--model", pair[0]).exit_code == 2


def test_a_folder_that_is_not_there(engine, pair, tmp_path):
    pytest.importorskip("lookhere.mcp.program")
    result = run_command(pair[0], "--allow", tmp_path / "none")
    assert result.exit_code == 1
    assert "is no folder" in result.stderr


def test_a_tilde_is_the_home(engine, pair, monkeypatch):
    """Hosts start commands without a shell."""
    program, served = pytest.importorskip("lookhere.mcp.program"), []
    monkeypatch.setenv("HOME", str(pair[0].parent))
    monkeypatch.setattr(
        program, "serve", lambda load, allow, *others: served.append((load().name, Folders(allow).paths))
    )
    assert run_command("~/model.gguf", "--mmproj", "~/mmproj-model.gguf", "--allow", "~").exit_code == 0
    assert served == [("Fake", (pair[0].parent.resolve(),))]


def test_the_command_without_the_extra(engine, pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "lookhere.mcp.program", None)
    result = run_command(pair[0])
    assert result.exit_code == 1
    assert "pip install 'lookhere[mcp]'" in result.stderr


def test_bounds_stand_in_the_schemas():
    assert MOST_REGIONS == 64
    with pytest.raises(ImageError, match="expected 100 at most"):
        Pictures(Folders([]), pixels=100).open("data:image/png;base64," + png())


def png():
    import io

    file = io.BytesIO()
    Image.fromarray(STRIP).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
