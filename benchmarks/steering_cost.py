"""What steering and reading cost: tokens per second as ratios to the unsteered run of the same process.

    python benchmarks/steering_cost.py [MODEL MMPROJ HEADS.json] [--rounds 9] [--tokens 64]

The arms take turns in every round, so that a noisy machine disturbs all alike; shown are the median ratio over the
rounds and its quartiles. Decode only counts `Session.decode`, prefill the prompt after the image.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lookhere import Panel, Steering, comics, load
from lookhere._engine import Session, Span
from lookhere.prompt.layout import lay_out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="MODEL MMPROJ HEADS", help="default: the built-in model")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=64, help="generated per arm and round")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--flash-attention", default="auto", choices=("auto", "on", "off"))
    args = parser.parse_args()
    names = dict(zip(("model", "mmproj", "heads"), args.files, strict=False))

    strip = comics.generate_strip(7)
    with load(**names) as model:
        if model.head_set is None:
            raise SystemExit("no head set is known for this model; give one as the third file")
        scene = model.look(strip.image)
        encoded = model.projector.encode(np.asarray(strip.image))
        layout = lay_out(model.native, model.template, scene.ask().messages, [encoded])
        at = layout.items.index(encoded)
        prefix, suffix = layout.items[:at], layout.items[at + 1 :]
        steering = Steering(model.head_set, Panel(2, len(strip.captions)), queries="all")
        bias = [steering.push.image_bias(each) for each in scene.target(steering.regions)]
        spans = [
            Span(grid.position, grid.rows, grid.cols, values, grid.cells)
            for grid, values in zip(layout.grids, bias, strict=True)
        ]
        session = Session(
            model.native,
            context=layout.tokens + args.tokens + 256,
            threads=args.threads,
            flash_attention=args.flash_attention,
        )
        token = suffix[-1]

        def arm(heads: bool, layers: tuple[int, ...]) -> Callable[[], tuple[float, float]]:
            def run() -> tuple[float, float]:
                session.set_heads(model.head_set.heads if heads else ())
                session.steer(spans, prompt_end=layout.prompt_end) if heads else session.unsteer()
                session.set_probe(layers)
                session.set_probe_spans(spans if layers else ())
                session.clear()
                session.decode(prefix)
                session.decode_image(encoded)
                start = time.perf_counter()
                session.decode(suffix, outputs=[len(suffix) - 1])
                middle = time.perf_counter()
                for _ in range(args.tokens):
                    session.decode([token], outputs=[0])
                return middle - start, (time.perf_counter() - middle) / args.tokens

            return run

        every = tuple(range(model.layers))
        arms = {
            "unsteered": arm(False, ()),
            "steered": arm(True, ()),
            "steered, head set read": arm(True, model.head_set.layers),
            "steered, all layers read": arm(True, every),
        }
        for run in arms.values():
            run()
        times = {name: [] for name in arms}
        for _ in range(args.rounds):
            for name, run in arms.items():
                times[name].append(run())
        print(
            f"{model.name}, {len(model.head_set.heads)} heads in {len(model.head_set.layers)} of {model.layers} "
            f"layers, {encoded.tokens} image tokens, {args.threads} threads, flash attention {args.flash_attention}\n"
        )
        print("| arm | prefill, ratio of speed | decode, ratio of speed | decode, tokens/s |")
        print("|---|---|---|---|")
        for name, own in times.items():
            cells = []
            for part in (0, 1):
                ratios = [base[part] / each[part] for base, each in zip(times["unsteered"], own, strict=True)]
                low, middle, high = statistics.quantiles(ratios, n=4)
                cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
            print(f"| {name} | {cells[0]} | {cells[1]} | {1 / statistics.median(t[1] for t in own):.0f} |")
        session.close()


if __name__ == "__main__":
    main()
