"""``lookhere batch``: many answers, about whole folders, kept line by line."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..batch.failure import Failure, Failures
from ..batch.jobs import Boxes, JobFile, Jobs, Listed
from ..batch.listing import boxes_in, grid_of, images_in
from ..batch.plan import Plan
from ..batch.row import beside, is_address
from ..batch.work import Batch, Files, Summary, needs
from ..checks import file, short
from ..errors import UnknownImageWarning
from ..loading.load import load
from ..model import Model
from ..regions.region import Region
from ..wire.region import region_json
from .asked import UNKNOWN_SOME
from .kept import keep
from .options.model import FILE, model_options
from .options.region import region_options
from .options.sampling import sampling_options
from .options.schedule import Grid
from .options.sections import Sectioned
from .options.steering import steering_options
from .outputs import check_outputs, force_option

if TYPE_CHECKING:
    from .progress import Bar

FAILED = 3
"""The exit code where some rows failed and all others are answered."""
TOLD = 10
"""Failed rows that stderr names; the others are only in the file."""
LONGEST = 400
"""Characters of what it says of one."""
ENDINGS = (".jsonl", ".ndjson", ".parquet")
JOBS = (".jsonl", ".ndjson", ".json")


class _Source(click.Path):
    """A path, or an address as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        text = os.fsdecode(super().convert(value, param, ctx))
        return text if is_address(text) else Path(text)


