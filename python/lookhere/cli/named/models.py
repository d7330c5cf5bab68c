"""``lookhere models``: the models with a short name, and fetching one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ...errors import ModelFileError
from ...hub.known import KnownFile, KnownModel, close_names, known_model
from ...hub.telling import size
from ...loading.pair import locate, pair_or_language
from .. import terminal
from ..logs import Group
from .overview import Overview, overview

_FITS = {True: "yes", False: "no", None: "?"}


@click.group(cls=Group, invoke_without_command=True, short_help="List models with a short name; fetch one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def models(ctx: click.Context, as_json: bool) -> None:
    """List the models that have a short name: size, memory, licence, heads, whether they fit and are here.

    Each may be given wherever a command takes a model, as may owner/repo:QUANT on Hugging Face. It is fetched then, if
    it is not on this machine. HEADS: published by others, ours, yours (fetched with lookhere heads get), or to be found
    with lookhere discover. FITS: enough memory is free now.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = overview()
    if as_json:
        terminal.say_json([_as_json(each) for each in found])
        return
    for line in _table(found):
        click.echo(line)


@models.command("get", short_help="Fetch a model.")
@click.argument("name")
@click.option("--mmproj", metavar="QUANT|FILE", help="Which projector of the repository  [default: F16]")
def get(name: str, mmproj: str | None) -> None:
    """Fetch the model NAME with its projector, if it has one, unless it is on this machine, and print the paths.

    NAME is a short name, owner/repo, owner/repo:QUANT, owner/repo/FILE or an address on Hugging Face, or a name of
    Ollama's. What an interrupted download has is kept: the same command goes on there.
    """
    if Path(name).exists():
        raise ModelFileError(f"{name!r} is a file or folder here; expected the name of a model, as owner/repo:Q4_K_M.")
    model, projector, _ = pair_or_language(locate(name, mmproj))
    for path in filter(None, (model, projector)):
        click.echo(terminal.plain(path))


@models.command("show", short_help="Show a model: files, licence and where that was looked up.")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show(name: str, as_json: bool) -> None:
    """Show the model with the short name NAME: its files, what they take, and where all that was looked up."""
    known = known_model(name)
    if known is None:
        near = " or ".join(close_names(name))
        hint = f"did you mean {near}? " if near else ""
        raise ModelFileError(f"{name!r} is no short name of a model; {hint}lookhere models lists them.")
    found = next(each for each in overview() if each.known is known)
    if as_json:
        terminal.say_json(_as_json(found))
        return
    files = [*known.files, *([known.mmproj] if known.mmproj else [])]
    lines = [
        ("name", known.name), ("made of", known.base), ("family", known.family),
        ("repository", f"{known.repository}, revision {known.revision}"), ("quantization", known.quantization),
        *(("file", f"{file.name}, {size(file.size)}, sha256 {file.sha256}{_whence(known, file)}") for file in files),
        ("size", size(known.size) if known.size else "the repository says"),
        ("memory", f"about {size(known.memory)}" if known.memory else "lookhere doctor says, when it is here"),
        ("fits", _FITS[found.fits]), ("here", "yes" if found.here else "no"), ("heads", found.heads),
        ("licence", known.licence), ("checked", f"{known.checked}: {known.source}"),
    ]  # fmt: skip
    for label, text in lines:
        click.echo(f"{label:<12}  {text}")


def _whence(known: KnownModel, file: KnownFile) -> str:
    """Where a file comes from, if not from the repository alone."""
    if file == known.mmproj:
        return ", comes with lookhere (MIT)" if known.shipped else ""
    package = known.package
    return f", also in the package {package.name} {package.version} ({size(package.size)})" if package else ""


def _table(found: Sequence[Overview]) -> Iterator[str]:
    rows = [("NAME", "SIZE", "MEMORY", "FITS", "HERE", "HEADS", "LICENCE", "REPOSITORY")]
    for each in found:
        known = each.known
        rows.append((
            known.name, size(known.size) if known.size else "?", size(known.memory) if known.memory else "?",
            _FITS[each.fits], "yes" if each.here else "no", each.heads, known.licence,
            f"{known.repository}:{known.quantization}",
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _as_json(each: Overview) -> dict[str, object]:
    known = asdict(each.known)
    return {
        **known, "size": each.known.size or None, "memory": each.known.memory or None,
        "fits": each.fits, "here": each.here, "heads": each.heads,
    }  # fmt: skip
