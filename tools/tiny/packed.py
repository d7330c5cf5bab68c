"""Packed: several questions about one image in one row, through transformers' own language model.

Every question sees the prompt's start with the image and itself, at the positions that it would have alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from asked import Slot
from shape import IMAGE
from torch import Tensor


class Packed:
    """family: one of the three models, with what stands before a question."""

    def __init__(self, family: Any) -> None:
        self.family = family
        self.before = torch.tensor(family.before)
        self.image = self.before == IMAGE
        self.half: Tensor | None = None
        self.looks: Tensor | None = None
        layers = family.language.layers
        layers[len(layers) // 2 - 1].register_forward_hook(self._keep)

    def _keep(self, _module: Any, _given: Any, out: Any) -> None:
        self.half = out[0] if isinstance(out, tuple) else out

    def hidden(
        self, image: Tensor, slots: Sequence[Slot], *, blind: bool, watch: bool = False
    ) -> tuple[list[Tensor], list[Tensor]]:
        """image (n, tokens, hidden) -> for each slot (n, length, hidden) at the end and after half of the layers.

        blind: only a question's last token and its answer see the image, and image tokens do not see one another.
        Else a question's words, or the last image tokens, gather what all panels show, and nothing is left to be
        steered. watch: `looks` gets how much every head looks.
        """
        embed = self.family.language.embed_tokens
        start = embed(self.before.clamp(min=0)).expand(len(image), -1, -1).clone()
        start[:, self.image] = image.to(start.dtype)
        x = torch.cat([start, *[embed(slot.ids) for slot in slots]], 1)
        shape = tuple((slot.ids.shape[1], slot.start) for slot in slots)
        positions, mask = self._mask(shape, blind)
        self.family.language.set_attn_implementation("eager" if watch else "sdpa")
        out = self.family.language(
            inputs_embeds=x, attention_mask=mask, position_ids=positions, use_cache=False, output_attentions=watch
        )
        if watch:
            rows = torch.cat([torch.arange(length) >= (start if blind else 0) for length, start in shape])
            first = len(self.before)
            on_image = [each[:, :, first:][:, :, rows][..., :first][..., self.image] for each in out.attentions]
            self.looks = torch.stack([each.sum(-1).mean((0, 2)) for each in on_image])
        sizes = [len(self.before), *[length for length, _ in shape]]
        assert self.half is not None
        return list(out.last_hidden_state.split(sizes, 1))[1:], list(self.half.split(sizes, 1))[1:]

    @lru_cache(maxsize=256)  # noqa: B019
    def _mask(self, shape: tuple[tuple[int, int], ...], blind: bool) -> tuple[Tensor, Any]:
        first = len(self.before)
        lengths = [first, *[length for length, _ in shape]]
        owner = torch.cat([torch.full((length,), k) for k, length in enumerate(lengths)])
        positions = torch.cat([torch.arange(first), *[first + torch.arange(length) for length, _ in shape]])
        image = torch.cat([self.image, torch.zeros(len(owner) - first, dtype=torch.bool)])
        answer = torch.cat([torch.zeros(first, dtype=torch.bool),
                            *[torch.arange(length) >= start for length, start in shape]])  # fmt: skip
        back = positions[:, None] - positions[None]
        sees = ((owner[None] == owner[:, None]) | (owner[None] == 0)) & (back >= 0)
        same = image[:, None] & image[None]  # one image, or one tile after the other
        if self.family.bidirectional:
            sees |= same
        if blind:
            sees &= ~image[None] | answer[:, None] | (back == 0)
        if self.family.window is None:
            return positions[None], _additive(sees)
        near = sees & ((back < self.family.window) | (same if self.family.bidirectional else torch.zeros_like(same)))
        return positions[None], {"full_attention": _additive(sees), "sliding_attention": _additive(near)}


def _additive(sees: Tensor) -> Tensor:
    return torch.zeros(sees.shape).masked_fill(~sees, torch.finfo(torch.float32).min)[None, None]
