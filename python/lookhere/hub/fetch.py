"""A model by its name: found on this machine, or fetched."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..checks import short
from ..errors import HubError
from . import client, stores, very_file
from .choice import DEFAULT, Chosen, HubFile, choose, choose_projector
from .download import check_room, fetch, is_here
from .known import always_sees, known_models
from .name import HubName, OllamaName
from .telling import say, size, unheard

_log = logging.getLogger("lookhere.hub")
_MOST_NAMED = 8


@dataclass(frozen=True)
class Fetched:
    """The files of a model on this machine. mmproj: None where it has none, and looks at texts alone. names: what the
    model is called, for its head set."""

    model: Path
    mmproj: Path | None
    names: tuple[str, ...]


def find(name: HubName | OllamaName, mmproj: str | None = None, *, vision: bool = True) -> Fetched | None:
    """A model that is on this machine already, whole; None where it is not. The network is not asked.

    mmproj: which projector of the repository, None for the preferred one. vision: that it has one is expected.
    """
    if isinstance(name, HubName) and name.known and name.known.shipped:
        eyes = very_file.eyes(name.known) if vision else None
        path = very_file.find(name, name.known)
        return None if path is None else Fetched(path, eyes, _names(name))
    if isinstance(name, HubName):
        for shelf in stores.shelves(name):
            chosen = _on_shelf(shelf, name, mmproj)
            if chosen is not None and (chosen.projector is not None or not vision):
                if shelf.of:
                    say(f"{name.text}: found what {shelf.of} has downloaded.")
                _tell_found(name, chosen)
                projector = shelf.paths[chosen.projector.path] if chosen.projector else None
                _log.info("%s is here: %s with %s.", name.text, chosen.model.files[0].path, projector)
                return Fetched(shelf.paths[chosen.model.files[0].path], projector, _names(name))
    pair = stores.ollama_pair(name)
    if pair is None:
        return None
    if pair[1] is None and vision and isinstance(name, HubName):
        return None
    say(f"{name.text}: found what Ollama has downloaded.")
    return Fetched(*pair, _names(name))


def find_for_texts(name: HubName | OllamaName, mmproj: str | None = None) -> Fetched | None:
    """A language model that is on this machine without a projector; None where it is not, or is known to have one."""
    if isinstance(name, OllamaName) or name.known or mmproj is not None or always_sees(name.repository):
        return None
    with unheard():
        return find(name, vision=False)


def get(
    name: HubName | OllamaName, mmproj: str | None = None, *, vision: bool = True, offline: bool = False
) -> Fetched:
    """A model by its name, fetched where it is not on this machine. HubError.

    vision: False for the language model alone. offline: nothing is asked of the network, nor fetched.
    """
    if isinstance(name, HubName) and name.known and name.known.shipped:
        if mmproj is not None:
            raise HubError(
                f"{name.text} has one projector, which comes with lookhere, and no {mmproj!r}. Leave mmproj (--mmproj) "
                "out, or give the path of another one."
            )
        eyes = very_file.eyes(name.known) if vision else None
        path = very_file.get(name, name.known, lambda: _from_hub(*_listed(name), None, vision=False).model)
        return Fetched(path, eyes, _names(name))
    found = find(name, mmproj, vision=vision)
    if found is not None:
        return found
    if isinstance(name, OllamaName):
        raise HubError(_not_of_ollama(name))
    here = find_for_texts(name, mmproj) if vision else None
    try:
        if offline or client.offline():
            raise HubError(client.of_offline(name.text))
        listed = _listed(name)
    except HubError:
        if here is None:
            raise
        say(f"{name.text}: the language model is on this machine, and no projector. It looks at texts alone.")
        return here
    return _from_hub(*listed, mmproj, vision=vision, here=here)


def _from_hub(
    name: HubName, listing: client.Listing, mmproj: str | None, *, vision: bool, here: Fetched | None = None
) -> Fetched:
    """here: what is taken if the repository has no projector."""
    chosen = _chosen(name, listing.files, mmproj)
    if chosen.projector is None and vision:
        if name.known or always_sees(name.repository):
            raise HubError(
                f"{name.repository} has no projector (mmproj-*.gguf), without which a model sees nothing: it is "
                "published elsewhere. Look for another repository of the model, or give its file with mmproj= "
                "(--mmproj)."
            )
        say(
            f"{name.repository} has no projector (mmproj-*.gguf): its model looks at texts alone. If it has vision, "
            "give its projector with mmproj= (--mmproj)."
        )
        if here is not None:
            return here
    projector = chosen.projector if vision else None
    files = [_as_looked_up(name, file) for file in (*chosen.model.files, *([projector] if projector else []))]
    _state(name, files, listing.licence)
    _tell_why(name, chosen)
    check_room([file for file in files if not is_here(name, file)])
    paths = [fetch(name, file) for file in files]
    return Fetched(paths[0], paths[-1] if projector else None, _names(name))


def find_projector(name: HubName) -> Path | None:
    """A projector that is on this machine, by the name of its repository, or of its file in one; None otherwise."""
    if name.known and name.known.shipped:
        return very_file.eyes(name.known)
    for shelf in stores.shelves(name):
        with suppress(HubError):
            return shelf.paths[choose_projector(shelf.files, name.repository, name.file or name.quantization).path]
    return None


def get_projector(name: HubName) -> Path:
    """A projector alone, fetched where it is not on this machine. HubError."""
    found = find_projector(name)
    if found is not None:
        return found
    if client.offline():
        raise HubError(client.of_offline(name.text))
    listing = client.list_files(name)
    file = choose_projector(listing.files, name.repository, name.file or name.quantization)
    _state(name, [file], listing.licence)
    check_room([file])
    return fetch(name, file)


def _listed(name: HubName) -> tuple[HubName, client.Listing]:
    """A repository's files; those of main where the revision of a known model is gone."""
    try:
        return name, client.list_files(name)
    except HubError:
        if name.known is None or name.revision == "main":
            raise
        moved = replace(name, revision="main")
        listing = client.list_files(moved)
        say(f"{name.repository}: the revision {name.revision[:12]} is gone; the newest one is taken.")
        return moved, listing


