"""Linux control groups: limits that a container or a service manager sets, in the groups above the process too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def groups(controller: str, root: Path = ROOT) -> Iterator[tuple[int, Path]]:
    """The folders of the groups that the process is in, as (version, folder), from the top down.

    controller: "memory" or "cpu". root: where /proc and /sys lie. Folders that are not there have no limit; within a
    container the path of a group may be that of the host, and the limit then stands in the topmost folder.
    """
    mounts = root / "sys/fs/cgroup"
    for line in lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        if controllers == "":
            version, tops = 2, [mounts, mounts / "unified"]
        elif controller in controllers.split(","):
            version, tops = 1, [mounts / name for name in dict.fromkeys((controllers, controller))]
        else:
            continue
        for top in tops:
            for depth in range(len(parts) + 1):
                yield version, top.joinpath(*parts[:depth])


def processors(root: Path = ROOT) -> float | None:
    """How many processors' time the process may use; None where nothing limits it."""
    found = []
    for version, folder in groups("cpu", root):
        if version == 2:
            quota, period = (*text(folder / "cpu.max").split(), "", "")[:2]
        else:
            quota, period = text(folder / "cpu.cfs_quota_us"), text(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:  # "max" and "-1" are no limit
            found.append(int(quota) / int(period))
    return min(found) if found else None


def lines(path: Path) -> list[str]:
    """The lines of a file; none where it cannot be read."""
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def text(path: Path) -> str:
    """A file of one value; empty where it cannot be read."""
    return "".join(lines(path)).strip()
