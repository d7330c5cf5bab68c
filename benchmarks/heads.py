"""Which heads are steered in a model of random weights: as many, and where, as in a real one of its size."""

from __future__ import annotations

import json
import random
from pathlib import Path

PUBLISHED = Path(__file__).resolve().parents[1] / "python" / "lookhere" / "data" / "heads" / "qwen3-vl-2b.json"
Head = tuple[int, int]


def heads_for(layers: int, heads: int) -> list[Head]:
    """The published set of the 2B; for other shapes 100 heads in layers 20 to 28, or 500 in a model of 64 layers.

    A model that was cut has the published set too, its layers scaled to those that are left.
    """
    if layers == 36:
        return _drawn(100, range(20, 29), heads)
    if layers == 64:
        return _drawn(500, range(32, 56), heads)
    return sorted({(layer * layers // 28, head % heads) for layer, head in heads_of(PUBLISHED)[:10]})


def heads_of(file: Path) -> list[Head]:
    """Those of a head set's file."""
    return [(each["layer"], each["head"]) for each in json.loads(file.read_text())["heads"]]


def _drawn(count: int, layers: range, heads: int) -> list[Head]:
    every = [(layer, head) for layer in layers for head in range(heads)]
    return sorted(random.Random(0).sample(every, count))
