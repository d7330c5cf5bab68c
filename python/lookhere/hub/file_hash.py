"""What tells one model file from another, quickly."""

from __future__ import annotations

import hashlib
import os

_BLOCK, _BLOCKS = 1 << 20, 64


def file_hash(path: str | os.PathLike[str]) -> str:
    """sha256, hexadecimal: of the whole file up to 64 MiB, else of its size and 64 blocks of 1 MiB spread over it."""
    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        if size <= _BLOCK * _BLOCKS:
            digest.update(file.read())
        else:
            for index in range(_BLOCKS):
                file.seek(index * (size - _BLOCK) // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()


def sha256(path: str | os.PathLike[str]) -> str:
    """sha256 of the whole file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
