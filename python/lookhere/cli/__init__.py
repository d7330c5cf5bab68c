"""The command line: ``lookhere demo``, ``describe``, ``narrate``, ``discover``, ``evaluate`` and ``info``."""

from __future__ import annotations

import errno
from typing import Any

import click

from ..errors import LookhereError
from .demo import demo
from .describe import describe
from .discover import discover
from .doctor import doctor
from .evaluate import evaluate
from .info import info
from .logs import verbose_option
from .narrate import narrate


class _Commands(click.Group):
    """Shows our errors as one clear line on stderr; exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # as they were added, what people need first

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.append(verbose_option())
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LookhereError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except MemoryError as error:
            raise click.ClickException("No memory is left; give a smaller image or model.") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # who read our answer wants no more of it; click ends in silence
                raise
            raise click.ClickException(f"Reading or writing failed: {error}. Is the disk full?") from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lookhere")
def main() -> None:
    """Point a local vision-language model at any part of an image, and it describes that part.

    Same weights, same prompt: only a few attention heads are told where to look.

    The answer goes to stdout, everything else to stderr. Exit code 0: done; 1: failed; 2: wrong use.
    """


for command in (demo, describe, narrate, discover, evaluate, info, doctor):
    main.add_command(command)
