"""Measures the trained tiny models: steered answers beside random heads, all heads and none, on strips never seen.

python tools/tiny/measure.py [NAME ...] [--strips 50]       (lookhere must be installed)
"""

from __future__ import annotations

import argparse
import itertools
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lookhere

sys.path.append(str(Path(__file__).resolve().parent))

import numpy as np
import world
from lookhere import Box, Steering, questions
from lookhere.lab.arms import DRAWS, random_heads
from lookhere.tokens.coverage import coverage

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "families" / "trained"
SIZES = {"llava": (96, 96), "smolvlm": (192, 96), "gemma3": (96, 96)}
"""Pixels of each model's strips."""
SEED = 7
TOKENS = 10
"""A caption has 6 and an end."""


def loaded(name: str, **options: Any) -> lookhere.LoadedModel:
    """A trained model with its head set."""
    folder = FOLDER / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
        return lookhere.load(folder / "model.gguf", mmproj=folder / "mmproj.gguf",
                             **{"heads": folder / "heads.json", "threads": 1, **options})  # fmt: skip


class Looked:
    """Strips of combinations that no model was trained on, as a model sees them."""

    def __init__(self, model: lookhere.LoadedModel, name: str, count: int, seed: int = SEED) -> None:
        self.model = model
        self.strips = list(itertools.islice(world.strips(seed, *SIZES[name]), count))
        self.scenes = [model.look(strip.pixels) for strip in self.strips]

    def named(self) -> float:
        """Share of right answers to the paper's question that names the panel; nothing is steered."""
        return float(np.mean([
            scene.describe(questions.ordinal(k, world.PANELS), max_tokens=TOKENS, gaze=False).text == caption
            for scene, strip in zip(self.scenes, self.strips, strict=True)
            for k, caption in enumerate(strip.captions)
        ]))  # fmt: skip

    def unsteered(self) -> float:
        """Share of the panels that the answer to the open question is about: a sixth, if it is about one."""
        said = [scene.describe(questions.AMBIGUOUS, max_tokens=TOKENS, gaze=False).text for scene in self.scenes]
        return (
            float(np.mean([text in strip.captions for text, strip in zip(said, self.strips, strict=True)]))
            / world.PANELS
        )

    def steered(self, heads: lookhere.HeadSet) -> float:
        """Share of answers to the open question that are, word for word, the caption of the panel pointed at."""
        return float(np.mean([
            answer.text == caption
            for scene, strip in zip(self.scenes, self.strips, strict=True)
            for answer, caption in zip(self._pointed(scene, strip, heads), strip.captions, strict=True)
        ]))  # fmt: skip

    def random(self, heads: lookhere.HeadSet, seed: int = 0) -> list[float]:
        """The same for ten draws of as many other heads of the same layers, that are no gaze heads."""
        return [self.steered(random_heads(heads, seed, draw)) for draw in range(DRAWS)]

    def gaze(self, heads: lookhere.HeadSet) -> float:
        """The same for those of the set alone that look at the panel told more than chance does."""
        count = heads.evidence["gaze_heads"]
        gaze = [tuple(head) for head in heads.evidence["ranking"][:count]]
        return self.steered(replace(heads, heads=gaze, scores=()))

    def every(self, heads: lookhere.HeadSet) -> float:
        """The same for all heads."""
        return self.steered(replace(heads, heads=heads.model.every_head, scores=()))

    def mass(self, heads: lookhere.HeadSet) -> tuple[float, float]:
        """Of the heads' attention to the image during the answers, the share on the panel pointed at: as they would
        look, and as they did."""
        natural, acted = np.zeros(2), np.zeros(2)
        for scene, strip in zip(self.scenes, self.strips, strict=True):
            answers = self._pointed(scene, strip, heads, gaze=True, steered_gaze=True)
            for answer, box in zip(answers, strip.boxes, strict=True):
                shares = coverage([Box(*box)], scene.grids)
                for step in answer.steps:
                    natural += _on(step.gaze, shares)
                    acted += _on(step.steered_gaze, shares)
        return float(natural[0] / natural[1]), float(acted[0] / acted[1])

    def _pointed(self, scene: Any, strip: world.Strip, heads: lookhere.HeadSet, *, gaze: bool = False,
                 steered_gaze: bool = False) -> list[Any]:  # fmt: skip
        places = [Steering(heads, Box(*box)) for box in strip.boxes]
        return scene.describe_all(places, questions.AMBIGUOUS, max_tokens=TOKENS, gaze=gaze, steered_gaze=steered_gaze)


def _on(maps: Sequence[Any], shares: Sequence[np.ndarray]) -> np.ndarray:
    """Attention on a panel, and on the whole image."""
    both = [
        ((np.asarray(each) * share).sum(), np.asarray(each).sum()) for each, share in zip(maps, shares, strict=True)
    ]
    return np.sum(both, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(SIZES))
    parser.add_argument("--strips", type=int, default=50)
    args = parser.parse_args()
    columns = ("model", "heads", "named in the question", "unsteered", "steered",
               "gaze heads alone", "ten random draws", "all heads", "looks at the target")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|---|---|{'---:|' * (len(columns) - 2)}")
    for name in args.names:
        with loaded(name) as model:
            looked, heads = Looked(model, name, args.strips), model.heads
            draws = looked.random(heads)
            natural, acted = looked.mass(heads)
            row = [name, f"{len(heads.heads)} of {len(heads.model.every_head)}", f"{looked.named():.1%}",
                   f"{looked.unsteered():.1%}", f"{looked.steered(heads):.1%}", f"{looked.gaze(heads):.1%}",
                   f"{np.mean(draws):.1%} ({min(draws):.1%} to {max(draws):.1%})", f"{looked.every(heads):.1%}",
                   f"{natural:.2f} to {acted:.2f}"]  # fmt: skip
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
