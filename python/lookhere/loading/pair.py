"""The two files of a vision-language model: the language model and its projector, found and told apart at the door."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ModelFileError, ProjectorError
from . import builtin as registry
from .gguf import read_header


def find_pair(model: str | os.PathLike[str] | None, mmproj: str | os.PathLike[str] | None) -> tuple[Path, Path]:
    """The files of a model and its projector; None stands for the built-in model, and for the projector beside a model.

    ModelFileError, ProjectorError.
    """
    if model is None:
        path, found = registry.builtin_files()
        projector = Path(mmproj) if mmproj is not None else found
    else:
        path = _model_path(Path(model))
        projector = Path(mmproj) if mmproj is not None else _sibling(path)
    _check_projector(projector, path)
    return path, projector


def _model_path(path: Path) -> Path:
    if path.is_dir():
        raise ModelFileError(f"{str(path)!r} is a folder; expected a GGUF file in it, for instance model.gguf.")
    if read_header(path).kind == "projector":
        raise ModelFileError(
            f"{str(path)!r} is a projector (mmproj), not a language model; give it as mmproj= (--mmproj), and the "
            "language model as the model."
        )
    return path


def _sibling(model: Path) -> Path:
    """The projector beside a model."""
    found = sorted(
        path for path in model.parent.iterdir() if "mmproj" in path.name.lower() and path.suffix.lower() == ".gguf"
    )
    if len(found) == 1:
        return found[0]
    beside = f"{len(found)} of them are" if found else "none is"
    names = f" ({', '.join(path.name for path in found)})" if found else ""
    raise ProjectorError(
        f"The model {str(model)!r} needs its projector, a second GGUF file that is usually called mmproj-*.gguf; "
        f"{beside} beside it{names}. Name it with mmproj= (--mmproj); it is published where the model is."
    )


def _check_projector(path: Path, model: Path) -> None:
    try:
        header = read_header(path)
    except ModelFileError as error:
        raise ProjectorError(
            f"The projector of {model.name!r}: {error} Give the mmproj file that was published with the model."
        ) from error
    if header.kind != "projector":
        raise ProjectorError(
            f"{str(path)!r} is a language model ({header.architecture}), not a projector; expected the mmproj file "
            f"that was published with {model.name!r}."
        )
