"""The command line: ``lookhere demo``, ``describe``, ``narrate``, ``discover``, ``evaluate`` and so on."""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

import lookhere

from .. import _start
from ..errors import (
    BaseHeadSetWarning,
    LookhereError,
    NoProjectorWarning,
    UnknownImageWarning,
    UnverifiedFamilyWarning,
    WeakHeadSetWarning,
)
from ..hub import telling
from . import kept, terminal
from .batch import batch
from .demo import demo
from .describe import describe
from .discover import discover
from .doctor import doctor
from .evaluate import evaluate
from .info import info
from .logs import Group
from .named.heads import heads
from .named.models import models
from .narrate import narrate
from .programs.mcp import mcp
from .programs.serve import serve, try_

LONGEST = 1200
"""Characters of an error. A longer one loses its middle, because its end says what to do."""


class _Commands(Group):
    """Shows our errors as one clear line on stderr; exit code 1, and 130 after Ctrl-C."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **options: Any,
    ) -> Any:
        _start.end()
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **options)
        try:
            terminal.take_any_text()
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **options)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            code = _start.INTERRUPTED
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with warnings.catch_warnings(), telling.heard_by(partial(click.echo, err=True)):
                warnings.simplefilter("ignore", UnknownImageWarning)  # commands say so themselves, after the answer
                warnings.showwarning = _show
                return super().invoke(ctx)
        except LookhereError as error:
            raise click.ClickException(one_line(str(error))) from error
        except MemoryError as error:
            raise click.ClickException("No memory is left; give a smaller image or model.") from error
        except KeyboardInterrupt as error:
            click.echo(kept.stopped(ctx), err=True)
            raise click.Abort from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read our answer wants no more of it; click ends in silence
                raise
            full = " Is the disk full?" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise click.ClickException(one_line(f"Reading or writing failed: {error}.{full}")) from error


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    """A warning of ours as a line for a person, any other one as Python writes it."""
    if issubclass(category, (BaseHeadSetWarning, NoProjectorWarning, UnverifiedFamilyWarning, WeakHeadSetWarning)):
        click.echo(f"Warning: {one_line(str(message))}", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno), err=True, nl=False)


def one_line(message: str) -> str:
    """A message as one line of bounded length."""
    line = " ".join(message.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST * 2 // 3]} ... {line[-LONGEST // 3 + 5 :]}"


def _print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"lookhere, version {lookhere.__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """Point a local vision-language model at any part of an image, and it describes that part.

    Same weights, same prompt: only a few attention heads are told where to look.

    The answer goes to stdout, everything else to stderr. Exit code 0: done; 1: failed; 2: wrong use; 130: stopped by
    Ctrl-C.
    """


for command in (demo, describe, narrate, batch, discover, evaluate, models, heads, info, doctor, serve, try_, mcp):
    main.add_command(command)
