"""Values shown in a notebook: answers over their image, scenes, gazes, head sets, pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

from .. import checks
from ..answers.answer import Answer
from ..answers.shading import answer_html
from ..errors import OptionError
from ..images import markup
from ..images.image import Image
from ..images.inline import inline_small
from ..scenes.seen_image import SeenImage
from ..scenes.text_scene import TextScene
from ..tokens.text_frame import TextFrame

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

_LONG = 640
"""Pixels of a picture in a notebook, at its long side."""


def show(value: object, image: object = None) -> None:
    """Shows an answer, a scene, a gaze, a head set, a Pillow image, or a list of these, where it is called.

    image: of an answer, the scene or whatever ``look`` takes, so that the gaze lies over it; of several images a list.
    In Jupyter, VS Code, Colab and marimo it is HTML that needs no script and stays small; in a plain program the value
    is printed. OptionError, ImageError.
    """
    page = as_html(value, image)
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        marimo.output.append(marimo.Html(page))
    elif ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.display_pub.publish(data={"text/html": page, "text/plain": _line(value)})
    else:
        print(_line(value))


def as_html(value: object, image: object = None) -> str:
    """What ``show`` shows. OptionError, ImageError."""
    from PIL import Image as pillow

    if isinstance(value, Answer):
        return value._repr_html_() if image is None else _over(value, image)
    if image is not None:
        raise OptionError(f"show: image= is given beside {checks.short(value)}; expected it beside an Answer alone.")
    if isinstance(value, pillow.Image):
        return markup.block(_small(Image.open(value).pillow(), "a picture"))
    if _listed(value):
        if any(map(_listed, value)):
            raise OptionError(f"show: {checks.short(value)} is a list of lists; expected one list of what is shown.")
        return "".join(map(as_html, value))
    own = getattr(type(value), "_repr_html_", None)
    if own is None:
        raise OptionError(
            f"show: {checks.short(value)} has no picture of its own; expected an Answer, a scene, a Gaze, a HeadSet, a "
            "Pillow image, or a list of these."
        )
    return str(own(value))


def _listed(value: object) -> TypeGuard[Sequence[object]]:
    """Whether it is a list of values, and not one that is a tuple itself, as a gaze is."""
    return isinstance(value, (list, tuple)) and not hasattr(type(value), "_repr_html_")


def _over(answer: Answer, image: object) -> str:
    """An answer with its gaze over its image, or over each of its images."""
    texts, readings = [step.text for step in answer.steps], [step.reading or step.gaze for step in answer.steps]
    told = answer_html(answer.text, texts, readings, answer.steering, answer.finish)
    gaze = answer.reading or answer.gaze
    if isinstance(image, TextScene) or any(isinstance(each, TextFrame) for each in gaze.frames):
        return answer._repr_html_()
    several = isinstance(image, (list, tuple)) and len(gaze.frames) > 1
    images = list(image) if several and isinstance(image, (list, tuple)) else [image]
    if len(images) > max(len(gaze.frames), 1):
        raise OptionError(f"show: {len(images)} images for an answer about {len(gaze.frames)}; expected one for each.")
    shown = []
    for number, each in enumerate(images, start=1):
        opened = each.image if isinstance(each, SeenImage) else Image.open(each)
        picture = answer.heatmap(opened, number=number) if gaze.frames else opened.pillow()
        shown.append(_small(picture, "where the heads looked" if gaze.frames else "the image"))
    return markup.block(*shown, told)


def _small(picture: PillowImage, what: str) -> str:
    """An image that is not longer than a notebook has room for."""
    copy = picture.copy()
    copy.thumbnail((_LONG, _LONG))
    return markup.picture(inline_small(copy), what, "display: block; margin-bottom: 0.5em")


def _line(value: object) -> str:
    """In a terminal: the text of an answer, one line for anything else."""
    if _listed(value):
        return "\n".join(_line(each) for each in value)
    return value.text if isinstance(value, Answer) else repr(value)
