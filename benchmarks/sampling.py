"""What drawing a token costs: the engine's sampler beside llama.cpp's chain of samplers, on the same rows of logits.

    python benchmarks/sampling.py [--rounds 7]

No model is needed. Six rows are drawn from in turn, as six answers of one batch are. Of the flat logits (normal,
standard deviation 1, as random weights give) 0.9 of the likelihood lies on half the vocabulary; the sharp ones have ten
tokens that share most of it, as a trained model's have. The target is 5 % of a step of six rows of the 2B shape, which
takes 140 ms and more.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from pathlib import Path

import lookhere
import numpy as np
import page
from lookhere import _engine
from numpy.typing import NDArray
from ratio import median, ratio
from sides import by_turns

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "engine"))

from chain import Chain

ROWS = 6
ARMS: dict[str, dict[str, float]] = {
    "greedy": {},
    "temperature 0.7": {"temperature": 0.7},
    "temperature 0.7, top_p 0.9": {"temperature": 0.7, "top_p": 0.9},
    "temperature 0.7, top_k 40": {"temperature": 0.7, "top_k": 40},
    "temperature 0.7, min_p 0.05": {"temperature": 0.7, "min_p": 0.05},
    "temperature 0.7, top_p 0.9, repeat_penalty 1.1": {"temperature": 0.7, "top_p": 0.9, "repeat_penalty": 1.1},
}


def rows_of(n: int, sharp: bool) -> NDArray[np.float32]:
    """(ROWS, n) logits."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, n)).astype(np.float32)
    if sharp:
        for row in rows:
            row[rng.choice(n, 10, replace=False)] += np.linspace(12, 18, 10, dtype=np.float32)
    return rows


def seconds(draw: list[object], rows: NDArray[np.float32], times: int) -> float:
    """Of all rows once; the thread's own, which other programs delay but do not lengthen much."""
    start = time.thread_time()
    for _ in range(times):
        for sampler, row in zip(draw, rows, strict=True):
            sampler(row)  # type: ignore[operator]
    return (time.thread_time() - start) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--vocabularies", type=int, nargs="+", default=[151_936, 32_000])
    args = parser.parse_args()

    folder = Path(lookhere.__file__).parent / "lib"
    native = ctypes.CDLL(str(next(path for path in sorted(folder.glob("*lookhere-llama*")))))
    built = json.loads((folder / "build.json").read_text())
    lines = []
    for n in args.vocabularies:
        for kind in ("flat", "sharp"):
            rows = rows_of(n, kind == "sharp")
            for name, options in ARMS.items():
                chains = [Chain(native, n, **options).sample for _ in rows]
                samplers = [_engine.Sampler(**options).sample_from for _ in rows]  # type: ignore[arg-type]
                arms = {
                    "chain": lambda draw=chains, rows=rows: seconds(draw, rows, 1),
                    "ours": lambda draw=samplers, rows=rows: seconds(draw, rows, 5),
                }
                measured = by_turns(arms, args.rounds)
                each = {arm: 1e3 * median(measured[arm]).middle for arm in arms}
                lines.append(
                    (f"{n:,}", kind, name, f"{each['chain'] / ROWS:.3g}", f"{each['ours'] / ROWS:.3g}",
                     ratio(measured["chain"], measured["ours"]), f"{each['ours']:.3g}", "<= 7")
                )  # fmt: skip
                print(*lines[-1], flush=True)
    head = (
        "vocabulary", "logits", "options", "chain, ms a row", "ours, ms a row", "ratio of speed",
        f"ours, ms for {ROWS} rows", "target",
    )  # fmt: skip
    page.write(
        "Sampling",
        f"{ROWS} rows in turn, processor time of one thread; {args.rounds} rounds. The chain is llama.cpp's, in the "
        "same library; filling its table of tokens counts. Compiled by "
        f"{built['compiler']}, {built['build_type']}, `-O3 {built['cxx_flags'].strip()}`; the sampler for the "
        "architecture's baseline, whatever else the processor has "
        f"({_engine.build_info()['cpu'].removeprefix('CPU : ').strip(' |')}).\n\n" + page.table(head, lines),
    )


if __name__ == "__main__":
    main()
