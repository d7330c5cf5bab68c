"""Instructions of an unsteered prefill and decode beside stock's, counted by valgrind: no hardware counters needed.

Valgrind knows no AVX-512: both sides must be built for AVX2 (`cmake --preset portable`), see README.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import page

HERE = Path(__file__).resolve().parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, default=128, help="tokens of the prompt")
    parser.add_argument("--reads", type=int, default=10, help="times that the prompt is read")
    parser.add_argument("--tokens", type=int, default=300, help="generated")


def run(args: argparse.Namespace) -> None:
    work = ((1, 0), (1 + args.reads, 0), (1, args.tokens))
    sides = [(flash, name) for flash in ("on", "off") for name in ("stock", "ours")]
    with ThreadPoolExecutor(args.threads) as pool:  # a count is the same beside another
        counts = [
            [pool.submit(_instructions, getattr(args, name), args.model, flash, args.depth, *each) for each in work]
            for flash, name in sides
        ]
        found = {}
        for side, (once, often, answered) in zip(sides, counts, strict=True):
            found[side] = often.result() - once.result(), answered.result() - once.result()
            print(*side, found[side], flush=True)
    rows = [
        (f"{what}, flash attention {flash}", *(f"{found[flash, side][k]:,}" for side in ("stock", "ours")),
         f"{found[flash, 'ours'][k] / found[flash, 'stock'][k]:.5f}", "1 within 0.005")
        for flash in ("on", "off")
        for k, what in enumerate((f"{args.reads} x prefill of {args.depth} tokens", f"{args.tokens} tokens"))
    ]  # fmt: skip
    page.write(
        f"{args.name or args.model.parent.name}: instructions, unsteered",
        "One thread, counted by valgrind (cachegrind); the difference of two processes, so that loading does not "
        "count.\n\n" + page.table(("what", "stock", "ours", "ratio", "target"), rows),
    )


def _instructions(folder: Path, model: Path, flash: str, depth: int, reads: int, tokens: int) -> int:
    """Of a whole process that reads the prompt so many times and then makes tokens."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable,
               str(HERE / "instructions.py"), *map(str, (folder, model, flash, depth, reads, tokens))]  # fmt: skip
    # two starts of Python differ by up to ten million instructions, even with one seed: so much more must be counted
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    counted = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or counted is None:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return int(counted[1].replace(",", ""))


def main() -> None:
    """What is counted."""
    from llama import Llama, Prompt

    folder, model, flash, depth, reads, tokens = sys.argv[1:]
    llama = Llama(Path(folder), Path(model), threads=1)
    prompt = Prompt(4, 16, int(depth))
    context = llama.open("it", tokens=int(depth) + int(tokens) + 1, flash=flash)
    for _ in range(int(reads)):
        prompt.read(context)
    if int(tokens):
        prompt.answer(context, int(tokens))


if __name__ == "__main__":
    main()
