"""Where strips come from: generated ones, each purpose with seeds of its own, or a folder of comics."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from .. import checks
from ..errors import ComicsError, ImageError
from ..questions import ORDINALS

if TYPE_CHECKING:
    from ..comics import FreeScene, Split, Strip
    from ..model import Model

Purpose: TypeAlias = Literal["discovery", "calibration", "evaluation", "seen"]

_FIRST_SEED = {"discovery": 1_000_000_000, "calibration": 2_000_000_000, "evaluation": 3_000_000_000,
               "seen": 4_000_000_000}  # fmt: skip
_SPLIT: dict[Purpose, Split] = {
    "discovery": "train", "calibration": "train", "evaluation": "held_out", "seen": "train",
}  # fmt: skip
"""Heads are found and chosen on combinations that the built-in model was trained on; it is judged on others."""

SEEDS = 1_000_000
"""So many strips of a purpose have seeds of their own for each seed of the user's."""


def _seed(purpose: Purpose, seed: int, index: int) -> int:
    return _FIRST_SEED[purpose] + seed % 1000 * SEEDS + index


def generated_strip(purpose: Purpose, seed: int, index: int, *, panels: int = 6, panel_size: int = 64) -> Strip:
    """Strip number ``index`` (from 0) of a purpose; no two purposes or seeds (0..999) share one."""
    from ..comics import generate_strip

    return generate_strip(_seed(purpose, seed, index), panels=panels, panel_size=panel_size, split=_SPLIT[purpose])


def generated_scene(purpose: Purpose, seed: int, index: int, *, size: tuple[int, int] = (160, 144)) -> FreeScene:
    """Free scene number ``index`` of a purpose."""
    from ..comics import generate_scene

    return generate_scene(_seed(purpose, seed, index), size=size, split=_SPLIT[purpose])


def generated_strips(purpose: Purpose, seed: int, count: int, *, panel_size: int = 64) -> Iterator[Strip]:
    """The first ``count`` strips of a purpose."""
    return (generated_strip(purpose, seed, index, panel_size=panel_size) for index in range(count))


def folder_strips(path: Path) -> Iterator[Strip]:
    """The comics of a folder (comicN/p1..p6, optional captions.txt) that have as many panels as the first one.

    ComicsError where there is none, or one cannot be read.
    """
    from ..comics import load_folder

    panels = 0
    try:
        for strip in load_folder(path):
            count = len(strip.boxes)
            panels = panels or count
            if not 2 <= panels <= len(ORDINALS):
                raise ComicsError(
                    f"The first comic in {checks.file(path)} has {panels} panels; expected 2 to {len(ORDINALS)}, p1 to "
                    "p6 for a strip of six."
                )
            if count == panels:
                yield strip
    except ImageError as error:
        raise ComicsError(str(error)) from error


def captioned_strips(path: Path, most: int) -> list[Strip]:
    """The first comics of a folder that have captions, to judge answers by. ComicsError."""
    strips = list(itertools.islice((strip for strip in folder_strips(path) if strip.captions), most))
    if not strips:
        raise ComicsError(
            f"No comic in {checks.file(path)} has a captions.txt, one line per panel, to judge answers by."
        )
    return strips


def content(strips: Iterable[Strip]) -> str:
    """sha256, hexadecimal, of images and captions: other work where one of them was changed."""
    digest = sha256()
    for strip in strips:
        digest.update(f"{strip.image.size} {strip.boxes} {strip.captions}".encode() + strip.image.tobytes())
    return digest.hexdigest()


def split_folder(path: Path, discovery: int, calibration: int) -> tuple[list[Strip], list[Strip]]:
    """Comics to find heads on, and others to choose their number and strength on.

    At least 2 for the first; a folder that is too small gives the second what is left of it. ComicsError.
    """
    strips = list(itertools.islice(folder_strips(path), discovery + calibration))
    kept = max(len(strips) - calibration, min(len(strips), max(2, len(strips) // 2)))
    kept = min(kept, discovery)
    if kept < 2:
        raise ComicsError(
            f"{checks.file(path)} has {len(strips)} comic; expected at least 2, so that two halves can agree."
        )
    return strips[:kept], strips[kept : kept + calibration]


def panel_size_for(model: Model) -> int:
    """Pixels of a generated panel: 64 for models of ours, which know no larger ones, else the paper's 256."""
    return 64 if model.stated_tokens else 256
