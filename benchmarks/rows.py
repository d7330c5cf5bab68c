"""A batch of a few tokens, as several regions make one, beside stock's: products with several rows of activations."""

from __future__ import annotations

import argparse
from pathlib import Path

import page
from ratio import median, ratio
from sides import by_turns, library, sides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, default=128, help="tokens in the cache")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 6, 7, 8, 12, 16, 32], help="tokens of a batch")
    parser.add_argument("--batches", type=int, default=3, help="per size and round")
    parser.add_argument("--before", type=Path, help="folder of another library of ours, to compare with")


def run(args: argparse.Namespace) -> None:
    names = ["stock", *(["before"] if args.before else []), "ours"]
    running = {name: library(getattr(args, name), args.model, args.threads) for name in names}
    with sides(*running.values()):
        for side in running.values():
            side.open(name="it", rows=4, cols=16, depth=args.depth, tokens=max(args.rows), flash="on")
            side.fill(name="it")
        arms = {
            (name, rows): (lambda side=side, rows=rows: float(side.batch(name="it", rows=rows, times=args.batches)))
            for rows in args.rows
            for name, side in running.items()
        }
        measured = by_turns(arms, args.rounds)
    one = median(measured["ours", 1]).middle if 1 in args.rows else None
    page.write(
        f"{args.name or args.model.parent.name}: a batch of a few tokens",
        f"Unsteered, flash attention on, {args.depth} tokens in the cache, {args.threads} threads.\n\n"
        + page.table(
            (
                "tokens",
                *(f"{name}, ms" for name in names),
                *(f"against {name}, ratio of speed" for name in names[:-1]),
                "ours, in batches of one token",
            ),
            [
                (
                    rows,
                    *(f"{1e3 * median(measured[name, rows]).middle:.4g}" for name in names),
                    *(ratio(measured[name, rows], measured["ours", rows]) for name in names[:-1]),
                    "" if one is None else f"{median(measured['ours', rows]).middle / one:.3g}",
                )
                for rows in args.rows
            ],
        ),
    )
