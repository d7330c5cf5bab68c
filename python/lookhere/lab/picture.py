"""A picture under examination: a scene, what is known of its parts, and what it was asked already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..questions import ORDINALS
from ..regions.region import Box
from ..scenes.scene import Scene
from .fluency import log_probabilities
from .view import View

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from ..answers.answer import Answer
    from ..comics import FreeScene, Strip
    from ..loaded import LoadedModel

Edit: TypeAlias = "Callable[[PillowImage, Box], PillowImage]"


@dataclass(frozen=True)
class Place:
    """A part of a picture. target: index of its caption. words: what it is called in a prompt, without a full stop."""

    box: Box
    target: int
    words: str


class Picture:
    """One image. captions: each once. places: what is asked about. index: its number in the corpus, from 0."""

    def __init__(self, scene: Scene, captions: Sequence[str], places: Sequence[Place], index: int) -> None:
        self.scene = scene
        self.captions = tuple(captions)
        self.places = tuple(places)
        self.index = index
        self._edited: dict[tuple[Edit, Box], Scene] = {}
        self._zoomed: dict[Box, Scene] = {}
        self._answers: dict[tuple[View, int, bool], Answer] = {}
        self._nats: dict[tuple[View, tuple[int, ...]], float] = {}

    @property
    def model(self) -> LoadedModel:
        """The model that looks at it."""
        return self.scene.model

    def edited(self, edit: Edit, box: Box) -> Scene:
        """The scene of a changed image, encoded once for every box."""
        key = (edit, box)
        if key not in self._edited:
            self._edited[key] = Scene.of(self.model, edit(self.scene.image.pillow(), box))
        return self._edited[key]

    def zoomed(self, box: Box) -> Scene:
        """The scene of a window around a box, encoded once for every box."""
        if box not in self._zoomed:
            self._zoomed[box] = self.scene.zoom(box)
        return self._zoomed[box]

    def image_tokens(self, box: Box) -> float:
        """How many image tokens a box is large, of the finest grid of the whole image."""
        return box.area / min(grid.token_width * grid.token_height for grid in self.scene.grids)

    def answer(self, view: View, limit: int, *, watch: bool = False) -> Answer:
        """The greedy answer to a view, asked once. watch: with natural and steered gaze at every token."""
        return self.answers([view], limit, watch=watch)[0]

    def answers(self, views: Sequence[View], limit: int, *, watch: bool = False) -> list[Answer]:
        """One answer per view; those that differ only in where the gaze is are computed together."""
        together: dict[tuple[Scene, str], list[View]] = {}
        for view in dict.fromkeys(views):
            if (view, limit, watch) not in self._answers:
                together.setdefault((view.scene, view.prompt), []).append(view)
        for (scene, prompt), asked in together.items():
            places = [view.at for view in asked]
            said = scene.describe_all(places, prompt, max_tokens=limit, gaze=watch, steered_gaze=watch)
            self._answers |= {(view, limit, watch): each for view, each in zip(asked, said, strict=True)}
        return [self._answers[view, limit, watch] for view in views]

    def log_probabilities(self, view: View, answers: Sequence[tuple[int, ...]]) -> list[float]:
        """Nats of each answer's tokens given the view, see ``fluency``; computed once: arms often say the same."""
        unknown = [each for each in dict.fromkeys(answers) if (view, each) not in self._nats]
        self._nats |= {(view, each): nats for each, nats in zip(unknown, log_probabilities(view, unknown), strict=True)}
        return [self._nats[view, each] for each in answers]


def of_strip(scene: Scene, strip: Strip, index: int = 0) -> Picture:
    """A strip in one row; its panels are the places."""
    places = [
        Place(Box(*box), k, f"the {ORDINALS[k]} panel from the left" if k < len(ORDINALS) else f"panel {k + 1}")
        for k, box in enumerate(strip.boxes)
    ]
    return Picture(scene, strip.captions, places, index)


def of_objects(scene: Scene, objects: Sequence[tuple[str, tuple[float, float, float, float]]], index: int) -> Picture:
    """Labelled boxes; equal labels are one caption."""
    labels = list(dict.fromkeys(label for label, _ in objects))
    places = [Place(Box(*box), labels.index(label), _where(scene, Box(*box))) for label, box in objects]
    return Picture(scene, labels, places, index)


def of_scene(scene: Scene, free: FreeScene, index: int = 0) -> Picture:
    """A generated scene; its objects are the places."""
    return of_objects(scene, free.objects, index)


def _where(scene: Scene, box: Box) -> str:
    """The ninth of the image that holds the middle of a box."""
    x, y = box.centre
    column = ("left", "", "right")[min(int(3 * x / scene.width), 2)]
    row = ("top", "", "bottom")[min(int(3 * y / scene.height), 2)]
    return f"the {f'{row} {column}'.strip() or 'middle'} of the image"
