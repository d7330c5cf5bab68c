"""What comes with the package: the built-in model and the head sets of known models."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from pathlib import Path

from ..errors import ModelFileError, UnknownImageWarning
from ..images.image import Image
from ..steering.head_set import HeadSet
from .gguf import Header

OURS = "lookhere "
"""The names of our own projectors begin with it."""
BUILTIN_HEADS = "builtin.json"
UNKNOWN = (
    "This model knows only the comic strips and scenes that lookhere draws, and this image does not have their "
    "colours: answers about it mean little. For photographs and other pictures give another model: "
    "lookhere.load('qwen3-vl-2b') fetches one, lookhere.load('model.gguf') takes yours."
)


def package_folder(name: str) -> Path:
    """A folder of the package's data, in an installed package as in an editable one."""
    return Path(__file__).parents[1] / "data" / name


def builtin_files() -> tuple[Path, Path]:
    """Model and projector of the built-in model; ModelFileError if this installation has none."""
    folder = package_folder("models")
    model, projector = folder / "model.gguf", folder / "mmproj.gguf"
    for path in (model, projector):
        if not path.is_file():
            raise ModelFileError(
                f"This installation has no built-in model ({path.name} is missing). Install lookhere again, or name a "
                "model: load('model.gguf', mmproj='mmproj.gguf'), on the command line --model and --mmproj."
            )
    return model, projector


def builtin_head_set() -> HeadSet | None:
    """The head set of the built-in model."""
    path = package_folder("heads") / BUILTIN_HEADS
    return HeadSet.read(path) if path.is_file() else None


def knows_drawings_alone(projector: Header) -> bool:
    """Whether a projector is one of ours, which learned from what lookhere draws."""
    return projector.name.startswith(OURS)


def warn_if_unknown(image: Image) -> None:
    """An UnknownImageWarning, in the caller's name, if a model of ours does not know what an image shows, as far as
    its colours tell. An image that was looked at before, and is not decoded again, was warned of then."""
    from ..comics.drawn import drawn

    if "pixels" in vars(image) and drawn(image.pixels) is None:
        warnings.warn(UNKNOWN, UnknownImageWarning, stacklevel=caller())


def caller() -> int:
    """The stack level of who called the package, as seen from the function that asks."""
    package, level = str(Path(__file__).parents[1]), 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level


@cache
def shipped() -> tuple[tuple[Path, HeadSet], ...]:
    """The head sets that come with the package, and their files; that of the built-in model aside."""
    paths = sorted(package_folder("heads").glob("*.json"))
    return tuple((path, HeadSet.read(path)) for path in paths if path.name not in (BUILTIN_HEADS, "schema.json"))
