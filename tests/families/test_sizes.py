"""The same grids as transformers, for 1,000 sizes of each family: by the size functions of its image processors, since
those that cut tensors need torchvision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from layouts import layout
from pairs import RECIPES, Family, engine, made

pytest.importorskip("transformers", reason="the extra `reference` is not installed")

COUNT = 1000
Grids = list[tuple[int, int]]


class Reference(NamedTuple):
    """grids: (height, width) -> (rows, cols) of each grid, in the order of the prompt. tokens: at least and at most, by
    the image processor's own pixels; None: as the file has it."""

    grids: Callable[[int, int], Grids]
    tokens: tuple[int, int] | None = None


def scaled(resize: Callable[[int, int], tuple[int, int]], cell: int) -> Callable[[int, int], Grids]:
    """One grid of cells over an image that is resized to (height, width)."""

    def grids(height: int, width: int) -> Grids:
        high, wide = resize(height, width)
        return [(high // cell, wide // cell)]

    return grids


def tiled(rows: int, cols: int, each: int) -> Grids:
    """Tiles of each x each tokens, and an overview; the overview alone where it is the only tile."""
    return [(each, each)] * (rows * cols + 1 if rows * cols > 1 else 1)


def qwen(cell: int, least: int, most: int) -> Reference:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    area = cell * cell
    return Reference(scaled(lambda h, w: smart_resize(h, w, cell, least * area, most * area), cell), (least, most))


def glm() -> Reference:
    from transformers.models.glm4v.image_processing_pil_glm4v import smart_resize

    return Reference(scaled(lambda h, w: smart_resize(2, h, w, 2, 28, 12544, 9633792), 28), (8, 6144))


def hunyuan() -> Reference:
    from transformers.models.hunyuan_vl.image_processing_pil_hunyuan_vl import smart_resize

    return Reference(scaled(lambda h, w: smart_resize(h, w, 32, 512 * 512, 2048 * 2048), 32))


def paddle() -> Reference:
    from transformers.models.paddleocr_vl.image_processing_pil_paddleocr_vl import smart_resize

    return Reference(scaled(lambda h, w: smart_resize(h, w, 28, 147384, 2822400), 28))


def gemma4() -> Reference:
    from transformers.models.gemma4.image_processing_pil_gemma4 import get_aspect_ratio_preserving_size as resize

    return Reference(scaled(lambda h, w: resize(h, w, 16, 280 * 9, 3), 48))


def pixtral(patch: int, longest: int) -> Reference:
    from transformers.models.pixtral.image_processing_pil_pixtral import get_resize_output_image_size

    def resize(height: int, width: int) -> tuple[int, int]:
        image = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (height, width, 3), (0, 0, 0))
        return get_resize_output_image_size(image, longest, patch, "channels_last")

    return Reference(scaled(resize, patch), (1, (longest // patch) ** 2))


def smolvlm() -> Reference:
    from transformers import SmolVLMImageProcessorPil

    processor = SmolVLMImageProcessorPil(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512})

    def grids(height: int, width: int) -> Grids:
        _, rows, cols = processor.get_number_of_image_patches(height, width)
        return tiled(rows, cols, 8)

    return Reference(grids)


def internvl() -> Reference:
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    def grids(height: int, width: int) -> Grids:
        cols, rows = get_optimal_tiled_canvas((height, width), (448, 448), 1, 12)
        return tiled(rows, cols, 16)

    return Reference(grids)


def llava_next() -> Reference:
    from transformers.image_processing_utils import select_best_resolution

    pinpoints = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]

    def grids(height: int, width: int) -> Grids:
        high, wide = select_best_resolution((height, width), pinpoints)
        return tiled(high // 336, wide // 336, 24)

    return Reference(grids)


def minicpm() -> Reference:
    from transformers import MiniCPMV4_6ImageProcessorPil

    processor = MiniCPMV4_6ImageProcessorPil()

    def grids(height: int, width: int) -> Grids:
        grid = processor.get_sliced_grid((height, width), 9, 448)
        over = processor.find_best_resize((height, width), 448, 14, "16x", allow_upscale=grid is None)
        found = [(over[0] // 56, over[1] // 56)]
        if grid is not None:
            high, wide = processor.get_refine_size((height, width), grid, 448, 14, "16x", allow_upscale=True)
            found += [(high // grid[0] // 56, wide // grid[1] // 56)] * (grid[0] * grid[1])
        return found

    return Reference(grids)


def fixed(side: int) -> Reference:
    return Reference(lambda height, width: [(side, side)])


REFERENCES: dict[str, Callable[[], Reference]] = {
    "llava-1.5": lambda: fixed(24),
    "gemma3": lambda: fixed(16),
    "janus-pro": lambda: fixed(24),
    "qwen2-vl": lambda: qwen(28, 4, 16384),
    "qwen2.5-vl": lambda: qwen(28, 4, 16384),
    "qwen3-vl": lambda: qwen(32, 64, 16384),
    "qwen3.5": lambda: qwen(32, 64, 16384),
    "qwen2.5-omni": lambda: qwen(28, 4, 16384),
    "dots.ocr": lambda: qwen(28, 4, 14400),
    "mimo-vl": lambda: qwen(32, 8, 8192),
    "glm-4.1v": glm,
    "hunyuan-vl": hunyuan,
    "paddleocr": paddle,
    "gemma4": gemma4,
    "pixtral": lambda: pixtral(16, 1024),
    "mistral3": lambda: pixtral(28, 1540),
    "lightonocr": lambda: pixtral(28, 1540),
    "smolvlm": smolvlm,
    "internvl": internvl,
    "llava-next": llava_next,
    "minicpm-v-4.6": minicpm,
}

NO_REFERENCE = {
    "exaone-4.5": "not compared yet; the grid is proved by brute force alone",
    "muse-glimmer": "its processor needs torchvision; the grid is proved by brute force alone",
    "phi-4": "its processor is not in transformers; the grid is proved by brute force alone",
    **dict.fromkeys(
        ("mobilevlm", "mobilevlm-v2", "glm-edge-v", "cogvlm", "nemotron-v2-vl", "reka-edge"),
        "one square of fixed size, whatever the image; where its tokens lie is proved by brute force",
    ),
    "kimi-vl": "its processor is not in transformers; the model is refused, too",
    "lfm2-vl": "its processor needs torchvision; the tiles are proved by brute force alone",
    "llama4": "its processor needs torchvision; the tiles are proved by brute force alone",
    "minicpm-v-2.6": "its processor is not in transformers; the slices are proved by brute force alone",
    "step3-vl": "its processor is not in transformers; the patches are proved by brute force alone",
}
"""Families without a size function to compare with, and what stands in for it."""


def sizes(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """(width, height) from 30 to 3,000 pixels, as many small as large ones; at most 20 to 1."""
    found: list[tuple[int, int]] = []
    while len(found) < count:
        width, height = (int(math.exp(rng.uniform(math.log(30), math.log(3000)))) for _ in range(2))
        if max(width, height) <= 20 * min(width, height):
            found.append((width, height))
    return found


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_the_grids_are_those_of_transformers(name):
    """At most one row and one column differ, in at most 5 % of the sizes: exact halves of a token are rounded to even
    there and up here, as one of 28 edges is."""
    reference = REFERENCES[name]()
    folder = made(name)
    family = Family(name, folder / "model.gguf", folder / "mmproj.gguf")
    least, most = reference.tokens or (0, 0)
    projector = engine.Projector(str(family.projector_path), family.model, threads=1, min_tokens=least, max_tokens=most)
    compared = differing = 0
    for width, height in sizes(np.random.default_rng(0), COUNT):
        try:
            expected = reference.grids(height, width)
        except ValueError:  # it refuses the size
            continue
        found = layout(projector, width, height)
        compared += 1
        differing += found != expected
        assert len(found) == len(expected), (width, height, found, expected)
        apart = np.abs(np.array(found, int) - np.array(expected, int))
        assert apart.max() <= 1, (width, height, found, expected)
    assert compared > 0.9 * COUNT
    assert differing <= 0.05 * compared


def test_every_family_is_compared_or_listed():
    assert sorted([*REFERENCES, *NO_REFERENCE]) == sorted(RECIPES)
