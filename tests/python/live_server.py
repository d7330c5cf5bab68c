"""A server that runs in a thread of the test, and a caller of it that can misbehave."""

import base64
import http.client
import io
import json
import socket
import threading
import time
from contextlib import contextmanager

import numpy as np
from PIL import Image

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine


def data_uri(pixels=STRIP, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(file.getvalue()).decode()


def message(text="What is it?", *images):
    parts = [{"type": "image_url", "image_url": {"url": each}} for each in images or [data_uri()]]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def asking(**more):
    return {"model": "it", "messages": [message()], **more}


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        found = self.json
        assert found.keys() == {"error"}
        assert found["error"].keys() == {"message", "type", "param", "code"}
        return found["error"]

    @property
    def text(self):
        return self.json["choices"][0]["message"]["content"]

    @property
    def chunks(self):
        """The objects of a stream, without its end."""
        lines = [line for line in self.body.decode().split("\n\n") if line and not line.startswith(":")]
        assert all(line.startswith("data: ") for line in lines)
        assert lines[-1] == "data: [DONE]"
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


class Live:
    """port; desk: what is behind it."""

    def __init__(self, desk, port):
        self.desk, self.port = desk, port

    def ask(self, method, path, body=None, **headers):
        """A whole request; a body that is no bytes is sent as JSON. Headers by their names with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            given = {"Content-Type": "application/json", **given}
        try:
            connection.request(method, path, body, {key: value for key, value in given.items() if value is not None})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.ask("GET", path, None, **headers)

    def chat(self, **fields):
        return self.ask("POST", "/v1/chat/completions", asking(**fields))

    def post(self, path, body, **headers):
        return self.ask("POST", path, body, **headers)

    def begin(self, body, path="/v1/chat/completions"):
        """A request whose answer is not read: its connection."""
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(data)}"
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(head.encode() + b"\r\n\r\n" + data)
        return connection

    def until(self, what, seconds=30.0):
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "it never came about"
            time.sleep(0.005)


@contextmanager
def serving(model, name="it", **settings):
    from lookhere.server.desk import Desk
    from lookhere.server.program import Program, listening
    from lookhere.server.settings import Settings

    made = Settings(**{"port": 0, **settings})
    with listening(made) as listener:
        desk = Desk(model, made, name)
        program = Program(desk)
        thread = threading.Thread(target=program.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        live = Live(desk, listener.getsockname()[1])
        try:
            live.until(lambda: program.started or not thread.is_alive())
            yield live
        finally:
            program.should_exit = program.force_exit = True
            thread.join(20)
            desk.close()
            assert not thread.is_alive(), "the server did not end"
