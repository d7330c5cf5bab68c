"""One file, fetched into huggingface_hub's own cache: resumed where an earlier try stopped, and checked by its sha256.

huggingface_hub throws away what an interrupted download has, so the bytes are fetched here; it then links them into
its cache, where every other program finds them. Two processes take turns by its own lock.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import HubError
from . import client
from .choice import HubFile
from .file_hash import sha256
from .name import HubName
from .telling import Bar, say, size

TRIES = 5
"""Times in a row that a connection may break without a new byte."""
PAUSE = 1.0
"""Seconds before the next try, doubled each time."""
ROOM = 64 * 2**20
"""Bytes of the disk that stay free."""
_LARGEST = 50 * 10**9
"""Bytes; larger files are not served over plain HTTP, and are left to huggingface_hub."""


def fetch(name: HubName, file: HubFile) -> Path:
    """The path of a file in the cache, fetched if need be. HubError."""
    if file.sha256 and file.size <= _LARGEST:
        _fetch_blob(name, file)
    elif file.size:
        check_room([file])
    with client.told_as_ours(name, file.path):
        return Path(client.api().hf_hub_download(name.repository, file.path, revision=name.revision))


def check_room(files: list[HubFile], beside: int = 0) -> None:
    """HubError if the disk of the cache has no room for files, and for so many bytes beside them."""
    needed = sum(max(0, file.size - _there(file)) for file in files) + beside
    folder = client.cache_folder()
    exists = next((each for each in (folder, *folder.parents) if each.exists()), Path(folder.anchor))
    free = shutil.disk_usage(exists).free
    if needed and free < needed + ROOM:
        raise HubError(
            f"{size(needed)} are to be fetched into {folder}, and its disk has {size(free)} free. Make room, set "
            "HF_HOME to a folder on a larger disk, or take a smaller quantization."
        )


def _there(file: HubFile) -> int:
    """Bytes of a file that an earlier try fetched, in any repository's folder of the cache."""
    found = client.cache_folder().glob(f"models--*/blobs/{file.sha256}.lookhere") if file.sha256 else ()
    return max((path.stat().st_size for path in found), default=0)


def is_here(name: HubName, file: HubFile) -> bool:
    """Whether the cache has the file, whole."""
    return bool(file.sha256) and (client.cache_folder() / _folder(name) / "blobs" / file.sha256).exists()


def _folder(name: HubName) -> str:
    return f"models--{name.repository.replace('/', '--')}"


def _fetch_blob(name: HubName, file: HubFile) -> None:
    if is_here(name, file):
        return
    with place_of(name, file) as blob:
        if blob.exists():  # another process has fetched it meanwhile
            return
        part = part_of(blob)
        _fill(name, file, part)
        _check(name, file, part)
        os.replace(part, blob)


def part_of(blob: Path) -> Path:
    """What there is of a file that is being fetched."""
    return blob.with_name(f"{blob.name}.lookhere")


@contextmanager
def place_of(name: HubName, file: HubFile) -> Iterator[Path]:
    """Where a file with a sha256 belongs in the cache; within the block, no other process puts it there.

    HubError where the disk cannot take it.
    """
    folder = _folder(name)
    blob = client.cache_folder() / folder / "blobs" / file.sha256
    lock = client.cache_folder() / ".locks" / folder / f"{file.sha256}.lock"
    try:
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with client.utils().WeakFileLock(lock):
            yield blob
    except OSError as error:
        raise HubError(_of_disk(error, client.cache_folder())) from error


def _fill(name: HubName, file: HubFile, part: Path) -> None:
    """Fetches what a partial file lacks; it stays where that does not succeed."""
    from huggingface_hub import hf_hub_url

    url = hf_hub_url(name.repository, file.path, revision=name.revision)
    done = _length(part)
    if done > file.size:
        part.unlink()
        done = 0
    if done:
        say(f"{file.name}: {size(done)} of {size(file.size)} are here already; going on there.")
    broken = 0
    try:
        with Bar(file.name, file.size, done) as bar:
            while done < file.size:
                try:
                    with client.told_as_ours(name, file.path):
                        _stream(url, part, done, bar)
                except HubError as error:
                    if not isinstance(error.__cause__, client.transport_errors()):
                        raise
                    broken = 1 if _length(part) > done else broken + 1
                    if broken >= TRIES:
                        raise HubError(
                            f"The connection to {client.endpoint()} breaks at {size(_length(part))} of "
                            f"{size(file.size)} of {file.path}. What was fetched is kept: the same command goes on "
                            "there."
                        ) from error
                    time.sleep(PAUSE * 2 ** (broken - 1))
                done = _length(part)
    except KeyboardInterrupt:
        if _length(part):
            say(f"{size(_length(part))} of {file.name} are kept; the same command goes on there.")
        raise


def _stream(url: str, part: Path, done: int, bar: Bar) -> None:
    """Appends to a partial file what a server sends from there on; a server that sends it all begins anew."""
    utils = client.utils()
    headers = {**utils.build_hf_headers(library_name="lookhere"), "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    with utils.get_session().stream(
        "GET", url, headers=headers, timeout=client.WAIT, follow_redirects=True
    ) as response:
        utils.hf_raise_for_status(response)
        if response.status_code != 206:
            done = 0
        with part.open("ab" if done else "wb") as out:
            for chunk in response.iter_bytes():
                out.write(chunk)  # as it comes: what waits for a full chunk is lost when the connection breaks
                done += len(chunk)
                bar.at(done)


def _check(name: HubName, file: HubFile, part: Path) -> None:
    """HubError if what was fetched is not what the hub says it is; it is thrown away then."""
    found = sha256(part)
    if found != file.sha256:
        part.unlink()
        raise HubError(
            f"{file.path} of {name.repository} arrived damaged: its sha256 is {found[:16]}..., the hub "
            f"says {file.sha256[:16]}.... It was thrown away. Try again; if that fails, too, a proxy may change it."
        )


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _of_disk(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"The disk of {folder} is full. Make room, or set HF_HOME to a folder on a larger disk; what was fetched "
            "is kept, and the same command goes on there."
        )
    return (
        f"{folder} cannot be written ({error.strerror or error}). Set HF_HOME to a folder that can be, or change its "
        "rights."
    )
