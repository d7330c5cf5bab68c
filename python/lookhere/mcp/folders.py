"""Image files that an agent may name: those in allowed folders, wherever its dots and links lead."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from .. import checks
from ..errors import ImageError, OptionError
from ..images.source import local_path

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic")
"""Of the files that a message names where there is none of the name that was given."""

LISTED = 20
"""Files that a message names."""

MOST_LISTED = 10_000
"""Files of a folder that are looked through for them."""


class Folders:
    """Folders whose files may be read, with all that is below them. OptionError where one is no folder.

    A path is resolved first, links and dots included, and what it leads to must lie in a folder. Nothing outside is
    opened, and no message tells whether anything is there.
    """

    def __init__(self, given: Sequence[str | os.PathLike[str]]) -> None:
        self.paths = tuple(dict.fromkeys(_folder(each) for each in given))

    def read(self, given: str, most: int) -> bytes:
        """The bytes of a file, ``most`` of them at most. ImageError.

        given: an absolute path, one that begins with ``~``, a file:// address, or a path within one of the folders.
        """
        if not self.paths:
            raise ImageError(
                "This server reads no files, because it was started without --allow FOLDER. Send the image as a data "
                "URI, data:image/png;base64,..., or have the user allow its folder."
            )
        path = local_path(given) if given[:5].lower() == "file:" else given
        meant = self._meant(path)
        found = [real for real in meant if self._holds(real)]
        there = [real for real in found if os.path.lexists(real)]
        if not found or (not there and len(found) < len(meant)):
            raise ImageError(
                f"{checks.file(path)} is outside of the folders that this server may read: {self._named()}. Give a "
                "path in one of them."
            )
        real = (there or found)[0]
        try:
            return _read(real, path, most)
        except (FileNotFoundError, NotADirectoryError):
            near = _listed(real.parent, real.name) if self._holds(real.parent) else ""
            raise ImageError(f"There is no file {checks.file(path)}.{near}") from None
        except OSError as error:
            raise ImageError(f"{checks.file(path)} cannot be read: {checks.reason(error)}.") from error

    def _meant(self, path: str) -> list[Path]:
        """What a path leads to, without any links; in each of the folders where it is relative."""
        try:
            os.fsencode(path)
            wide = os.path.expanduser(path)
            within = [wide] if os.path.isabs(wide) else [os.path.join(folder, wide) for folder in self.paths]
            return [Path(os.path.realpath(each)) for each in within]
        except (ValueError, OSError) as error:
            raise ImageError(
                f"{checks.short(path)} is no path: {checks.reason(error)}. Give the path as text."
            ) from None

    def _holds(self, real: Path) -> bool:
        return any(real.is_relative_to(folder) for folder in self.paths)

    def _named(self) -> str:
        return ", ".join(checks.file(each) for each in self.paths)


def _folder(given: str | os.PathLike[str]) -> Path:
    path = checks.path("allow", given, error=OptionError)
    real = Path(os.path.realpath(path.expanduser()))
    if not real.is_dir():
        raise OptionError(f"allow={checks.file(path)} is no folder; expected the folder of images that may be read.")
    return real


def _read(real: Path, shown: str, most: int) -> bytes:
    at = _opened(real)
    try:
        facts = os.fstat(at)
        if stat.S_ISDIR(facts.st_mode):
            raise ImageError(f"{checks.file(shown)} is a folder; expected an image file.{_listed(real)}")
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError(f"{checks.file(shown)} is no file, but a device or a pipe; expected an image file.")
        with os.fdopen(os.dup(at), "rb") as file:
            data = file.read(most + 1) if facts.st_size <= most else b""
    finally:
        os.close(at)
    if facts.st_size > most or len(data) > most:
        raise ImageError(f"{checks.file(shown)} is larger than {most >> 20} MiB; give a smaller image.")
    return data


def _opened(real: Path) -> int:
    """A descriptor of what a path without links leads to. It is reached step by step from the root, and no link is
    followed: whoever puts one there after the path was checked leads nowhere."""
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    step = flags | os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
    *folders, name = real.parts
    at = os.open(folders[0] if folders else name, step)
    try:
        for folder in folders[1:]:
            at, before = os.open(folder, step, dir_fd=at), at
            os.close(before)
        return os.open(name, flags | os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=at)
    finally:
        os.close(at)


def _listed(folder: Path, wanted: str = "") -> str:
    """What to say of the images in a folder, those with names like the wanted one first."""
    try:
        at = _opened(folder)
        try:
            with os.scandir(at) as entries:
                names = sorted(each.name for each in islice(entries, MOST_LISTED))
        finally:
            os.close(at)
    except OSError:
        return ""
    images = [name for name in names if name.lower().endswith(SUFFIXES)]
    like = difflib.get_close_matches(wanted, images, LISTED, 0.5)
    shown = list(dict.fromkeys([*like, *images]))
    if not shown:
        return " There are no images in its folder."
    more = f" and {len(shown) - LISTED} more" if len(shown) > LISTED else ""
    return f" Images there: {', '.join(map(checks.short, shown[:LISTED]))}{more}."
