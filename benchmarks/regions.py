"""What another region of a prepared scene costs, and what regions in one batch save, through the Python API.

    python benchmarks/regions.py [MODEL MMPROJ HEADS.json] [--rounds 9] [--tokens 32]

The arms take turns in every round; shown are medians of the ratios within a round, and their quartiles. Words are not
compared here: tests/python/test_reuse.py proves that they are the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lookhere import Panel, Steering, comics, load
from lookhere.model import Model

T = TypeVar("T")


def shown(ratios: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measured(model: Model, image: Any, looks: list[Steering], tokens: int) -> tuple[float, float, float]:
    """One round: (second region / first, second region / decode step, one after another / together)."""
    scene = model.look(image)
    first, _ = timed(lambda: scene.describe(at=looks[0], max_tokens=1))
    second, _ = timed(lambda: scene.describe(at=looks[1], max_tokens=1))
    again, _ = timed(lambda: scene.describe(at=looks[1], max_tokens=1))
    whole, answer = timed(lambda: scene.describe(at=looks[1], max_tokens=tokens))
    step = (whole - again) / (len(answer.steps) - 1)
    scenes = model.look(image), model.look(image)
    for each in scenes:
        each.describe(max_tokens=1)  # the image is read
    one_by_one, _ = timed(lambda: [scenes[0].describe(at=each, max_tokens=tokens) for each in looks])
    together, _ = timed(lambda: scenes[1].describe_each(looks, max_tokens=tokens))
    return second / first, second / step, one_by_one / together


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="MODEL MMPROJ HEADS", help="default: the built-in model")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=32, help="generated per answer")
    parser.add_argument("--threads", type=int, default=None)
    args = parser.parse_args()
    names = dict(zip(("model", "mmproj", "heads"), args.files, strict=False))

    strip = comics.generate_strip(7)
    panels = len(strip.captions)
    with load(**names, threads=args.threads) as model:
        if model.heads is None:
            raise SystemExit("no head set is known for this model; give one as the third file")
        print(f"{model.name}, {len(model.heads.heads)} heads, {panels} regions\n")
        print("| queries | second region / first, to the first token | in decode steps | together: times as fast |")
        print("|---|---|---|---|")
        for queries in ("all", "after_image", "answer"):
            looks = [Steering(model.heads, Panel(k + 1, panels), queries=queries) for k in range(panels)]
            rounds = [measured(model, strip.image, looks, args.tokens) for _ in range(args.rounds + 1)][1:]
            print(f"| `{queries}` | {' | '.join(shown(ratios) for ratios in zip(*rounds, strict=True))} |", flush=True)


if __name__ == "__main__":
    main()
