"""``lookhere discover``: the gaze heads of a model, written as a head set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from ..errors import OptionError, ProjectorError, UnknownPicturesError
from ..lab.ranking import FLOOR, RANKS, Kind, Place
from ..loading.load import load
from ..loading.pair import Given
from .kept import keep
from .options.model import FILE, FILE_OR_NAME, gpu_layers_option, mmproj_option, threads_option
from .outputs import check_outputs, force_option

if TYPE_CHECKING:
    from ..lab.discovery_options import Options
    from ..lab.results import Found
    from ..lab.verdict import Verdict
    from ..steering.head_set import HeadSet
    from .progress import Bar

WEAK, NONE, UNKNOWN = 3, 4, 5
"""Exit codes: a head set was written that hardly steers; none, because the model has no gaze heads; none, because it
does not know the pictures."""
DRAWS = 10
"""Of random heads, for --results."""


class Words(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.5 on
    """A list of words, separated by commas."""

    name = "words"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(each.strip() for each in str(value).split(","))


@click.command(short_help="Find the heads that steer a model.")
@click.argument("model", type=FILE_OR_NAME, required=False)
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
@click.option(
    "--question", metavar="TEXT",
    help="How the model is asked about a panel, with {ordinal} or {number}, and {panels} for how many there are; about "
    "a labelled object, with {label}  [default: the paper's words, or others of ours that the model answers]",
)  # fmt: skip
@click.option(
    "--ordinals", type=Words(), metavar="WORD,WORD,...",
    help="What stands for {ordinal}, as erste,zweite,dritte,...  [default: first,second,...]",
)  # fmt: skip
@click.option(
    "--prompt", metavar="TEXT",
    help="The question that the head set is for, which names no panel  [default: as for --question]",
)  # fmt: skip
@click.option(
    "--text", "from_text", is_flag=True,
    help="Rank heads by texts of several sentences instead of images: a guess for any GGUF, no projector needed.",
)  # fmt: skip
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
@click.option(
    "--rank", type=click.Choice(RANKS), default="attention", show_default=True,
    help="By where heads look, or by how much a bias on each makes captions more probable: gradient in torch (extra "
    "torch; architectures llama, qwen2, qwen3, qwen2vl, qwen3vl), difference in the engine (any model).",
)  # fmt: skip
@click.option("--from-ranking", type=FILE, metavar="JSON", help="Only choose among the heads of a published ranking.")
@click.option("--save-ranking", type=FILE, metavar="JSON", help="Write every head with its scores, too.")
@click.option(
    "--results", type=FILE, metavar="FOLDER",
    help="For research: attention of all heads (NPZ), rankings in our format and the paper's, and a table beside the "
    f"paper's, with {DRAWS} draws of random heads.",
)  # fmt: skip
@click.option(
    "--compare", type=FILE, metavar="JSON", help="Tell how many heads another head set or ranking has among its best."
)
@click.option("--panel-size", type=click.IntRange(16, 1024), help="Pixels of a generated panel  [default: by model]")
@click.option(
    "--readers", type=click.IntRange(0), default=12, show_default=True,
    help="Strips, comics or images to find the heads on that tell where the model looked; 0 leaves that.",
)  # fmt: skip
@threads_option
@gpu_layers_option
@force_option
def discover(
    model: Given | None,
    mmproj: Given | None,
    output: Path,
    score: Kind,
    from_text: bool,
    from_ranking: Path | None,
    save_ranking: Path | None,
    results: Path | None,
    compare: Path | None,
    threads: int | None,
    gpu_layers: int,
    force: bool,
    **wanted: Any,
) -> None:
    """Find the gaze heads of MODEL: those that look at the panel that a question is about.

    MODEL is a GGUF file or a name; without one, the built-in model. First it is asked unsteered, to see if it knows
    the pictures and in which words it answers. What is done is kept beside the output until the end: after a kill, the
    same command goes on.

    Exit code 0: found; 1: failed; 2: wrong use; 3: the heads hardly steer, the file is marked; 4: no gaze heads, 5: the
    model does not know the pictures, both without a file.

    \b
      lookhere discover my-finetune.gguf --mmproj mmproj.gguf -o my-heads.json
      lookhere describe strip.png --model my-finetune.gguf --heads my-heads.json --panel 3/6
      lookhere discover my-finetune.gguf --question "What happens in panel {number}?"
      lookhere discover my-finetune.gguf --coco val2017.json --images val2017 -o box-heads.json
      lookhere discover any-llm.gguf --text --rank difference -o guess.json
    """
    from ..lab.scoring import shared
    from .progress import Bar

    options = _options(
        kind=score, ranking=from_ranking, controls=DRAWS if results and not from_text else 0, **wanted
    )  # fmt: skip
    if from_text:
        _check_text(mmproj, options)
    kept = output.with_name(f".{output.name}.progress")
    read = (model, mmproj, options.comics, options.coco, options.images, from_ranking, compare)
    outputs = {"--output": output, "--save-ranking": save_ranking}
    check_outputs({**outputs, **_in_folder(results)}, read, replace=force or kept.is_file())
    keep(kept, "The same command goes on from there.")
    with Bar() as bar:
        files = model, mmproj, threads, gpu_layers
        found, verdict, other = _found(from_text, files, options, kept, compare, bar)
        if save_ranking is not None:
            found.ranking.write(save_ranking)
        if results is not None:
            from ..lab.results import write_results

            bar.note(f"{results}: {', '.join(write_results(results, found))}.")
        if compare is not None and other is not None:
            bar.note(f"{compare.name}: {shared(found.heads, other)}")
        if verdict.word == "none":
            bar.note("No head set was written: steering these heads would be steering at random.")
            click.get_current_context().exit(NONE)
        found.heads.write(output)
        bar.note(f"{output}: {_summary(found)}.")
    if verdict.word == "weak":
        click.get_current_context().exit(WEAK)


def _options(**wanted: Any) -> Options:
    from ..checks import text as checked_text
    from ..lab.discovery_options import Options

    for name in ("prompt", "question"):
        if wanted[name] is not None:
            checked_text(name, wanted[name])
    if wanted["images"] is not None and wanted["coco"] is None:
        raise click.UsageError("--images needs --coco JSON: the labels of the images.")
    if sum(map(bool, (wanted["comics"], wanted["scenes"], wanted["coco"]))) > 1:
        raise click.UsageError("Give one of --comics, --scenes and --coco, or none of them for generated strips.")
    if wanted["rank"] != "attention":
        for option, given in {"--at": wanted["place"], "--from-ranking": wanted["ranking"]}.items():
            if given is not None:
                raise click.UsageError(f"{option} means nothing with --rank {wanted['rank']}; leave one of them out.")
    if wanted["ordinals"] is not None and "{ordinal}" not in (wanted["question"] or ""):
        raise click.UsageError("--ordinals needs --question TEXT with {ordinal} in it, where they are put.")
    try:
        return Options(**wanted)
    except OptionError as error:
        raise click.UsageError(str(error)) from error


def _check_text(mmproj: Given | None, options: Options) -> None:
    given = {"--mmproj": mmproj, "--scenes": options.scenes, "--coco": options.coco, "--from-ranking": options.ranking}
    for name, value in given.items():
        if value:
            raise click.UsageError(f"{name} means nothing with --text, which reads the language model and texts alone.")


def _in_folder(results: Path | None) -> dict[str, Path]:
    """The files of --results, for the check of outputs; makes the folder."""
    from ..lab.results import ATTENTION, PAPER_RANKING, RANKING, TABLE

    if results is None:
        return {}
    try:
        results.mkdir(exist_ok=True)
    except OSError as error:
        raise OptionError(f"--results {str(results)!r} is no folder and cannot be made: {error.strerror}.") from error
    return {f"--results, {name}:": results / name for name in (ATTENTION, PAPER_RANKING, RANKING, TABLE)}


def _found(
    from_text: bool,
    files: tuple[Given | None, Given | None, int | None, int],
    options: Options,
    kept: Path,
    compare: Path | None,
    bar: Bar,
) -> tuple[Found, Verdict, HeadSet | None]:
    """Loads the model and finds its heads; and what they are compared with, which is read before. Ends the command
    where the model does not know the pictures."""
    from ..lab.discovery import discover as find
    from ..lab.ranking import read_ranking
    from ..lab.text import discover_text
    from ..loading.language import load_language_model

    model, mmproj, threads, gpu_layers = files
    if from_text:
        with load_language_model(model, threads=threads, gpu_layers=gpu_layers) as language:
            other = None if compare is None else read_ranking(compare, language.facts)
            text = discover_text(language, options, kept=kept, progress=bar)
        return text, text.verdict, other
    try:
        loaded = load(model, mmproj=mmproj, threads=threads, gpu_layers=gpu_layers)
    except ProjectorError as error:
        raise ProjectorError(f"{error} Without a projector, --text ranks the heads of a language model.") from error
    with loaded:
        other = None if compare is None else read_ranking(compare, loaded.facts)
        try:
            found = find(loaded, options, kept=kept, progress=bar)
        except UnknownPicturesError as error:
            click.echo(f"Error: {error}", err=True)
            click.get_current_context().exit(UNKNOWN)
    return found, found.verdict, other


def _summary(found: Found) -> str:
    heads = found.heads
    words = f"{len(heads.heads)} of {len(heads.model.every_head)} heads, {heads.amount}, {heads.mode}, {heads.queries}"
    chosen = heads.evidence.get("chosen_by")
    return f"{words}, {chosen['accuracy']:.1%} of steered answers are the target's" if chosen else words
