"""How much memory is left: what does not fit is refused by name, before the system kills the process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def available(root: Path = _ROOT) -> int | None:
    """Bytes that can be taken without swapping, within the limits of the control groups that the process is in.

    root: where /proc and /sys lie. None where the system does not say.
    """
    known = [*_of_the_machine(root), *_of_control_groups(root)]
    return max(0, min(known)) if known else None


def _of_the_machine(root: Path) -> Iterator[int]:
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            yield int(value.split()[0]) * 1024


def _of_control_groups(root: Path) -> Iterator[int]:
    """What each group above the process may still take; caches of files count as free. Both versions."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            folder, files = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            folder = root / "sys/fs/cgroup/memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            yield from _of_a_group(folder.joinpath(*parts[:depth]), *files)


def _of_a_group(folder: Path, limit: str, used: str, cache: str) -> Iterator[int]:
    most, now = ("".join(_lines(folder / name)) for name in (limit, used))
    if not most.isdecimal() or not now.isdecimal():
        return  # no limit here
    stat = dict(line.split() for line in _lines(folder / "memory.stat") if len(line.split()) == 2)
    yield int(most) - int(now) + int(stat.get(cache, 0))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
