"""What is asked in an evaluation, as a list of jobs, one for each kind of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .arms import Group
from .coco import Labelled
from .corpus import Purpose, generated_scene, generated_strip
from .examiner import Examiner
from .experiments import Beside, on_boxes, on_sheets, on_strips
from .job import Job
from .judging import Category, Exact, Judge, Overlap
from .material import labelled_picture
from .options import Options
from .picture import Picture, of_scene, of_strip
from .reading import read_boxes, read_strips
from .sheet import sheet

if TYPE_CHECKING:
    from ..comics import Strip
    from ..model import Model


def jobs(
    model: Model,
    options: Options,
    beside: Beside,
    judges: Sequence[Judge],
    *,
    size: int,
    labelled: Sequence[Labelled] = (),
    comics: Sequence[Strip] = (),
) -> list[Job]:
    """In the order of the work. size: pixels of a generated panel. labelled: images of --coco. comics: those of
    --comics; neither are judged word for word."""
    heads, protocols = model.head_set, options.protocols

    def strip(index: int, purpose: Purpose = "evaluation") -> Picture:
        return strip_picture(model, options.seed, size, purpose, index)

    def scene(index: int, purpose: Purpose = "evaluation") -> Picture:
        return scene_picture(model, options.seed, purpose, index)

    def comic(index: int) -> Picture:
        return of_strip(model.look(comics[index].image), comics[index], index)

    strips = on_strips(heads, protocols, beside) + read_strips(heads, protocols)
    boxes = on_boxes(heads, protocols, beside) + read_boxes(heads, protocols)
    labels = on_boxes(heads, ("boxes",), beside) + read_boxes(heads, protocols)
    sheets = on_sheets(heads, protocols)
    seen_strips, seen_boxes = ([each for each in every if each.group == "main"] for every in (strips, boxes))
    judging = Examiner(judges)
    reading = Examiner([each for each in judges if not isinstance(each, Exact)] or [Overlap()])
    naming = Examiner([Category(), *(each for each in judges if not isinstance(each, (Exact, Overlap)))])
    fewer: dict[Group, int] = {
        "baseline": options.controls, "control": options.controls, "sweep": options.sweeps, "mode": options.modes,
    }  # fmt: skip
    count, seen, named = options.strips, options.seen, min(options.strips, len(labelled))
    return [
        Job("strips", "fresh", "evaluation", strips, strip, count, judging, fewer),
        Job("scenes", "fresh", "scene", boxes, scene, count, judging, fewer),
        Job("sheets", "fresh", "sheet", sheets, lambda k: sheet(model, options.seed, k), count, judging, fewer),
        Job("seen strips", "seen", "seen", seen_strips, lambda k: strip(k, "seen"), seen, judging),
        Job("seen scenes", "seen", "seen scene", seen_boxes, lambda k: scene(k, "seen"), seen, judging),
        Job("comics", "comics", "comic", strips, comic, len(comics), reading, fewer),
        Job("labelled images", "coco", "coco", labels, lambda k: labelled_picture(labelled[k], model, k), named,
            naming, fewer),
    ]  # fmt: skip


def strip_picture(model: Model, seed: int, size: int, purpose: Purpose, index: int) -> Picture:
    """A generated strip as a model sees it. size: pixels of a panel."""
    drawn = generated_strip(purpose, seed, index, panel_size=size)
    return of_strip(model.look(drawn.image), drawn, index)


def scene_picture(model: Model, seed: int, purpose: Purpose, index: int) -> Picture:
    """A generated scene as a model sees it."""
    free = generated_scene(purpose, seed, index)
    return of_scene(model.look(free.image), free, index)
