"""Where freed memory goes."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 128 * 1024
"""Bytes of a piece that goes back to the system: where the C library begins. It goes up to 32 MiB by itself."""

_MMAP_THRESHOLD = -3


def give_back_large() -> None:
    """From now on, large pieces of memory go back to the system once they are freed. glibc else keeps what was freed in
    a thread for that thread alone: a server of many threads would hold a KV cache for each."""
    with contextlib.suppress(OSError, AttributeError):  # another C library, with other habits
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)


def give_back_free() -> None:
    """Pages that hold nothing go back to the system, between pieces that are in use too: milliseconds. Without it the
    memory of many small pieces stays as large as it ever was at once."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
