"""Thousands of mixed requests to `lookhere serve`: every answer right or a named error, and memory flat.

    python benchmarks/soak.py [--requests 5000] [--clients 8] [--seed 0] [--context 4096]

The built-in model in a process of its own. Requests: whole answers and streams about panels of strips, several at a
time, targets that move mid-answer; callers that go, at any time; bodies that are no JSON, too large or wrong; images
that are too large or none; files and addresses. An answer is right if it says what the model says in Python. Resident
memory is read after each tenth, and how many tokens the KV cache has room for. From the second tenth on, and from where
the cache has stopped growing, it must stay within 2 %. --context 0 lets the cache grow, as it does where nobody says.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lookhere
import machine
from lookhere.comics import generate_strip

HOST = "127.0.0.1"
PANELS = 6
STRIPS = range(20, 26)
FLAT = 0.02


def uri(image: Any) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


class Soak:
    """expected: by strip and panel, what the model says. outcomes: of all requests, by kind."""

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.seed = port, seed
        self.outcomes: Counter[str] = Counter()
        self.images: dict[int, str] = {}
        self.expected: dict[tuple[int, int], str] = {}
        with lookhere.load() as model:
            self.question = model.prompt
            for strip in STRIPS:
                drawn = generate_strip(strip, panels=PANELS, panel_size=64, split="held_out", style="colour").image
                self.images[strip] = uri(drawn)
                scene = model.look(drawn)
                answers = scene.describe_all([lookhere.Panel(k, PANELS) for k in range(1, PANELS + 1)])
                self.expected |= {(strip, k): answer.text for k, answer in enumerate(answers, 1)}

    def body(self, strip: int, panel: int | None, **more: Any) -> dict[str, Any]:
        content = [
            {"type": "image_url", "image_url": {"url": self.images[strip]}},
            {"type": "text", "text": self.question},
        ]
        at = {} if panel is None else {"lookhere": {"at": f"panel:{panel}/{PANELS}"}}
        return {
            "model": "lookhere",
            "messages": [{"role": "user", "content": content}],
            "max_tokens": 100,
            **at,
            **more,
        }

    def send(self, body: Any, path: str = "/v1/chat/completions") -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(HOST, self.port, timeout=300)
        try:
            connection.request("POST", path, data, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def one(self, number: int) -> None:
        """Request of a number; raises where it is not answered as it must be."""
        chance = random.Random(f"{self.seed} {number}")
        kind = chance.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
        try:
            KINDS[kind][0](self, chance)
        except Exception as error:
            raise AssertionError(f"request {number}, {kind}: {error!r}") from error
        self.outcomes[kind] += 1

    def whole(self, chance: random.Random) -> None:
        strip, panel = chance.choice(STRIPS), chance.randint(1, PANELS)
        status, data = self.send(self.body(strip, panel))
        found = json.loads(data)["choices"][0]["message"]["content"] if status == 200 else data
        assert found == self.expected[strip, panel], found

    def stream(self, chance: random.Random) -> None:
        strip, panel = chance.choice(STRIPS), chance.randint(1, PANELS)
        body = self.body(strip, panel, stream=True)
        body["lookhere"] |= {"gaze": True, "steered_gaze": chance.random() < 0.5}
        status, data = self.send(body)
        assert status == 200, data
        assert text_of(data) == self.expected[strip, panel], data

    def many(self, chance: random.Random) -> None:
        strip = chance.choice(STRIPS)
        places = [chance.randint(1, PANELS) for _ in range(chance.randint(1, 6))]
        at = [f"panel:{k}/{PANELS}" for k in places]
        body = {"image": self.images[strip], "at": at, "prompt": self.question}
        status, data = self.send(body, "/v1/lookhere/describe")
        found = [each["text"] for each in json.loads(data)["answers"]] if status == 200 else data
        assert found == [self.expected[strip, k] for k in places], found

    def moved(self, chance: random.Random) -> None:
        """The target moves while the answer streams; what it says is for the model to say."""
        data = json.dumps(self.body(chance.choice(STRIPS), 1, stream=True)).encode()
        with self.connected(data) as connection, connection.makefile("rb") as file:
            for line in file:
                if line.startswith(b"data: {"):
                    break
            run = json.loads(line[6:])["id"]
            status, said = self.send(
                {"at": f"panel:{chance.randint(1, PANELS)}/{PANELS}"}, f"/v1/lookhere/runs/{run}/look_at"
            )
            assert status == 200 or (status in (404, 409) and json.loads(said)["error"]["message"]), said
            assert b"[DONE]" in file.read()

    def gone(self, chance: random.Random) -> None:
        data = json.dumps(self.body(chance.choice(STRIPS), 2, stream=chance.random() < 0.5, max_tokens=2000)).encode()
        connection = self.connected(data[: chance.choice([len(data), len(data), 100])], len(data))
        time.sleep(chance.choice([0, 0.01, 0.1]))
        connection.close()

    def wrong(self, chance: random.Random) -> None:
        image = self.images[20]
        bad: list[Any] = [
            b"{", b"[" * 50_000, b"\xff", b"null", b'{"messages": 5}', b"x" * (33 * 2**20), self.body(20, 9),
            self.body(20, 1, n=3), self.body(20, 1, temperature="hot"), self.body(20, 1, model="gpt-4o"),
            self.body(20, 1, max_tokens=10**9), {"messages": [{"role": "user", "content": "word " * 2_000_000}]},
        ]  # fmt: skip
        for address in ("/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x", "data:,", image[:60], LARGE):
            part = {"type": "image_url", "image_url": {"url": address}}
            bad.append({"messages": [{"role": "user", "content": [part]}]})
        status, data = self.send(chance.choice(bad))
        assert 400 <= status < 500, (status, data[:300])
        assert json.loads(data)["error"]["message"]

    def room(self) -> int:
        """Tokens that the server's KV cache holds at most, as large as it is now."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=300)
        try:
            connection.request("GET", "/metrics")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return next(int(float(line.split()[1])) for line in lines if line.startswith("lookhere_context_tokens "))

    def connected(self, data: bytes, length: int | None = None) -> socket.socket:
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {length or len(data)}\r\n\r\n"
        connection = socket.create_connection((HOST, self.port), timeout=300)
        connection.sendall(head.encode() + data)
        return connection


