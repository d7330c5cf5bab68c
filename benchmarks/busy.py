"""A token beside programs that keep the processors busy: with one thread and with several, against stock and before."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import page
from heads import heads_for
from ratio import ratio
from sides import Side, by_turns, library, sides

PAUSE = 1.0  # seconds: the threads of the arm before look for work that long
ARMS = {  # name: (side, context, whether it is steered)
    "stock, flash attention on": ("stock", "on", False),
    "stock, flash attention off": ("stock", "off", False),
    "before, steered": ("before", "auto", True),
    "unsteered": ("ours", "auto", False),
    "steered": ("ours", "auto", True),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--others", type=int, nargs="+", default=[0, 2], help="programs that compute meanwhile")
    parser.add_argument("--depth", type=int, default=128, help="tokens in the cache")
    parser.add_argument("--tokens", type=int, default=6, help="generated per arm and round")
    parser.add_argument("--before", type=Path, help="folder of another library of ours, to compare with")


def run(args: argparse.Namespace) -> None:
    names = ["stock", *(["before"] if args.before else []), "ours"]
    counts = sorted({1, args.threads})
    running = {(name, n): library(getattr(args, name), args.model, n) for name in names for n in counts}
    with sides(*running.values()):
        shown = {name: arm for name, arm in ARMS.items() if arm[0] in names}
        for side, flash in sorted({(side, flash) for side, flash, _ in shown.values()}):
            for n in counts:
                running[side, n].open(name=flash, rows=8, cols=8, depth=args.depth, tokens=args.tokens + 1, flash=flash)
                running[side, n].fill(name=flash)
        facts = running["ours", 1].facts()
        heads = heads_for(facts["layers"], facts["heads"])

        def arm(name: str, n: int, others: int) -> Callable[[], float]:
            side, flash, steered = shown[name]
            told = {"name": flash, "tokens": args.tokens, "heads": heads if steered else [], "layers": []}
            return lambda: _beside(others, running[side, n], told)

        arms = {(name, n, others): arm(name, n, others) for others in args.others for n in counts for name in shown}
        measured = by_turns(arms, args.rounds)
    _write(args, list(shown), counts, measured)


def _beside(others: int, side: Side, told: dict[str, object]) -> float:
    time.sleep(PAUSE)
    with crowd(others):
        return float(side.answer(**told))


@contextmanager
def crowd(others: int) -> Iterator[None]:
    """So many programs that do nothing but compute."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
    try:
        time.sleep(0.3 if others else 0)
        yield
    finally:
        for program in started:
            program.kill()
        for program in started:
            program.wait()


def _write(
    args: argparse.Namespace, names: list[str], counts: list[int], measured: dict[tuple[str, int, int], list[float]]
) -> None:
    columns = [(others, n) for others in args.others for n in counts]

    def heading(others: int, n: int) -> str:
        return f"{others or 'no'} others, {n} thread{'s' * (n > 1)}"

    def cell(name: str, n: int, others: int) -> str:
        times = sorted(1e3 * seconds for seconds in measured[name, n, others])
        return f"{times[len(times) // 2]:.4g} ({times[0]:.4g}-{times[-1]:.4g})"

    head = ["ms per token", *(heading(*column) for column in columns)]
    table = page.table(head, [(name, *(cell(name, n, others) for others, n in columns)) for name in names])
    compared = page.table(
        ["speed of steered, against", *head[1:]],
        [
            (name, *(ratio(measured[name, n, others], measured["steered", n, others]) for others, n in columns))
            for name in names[:-1]
        ],
    )
    page.write(
        f"{args.name or args.model.parent.name}: beside busy programs",
        f"{args.depth} tokens in the cache, {args.tokens} tokens per round, {args.rounds} rounds: medians and, in the "
        "first table, the range. The others are loops that never wait.\n\n"
        f"{table}\n\n{compared}",
    )
