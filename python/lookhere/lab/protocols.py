"""The experiments on one picture: what is asked, where the gaze is told to look, what comes back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import questions
from ..regions.region import Box
from ..steering.steering import Steering
from .naming import Naming
from .picture import Picture, Place
from .reply import Reply
from .view import View

if TYPE_CHECKING:
    from ..answers.answer import Answer
    from ..loaded import LoadedModel
    from ..steering.head_set import HeadSet
    from .arms import Arm

LONGEST = 40
"""Tokens of an answer whose right length is not known."""

SPARE = 4
"""Tokens that an answer may be longer than the longest caption of its strip."""

FIRST_MOVE, LAST_MOVE = 8, 20
"""The gaze is moved after so many tokens of an answer, another number for every strip."""


def answer_tokens(model: LoadedModel, captions: Sequence[str], least: int = 0) -> int:
    """How long an answer may be: the longest of the captions and a little more, at least ``least``."""
    longest = max((len(model.native.tokenize(caption, parse_special=False)) for caption in captions), default=0)
    return max(least, longest + SPARE if longest else LONGEST)


def ask_places(picture: Picture, arm: Arm, prompt: str, *, least: int = 0, watch: bool = False) -> list[Reply]:
    """One question, once per place, pointed at in an arm's way. least: tokens that an answer may have at least.

    watch: also how much attention steering took from text.
    """
    limit = answer_tokens(picture.model, picture.captions, least)
    views = [arm.view(picture, place, prompt) for place in picture.places]
    answers = picture.answers(views, limit, watch=watch and all(view.at is not None for view in views))
    return [_reply(picture, *each) for each in zip(answers, picture.places, views, strict=True)]


def ask_named(picture: Picture, naming: Naming) -> list[Reply]:
    """Unsteered: one question per panel that names it."""
    panels = len(picture.places)
    limit = answer_tokens(picture.model, picture.captions)
    views = [View(picture.scene, naming.of_panel(k, panels)) for k in range(panels)]
    return [_reply(picture, picture.answer(view, limit), picture.places[k], view) for k, view in enumerate(views)]


def ask_once(picture: Picture, prompt: str) -> list[Reply]:
    """Unsteered: one question that names no place. Of its reply only the text means something."""
    view = View(picture.scene, prompt)
    return [
        _reply(picture, picture.answer(view, answer_tokens(picture.model, picture.captions)), picture.places[0], view)
    ]


def narrate(picture: Picture) -> list[Reply]:
    """Unsteered: all panels in order. Caption k of the answer is a reply about panel k."""
    panels = len(picture.places)
    limit = (answer_tokens(picture.model, picture.captions) + 2) * panels
    said = captions_in(picture.answer(View(picture.scene, questions.NARRATION), limit).text)
    said += [""] * (panels - len(said))
    return [Reply(said[k], place.target) for k, place in enumerate(picture.places)]


def move_gaze(picture: Picture, heads: HeadSet, *, prompt: str = questions.POINTED) -> list[Reply]:
    """A narration that begins at one panel; then the gaze moves to panel k. The first caption that starts after the
    move is the reply, for every k. The picture's index decides when the gaze moves and where it came from."""
    panels, turn = len(picture.places), picture.index
    length = answer_tokens(picture.model, picture.captions)
    when = FIRST_MOVE + turn * 5 % (LAST_MOVE - FIRST_MOVE + 1)
    replies = []
    for k, place in enumerate(picture.places):
        start = picture.places[(k + 1 + turn % (panels - 1)) % panels].box
        said = _moved(picture, heads, start, place.box, prompt, when, limit=when + 2 * length + 2)
        replies.append(Reply(said, place.target))
    return replies


def captions_in(text: str) -> list[str]:
    """The captions of a narration: its lines, or its sentences where it is one line."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 1 else [each for each in re.split(r"(?<=[.!?])\s+", text.strip()) if each]


def caption_after(before: str, after: str) -> tuple[str, bool]:
    """The first caption that starts in ``after``, where ``before`` was said already, and whether it is whole."""
    fresh = after
    if before.strip() and not re.search(r"(\n|[.!?]\s+)$", before):  # a caption is under way
        end = re.search(r"\n|[.!?]\s+", before[-1:] + after)
        if end is None:
            return "", False
        fresh = after[max(end.end() - 1, 0) :]
    fresh = fresh.lstrip()
    end = re.search(r"\n|[.!?](\s|$)", fresh)
    return (fresh[: end.end()].strip(), True) if end else (fresh.strip(), False)


def _reply(picture: Picture, answer: Answer, place: Place, view: View) -> Reply:
    tokens = tuple(step.token for step in answer.steps if not view.scene.model.native.is_end(step.token))
    spans = round(picture.image_tokens(place.box), 3)
    return Reply(answer.text, place.target, tokens, _taken(answer), view, place.box.area, spans)


def _taken(answer: Answer) -> float | None:
    """Attention on the image as it was steered, less the natural one; what the image gained, text lost."""
    watched = [step for step in answer.steps if step.gaze and step.steered_gaze]
    if not watched:
        return None
    gained = [
        sum(float(each.sum()) for each in step.steered_gaze) - sum(float(each.sum()) for each in step.gaze)
        for step in watched
    ]
    return sum(gained) / len(gained)


def _moved(picture: Picture, heads: HeadSet, start: Box, target: Box, prompt: str, when: int, *, limit: int) -> str:
    """What a narration says first after the gaze moved, cut at the end of that caption."""
    before, after = "", ""
    with picture.scene.stream(prompt, at=Steering(heads, start), max_tokens=limit, gaze=False) as run:
        for step in run:
            if step.index < when:
                before += step.text
            else:
                after += step.text
            if step.index == when - 1 and run.finish is None:
                run.look_at(target)
            if caption_after(before, after)[1]:
                break
    return caption_after(before, after)[0]
