"""A text as a user gets it, read and answered by real weights: lookhere in Python and llama.cpp's own server."""

from __future__ import annotations

import argparse
import itertools
import json
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import page
from batches import HOST, serving
from ratio import median, ratio
from sides import Side, better, by_turns

OURS = {  # name: (queries that obey the steering, whether attention is read)
    "lookhere, unsteered, gaze=False": ("", False),
    "lookhere, unsteered": ("", True),
    "lookhere, steered, gaze=False": ("answer", False),
    "lookhere, steered": ("answer", True),
    "lookhere, steered from the first token on": ("all", True),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", type=Path, required=True, metavar="PROGRAM", help="llama.cpp's llama-server")
    parser.add_argument("--heads", type=Path, help="head set that steers; default: heads at the depth of the 2B's")
    parser.add_argument("--paragraphs", type=int, default=80, help="of the text; each has some 12 tokens")
    parser.add_argument("--tokens", type=int, default=65, help="of an answer, at most; the first does not count")
    parser.add_argument("--temperature", type=float, default=0.8, help="llama.cpp's default; 0 is greedy")


def run(args: argparse.Namespace) -> None:
    numbers = itertools.count(1)
    with ExitStack() as stack:
        ours = Side("text_lookhere.py", args.model, args.threads, args.paragraphs, args.heads or "")
        stack.callback(ours.end)
        depth = len(ours.prompt(number=0))
        ports = {
            f"llama-server, -fa {flash}": stack.enter_context(
                serving(args.server, args.model, None, 1, args.threads, -(-(depth + args.tokens) // 256) * 256, flash)
            )
            for flash in ("on", "off")
        }
        said: dict[str, list[float]] = {}

        def mine(name: str) -> tuple[float, float]:
            queries, gaze = OURS[name]
            told = {"number": next(numbers), "tokens": args.tokens, "temperature": args.temperature}
            read, say = ours.answer(**told, queries=queries, gaze=gaze)
            return read, say

        def theirs(name: str) -> tuple[float, float]:
            number = next(numbers)
            return asked(ports[name], ours.prompt(number=number), args.tokens, args.temperature, number)

        def arm(name: str, ask: Callable[[str], tuple[float, float]]) -> Callable[[], float]:
            def measured() -> float:
                read, say = ask(name)
                said.setdefault(name, []).append(say)
                return read

            return measured

        arms = {name: arm(name, mine) for name in OURS} | {name: arm(name, theirs) for name in ports}
        read = by_turns(arms, args.rounds)
        heads = ours.steered()
    answered = {name: said[name][1:] for name in arms}  # the round before, which does not count
    best = [better(measured, list(ports)) for measured in (read, answered)]
    rows = [
        (name, *(f"{1 / median(part[name]).middle:.4g}" for part in (read, answered)),
         *(ratio(part[other], part[name]) for part, other in zip((read, answered), best, strict=True)))
        for name in arms
    ]  # fmt: skip
    page.write(
        f"{args.name or args.model.stem}: a text read and answered",
        f"A prompt of {depth} tokens, a new text each time, and answers of at most {args.tokens} tokens at temperature "
        f"{args.temperature:g}, as long as the model makes them; {heads} heads are steered; {args.threads} threads; "
        f"{args.rounds} rounds. llama-server is timed by itself, without HTTP. Ratios of speed to the better of its "
        f"settings: {best[0]} for the prompt, {best[1]} for the answer; target >= 1 unsteered.\n\n"
        + page.table(("arm", "prompt, tokens/s", "answer, tokens/s", "prompt, ratio", "answer, ratio"), rows),
    )


def asked(port: int, prompt: Sequence[int], tokens: int, temperature: float, seed: int) -> tuple[float, float]:
    """Seconds of a token of the prompt, and of the answer, the first apart, as the server measures them."""
    body = {
        "prompt": list(prompt), "n_predict": tokens, "temperature": temperature, "top_k": 40, "top_p": 0.95,
        "min_p": 0.05, "seed": seed, "cache_prompt": False,
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://{HOST}:{port}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=3600) as reply:
        told = json.load(reply)["timings"]
    if told["predicted_n"] < 2:
        raise SystemExit("the server's answer has one token; expected more, with another number of paragraphs")
    return told["prompt_ms"] / 1e3 / told["prompt_n"], told["predicted_ms"] / 1e3 / (told["predicted_n"] - 1)
