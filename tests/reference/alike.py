"""One prompt with a forced answer, in the product and in transformers, and by how much the two differ."""

from __future__ import annotations

from typing import NamedTuple

import lookhere
import numpy as np
import torch
from lookhere import Steering
from lookhere.kv.sequence import KvSequence
from lookhere.lab.view import View
from lookhere.prompt.layout import Layout
from steered_attention import NATURAL, SEEN

QUESTION = "Repeat one of the sentences above."
EXACT, EXACT_ATTENTION = 5e-4, 3e-5
"""Most that logits and shares of attention may differ by in float32: some ten times what they do."""


class Found(NamedTuple):
    """Of the prompt's last token and of each token of an answer but its last. logits: (rows, vocabulary). natural, acted:
    (rows, layers, heads, tokens that are looked at)."""

    logits: np.ndarray
    natural: np.ndarray
    acted: np.ndarray


def in_engine(scene: lookhere.Scene, at: Steering | None, answer: list[int]) -> Found:
    """Through the session that answers come from: the prompt at once, the answer token by token."""
    model = scene.model
    sequence = KvSequence(View(scene, QUESTION).layout(), scene.aim(at) if at else None, room=len(answer), layers=range(model.layers))
    rows = []
    try:
        with model.session.turn():
            for tokens in ([], *([each] for each in answer[:-1])):
                model.session.step(sequence, *([tokens] if tokens else []))
                native = model.session.native
                rows.append((native.logits(), native.attention(-1), native.attention(-1, steered=True)))
    finally:
        sequence.closed = True
    return Found(*map(np.stack, zip(*rows, strict=True)))


def in_torch(reference, layout: Layout, answer: list[int]) -> Found:  # noqa: ANN001
    """In one pass. What is read of attention is the tokens that show a cell of a grid."""
    rows, cells = [], []
    for index, item in enumerate(layout.items):
        if isinstance(item, int):
            rows.append(reference.model.embed_tokens(torch.tensor([item])))
            cells.append(any(index in run for run in layout.documents) or index in getattr(layout, "run", ()))
            continue
        image, used = torch.from_numpy(item.embeddings()), 0
        for part in item.parts:
            if part.grid is None:
                rows.append(reference.model.embed_tokens(torch.tensor(part.text)))
            else:
                assert part.cells is None
                rows.append(image[used : used + part.tokens])
                used += part.tokens
            cells += [part.grid is not None] * part.tokens
    embeds = torch.cat([*rows, reference.model.embed_tokens(torch.tensor(answer[:-1], dtype=torch.long))])
    first = layout.tokens - 1
    with torch.no_grad():
        logits = reference(inputs_embeds=embeds[None], use_cache=False, logits_to_keep=len(embeds) - first).logits[0]
    shown = torch.tensor(cells).nonzero().flatten()
    both = [torch.stack([kept[layer][:, first:][..., shown] for layer in sorted(kept)]) for kept in (NATURAL, SEEN)]
    return Found(logits.numpy(), *(each.permute(2, 0, 1, 3).numpy() for each in both))


def bias_of(scene: lookhere.Scene, at: Steering, answer: list[int], queries: str = "answer") -> torch.Tensor:
    """(tokens, tokens) nats, by hand: so many, and the logarithm of how much of a token is covered; on the rest as many less."""
    layout = View(scene, QUESTION).layout()
    keys = layout.tokens + len(answer) - 1
    covered = np.concatenate([each.ravel() for each in scene.target(at.regions)])
    nats = np.where(covered > 0, at.strength + np.log(np.maximum(covered, 1e-9)), -at.strength)
    first_row, starts = {"all": 0, "answer": layout.tokens - 1}[queries], [grid.position for grid in layout.grids]
    out = torch.zeros(keys, keys)
    out[first_row:, starts[0] : starts[0] + len(nats)] = torch.from_numpy(nats.astype(np.float32))
    return out


def apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other).max())


def close(engine: Found, torchs: Found, what: str, acted: float = EXACT_ATTENTION) -> None:
    """Says by how much they differ, by layer where it is about attention. acted: the most that it may as it acted."""
    layers = np.abs(engine.natural - torchs.natural).max(axis=(0, 2, 3))
    print(f"\n{what}: logits {apart(engine.logits, torchs.logits):.2g}; natural attention {layers.max():.2g}, as it acted "
          f"{apart(engine.acted, torchs.acted):.2g}; by layer {' '.join(f'{each:.1g}' for each in layers)}")  # fmt: skip
    np.testing.assert_allclose(engine.logits, torchs.logits, atol=EXACT)
    np.testing.assert_allclose(engine.natural, torchs.natural, atol=EXACT_ATTENTION)
    np.testing.assert_allclose(engine.acted, torchs.acted, atol=acted)
