"""``lookhere discover``: the gaze heads of a model, written as a head set."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ..lab.ranking import FLOOR, Kind, Place
from ..loading.load import load
from .kept import keep
from .options.model import FILE, gpu_layers_option, mmproj_option, threads_option
from .outputs import check_outputs, force_option


@click.command(short_help="Find the heads that steer a model.")
@click.argument("model", type=FILE, required=False)
@mmproj_option
@click.option(
    "-o", "--output", type=FILE, metavar="JSON", default=Path("heads.json"), show_default=True,
    help="Where to write the head set.",
)  # fmt: skip
@click.option(
    "--comics", type=FILE, metavar="FOLDER",
    help="Comics of your own: comicN/p1.png to p6.png, optionally captions.txt  [default: generated strips]",
)  # fmt: skip
@click.option("--scenes", is_flag=True, help="Generated scenes with objects instead of strips.")
@click.option(
    "--coco", type=FILE, metavar="JSON",
    help="Labelled boxes in COCO's format instead of strips: images with two or more objects that their labels name.",
)  # fmt: skip
@click.option("--images", type=FILE, metavar="FOLDER", help="Their images  [default: beside the JSON file]")
@click.option(
    "--strips", type=click.IntRange(2), default=24, show_default=True,
    help="Strips, comics or images to find heads on; a question for each panel or object.",
)  # fmt: skip
@click.option(
    "--calibration", type=click.IntRange(0), default=12, show_default=True,
    help="Others, to choose the number of heads, strength, mode and queries on; 0 to leave that.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 999), default=0, show_default=True, help="Which strips are generated.")
@click.option("--prompt", help="The question that the head set is for  [default: the paper's]")
@click.option(
    "--score", type=click.Choice(get_args(Kind)), default="guarded", show_default=True,
    help="Raw mass on the panel (the paper's), its share of the mass on all panels, or that with a floor.",
)  # fmt: skip
@click.option(
    "--floor", type=click.FloatRange(0, 1, max_open=True), default=FLOOR, show_default=True,
    help="Least mass of the guarded score, which also decides whether there are gaze heads.",
)  # fmt: skip
@click.option(
    "--at", "place", type=click.Choice(get_args(Place)),
    help="Score the final prompt token (the paper's) or the answer's tokens  [default: what steers better]",
)  # fmt: skip
@click.option("--from-ranking", type=FILE, metavar="JSON", help="Only choose among the heads of a published ranking.")
@click.option("--save-ranking", type=FILE, metavar="JSON", help="Write every head with its scores, too.")
@click.option("--panel-size", type=click.IntRange(16, 1024), help="Pixels of a generated panel  [default: by model]")
@click.option(
    "--readers", type=click.IntRange(0), default=12, show_default=True,
    help="Strips, comics or images to find the heads on that tell where the model looked; 0 leaves that.",
)  # fmt: skip
@threads_option
@gpu_layers_option
@force_option
def discover(
    model: Path | None,
    mmproj: Path | None,
    output: Path,
    comics: Path | None,
    scenes: bool,
    coco: Path | None,
    images: Path | None,
    strips: int,
    calibration: int,
    seed: int,
    prompt: str | None,
    score: Kind,
    floor: float,
    place: Place | None,
    from_ranking: Path | None,
    save_ranking: Path | None,
    panel_size: int | None,
    readers: int,
    threads: int | None,
    gpu_layers: int,
    force: bool,
) -> None:
    """Find the gaze heads of MODEL: those that look at the panel that a question is about.

    MODEL is a GGUF file; without one, the built-in model. What is done is kept beside the output until the end: after a
    kill, the same command goes on.

    \b
      lookhere discover my-finetune.gguf --mmproj mmproj.gguf -o my-heads.json
      lookhere describe strip.png --model my-finetune.gguf --heads my-heads.json --panel 3/6
      lookhere discover my-finetune.gguf --coco val2017.json --images val2017 -o box-heads.json
    """
    from ..checks import text as checked_text
    from ..lab.discovery import Options
    from ..lab.discovery import discover as find
    from .progress import Bar

    if prompt is not None:
        checked_text("prompt", prompt)
    if images is not None and coco is None:
        raise click.UsageError("--images needs --coco JSON: the labels of the images.")
    if sum(map(bool, (comics, scenes, coco))) > 1:
        raise click.UsageError("Give one of --comics, --scenes and --coco, or none of them for generated strips.")
    options = Options(
        comics, strips, calibration, seed, score, place, floor, from_ranking, prompt, panel_size, scenes, coco, images,
        readers,
    )  # fmt: skip
    kept = output.with_name(f".{output.name}.progress")
    check_outputs(
        {"--output": output, "--save-ranking": save_ranking}, (model, mmproj, comics, coco, images, from_ranking),
        replace=force or kept.is_file(),
    )  # fmt: skip
    keep(kept, "The same command goes on from there.")
    with load(model, mmproj=mmproj, threads=threads, gpu_layers=gpu_layers) as loaded, Bar() as bar:
        found = find(loaded, options, kept=kept, progress=bar)
        if save_ranking is not None:
            found.ranking.write(save_ranking)
        if found.none:
            bar.note("No head set was written: steering these heads would be steering at random.")
            click.get_current_context().exit(1)
        found.heads.write(output)
        heads = found.heads
        chosen = f", {found.choice.measured.accuracy:.1%} of steered answers are the target's" if found.choice else ""
        bar.note(
            f"{output}: {len(heads.heads)} of {len(loaded.facts.every_head)} heads, {heads.amount}, "
            f"{heads.mode}, {heads.queries}{chosen}."
        )
