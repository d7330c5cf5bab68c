"""The field ``lookhere``: where to look, what comes back, and targets that move mid-answer."""

import contextlib
import json
import threading

import fake_engine as fake
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
client = pytest.importorskip("websockets.sync.client")
InvalidStatus = pytest.importorskip("websockets.exceptions").InvalidStatus

from live_server import STRIP, asking, data_uri, message, serving
from lookhere import HeadSet, LookhereError, OptionError, Panel, Paragraph
from lookhere.schedule import Schedule
from lookhere.steering.head_set import to_dict
from lookhere.steering.push import PushChange
from lookhere.strict import Entry
from lookhere.wire.attention import map_json, read_map
from lookhere.wire.pointing import Pointing, pointing_json, read_pointing
from test_wire import regions


@pytest.fixture
def live(model):
    with serving(model) as found:
        yield found


def panel(k):
    return {"kind": "panel", "row": 1, "col": k, "rows": 1, "cols": 6}


def text_of(chunks):
    return "".join(each["choices"][0]["delta"].get("content", "") for each in chunks)


heads = (
    st.none()
    | st.integers(1, 99)
    | st.just("all")
    | st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1).map(tuple)
)
places = st.lists(regions(), min_size=1, max_size=3).map(tuple)
pushes = st.builds(PushChange, strength=st.none() | st.floats(0, 100), queries=st.sampled_from([None, "all", "answer"]))
pointings = st.builds(
    Pointing,
    at=st.none() | places,
    push=pushes,
    heads=heads,
    readers=st.none() | st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1).map(tuple),
    where=st.booleans(),
    gaze=st.booleans(),
    steered_gaze=st.booleans(),
    head_gaze=st.sampled_from([True, False, "all"]),
    zoom=st.booleans(),
    encoding=st.sampled_from(["float16", "numbers"]),
) | st.builds(
    Pointing,
    schedule=st.builds(
        Schedule,
        st.lists(st.none() | regions(), min_size=1, max_size=4).map(tuple),
        st.integers(1, 99) | st.sampled_from(["line", "sentence"]),
    ),
    push=pushes,
)


@given(pointings)
def test_what_is_written_is_read_back(pointing):
    data = json.loads(json.dumps(pointing_json(pointing), allow_nan=False))
    assert read_pointing(data) == pointing


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "at",
                        "kind",
                        "schedule",
                        "targets",
                        "every",
                        "heads",
                        "strength",
                        "file",
                        "row",
                        "mode",
                        "gaze",
                        "encoding",
                        "width",
                        "height",
                        "values",
                        "corners",
                        "format",
                    ]
                )
                | st.text(),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_anything_else_is_refused_by_name(data):
    with contextlib.suppress(LookhereError):
        assert isinstance(read_pointing(data), Pointing)


def test_a_head_set_comes_back(head_set):
    pointing = Pointing(heads=head_set)
    assert read_pointing(json.loads(json.dumps(pointing_json(pointing)))).heads == head_set


@given(st.lists(st.floats(0, 1, width=16), min_size=6, max_size=6), st.sampled_from(["float16", "numbers"]))
def test_maps_come_back(values, encoding):
    array = np.array(values, np.float32).reshape(2, 3)
    data = json.loads(json.dumps({"map": map_json(array, encoding)}))
    found = read_map(Entry("It", "", data, OptionError), "map")
    assert found.shape == (2, 3)
    assert np.allclose(found, array, atol=1e-6)


@pytest.mark.parametrize(
    "at",
    [panel(4), [panel(4)], "panel:4/6", "4/6", ["box:48,0,64,32"], {"kind": "relative_point", "x": 0.58, "y": 0.3}],
)
def test_places(live, at):
    assert live.chat(lookhere={"at": at}).text == fake.steered_text(0, 3)


def test_what_comes_back_is_what_python_gives(live, model):
    reply = live.chat(lookhere={"at": panel(3), "gaze": True, "encoding": "numbers"})
    told = reply.json["lookhere"]
    answer = model.chat([message()], at=Panel(3, 6))
    assert told["finish"] == answer.finish == "end"
    assert told["steering"]["fingerprint"] == answer.steering.fingerprint
    assert told["where"] == answer.where().as_json()
    assert [each["text"] for each in told["words"]] == [each.text for each in answer.words()]
    assert [each["where"] for each in told["words"]] == [each.where().as_json() for each in answer.words()]
    assert np.allclose(told["gaze"][0], answer.reading[0], atol=1e-6)
    (image,) = told["images"]
    assert image["image"] == {"width": 96, "height": 32}
    assert (image["grids"][0]["rows"], image["grids"][0]["cols"]) == (2, 6)