def _as_looked_up(name: HubName, file: HubFile) -> HubFile:
    """A file of a known model with the sha256 of the table. HubError where the hub states another one."""
    known = name.known
    held = {each.name: each.sha256 for each in (*known.files, known.mmproj) if each} if known else {}
    if known is not None and known.shipped:  # whatever it is called, at whatever revision
        held = {file.path: known.files[0].sha256}
    elif known is None or name.revision != known.revision or file.path not in held:
        return file
    if file.sha256 and file.sha256 != held[file.path]:
        raise HubError(
            f"{client.endpoint()} has another {file.path} at this revision of {name.repository} than the one that was "
            f"looked up for {known.name} (sha256 {file.sha256[:16]}..., expected {held[file.path][:16]}...). Is "
            f"HF_ENDPOINT a mirror that changed it? {name.repository}:{name.quantization} takes it all the same"
            + (f" (with mmproj={known.name!r})." if known.shipped else ".")
        )
    return replace(file, sha256=held[file.path])


def _chosen(name: HubName, files: Sequence[HubFile], mmproj: str | None) -> Chosen:
    """The files of a known model are those of the table, as long as the repository has them."""
    known = name.known
    there = {file.path for file in files}
    if known and known.files and all(file.name in there for file in known.files):
        own = known.mmproj.name if known.mmproj and known.mmproj.name in there else None
        return choose(files, name.repository, file=known.files[0].name, mmproj=mmproj or own)
    return choose(files, name.repository, quantization=name.quantization, file=name.file, mmproj=mmproj)


def _on_shelf(shelf: stores.Shelf, name: HubName, mmproj: str | None) -> Chosen | None:
    try:
        return _chosen(name, shelf.files, mmproj)
    except HubError as error:
        _log.debug("%s has no %s: %s", shelf.of, name.text, error)
        return None


def _names(name: HubName | OllamaName) -> tuple[str, ...]:
    if isinstance(name, OllamaName):
        return (name.text.replace(":", "-"),)
    bare = name.repository.rpartition("/")[2]
    for ending in ("-GGUF", "-gguf"):
        bare = bare.removesuffix(ending)
    if name.known is None:
        return (bare,)
    return (name.known.base, bare, *([name.known.name] if name.known.shipped else []))


def _state(name: HubName, files: Sequence[HubFile], licence: str) -> None:
    """What will be fetched, before it is."""
    files = [file for file in files if not is_here(name, file)]
    if not files:
        return
    missing = sum(file.size for file in files)
    terms = licence or (name.known.licence if name.known else "")
    of = f"licence {terms}" if terms else "licence not stated"
    listed = ", ".join(f"{file.name} ({size(file.size)})" if file.size else file.name for file in files[:_MOST_NAMED])
    more = f" and {len(files) - _MOST_NAMED} more" if len(files) > _MOST_NAMED else ""
    total = f", {size(missing)}" if missing and len(files) > 1 else ""
    say(f"Fetching {name.repository} ({of}) into {client.cache_folder()}: {listed}{more}{total}.")


def _tell_why(name: HubName, chosen: Chosen) -> None:
    if chosen.why:
        say(f"{name.repository}: took {chosen.why}.")


def _tell_found(name: HubName, chosen: Chosen) -> None:
    """Which quantization was there, where another one might have been fetched."""
    there = chosen.model.name
    if there and there != DEFAULT and not (name.quantization or name.file):
        say(f"{name.repository}: using {there}, which is on this machine.")


def _not_of_ollama(name: OllamaName) -> str:
    there = [each for each in stores.ollama_names() if "vl" in each or "llava" in each or "gemma" in each]
    has = f" It has {', '.join(there[:_MOST_NAMED])}." if there else ""
    names = ", ".join(model.name for model in known_models()[:_MOST_NAMED])
    return (
        f"There is no file {short(name.text)}, and Ollama has downloaded no model of this name here.{has} Run ollama "
        f"pull {name.text}, or give a short name ({names}, ...; lookhere models lists them) or a repository on Hugging "
        "Face, as owner/repo:Q4_K_M."
    )
