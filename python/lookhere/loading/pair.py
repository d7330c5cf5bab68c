"""The two files of a vision-language model: the language model and its projector, found and told apart at the door."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelFileError, NoProjectorWarning, ProjectorError
from ..families import refusal
from . import builtin as registry
from .folder import Found, listed, look_into
from .gguf import Header, check_whole, read_header
from .head_bytes import shown
from .place import placed
from .projector import WITH_VISION_ONLY, check_projector, misfit, projector_kind, projector_path
from .published import usual_place
from .split import parts_of, refuse_part

Given = str | os.PathLike[str]


@dataclass(frozen=True)
class Located:
    """Where a model lies. path: its file, or a folder. mmproj: None for the projector beside it. names: what it is
    called where it comes from. as_given: what was given for it on a command line, where that is a name. alone: there
    is no projector where it comes from."""

    path: Path
    mmproj: Path | None
    names: tuple[str, ...] = ()
    as_given: tuple[str, ...] = ()
    alone: bool = False


def find_pair(model: Given | None, mmproj: Given | None) -> tuple[Path, Path]:
    """The files of a model and its projector; None stands for the built-in model, and for the projector beside a model.

    model: a file, of a split model the first one, a folder with one model, or a name, which is fetched.
    ModelFileError, ProjectorError, HubError.
    """
    located = locate(model, mmproj)
    return pair_of(located)


def locate(model: Given | None, mmproj: Given | None, *, offline: bool = False) -> Located:
    """The paths of what is given; what has a name is fetched where it is not on this machine, unless offline."""
    if model is None:
        path, found = registry.builtin_files()
        return Located(path, found if mmproj is None else Path(_projector_place(mmproj)))
    given = placed(model, "model", ModelFileError)
    if isinstance(given, Path):
        if not given.exists():
            _refuse_unknown_name(given)
        return Located(given, None if mmproj is None else Path(_projector_place(mmproj)))
    from ..hub import fetch, name

    own = None if mmproj is None else _projector_place(mmproj, repository=isinstance(given, name.HubName))
    wanted = own if isinstance(own, str) else None
    fetched = fetch.get(given, wanted, vision=own is None or wanted is not None, offline=offline)
    alone = fetched.mmproj is None and own is None
    if alone and isinstance(given, name.OllamaName) and _has_vision(read_header(fetched.model)):
        raise ProjectorError(
            f"{given.text}: Ollama has downloaded it without a projector file: it is one of the models that "
            "Ollama keeps in one file, which llama.cpp does not see with. Give a short name (lookhere models) or "
            "owner/repo:Q4_K_M on Hugging Face."
        )
    words = (os.fsdecode(model), *(() if mmproj is None else ("--mmproj", os.fsdecode(mmproj))))
    return Located(fetched.model, own if isinstance(own, Path) else fetched.mmproj, fetched.names, words, alone)


def _has_vision(header: Header) -> bool:
    """Whether a language model is one of those that see, as far as its own file tells."""
    return header.architecture in WITH_VISION_ONLY or any(".vision." in key for key in header.values)


def _refuse_unknown_name(path: Path) -> None:
    """ModelFileError for what is neither here nor a name, and says what was meant; nothing for the path of a file."""
    from ..hub.known import close_names
    from ..hub.name import HubName, name_of

    if len(path.parts) == 2 and isinstance(name_of(f"hf.co/{path}"), HubName):
        raise ModelFileError(
            f"There is no file {shown(path)} in the folder {shown(path.parent)}; for the repository on Hugging Face "
            f"give hf.co/{path}."
        )
    if near := close_names(str(path)):
        raise ModelFileError(
            f"There is no file or folder {shown(path)}, and no model of this short name; did you mean "
            f"{' or '.join(near)}? lookhere models lists them."
        )
    if len(path.parts) == 1 and not path.suffix:
        raise ModelFileError(
            f"There is no file or folder {shown(path)}, and no model of this short name; expected a GGUF file, a name "
            "that lookhere models lists, or owner/repo on Hugging Face."
        )


def _projector_place(mmproj: Given, *, repository: bool = False) -> Path | str:
    """The path of a projector; with a repository, what is no path may be a quantization or the name of a file in it."""
    given = placed(mmproj, "mmproj", ProjectorError)
    if isinstance(given, Path):
        return os.fspath(given) if repository and not given.exists() else given
    from ..hub import fetch, name

    if isinstance(given, name.OllamaName):
        raise ProjectorError(f"mmproj={given.text!r} is a name of Ollama's; expected the path of a projector's file.")
    return fetch.get_projector(given)


def pair_of(located: Located) -> tuple[Path, Path]:
    """The two files, each checked, and that they belong together."""
    path = model_path(located.path)
    if located.alone:
        header = read_header(path)
        raise ProjectorError(
            f"The model {shown(path)} has no vision by itself: it needs its projector, a second GGUF file, and none is "
            f"where it comes from. Name it with mmproj= (--mmproj); {usual_place(header, path)}."
        )
    projector = projector_path(located.mmproj, path, located.path)
    check_projector(projector, path)
    return path, projector


def pair_or_language(located: Located) -> tuple[Path, Path | None, str]:
    """As ``pair_of``. Where no projector is given and none beside the model can be its own: None, and why; it looks at
    texts alone then. ModelFileError, ProjectorError."""
    path = model_path(located.path)
    try:
        return (*pair_of(located), "")
    except ProjectorError as error:
        if not is_alone(path, located):
            raise
        texts = "lookhere.Text, lookhere describe notes.txt, lookhere discover --text"
        return path, None, f"{error} Without one it looks at texts alone: {texts}."


def is_alone(path: Path, located: Located) -> bool:
    """Whether no projector is given, and nothing is beside a model that may be its own, though a broken or unknown
    one."""
    if located.mmproj is not None or located.alone:
        return located.alone
    header = read_header(path)
    folders = {path.parent, located.path} if located.path.is_dir() else {path.parent}
    beside = [look_into(folder) for folder in folders]
    if any("mmproj" in each.name.lower() for found in beside for each, _ in found.broken):
        return False
    return all(_of_another(header, each) for found in beside for each in found.projectors)


def _of_another(model: Header, projector: Path) -> bool:
    """Whether a projector cannot be a model's, and not only because such projectors are refused here."""
    try:
        header = read_header(projector)
    except ModelFileError:
        return False
    return bool(misfit(model, header)) and not refusal(projector_kind(header))


