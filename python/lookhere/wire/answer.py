"""Answers for machines: what ``--json`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..answers.run import Answer, Step
    from ..answers.word import Word
    from ..regions.region import Region
    from ..scene import Scene
    from ..schedule import Walk
    from ..steering.steering import Steering
    from ..tokens.grid import Map


def answer_json(scene: Scene, answer: Answer) -> dict[str, Any]:
    """The text, why it ended, the gaze and what its maps mean, and where the model looked, for all and word by word."""
    where = answer.where()
    return {
        **_facts(scene, answer),
        "steering": answer.steering and _steering(answer.steering),
        "grids": [
            {"rows": grid.rows, "cols": grid.cols, "rectangle": [grid.x0, grid.y0, grid.x1, grid.y1]}
            for grid in scene.grids
        ],
        "gaze": [[[round(float(value), 6) for value in row] for row in gaze] for gaze in answer.gaze],
        "where": where and where.as_json(),
        "words": [_word(word) for word in answer.words()],
    }


def step_json(step: Step, target: int, coverage: tuple[Map, ...]) -> dict[str, Any]:
    """One token of a scheduled text. target: which of the schedule, from 0. coverage: of that target, empty for free.

    on_target: the share of the heads' natural attention to the image that lies on the target; None where none is known.
    """
    return {
        "index": step.index,
        "token": step.token,
        "text": step.text,
        "target": target,
        "on_target": _share(step.gaze, coverage),
    }


def schedule_json(scene: Scene, answer: Answer, walk: Walk) -> dict[str, Any]:
    """What a schedule adds to an answer."""
    return {
        **_facts(scene, answer),
        "every": walk.schedule.every,
        "targets": [None if target is None else region_json(target) for target in walk.schedule.targets],
        "steering": next((_steering(each, regions=False) for each in walk.steerings if each), None),
    }


def region_json(region: Region) -> dict[str, Any]:
    """A region as its kind and its numbers."""
    return region.as_json()


def _facts(scene: Scene, answer: Answer) -> dict[str, Any]:
    return {
        "text": answer.text,
        "finish": answer.finish,
        "prompt": answer.prompt,
        "model": scene.model.name,
        "image": {"width": scene.width, "height": scene.height},
        "tokens": {"prompt": answer.prompt_tokens, "answer": len(answer.steps)},
    }


def _steering(steering: Steering, *, regions: bool = True) -> dict[str, Any]:
    where = {
        "fingerprint": steering.fingerprint,
        "regions": [region_json(region) for region in steering.regions],
    }
    return {
        **(where if regions else {}),
        **steering.number,
        "mode": steering.mode,
        "queries": steering.queries,
        "heads": len(steering.heads.heads),
    }


def _word(word: Word) -> dict[str, Any]:
    where = word.where()
    return {"text": word.text, "start": word.start, "stop": word.stop, "where": where and where.as_json()}


def _share(gaze: tuple[Map, ...], coverage: tuple[Map, ...]) -> float | None:
    every = sum(float(each.sum()) for each in gaze)
    if not coverage or every <= 0:
        return None
    on = sum(float(np.sum(each * share)) for each, share in zip(gaze, coverage, strict=True))
    return round(on / every, 6)
