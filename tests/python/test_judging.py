"""Judges: word for word, rare words, categories, the model's own choice, and an endpoint over HTTP."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner
from lookhere import JudgeError
from lookhere.cli import main
from lookhere.lab.arms import Steered
from lookhere.lab.choice import Choice
from lookhere.lab.corpus import generated_scene, generated_strip
from lookhere.lab.endpoint import TRIES, Endpoint
from lookhere.lab.judging import Exact, Overlap, category, degenerate, jaccard, judge, nearest, overlap, well_formed
from lookhere.lab.picture import of_strip
from lookhere.lab.protocols import ask_places
from lookhere.lab.reply import Record, Reply
from lookhere.questions import AMBIGUOUS
from planted_engine import GAZE

CAPTIONS = ("Red fox running in the snow.", "Blue bird singing in the city.", "Owl reading in the snow.")


def test_exact_judge():
    strip = generated_strip("evaluation", 0, 0)
    captions, other = strip.captions, generated_strip("evaluation", 0, 1).captions[0]
    assert judge("exact", captions[2] + "\n", captions, 2) == "right"
    assert judge("exact", captions[1], captions, 2) == "other"
    assert judge("exact", other, captions, 2) == "none"
    assert judge("exact", captions[2].upper(), captions, 2) == "junk"
    assert judge("exact", "", captions, 2) == "junk"


def test_every_caption_and_label_is_well_formed():
    for index in range(20):
        for purpose in ("evaluation", "seen"):
            assert set(generated_strip(purpose, 1, index).captions) <= well_formed()
            assert {label for label, _ in generated_scene(purpose, 1, index).objects} <= well_formed()


def test_overlap_judge():
    assert nearest("A fox runs across the ice", CAPTIONS) == 0
    assert nearest("An owl is reading a newspaper in snow", CAPTIONS) == 2
    assert nearest("It is in the snow", CAPTIONS) is None  # two captions say so
    assert nearest("Nothing of it", CAPTIONS) is None
    assert judge("overlap", "birds sing", CAPTIONS, 1) == "right"
    assert judge("overlap", "birds sing", CAPTIONS, 0) == "other"
    assert judge("overlap", "qwerty", CAPTIONS, 0) == "none"
    assert judge("overlap", "fox fox fox fox", CAPTIONS, 0) == "junk"


@pytest.mark.parametrize(
    "text", ["", " \n", "!!! 12 ??", "a a a", "fox fox fox fox", "the the the the cat cat", "<|x|> 9 =="]
)
def test_junk(text):
    assert degenerate(text)


@pytest.mark.parametrize("text", ["Fox.", "A fox runs and the fox sings.", "Zwei Füchse laufen.", "Red fox, red fox"])
def test_language(text):
    assert not degenerate(text)


def test_category_judge():
    labels = ("person", "traffic light", "dog")
    assert category("A young woman with a dog", labels) == 0
    assert category("Two dogs", labels) == 2
    assert category("A traffic light.", labels) == 1
    assert category("A light", labels) == "none"
    assert category("hotdog", labels) == "none"
    assert category("", labels) == "junk"


def test_jaccard():
    assert jaccard("A fox runs.", "a FOX runs") == 1
    assert jaccard("a fox", "a bear") == pytest.approx(1 / 3)
    assert jaccard("", "") == 1


def test_a_record_goes_through_json():
    record = Record("x", 2, {"exact": 2, "overlap": "none"}, unchanged=False, nats=1.5, counted=3, more={"switch": 4})
    again = Record.from_dict(json.loads(json.dumps(record.as_dict())))
    assert again == record
    assert (again.outcome("exact"), again.outcome("overlap")) == ("right", "none")
    assert Record.from_dict(Record("x", 0, {}).as_dict()) == Record("x", 0, {})


def test_the_models_own_choice(planted_model):
    strip = generated_strip("evaluation", 0, 0)
    picture = of_strip(planted_model.look(strip.image), strip)
    replies = ask_places(picture, Steered("gaze heads", GAZE), AMBIGUOUS)
    assert Choice().picks(replies, picture.captions) == list(range(6))
    silent = [replace(reply, text="") for reply in replies]
    assert Choice().picks(silent, picture.captions) == list(range(6))  # it does not read the text
    assert Choice().picks([replace(replies[0], view=None)], picture.captions) == [None]
    wrong = Steered("wrong heads", replace(GAZE, heads=((0, 0), (0, 1))))
    assert Choice().picks(ask_places(picture, wrong, AMBIGUOUS), picture.captions) == [0] * 6


class Fake(BaseHTTPRequestHandler):
    """An endpoint that says what the test put on its list, and keeps what it was asked."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        status, text = self.server.says[min(len(self.server.asked), len(self.server.says)) - 1]
        if callable(text):
            text = text(body["messages"][-1]["content"])
        data = text if isinstance(text, bytes) else json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Fake) as listening:
        listening.says, listening.asked = [(200, "1")], []
        listening.address = f"http://127.0.0.1:{listening.server_port}/v1"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield listening
        listening.shutdown()
        thread.join()


