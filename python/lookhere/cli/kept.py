"""What Ctrl-C leaves behind: long commands say where their work is kept and how to go on."""

from __future__ import annotations

from pathlib import Path

import click

from . import terminal

_KEPT = f"{__name__}.kept"


def keep(progress: Path | None, go_on: str) -> None:
    """Tells that a command keeps its work. progress: the file, None for nothing. go_on: what to do after Ctrl-C."""
    click.get_current_context().meta[_KEPT] = (progress, go_on)


def stopped(ctx: click.Context) -> str:
    """The line after Ctrl-C."""
    progress, go_on = ctx.meta.get(_KEPT, (None, ""))
    if progress is None:
        return f"Stopped. {go_on}".strip()
    if not progress.is_file():
        return "Stopped. Nothing was finished yet that could be kept."
    return f"Stopped. What was finished is kept in {terminal.plain(progress)}. {go_on}"
