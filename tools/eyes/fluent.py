"""How fluent unsteered answers are: their perplexity under the same language model, which is given the text alone.

    python tools/eyes/fluent.py SMOLLM2.gguf MMPROJ.gguf [--strips 24]

Beside it that of the captions of the same strips, told in the same way.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import lookhere
from lookhere.lab.corpus import generated_strips

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from pointing import perplexity


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("mmproj", type=Path)
    parser.add_argument("--strips", type=int, default=24)
    options = parser.parse_args()
    with lookhere.load(options.model, mmproj=options.mmproj) as model:
        strips = list(generated_strips("evaluation", 0, options.strips))
        said = [model.look(each.image).describe(gaze=False, max_tokens=24).text for each in strips]
        told = sum(text in each.captions for text, each in zip(said, strips, strict=True))
        print(f"{told} of {len(said)} answers are a caption of their strip, as: {said[0]}")
        print(f"perplexity of the answers {perplexity(model, said):.1f}")
        print(f"of the captions {perplexity(model, [text for each in strips for text in each.captions]):.1f}")


if __name__ == "__main__":
    main()
