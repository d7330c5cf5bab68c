"""What each kind of push costs while a prompt is read: biases, and shares, which need a row's whole softmax.

    python benchmarks/modes.py MODEL MMPROJ [--rounds 3] [--pixels 1024] [--tokens 16]

The image is encoded once; the prompt is new in each round and arm, and tokens are generated behind it. With
`queries="all"` every row of the prompt is steered, with `answer` none: there nothing of it may cost anything. The arms
take turns in every round; shown are medians of the ratios within a round, with the interval that holds 95 % of medians
of resampled rounds, to the bias with the same queries: of the time on the clock, and of the processor time, which other
programs disturb less.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path

import page
from batches import pictures
from lookhere import Panel, Steering, load
from ratio import median, ratio
from regions import some_heads

MODES = ("boost_suppress", "target_share", "within_image")
QUERIES = ("all", "answer")


@dataclass
class Times:
    """Seconds of each round: of a prompt, on the clock and of all processors, and of the processors for a token."""

    prompt: list[float] = field(default_factory=list)
    prompt_processor: list[float] = field(default_factory=list)
    token_processor: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, metavar="FILE", help="MODEL and MMPROJ")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of an image; 32 are a token")
    parser.add_argument("--tokens", type=int, default=16, help="generated behind the prompt")
    parser.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
    args = parser.parse_args()
    name = args.files[0].parent.name

    with load(args.files[0], mmproj=args.files[1], threads=args.threads) as model:
        heads = some_heads(model)
        scene = model.look(pictures(1, args.pixels, 0)[0])
        arms: dict[tuple[str, str], Steering | None] = {("unsteered", "all"): None}
        for queries, mode in itertools.product(QUERIES, MODES):
            arms[f"`{mode}`", queries] = Steering(heads, Panel(1, 4), mode=mode, queries=queries)
        fresh = (f"Turn {number:05}." for number in itertools.count())
        seconds = {arm: Times() for arm in arms}

        def read(steering: Steering | None, times: Times) -> None:
            system = next(fresh)

            def answer(tokens: int) -> tuple[float, float]:
                ask = scene.ask("What is it?", at=steering, system=system, max_tokens=tokens, gaze=False)
                clock, processor = time.perf_counter(), time.process_time()
                model.ask_all([ask])
                return time.perf_counter() - clock, time.process_time() - processor

            clock, processor = answer(1)
            times.prompt.append(clock)
            times.prompt_processor.append(processor)
            times.token_processor.append(answer(args.tokens)[1] / args.tokens)  # the prompt is in the cache

        read(None, Times())
        for _ in range(args.rounds):
            for arm, steering in arms.items():
                read(steering, seconds[arm])
        rows = []
        for (push, queries), times in seconds.items():
            bias = seconds["`boost_suppress`", queries]
            rows.append(
                (
                    f"{push}, `{queries}`",
                    f"{median(times.prompt).middle:.2f}",
                    ratio(bias.prompt, times.prompt),
                    ratio(bias.prompt_processor, times.prompt_processor),
                    f"{1000 * median(times.token_processor).middle:.1f}",
                    ratio(bias.token_processor, times.token_processor),
                )
            )
        text = (
            f"{len(heads.heads)} heads, {scene.tokens} image tokens, {args.threads} threads, {args.rounds} rounds, the "
            f"prompt and {args.tokens} tokens; speed as a multiple of that under the bias.\n\n"
        )
        head = (
            *("push, queries", "prompt, seconds", "speed", "speed by processor time"),
            *("a token, processor ms", "speed by processor time"),
        )
        page.write(f"{name}: a prompt under each kind of push", text + page.table(head, rows), args.page)
        print(page.table(head, rows))


if __name__ == "__main__":
    main()
