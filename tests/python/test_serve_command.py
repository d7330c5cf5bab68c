"""``lookhere serve`` on the command line."""

import sys

import pytest
from click.testing import CliRunner
from lookhere.cli import main


@pytest.fixture
def served(engine, pair, monkeypatch):
    """What the server was begun with."""
    program = pytest.importorskip("lookhere.server.program")
    found = []
    monkeypatch.setattr(program, "serve", lambda model, settings, name, say: found.append((model, settings, name)))
    monkeypatch.delenv("LOOKHERE_TOKEN", raising=False)
    return found


def run(*words):
    return CliRunner().invoke(main, ["serve", *map(str, words)])


def test_without_the_extra(engine, pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "lookhere.server.program", None)
    result = run(pair[0])
    assert result.exit_code == 1
    assert "pip install 'lookhere[server]'" in result.stderr


def test_what_is_said_is_how_it_serves(served, pair):
    limits = ["--port", 0, "--parallel", 3, "--queue", 0, "--max-body", 2, "--max-pixels", 99, "--max-tokens", 7]
    result = run(pair[0], *limits, "--timeout", 1.5, "--allow-url", "--any-model-name", "--allow-host", "demo.example")
    assert (result.exit_code, result.stderr) == (0, "")
    model, settings, name = served[0]
    assert (model.name, name) == ("Fake", "model")
    assert (settings.port, settings.together, settings.queue, settings.body) == (0, 3, 0, 2 * 2**20)
    assert (settings.pixels, settings.tokens, settings.seconds) == (99, 7, 1.5)
    assert settings.allow_url
    assert settings.any_model_name
    assert "demo.example" in settings.known_hosts
    assert not settings.fixed


def test_demo_limits_are_a_beginning(served, pair):
    assert run(pair[0], "--demo-limits", "--queue", 2).exit_code == 0
    _, settings, _ = served[0]
    assert settings.fixed
    assert (settings.together, settings.queue, settings.tokens) == (4, 2, 100)


def test_elsewhere_a_token_is_needed(served, pair, monkeypatch):
    result = run(pair[0], "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert "LOOKHERE_TOKEN" in result.stderr
    assert not served
    monkeypatch.setenv("LOOKHERE_TOKEN", "secret-token")
    assert run(pair[0], "--host", "0.0.0.0").exit_code == 0
    assert served[0][1].token == "secret-token"


def test_two_models(served, pair):
    result = run(pair[0], "--model", pair[0])
    assert result.exit_code == 2
    assert "twice" in result.stderr


def test_a_port_that_is_taken(engine, pair, monkeypatch):
    import socket

    pytest.importorskip("lookhere.server.program")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run(pair[0], "--port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert "cannot listen" in result.stderr
