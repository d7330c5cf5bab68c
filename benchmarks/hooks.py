"""The paper's way beside ours: transformers, eager attention with a bias in chosen heads, the same shape."""

from __future__ import annotations

import argparse

import page
from heads import heads_for
from ratio import median, ratio
from sides import Side, by_turns, library, sides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--depth", type=int, default=1084, help="tokens of the prompt")
    parser.add_argument("--image", type=int, nargs=2, default=(32, 32), metavar=("ROWS", "COLS"))
    parser.add_argument("--tokens", type=int, default=16, help="generated per round")


def run(args: argparse.Namespace) -> None:
    ours = library(args.ours, args.model, args.threads, mmap=False)
    facts = ours.facts()
    heads = heads_for(facts["layers"], facts["heads"])
    told = {"name": "it", "heads": heads, "layers": []}
    theirs = Side("hooked.py", args.model, args.threads, args.dtype)
    with sides(ours, theirs):
        rows, cols = args.image
        ours.open(name="it", rows=rows, cols=cols, depth=args.depth, tokens=args.tokens + 1, flash="auto")
        ours.read(**told)
        theirs.read(depth=args.depth, image=rows * cols, heads=heads)
        arms = {
            "transformers": lambda: float(theirs.answer(tokens=args.tokens)),
            "lookhere": lambda: float(ours.answer(tokens=args.tokens, **told)),
        }
        measured = by_turns(arms, args.rounds)
        peaks = {"transformers": theirs.peak()[0], "lookhere": ours.peak()[0]}
    goal = {"float32": (4, 0.25), "bfloat16": (2, 0.5)}[args.dtype]
    page.write(
        f"{args.name or args.model.parent.name}: transformers with hooks, {args.dtype}",
        f"The language model alone, all of its {facts['layers']} layers on both sides, {len(heads)} heads steered, "
        f"decode after {args.depth} tokens, {args.threads} threads; the weights as {args.dtype} there, as in the file "
        "here.\n\n"
        + page.table(
            ("side", "tokens/s", "peak MiB"),
            [
                (name, f"{1 / median(times).middle:.3g}", f"{peaks[name] / 2**20:.0f}")
                for name, times in measured.items()
            ],
        )
        + "\n\n"
        + page.table(
            ("what", "ratio", "target"),
            (
                ("speed", ratio(measured["transformers"], measured["lookhere"]), f">= {goal[0]}"),
                ("peak memory", f"{peaks['lookhere'] / peaks['transformers']:.3f}", f"<= {goal[1]}"),
            ),
        ),
    )
