"""What other programs have downloaded: the caches of huggingface_hub and llama.cpp, LM Studio's folder, Ollama's blobs.

Only names and manifests are read here; what the files hold is checked where they are loaded.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from .choice import HubFile
from .client import cache_folder
from .name import HubName, OllamaName

_MOST_FILES = 10_000
_MOST_SNAPSHOTS = 20
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


@dataclass(frozen=True)
class Shelf:
    """Files of one repository on this machine. paths: where each lies, by its path in the repository. of: the program
    that downloaded them, for people; '' for huggingface_hub, whose cache is also ours."""

    of: str
    paths: dict[str, Path]

    @property
    def files(self) -> tuple[HubFile, ...]:
        """As a listing of the repository, sizes included."""
        return tuple(HubFile(name, _size(path)) for name, path in sorted(self.paths.items()))


def shelves(name: HubName) -> Iterator[Shelf]:
    """The places that may hold files of a repository, huggingface_hub's cache first.

    llama.cpp keeps its files there, too, or in LLAMA_CACHE in the same way; older versions in a flat folder. For a
    short name, repositories of other owners with the same name are as good.
    """
    yield from _shelves(name)
    for other in _namesakes(name) if name.known else ():
        for shelf in _shelves(replace(name, repository=other, revision="main")):
            yield Shelf(f"{shelf.of or 'huggingface_hub'} ({other})", shelf.paths)


def _namesakes(name: HubName) -> list[str]:
    """Repositories on this machine that are called as a repository is, and belong to others."""
    bare = name.repository.rpartition("/")[2]
    found = [path.name.split("--") for path in _glob(cache_folder(), f"models--*--{bare}")]
    owners = [parts[1] for parts in found if len(parts) == 3]
    for folder in _lm_studio():
        owners += [path.parent.name for path in _glob(folder, f"*/{bare}")]
    return sorted({f"{owner}/{bare}" for owner in owners} - {name.repository})


def _shelves(name: HubName) -> Iterator[Shelf]:
    yield from _snapshots(cache_folder(), name, "")
    for folder in _lm_studio():
        found = {path.name: path for path in _ggufs(folder / name.repository)}
        if found:
            yield Shelf("LM Studio", found)
    prefix = name.repository.replace("/", "_") + "_"
    for folder in _folders("LLAMA_CACHE"):
        yield from _snapshots(folder, name, "llama.cpp")
    for folder in _llama_cpp():
        found = {path.name[len(prefix) :]: path for path in _ggufs(folder) if path.name.startswith(prefix)}
        if found:
            yield Shelf("llama.cpp", found)


def ollama_pair(name: OllamaName | HubName) -> tuple[Path, Path | None] | None:
    """The blobs of a model that Ollama has downloaded: the language model, and its projector, if it has one."""
    if isinstance(name, OllamaName):
        owner = () if "/" in name.repository else ("library",)
        places = [("registry.ollama.ai", *owner, *name.repository.split("/"), name.tag)]
    else:
        tail = (*name.repository.split("/"), name.quantization or "latest")
        places = [(host, *tail) for host in ("hf.co", "huggingface.co")]
    for folder in _ollama():
        for manifests in ("manifests", "manifests-v2"):
            for steps in places:
                if found := _of_manifest(folder, _in_any_case(folder / manifests, steps)):
                    return found
    return None


def ollama_names() -> list[str]:
    """The models of the library that Ollama has downloaded, as its command names them, for messages."""
    found = []
    for folder in _ollama():
        library = folder / "manifests" / "registry.ollama.ai" / "library"
        found += [f"{path.parent.name}:{path.name}" for path in islice(_glob(library, "*/*"), _MOST_FILES)]
    return sorted(found)


def _lm_studio() -> Iterator[Path]:
    home = Path.home()
    try:
        pointed = (home / ".lmstudio-home-pointer").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        pointed = ""
    bases = [Path(pointed)] if pointed else []
    for base in dict.fromkeys([*bases, home / ".lmstudio", home / ".cache" / "lm-studio"]):
        yield base / "models"


def _llama_cpp() -> list[Path]:
    """Flat folders of its older versions, whose files are named owner_repo_file."""
    if sys.platform == "darwin":
        usual = Path.home() / "Library" / "Caches"
    else:
        usual = (_folders("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME") or [Path.home() / ".cache"])[0]
    return [*_folders("LLAMA_CACHE"), usual / "llama.cpp"]


def _ollama() -> list[Path]:
    return _folders("OLLAMA_MODELS") or [
        Path.home() / ".ollama" / "models",
        Path("/usr/share/ollama/.ollama/models"),
        Path("/var/lib/ollama/.ollama/models"),
    ]


def _folders(variable: str) -> list[Path]:
    return [Path(os.environ[variable])] if os.environ.get(variable) else []


def _snapshots(cache: Path, name: HubName, of: str) -> Iterator[Shelf]:
    """The snapshots of a repository: the one that its revision names, then the others, the newest first."""
    folder = cache / f"models--{name.repository.replace('/', '--')}"
    named = [folder / "snapshots" / name.revision]
    with suppress(OSError, ValueError):
        named.append(folder / "snapshots" / (folder / "refs" / name.revision).read_text(encoding="utf-8").strip())
    others = sorted(_glob(folder / "snapshots", "*"), key=_changed, reverse=True)
    for snapshot in dict.fromkeys([*named, *others[:_MOST_SNAPSHOTS]]):
        found = {path.relative_to(snapshot).as_posix(): path for path in _ggufs(snapshot)}
        if found:
            yield Shelf(of, found)


def _of_manifest(folder: Path, manifest: Path | None) -> tuple[Path, Path | None] | None:
    try:
        layers: Any = json.loads(manifest.read_text(encoding="utf-8"))["layers"] if manifest else ()
        blobs = {each["mediaType"]: folder / "blobs" / each["digest"].replace(":", "-") for each in layers}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    model, projector = blobs.get(_MODEL), blobs.get(_PROJECTOR)
    if model is None or not model.is_file():
        return None
    return model, projector if projector is not None and projector.is_file() else None


def _in_any_case(folder: Path, steps: tuple[str, ...]) -> Path | None:
    """A path below a folder whose steps are written in any case; None where there is none."""
    for step in steps:
        inner = folder / step
        if not inner.exists():
            inner = next((each for each in _glob(folder, "*") if each.name.lower() == step.lower()), inner)
        folder = inner
    return folder if folder.is_file() else None


def _ggufs(folder: Path) -> Iterator[Path]:
    """The whole GGUF files in a folder and those within it."""
    for path in islice(_glob(folder, "**/*"), _MOST_FILES):
        if path.suffix.lower() == ".gguf" and path.is_file():
            yield path


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    try:
        yield from folder.glob(pattern)
    except (OSError, ValueError):  # a folder that may not be read, or a name that no path can have
        return


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