class _Answers(click.Path):
    """A file of answers, told by its name."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in ENDINGS:
            self.fail(f"{short(str(path))}: expected a name that ends in {', '.join(ENDINGS)}.", param, ctx)
        return path


@click.command(cls=Sectioned, short_help="Answer many jobs: a file of them, or whole folders.")
@click.argument("sources", metavar="[JOBS|IMAGE|FOLDER]...", nargs=-1, type=_Source())
@click.option(
    "-o", "--output", type=_Answers(), required=True, metavar="FILE",
    help="Where the answers go: a name in .jsonl, or in .parquet for a table.",
)  # fmt: skip
@click.option("--images", type=FILE, metavar="FOLDER", help="Where images lie  [default: beside the jobs or boxes]")
@click.option("--coco", type=FILE, metavar="JSON", help="Look at each labelled box of a file in COCO's format.")
@click.option("--grid", type=Grid(), help="Look at each panel of such a grid, for instance 2x3.")
@region_options("Each region is a job of its own.")
@click.option("--prompt", "prompts", metavar="TEXT", multiple=True, help="A question; several are asked one by one.")
@click.option("--zoom", is_flag=True, help="Enlarge a window around small regions, and look into that.")
@click.option("--full", is_flag=True, help="Keep all of each answer: words, gaze maps, boxes of where it looked.")
@model_options
@steering_options
@sampling_options("100")
@force_option
def batch(
    sources: tuple[Path | str, ...],
    output: Path,
    images: Path | None,
    coco: Path | None,
    grid: tuple[int, int] | None,
    regions: tuple[Region, ...],
    prompts: tuple[str, ...],
    zoom: bool,
    full: bool,
    loading: dict[str, Any],
    force: bool,
    **options: Any,
) -> None:
    """Answer many jobs: the lines of a file, every image of a folder, or every box of a file in COCO's format.

    A line of JOBS is an object: id, image, and if wanted regions (looked at together), prompt and options. Of images,
    each region and each prompt is a job. The same command goes on where it was stopped, by Ctrl-C or kill -9.

    \b
      lookhere batch jobs.jsonl -o answers.jsonl
      lookhere batch photos/ --grid 2x3 --model qwen3-vl-2b -o answers.parquet
      lookhere batch --coco boxes.json --images val2017 --prompt "What is this?" -o answers.jsonl

    Exit code 0: all are answered; 3: some failed, FILE.errors.jsonl says why, and the same command tries them again.
    """
    options = {name: value for name, value in options.items() if not _is_default(name)}
    if "stop" in options:
        options["stop"] = list(options["stop"])
    if zoom:
        options["zoom"] = True
    needs(output)
    files = Files(output)
    check_outputs(
        {"-o": output, "-o, with what failed": files.errors},
        (
            *(each for each in sources if not os.path.isdir(each)),
            *(coco, loading["model"], loading["mmproj"], loading["heads"]),
        ),
        replace=True,
    )
    with _jobs(sources, images, coco, grid, regions, prompts) as (jobs, folder, prompt):
        plan = Plan(jobs, options)
        keep(files.lines, "The same command goes on from there.")
        if len(plan):
            with load(**loading) as model:
                told = _run(Batch(plan, files, beside(folder), prompt, full, force), model)
        else:
            told = _none(plan, files)
    click.echo(_said(told, files), err=True)
    if told.failed:
        click.get_current_context().exit(FAILED)


def _run(work: Batch, model: Model) -> Summary:
    from .progress import Bar

    count = 0
    with Bar() as bar:

        def begun(before: int, left: int) -> None:
            if before:
                bar.note(f"{before:,} of {before + left:,} are answered already.")
            bar.plan("answer", left, 1.0)
            bar.now("answers")

        def failed(failure: Failure) -> None:
            nonlocal count
            count += 1
            if count <= TOLD:
                bar.note(_line(failure.message))
            elif count == TOLD + 1:
                bar.note(f"Whatever else fails is named in {file(work.files.errors)} alone.")

        with _unknown_told(bar):
            return work.run(model, begun=begun, step=lambda: bar.step("answer"), failed=failed)


@contextmanager
def _unknown_told(bar: Bar) -> Iterator[None]:
    """Says once that a model of ours does not know an image. It may be looked at in any thread."""
    said = False
    with warnings.catch_warnings():
        warnings.simplefilter("always", UnknownImageWarning)
        show = warnings.showwarning

        def told(message: Warning | str, category: type[Warning], *args: Any, **options: Any) -> None:
            nonlocal said
            if not issubclass(category, UnknownImageWarning):
                show(message, category, *args, **options)
            elif not said:
                said = True
                bar.note(UNKNOWN_SOME)

        warnings.showwarning = told
        yield


def _none(plan: Plan, files: Files) -> Summary:
    """Where no row can be asked."""
    failures = Failures(files.errors)
    for failure in plan.bad:
        failures.add(failure)
        if failures.count <= TOLD:
            click.echo(_line(failure.message), err=True)
    failures.close()
    return Summary(len(plan.jobs), 0, 0, failures.count)


def _said(told: Summary, files: Files) -> str:
    before = f" ({told.before:,} of them before)" if told.before else ""
    failed = f" {told.failed:,} failed: {file(files.errors)} says why." if told.failed else ""
    return f"{told.before + told.answered:,} of {told.rows:,} answered{before}.{failed}"


@contextmanager
def _jobs(
    sources: tuple[Path | str, ...],
    images: Path | None,
    coco: Path | None,
    grid: tuple[int, int] | None,
    regions: tuple[Region, ...],
    prompts: tuple[str, ...],
) -> Iterator[tuple[Jobs, str, str | None]]:
    """-> the jobs, the folder that their images lie in, and the question of rows without one."""
    if Path("-") in sources:
        raise click.UsageError("Jobs are read more than once, which standard input cannot be; give a file.")
    if coco is not None:
        if sources or grid or regions:
            raise click.UsageError(
                "--coco names the images and their boxes; leave out JOBS, IMAGE, --grid and regions."
            )
        yield (
            Boxes(f"The boxes of {file(coco)}", boxes_in(coco), [*prompts] or [None]),
            _folder(images or coco.parent),
            None,
        )
    elif len(sources) == 1 and isinstance(source := sources[0], Path) and _is_jobs(source):
        if grid or regions:
            raise click.UsageError("The rows of JOBS name their regions; leave out --grid, --box and the like.")
        if len(prompts) > 1:
            raise click.UsageError("The rows of JOBS have their prompts; one --prompt is asked where a row has none.")
        jobs = JobFile(source)
        try:
            yield jobs, _folder(images or source.parent), prompts[0] if prompts else None
        finally:
            jobs.close()
    elif not sources:
        raise click.UsageError("Missing JOBS: a file of jobs, images, or a folder of them; or --coco JSON.")
    elif images is not None:
        raise click.UsageError("--images is for a file of jobs, or --coco; name images and folders alone.")
    elif jobs_there := [each for each in sources if isinstance(each, Path) and each.suffix.lower() in JOBS]:
        raise click.UsageError(f"{file(jobs_there[0])} is a file of jobs, which stands alone; leave out the others.")
    else:
        places: list[Any] = [region_json(each) for each in regions] + (grid_of(*grid) if grid else [])
        yield Listed(images_in(sources), places or [None], [*prompts] or [None]), "", None


def _folder(path: Path) -> str:
    """As names of images in it begin."""
    return "" if path == Path() else str(path)


def _is_jobs(path: Path) -> bool:
    """A file of jobs by its name, or by the first letter in it."""
    if path.suffix.lower() in JOBS:
        return True
    try:
        with open(path, "rb") as opened:
            return opened.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"
    except OSError:  # a folder; or nothing, which the row says
        return False


def _is_default(name: str) -> bool:
    """Whether an option was not given: then it takes nothing from a row."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.DEFAULT


def _line(message: str) -> str:
    """A message on one line, cut where it is long."""
    line = " ".join(message.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
