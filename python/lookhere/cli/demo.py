"""``lookhere demo``: six panels, one question, six answers, and what other heads give instead."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..loading.load import load
from ..regions.region import Box
from ..steering.steering import Steering
from .options.model import model_options
from .outputs import check_outputs, force_option
from .picture import PictureFile, open_option, save_picture, show

if TYPE_CHECKING:
    from ..answers.answer import Answer
    from ..comics import Strip
    from ..comics.poster import Poster
    from ..model import Model
    from ..scenes.scene import Scene
    from ..steering.head_set import HeadSet

MODEL_PANEL = 64  # pixels of a panel as the model sees it
CONTROL_TOKENS = 24  # what falls apart never ends by itself
SHOWN_STRIP = 1536  # pixels of the same strip, drawn again for people


@click.command(short_help="Ask about six panels in turn and save a picture of it.")
@click.option("--seed", type=click.IntRange(0), default=20, show_default=True, help="Which strip to draw.")
@click.option("--panels", type=click.IntRange(2, 6), default=6, show_default=True, help="How many panels it has.")
@click.option(
    "-o",
    "--output",
    type=PictureFile(),
    default=Path("lookhere-demo.png"),
    show_default=True,
    help="Where to save the picture.",
)
@click.option("--strip", "strip_file", type=PictureFile(), help="Save the strip, too, as the model sees it.")
@model_options
@open_option
@force_option
def demo(
    seed: int,
    panels: int,
    output: Path,
    strip_file: Path | None,
    loading: dict[str, Any],
    opened: bool,
    force: bool,
) -> None:
    """Ask a model one question about a comic strip, looking at each of its panels in turn.

    Without --model it is the built-in one, and nothing is downloaded. The strip is made of combinations that our models
    were never trained on. What the model says goes to stdout, and a picture of it is saved. Two controls are asked the
    same: as many heads that are no gaze heads, drawn at random, and all heads.
    """
    from ..comics import generate_strip

    read = (loading["model"], loading["mmproj"], loading["heads"])
    check_outputs({"--output": output, "--strip": strip_file}, read, replace=force, pictures=True)
    strip = generate_strip(seed, panels=panels, panel_size=MODEL_PANEL, split="held_out", style="colour")
    if strip_file is not None:
        save_picture(strip.image, strip_file)
    with load(**loading) as model:
        started = time.perf_counter()
        scene = model.look(strip.image)
        unsteered = scene.describe()
        boxes = [Box(*box) for box in strip.boxes]
        steered = scene.describe_all(boxes)
        controls = {
            name: scene.describe_all([Steering(heads, box) for box in boxes], max_tokens=CONTROL_TOKENS, gaze=False)
            for name, heads in _controls(model).items()
        }
        seconds = time.perf_counter() - started
        _print_table(strip, model, unsteered, steered, controls)
        poster = _poster(strip, seed, scene, unsteered, steered, controls)
    save_picture(poster.draw(), output)
    click.echo(f"\n{1 + len(steered) * (1 + len(controls))} answers in {seconds:.1f} s. Picture: {output}", err=True)
    if opened:
        show(output)
    name = strip_file or "strip.png"
    if strip_file is None:
        click.echo(f"The strip as a file: lookhere demo --strip {name}", err=True)
    which = f" --model {shlex.join(model.as_given)}" if loading["model"] else ""
    click.echo(f"One panel of it: lookhere describe {name} --panel 2/{panels}{which}", err=True)
    click.echo(
        "Photographs need a larger model: lookhere describe IMAGE --model MODEL.gguf --box x0,y0,x1,y1", err=True
    )


def _controls(model: Model) -> dict[str, HeadSet]:
    """Other heads that are told the same, by what the picture calls them."""
    from ..lab.arms import random_heads

    gaze = model.head_set
    if gaze is None:
        return {}
    drawn = random_heads(gaze, seed=0, draw=0)
    every = gaze.model.every_head
    return {
        f"{len(drawn.heads)} heads that are no gaze heads, drawn at random": drawn,
        f"All {len(every)} heads": replace(gaze, heads=every, scores=()),
    }


def _print_table(
    strip: Strip, model: Model, unsteered: Answer, steered: list[Answer], controls: dict[str, list[Answer]]
) -> None:
    heads = steered[0].steering.head_set.heads if steered[0].steering else ()
    click.echo(
        f"Asked every time: {model.prompt}\n"
        f"Steered: {len(heads)} of {len(model.facts.every_head)} attention heads of {model.name}.\n",
        err=True,
    )
    for name, answer in (("unsteered", unsteered), *((f"panel {k + 1}", each) for k, each in enumerate(steered))):
        click.echo(f"{name:<10} {' '.join(answer.text.split())}")
    click.echo("\nWord for word what the panel shows:", err=True)
    for name, answers in ((f"{len(heads)} gaze heads", steered), *controls.items()):
        click.echo(f"{_right(answers, strip):>4} of {len(answers)}  {name}", err=True)


def _right(answers: list[Answer], strip: Strip) -> int:
    return sum(answer.text == caption for answer, caption in zip(answers, strip.captions, strict=True))


def _poster(
    strip: Strip,
    seed: int,
    scene: Scene,
    unsteered: Answer,
    steered: list[Answer],
    controls: dict[str, list[Answer]],
) -> Poster:
    from ..comics import generate_strip
    from ..comics.poster import Control, Look, Poster
    from ..pictures.heat_map import heat_map

    large = generate_strip(
        seed, panels=len(steered), panel_size=SHOWN_STRIP // len(steered), split="held_out", style="colour"
    )

    def look(answer: Answer, boxes: list[Box], caption: str | None) -> Look:
        picture = scene.image.pillow()
        if answer.reading:  # nothing is read of an empty answer
            picture = heat_map(scene.image, answer.reading, scene.grids, boxes)
        return Look(answer.text, picture, None if caption is None else answer.text == caption)

    steering = steered[0].steering
    count = len(steering.head_set.heads) if steering else 0
    every = len(scene.model.facts.every_head)
    return Poster(
        strip=large.image,
        looks=[
            look(answer, [Box(*box)], caption)
            for answer, box, caption in zip(steered, strip.boxes, strip.captions, strict=True)
        ],
        controls=[
            Control(
                name, [(each.text, each.text == caption) for each, caption in zip(answers, strip.captions, strict=True)]
            )
            for name, answers in controls.items()
        ],
        unsteered=look(unsteered, [], None),
        question=scene.model.prompt,
        claim=f"Same weights, same question. {count} of {every} attention heads are told where to look.",
        footer=f"{scene.model.name}, on the CPU. A strip it never saw, of combinations it was never trained on.",
    )
