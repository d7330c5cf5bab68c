"""``lookhere doctor``: whether a model can be loaded, and what to do next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from ..loading.builtin import package_folder
from ..loading.doctor import Projector, Report, examine
from ..loading.pair import Given
from .options.model import FILE_OR_NAME, mmproj_option


@click.command(short_help="Say whether a model can be loaded, and what to do next.")
@click.argument("model", type=FILE_OR_NAME, required=False)
@mmproj_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(model: Given | None, mmproj: Given | None, as_json: bool) -> None:
    """Say what MODEL is, whether it sees and can be steered, which memory it needs, and what to do next.

    MODEL is a GGUF file, a folder with a model and its mmproj, or a name; without one, the built-in model. Only headers
    are read, and nothing is fetched. Exit code 0: it can be loaded; 1: it cannot.
    """
    report = examine(model, mmproj=mmproj)
    if as_json:
        click.echo(json.dumps({**asdict(report), "vision": report.vision, "loads": report.loads}, ensure_ascii=False))
    else:
        for line in _lines(report):
            click.echo("".join(char if char.isprintable() else "?" for char in line))
    if not report.loads:
        click.get_current_context().exit(1)


def _lines(report: Report) -> Iterator[str]:
    yield "It can be loaded." if report.loads else "It cannot be loaded." if report.here else "It is not here yet."
    for problem in report.problems:
        yield f"- {' '.join(problem.split())}"
    facts = dict(_facts(report))
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        yield f"  {name:<{width}}  {value}"
    if report.steps:
        yield "What to do next:"
        for step in report.steps:
            yield f"- {step}"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    model, projector, memory, template = report.model, report.projector, report.memory, report.template
    if model is None:
        return
    yield "model", f"{model.name} ({model.architecture}, {model.layers} layers of {model.heads} heads)"
    yield "file", model.files[0] + (f" and {len(model.files) - 1} more" if len(model.files) > 1 else "")
    quantization = f", {model.quantization}" if model.quantization else ""
    yield "size", f"{model.size / 1e6:,.1f} MB, {model.parameters / 1e6:,.1f} million parameters{quantization}"
    yield "context", f"{model.context:,} tokens in training"
    if projector is None:
        yield "projector", "none"
    else:
        yield "projector", f"{projector.file} ({_whence(projector)})"
        yield "family", projector.family or f"not supported (projector of the kind {projector.kind or '?'})"
        yield "fits", f"no: {projector.why}" if projector.why else "yes"
    yield "vision", "yes" if report.vision else "no"
    by = {"alias": " (by another name)", "file": " (by the file)", "base": " (its base)"}.get(report.head_set_by, "")
    yield "head set", f"yes, found on {report.head_set}{by}" if report.head_set else "none known"
    if template is not None:
        whose = "its own" if template.own else "none in the file; ChatML is used"
        yield "chat template", f"{whose}; {template.why or 'usable'}"
    if memory is not None:
        free = "" if memory.free is None else f"; {_size(memory.free)} are free"
        yield "memory", f"{_size(memory.needed)} for a conversation of 1,000 tokens{free}"
        yield (
            "",
            (
                f"weights {_size(memory.weights)}, 1,000 tokens of context {_size(memory.context)}, computing about "
                f"{_size(memory.compute)} (a guess)"
            ),
        )


def _whence(projector: Projector) -> str:
    if Path(projector.file).parent == package_folder("models"):
        return "comes with lookhere"
    return "given" if projector.given else "found beside the model"


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
