"""Examples for a report: small pictures with the answers and where the heads looked of their own accord."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from .. import questions
from ..pictures.heat_map import heat_map
from ..steering.head_set import HeadSet
from .arms import UNSTEERED, Arm, gaze_arm
from .experiments import BOX_TOKENS, VQA_TOKENS
from .judging import Judge
from .picture import Picture
from .protocols import answer_tokens
from .reply import Reply

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

EXAMPLE, EXAMPLE_SECONDS = "example", 0.6
"""A step: the answers about one picture, and their maps; seconds of one by the built-in model."""
WIDEST = 480
"""Pixels; a report with a few examples stays below a megabyte."""


def example(picture: Picture, heads: HeadSet, judge: Judge, *, boxes: bool = False) -> dict[str, Any]:
    """The picture, and for the unsteered model and every place the answer and a heat map, all PNG as data URIs.

    boxes: whether the places are objects, which are asked about in other words than panels.
    """
    prompt, least = (questions.OBJECT, BOX_TOKENS) if boxes else (questions.AMBIGUOUS, VQA_TOKENS)
    limit = answer_tokens(picture.model, picture.captions, least)
    arm = gaze_arm(heads)
    looks = [_look(picture, UNSTEERED, prompt, limit, judge, None)]
    looks += [_look(picture, arm, prompt, limit, judge, k) for k in range(len(picture.places))]
    return {"prompt": prompt, "boxes": boxes, "image": data_uri(picture.scene.image.pillow()), "looks": looks}


def _look(picture: Picture, arm: Arm, prompt: str, limit: int, judge: Judge, k: int | None) -> dict[str, Any]:
    place = picture.places[k or 0]
    view = arm.view(picture, place, prompt)
    answer = picture.answer(view, limit, watch=True)
    heat = picture.scene.image.pillow()
    if answer.reading:  # nothing is read of an empty answer
        heat = heat_map(picture.scene.image, answer.reading, picture.scene.grids, [] if k is None else [place.box])
    found: dict[str, Any] = {"answer": answer.text.strip(), "heat": data_uri(heat)}
    if k is not None:
        pick = judge.picks([Reply(answer.text, place.target, view=view)], picture.captions)[0]
        found |= {"caption": picture.captions[place.target], "right": pick == place.target, "words": place.words}
    return found


def data_uri(image: PillowImage) -> str:
    """A PNG of at most 480 pixels' width and 128 colours."""
    from PIL import Image as pillow

    if image.width > WIDEST:
        height = max(1, round(image.height * WIDEST / image.width))
        image = image.resize((WIDEST, height), pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    image.convert("RGB").quantize(128).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
