"""Compares the packed forward pass with transformers' own, question by question.

    python tools/check_packed.py CHECKPOINT
"""

from __future__ import annotations

import sys

import lookhere_source  # noqa: F401
import numpy as np
import questions as Q
import torch
from lookhere.comics import generate_strip
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from vlm import AFTER_PROMPT, BEFORE_IMAGE, PATCH, Packed, patches


def full_inputs(packed: Packed, pixels: torch.Tensor, prompt: str, answer: list[int]) -> dict[str, torch.Tensor]:
    """transformers' inputs for one image (1, h, w, 3) and one question."""
    _, height, width, _ = pixels.shape
    gh, gw = height // PATCH, width // PATCH
    ids = [*packed.tokens(BEFORE_IMAGE), *[packed.model.config.image_token_id] * (gh * gw // 4), packed.after_image,
           *packed.tokens(prompt), *packed.tokens(AFTER_PROMPT), *answer]
    x = patches(pixels)[0].view(-1, 3, 1, PATCH, PATCH).expand(-1, -1, 2, -1, -1).reshape(gh * gw, -1)
    row = torch.tensor([ids])
    return {"input_ids": row, "attention_mask": torch.ones_like(row), "pixel_values": x,
            "image_grid_thw": torch.tensor([[1, gh, gw]]),
            "mm_token_type_ids": (row == packed.model.config.image_token_id).int()}


@torch.no_grad()
def main() -> None:
    tok = AutoTokenizer.from_pretrained(sys.argv[1])
    model = Qwen3VLForConditionalGeneration.from_pretrained(sys.argv[1], dtype=torch.float32,
                                                            attn_implementation="eager").eval()
    packed = Packed(model, tok)
    worst = 0.0
    for panels, rows in ((6, 1), (6, 2), (3, 1)):
        strip = generate_strip(5, panels=panels, rows=rows)
        pixels = torch.from_numpy(np.asarray(strip.image)[None].copy())
        asked = [Q.Question(Q.AMBIGUOUS[i], strip.captions[i], True, (i,), False) for i in range(3)]
        group = packed.branches([asked])
        ours = packed.logits(packed.hidden(pixels, [group])[0])[0]
        for j, q in enumerate(asked):
            body = packed.tokens(q.answer)
            theirs = model(**full_inputs(packed, pixels, q.prompt, body)).logits[0]
            want = theirs[-len(body) - 1:]
            first = int((group.targets[0, j] >= 0).nonzero()[0])
            worst = max(worst, float((ours[j, first:first + len(body) + 1] - want).abs().max()))
    print(f"largest difference of logits: {worst:.2e}")
    if worst > 1e-3:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
