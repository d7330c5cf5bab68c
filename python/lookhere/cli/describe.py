"""``lookhere describe``: what is in an image, or in a part of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..errors import OptionError
from ..heads import Mode, Queries
from ..model import load
from ..region import Region, placed
from ..steering import Steering
from .model_options import FILE, model_options
from .region_options import region_options

if TYPE_CHECKING:
    from ..scene import Scene
    from ..stream import Answer


@click.command(short_help="Describe an image, or a part of it.")
@click.argument("image")
@region_options
@click.option("--prompt", help="The question  [default: one that suits the model]")
@model_options
@click.option("--strength", type=float, help="How strongly to look, in nats  [default: the head set's]")
@click.option("--mode", type=click.Choice(get_args(Mode)), help="What the bias does  [default: the head set's]")
@click.option("--queries", type=click.Choice(get_args(Queries)), help="Which queries obey  [default: the head set's]")
@click.option("--max-tokens", type=click.IntRange(1), default=100, show_default=True, help="Length of the answer.")
@click.option("--temperature", type=click.FloatRange(0), default=0.0, show_default=True, help="0 is greedy.")
@click.option("--top-k", type=click.IntRange(0), default=0, show_default=True, help="0 is off.")
@click.option("--top-p", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="1 is off.")
@click.option("--min-p", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="0 is off.")
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="For a temperature above 0."
)
@click.option("--stop", multiple=True, help="A text that ends the answer; may be given several times.")
@click.option("--heatmap", type=FILE, metavar="PNG", help="Save a picture of where the heads looked.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object: text, finish, gaze maps and what they mean."
)
def describe(
    image: str,
    boxes: tuple[Region, ...],
    points: tuple[Region, ...],
    panels: tuple[Region, ...],
    prompt: str | None,
    model: Path | None,
    mmproj: Path | None,
    heads: Path | None,
    context: int | None,
    threads: int | None,
    strength: float | None,
    mode: Mode | None,
    queries: Queries | None,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    seed: int,
    stop: tuple[str, ...],
    heatmap: Path | None,
    as_json: bool,
) -> None:
    """Describe IMAGE, or the part of it that a box, a point or a panel names.

    IMAGE is a file, an http(s) address, or - for standard input. All numbers are pixels of the upright image.

    \b
      lookhere describe street.jpg --box 40,60,220,300
      lookhere describe strip.png --panel 3/6 --heatmap where.png
      lookhere describe photo.jpg --model qwen3-vl.gguf --heads qwen3-vl.json --point 120,90
    """
    regions = (*boxes, *points, *panels)
    if not regions and (strength is not None or mode or queries):
        raise click.UsageError("--strength, --mode and --queries need a region: --box, --point or --panel.")
    if heatmap is not None:
        _check_suffix(heatmap)
    source = sys.stdin.buffer.read() if image == "-" else image
    with load(model, mmproj=mmproj, heads=heads, context=context, threads=threads) as loaded:
        scene = loaded.look(source)
        at = scene.steering(regions or None)
        if at is not None:
            at = Steering(at.heads, at.regions, strength=strength, mode=mode, queries=queries)
        answer = scene.describe(
            prompt,
            at=at,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            seed=seed,
            stop=stop,
            gaze=as_json or heatmap is not None,
        )
        if heatmap is not None:
            _save_heat_map(heatmap, scene, answer)
        click.echo(json.dumps(_as_json(scene, answer), ensure_ascii=False) if as_json else answer.text)
    if answer.finish == "length" and sys.stderr.isatty():
        click.echo(f"Cut at {max_tokens} tokens; --max-tokens allows more.", err=True)


def _check_suffix(path: Path) -> None:
    """Before the work, not after it."""
    from PIL import Image as pillow

    if path.suffix.lower() not in pillow.registered_extensions():
        raise click.BadParameter(f"{str(path)!r}: expected a name that ends in .png or .jpg.", param_hint="--heatmap")


def _save_heat_map(path: Path, scene: Scene, answer: Answer) -> None:
    from ..heatmap import heat_map

    if not answer.gaze:
        raise OptionError(f"No heat map: no head set is known for {scene.model.name!r}. Give one with --heads.")
    regions = placed(answer.steering.regions, scene.width, scene.height) if answer.steering else ()
    try:
        heat_map(scene.image, answer.gaze, scene.grids, regions).save(path)
    except (OSError, ValueError) as error:
        raise OptionError(f"The heat map cannot be saved as {str(path)!r}: {error}.") from error


def _as_json(scene: Scene, answer: Answer) -> dict[str, Any]:
    grids = [
        {"rows": grid.rows, "cols": grid.cols, "rectangle": [grid.x0, grid.y0, grid.x1, grid.y1]}
        for grid in scene.grids
    ]
    steering = answer.steering
    return {
        "text": answer.text,
        "finish": answer.finish,
        "prompt": answer.prompt,
        "model": scene.model.name,
        "image": {"width": scene.width, "height": scene.height},
        "tokens": {"prompt": answer.prompt_tokens, "answer": len(answer.steps)},
        "steering": steering
        and {
            "fingerprint": steering.fingerprint,
            "regions": [{"kind": type(region).__name__.lower(), **vars(region)} for region in steering.regions],
            "strength": steering.strength,
            "mode": steering.mode,
            "queries": steering.queries,
            "heads": len(steering.heads.heads),
        },
        "grids": grids,
        "gaze": [[[round(float(value), 6) for value in row] for row in gaze] for gaze in answer.gaze],
    }
