"""What another region of a prepared scene costs, and what regions in one batch save, through the Python API.

    python benchmarks/regions.py [MODEL MMPROJ HEADS.json] [--rounds 9] [--tokens 32] [--pixels 1024]

The image is encoded once; a prompt that no round before had is read anew in each. The arms take turns in every round;
shown are medians of the ratios within a round, with the interval that holds 95 % of medians of resampled rounds. Words
are not compared here: tests/python/test_reuse.py proves that they are the same.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import page
from heads import heads_for
from lookhere import HeadSet, Panel, Scene, Steering, comics, load
from lookhere.model import Model
from ratio import median

T = TypeVar("T")
QUERIES = ("all", "after_image", "answer")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measured(scene: Scene, looks: list[Steering], tokens: int, fresh: Iterator[str]) -> tuple[float, float, float]:
    """One round: (second region / first, second region / decode step, one after another / together).

    fresh: system texts of one length that were not used before.
    """
    system = next(fresh)
    first, _ = timed(lambda: scene.describe(at=looks[0], max_tokens=1, system=system))
    second, _ = timed(lambda: scene.describe(at=looks[1], max_tokens=1, system=system))
    again, _ = timed(lambda: scene.describe(at=looks[1], max_tokens=1, system=system))
    whole, answer = timed(lambda: scene.describe(at=looks[1], max_tokens=tokens, system=system))
    step = (whole - again) / (len(answer.steps) - 1)
    systems = next(fresh), next(fresh)
    for each in systems:
        scene.describe(max_tokens=1, system=each)  # the image is read
    one_by_one, _ = timed(lambda: [scene.describe(at=each, max_tokens=tokens, system=systems[0]) for each in looks])
    together, _ = timed(lambda: scene.describe_all(looks, max_tokens=tokens, system=systems[1]))
    return second / first, second / step, one_by_one / together


def some_heads(model: Model) -> HeadSet:
    """The model's own, or as many as a model of its shape has."""
    if model.head_set is not None:
        return model.head_set
    return HeadSet(model.facts, tuple(heads_for(model.layers, model.heads_per_layer)), queries="answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="MODEL MMPROJ HEADS", help="default: the built-in model")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=32, help="generated per answer")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--queries", nargs="+", choices=QUERIES, default=QUERIES)
    parser.add_argument("--pixels", type=int, default=None, help="width and height of the image; default: a strip's")
    parser.add_argument("--name", help="on the page: of the model, or of the machine too; default: the file's folder")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    names = dict(zip(("model", "mmproj", "heads"), args.files, strict=False))

    strip = comics.generate_strip(7)
    image = strip.image if args.pixels is None else strip.image.resize((args.pixels, args.pixels))
    panels = len(strip.captions)
    fresh = (f"Turn {number:05}." for number in itertools.count())
    rows = []
    with load(**names, threads=args.threads) as model:
        heads = some_heads(model)
        scene = model.look(image)
        for queries in args.queries:
            looks = [Steering(heads, Panel(k + 1, panels), queries=queries) for k in range(panels)]
            rounds = [measured(scene, looks, args.tokens, fresh) for _ in range(args.rounds + 1)][1:]
            rows.append((f"`{queries}`", *(median(ratios) for ratios in zip(*rounds, strict=True))))
            print(*rows[-1], flush=True)
        text = (
            f"{len(heads.heads)} heads, {panels} regions, {scene.tokens} image tokens, {args.tokens} per answer, "
            f"{args.rounds} rounds. Targets for `answer`: at most two decode steps, at most 0.02 of the "
            "first region on the 2B shape; together at least 3 times as fast in Q4_K_M, 2.5 times in others.\n\n"
        )
        head = ("queries", "second region / first, to the first token", "in decode steps", "together: times as fast")
        name = args.name or (args.files[0].parent.name if args.files else "Built-in model")
        page.write(f"{name}: regions of one scene", text + page.table(head, rows), args.page)


if __name__ == "__main__":
    main()
