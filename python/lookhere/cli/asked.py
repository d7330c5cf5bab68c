"""The question where none is given, and what is said of pictures that our own models do not know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .. import questions
from ..comics.drawn import Kind, drawn
from ..loading.builtin import package_folder, warn_if_unknown
from ..regions.region import Panel, Region, Weighted
from ..scenes.scene import Scene
from ..schedule import Schedule

if TYPE_CHECKING:
    from ..scenes.asking import Asking

_UNKNOWN = (
    "Note: this model knows only the comic strips and scenes that lookhere draws, and {} not have their colours. {} "
    "little. For photographs and other pictures give another model: --model qwen3-vl-2b fetches one (lookhere models "
    "lists more), --model MODEL.gguf takes yours."
)
UNKNOWN = _UNKNOWN.format("this image does", "Its answer means")
UNKNOWN_SOME = _UNKNOWN.format("some images do", "Its answers about them mean")
UNREAD = (
    "Note: the built-in model learned comic strips and never to read, so that its answer about a text means little. "
    "Give a language model: --model MODEL.gguf; it needs no projector for texts."
)


def question(scene: Asking, regions: Sequence[Region]) -> str:
    """What is asked where no question is given: the model's own, but of a comic strip only where there may be one."""
    own = scene.question
    if not isinstance(scene, Scene) or "comic strip" not in own or _panels(regions):
        return own
    kind = drawn_kind(scene)
    if kind == "strip":
        return own
    return questions.OBJECT if kind == "scene" and regions else scene.model.question


def pointed_question(scene: Asking, plan: Schedule) -> str:
    """What is asked where the gaze moves: about panels where there may be some."""
    if not isinstance(scene, Scene):
        return questions.POINTED_TEXT
    targets = [target for target in plan.targets if target is not None]
    if _panels(targets) or not targets or drawn_kind(scene) == "strip":
        return questions.POINTED
    return questions.POINTED_PLACES


def say_if_unknown(scene: Asking) -> None:
    """Says on stderr that a model of ours does not know what it was shown."""
    note = unknown(scene)
    if note is not None:
        click.echo(note, err=True)


def unknown(scene: Asking) -> str | None:
    """What to say where a model of ours does not know what an image shows, as far as its colours tell, or where the
    built-in one was shown a text, which it does not read."""
    if not isinstance(scene, Scene):
        return UNREAD if scene.model.path == str(package_folder("models") / "model.gguf") else None
    return UNKNOWN if scene.model.notice is warn_if_unknown and drawn_kind(scene) is None else None


def drawn_kind(scene: Scene) -> Kind | None:
    """Whether lookhere drew the image."""
    return drawn(scene.image.pixels)


def _panels(regions: Sequence[Region]) -> bool:
    return any(isinstance(each.region if isinstance(each, Weighted) else each, Panel) for each in regions)
