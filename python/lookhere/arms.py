"""The arms of an evaluation: what is measured on every strip, and the controls and sweeps beside it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from . import protocols
from .calibration import MODES, STRENGTHS, head_counts
from .discovery import listed_ranking
from .heads import Head, HeadSet, Queries
from .judging import JudgeName, Outcome
from .questions import AMBIGUOUS

if TYPE_CHECKING:
    from .comics import FreeScene, Strip
    from .scene import Scene

Group: TypeAlias = Literal["main", "control", "sweep"]

DRAWS = 10
"""Random controls are a distribution: single draws spanned .007 to .663 (Inherited Heads, arXiv 2609.14174)."""

SWEPT_QUERIES: tuple[Queries, ...] = ("all", "after_image", "answer", "generated")


@dataclass(frozen=True)
class StripArm:
    """Something asked about a strip. ask: (scene, strip, number of the strip) -> one outcome per panel."""

    name: str
    group: Group
    ask: Callable[[Scene, Strip, int], list[Outcome]]


@dataclass(frozen=True)
class SceneArm:
    """Something asked about a free scene. ask: (scene, free scene) -> one outcome per object."""

    name: str
    ask: Callable[[Scene, FreeScene], list[Outcome]]


def main_arms(heads: HeadSet | None, judge: JudgeName) -> list[StripArm]:
    """What the figures are about; without a head set, what needs none."""
    arms = [
        StripArm(
            "ordinal questions, unsteered", "main", lambda scene, strip, _: protocols.ask_ordinals(scene, strip, judge)
        ),
        StripArm(
            "narration in order, unsteered", "main", lambda scene, strip, _: protocols.narrate(scene, strip, judge)
        ),
    ]
    if heads is None:
        return arms
    arms.append(_steered("ambiguous question, gaze heads", "main", heads, judge))
    if heads.prompt not in (None, AMBIGUOUS):
        arms.append(_steered(f"{heads.prompt!r}, gaze heads", "main", heads, judge, heads.prompt))
    arms.append(
        StripArm(
            "first caption after a move, gaze heads",
            "main",
            lambda scene, strip, index: protocols.move_gaze(scene, strip, heads, index, name=judge),
        )
    )
    return arms


def scene_arms(heads: HeadSet | None) -> list[SceneArm]:
    """Boxes on objects of free scenes."""
    if heads is None:
        return []
    return [SceneArm("box on an object, gaze heads", lambda scene, free: protocols.ask_objects(scene, free, heads))]


def control_arms(heads: HeadSet, seed: int, judge: JudgeName) -> list[StripArm]:
    """Reported, never tuned: random draws, all heads, and all heads with the other image tokens suppressed."""
    every = replace(heads, heads=_every(heads), scores=())
    return [
        *(
            _steered(f"random heads, draw {draw + 1}", "control", random_heads(heads, seed, draw), judge)
            for draw in range(DRAWS)
        ),
        _steered("all heads", "control", every, judge),
        _steered("all heads, suppress_image", "control", replace(every, mode="suppress_image"), judge),
    ]


def sweep_arms(heads: HeadSet, judge: JudgeName) -> list[StripArm]:
    """Queries x strength at the head set's K, then K x mode at its strength."""
    ranking = listed_ranking(heads)
    every = heads.model.layers * heads.model.heads
    counts = {k for k in (*head_counts(every), every // 2, len(heads.heads)) if 1 <= k <= len(ranking.heads)}
    return [
        *(
            _steered(f"queries {queries}, strength {strength:g}", "sweep",
                     replace(heads, queries=queries, strength=strength), judge)
            for queries in SWEPT_QUERIES
            for strength in STRENGTHS
        ),
        *(
            _steered(f"{k} heads, {mode}", "sweep", replace(ranking.top(k), mode=mode), judge)
            for mode in MODES
            for k in sorted(counts)
        ),
    ]  # fmt: skip


def random_heads(heads: HeadSet, seed: int, draw: int) -> HeadSet:
    """As many other heads, drawn at random: each from the layer of a gaze head, or the nearest with one left."""
    rng = random.Random(f"{seed}/{draw}")
    free = set(_every(heads)) - set(heads.heads)
    drawn: list[Head] = []
    for layer, _ in sorted(heads.heads):
        if not free:
            break
        nearest = min(free, key=lambda head: (abs(head[0] - layer), head[0]))[0]
        chosen = rng.choice(sorted(head for head in free if head[0] == nearest))
        free.remove(chosen)
        drawn.append(chosen)
    return replace(heads, heads=tuple(drawn or heads.heads), scores=())


def _every(heads: HeadSet) -> tuple[Head, ...]:
    return tuple((layer, head) for layer in range(heads.model.layers) for head in range(heads.model.heads))


def _steered(name: str, group: Group, heads: HeadSet, judge: JudgeName, prompt: str = AMBIGUOUS) -> StripArm:
    return StripArm(
        name, group, lambda scene, strip, _: protocols.ask_steered(scene, strip, heads, prompt=prompt, name=judge)
    )


def names(arms: Sequence[StripArm], group: Group) -> list[str]:
    """Names of a group, in order."""
    return [arm.name for arm in arms if arm.group == group]
