"""Peak memory of steering and reading against stock llama.cpp, unsteered: a process for each, one after the other."""

from __future__ import annotations

import argparse

import page
from heads import heads_for
from sides import library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, default=4096, help="tokens of the prompt")
    parser.add_argument("--image", type=int, nargs=2, default=(32, 32), metavar=("ROWS", "COLS"))
    parser.add_argument("--tokens", type=int, default=32, help="generated")


def run(args: argparse.Namespace) -> None:
    rows = []
    peaks: dict[str, int] = {}
    for name, folder, steered, flash, mmap in (
        ("stock, flash attention on", args.stock, False, "on", True),
        ("stock, flash attention off", args.stock, False, "off", True),
        ("stock, flash attention on, the file read", args.stock, False, "on", False),
        ("unsteered, mapped", args.ours, False, "auto", True),
        ("steered, head set read, mapped", args.ours, True, "auto", True),
        ("steered, all layers read, mapped", args.ours, True, "auto", True),
        ("unsteered", args.ours, False, "auto", False),
        ("steered, head set read", args.ours, True, "auto", False),
        ("steered, all layers read", args.ours, True, "auto", False),
    ):
        side = library(folder, args.model, args.threads, mmap=mmap)
        facts = side.facts()
        heads = heads_for(facts["layers"], facts["heads"]) if steered else []
        layers = list(range(facts["layers"])) if "all" in name else sorted({layer for layer, _ in heads})
        told = {"heads": heads, "layers": layers}
        side.open(
            name="it", rows=args.image[0], cols=args.image[1], depth=args.depth, tokens=args.tokens + 1, flash=flash
        )
        side.read(name="it", **told)
        side.answer(name="it", tokens=args.tokens, **told)
        peaks[name] = side.peak()[0]
        side.end()
        base = peaks["stock, flash attention on"]
        rows.append((name, f"{peaks[name] / 2**20:.0f}", f"{peaks[name] / base:.3f}"))
        print(*rows[-1], flush=True)
    page.write(
        f"{args.name or args.model.parent.name}: peak memory",
        f"Resident, the model file included where it is mapped; a prompt of {args.depth} tokens, {args.tokens} of an "
        "answer. Target: at most 1.02 while steering.\n\n"
        + page.table(("side", "MiB", "of stock, flash attention on"), rows),
    )
