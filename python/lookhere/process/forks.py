"""Forked processes: a child has the memory of its parent, but of its threads only the one that forked.

Locks that another thread held stay locked in the child for ever, and a KV cache may be half written. What has such
parts says here how it is renewed.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """What does not come through a fork as it is."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there."""


_renewed: WeakSet[Renewed] = WeakSet()


def renew(thing: Renewed) -> None:
    """Has a thing renewed in every forked child, as long as it lives."""
    _renewed.add(thing)


def _in_the_child() -> None:
    for thing in list(_renewed):
        thing.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_the_child)
