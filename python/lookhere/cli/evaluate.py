"""``lookhere evaluate``: the figures of a model by one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import click

from ..atomic import write_text
from ..errors import OptionError
from ..judging import JudgeName
from ..model import load
from .model_options import FILE


@click.command(short_help="Measure how well a model is steered.")
@click.argument("model", type=FILE, required=False)
@click.option("--mmproj", type=FILE, metavar="GGUF", help="The model's projector  [default: mmproj*.gguf beside it]")
@click.option("--heads", type=FILE, metavar="JSON", help="The head set to steer with  [default: the one that is known]")
@click.option(
    "--strips", type=click.IntRange(1), default=200, show_default=True,
    help="Fresh strips and scenes, of combinations that the built-in model was never trained on.",
)  # fmt: skip
@click.option(
    "--seen",
    type=click.IntRange(0),
    default=50,
    show_default=True,
    help="Strips of combinations that it was trained on.",
)
@click.option(
    "--controls", type=click.IntRange(0), default=20, show_default=True,
    help="Strips for random heads (10 draws) and all heads.",
)  # fmt: skip
@click.option(
    "--sweeps", type=click.IntRange(0), default=0, show_default=True,
    help="Strips for sweeps of queries, strength, mode and number of heads.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 999), default=0, show_default=True, help="Which strips are generated.")
@click.option(
    "--judge", type=click.Choice(get_args(JudgeName)), default="exact", show_default=True,
    help="Word for word, or the panel whose caption shares the most rare words.",
)  # fmt: skip
@click.option("--panel-size", type=click.IntRange(16, 1024), help="Pixels of a generated panel  [default: by model]")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write all figures and outcomes for machines.")
@click.option("--resume", is_flag=True, help="Go on where a run with the same --json was killed.")
@click.option("--threads", type=click.IntRange(1, 512), help="Threads to compute with  [default: all cores]")
def evaluate(
    model: Path | None,
    mmproj: Path | None,
    heads: Path | None,
    strips: int,
    seen: int,
    controls: int,
    sweeps: int,
    seed: int,
    judge: JudgeName,
    panel_size: int | None,
    json_file: Path | None,
    resume: bool,
    threads: int | None,
) -> None:
    """Measure MODEL: unsteered questions, steered ones, moves, boxes, and controls, as Markdown on stdout.

    MODEL is a GGUF file; without one, the built-in model. All strips are generated; answers are greedy.

    \b
      lookhere evaluate
      lookhere evaluate my-finetune.gguf --heads my-heads.json --strips 50 --json figures.json
    """
    from ..evaluation import Options
    from ..evaluation import evaluate as measure
    from ..report import markdown
    from .progress import Bar

    if resume and json_file is None:
        raise click.UsageError("--resume needs --json FILE: the progress is kept beside that file.")
    if json_file is not None and not json_file.parent.is_dir():
        raise OptionError(f"{str(json_file)!r} cannot be written: there is no folder {str(json_file.parent)!r}.")
    kept = json_file and json_file.with_name(f".{json_file.name}.progress")
    options = Options(strips, seen, controls, sweeps, seed, judge, panel_size)
    with load(model, mmproj=mmproj, heads=heads, threads=threads) as loaded, Bar() as bar:
        figures = measure(loaded, options, kept=kept, resume=resume, progress=bar)
    click.echo(markdown(figures), nl=False)
    if json_file is not None:
        try:
            write_text(json_file, json.dumps(figures.as_dict(), indent=1) + "\n")
        except OSError as error:
            raise OptionError(f"The figures cannot be written to {str(json_file)!r}: {error}.") from error
        if kept is not None:
            kept.unlink(missing_ok=True)
