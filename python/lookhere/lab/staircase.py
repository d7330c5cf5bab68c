"""Free narration: on which panel the natural gaze is while a model narrates in order, nobody steering it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import questions
from .attention import panel_shares
from .narration import Said, captions_of
from .picture import Picture
from .protocols import answer_tokens


def watch_narration(picture: Picture) -> tuple[list[Said], NDArray[np.float64]]:
    """The captions of a narration in order, and (tokens, panels): natural mass of the model's head set on each panel
    by the query that chose the token, mean over the heads."""
    panels = len(picture.places)
    limit = (answer_tokens(picture.model, picture.captions) + 2) * panels
    boxes = [(place.box.x0, place.box.y0, place.box.x1, place.box.y1) for place in picture.places]
    shares = panel_shares(picture.scene, boxes)
    pieces, rows = [], []
    with picture.scene.stream(questions.NARRATION, max_tokens=limit) as run:
        for step in run:
            pieces.append(step.text)
            rows.append(shares @ np.concatenate([each.ravel() for each in step.gaze]))
    return captions_of(pieces), np.asarray(rows, np.float64).reshape(-1, panels)


def matrix(captions: Sequence[tuple[int, NDArray[np.float64]]], panels: int) -> NDArray[np.float64]:
    """(panels, panels): mean mass on panel j over the tokens of the captions that were said k-th.

    captions: (k from 0, (tokens, panels) mass). Rows of captions that nobody said are 0.
    """
    sums, counts = np.zeros((panels, panels)), np.zeros(panels)
    for turn, mass in captions:
        if turn < panels and len(mass):
            sums[turn] += mass.sum(axis=0)
            counts[turn] += len(mass)
    return np.asarray(sums / np.maximum(counts, 1)[:, None])
