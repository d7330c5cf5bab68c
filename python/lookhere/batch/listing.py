"""What the command line names: images, folders of them, and labelled boxes in COCO's format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import checks
from ..errors import JobsError, LabelsError

ENDINGS = (
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
"""Of the images in a folder."""


def images_in(given: Iterable[Path | str]) -> list[str]:
    """Files and addresses as they are given; of folders the images in them and in their folders, by name. JobsError."""
    found: list[str] = []
    for path in given:
        if isinstance(path, str):
            found.append(path)
            continue
        if not path.exists():
            raise JobsError(f"There is no file and no folder {checks.file(path)}; expected images, or folders of them.")
        if not path.is_dir():
            found.append(str(path))
            continue
        images = sorted(str(each) for each in path.rglob("*") if each.suffix.lower() in ENDINGS and each.is_file())
        if not images:
            raise JobsError(f"There is no image in the folder {checks.file(path)}; expected {', '.join(ENDINGS)}.")
        found += images
    return list(dict.fromkeys(found))


def grid_of(rows: int, cols: int) -> list[dict[str, Any]]:
    """The panels of a grid as JSON, row by row."""
    return [
        {"kind": "panel", "row": row, "col": col, "rows": rows, "cols": cols}
        for row in range(1, rows + 1)
        for col in range(1, cols + 1)
    ]


def boxes_in(labels: Path) -> list[tuple[int, str, dict[str, Any]]]:
    """(id of the annotation, file name of its image, the box as JSON), image by image; crowds are left out.

    Boxes are cut at the edges of their image; one without area there stays as it is, and fails for itself. LabelsError.
    """
    try:
        data = json.loads(labels.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LabelsError(f"The labels {checks.file(labels)} cannot be read: {checks.reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise LabelsError(f"The labels {checks.file(labels)} are not JSON: {checks.reason(error)}.") from error
    try:
        images = {
            int(each["id"]): (index, str(each["file_name"]), float(each["width"]), float(each["height"]))
            for index, each in enumerate(data["images"])
        }
        found = []
        for each in data["annotations"]:
            if each.get("iscrowd"):
                continue
            index, name, width, height = images[int(each["image_id"])]
            found.append((index, (int(each["id"]), name, _box(labels, each["bbox"], width, height))))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LabelsError(
            f"The labels {checks.file(labels)} are not in COCO's format ({type(error).__name__}: "
            f"{checks.reason(error)}). Expected an object with images (id, file_name, width, height) and annotations "
            "(id, image_id, bbox)."
        ) from error
    if not found:
        raise LabelsError(f"The labels {checks.file(labels)} have no box.")
    return [box for _, box in sorted(found, key=lambda each: each[0])]


def _box(labels: Path, given: Any, width: float, height: float) -> dict[str, Any]:
    x, y, wide, high = (float(value) for value in given)
    if not all(map(math.isfinite, (x, y, wide, high))):
        raise LabelsError(
            f"The labels {checks.file(labels)} are not in COCO's format: the bbox {checks.short(given)}; expected four "
            "finite numbers."
        )
    x0, y0, x1, y1 = max(x, 0.0), max(y, 0.0), min(x + wide, width), min(y + high, height)
    if x1 <= x0 or y1 <= y0:
        x0, y0, x1, y1 = x, y, x + wide, y + high
    return {"kind": "box", "x0": x0, "y0": y0, "x1": x1, "y1": y1}
