"""``--verbose``: what is logged, on stderr."""

from __future__ import annotations

import logging
from typing import Any

import click


class _Stderr(logging.Handler):
    """Writes to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _listen(ctx: click.Context, param: click.Parameter, count: int) -> None:
    """Shows the package's log until the command ends."""
    if not count or ctx.resilient_parsing:
        return
    logger, handler = logging.getLogger("lookhere"), _Stderr()
    handler.setFormatter(logging.Formatter("%(levelname)-7s %(name)s: %(message)s"))
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if count == 1 else logging.DEBUG)

    def stop() -> Any:
        logger.removeHandler(handler)
        logger.setLevel(before)

    ctx.call_on_close(stop)


class Group(click.Group):
    """A group whose commands, in the order in which they were added, all take --verbose."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        cmd.params.append(verbose_option())
        super().add_command(cmd, name)


def verbose_option() -> click.Option:
    """-v and -vv, which need nothing of the command itself."""
    return click.Option(
        ["-v", "--verbose"], count=True, expose_value=False, callback=_listen, is_eager=True,
        help="Show the log on stderr; twice for every detail.",
    )  # fmt: skip
