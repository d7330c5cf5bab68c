"""Heads as a grid of layers and heads, for a notebook."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..images import markup
from ..images.heat_colours import colours
from ..images.inline import inline

LARGEST = 100_000
"""Heads of a model that are still drawn."""
_CELL = 10
"""Pixels of a head."""


def head_grid(
    told: str, layers: int, heads: int, steered: Sequence[tuple[int, int]], readers: Sequence[tuple[int, int]] = ()
) -> str:
    """HTML: what is told, and a row for each layer. Steered heads are bright, the best most; readers are darker."""
    if layers * heads > LARGEST:
        return markup.block(markup.small(told))
    from PIL import Image as pillow

    values = np.zeros((layers, heads))
    for layer, head in readers:
        values[layer, head] = 0.4
    for rank, (layer, head) in enumerate(steered):
        values[layer, head] = 1 - 0.35 * rank / len(steered)
    size = f"width: {_CELL * heads}px; aspect-ratio: {heads} / {layers}"
    grid = markup.picture(
        inline(pillow.fromarray(colours(values))), "heads of each layer", f"image-rendering: pixelated; {size}"
    )
    key = f"bright: steered{', darker: readers' if readers else ''}"
    return markup.block(
        markup.small(told),
        grid,
        markup.small(f"rows: layer 0 to {layers - 1}; columns: head 0 to {heads - 1}; {key}"),
    )
