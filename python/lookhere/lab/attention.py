"""Reading where all heads look, panel by panel, while a model is asked about a strip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..engine import engine_errors
from ..layout import lay_out
from ..questions import ordinal
from ..region import Box
from .checkpoint import Checkpoint
from .ranking import Tally

if TYPE_CHECKING:
    from ..comics import Strip
    from ..model import Model
    from ..scene import Scene

Progress: TypeAlias = Callable[[int], None]
"""Called with the number of strips that are done."""

GENERATED_TOKENS = 24
"""Length of an answer of the model's own, where a panel's caption is not known."""

_CHUNK_VALUES = 1 << 24
"""Attention values of a teacher-forced chunk of the answer, at most."""


def tally_attention(
    model: Model,
    strips: Iterable[Strip],
    panels: int,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: Progress = lambda done: None,
) -> Tally:
    """Panel attention of all heads over strips of ``panels`` panels, one prefill per (strip, panel).

    The image is encoded and read once per strip. With a checkpoint of the same work the strips that are in it are
    drawn, but not asked again. LookhereError of the model.
    """
    tally = Tally(model.layers, model.heads_per_layer, panels, seed=seed)
    if checkpoint is not None:
        if checkpoint.arrays:
            tally.restore(checkpoint.arrays)
        checkpoint.arrays = tally.arrays()
    done = tally.strips
    progress(done)
    for index, strip in enumerate(strips):
        if index < done:
            continue
        scene = model.look(strip.image)
        tally.add(*strip_attention(scene, strip))
        progress(tally.strips)
        if checkpoint is not None:
            checkpoint.touch()
    if checkpoint is not None:
        checkpoint.write()
    return tally


def strip_attention(scene: Scene, strip: Strip) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(layers, heads, panels asked about, panels attended to) mass at the final prompt token and over the answer."""
    shares = panel_shares(scene, strip.boxes)
    panels = len(strip.boxes)
    rows = [
        question_attention(scene, ordinal(k, panels), shares, strip.captions[k] if strip.captions else None)
        for k in range(panels)
    ]
    at_prompt, over_answer = (np.stack(each, axis=2) for each in zip(*rows, strict=True))
    return at_prompt, over_answer


def panel_shares(scene: Scene, boxes: Sequence[tuple[float, float, float, float]]) -> NDArray[np.float64]:
    """(panels, image tokens): the coverage of every panel."""
    maps = [scene.coverage(Box(*box)) for box in boxes]
    return np.stack([np.concatenate([each.ravel() for each in grids]) for grids in maps]).astype(np.float64)


def question_attention(
    scene: Scene, prompt: str, shares: NDArray[np.float64], caption: str | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(layers, heads, panels) mass of one question: of its last token, and averaged over the answer's tokens.

    shares: (panels, image tokens). caption: the answer that is forced on the model, None for its own greedy one. Every
    row is reduced to panels as soon as it is read.
    """
    from lookhere import _engine

    model, session = scene.model, scene.model.session
    layout = lay_out(model.native, model.template, scene.encoded, prompt, None)
    forced = model.native.tokenize(caption, parse_special=False) if caption else []
    cancel = _engine.CancelFlag()

    def on_panels(row: int) -> NDArray[np.float64]:
        mass = session.native.attention(row)
        return np.asarray(mass.astype(np.float64) @ shares.T)

    session.acquire(cancel)
    try:
        session.prefill(
            layout, [(None, ())], room=len(forced) or GENERATED_TOKENS, probe=range(model.layers), cancel=cancel
        )
        with engine_errors("reading attention"):
            at_prompt = on_panels(-1)
            answer = np.zeros_like(at_prompt)
            read = 0
            at_once = max(1, min(16, _CHUNK_VALUES // (model.layers * model.heads_per_layer * shares.shape[1])))
            for start in range(0, len(forced), at_once):
                chunk = forced[start : start + at_once]
                session.decode(chunk, cancel)
                for row in range(len(chunk)):
                    answer += on_panels(row)
                read += len(chunk)
            if not forced:
                sampler = _engine.Sampler()
                while read < GENERATED_TOKENS and not model.native.is_end(token := sampler.sample(session.native)):
                    session.decode([token], cancel)
                    answer += on_panels(-1)
                    read += 1
        return at_prompt, answer / read if read else at_prompt
    finally:
        session.release()
