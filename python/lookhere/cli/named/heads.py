"""``lookhere heads``: the known head sets; shown, compared, checked, fetched and published."""

from __future__ import annotations

from pathlib import Path

import click

from ...errors import HeadSetError
from ...hub.head_files import keep, publish
from ...hub.name import HubName, repository_of
from ...loading.builtin import BUILTIN_HEADS, builtin_head_set, package_folder
from ...loading.head_choice import KnownHeads, head_sets_of, known_heads, named_heads
from ...loading.pair import Given
from ...steering.head_set import HeadSet, to_dict
from .. import terminal
from ..logs import Group
from ..options.model import FILE, FILE_OR_NAME
from .comparing import Overlap, compare, fits
from .overview import origin

_MOST_SHOWN = 24


@click.group(cls=Group, invoke_without_command=True, short_help="List, show, compare, check, fetch, publish head sets.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def heads(ctx: click.Context, as_json: bool) -> None:
    """List the known head sets, which loading chooses from: those of the package, and those that you fetched.

    Where a head set is asked for, HEADS is a JSON file, a name of this list, or owner/repo on Hugging Face.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = [*known_heads(), *_built_in()]
    if as_json:
        terminal.say_json([
            {"name": each.file.stem, "file": str(each.file), "from": origin(each.head_set, shipped=each.shipped),
             **_facts(each.head_set)} for each in found
        ])  # fmt: skip
        return
    for each in found:
        told = origin(each.head_set, shipped=each.shipped)
        weak = {"weak": ", weak", "prior": ", found on text alone"}.get(_worth(each.head_set).partition(":")[0], "")
        click.echo(f"{each.file.stem}: {_line(each.head_set)}; {told}{weak}")


@heads.command(short_help="Show a head set.")
@click.argument("head_set", metavar="HEADS")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON object, evidence included.")
def show(head_set: str, as_json: bool) -> None:
    """Show the head set HEADS: its model, how it pushes, its heads and where they come from."""
    found = named_heads(head_set)
    if as_json:
        terminal.say_json(to_dict(found))
        return
    listed = [f"{layer}.{head}" for layer, head in found.heads]
    more = f" and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
    lines = {
        "model": f"{found.model.name} ({found.model.architecture}, {found.model.layers} layers of {found.model.heads})",
        "also called": ", ".join(found.model.aliases),
        "push": f"{found.mode}, {found.amount}, queries {found.queries}",
        "heads": f"{len(listed)}, as layer.head: {', '.join(listed[:_MOST_SHOWN])}{more}",
        "ranked": f"{len(found.ranked)} in all" if len(found.ranked) > len(listed) else "",
        "readers": ", ".join(f"{layer}.{head}" for layer, head in found.readers[:_MOST_SHOWN]),
        "question": found.prompt or "",
        "worth": _worth(found),
        "source": found.source,
    }
    for name, text in lines.items():
        if text:
            click.echo(f"{name:<11}  {terminal.plain(text)}")


@heads.command("compare", short_help="Compare two head sets.")
@click.argument("first", metavar="HEADS")
@click.argument("second", metavar="HEADS")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def compare_(first: str, second: str, as_json: bool) -> None:
    """Compare two head sets of models of one shape: the heads that both have, and the overlap of their best k."""
    found = compare(named_heads(first), named_heads(second))
    if as_json:
        terminal.say_json(found.as_dict())
        return
    for line in _compared(found):
        click.echo(line)


@heads.command("check", short_help="Check a head set, and whether it fits a model.")
@click.argument("head_set", metavar="HEADS")
@click.option("--model", type=FILE_OR_NAME, metavar="MODEL", help="A model that it should fit.")
def check_(head_set: str, model: Given | None) -> None:
    """Check that HEADS is a valid head set, and whether it fits a model. Exit code 0: yes; 1: no."""
    found = named_heads(head_set)
    click.echo(f"A valid head set: {_line(found)}.")
    if model is not None:
        click.echo(fits(found, model))


@heads.command("get", short_help="Fetch the head sets of a repository.")
@click.argument("name", metavar="OWNER/REPO")
def get(name: str) -> None:
    """Fetch the head sets of a repository on Hugging Face. Loading a model of theirs takes them from then on."""
    wanted = _repository(name)
    for file, head_set in head_sets_of(wanted):
        kept = keep(wanted, file)
        click.echo(f"{kept.stem}: {_line(head_set)}", err=True)
        click.echo(terminal.plain(kept))


@heads.command("publish", short_help="Publish a head set.")
@click.argument("file", type=FILE)
@click.argument("name", metavar="OWNER/REPO")
@click.option("--private", is_flag=True, help="Make a new repository private.")
def publish_(file: Path, name: str, private: bool) -> None:
    """Publish the head set FILE in a repository of yours on Hugging Face, which is made if need be.

    A token with the right to write is needed: hf auth login, or HF_TOKEN. Others fetch it with lookhere heads get
    OWNER/REPO, or name it where a head set is asked for.
    """
    head_set = HeadSet.read(file)
    wanted = _repository(name)
    address = publish(
        file, wanted, private=private, card=_card(head_set, file, wanted), message=f"Heads of {head_set.model.name}"
    )
    click.echo(address)


def _built_in() -> list[KnownHeads]:
    own = builtin_head_set()
    return [] if own is None else [KnownHeads(own, package_folder("heads") / BUILTIN_HEADS, True)]


def _worth(head_set: HeadSet) -> str:
    """What discovery said of it: 'found: ...', 'weak: ...', 'prior: ...'."""
    worth = head_set.evidence.get("worth")
    if isinstance(worth, dict):
        return f"{worth.get('verdict', '')}: {worth.get('why', '')}"
    return str(head_set.evidence.get("verdict", ""))


def _repository(name: str) -> HubName:
    found = repository_of(name)
    if found is None:
        raise HeadSetError(f"{name!r} is no name of a repository on Hugging Face; expected owner/repo.")
    return found


def _line(head_set: HeadSet) -> str:
    model = head_set.model
    count = len(head_set.heads)
    return (
        f"{count} head{'s' * (count > 1)} of {terminal.plain(model.name)} ({model.architecture}, {model.layers} layers "
        f"of {model.heads}), {head_set.mode}, {head_set.amount}, {head_set.queries}"
    )


def _facts(head_set: HeadSet) -> dict[str, object]:
    return {
        "model": head_set.model.as_dict(), "heads": len(head_set.heads), "mode": head_set.mode,
        "strength": head_set.strength, "queries": head_set.queries, "source": head_set.source,
    }  # fmt: skip


def _compared(found: Overlap) -> list[str]:
    lines = [
        f"first: {_line(found.first)}",
        f"second: {_line(found.second)}",
        f"in both: {found.both} of {len(found.first.heads)} and {len(found.second.heads)} heads",
    ]
    if found.by_k:
        lines.append("overlap of the best k: " + ", ".join(f"{k}: {share:.0%}" for k, share in found.by_k.items()))
    lines.append(f"by chance: {found.chance:.0%} of the {min(len(found.first.heads), len(found.second.heads))} best")
    return lines


def _card(head_set: HeadSet, file: Path, name: HubName) -> str:
    """A page for the repository, in the form that Hugging Face reads."""
    base = f"base_model: {head_set.model.name}\n" if repository_of(head_set.model.name) else ""
    return (
        f"---\n{base}tags:\n- lookhere\n- attention-heads\n---\n\n# Attention heads of {head_set.model.name}\n\n"
        f"{_line(head_set)}.\n\n{head_set.source}\n\nFile: `{file.name}`, for lookhere:\n\n```\n"
        f"lookhere heads get {name.repository}\n```\n"
    )