@pytest.mark.parametrize("encoding", ["float16", "numbers"])
def test_attention_beside_the_text(live, model, encoding):
    wanted = {"gaze": True, "steered_gaze": True, "head_gaze": True, "encoding": encoding}
    chunks = live.chat(lookhere={"at": panel(3), **wanted}, stream=True, max_tokens=4).chunks
    tokens = [each["lookhere"] for each in chunks if "index" in each.get("lookhere", {})]
    steps = model.chat([message()], at=Panel(3, 6), max_tokens=4, steered_gaze=True, head_gaze=True).steps
    assert [each["index"] for each in tokens] == [0, 1, 2, 3]
    assert [each["token"] for each in tokens] == [each.token for each in steps]
    for told, step in zip(tokens, steps, strict=True):
        for name in ("gaze", "steered_gaze", "head_gaze"):
            entry = Entry("It", "", {"map": told[name][0]}, OptionError)
            assert np.allclose(read_map(entry, "map"), getattr(step, name)[0], atol=1e-3)
        assert told["where"] == step.where().as_json()
    assert tokens[0]["images"][0]["image"] == {"width": 96, "height": 32}
    assert "images" not in tokens[1]
    assert chunks[-1]["lookhere"]["words"]


def test_nothing_is_told_that_was_not_asked_for(live):
    chunks = live.chat(lookhere={"at": panel(3), "where": False}, stream=True).chunks
    assert {key for each in chunks for key in each.get("lookhere", {})} == {
        "index",
        "token",
        "move",
        "finish",
        "steering",
        "images",
    }
    assert not any("lookhere" in each for each in live.chat(stream=True).chunks)


def test_other_heads(live, head_set):
    for heads, count in ((1, 1), ("all", 8), ([[0, 1], [2, 0], [3, 1]], 3), (to_dict(head_set), 2)):
        told = live.chat(lookhere={"at": panel(3), "heads": heads, "strength": 2}).json["lookhere"]
        assert told["steering"]["heads"] == count
        assert told["steering"]["strength"] == 2
    other = HeadSet(head_set.model.__class__("Other", "other", 4, 2), ((0, 0),))
    for heads in (99, [[9, 9]], [], 0, -1, 1.5, {"heads": []}, to_dict(other), "best"):
        assert live.chat(lookhere={"at": panel(3), "heads": heads}).status == 400, heads


def test_a_schedule(live):
    schedule = {"targets": [panel(1), None, panel(5)], "every": 4}
    reply = live.chat(lookhere={"schedule": schedule}, stream=True)
    tokens = [each["lookhere"] for each in reply.chunks if "index" in each.get("lookhere", {})]
    assert [each["target"] for each in tokens] == [0] * 4 + [1] * 4 + [2] * 4
    assert reply.chunks[-1]["choices"][0]["finish_reason"] == "length"
    whole = live.chat(lookhere={"schedule": schedule})
    assert whole.text == text_of(reply.chunks)
    assert whole.json["usage"]["completion_tokens"] == 12
    for wrong in (
        {"at": panel(1), "schedule": schedule},
        {"schedule": schedule, "zoom": True},
        {"schedule": {}},
        {"schedule": {"targets": []}},
        {"schedule": {**schedule, "every": 0}},
    ):
        assert live.chat(lookhere=wrong).status == 400


class Gate:
    """Lets the fake engine make one token at a time."""

    def __init__(self, monkeypatch):
        self.free = threading.Semaphore(0)
        plain = fake.Session.decode_texts

        def waits(session, *args, **options):
            assert self.free.acquire(timeout=20)
            return plain(session, *args, **options)

        monkeypatch.setattr(fake.Session, "decode_texts", waits)

    def go(self, count=1):
        self.free.release(count)


def read_event(file):
    while True:
        line = file.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            return json.loads(line[6:])


