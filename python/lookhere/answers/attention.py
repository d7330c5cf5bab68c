"""The attention of all heads over a whole answer: what it takes, and one file of it that NumPy reads by itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import checks, limits
from ..atomic import replacing
from ..errors import OptionError
from ..steering.head_set import Head
from ..tokens.gaze import GridMaps
from ..tokens.grid import TokenGrid
from ..tokens.text_grid import TextGrid


def check_memory(heads: Sequence[Head], grids: Sequence[TokenGrid], steps: int) -> None:
    """OptionError where the attention of these heads over so many tokens of an answer takes more than it may."""
    each = 2 * len(heads) * sum(grid.tokens for grid in grids)
    if each * steps > limits.ATTENTION_BYTES:
        raise OptionError(
            f"head_gaze='all' takes {each / 2**20:.1f} MiB for each token of the answer, and for {steps} tokens "
            f"{each * steps / 2**30:.1f} GiB; expected at most {limits.ATTENTION_BYTES / 2**30:g} GiB. Give max_tokens "
            f"up to {limits.ATTENTION_BYTES // each}, or limit the image with load(max_image_tokens=...)."
        )


def save_attention(
    path: str | os.PathLike[str], maps: GridMaps, *, tokens: Sequence[int], texts: Sequence[str], prompt: str
) -> None:
    """Writes an ``.npz`` without pickles, whole or not at all.

    attention, attention_2, ...: (token, layer, head, row, col) float16 of each token grid. grids: (grids, 4) pixels x0,
    y0, x1, y1 that each covers; grid_image: (grids,) which image it is of, from 0. images: (images, 2) width and height
    in pixels; of a text its characters and 1. edges, edges_2, ...: (col + 1,) characters where the tokens of a text
    begin and end, by the number of its grid.
    tokens, texts: (tokens,) ids, and what each adds to the answer (NumPy drops a NUL at the end of a text).
    prompt: the question. OptionError where the file cannot be written.
    """
    arrays: dict[str, Any] = {
        f"attention_{number}" if number > 1 else "attention": each for number, each in enumerate(maps, 1)
    }
    grids = [(index, grid) for index, frame in enumerate(maps.frames) for grid in frame.grids]
    arrays["grids"] = np.array([(grid.x0, grid.y0, grid.x1, grid.y1) for _, grid in grids], np.float64)
    arrays["grid_image"] = np.array([index for index, _ in grids], np.int64)
    for number, (_, grid) in enumerate(grids, 1):
        if isinstance(grid, TextGrid):
            arrays[f"edges_{number}" if number > 1 else "edges"] = np.array(grid.edges, np.float64)
    arrays["images"] = np.array([(frame.width, frame.height) for frame in maps.frames], np.int64)
    arrays["tokens"] = np.array(tokens, np.int64)
    arrays["texts"] = np.array(texts, np.str_)
    arrays["prompt"] = np.array(prompt, np.str_)
    target = checks.path("path", path, error=OptionError)
    try:
        with replacing(target) as file:
            np.savez(file, **arrays)
    except (OSError, ValueError) as error:
        raise OptionError(f"The attention cannot be saved as {checks.short(path)}: {checks.reason(error)}.") from error
