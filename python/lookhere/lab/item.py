"""What attention is read on: an image with several places, and a question for each that names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from .. import checks, questions
from ..errors import LabelsError
from .naming import Naming

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from ..comics import Strip
    from ..model import Model
    from ..scenes.scene import Scene

BoxXY: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Item:
    """One image, its places, and what is asked about them.

    boxes: pixels, half open. questions: one per place; each names its place, attention is read at its last token.
    answers: one per place, forced on the model, attention is averaged over their tokens; empty where none are known,
    the model's own answers to the questions then stand in. forced_after: the one question that the answers are forced
    after; None: each after its own. size: (width, height) that the boxes are for, None for the image's own.
    """

    image: PillowImage | Path
    boxes: tuple[BoxXY, ...]
    questions: tuple[str, ...]
    answers: tuple[str, ...] = ()
    forced_after: str | None = None
    size: tuple[float, float] | None = None

    def asked(self, naming: Naming) -> Item:
        """The same, asked in other words."""
        if self.forced_after is None:
            said = tuple(naming.of_panel(k, len(self.boxes)) for k in range(len(self.boxes)))
        else:
            said = tuple(map(naming.of_label, self.answers))
        return replace(self, questions=said)

    def look(self, model: Model) -> Scene:
        """The image as the model sees it. ImageError; LabelsError where it has another size than its boxes are for."""
        scene = model.look(self.image)
        check_size(scene, self.image, self.size)
        return scene


def of_strip(strip: Strip) -> Item:
    """A strip: the paper's question about each panel; the captions, where they are known, as answers to it."""
    panels = len(strip.boxes)
    asked = tuple(questions.ordinal(k, panels) for k in range(panels))
    return Item(strip.image, strip.boxes, asked, tuple(strip.captions))


def of_objects(
    image: PillowImage | Path, objects: Sequence[tuple[str, BoxXY]], size: tuple[float, float] | None = None
) -> Item:
    """Labelled objects, whose labels differ: a question that names the label; and the label as the answer to the
    paper's question about a box, which names nothing, so that only the label says which object is meant."""
    labels, boxes = zip(*objects, strict=True)
    asked = tuple(questions.named(label) for label in labels)
    return Item(image, tuple(boxes), asked, tuple(labels), questions.OBJECT, size)


def check_size(scene: Scene, image: object, size: tuple[float, float] | None) -> None:
    """LabelsError where labels were made for an image of another size: their boxes would lie elsewhere in it."""
    if size is not None and (scene.width, scene.height) != size:
        raise LabelsError(
            f"The image {checks.short(str(image))} is {scene.width} x {scene.height} pixels, but its labels are for "
            f"{size[0]:g} x {size[1]:g}. Give the images that were labelled, not resized or turned."
        )
