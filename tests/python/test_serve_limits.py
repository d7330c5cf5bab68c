"""Callers that go, that are slow, that are many; the time of an answer; Ctrl-C."""

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import fake_engine as fake
import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from live_server import Live, asking, data_uri, message, serving
from lookhere.server import program


class Slow:
    """The fake engine takes its time for each token. batches: how many there were."""

    def __init__(self, monkeypatch, seconds=0.02):
        self.batches, self.seconds = 0, seconds
        plain, piece = fake.Session.decode_texts, fake.Model.is_end

        def waits(session, pieces, *, cancel=None):
            self.batches += 1
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                time.sleep(0.002)
                if cancel is not None and cancel.is_set():
                    raise fake.Cancelled("cancelled")
            return plain(session, pieces, cancel=cancel)

        monkeypatch.setattr(fake.Session, "decode_texts", waits)
        monkeypatch.setattr(fake.Model, "is_end", lambda model, token: False)  # answers go on to max_tokens
        monkeypatch.setattr(
            fake.Model, "piece", lambda model, token: b"x " if token == fake.END else bytes([token % 128])
        )
        assert piece


@pytest.fixture
def slow(monkeypatch, engine):
    return Slow(monkeypatch)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/lookhere/describe"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_a_caller_that_goes_frees_its_place(slow, model, path, stream, reset):
    body = asking(stream=stream, max_tokens=2000)
    if path.endswith("describe"):
        body = {"image": data_uri(), "at": [None, "panel:1/6"], "max_tokens": 2000}
    with serving(model, together=1, queue=1) as live:
        connection = live.begin(body, path)
        live.until(lambda: slow.batches > 5)
        assert live.desk.places.running == 1
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        then = slow.batches
        live.until(lambda: live.desk.places.inside == 0)
        before = slow.batches
        assert before < then + 50  # a second of them
        time.sleep(5 * slow.seconds)
        assert slow.batches <= before + 1
        assert "lookhere_gone_total 1.0" in live.get("/metrics").body.decode()


def test_one_that_goes_while_it_waits_leaves_the_queue(slow, model):
    with serving(model, together=1, queue=2) as live:
        first = live.begin(asking(stream=True, max_tokens=2000))
        live.until(lambda: live.desk.places.running == 1)
        second, third = live.begin(asking(max_tokens=3)), live.begin(asking(max_tokens=3))
        live.until(lambda: live.desk.places.waiting == 2)
        second.close()
        live.until(lambda: live.desk.places.waiting == 1)
        first.close()
        with third, third.makefile("rb") as file:  # it has its turn
            assert b" 200 " in file.readline()
        live.until(lambda: live.desk.places.inside == 0)


def test_more_than_there_are_places(slow, model):
    with serving(model, together=2, queue=1) as live:
        going = [live.begin(asking(stream=True, max_tokens=2000)) for _ in range(3)]
        live.until(lambda: live.desk.places.inside == 3)
        for method in (live.chat, lambda: live.post("/v1/lookhere/describe", {"image": data_uri(), "at": [None]})):
            reply = method()
            assert (reply.status, reply.error["type"], reply.error["code"]) == (429, "rate_limit_error", "queue_full")
            assert 1 <= int(reply.headers["retry-after"]) <= 60
        with live.begin(b"".decode() or {"x": "y" * 10**6}) as unread:  # refused before its body is read
            assert b" 429 " in unread.recv(100)
        assert live.get("/health").json["running"] == 2
        for each in going:
            each.close()
        live.until(lambda: live.desk.places.inside == 0)
        slow.seconds = 0
        assert live.chat(max_tokens=2).status == 200


def test_first_come_first_served(slow, model):
    with serving(model, together=1, queue=8) as live:
        order = []
        lock = threading.Lock()

        def ask(number):
            live.chat(max_tokens=3)
            with lock:
                order.append(number)

        with ThreadPoolExecutor(6) as pool:
            for number in range(6):
                pool.submit(ask, number)
                live.until(lambda number=number: live.desk.places.inside >= min(number + 1, 2) or order)
                time.sleep(0.02)
        assert order == sorted(order)


def test_the_time_of_an_answer(slow, model):
    with serving(model, seconds=0.3) as live:
        reply = live.chat(max_tokens=2000)  # what was said until then
        assert reply.status == 200
        assert reply.json["choices"][0]["finish_reason"] == "length"
        assert 2 <= reply.json["usage"]["completion_tokens"] < 100
        chunks = live.chat(max_tokens=2000, stream=True).chunks
        assert chunks[-1]["choices"][0]["finish_reason"] == "length"
        slow.seconds = 20
        began = time.monotonic()
        for stream in (False, True):
            reply = live.chat(stream=stream)
            assert (reply.status, reply.error["code"]) == (504, "timeout")
        assert live.post("/v1/lookhere/describe", {"image": data_uri(), "at": [None]}).status == 504
        assert time.monotonic() - began < slow.seconds
        live.until(lambda: live.desk.places.inside == 0)


