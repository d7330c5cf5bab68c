"""How probable a model finds a text as its answer: teacher-forced log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..prompt.layout import lay_out

if TYPE_CHECKING:
    from .. import _engine
    from ..kv.session import Session
    from ..prompt.layout import Layout
    from .picture import View

_CHUNK = 32
"""Tokens that are decoded at once, each with a row of logits."""


def log_probabilities(view: View, answers: Sequence[Sequence[int]]) -> list[float]:
    """Nats of each answer's tokens, summed, given the view; 0 for an answer without tokens.

    The prompt is read once for all of them. LookhereError of the model.
    """
    from lookhere import _engine

    longest = max(map(len, answers), default=0)
    if not longest:
        return [0.0] * len(answers)
    scene, model = view.scene, view.scene.model
    session = model.session
    layout = lay_out(model.native, model.template, scene.encoded, view.prompt, None)
    maps = scene.target(view.at.regions) if view.at else ()
    cancel = _engine.CancelFlag()
    session.acquire(cancel)
    try:
        session.prefill(layout, [(view.at, maps)], room=longest, probe=(), cancel=cancel)
        first = session.native.logits()
        return [_sum(session, layout, first, tokens, cancel) if tokens else 0.0 for tokens in answers]
    finally:
        session.release()


def _sum(
    session: Session, layout: Layout, first: NDArray[np.float32], tokens: Sequence[int], cancel: _engine.CancelFlag
) -> float:
    """first: the logits at the prompt's end."""
    session.rewind(layout)
    total = _nats(first, tokens[0])
    for start in range(0, len(tokens) - 1, _CHUNK):
        chunk = tokens[start : min(start + _CHUNK, len(tokens) - 1)]
        session.decode(chunk, cancel)
        with engine_errors("reading logits"):
            for row in range(len(chunk)):
                total += _nats(session.native.logits(row), tokens[start + row + 1])
    return total


def _nats(logits: NDArray[np.float32], token: int) -> float:
    """Log-softmax at a token."""
    values = logits.astype(np.float64)
    most = values.max()
    return float(values[token] - most - np.log(np.exp(values - most).sum()))
