"""What the page has to know of the server: the model, its heads, the limits, and how to load it elsewhere."""

from __future__ import annotations

import json
import random
from pathlib import Path

import lookhere

from ... import questions
from ...lab.arms import random_heads
from ...loading.builtin import package_folder, warn_if_unknown
from ...model import Model
from ...steering.head_set import HeadSet
from ...steering.push import BIAS_MODES, MODES
from ..settings import Settings

DRAWS = 12
"""Sets of random heads that the page may try."""


def facts(model: Model, settings: Settings, name: str, photo: Path | None) -> str:
    """As JSON."""
    heads, alone = model.head_set, model.notice is warn_if_unknown
    built_in = Path(model.path).parent == package_folder("models")
    found = {
        "version": lookhere.__version__,
        "model": name,
        "title": model.name,
        "load": _loading(model, settings, built_in),
        "drawings_alone": alone,
        "question": model.prompt,
        "photo_question": questions.IMAGE if alone else questions.GENERAL,
        "layers": model.layers,
        "heads_per_layer": model.heads_per_layer,
        "heads": None if heads is None else [list(each) for each in heads.heads],
        "draws": [] if heads is None else [_drawn(heads, draw) for draw in range(DRAWS)],
        "strength": None if heads is None else heads.strength,
        "mode": None if heads is None else heads.mode,
        "modes": list(MODES),
        "strong_modes": list(BIAS_MODES),
        "fixed": settings.fixed,
        "most_bytes": settings.body,
        "most_pixels": settings.pixels,
        "most_tokens": settings.tokens,
        "photo": None if photo is None else photo.name,
    }
    return json.dumps(found, ensure_ascii=False)


def _drawn(heads: HeadSet, draw: int) -> list[list[int]]:
    """Heads that are no gaze heads, in any order, so that the first few are as random as all."""
    found = [list(each) for each in random_heads(heads, 0, draw).heads]
    random.Random(draw).shuffle(found)
    return found


def _loading(model: Model, settings: Settings, built_in: bool) -> dict[str, str | int]:
    """The arguments of ``load`` that answers depend on; files without their folders where strangers may read it."""
    alone = settings.loopback and not settings.hosts

    def shown(file: str) -> str:
        return Path(file).name if Path(file).is_absolute() and not alone else file

    name, *more = model.as_given
    found: dict[str, str | int] = {}
    if not built_in:
        found["model"] = shown(name)
        found |= {word.removeprefix("--"): shown(file) for word, file in zip(more[::2], more[1::2], strict=True)}
    if model.heads_as_given is not None:
        found["heads"] = shown(model.heads_as_given)
    if model.fit != "pad":
        found["fit"] = model.fit
    if model.max_image_tokens:
        found["max_image_tokens"] = model.max_image_tokens
    return found
