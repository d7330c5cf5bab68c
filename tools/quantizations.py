"""How well the built-in model is steered with its weights, its projector and its KV cache in other types.

    python tools/quantizations.py [--strips 100]

Strips of combinations that it was never trained on, six panels each, word for word; the same strips in each row. The
weights of the other types are rounded again from the shipped Q8_0 ones, without an importance matrix. Intervals are
95 %, bootstrap over strips. Prints the table of docs/families.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import lookhere
import numpy as np
from lookhere import Panel
from lookhere.comics import generate_strip
from lookhere.questions import ordinal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import quantized

PANELS = 6
ROWS = [(kind, "F16", "f16") for kind in quantized.WEIGHTS]
ROWS += [("Q8_0", "Q8_0", "f16"), ("Q8_0", "F16", "q8_0"), ("Q8_0", "F16", "q4_0"), ("Q4_K_M", "Q8_0", "q4_0")]


def interval(right: list[list[bool]]) -> str:
    means = np.array(right).mean(axis=1)
    drawn = means[np.random.default_rng(0).integers(0, len(means), (2000, len(means)))].mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{means.mean():.1%} ({100 * low:.1f}-{100 * high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strips", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with lookhere.load() as builtin:
        heads = builtin.head_set
    strips = [generate_strip(20_000_000 + index, split="held_out") for index in range(args.strips)]
    print("| weights | projector | KV cache | MB | steered | ordinal question, unsteered |")
    print("|---|---|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for weights, projector, kv in ROWS:
            files = quantized.model(folder, weights), quantized.projector(folder, projector)
            steered, unsteered = [], []
            with lookhere.load(files[0], mmproj=files[1], heads=heads, kv_type=kv, threads=args.threads) as model:
                for strip in strips:
                    scene = model.look(strip.image)
                    said = scene.describe_all([Panel(k + 1, PANELS) for k in range(PANELS)], gaze=False)
                    steered.append([one.text == other for one, other in zip(said, strip.captions, strict=True)])
                    named = [scene.describe(ordinal(k, PANELS), gaze=False) for k in range(PANELS)]
                    unsteered.append([one.text == other for one, other in zip(named, strip.captions, strict=True)])
            size = sum(path.stat().st_size for path in files) / 1e6
            figures = f"{size:.1f} | {interval(steered)} | {interval(unsteered)}"
            print(f"| {weights} | {projector} | {kv} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
