"""What a discovery works on: items to find heads on, and other pictures to choose their number and strength on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from .. import checks, questions
from . import corpus, item
from .bench import Source
from .checkpoint import file_hash
from .coco import Labelled, read_coco
from .item import Item
from .objects import LEAST, askable, usable
from .picture import Picture, of_objects, of_scene, of_strip

if TYPE_CHECKING:
    from ..comics import FreeScene, Strip
    from ..model import Model
    from .discovery_options import Options

Corpus: TypeAlias = Literal["strips", "comics", "scenes", "coco"]

SCENE_OBJECTS = 3
"""Objects of a generated scene that are asked about; some have more."""


@dataclass(frozen=True)
class Material:
    """items, count: to find heads on, each with so many places. pictures: to choose on. prompt: asked for the choice.

    labelled: answers are labels of a word or two. generated: a model may answer word for word. words: for the source of
    a head set, without the number. content: hashes of pictures that are files, "" for generated ones. fresh: to measure
    the chosen heads on; none where all pictures are taken.
    """

    items: Iterable[Item]
    count: int
    places: int
    pictures: Sequence[Source]
    prompt: str
    words: str
    labelled: bool = False
    generated: bool = False
    content: str = ""
    fresh: Sequence[Source] = ()


def material_of(model: Model, options: Options) -> Material:
    """What the options name. ComicsError, LabelsError."""
    count, others, seed = options.strips, options.calibration, options.seed
    if options.comics is not None:
        return comics(options.comics, count, others)
    if options.coco is not None:
        return coco(options.coco, options.images or options.coco.parent, count, others)
    if options.scenes:
        return scenes(count, others, seed)
    return strips(model, count, others, seed, options.panel_size)


def strips(model: Model, count: int, others: int, seed: int, panel_size: int | None) -> Material:
    """Generated strips of six panels; panel_size: pixels, None for what suits the model."""
    size = panel_size or corpus.panel_size_for(model)
    found = corpus.generated_strips("discovery", seed, count, panel_size=size)
    choosing = corpus.generated_strips("calibration", seed, others, panel_size=size)
    fresh = [partial(_generated, seed, size, index) for index in range(others)]
    items = (item.of_strip(strip) for strip in found)
    return Material(
        items, count, 6, _strips(choosing), questions.AMBIGUOUS, "generated strips", generated=True, fresh=fresh
    )  # fmt: skip


def comics(folder: Path, count: int, others: int) -> Material:
    """A folder of comics; those without captions are not chosen on. ComicsError."""
    found, choosing = corpus.split_folder(folder, count, others)
    pictures = _strips(strip for strip in choosing if strip.captions)
    items = [item.of_strip(strip) for strip in found]
    words = f"comics in {folder.name}"
    content = corpus.content([*found, *choosing])
    return Material(items, len(items), len(found[0].boxes), pictures, questions.AMBIGUOUS, words, content=content)


def scenes(count: int, others: int, seed: int) -> Material:
    """Generated scenes with at least three objects that can be asked about."""
    items = (
        item.of_objects(free.image, usable(free.objects, free.image.size, most=SCENE_OBJECTS))
        for free in _crowded("discovery", seed, count)
    )
    pictures = [partial(_scene, free) for free in _crowded("calibration", seed, others)]
    return Material(items, count, SCENE_OBJECTS, pictures, questions.OBJECT, "generated scenes", labelled=True)


def coco(labels: Path, images: Path, count: int, others: int) -> Material:
    """Labelled boxes in COCO's format, in order of the images' ids: see ``objects``. LabelsError."""
    found = askable(read_coco(labels, images), count + others, f"The labels {checks.file(labels)} have")
    kept = min(count, max(len(found) - others, LEAST, len(found) // 2))
    items = [item.of_objects(each.path, objects, each.size) for each, objects in found[:kept]]
    pictures = [partial(labelled_picture, each) for each, _ in found[kept:]]
    places = len(found[0][1])
    content = "".join(file_hash(each.path) for each, _ in found)
    words = f"images in {images.name}"
    return Material(items, kept, places, pictures, questions.OBJECT, words, labelled=True, content=content)


def _crowded(purpose: corpus.Purpose, seed: int, count: int) -> Iterator[FreeScene]:
    index = 0
    while count:
        free = corpus.generated_scene(purpose, seed, index)
        index += 1
        if len(usable(free.objects, free.image.size, most=SCENE_OBJECTS)) == SCENE_OBJECTS:
            count -= 1
            yield free


def _strips(found: Iterable[Strip]) -> list[Source]:
    return [partial(_strip, strip) for strip in found]


def _generated(seed: int, size: int, number: int, model: Model, index: int) -> Picture:
    return _strip(corpus.generated_strip("evaluation", seed, number, panel_size=size), model, index)


def _strip(strip: Strip, model: Model, index: int) -> Picture:
    return of_strip(model.look(strip.image), strip, index)


def _scene(free: FreeScene, model: Model, index: int) -> Picture:
    return of_scene(model.look(free.image), free, index)


def free_scenes(count: int, seed: int) -> list[Source]:
    """Generated scenes, whose boxes are tried beside strips."""
    return [partial(_scene, corpus.generated_scene("calibration", seed, index)) for index in range(count)]


def labelled_picture(each: Labelled, model: Model, index: int) -> Picture:
    """An image with all its boxes. ImageError; LabelsError where it has another size than its labels are for."""
    scene = model.look(each.path)
    item.check_size(scene, each.path, each.size)
    return of_objects(scene, each.objects, index)
