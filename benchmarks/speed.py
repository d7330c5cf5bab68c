"""Prefill and decode against stock llama.cpp: unsteered, steered, and steered while attention is read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import page
from heads import Head, heads_for, heads_of
from ratio import median, ratio
from sides import Side, better, by_turns, library, sides

STOCK = ("stock, flash attention on", "stock, flash attention off")
ARMS = {  # name: (side, context, whether it is steered, what is read)
    STOCK[0]: ("stock", "on", False, ""),
    STOCK[1]: ("stock", "off", False, ""),
    "unsteered, on": ("ours", "on", False, ""),
    "unsteered, off": ("ours", "off", False, ""),
    "unsteered, as loaded": ("ours", "auto", False, ""),
    "steered": ("ours", "auto", True, ""),
    "steered, head set read": ("ours", "auto", True, "set"),
    "steered, all layers read": ("ours", "auto", True, "all"),
    "steered, off": ("ours", "off", True, ""),
}
COMPARED = (  # what, the arm, against, target
    ("unsteered, flash attention on", "unsteered, on", STOCK[0], "1 within"),
    ("unsteered, flash attention off", "unsteered, off", STOCK[1], "1 within"),
    ("steered", "steered", "better", "goal"),
    ("steered", "steered", "unsteered, as loaded", ""),
    ("steered, flash attention off", "steered, off", "better", ""),
    ("head set read while steering", "steered, head set read", "steered", ">= 0.98"),
    ("all layers read while steering", "steered, all layers read", "steered", ">= 0.95"),
)
GOALS = {1084: ">= 1.2", 4096: ">= 1.4", 16384: ">= 2"}  # of steered decode, by tokens in the cache


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depths", type=int, nargs="*", default=[1084, 4096], help="tokens in the cache at decode")
    parser.add_argument("--image", type=int, nargs=2, default=(32, 32), metavar=("ROWS", "COLS"))
    parser.add_argument("--tokens", type=int, default=64, help="generated per arm and round")
    parser.add_argument("--heads", type=Path, help="head set that steers; default: heads at the depth of the 2B's")
    parser.add_argument("--prefill", type=int, default=1084, help="tokens of the prompt; 0 to leave prefill out")


def run(args: argparse.Namespace) -> None:
    both = [library(folder, args.model, args.threads) for folder in (args.stock, args.ours)]
    with sides(*both) as (stock, ours):
        facts = ours.facts()
        heads = heads_of(args.heads) if args.heads else heads_for(facts["layers"], facts["heads"])
        layers = {"": [], "set": sorted({layer for layer, _ in heads}), "all": list(range(facts["layers"]))}
        title = args.name or args.model.parent.name
        about = (
            f"{len(heads)} heads in {len(layers['set'])} of {facts['layers']} layers steered; an image of "
            f"{args.image[0] * args.image[1]} tokens; {args.threads} threads; {args.rounds} rounds."
        )
        if args.prefill:
            measured = by_turns(_arms(stock, ours, args, args.prefill, heads, layers, prefill=True), args.rounds)
            shown = _shown(measured, args.prefill, goal=">= 0.98")
            page.write(f"{title}: prefill of {args.prefill} tokens", f"{about}\n\n{shown}")
        for depth in args.depths:
            measured = by_turns(_arms(stock, ours, args, depth, heads, layers, prefill=False), args.rounds)
            shown = _shown(measured, 1, goal=GOALS.get(depth, ">= 1"))
            page.write(f"{title}: decode at {depth} tokens", f"{about} {args.tokens} tokens per round.\n\n{shown}")


def _arms(
    stock: Side,
    ours: Side,
    args: argparse.Namespace,
    depth: int,
    heads: Sequence[Head],
    layers: dict[str, list[int]],
    *,
    prefill: bool,
) -> dict[str, Callable[[], float]]:
    rows, cols = args.image
    by_name = {"stock": stock, "ours": ours}
    for side, flash in sorted({(side, flash) for side, flash, _, _ in ARMS.values()}):
        by_name[side].open(name=flash, rows=rows, cols=cols, depth=depth, tokens=args.tokens + 1, flash=flash)
        if not prefill:
            by_name[side].fill(name=flash)

    def arm(name: str) -> Callable[[], float]:
        side, flash, steered, read = ARMS[name]
        told = {"name": flash, "heads": heads if steered else [], "layers": layers[read]}
        if prefill:
            return lambda: float(by_name[side].read(**told))
        return lambda: float(by_name[side].answer(tokens=args.tokens, **told))

    return {name: arm(name) for name in ARMS}


def _shown(measured: dict[str, list[float]], tokens: int, *, goal: str) -> str:
    """Two tables: the arms, and what is compared."""
    arms = [(name, f"{tokens / median(times).middle:.4g}") for name, times in measured.items()]
    best = better(measured, STOCK)
    rows = []
    for what, name, against, target in COMPARED:
        other = best if against == "better" else against
        found = ratio(measured[other], measured[name])
        rows.append((what, other, found, goal if target == "goal" else target))
    return (
        page.table(("arm", "tokens/s"), arms)
        + "\n\n"
        + page.table(("what", "against", "ratio of speed", "target"), rows)
    )
