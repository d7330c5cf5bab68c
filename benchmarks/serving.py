"""`lookhere serve` for several clients at once: against one after another, and against llama.cpp's own server.

    python benchmarks/serving.py MODEL MMPROJ [--clients 1 2 4 8] [--rounds 3] [--tokens 64] [--pixels 1024]
    python benchmarks/serving.py MODEL MMPROJ --server PROGRAM

Each client streams one answer of fixed length about an image of its own, which neither side has seen, after a system
text that was not used before. With --server nothing is steered; llama-server of the pinned source has as many slots as
there are clients. Without it our answers are steered. The sides take turns in every round; shown are medians of the
ratios within a round, with the interval that holds 95 % of medians of resampled rounds.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median as middle
from typing import Any

import page
from batches import HOST, pictures, question, serving
from heads import heads_for
from PIL import Image
from ratio import median


def asked(port: int, image: Image.Image, system: str, tokens: int, more: dict[str, Any]) -> float:
    """Seconds to the first word of one answer, which has so many tokens."""
    body = question(image, system, tokens, stream=True, stream_options={"include_usage": True}, **more)
    connection = http.client.HTTPConnection(HOST, port, timeout=3600)
    began, first, count = time.perf_counter(), 0.0, 0
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    with connection.getresponse() as reply:
        assert reply.status == 200, reply.read()
        for line in reply:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if not first and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                first = time.perf_counter() - began
            count = (chunk.get("usage") or {}).get("completion_tokens", count)
    connection.close()
    assert count == tokens, f"{count} tokens instead of {tokens}"
    return first


def at_once(port: int, images: Sequence[Image.Image], system: str, tokens: int, more: Any) -> tuple[float, float]:
    """Seconds of all answers, and the median to a first word."""
    began = time.perf_counter()
    with ThreadPoolExecutor(len(images)) as pool:
        firsts = list(pool.map(lambda image: asked(port, image, system, tokens, more), images))
    return time.perf_counter() - began, middle(firsts)


def one_by_one(port: int, images: Sequence[Image.Image], system: str, tokens: int, more: Any) -> tuple[float, float]:
    """The same, each when the one before has its answer; a first word is waited for from the beginning of all."""
    began = time.perf_counter()
    firsts = []
    for image in images:
        waited = time.perf_counter() - began
        firsts.append(waited + asked(port, image, system, tokens, more))
    return time.perf_counter() - began, middle(firsts)


@contextmanager
def ours(model: Path, mmproj: Path, threads: int, context: int) -> Iterator[int]:
    """`lookhere serve` on a free port; ended on every way out."""
    command = [sys.executable, "-m", "lookhere", "serve", str(model), "--mmproj", str(mmproj), "--port", "0"]
    command += ["--threads", str(threads), "--context", str(context), "--timeout", "3600"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if line.startswith("Serving"):
                    yield int(line.split(HOST + ":")[1].split(" ")[0])
                    break
            else:
                raise SystemExit(f"lookhere serve ended with {process.wait()}")
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE", help="MODEL and MMPROJ, of random weights")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64, help="generated per answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image; 32 are a token")
    parser.add_argument("--layers", type=int, default=28, help="of the model, and its heads per layer")
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--server", type=Path, help="llama-server of the pinned source, to be compared with")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    fresh = (f"Turn {number:05}." for number in itertools.count())
    each = args.pixels * args.pixels // 1024 + args.tokens + 128
    heads = [list(head) for head in heads_for(args.layers, args.heads)]
    steered = {} if args.server else {"lookhere": {"at": "panel:1/4", "heads": heads, "where": False}}
    title = f"{args.files[0].parent.name}: several clients of the server" + (
        ", against llama-server" * bool(args.server)
    )
    rows: list[tuple[object, ...]] = []
    for clients in args.clients:
        context = (clients + 1) * each
        with ours(*args.files, args.threads, context) as port:
            here: Callable[..., tuple[float, float]] = at_once if args.server else one_by_one
            other = serving(args.server, *args.files, clients, args.threads, context) if args.server else same(port)
            with other as theirs:
                rows.append((clients, *compared(args, clients, port, theirs, here, steered, fresh)))
        print(*rows[-1], flush=True)
        what = f"{args.tokens} tokens per answer, {args.threads} threads, {args.rounds} rounds.\n\n"
        slow = "llama-server's" if args.server else "one after another's"
        head = ("clients", f"{slow} time / ours", f"{slow} time to the first word / ours", "our answers per second",
                "our first word, s")  # fmt: skip
        page.write(title, what + page.table(head, rows), args.page)  # kept if it is ended


def compared(
    args: argparse.Namespace,
    clients: int,
    port: int,
    theirs: int,
    other: Callable[..., tuple[float, float]],
    more: dict[str, Any],
    fresh: Iterator[str],
) -> list[object]:
    """The other side's time over ours, the same of the first word, then our own figures."""
    beside = {"ignore_eos": True, "cache_prompt": False} if args.server else more
    at_once(port, pictures(1, 64, 0), next(fresh), 2, more)  # both warm up
    other(theirs, pictures(1, 64, 0), next(fresh), 2, beside)
    whole, first, mine, words = [], [], [], []
    for number in range(args.rounds):
        images, others = (pictures(clients, args.pixels, 1000 * clients + 2 * number + side) for side in (0, 1))
        seconds, word = other(theirs, others, next(fresh), args.tokens, beside)
        our_seconds, our_word = at_once(port, images, next(fresh), args.tokens, more)
        whole.append(seconds / our_seconds)
        first.append(word / our_word)
        mine.append(clients / our_seconds)
        words.append(our_word)
    return [median(whole), median(first), median(mine), median(words)]


@contextmanager
def same(port: int) -> Iterator[int]:
    """Our own server as the other side."""
    yield port


if __name__ == "__main__":
    main()
