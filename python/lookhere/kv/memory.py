"""How much memory is left: what does not fit is refused by name, before the system kills the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..process.control_groups import ROOT, groups, lines, text

_FILES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}
"""By version: the limit, what is used, and what of that is caches of files, which count as free."""


def available(root: Path = ROOT) -> int | None:
    """Bytes that can be taken without swapping, within the limits of the control groups that the process is in.

    root: where /proc and /sys lie. None where the system does not say.
    """
    known = [*_of_the_machine(root), *_of_control_groups(root)]
    return max(0, min(known)) if known else None


def _of_the_machine(root: Path) -> Iterator[int]:
    for line in lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            yield int(value.split()[0]) * 1024


def _of_control_groups(root: Path) -> Iterator[int]:
    """What each group above the process may still take."""
    for version, folder in groups("memory", root):
        limit, used, cache = _FILES[version]
        most, now = text(folder / limit), text(folder / used)
        if most.isdecimal() and now.isdecimal():  # else no limit here
            stat = dict(line.split() for line in lines(folder / "memory.stat") if len(line.split()) == 2)
            yield int(most) - int(now) + int(stat.get(cache, 0))