def test_the_target_moves_mid_answer(live, monkeypatch):
    gate = Gate(monkeypatch)
    connection = live.begin(asking(stream=True, lookhere={"at": panel(1)}))
    with connection, connection.makefile("rb") as file:
        gate.go(6)
        begun = read_event(file)
        said = ""
        while len(said) < 4:
            said += read_event(file)["choices"][0]["delta"]["content"]
        assert fake.steered_text(0, 0).startswith(said)
        path = f"/v1/lookhere/runs/{begun['id']}/look_at"
        for k, at in ((1, panel(9 - 4)), (2, "panel:6/6")):
            moved = live.post(path, {"at": at})
            assert moved.json == {"id": begun["id"], "move": k}
        for wrong, status in (
            ({"at": {**panel(1), "col": 7}}, 400),
            ({}, 400),
            ({"at": 5}, 400),
            ({"at": "x", "b": 1}, 400),
        ):
            assert live.post(path, wrong).status == status
        gate.go(100)
        moves, rest = [], ""
        while True:
            event = read_event(file)
            if event["choices"][0]["finish_reason"]:
                break
            moves.append(event["lookhere"]["move"])
            rest += event["choices"][0]["delta"]["content"]
    assert moves[-1] == 2
    assert 1 not in moves  # the newer one came before the next token
    assert (said + rest).startswith("row 0, column 5")
    live.until(lambda: live.desk.places.inside == 0)
    gone = live.post(path, {"at": panel(1)})
    assert (gone.status, gone.error["code"]) == (404, "not_found")


def test_an_answer_with_a_schedule_is_not_moved(live, monkeypatch):
    gate = Gate(monkeypatch)
    connection = live.begin(asking(stream=True, lookhere={"schedule": {"targets": [panel(1)]}}))
    with connection, connection.makefile("rb") as file:
        gate.go(3)
        begun = read_event(file)
        assert live.post(f"/v1/lookhere/runs/{begun['id']}/look_at", {"at": panel(2)}).status == 409
        gate.go(200)
        file.read()


def test_many_places_of_one_image(live, model):
    at = [panel(2), None, [panel(5)], "panel:1/6"]
    reply = live.post("/v1/lookhere/describe", {"image": data_uri(), "at": at, "prompt": "What?", "gaze": True})
    assert reply.status == 200, reply.body
    answers = reply.json["answers"]
    expected = model.look(STRIP).describe_all([Panel(2, 6), None, Panel(5, 6), Panel(1, 6)], "What?")
    assert [each["text"] for each in answers] == [each.text for each in expected]
    assert [each["where"] for each in answers] == [each.where().as_json() for each in expected]
    assert all(each["finish_reason"] == "stop" and each["gaze"][0]["shape"] == [2, 6] for each in answers)
    with_heads = live.post("/v1/lookhere/describe", {"image": data_uri(), "at": at, "heads": "all", "strength": 3})
    assert {each["steering"] and each["steering"]["heads"] for each in with_heads.json["answers"]} == {8, None}
    for wrong in (
        {},
        {"image": data_uri()},
        {"image": data_uri(), "at": []},
        {"image": data_uri(), "at": panel(1)},
        {"image": data_uri(), "at": [panel(1)], "colour": 1},
        {"image": data_uri(), "at": [panel(1)], "prompt": 5},
        {"image": data_uri(), "at": [panel(1)], "max_tokens": 10**6},
    ):
        assert live.post("/v1/lookhere/describe", wrong).status == 400


class Socket:
    def __init__(self, live, **more):
        self.connection = client.connect(f"ws://127.0.0.1:{live.port}/v1/lookhere/socket", **more)

    def say(self, **data):
        self.connection.send(json.dumps(data))

    def hear(self):
        return json.loads(self.connection.recv(timeout=20))

    def until(self, kind):
        found = []
        while not found or found[-1]["type"] != kind:
            found.append(self.hear())
            assert found[-1]["type"] != "error" or kind == "error", found[-1]
        return found


def test_a_socket(live, monkeypatch):
    gate = Gate(monkeypatch)
    socket = Socket(live)
    with socket.connection:
        socket.say(type="ask", **asking(lookhere={"at": panel(1)}))
        gate.go(6)
        begun = socket.until("begun")[-1]
        while not socket.hear()["chunk"].get("lookhere"):
            pass
        socket.say(type="look_at", at=panel(3))
        moved = socket.until("moved")[-1]
        assert (moved["id"], moved["move"]) == (begun["id"], 1)
        gate.go(100)
        chunks = [each["chunk"] for each in socket.until("ended") if each["type"] == "chunk"]
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert chunks[-2]["lookhere"]["move"] == 1
        # asked again without the messages; the one before ends
        gate.go(1000)
        socket.say(type="ask", model="it", lookhere={"at": panel(4)})
        found = [each["chunk"] for each in socket.until("ended") if each["type"] == "chunk"]
        assert text_of(found) == fake.steered_text(0, 3)


