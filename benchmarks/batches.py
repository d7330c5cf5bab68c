"""Many images at once against one after another, and against llama.cpp's own server, through the Python API.

    python benchmarks/batches.py MODEL MMPROJ [--sizes 1 2 4 8 16] [--rounds 5] [--tokens 64] [--pixels 1024]
    python benchmarks/batches.py MODEL MMPROJ --server PROGRAM --sizes 1 4 --rounds 3

Answers have a fixed length. Images are encoded before the clock starts, and their prompts are new in each round: system
texts of one length that were not used before. With --server nothing is steered, images are encoded on the clock by both
sides, and the server has as many slots as there are images. The arms take turns in every round; shown are medians of
the ratios within a round, with the interval that holds 95 % of medians of resampled rounds.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import page
from lookhere import Ask, Panel, Scene, Steering, load
from lookhere.model import Model
from PIL import Image
from ratio import Ratio, median
from regions import some_heads, timed

HOST = "127.0.0.1"
T = TypeVar("T")


def pictures(count: int, pixels: int, seed: int) -> list[Image.Image]:
    """Images that differ, of a few large shapes."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (count, 8, 8, 3), np.uint8)
    return [Image.fromarray(each).resize((pixels, pixels)) for each in small]


def asks(scenes: Sequence[Scene], steering: Steering, system: str, tokens: int) -> list[Ask]:
    return [scene.ask("What is it?", at=steering, system=system, max_tokens=tokens, gaze=False) for scene in scenes]


def measured(
    model: Model, scenes: Sequence[Scene], steering: Steering, tokens: int, fresh: Iterator[str]
) -> list[float]:
    """One round: one after another / at once, with prompts and answers alone, by the clock and by processor time; then
    seconds per answer at once."""
    one, other = next(fresh), next(fresh)
    apart = asks(scenes, steering, one, tokens)
    together = asks(scenes, steering, other, tokens)
    slow, slow_work, answers = worked(lambda: [model.ask_all([each])[0] for each in apart])
    fast, fast_work, _ = worked(lambda: model.ask_all(together))
    assert all(len(answer.steps) == tokens for answer in answers), "a model of random weights that ended an answer"
    # what was read stays in the cache: now the answers alone
    slow_alone, slow_work_alone, _ = worked(lambda: [model.ask_all([each]) for each in apart])
    fast_alone, fast_work_alone, _ = worked(lambda: model.ask_all(together))
    ratios = [slow / fast, slow_alone / fast_alone, slow_work / fast_work, slow_work_alone / fast_work_alone]
    return [*ratios, fast / len(scenes), fast_alone / len(scenes)]


def worked(work: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds by the clock, and of processor time, which other programs disturb less; and what came of it."""
    before = time.process_time()
    seconds, result = timed(work)
    return seconds, time.process_time() - before, result


@contextmanager
def serving(
    program: Path, model: Path, mmproj: Path | None, slots: int, threads: int, context: int, flash: str = "auto"
) -> Iterator[int]:
    """llama-server on a free port; ended on every way out."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    command = [
        str(program), "-m", str(model), "--host", HOST, "--port", str(port), "-np", str(slots), "-c", str(context),
        "-t", str(threads), "-tb", str(threads), "--no-webui", "--cache-ram", "0", "-kvu", "-fa", flash,
        *(("--mmproj", str(mmproj)) if mmproj else ()),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2):
                        break
                except OSError:
                    if process.poll() is not None:
                        raise SystemExit(f"{program} ended with {process.returncode}") from None
                    time.sleep(0.2)
            yield port
        finally:
            process.terminate()


def question(image: Image.Image, system: str, tokens: int, **more: object) -> dict[str, object]:
    """The body of a request for one answer."""
    png = io.BytesIO()
    image.save(png, "PNG", compress_level=1)
    address = "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()
    content = [{"type": "image_url", "image_url": {"url": address}}, {"type": "text", "text": "What is it?"}]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": content}]
    return {"messages": messages, "max_tokens": tokens, "temperature": 0, **more}


