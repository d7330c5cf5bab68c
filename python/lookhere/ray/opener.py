"""Images that lie in object stores, or beside the jobs, wherever these are."""

from __future__ import annotations

import base64
from functools import lru_cache

from ..batch.row import Opener, beside
from ..errors import ImageError

_OWN = ("http://", "https://", "file:", "data:")
"""What ``Model.look`` takes itself."""


def opener(folder: str) -> Opener:
    """Names in a folder, or addresses of their own: those that fsspec knows (s3://, gs://, ...) are read with it."""
    local = beside(folder)

    def opened(name: str) -> str:
        if name.lower().startswith(_OWN):
            return name
        if "://" not in name and "://" in folder:
            name = f"{folder.rstrip('/')}/{name}"
        return _fetched(name) if "://" in name else local(name)

    return opened


@lru_cache(32)  # rows of an image come together
def _fetched(address: str) -> str:
    """The file as a data URI. ImageError."""
    import fsspec

    try:
        with fsspec.open(address, "rb") as file:
            data: bytes = file.read()
    except Exception as error:  # of a store that nobody here made
        raise ImageError(f"{address} cannot be read ({type(error).__name__}: {error}).") from error
    return "data:;base64," + base64.b64encode(data).decode()
