"""Controls of a discovery: the chosen heads beside random ones and all, on pictures that nothing was chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .arms import random_heads
from .intervals import over_strips

if TYPE_CHECKING:
    from ..steering.head_set import HeadSet
    from .bench import Bench, Measured


def measure_controls(bench: Bench, heads: HeadSet, draws: int, seed: int, pictures: str) -> dict[str, Any]:
    """For evidence: shares of right answers of the heads, of as many random ones in each of several draws, and of all
    heads at once. pictures: what they were measured on, for people."""
    every = replace(heads, heads=heads.model.every_head, scores=())
    drawn = [random_heads(heads, seed, draw) for draw in range(draws)]
    measured = [bench.measure(each, {}, thorough=False) for each in (heads, *drawn, every)]
    gaze, *random, everything = measured
    return {
        "pictures": pictures, "asked": sum(gaze.answers[1]), "judge": bench.judge, "gaze": _with_interval(gaze),
        "random": [round(each.accuracy, 4) for each in random], "all": _with_interval(everything),
    }  # fmt: skip


def _with_interval(measured: Measured) -> list[float]:
    return [round(each, 4) for each in (measured.accuracy, *over_strips(*measured.answers))]


PAPER: tuple[tuple[str, int, int | None, float, float, float | None], ...] = (
    ("Qwen3-VL-2B", 10, 448, 68.6, 1.3, 0.0),
    ("Qwen3-VL-4B", 75, 1152, 72.9, 1.5, 0.0),
    ("Qwen3-VL-8B", 100, 1152, 83.1, 14.6, 0.9),
    ("Qwen3-VL-32B", 500, 4096, 70.2, 12.0, 0.2),
    ("Ovis1.5-8B", 100, None, 68.7, 13.0, 2.7),
    ("Qwen2-VL-7B", 90, 784, 66.2, 0.0, 0.8),
    ("InternVL3.5-8B", 140, None, 62.7, 31.0, 0.8),
    ("InternVL3.5-2B", 50, None, 64.0, 24.0, None),
    ("LLaVA-1.5-13B", 160, None, 39.0, 13.8, 0.0),
    ("LLaVA-NeXT-7B", 100, None, 35.3, 26.7, 0.0),
)
"""Gaze Heads, arXiv 2606.14703, the question that names no panel, six panels, each model's best K: heads, of all (None:
not given), and per cent right of gaze heads, random heads (one draw) and all heads."""


def table(heads: HeadSet, controls: Mapping[str, Any]) -> str:
    """Markdown: the model's row above those of the paper; ends with a newline."""
    columns = ["model", "heads", "gaze heads", "random heads", "all heads"]
    random: Sequence[float] = controls["random"]
    spread = "" if not random else (
        f"{sum(random) / len(random):.1%} ({min(random):.1%} to {max(random):.1%}, {len(random)} draws)"
    )  # fmt: skip
    name = heads.model.name.replace("|", "/")
    own = [name, f"{len(heads.heads)} of {len(heads.model.every_head)}", _percent(controls["gaze"]), spread,
           _percent(controls["all"])]  # fmt: skip
    rows = [columns, ["---", *["---:"] * 4], own]
    for paper, count, every, *shares in PAPER:
        of = f"{count} of {every:,}" if every else str(count)
        rows.append([f"{paper} (Gaze Heads)", of, *("" if each is None else f"{each:.1f}%" for each in shares)])
    lines = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    note = (
        f"Right answers to the question that names no panel. First row: {controls['asked']} answers about "
        f"{controls['pictures']}, {heads.amount}, {heads.mode}, queries {heads.queries}, judged by "
        f"{controls['judge']}, 95 % intervals over pictures. Others: as published (arXiv 2606.14703), forced choice by "
        "a language model, strength 10,000, one random draw.\n"
    )
    return f"{lines}\n{note}"


def _percent(value: Sequence[float]) -> str:
    share, low, high = value
    return f"{share:.1%} ({low:.1%} to {high:.1%})"
