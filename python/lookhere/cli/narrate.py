"""``lookhere narrate``: one running text while the gaze moves from target to target."""

from __future__ import annotations

import sys
from typing import Any

import click

from .. import questions
from ..loading.load import load
from ..regions.box import percent
from ..regions.region import Box, Panel, Paragraph, Point, Region, RelativeBox, RelativePoint, Span
from ..schedule import Pace, Walk
from ..steering.push import Mode, PushChange, Queries
from ..wire.answer import schedule_json, step_json
from . import terminal
from .asked import pointed_question, say_if_unknown
from .options.model import model_options
from .options.sampling import sampling_options
from .options.schedule import schedule_from, schedule_options
from .options.sections import Sectioned
from .options.source import image_or_text, look, read_source
from .options.steering import steering_options


@click.command(cls=Sectioned, short_help="Tell an image while the gaze moves from target to target.")
@click.argument("image")
@schedule_options(required=True)
@click.option("--prompt", help=f"The question  [default: {questions.POINTED}, where there are panels]")
@model_options
@steering_options
@sampling_options("as long as the schedule takes")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object per token, and a last one with the whole text."
)
def narrate(
    image: str,
    schedule: str,
    every: Pace | None,
    panel_grid: tuple[int, int] | None,
    prompt: str | None,
    loading: dict[str, Any],
    strength: float | None,
    mode: Mode | None,
    share: float | None,
    queries: Queries | None,
    max_tokens: int | None,
    as_json: bool,
    **sampling: Any,
) -> None:
    """Tell what IMAGE shows in one running text, and move the gaze to the next target every N tokens.

    IMAGE is a file, an http(s) address, or - for standard input; it may be a text. The words appear as they
    are made. The text ends after the last target, or where the model ends it.

    \b
      lookhere narrate strip.png --schedule 4,2,1 --every 20
      lookhere narrate page.png --panels 2x3 --schedule 6,1,2 --every line
      lookhere narrate street.jpg --schedule "box:40,60,220,300 point:120,90 free"
      lookhere narrate notes.txt --model smollm2.gguf --schedule "paragraph:2 paragraph:1"
    """
    plan = schedule_from(schedule, every, panel_grid)
    shown = image_or_text(read_source(image))
    with load(**loading) as loaded:
        scene = look(loaded, shown)
        asked = pointed_question(scene, plan) if prompt is None else prompt
        change = PushChange(mode=mode, strength=strength, share=share, queries=queries)
        walk = Walk.begin(scene, plan, asked, max_tokens=max_tokens, gaze=as_json, **change.given, **sampling)
        now, text = -1, ""
        for target, step in walk:
            if target != now:
                now = target
                _note(plan.targets[target], in_line=text[-1:] not in ("", "\n"))
            if as_json:
                aim = walk.aims[target]
                terminal.say_json(step_json(step, target, aim.coverage if aim else ()))
            else:
                click.echo(step.text, nl=False)
                text = step.text or text
        if as_json:
            terminal.say_json(schedule_json(walk.said(), walk, loaded.name, scene.frame))
        elif not text.endswith("\n"):
            click.echo()
        say_if_unknown(scene)
    missing = len(plan.targets) - 1 - now
    if walk.finish == "end" and missing > 0 and terminal.shown(sys.stderr):
        click.echo(f"The model ended its text; {missing} of {len(plan.targets)} targets were not reached.", err=True)


def _note(target: Region | None, *, in_line: bool) -> None:
    """Where the gaze goes now, for who sits before the terminal; within the text if that is shown there, too."""
    if not terminal.shown(sys.stderr):
        return
    note = click.style(f"[{_name(target)}]", dim=True)
    if not terminal.shown(sys.stdout):
        click.echo(note, err=True)
    else:  # words bring the space before them along
        click.echo(f" {note}" if in_line else f"{note} ", err=True, nl=False)


def _name(target: Region | None) -> str:
    """What a person calls it."""
    if target is None:
        return "free"
    if isinstance(target, Panel):
        if target.rows == 1:
            return f"panel {target.col} of {target.cols}"
        return f"panel in row {target.row}, column {target.col}"
    if isinstance(target, Box):
        return f"box {target.x0:g},{target.y0:g},{target.x1:g},{target.y1:g}"
    if isinstance(target, Point):
        return f"point {target.x:g},{target.y:g}"
    if isinstance(target, RelativeBox):
        return f"box {percent(target.x0, target.y0, target.x1, target.y1)}"
    if isinstance(target, RelativePoint):
        return f"point {percent(target.x, target.y)}"
    if isinstance(target, (Paragraph, Span)):
        return f"paragraph {target.number}" if isinstance(target, Paragraph) else f"span {target.start}:{target.end}"
    return str(target.as_json()["kind"])