def test_another_ask_ends_the_one_before(live, monkeypatch):
    gate = Gate(monkeypatch)
    socket = Socket(live)
    with socket.connection:
        socket.say(type="ask", **asking(lookhere={"at": panel(1)}))
        gate.go(4)
        first = socket.until("begun")[-1]["id"]
        socket.say(type="ask", lookhere={"at": panel(2)})
        live.until(lambda: set(live.desk._answerings) - {first})  # the first is told to end
        gate.go(1000)
        heard = socket.until("ended")
        assert heard[-1]["id"] != first
        assert not any(each["type"] == "ended" and each["id"] == first for each in heard)
        last = [each["chunk"] for each in heard if each["type"] == "chunk" and each["chunk"]["id"] != first]
        assert text_of(last) == fake.steered_text(0, 1)
        socket.say(type="ask", lookhere={"at": panel(3)})
        socket.say(type="stop")
    live.until(lambda: live.desk.places.inside == 0)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "5",
        '{"type": "x"}',
        '{"type": "look_at", "at": null}',
        '{"type": "ask"}',
        '{"type": "ask", "messages": 5}',
        b"\xff",
        "[" * 100_000,
    ],
)
def test_what_is_wrong_on_a_socket(live, data):
    socket = Socket(live)
    with socket.connection:
        socket.connection.send(data)
        error = socket.until("error")[-1]
        assert error["error"]["message"]
        assert 400 <= error["status"] < 500
        socket.say(type="ask", **asking())
        assert socket.until("ended")
    live.until(lambda: live.desk.places.inside == 0)


def test_more_sockets_than_there_are_places(model):
    with serving(model, together=1, queue=1) as live:
        with Socket(live).connection, Socket(live).connection, pytest.raises(InvalidStatus, match="403"):
            Socket(live)

        def free():
            with contextlib.suppress(InvalidStatus), Socket(live).connection:
                return True

        live.until(free)


def test_who_may_open_a_socket(model, live):
    for more in ({"origin": "http://evil.example"}, {"additional_headers": {"Host": "evil.example"}}):
        with pytest.raises((InvalidStatus, Exception)) as caught:
            Socket(live, **more)
        assert "403" in str(caught.value) or "400" in str(caught.value)
    with serving(model, token="secret-token") as guarded:
        with pytest.raises(InvalidStatus, match="403"):
            Socket(guarded)
        with Socket(guarded, subprotocols=["lookhere", "lookhere.token.secret-token"]).connection as connection:
            assert connection.subprotocol == "lookhere"
        with Socket(guarded, additional_headers={"Authorization": "Bearer secret-token"}).connection:
            pass
    with serving(model, token="(a/secret,%41)") as guarded:
        with pytest.raises(InvalidStatus, match="403"):
            Socket(guarded, subprotocols=["lookhere", "lookhere.token.%28a%2Fsecret%2CA%29"])
        with Socket(guarded, subprotocols=["lookhere", "lookhere.token.%28a%2Fsecret%2C%2541%29"]).connection:
            pass


@pytest.mark.parametrize(
    "document", ["One is red.\n\nTwo is blue.\n\nThree is green.", "/etc/passwd\n\nfile:///etc/passwd"]
)
def test_a_text_to_look_at(live, model, document):
    """It is its letters, whatever they spell."""
    content = [{"type": "document", "document": document}, {"type": "text", "text": "What?"}]
    messages = [{"role": "user", "content": content}]
    at = {"kind": "paragraph", "number": 2}
    reply = live.chat(messages=messages, lookhere={"at": at, "gaze": True})
    assert reply.status == 200, reply.body
    answer = model.chat(messages, at=Paragraph(2))
    assert reply.text == answer.text
    told = reply.json["lookhere"]
    assert told["where"] == answer.where().as_json()
    assert told["images"][0]["document"]["characters"] == len(document)
    assert live.chat(messages=messages, lookhere={"at": {**at, "number": 9}}).status == 400
    assert live.chat(messages=messages, lookhere={"at": panel(1)}).status == 400
