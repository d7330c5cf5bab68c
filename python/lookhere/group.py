"""Several answers about one scene, computed together: every step is one batch with a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import ContextError
from .stream import Answer, Run, Step, answer_of, joined

if TYPE_CHECKING:
    from . import _engine


def all_joined(runs: Sequence[Run], cancel: _engine.CancelFlag) -> list[Answer]:
    """Reads runs of one scene and prompt, which differ in where they look, to their ends.

    As many together as the steering and the context allow. CancelledError; the errors of the runs' steps.
    """
    answers: list[Answer] = []
    while len(answers) < len(runs):
        rest = runs[len(answers) :]
        first = rest[0]
        count = first.session.at_once(first.layout, [run.steering for run in rest], first.room)
        if count > 1:
            with suppress(ContextError):  # memory may hold one where it does not hold several
                answers += _together(rest[:count], cancel)
                continue
        answers.append(joined(first))
    return answers


def _together(runs: Sequence[Run], cancel: _engine.CancelFlag) -> list[Answer]:
    first = runs[0]
    steps: list[list[Step]] = [[] for _ in runs]
    layers = sorted({layer for run in runs for layer in run.layers})
    first.session.acquire(cancel)
    try:
        first.session.prefill(first.layout, [run.look for run in runs], room=first.room, probe=layers, cancel=cancel)
        going = list(range(len(runs)))
        while going:
            for row, k in enumerate(going):
                step = runs[k].choose(row)
                if step is not None:
                    steps[k].append(step)
            going = [k for k in going if runs[k].finish is None]
            if going:
                first.session.decode_each([steps[k][-1].token for k in going], going, cancel)
    finally:
        first.session.release()
    return [answer_of(run, each, run.finish) for run, each in zip(runs, steps, strict=True)]
