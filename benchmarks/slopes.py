"""Rankings of heads beside one another: slopes by the gradient in torch, by differences in the engine, and attention.

    python benchmarks/slopes.py smollm2.gguf --text --strips 8 --blocks 1
    python benchmarks/slopes.py --strips 8 --steer 8                # the built-in model

Needs the extra torch. --steer: of the built-in model, or of another pair, how often so many strips are answered with
the target's caption, by ranking, number of heads and strength.
"""

from __future__ import annotations

import argparse
import time

import lookhere
import numpy as np
from lookhere import HeadSet
from lookhere.lab.bench import Bench
from lookhere.lab.corpus import generated_strips
from lookhere.lab.difference import BIAS, Difference
from lookhere.lab.forced import Forced, Reader, of_item, of_text
from lookhere.lab.gradient import Gradient
from lookhere.lab.item import of_strip
from lookhere.lab.material import strips
from lookhere.lab.slopes import Slopes
from lookhere.lab.text import PROMPT
from lookhere.loading.language import load_language_model

TOP = (8, 16, 32)
COUNTS, STRENGTHS = (4, 8, 11, 20), (2.0, 3.0, 5.0, 8.0, 16.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a GGUF file; without one, the built-in model")
    parser.add_argument("--mmproj")
    parser.add_argument("--text", action="store_true", help="captions as text, no image")
    parser.add_argument("--strips", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=0, help="of directions, for the differences; 0: as discovery")
    parser.add_argument("--bias", type=float, default=BIAS, help="nats, for the differences")
    parser.add_argument("--steer", type=int, default=0, metavar="STRIPS")
    given = parser.parse_args()
    if given.text:
        with load_language_model(given.model, threads=1) as language:
            texts = generated_strips("discovery", 0, given.strips, panel_size=16)
            compare(language, [of_text(language, strip.captions, PROMPT) for strip in texts], given.bias, given.blocks)
        return
    with lookhere.load(given.model, mmproj=given.mmproj, threads=1) as model:
        drawn = generated_strips("discovery", 0, given.strips, panel_size=64)
        found = compare(
            model, [of_item(model, of_strip(strip), model.prompt) for strip in drawn], given.bias, given.blocks
        )
        if given.steer:
            steer(model, found, given.steer)


def compare(model: Reader, items: list[Forced], bias: float, blocks: int) -> dict[str, HeadSet]:
    """Prints how far they agree -> the rankings."""
    captions, slopes = sum(len(each.answers) for each in items), {}
    methods = {
        "gradient": Gradient(model, captions),
        "difference": Difference(model, captions, bias=bias, blocks=blocks),
    }
    for name, method in methods.items():
        began, slopes[name] = time.monotonic(), Slopes(model.facts, len(items[0].answers))
        for number, item in enumerate(items):
            slopes[name].add(method.slopes(item, number))
        print(
            f"{name}: {method.told}, {time.monotonic() - began:.0f} s. {slopes[name].trust(TOP).verdict}.", flush=True
        )
    one, other = (each.mean()[tuple(zip(*model.facts.every_head, strict=True))] for each in slopes.values())
    print(f"Spearman {np.corrcoef(ranks(one), ranks(other))[0, 1]:.2f}")
    found = {name: each.ranking() for name, each in slopes.items()}
    for k in TOP:
        both = len(set(found["gradient"].heads[:k]) & set(found["difference"].heads[:k]))
        print(f"{both} of the best {k} in common; {k * k / len(model.facts.every_head):.1f} by chance")
    return found


def ranks(values: np.ndarray) -> np.ndarray:
    """Places, the smallest first."""
    return np.argsort(np.argsort(values))


def steer(model: lookhere.Model, rankings: dict[str, HeadSet], count: int) -> None:
    """Prints the share of steered answers that are the target's caption, word for word."""
    bench = Bench(model, strips(model, 1, count, 0, None).pictures, prompt=model.prompt)
    listed = model.head_set.evidence.get("ranking") if model.head_set else None
    if listed:
        rankings = {**rankings, "attention": HeadSet(model.facts, [(layer, head) for layer, head in listed])}
    for name, ranking in rankings.items():
        for k in COUNTS:
            shares = []
            for strength in STRENGTHS:
                heads = ranking.top(k).pushed(strength=strength, queries="answer")
                shares.append(f"{strength:g} nats {bench.measure(heads, {}, thorough=False).accuracy:.0%}")
            print(f"{name}, {k} heads: {', '.join(shares)}", flush=True)


if __name__ == "__main__":
    main()