def test_an_endpoint(server):
    server.says = [(200, "2"), (200, "Caption 0."), (200, "3")]
    asking = Endpoint(server.address, "judge-1", "secret")
    replies = [Reply("A bird sings", 1), Reply("A whale", 0), Reply("fox fox fox fox", 0), Reply("A bird sings", 0)]
    assert asking.picks(replies, CAPTIONS) == [1, "none", "junk", 1]
    assert len(server.asked) == 2  # junk is not sent, equal answers are sent once
    path, key, body = server.asked[0]
    assert (path, key, body["model"], body["temperature"]) == ("/v1/chat/completions", "Bearer secret", "judge-1", 0)
    assert "2. Blue bird singing in the city." in body["messages"][-1]["content"]
    assert "A bird sings" in body["messages"][-1]["content"]
    assert asking.name == f"judge-1 at {server.address}"
    whole = Endpoint(server.address + "/chat/completions", "judge-1")
    assert whole.picks([Reply("An owl", 0)], CAPTIONS) == [2]
    assert server.asked[-1][:2] == ("/v1/chat/completions", None)


def test_an_endpoint_that_is_busy(server):
    server.says = [(503, b"later"), (429, b"later"), (200, "1")]
    assert Endpoint(server.address, "x", pause=0.001).picks([Reply("A fox", 0)], CAPTIONS) == [0]
    assert len(server.asked) == TRIES


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (503, b"later", "503"),
        (401, b"bad key", "401.*bad key"),
        (200, b"not json", "JSON"),
        (200, b"{}", "chat completions"),
        (200, "I think it is a fox", "expected a number"),
        (200, "7", "expected a number from 0 to 3"),
    ],
)
def test_an_endpoint_that_fails(server, status, text, words):
    server.says = [(status, text)]
    with pytest.raises(JudgeError, match=words):
        Endpoint(server.address, "x", pause=0.001).picks([Reply("A fox", 0)], CAPTIONS)


def test_an_endpoint_that_is_not_there():
    with pytest.raises(JudgeError, match="cannot be reached"):
        Endpoint("http://127.0.0.1:9/v1", "x", pause=0.001).picks([Reply("A fox", 0)], CAPTIONS)
    with pytest.raises(JudgeError, match="no address"):
        Endpoint("ftp://example", "x")


def test_command_with_an_endpoint(planted_files, server, tmp_path, monkeypatch):
    """The endpoint picks by the exact words, so that it agrees with the exact judge."""
    monkeypatch.setenv("MY_KEY", "secret")

    def reads(question):
        listed, answer = question.split("\n\nAnswer: ")
        captions = [line.split(". ", 1)[1] for line in listed.split("\n")[1:]]
        said = answer.split("\n\n")[0]
        return str(captions.index(said) + 1 if said in captions else 0)

    server.says = [(200, reads)]
    GAZE.write(tmp_path / "heads.json")
    command = [
        "evaluate",
        str(planted_files[0]),
        "--heads",
        str(tmp_path / "heads.json"),
        "--strips",
        "1",
        "--seen",
        "0",
    ]
    command += ["--controls", "0", "--panel-size", "64", "--protocol", "vqa"]
    asking = ["--judge", server.address, "--judge-model", "judge-1", "--judge-key-env", "MY_KEY", "--judge", "exact"]
    result = CliRunner().invoke(main, [*command, *asking])
    assert result.exit_code == 0, result.output
    assert f"judged by judge-1 at {server.address}" in result.stdout
    assert f"| judge-1 at {server.address}, exact | 12 | 100.0% |" in result.stdout
    assert "| question that names no panel, gaze heads | 6 | 100.0% |" in result.stdout
    assert {key for _, key, _ in server.asked} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--judge", "https://example/v1"], "--judge-model"),
        (["--judge", "best"], "expected exact, overlap, choice"),
        (["--judge-model", "x"], "need --judge URL"),
        (["--judge", "https://example/v1", "--judge-model", "x", "--judge-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
    ],
)
def test_wrong_use_of_judges(planted_files, arguments, words):
    result = CliRunner().invoke(main, ["evaluate", str(planted_files[0]), *arguments])
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_judges_have_names():
    assert [each.name for each in (Exact(), Overlap(), Choice())] == ["exact", "overlap", "choice"]
    assert overlap("An owl reads", CAPTIONS) == 2
