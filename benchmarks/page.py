"""The page of results: one section per benchmark, each replaced by its next run."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import machine

PAGE = Path(__file__).parent / "RESULTS.md"
LIBRARY: Path | None = None
"""Folder of the library of ours that is measured, if it is not the installed one."""
_OTHERS = machine.Others()
_INTRODUCTION = """# Side by side

Every ratio is of two sides that took turns within one run: the median over the rounds, and the interval that holds 95 %
of the medians of resampled rounds. Ratios of speed are above 1 where lookhere is faster. Each section says the command
that wrote it, when and where. Models are of true shape with random weights (`tools/random_model.py`), but for
published files, which sections call by their names.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def write(title: str, text: str, path: Path | None = None) -> None:
    """Puts a section into the page, in the place of the one that has its title, and prints it."""
    made = (
        f"`{_command()}`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC. {machine.facts()} "
        f"Other programs took {_OTHERS.share():.0%} of the processors meanwhile. {machine.build(LIBRARY)}"
    )
    section = f"## {title}\n\n{made}\n\n{text.strip()}\n"
    path = path or PAGE
    old = path.read_text() if path.exists() else _INTRODUCTION
    parts = re.split(r"(?m)^(?=## )", old)
    found = [part for part in parts if part.startswith(f"## {title}\n")]
    if found:
        parts = [section + "\n" if part in found else part for part in parts]
    else:
        parts = [parts[0].rstrip() + "\n\n", *(part.rstrip() + "\n\n" for part in parts[1:]), section]
    path.write_text("".join(parts).rstrip() + "\n")
    print(f"\n{section}", flush=True)


def _command() -> str:
    """As it was given, without the folders of this machine."""
    shown = [Path(arg).name if "/" in arg else arg for arg in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *shown])
