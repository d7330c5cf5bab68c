"""``lookhere info``: what is installed, and what a model is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import lookhere

from ..checks import label
from ..engine import compiled
from ..loading.builtin import knows_drawings_alone
from ..loading.gguf import read_header
from ..loading.load import load
from ..loading.pair import Given
from ..loading.published import terms_of
from ..model import Model
from ..steering.head_set import to_dict
from . import terminal
from .options.model import FILE_OR_NAME, gpu_layers_option, heads_option, mmproj_option

if TYPE_CHECKING:
    from .. import _engine

LONGEST = 160
"""Characters of what a file says of itself."""


@click.command(short_help="Show the build and what a model is.")
@click.argument("model", type=FILE_OR_NAME, required=False)
@mmproj_option
@heads_option
@gpu_layers_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def info(model: Given | None, mmproj: Given | None, heads: Given | None, gpu_layers: int, as_json: bool) -> None:
    """Show the build, and what MODEL is: its shape, how its attention is computed, and the heads that can be steered.

    MODEL is a GGUF file, a folder or a name; without one, the built-in model.
    """
    with load(model, mmproj=mmproj, heads=heads, gpu_layers=gpu_layers) as loaded:
        if as_json:
            terminal.say_json(_as_json(loaded, built_in=model is None))
            return
        _section("lookhere", {"version": lookhere.__version__, **_build_facts(compiled().build_info())})
        _section("model", _model_facts(loaded, built_in=model is None))
        _section("head set", _head_facts(loaded))


def _section(title: str, facts: Mapping[str, object]) -> None:
    click.echo(title)
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"  {name:<{width}}  {value}")


def _build_facts(build: Mapping[str, str]) -> dict[str, str]:
    """The build, its "A = 1 | B = 0" list of CPU features as those that are in use."""
    features = re.findall(r"(\w+) = 1", build.get("cpu", ""))
    return {**build, **({"cpu": ", ".join(features)} if features else {})}


def _as_json(model: Model, *, built_in: bool) -> dict[str, Any]:
    """The same for machines: numbers instead of sentences."""
    native, heads = model.native, model.head_set
    return {
        "lookhere": {"version": lookhere.__version__, **compiled().build_info()},
        "model": {
            "name": model.name,
            "built_in": built_in,
            "file": model.path,
            "projector_file": model.projector_path if model.sees else None,
            "architecture": model.architecture,
            "projector": model.projector.kind if model.sees else None,
            "bytes": native.size_bytes,
            "parameters": native.parameters,
            "layers": model.layers,
            "heads": model.heads_per_layer,
            "heads_kv": native.heads_kv,
            "attention_layers": native.attention_layers,
            "state_bytes": native.state_bytes,
            "context": native.context_train,
            "question": model.prompt,
            **_terms(model, built_in=built_in),
        },
        "head_set": None if heads is None else {k: v for k, v in to_dict(heads).items() if k != "evidence"},
    }


def _model_facts(model: Model, *, built_in: bool) -> dict[str, object]:
    native = model.native
    return {
        "name": model.name + (" (built in)" if built_in else ""),
        "file": model.path,
        "architecture": model.architecture,
        "projector": _projector(model),
        **{key: value for key, value in _terms(model, built_in=built_in).items() if value},
        "size": f"{native.size_bytes / 1e6:.1f} MB, {native.parameters / 1e6:,.1f} million parameters",
        "layers": _layers(native),
        "heads per layer": f"{model.heads_per_layer} (key and value: {native.heads_kv})",
        "context": f"{native.context_train:,} tokens in training",
        **_attention(model),
        "question": model.prompt,
    }


def _terms(model: Model, *, built_in: bool) -> dict[str, str]:
    """Under which licence the language model is, and where it comes from; '' where that is not known."""
    if built_in:
        return {"licence": "MIT", "origin": "lookhere"}
    path = Path(model.path)
    licence, origin = terms_of(read_header(path, brief=True), path)
    return {"licence": label(licence, LONGEST), "origin": label(origin, LONGEST)}


def _projector(model: Model) -> str:
    if not model.sees:
        return "none: it looks at texts alone"
    own = knows_drawings_alone(read_header(Path(model.projector_path), brief=True))
    return model.projector.kind + (" (lookhere's own, MIT)" if own else "")


def _layers(native: _engine.Model) -> str:
    if not native.recurrent:
        return str(native.layers)
    layers = ", ".join(map(str, native.attention_layers))
    return f"{native.layers}, with attention {layers}; the others keep {native.state_bytes / 2**20:.1f} MiB per prompt"


def _attention(model: Model) -> dict[str, str]:
    """How this model's device computes prompts and tokens, and what steering adds."""
    session = compiled().Session(model.native, context=256, threads=1)
    grouped = session.grouped
    session.close()
    if grouped:
        return {
            "prompts": "llama.cpp's flash attention on the CPU, steered in the same pass",
            "tokens": "keys and values are read once per group of heads, steered in the same pass",
        }
    return dict.fromkeys(("prompts", "tokens"), "llama.cpp's own attention, steered layers in two passes")


def _head_facts(model: Model) -> dict[str, object]:
    heads = model.head_set
    if heads is None:
        return {"none": "known for this model; give one with --heads to steer it"}
    return {
        "found on": heads.model.name,
        "heads": f"{len(heads.heads)} of {len(model.facts.every_head)}, in layers "
        + ", ".join(str(layer) for layer in heads.layers),
        "strength": heads.amount,
        "mode": heads.mode,
        "queries": heads.queries,
        **({"source": heads.source} if heads.source else {}),
    }
