"""``lookhere mcp`` as hosts start it: a process, the SDK's own client, the built-in model."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import lookhere
import pytest
from anyio.from_thread import start_blocking_portal
from lookhere.cli import main
from lookhere.comics import generate_strip
from PIL import Image

pytest.importorskip("mcp.client.stdio")

from mcp import Client, StdioServerParameters

PAGE = (Path(__file__).parents[2] / "docs/agents.md").read_text()
CONFIGS = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
COMMAND = ["-m", "lookhere", "mcp"]
ENVIRONMENT = dict(os.environ)  # the SDK starts a server with a few variables alone


@pytest.fixture(scope="module")
def strip():
    return generate_strip(7)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, strip):
    found = tmp_path_factory.mktemp("images")
    strip.image.save(found / "strip.png")
    Image.effect_noise((96, 64), 80).convert("RGB").save(found / "photo.png")
    return found


@pytest.fixture(scope="module")
def call(builtin, folder):
    """Calls a tool of one server, which all tests share, and gives the result."""
    server = StdioServerParameters(command=sys.executable, args=[*COMMAND, "--allow", str(folder)], env=ENVIRONMENT)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(server)) as client:
        yield lambda name, **arguments: portal.call(partial(client.call_tool, name, arguments))


def test_a_grid_of_a_real_strip(call, strip):
    result = call("look_around", image="strip.png", rows=1, cols=6)
    assert not result.is_error, result.content
    assert tuple(cell["text"] for cell in result.structured_content["cells"]) == strip.captions
    assert json.loads(result.content[0].text) == result.structured_content


def test_a_region_is_answered_as_by_python(call, builtin, strip):
    result = call("describe_region", image="strip.png", region="panel:3/6")
    answer = builtin.describe(strip.image, at=lookhere.Panel(3, 6))
    found = result.structured_content
    assert (found["text"], found["finish"]) == (answer.text, answer.finish)
    assert found["looked_at"]["box"] == answer.where().as_json()["box"]
    assert found["note"] is None


def test_where_a_panel_is(call, strip):
    for number, name in ((3, "the third panel"), (5, "the fifth panel")):
        found = call("where_is", image="strip.png", what=name).structured_content
        assert found["text"] == strip.captions[number - 1]
        x0, _, x1, _ = found["looked_at"]["box"]
        assert 64 * (number - 1) <= (x0 + x1) / 2 <= 64 * number
        assert found["words"]


def test_what_the_model_does_not_know_is_noted(call):
    found = call("describe_region", image="photo.png", region="box:0%,0%,50%,100%", max_tokens=3).structured_content
    assert "knows only the comic strips" in found["note"]


def test_what_is_refused_is_told(call):
    for arguments, words in (({"image": "/etc/passwd"}, "outside"), ({"image": "strip.pn"}, "'strip.png'")):
        result = call("describe_region", **arguments)
        assert result.is_error
        assert words in result.content[0].text


@contextlib.contextmanager
def process(folder, *words):
    """A server that is spoken to line by line; what it says on stderr is in the file ``errors``."""
    command = [sys.executable, *COMMAND, "--allow", str(folder), *words]
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    with (
        (folder / "errors").open("w") as errors,
        subprocess.Popen(command, **pipes, stderr=errors, text=True, encoding="utf-8") as server,
    ):
        try:
            yield server
        finally:
            server.kill()


def send(server, method, number=None, **params):
    message = {"jsonrpc": "2.0", "method": method, "params": params} | ({} if number is None else {"id": number})
    server.stdin.write(json.dumps(message) + "\n")
    server.stdin.flush()


def begin(server):
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    send(server, "initialize", 1, **about)
    assert json.loads(server.stdout.readline())["result"]["serverInfo"]["version"] == lookhere.__version__
    send(server, "notifications/initialized")


def test_only_the_protocol_goes_to_stdout_and_a_closed_stdin_ends_it(builtin, folder):
    with process(folder, "-vv") as server:
        begin(server)
        server.stdin.write("no json\n")
        send(server, "tools/call", 2, name="describe_region", arguments={"image": "strip.png", "region": "panel:1/6"})
        said = {}
        while 2 not in said:
            line = json.loads(server.stdout.readline())
            said[line.get("id")] = line
        assert not said[2]["result"].get("isError")
        server.stdin.write('{"jsonrpc": "2.0", "id": 3, "method": "ping"}')  # without a line end
        server.stdin.close()
        rest = server.stdout.read()
        assert server.wait(60) == 0
        assert all(json.loads(line)["jsonrpc"] == "2.0" for line in rest.splitlines())
        errors = (folder / "errors").read_text()
        assert str(folder) in errors
        assert "DEBUG" in errors  # the log is there, and nowhere else
        assert "Traceback" not in errors


def test_ctrl_c_ends_calls_within_a_batch(builtin, folder):
    """More calls than are answered meanwhile: those that wait are told, and the process ends at once."""
    with process(folder) as server:
        begin(server)
        arguments = {"image": "strip.png", "prompt": "describe what happens in each panel, in order", "max_tokens": 200}
        for number in range(2, 302):
            send(server, "tools/call", number, name="describe_region", arguments=arguments)
        first = json.loads(server.stdout.readline())  # the model is there
        server.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in server.communicate(timeout=60)[0].splitlines()]
        assert server.returncode == 130
        assert "result" in first
        assert any("error" in each for each in rest)  # the callers are told
        assert "Traceback" not in (folder / "errors").read_text()


def test_a_host_that_is_gone_is_no_error(builtin, folder):
    with process(folder) as server:
        begin(server)
        server.stdout.close()
        send(server, "ping", 2)
        assert server.wait(60) == 0
        assert "Error" not in (folder / "errors").read_text()


def test_the_configurations_of_the_page_are_commands():
    assert len(CONFIGS) == 3
    for config in CONFIGS:
        (servers,) = config.values()
        found = servers["lookhere"]
        assert Path(found["command"]).name == "lookhere"
        name, *words = found["args"]
        words = [
            shlex.quote("/" if word.startswith(("/home/me", "$")) and ".gguf" not in word else word) for word in words
        ]
        context = main.commands[name].make_context(name, words)
        assert context.params["allow"]
        assert context.params["given"]


def test_the_client_of_the_page(builtin, folder, strip, monkeypatch, capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    told = 'command="lookhere", args=["mcp", '
    assert told in code
    here = f"command={sys.executable!r}, env={ENVIRONMENT!r}, args=['-m', 'lookhere', 'mcp', "
    monkeypatch.chdir(folder)
    exec(compile(code.replace(told, here), "agents.md", "exec"), {})
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == list(strip.captions)