def asked(port: int, image: Image.Image, system: str, tokens: int) -> int:
    """One answer of the server; how many tokens it has."""
    body = question(image, system, tokens, ignore_eos=True, cache_prompt=False)
    request = urllib.request.Request(
        f"http://{HOST}:{port}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=3600) as reply:
        return int(json.load(reply)["usage"]["completion_tokens"])


def raw(image: Image.Image, system: str, tokens: int) -> Ask:
    """An ask about an image that was not looked at."""
    parts = [{"type": "image", "image": image}, {"type": "text", "text": "What is it?"}]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": parts}]
    return Ask.of(messages, max_tokens=tokens, gaze=False)


def by_both(model: Model, port: int, images: Sequence[Image.Image], system: str, tokens: int) -> tuple[float, float]:
    """Seconds of the server and ours, all images at once."""
    with ThreadPoolExecutor(len(images)) as pool:
        theirs, counts = timed(lambda: list(pool.map(lambda image: asked(port, image, system, tokens), images)))
    assert set(counts) == {tokens}, counts
    given = [raw(image, system, tokens) for image in images]
    ours, answers = timed(lambda: model.ask_all(given))
    assert all(len(answer.steps) == tokens for answer in answers)
    return theirs, ours


def against_server(args: argparse.Namespace, model: Model, size: int, fresh: Iterator[str]) -> Ratio:
    """The server's time / ours, with as many slots as images, nothing steered, encoding included."""
    rounds: list[float] = []
    context = size * (args.pixels * args.pixels // 1024 + args.tokens + 128)
    with serving(args.server, *args.files, size, args.threads, context) as port:
        by_both(model, port, pictures(1, 64, size), next(fresh), 2)  # warms up
        for number in range(args.rounds):
            images = pictures(size, args.pixels, 1000 * size + number)
            theirs, ours = by_both(model, port, images, next(fresh), args.tokens)
            rounds.append(theirs / ours)
            print(size, f"server {theirs:.1f} s, ours {ours:.1f} s", flush=True)
    return median(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE", help="MODEL and MMPROJ, of random weights")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64, help="generated per answer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image; 32 are a token")
    parser.add_argument("--server", type=Path, help="llama-server of the pinned source, to be compared with")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    name = args.files[0].parent.name
    fresh = (f"Turn {number:05}." for number in itertools.count())

    rows: list[tuple[object, ...]] = []
    each = args.pixels * args.pixels // 1024 + args.tokens + 64  # tokens of a prompt and its answer
    context = 2 * (max(args.sizes) + 1) * each  # so that no prompt is read twice
    with load(args.files[0], mmproj=args.files[1], threads=args.threads, context=context) as model:
        steering = Steering(some_heads(model), Panel(1, 4))
        what = f"{args.tokens} tokens per answer, {args.threads} threads, {args.rounds} rounds."
        if args.server:
            for size in args.sizes:
                rows.append((size, against_server(args, model, size, fresh)))
                print(*rows[-1], flush=True)
            head: tuple[str, ...] = ("images", "llama-server's time / ours")
            text = f"Nothing steered; as many slots as images; encoding included. {what}\n\n"
            page.write(f"{name}: many images at once, against llama-server", text + page.table(head, rows), args.page)
            return
        scenes = [model.look(each) for each in pictures(max(args.sizes), args.pixels, 0)]
        measured(model, scenes[:1], steering, 2, fresh)  # warms up
        head = ("images", "at once: times as fast", "answers alone", "by processor time", "answers alone",
                "seconds per answer", "answers alone")  # fmt: skip
        text = f"{len(steering.head_set.heads)} heads, {scenes[0].tokens} image tokens, {what}\n\n"
        for size in args.sizes:
            rounds = [measured(model, scenes[:size], steering, args.tokens, fresh) for _ in range(args.rounds)]
            rows.append((size, *(median(values) for values in zip(*rounds, strict=True))))
            print(*rows[-1], flush=True)
            page.write(f"{name}: many images at once", text + page.table(head, rows), args.page)  # kept if it is ended


if __name__ == "__main__":
    main()