def text_of(data: bytes) -> str:
    chunks = [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: {")]
    return "".join(each["choices"][0]["delta"].get("content", "") for each in chunks if each.get("choices"))


def large() -> str:
    """An image of 64 million pixels, and few bytes."""
    from PIL import Image

    return uri(Image.new("1", (8000, 8000)))


LARGE = large()
KINDS: dict[str, Any] = {
    "whole": (Soak.whole, 6), "stream": (Soak.stream, 6), "many": (Soak.many, 2), "moved": (Soak.moved, 3),
    "gone": (Soak.gone, 4), "wrong": (Soak.wrong, 4),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--context", type=int, default=4096, help="tokens of the KV cache; 0 lets it grow")
    args = parser.parse_args()
    command = [sys.executable, "-m", "lookhere", "serve", "--port", "0", "--threads", "1"]
    command += ["--context", str(args.context)] if args.context else []
    with tempfile.NamedTemporaryFile("w") as said, subprocess.Popen(command, stderr=said, text=True) as process:
        try:
            while HOST not in (line := Path(said.name).read_text()):
                if process.poll() is not None:
                    raise SystemExit(f"lookhere serve ended: {line}")
                time.sleep(0.1)
            port = int(line.split(HOST + ":")[1].split(" ")[0])
            soak, memory, tenth = Soak(port, args.seed), [], max(1, args.requests // 10)
            room: list[int] = []
            began = time.perf_counter()
            with ThreadPoolExecutor(args.clients) as pool:
                for start in range(0, args.requests, tenth):
                    list(pool.map(soak.one, range(start, min(start + tenth, args.requests))))
                    time.sleep(2)  # free memory is given back once nobody asks
                    memory.append(machine.peak(process.pid)[1] / 2**20)
                    room.append(soak.room())
                    print(
                        f"{start + tenth} requests, {time.perf_counter() - began:.0f} s, {memory[-1]:.1f} MiB, "
                        f"room for {room[-1]} tokens",
                        flush=True,
                    )
            first = max(1, room.index(room[-1]) + 1) if args.context == 0 else 1
            settled = memory[first:] or memory[-1:]
            drift = max(settled) / min(settled) - 1
            print(f"{dict(soak.outcomes)}; all as they must be.")
            print(f"Memory of the last {len(settled)} tenths: within {drift:.1%}.")
            if drift > FLAT:
                raise SystemExit(f"memory is not flat within {FLAT:.0%}")
        except AssertionError:
            print(Path(said.name).read_text()[-4000:], file=sys.stderr)
            raise
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
