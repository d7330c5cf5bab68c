"""Where freed memory goes."""

from __future__ import annotations

import contextlib
import ctypes

LARGE = 128 * 1024
"""Bytes of a piece that goes back to the system: where the C library begins. It goes up to 32 MiB by itself."""

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def give_back_large() -> None:
    """From now on, large pieces of memory go back to the system once they are freed, and threads that begin share the
    heaps that there are. glibc else keeps what was freed in a thread for that thread alone: a server of many threads
    would hold a KV cache for each, and gaps in many heaps that grow for thousands of requests."""
    with contextlib.suppress(OSError, AttributeError):  # another C library, with other habits
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, LARGE)
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back_free() -> None:
    """Pages that hold nothing go back to the system, between pieces that are in use too: milliseconds. Without it the
    memory of many small pieces stays as large as it ever was at once."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
