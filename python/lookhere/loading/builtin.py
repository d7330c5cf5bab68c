"""What comes with the package: the built-in model and the head sets of known models."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import ModelFileError, UnknownImageWarning
from ..images.image import Image
from ..steering.head_set import HeadSet, ModelFacts

BUILTIN_HEADS = "builtin.json"
UNKNOWN = (
    "The built-in model knows only the comic strips and scenes that lookhere draws, and this image does not have their "
    "colours: answers about it mean little. For photographs and other pictures give a model of your own: "
    "lookhere.load('model.gguf')."
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


def warn_if_unknown(image: Image) -> None:
    """An UnknownImageWarning, in the caller's name, if the built-in model does not know what an image shows, as far as
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


def find_head_set(model: ModelFacts) -> HeadSet | None:
    """The shipped head set of a model: same architecture, layers, heads and name; None if there is none.

    Names are compared without case and punctuation; one may go on where the other ends (``-Instruct``, ``-Q4_K_M``).
    """
    name = _plain(model.name)
    for head_set in _shipped():
        facts = head_set.model
        shape = (facts.architecture, facts.layers, facts.heads)
        if shape != (model.architecture, model.layers, model.heads):
            continue
        known = _plain(facts.name)
        if name and (name.startswith(known) or known.startswith(name)):
            return head_set
    return None


@cache
def _shipped() -> tuple[HeadSet, ...]:
    return tuple(_read_all())


def _read_all() -> Iterator[HeadSet]:
    for path in sorted(package_folder("heads").glob("*.json")):
        if path.name not in (BUILTIN_HEADS, "schema.json"):
            yield HeadSet.read(path)


def _plain(name: str) -> str:
    """'Qwen/Qwen3-VL-2B-Instruct' as 'qwen3vl2binstruct'."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())
