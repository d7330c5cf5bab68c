"""The projector of a model: found beside it, and whether it belongs to it."""

from __future__ import annotations

import warnings
from pathlib import Path

from ..errors import ModelFileError, ProjectorError, UnverifiedFamilyWarning
from ..families import Family, family_of, refusal, verified_names
from . import builtin as registry
from .folder import listed, look_into
from .gguf import Header, check_whole, read_header
from .head_bytes import shown
from .published import usual_place

WITH_VISION_ONLY = ("qwen2vl", "qwen3vl", "qwen3vlmoe", "paddleocr", "hunyuan_vl", "cogvlm")
"""Architectures that no text model has."""
_STATE_ANOTHER_WIDTH = ("mlp", "ldp", "ldpv2", "resampler", "adapter")
"""Kinds whose older files say how wide the vision encoder's own projection was."""


def projector_path(mmproj: Path | None, model: Path, given: Path) -> Path:
    """The projector that is given, or the only one beside the model that fits. ProjectorError.

    given: what was given as the model, perhaps a folder around the model's own, in which a projector may lie, too.
    """
    if mmproj is not None:
        return _only_projector(model, mmproj) if mmproj.is_dir() else mmproj
    beside = look_into(model.parent).projectors
    return _only_projector(model, given if given.is_dir() and not beside else model.parent)


def _only_projector(model: Path, folder: Path) -> Path:
    beside = look_into(folder)
    found = beside.projectors
    header = read_header(model)
    fitting = [path for path in found if _may_fit(header, path)] if len(found) > 1 else found
    named = [path for path in fitting if "mmproj" in path.name.lower()]
    if len(fitting) == 1 or len(named) == 1:
        return (named or fitting)[0]
    if fitting:
        raise ProjectorError(
            f"The model {shown(model)} needs its projector, a second GGUF file that is usually called mmproj-*.gguf; "
            f"{len(fitting)} of them are beside it ({listed(fitting, folder)}). Name it with mmproj= (--mmproj)."
        )
    for path, why in beside.broken:
        if "mmproj" in path.name.lower():
            raise ProjectorError(f"The projector beside the model cannot be used: {why}")
    others = f"; none of {listed(found, folder)} fits" if found else ""
    alone = (
        ""
        if header.architecture in WITH_VISION_ONLY
        else f" Of the architecture {header.architecture}, it may be a text model, which has no vision; of "
        f"models with vision, {verified_names()} are verified."
    )
    raise ProjectorError(
        f"The model {shown(model)} has no vision by itself: it needs its projector, a second GGUF file that is usually "
        f"called mmproj-*.gguf; none is beside it{others}. Name it with mmproj= (--mmproj); "
        f"{usual_place(header, model)}.{alone}"
    )


def _may_fit(model: Header, projector: Path) -> bool:
    try:
        return not misfit(model, read_header(projector))
    except ModelFileError:  # another one beside it may be whole
        return False


def check_projector(path: Path, model: Path) -> None:
    """ProjectorError if it is none, or one that cannot belong to this model."""
    try:
        header = read_header(path)
    except ModelFileError as error:
        raise ProjectorError(
            f"The projector of {model.name!r}: {error} Give the mmproj file that was published with the model."
        ) from error
    if header.kind != "projector":
        what = "a LoRA adapter" if header.kind == "adapter" else "a language model"
        raise ProjectorError(
            f"{shown(path)} is {what} ({header.architecture}), not a projector; expected the mmproj file "
            f"that was published with {model.name!r}."
        )
    try:
        check_whole(path, header)
    except ModelFileError as error:
        raise ProjectorError(f"{error} Use the mmproj file that was published with the model.") from error
    if why := refusal(projector_kind(header)):
        raise ProjectorError(f"The projector {shown(path)} cannot be used: {why}.")
    if why := misfit(read_header(model), header):
        raise ProjectorError(
            f"The projector {shown(path)} does not work with this model: {why}. Use the mmproj file that was published "
            "with the model."
        )


def warn_if_unverified(projector: Path) -> None:
    """An UnverifiedFamilyWarning, in the caller's name, if no test runs models with this projector."""
    family = family_of(projector_kind(read_header(projector)))
    if family is not None and not family.verified:
        warnings.warn(unverified(family), UnverifiedFamilyWarning, stacklevel=registry.caller())


def unverified(family: Family) -> str:
    """What to know and do about a family that no test runs."""
    return (
        f"Models of the family {family.name} load, but no test of lookhere runs one: regions may land on the wrong "
        "tokens. Look at scene.grids or describe --show-grid, and steer to a few places that you know before you rely "
        "on it; see docs/families.md."
    )


def projector_kind(header: Header) -> str:
    """As mmproj files name it, for instance 'qwen3vl_merger'; may be empty."""
    return header.text("clip.projector_type") or header.text("clip.vision.projector_type")


def misfit(model: Header, projector: Header) -> str:
    """Why a projector cannot belong to a model; '' where it fits, or where that is not known."""
    kind = projector_kind(projector)
    if not kind:
        return ""
    if why := refusal(kind):
        return why
    given, taken = projector.whole("clip.vision.projection_dim"), model.of_model("embedding_length")
    if given and taken and given != taken and kind not in _STATE_ANOTHER_WIDTH:
        return f"it gives rows of {given} numbers, the model takes rows of {taken}"
    deep = projector.values.get("clip.vision.is_deepstack_layers", ())
    given = sum(map(bool, deep)) if isinstance(deep, tuple) else 0
    taken = model.of_model("n_deepstack_layers")
    if given != taken:
        return f"it feeds {given} layers of the model with what its own layers see, the model expects {taken}"
    return ""
