"""``lookhere evaluate``: the figures of a model by one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..atomic import write_text
from ..checks import short
from ..errors import OptionError
from ..lab.experiments import PROTOCOLS, Protocol
from ..loading.load import load
from ..loading.pair import Given
from .kept import keep
from .options.judge import judges_of
from .options.model import FILE, FILE_OR_NAME, gpu_layers_option, heads_option, mmproj_option, threads_option
from .outputs import check_outputs, force_option


class Html(click.Path):
    """A path that ends as the page that it will be."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in (".html", ".htm"):
            self.fail(f"{short(str(path))}: a report is a web page; expected a name that ends in .html.", param, ctx)
        return path


@click.command(short_help="Measure how well a model is steered.")
@click.argument("model", type=FILE_OR_NAME, required=False)
@mmproj_option
@heads_option
@click.option(
    "--strips", type=click.IntRange(1), default=24, show_default=True,
    help="Fresh strips and scenes, of combinations that the built-in model was never trained on.",
)  # fmt: skip
@click.option(
    "--seen", type=click.IntRange(0), default=6, show_default=True,
    help="Strips of combinations that it was trained on.",
)  # fmt: skip
@click.option(
    "--controls", type=click.IntRange(0), default=6, show_default=True,
    help="Strips for random heads (10 draws), all heads, and baselines: crop, dim, draw a box, name the place.",
)  # fmt: skip
@click.option("--all-controls", is_flag=True, help="Controls for static, dynamic and boxes, too.")
@click.option(
    "--sweeps", type=click.IntRange(0), default=0, show_default=True,
    help="Strips for sweeps of queries, strength, mode and number of heads.",
)  # fmt: skip
@click.option(
    "--modes", type=click.IntRange(0), default=0, show_default=True,
    help="Strips for a comparison of the modes: bias by strength, share of the target, within the image.",
)  # fmt: skip
@click.option(
    "--protocol", "protocols", type=click.Choice(PROTOCOLS), multiple=True,
    help="Ask only this; may be given several times  [default: all]",
)  # fmt: skip
@click.option("--coco", type=FILE, metavar="JSON", help="Labelled boxes in COCO's format, asked about too.")
@click.option("--images", type=FILE, metavar="FOLDER", help="Their images  [default: beside the JSON file]")
@click.option(
    "--comics", type=FILE, metavar="FOLDER",
    help="Comics of your own, comicN/p1..p6 with captions.txt, asked about too. Not those that heads were found on.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 999), default=0, show_default=True, help="Which strips are generated.")
@click.option(
    "--judge", "judges", multiple=True, metavar="NAME|URL",
    help="exact (word for word), overlap (rare words), choice (the model's own most probable caption), or an "
    "OpenAI-compatible address; the first one given counts, others are compared with it  [default: by model]",
)  # fmt: skip
@click.option("--judge-model", metavar="NAME", help="The model to ask for at --judge URL.")
@click.option("--judge-key-env", metavar="NAME", help="The environment variable that holds the key for --judge URL.")
@click.option("--panel-size", type=click.IntRange(16, 1024), help="Pixels of a generated panel  [default: by model]")
@click.option("--report", type=Html(), metavar="HTML", help="Write one page with all figures, maps and examples.")
@click.option("--json", "json_file", type=FILE, metavar="FILE", help="Write all figures and outcomes for machines.")
@click.option(
    "--csv", "csv_file", type=FILE, metavar="PATH",
    help="Write the figures as a table. A name that does not end in .csv becomes a folder, with all answers as well.",
)  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on where a run with the same --json or --report was killed.")
@threads_option
@gpu_layers_option
@force_option
def evaluate(
    model: Given | None,
    mmproj: Given | None,
    heads: Given | None,
    strips: int,
    seen: int,
    controls: int,
    all_controls: bool,
    sweeps: int,
    modes: int,
    protocols: tuple[Protocol, ...],
    coco: Path | None,
    images: Path | None,
    comics: Path | None,
    seed: int,
    judges: tuple[str, ...],
    judge_model: str | None,
    judge_key_env: str | None,
    panel_size: int | None,
    report: Path | None,
    json_file: Path | None,
    csv_file: Path | None,
    resume: bool,
    threads: int | None,
    gpu_layers: int,
    force: bool,
) -> None:
    """Measure MODEL: unsteered questions, steered ones, moves, boxes, and controls, as Markdown on stdout.

    MODEL is a GGUF file or a name; without one, the built-in model. Strips are generated; answers are greedy.

    \b
      lookhere evaluate --report report.html
      lookhere evaluate my-finetune.gguf --heads my-heads.json --strips 50 --json figures.json
    """
    from ..lab.evaluation import evaluate as measure
    from ..lab.options import Options
    from ..lab.page import page
    from ..lab.report import markdown
    from ..lab.tables import write_csv
    from .progress import Bar

    kept_beside = json_file or report
    if resume and kept_beside is None:
        raise click.UsageError("--resume needs --json FILE or --report FILE: the progress is kept beside that file.")
    if images is not None and coco is None:
        raise click.UsageError("--images needs --coco JSON: the labels of the images.")
    kept = kept_beside and kept_beside.with_name(f".{kept_beside.name}.progress")
    check_outputs(
        {"--json": json_file, "--report": report, **_tables(csv_file)}, (model, mmproj, heads, coco, images, comics),
        replace=force or (resume and kept is not None and kept.is_file()),
    )  # fmt: skip
    named = judges_of(judges, judge_model, judge_key_env)
    keep(
        kept,
        "The same command with --resume goes on from there."
        if kept
        else "Nothing is kept: with --json FILE or --report FILE a run can be resumed.",
    )
    options = Options(
        strips=strips, seen=seen, controls=controls, sweeps=sweeps, modes=modes, seed=seed,
        protocols=protocols or PROTOCOLS, thorough=all_controls, panel_size=panel_size, coco=coco, images=images,
        comics=comics,
    )  # fmt: skip
    with load(model, mmproj=mmproj, heads=heads, threads=threads, gpu_layers=gpu_layers) as loaded, Bar() as bar:
        figures = measure(loaded, options, judges=named, kept=kept, resume=resume, progress=bar)
    click.echo(markdown(figures), nl=False)
    try:
        if json_file is not None:
            write_text(json_file, json.dumps(figures.as_dict(), indent=1) + "\n")
        if report is not None:
            write_text(report, page(figures))
        if csv_file is not None:
            write_csv(csv_file, figures)
    except OSError as error:
        raise OptionError(f"The figures cannot be written: {error}.") from error
    if kept is not None:
        kept.unlink(missing_ok=True)


def _tables(path: Path | None) -> dict[str, Path | None]:
    """The files of --csv by what to call them."""
    if path is None or path.suffix.lower() == ".csv" or not path.is_dir():
        return {"--csv": path}
    return {f"--csv, {name}": path / name for name in ("figures.csv", "answers.csv")}
