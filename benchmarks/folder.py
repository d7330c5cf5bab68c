"""A folder of images with lookhere batch, against a loop over describe: six regions of each image, one job each.

    python benchmarks/folder.py [MODEL MMPROJ HEADS.json] [--images 1 4] [--rounds 5] [--tokens 64] [--pixels 1024]

Both write their answers to a file, batch with its settings and an fsync. The loop looks at each image once and asks
about its regions one after another. Prompts are new in each round: system texts of one length that were not used
before. "answers alone": each image is encoded and read before the clock starts. "all": images that nobody has seen.
The arms take turns in every round; shown are medians of the ratios within a round, with the interval that holds 95 % of
medians of resampled rounds.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import page
from batches import pictures
from lookhere import Panel, load
from lookhere.batch.jobs import JobFile
from lookhere.batch.plan import Plan
from lookhere.batch.row import beside
from lookhere.batch.work import Batch, Files
from lookhere.model import Model
from ratio import median
from regions import some_heads, timed

REGIONS = 6


def made(folder: Path, count: int, pixels: int, seed: int) -> list[Path]:
    """Images that differ from those of other seeds, as files."""
    paths = [folder / f"{seed}-{k}.png" for k in range(count)]
    for path, image in zip(paths, pictures(count, pixels, seed), strict=True):
        image.save(path, compress_level=1)
    return paths


def by_loop(model: Model, paths: Sequence[Path], system: str, tokens: int, output: Path) -> None:
    with open(output, "w", encoding="utf-8") as file:
        for path in paths:
            scene = model.look(path)
            for k in range(REGIONS):
                answer = scene.describe("What is it?", at=Panel(k + 1, REGIONS), system=system, max_tokens=tokens)
                file.write(json.dumps({"id": f"{path}#{k}", "text": answer.text}) + "\n")


def by_batch(model: Model, paths: Sequence[Path], system: str, tokens: int, output: Path) -> None:
    jobs = output.with_suffix(".jobs.jsonl")
    rows = (
        {"id": f"{path}#{k}", "image": str(path), "regions": [f"{k + 1}/{REGIONS}"]} for path in paths for k in range(6)
    )
    asked = {"prompt": "What is it?", "system": system, "max_tokens": tokens}
    jobs.write_text("\n".join(json.dumps({**row, **asked}) for row in rows))
    opened = JobFile(jobs)
    told = Batch(Plan(opened, {}), Files(output), beside(""), force=True).run(model)
    opened.close()
    assert told.answered == len(paths) * REGIONS


def measured(
    model: Model, folder: Path, count: int, number: int, fresh: Iterator[str], args: argparse.Namespace
) -> tuple[float, float, float]:
    """One round: loop / batch with the answers alone, and with all; seconds per answer of the batch, with all."""
    known = made(folder, count, args.pixels, 0)
    found = []
    for alone in (True, False):
        seconds = []
        for arm, run in enumerate((by_loop, by_batch)):
            system = next(fresh)
            paths = known if alone else made(folder, count, args.pixels, 1 + 2 * number + arm)
            for path in paths if alone else ():
                model.look(path).describe("What is it?", system=system, max_tokens=1)
            taken, _ = timed(partial(run, model, paths, system, args.tokens, folder / f"{run.__name__}.jsonl"))
            seconds.append(taken)
        found.append(seconds)
    (loop, batch), (whole_loop, whole_batch) = found
    return loop / batch, whole_loop / whole_batch, whole_batch / (count * REGIONS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="MODEL MMPROJ HEADS", help="default: the built-in model")
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64, help="of an answer at most")
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image; 32 are a token")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    names = dict(zip(("model", "mmproj", "heads"), args.files, strict=False))
    fresh = (f"Turn {number:05}." for number in itertools.count())
    tokens = args.pixels * args.pixels // 1024 + args.tokens + 64  # of a prompt and its answer
    rows: list[tuple[object, ...]] = []
    with (
        load(**names, threads=args.threads, context=tokens * (max(args.images) + 3) + REGIONS * 200) as model,
        tempfile.TemporaryDirectory() as name,
    ):
        model.head_set = some_heads(model)
        folder = Path(name)
        measured(model, folder, 1, 10**6, fresh, argparse.Namespace(**{**vars(args), "tokens": 2, "pixels": 64}))
        for count in args.images:
            rounds = [measured(model, folder, count, number, fresh, args) for number in range(args.rounds)]
            rows.append((count, *(median(values) for values in zip(*rounds, strict=True))))
            print(*rows[-1], flush=True)
        text = (
            f"{len(model.head_set.heads)} heads, {REGIONS} regions of each image of {args.pixels} x {args.pixels} "
            f"pixels, {args.tokens} tokens per answer at most, {args.threads} threads, {args.rounds} rounds. Target: "
            "six answers about one image, 3 times as fast.\n\n"
        )
        head = ("images", "answers alone: times as fast", "all: times as fast", "seconds per answer, all")
        title = args.files[0].parent.name if args.files else "Built-in model"
        page.write(f"{title}: a folder by lookhere batch", text + page.table(head, rows), args.page)


if __name__ == "__main__":
    main()