def locate_language(model: Given | None) -> Located:
    """The file of a language model alone, which is fetched where it has a name, and None for the built-in one's.
    ModelFileError, HubError."""
    if model is None:
        return Located(registry.builtin_files()[0], None)
    given = placed(model, "model", ModelFileError)
    if isinstance(given, Path):
        return Located(model_path(given), None)
    from ..hub import fetch

    fetched = fetch.get(given, vision=False)
    return Located(model_path(fetched.model), None, fetched.names, (os.fsdecode(model),))


def model_path(given: Path) -> Path:
    """The file of a language model, or of the only one in a folder, of a split one the first. ModelFileError."""
    path = _only_model(given) if given.is_dir() else given
    header = read_header(path)
    if header.kind == "projector":
        beside = listed(look_into(path.parent).models, path.parent)
        raise ModelFileError(
            f"{shown(path)} is a projector (mmproj), not a language model; give it as mmproj= (--mmproj), and the "
            f"language model as the model{f'; beside it: {beside}' if beside else ''}."
        )
    if header.kind == "adapter":
        base = header.text("general.base_model.0.name") or header.text("general.name")
        raise ModelFileError(
            f"{shown(path)} is a LoRA adapter{f' ({base})' if base else ''} for a model of the architecture "
            f"{header.architecture}, not a model; adapters are not applied here. Merge it into its model with "
            "llama.cpp's llama-export-lora and give the merged file."
        )
    if header.kind == "matrix":
        raise ModelFileError(
            f"{shown(path)} is an importance matrix, a help for quantizing a model; expected the GGUF file of a "
            "language model."
        )
    if header.kind == "part":
        refuse_part(path, header)
    for part in parts_of(path, header):
        check_whole(part, header if part == path else read_header(part))
    return path


def _only_model(folder: Path) -> Path:
    found = look_into(folder)
    if len(found.models) == 1:
        return found.models[0]
    if found.models:
        raise ModelFileError(
            f"{shown(folder)} is a folder with {len(found.models)} language models: {listed(found.models, folder)}. "
            f"Name the one that is meant: load({shown(found.models[0])})."
        )
    raise ModelFileError(f"{shown(folder)} is a folder without a language model{_instead(found, folder)}")


def _instead(found: Found, folder: Path) -> str:
    """What a folder holds that is no language model, as the end of a message."""
    if found.parts:
        return f": of a split model it holds {listed(found.parts, folder)}, but not the first file. Fetch that, too."
    if found.projectors:
        return f", only a projector: {listed(found.projectors, folder)}. Fetch the language model into the folder, too."
    if found.broken:
        path, why = found.broken[0]
        return f". {path.name[:100]}: {why}"
    if found.weights:
        return (
            f": {listed(found.weights, folder)} is not GGUF. Most models are published as GGUF, too, in "
            "repositories whose names end in -GGUF."
        )
    return "; expected a GGUF file in it, for instance model.gguf, and its mmproj."


def warn_if_alone(model: Path) -> None:
    """A NoProjectorWarning, in the caller's name, if a model that is loaded for texts alone is one that sees."""
    header = read_header(model)
    if _has_vision(header):
        warnings.warn(without_eyes(header, model), NoProjectorWarning, stacklevel=registry.caller())


def without_eyes(header: Header, model: Path) -> str:
    """What to know and do about a model that is loaded without a projector."""
    return f"The model {shown(model)} looks at texts alone. Images need its projector: {usual_place(header, model)}."
