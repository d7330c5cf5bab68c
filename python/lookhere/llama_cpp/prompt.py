"""A prompt as llama-cpp-python reads it: its images, where their tokens lie, and which of them regions cover."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ImageError, ProjectorError
from ..images.image import Image
from ..prompt.layout import PlacedGrid
from ..regions.region import Region
from ..scenes.conversation import by_image
from ..steering.aim import Aim
from ..steering.steering import Steering
from ..tokens.coverage import coverage, target
from ..tokens.frame import Frame
from ..tokens.grid import Map, TokenGrid
from . import native


@dataclass(frozen=True, eq=False)
class Prompt:
    """images: in the order of the messages. frames: what the model sees of each. grids: where their token grids lie, in
    the same order. tokens: all. end: position of the first generated token. image_end: position after the last image.
    """

    images: tuple[Image, ...]
    frames: tuple[Frame, ...]
    grids: tuple[PlacedGrid, ...]
    tokens: int
    end: int
    image_end: int

    @classmethod
    def read(cls, mtmd: Any, context: Any, chunks: Any, images: Sequence[Image]) -> Prompt:
        """Out of the chunks of a prompt, whose images bear their numbers from 1. mtmd: llama_cpp.mtmd_cpp.

        ProjectorError where it is not known what the image tokens show.
        """
        own: list[list[TokenGrid]] = [[] for _ in images]
        grids, tokens, at, image_end = [], 0, 0, 0
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            count = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                shown = mtmd.mtmd_input_chunk_get_tokens_image(chunk)
                found = native.geometry(shown, count)
                if found is None:
                    raise ProjectorError(
                        "This projector does not say where its tokens lie in the image, so that no region can be "
                        "looked at; docs/families.md names the models that can be steered."
                    )
                grid, cells = found
                own[int(mtmd.mtmd_input_chunk_get_id(chunk)) - 1].append(grid)
                plain = _is_plain(mtmd, context, shown, cells)
                grids.append(PlacedGrid(at, grid.rows, grid.cols, None if plain else cells))
                image_end = at + mtmd.mtmd_input_chunk_get_n_pos(chunk)
            tokens += count
            at += mtmd.mtmd_input_chunk_get_n_pos(chunk)
        frames = (Frame(each.width, each.height, tuple(held)) for each, held in zip(images, own, strict=True))
        return cls(tuple(images), tuple(frames), tuple(grids), tokens, at, image_end)

    def aim(self, steering: Steering, image: Image | None) -> Aim:
        """A steering with what it covers here. image: the one that is meant, wherever it is shown; None for the only
        one, or those that the regions name. ImageError where it is not among them; RegionError."""
        places = self._places(steering.regions, image)
        covered: list[Map] = []
        targets: list[Map] = []
        for number, frame in enumerate(self.frames, 1):
            if number in places:
                placed = frame.placed(places[number])
                shares = coverage(placed, frame.grids)
                targets += target(placed, frame.grids, shares)
                covered += shares
            else:
                nothing = [np.zeros((grid.rows, grid.cols), np.float32) for grid in frame.grids]
                covered, targets = covered + nothing, targets + nothing
        return Aim(steering, tuple(covered), tuple(targets))

    def first_query(self, aim: Aim) -> int:
        """First position that an aim steers."""
        return aim.push.first_query(image_end=self.image_end, prompt_end=self.end)

    def _places(self, regions: Sequence[Region], image: Image | None) -> dict[int, list[Region]]:
        if not self.images:
            raise ImageError(
                "The messages show no image, and this Llama is steered to a place in one. Ask about the image, or "
                "leave the with block of steer() first."
            )
        if image is None:
            return by_image(regions, len(self.images))
        numbers = [
            number for number, each in enumerate(self.images, 1) if each.fingerprint == image.fingerprint
        ]  # fmt: skip
        if not numbers:
            sizes = ", ".join(f"{each.width} x {each.height}" for each in self.images[:8])
            raise ImageError(
                f"steer() was given the image {image.name} of {image.width} x {image.height} pixels, which the "
                f"messages do not show; they show {len(self.images)} of {sizes} pixels. Send the same file, neither "
                "resized nor compressed anew; or leave image= out where the messages show one image."
            )
        return {number: list(regions) for number in numbers}


def tail(mtmd: Any, context: Any, bitmap: Any) -> int:
    """Tokens of the text that belongs behind an image, as the end of vision."""
    marker = mtmd.mtmd_default_marker()
    text = mtmd.mtmd_input_text()
    text.text, text.text_len, text.add_special, text.parse_special = marker, len(marker), False, True
    chunks = mtmd.mtmd_input_chunks_init()
    try:
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        if mtmd.mtmd_tokenize(context, chunks, ctypes.byref(text), bitmaps, 1):
            return 0
        last = mtmd.mtmd_input_chunks_get(chunks, mtmd.mtmd_input_chunks_size(chunks) - 1)
        is_text = mtmd.mtmd_input_chunk_get_type(last) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT
        return int(mtmd.mtmd_input_chunk_get_n_tokens(last)) if is_text else 0
    finally:
        mtmd.mtmd_input_chunks_free(chunks)


def _is_plain(mtmd: Any, context: Any, shown: Any, cells: Any) -> bool:
    """Whether token i shows cell i, and with M-RoPE all share one position, as a grid's do."""
    if not np.array_equal(cells, np.arange(len(cells))):
        return False
    if not mtmd.mtmd_decode_use_mrope(context):
        return True
    return all(mtmd.mtmd_image_tokens_get_decoder_pos(shown, 0, i).t == 0 for i in range(len(cells)))