def test_a_caller_that_does_not_read(slow, model):
    """It holds neither memory nor, for longer than an answer may take, a place."""
    slow.seconds = 0
    told = {"gaze": True, "head_gaze": "all", "encoding": "numbers"}
    large = data_uri(np.zeros((320, 320, 3), np.uint8))
    with serving(model, together=1, queue=1, seconds=6, tokens=2000) as live:
        body = asking(messages=[message("?", large)], stream=True, max_tokens=2000, lookhere=told)
        with live.begin(body):
            live.until(lambda: slow.batches > 64)
            before = 0
            while before != slow.batches:  # the thread waits
                before = slow.batches
                time.sleep(0.3)
            assert slow.batches < 1900
            assert live.desk.places.running == 1
            live.until(lambda: live.desk.places.inside == 0)


def test_stopping(slow, model):
    from lookhere.errors import RequestError

    with serving(model, together=1, queue=2) as live:
        with ThreadPoolExecutor(2) as pool:
            running = pool.submit(live.chat, max_tokens=20)
            live.until(lambda: live.desk.places.running == 1)
            waiting = pool.submit(live.chat)
            live.until(lambda: live.desk.places.waiting == 1)
            live.desk.places.closing = False
            loop_said = live.get("/health").json["status"]
            assert loop_said == "ok"
            live.desk.places.close()
            assert running.result().status == 200
            assert waiting.result().status == 503
        assert live.get("/health").status == 503
        assert live.chat().status == 503
        with pytest.raises(RequestError):
            live.desk.places.enter()


@contextmanager
def own_process():
    """A server of the built-in model in a process of its own, and what reaches it."""
    pytest.importorskip("lookhere._engine")
    command = [sys.executable, "-m", "lookhere", "serve", "--port", "0", "--max-tokens", "100000", "--context", "4096"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert line.startswith("Serving lookhere at http://127.0.0.1:"), line
        yield process, Live(None, int(line.split("127.0.0.1:")[1].split(" ")[0]))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def interrupt(process, times):
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)  # a moment, in which no answer of so many tokens ends


def long_ask(times):
    """More tokens than are made until a signal is sent; many more where the answer is not to end."""
    hello = [{"role": "user", "content": "What is it?"}]
    return {"messages": hello, "max_tokens": 400 if times == 1 else 3000, "temperature": 100.0}


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(times):
    """Once: running answers end, and then the process. Twice: at once."""
    with own_process() as (process, live):
        connection = live.begin({**long_ask(times), "stream": True})
        with connection, connection.makefile("rb") as file:
            while not file.readline().startswith(b"data: "):
                pass
            interrupt(process, times)
            if times == 1:
                rest = file.read()
                assert b'finish_reason":"' in rest
                assert b"[DONE]" in rest
            assert process.wait(20) == 0


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_a_websocket_is_answered(times):
    """The same; meanwhile the WebSocket takes no other ask."""
    client = pytest.importorskip("websockets.sync.client")
    from websockets.exceptions import ConnectionClosed

    with own_process() as (process, live), client.connect(f"ws://127.0.0.1:{live.port}/v1/lookhere/socket") as socket:
        with client.connect(f"ws://127.0.0.1:{live.port}/v1/lookhere/socket") as idle:
            socket.send(json.dumps({"type": "ask", **long_ask(times)}))
            heard = [json.loads(socket.recv(20)) for _ in range(3)]
            interrupt(process, times)
            if times == 1:
                idle.send(json.dumps({"type": "ask", **long_ask(times)}))
                assert json.loads(idle.recv(20))["status"] == 503
        with contextlib.suppress(ConnectionClosed):
            while True:
                heard.append(json.loads(socket.recv(20)))
        assert process.wait(20) == 0
        assert (heard[-1]["type"] == "ended") == (times == 1)
        if times == 1:
            assert heard[-2]["chunk"]["choices"][0]["finish_reason"]


def test_free_memory_goes_back_once_nobody_asks(model, monkeypatch):
    times = []
    monkeypatch.setattr(program, "give_back_free", lambda: times.append(time.monotonic()))
    with serving(model) as live:
        time.sleep(2 * program.REST)
        assert not times  # nobody asked yet
        live.chat()
        live.until(lambda: times)
        time.sleep(3 * program.REST)
        assert len(times) == 1
