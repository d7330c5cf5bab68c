"""How probable a model finds a text as its answer: teacher-forced log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..kv.sequence import KvSequence
from ..kv.session import Session
from .view import View

_CHUNK = 32
"""Tokens that are decoded at once, each with a row of logits."""


def log_probabilities(view: View, answers: Sequence[Sequence[int]]) -> list[float]:
    """Nats of each answer's tokens, summed, given the view; 0 for an answer without tokens.

    The prompt is read once for all of them. LookhereError of the model.
    """
    longest = max(map(len, answers), default=0)
    if not longest:
        return [0.0] * len(answers)
    session = view.scene.model.session
    sequence = KvSequence(view.layout(), view.scene.aim(view.at), room=longest)
    try:
        with session.turn():
            session.step(sequence)
            first = session.native.logits()
            return [_sum(session, sequence, first, tokens) if tokens else 0.0 for tokens in answers]
    finally:
        sequence.closed = True


def _sum(session: Session, sequence: KvSequence, first: NDArray[np.float32], tokens: Sequence[int]) -> float:
    """first: the logits at the prompt's end."""
    sequence.rewind()
    total = nats_of(first, tokens[0])
    for start in range(0, len(tokens) - 1, _CHUNK):
        chunk = tokens[start : min(start + _CHUNK, len(tokens) - 1)]
        session.step(sequence, chunk)
        with engine_errors("reading logits"):
            for row in range(len(chunk)):
                total += nats_of(session.native.logits(row), tokens[start + row + 1])
    return total


def nats_of(logits: NDArray[np.float32], token: int) -> float:
    """Log-softmax at a token."""
    values = logits.astype(np.float64)
    most = values.max()
    return float(values[token] - most - np.log(np.exp(values - most).sum()))
