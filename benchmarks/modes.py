"""What each kind of push costs while a prompt is read: biases, and shares, which need a row's whole softmax.

    python benchmarks/modes.py MODEL MMPROJ [--rounds 3] [--pixels 1024]

The image is encoded once; the prompt is new in each round and arm. With `queries="all"` every row of the prompt is
steered, with `answer` none, so that nothing of it may cost anything. The arms take turns in every round; shown are
medians of the ratios within a round, with the interval that holds 95 % of medians of resampled rounds.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import machine
import page
from batches import pictures
from lookhere import Panel, Steering, load
from ratio import median, ratio
from regions import some_heads, timed

MODES = ("boost_suppress", "target_share", "within_image")
QUERIES = ("all", "answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE", help="MODEL and MMPROJ")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image; 32 are a token")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    name = args.files[0].parent.name

    with load(args.files[0], mmproj=args.files[1], threads=args.threads) as model:
        heads = some_heads(model)
        scene = model.look(pictures(1, args.pixels, 0)[0])
        arms: dict[str, Steering | None] = {"unsteered": None}
        for mode in MODES:
            for queries in QUERIES:
                arms[f"`{mode}`, `{queries}`"] = Steering(heads, Panel(1, 4), mode=mode, queries=queries)
        fresh = (f"Turn {number:05}." for number in itertools.count())

        def read(steering: Steering | None) -> float:
            ask = scene.ask("What is it?", at=steering, system=next(fresh), max_tokens=1, gaze=False)
            return timed(lambda: model.ask_all([ask]))[0]

        read(None)
        seconds: dict[str, list[float]] = {arm: [] for arm in arms}
        for _ in range(args.rounds):
            for arm, steering in arms.items():
                seconds[arm].append(read(steering))
        rows = [
            (arm, f"{median(times).middle:.2f}", ratio(seconds["unsteered"], times)) for arm, times in seconds.items()
        ]
        text = (
            f"{len(heads.heads)} heads, {scene.tokens} image tokens, {args.threads} threads, {args.rounds} rounds, the "
            f"prompt and one token. {machine.facts()}\n\n"
        )
        head = ("push, queries", "seconds", "ratio of speed to unsteered")
        page.write(f"{name}: a prompt under each kind of push", text + page.table(head, rows), args.page)
        print(page.table(head, rows))


if __name__ == "__main__":
    main()
