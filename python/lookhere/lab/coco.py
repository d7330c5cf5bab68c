"""Labelled boxes in COCO's format: a JSON file and the folder of its images."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from .. import checks
from ..errors import LabelsError

SMALLEST = 750.0
"""Square pixels; smaller boxes are left out, as in the paper."""
SMALL, LARGE = 32.0**2, 96.0**2
"""COCO's bounds of small and large objects, in square pixels."""


@dataclass(frozen=True)
class Labelled:
    """An image file and its (label, box): x0, y0, x1, y1 in pixels, half open.

    size: width and height that the boxes are for. others: labels of what is in the image but was left out, being small
    or a crowd.
    """

    path: Path
    objects: tuple[tuple[str, tuple[float, float, float, float]], ...]
    size: tuple[float, float]
    others: tuple[str, ...] = ()


Size: TypeAlias = Literal["small", "medium", "large"]
SIZES: tuple[Size, ...] = ("small", "medium", "large")


def size_of(area: float) -> Size:
    """small, medium or large, as COCO counts."""
    return "small" if area < SMALL else "medium" if area < LARGE else "large"


def read_coco(labels: Path, images: Path) -> list[Labelled]:
    """The images of a file that have a box of at least 750 square pixels, in order of their ids; crowds are left out.

    Boxes are cut at the edges of the image. LabelsError says which entry is wrong, or which image is missing.
    """
    data = _json(labels)
    try:
        categories = {int(each["id"]): str(each["name"]) for each in data["categories"]}
        entries = sorted(data["images"], key=lambda each: int(each["id"]))
        boxes: dict[int, list[tuple[str, tuple[float, float, float, float]]]] = defaultdict(list)
        others: dict[int, list[str]] = defaultdict(list)
        sizes = {int(each["id"]): (float(each["width"]), float(each["height"])) for each in entries}
        for each in data["annotations"]:
            image, label = int(each["image_id"]), categories[int(each["category_id"])]
            if each.get("iscrowd"):
                others[image].append(label)
                continue
            x, y, width, height = (float(value) for value in each["bbox"])
            if not all(map(math.isfinite, (x, y, width, height))):
                raise LabelsError(
                    f"The labels {checks.file(labels)} are not in COCO's format: the bbox {checks.short(each['bbox'])}."
                )
            most_x, most_y = sizes[image]
            box = (max(x, 0.0), max(y, 0.0), min(x + width, most_x), min(y + height, most_y))
            if box[2] > box[0] and box[3] > box[1] and (box[2] - box[0]) * (box[3] - box[1]) >= SMALLEST:
                boxes[image].append((label, box))
            else:
                others[image].append(label)
        found = [
            Labelled(_inside(images, str(each["file_name"])), tuple(boxes[index]), sizes[index], tuple(others[index]))
            for each in entries
            if boxes.get(index := int(each["id"]))
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabelsError(
            f"The labels {checks.file(labels)} are not in COCO's format ({type(error).__name__}: "
            f"{checks.reason(error)}). Expected an object with images (id, file_name, width, height), annotations "
            "(image_id, category_id, bbox) and categories (id, name)."
        ) from error
    if not found:
        raise LabelsError(f"The labels {checks.file(labels)} have no box of {SMALLEST:g} square pixels or more.")
    return found


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise LabelsError(
            f"There is no image {checks.file(path)}, which the labels name. Give their folder with --images."
        )
    return path


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"The labels {checks.file(path)} cannot be read: {checks.reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"The labels {checks.file(path)} are not JSON: {error}.") from error
