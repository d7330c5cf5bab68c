"""``lookhere describe``: what is in an image, or in a part of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import questions
from ..checks import short
from ..errors import HeadSetMissingError
from ..loading.load import load
from ..pictures.grid_picture import grid_picture
from ..pictures.heat_map import heat_map
from ..regions.region import Region, placed
from ..scenes.scene import Scene
from ..schedule import Pace, Walk
from ..steering.push import Mode, PushChange, Queries
from ..wire.answer import AnswerRecord, schedule_json
from . import terminal
from .asked import pointed_question, question, say_if_unknown
from .options.model import model_options
from .options.region import region_options
from .options.sampling import sampling_options
from .options.schedule import schedule_from, schedule_options
from .options.sections import Sectioned
from .options.source import image_or_text, look, read_source, refuse_pictures
from .options.steering import steering_options
from .outputs import check_outputs, force_option
from .picture import PictureFile, open_option, save_picture, tell_saved

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

    from ..answers.answer import Answer, Step

LONGEST = 100
"""Tokens of an answer."""


@click.command(cls=Sectioned, short_help="Describe an image or a text, or a part of it.")
@click.argument("image")
@region_options()
@click.option(
    "--prompt", metavar="TEXT",
    help="The question  [default: one that suits model and image; with a schedule, where there are panels: "
    f"{questions.POINTED}]",
)  # fmt: skip
@model_options
@steering_options
@sampling_options(f"{LONGEST}, or as long as a schedule takes")
@schedule_options(required=False)
@click.option("--zoom", is_flag=True, help="Enlarge a window around small regions, and look into that.")
@click.option("--heatmap", type=PictureFile(), help="Save a picture of where the heads looked.")
@click.option("--show-grid", type=PictureFile(), help="Save a picture of the image tokens and which the regions cover.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object: text, finish, gaze maps, boxes of where it looked."
)
@open_option
@force_option
def describe(
    image: str,
    regions: tuple[Region, ...],
    prompt: str | None,
    loading: dict[str, Any],
    strength: float | None,
    mode: Mode | None,
    share: float | None,
    queries: Queries | None,
    max_tokens: int | None,
    schedule: str | None,
    every: Pace | None,
    panel_grid: tuple[int, int] | None,
    zoom: bool,
    heatmap: Path | None,
    show_grid: Path | None,
    as_json: bool,
    opened: bool,
    force: bool,
    **sampling: Any,
) -> None:
    """Describe IMAGE, or the part of it that a region names: box, point, panel, polygon or mask.

    IMAGE is a file, an http(s) address, or - for standard input. All numbers are pixels of the upright image. A text in
    place of the image is looked at by its paragraphs and characters, with any language model.

    \b
      lookhere describe street.jpg --box 40,60,220,300
      lookhere describe strip.png --panel 3/6 --heatmap where.png
      lookhere describe strip.png --schedule 4,2,1 --every line
      lookhere describe photo.jpg --model qwen3-vl-2b --point 120,90
      lookhere describe notes.txt --model smollm2.gguf --paragraph 3
    """
    plan = None if schedule is None else schedule_from(schedule, every, panel_grid)
    if plan and regions:
        raise click.UsageError("--schedule names the targets itself; leave --box and the other regions out.")
    if not plan and (every is not None or panel_grid is not None):
        raise click.UsageError("--every and --panels need a --schedule; for one panel there is --panel K/N.")
    if not plan and not regions and (strength is not None or share is not None or mode or queries):
        raise click.UsageError(
            "--strength, --mode, --share and --queries need a region, such as --box, or a --schedule."
        )
    if zoom and not regions:
        raise click.UsageError("--zoom needs a region, for instance --box: it enlarges what is around it.")
    if opened and heatmap is None and show_grid is None:
        raise click.UsageError("--open needs --heatmap or --show-grid: it shows the picture that is saved.")
    check_outputs(
        {"--heatmap": heatmap, "--show-grid": show_grid},
        (image, loading["model"], loading["mmproj"], loading["heads"]),
        replace=force,
        pictures=True,
    )
    shown = image_or_text(read_source(image))
    refuse_pictures(shown, heatmap=heatmap, show_grid=show_grid, zoom=zoom)
    with load(**loading) as loaded:
        if heatmap is not None and loaded.head_set is None:
            raise HeadSetMissingError(
                f"No heat map: no head set is known for {short(loaded.name)}. Give one with --heads, or find one with "
                "lookhere discover."
            )
        scene = look(loaded, shown)
        sampling["gaze"] = as_json or heatmap is not None
        change = PushChange(mode=mode, strength=strength, share=share, queries=queries)
        walk = aim = None
        if plan:
            asked = pointed_question(scene, plan) if prompt is None else prompt
            walk = Walk.begin(scene, plan, asked, max_tokens=max_tokens, **change.given, **sampling)
            regions = tuple(dict.fromkeys(target for target in plan.targets if target is not None))
            _told((step for _, step in walk), quiet=as_json)
            answer = walk.said()
        else:
            scene = scene.zoom(regions) if zoom and isinstance(scene, Scene) else scene
            asked = question(scene, regions) if prompt is None else prompt
            aim = scene.aim(regions or None, change)
            ask = scene.ask(asked, at=regions or None, max_tokens=max_tokens or LONGEST, **change.given, **sampling)
            with scene.run(ask, aim=aim) as run:
                steps = _told(run, quiet=as_json)
            answer = run.answer(steps)
        if as_json:
            told = AnswerRecord.of(answer, loaded.name, (scene.frame,)).as_json()
            told |= schedule_json(answer, walk, loaded.name, scene.frame) if walk else {}
            terminal.say_json(told)
        say_if_unknown(scene)
        if heatmap is not None and isinstance(scene, Scene):
            save_picture(_heat_map(scene, answer, regions), heatmap)
            tell_saved("Heat map", heatmap, opened=opened)
        if show_grid is not None and isinstance(scene, Scene):
            covered = aim.coverage if aim else scene.coverage(regions) if regions else ()
            save_picture(grid_picture(scene.image, scene.grids, covered), show_grid)
            tell_saved("Grid", show_grid, opened=opened)
    if answer.finish == "length" and not plan and terminal.shown(sys.stderr):
        click.echo(f"Cut at {max_tokens or LONGEST} tokens; --max-tokens allows more.", err=True)


def _told(steps: Iterable[Step], *, quiet: bool) -> list[Step]:
    """All steps; their words are printed as they are made, unless quiet."""
    found: list[Step] = []
    try:
        for step in steps:
            found.append(step)
            if not quiet:
                click.echo(step.text, nl=False)
    finally:
        if not quiet and (found or sys.exc_info()[0] is None):
            click.echo()
    return found


def _heat_map(scene: Scene, answer: Answer, regions: tuple[Region, ...]) -> PillowImage:
    outlined = placed(regions, scene.width, scene.height)
    return heat_map(scene.image, answer.reading, scene.grids, outlined)
