"""From pixels to words: the whole of lookhere against the whole of transformers, on the built-in model's files.

The reference cuts the image into patches, encodes it, lays out the prompt and steers by itself. It is given lookhere's
answer and asked at every token what it would have said: where it always agrees, its own greedy answer is the same.
"""

from __future__ import annotations

from pathlib import Path

import lookhere
import numpy as np
import pytest
import torch
from lookhere.comics import generate_strip
from lookhere.lab.attention import panel_shares, strip_attention
from lookhere.lab.ranking import Scores
from lookhere.loading.builtin import builtin_head_set
from lookhere.questions import AMBIGUOUS, ordinal
from lookhere.steering.head_set import HeadSet
from steered_attention import SEEN, steered

STRIPS = 17  # x 6 panels
SEED = 7_000_000
CELL = 16  # pixels of an image token
PANELS = 6
TOLERANCE = 2e-3  # of the largest value: the engine computes with half-precision keys and values here


class Reference:
    """Transformers asked about one image."""

    def __init__(self, model, tokenize, image) -> None:  # noqa: ANN001
        self.model, self.tokenize = model, tokenize
        pixels = torch.from_numpy(np.asarray(image.convert("RGB")).copy()).float() / 127.5 - 1
        height, width, _ = pixels.shape
        self.rows, self.cols = height // CELL, width // CELL
        # row and column of a 2 x 2 block, row and column of a patch in it, its pixels; channels before frames
        x = pixels.view(self.rows, 2, 8, self.cols, 2, 8, 3).permute(0, 3, 1, 4, 6, 2, 5)
        x = x.reshape(-1, 3, 1, 8, 8).expand(-1, -1, 2, -1, -1)
        self.patches = x.reshape(len(x), -1)
        self.grid = torch.tensor([[1, 2 * self.rows, 2 * self.cols]])

    def prompt(self, text: str) -> tuple[list[int], int]:
        """-> tokens, and where the image begins."""
        before = self.tokenize("<|im_start|>user\n<|vision_start|>", True)
        pad = self.tokenize("<|image_pad|>", True) * (self.rows * self.cols)
        after = [*self.tokenize("<|vision_end|>", True), *self.tokenize(text, False)]
        return [*before, *pad, *after, *self.tokenize("<|im_end|>\n<|im_start|>assistant\n", True)], len(before)

    @torch.no_grad()
    def logits(self, ids: list[int]) -> torch.Tensor:
        """(tokens, vocabulary)."""
        tokens = torch.tensor([ids])
        return self.model(
            input_ids=tokens, pixel_values=self.patches, image_grid_thw=self.grid, use_cache=False,
            mm_token_type_ids=(tokens == self.model.config.image_token_id).int(),
        ).logits[0]

    def says(self, prompt: str, answer: list[int], heads: HeadSet | None = None, panel: int = 0) -> list[int]:
        """What it would say at each token of an answer, looking at a panel (zero based) with the heads."""
        ids, start = self.prompt(prompt)
        whole = [*ids, *answer]
        bias = {}
        if heads is not None:
            assert heads.mode == "boost_suppress"
            image = torch.full((self.rows, self.cols), -heads.strength)
            wide = self.cols // PANELS
            image[:, panel * wide : (panel + 1) * wide] = heads.strength
            first = {"all": 0, "after_image": start + image.numel() + 1, "answer": len(ids) - 1, "generated": len(ids)}
            acts = torch.zeros(len(whole), len(whole))
            acts[first[heads.queries] :, start : start + image.numel()] = image.ravel()
            bias = dict.fromkeys(heads.heads, acts)
        with steered(bias):
            return self.logits(whole)[len(ids) - 1 : -1].argmax(-1).tolist()


@pytest.fixture(scope="module")
def model(f32: tuple[Path, Path]):  # noqa: ANN201
    with lookhere.load(f32[0], mmproj=f32[1], heads=builtin_head_set(), kv_type="f32", flash_attention="off") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def looks(model, reference):  # noqa: ANN001, ANN201
    """(scene, the same in transformers, strip) of strips that neither was made for."""

    def tokenize(text: str, special: bool) -> list[int]:
        return model.native.tokenize(text, parse_special=special)

    strips = [generate_strip(SEED + k, panels=PANELS, panel_size=64, split="held_out") for k in range(STRIPS)]
    return [(model.look(strip.image), Reference(reference, tokenize, strip.image), strip) for strip in strips]


def test_the_image_is_encoded_alike(looks) -> None:  # noqa: ANN001
    for scene, reference, _ in looks[:4]:
        with torch.no_grad():
            out = reference.model.model.visual(reference.patches, grid_thw=reference.grid)
        want = torch.cat([out.pooler_output, *out.deepstack_features], dim=-1).numpy()
        np.testing.assert_allclose(scene.encoded.embeddings(), want, atol=TOLERANCE * np.abs(want).max())


def test_the_answers_are_the_same(model, looks) -> None:  # noqa: ANN001
    """Unsteered and steered, all of a strip's, for at least 98 % of the strips."""
    heads = model.heads
    same = []
    for scene, reference, _ in looks:
        answers = [
            *((ordinal(k, PANELS), None, scene.describe(ordinal(k, PANELS), gaze=False)) for k in (1, 4)),
            *((AMBIGUOUS, k, each) for k, each in enumerate(
                scene.describe_all([lookhere.Panel(k + 1, PANELS) for k in range(PANELS)], AMBIGUOUS, gaze=False))),
        ]
        alike = True
        for prompt, panel, answer in answers:
            tokens = [step.token for step in answer.steps] + ([model.native.eos_token] if answer.finish == "end" else [])
            said = reference.says(prompt, tokens, heads if panel is not None else None, panel or 0)
            alike = alike and said == tokens
        same.append(alike)
    assert np.mean(same) >= 0.98


def test_discovery_finds_the_same_heads(model, looks) -> None:  # noqa: ANN001
    ours, theirs = [], []
    for scene, reference, strip in looks[:6]:
        ours.append(strip_attention(scene, strip)[0])
        shares = panel_shares(scene, strip.boxes)
        rows = []
        for k in range(PANELS):
            ids, start = reference.prompt(ordinal(k, PANELS))
            reference.logits(ids)
            mass = torch.stack([SEEN[layer][:, -1, start : start + shares.shape[1]] for layer in sorted(SEEN)])
            rows.append(mass.double().numpy() @ shares.T)
        theirs.append(np.stack(rows, axis=2))
    np.testing.assert_allclose(np.mean(ours, 0), np.mean(theirs, 0), atol=1e-3)
    count = len(model.heads.heads)
    ranked = [Scores.of(np.mean(each, 0)) for each in (ours, theirs)]
    assert set(ranked[0].order("guarded")[:count]) == set(ranked[1].order("guarded")[:count])
    np.testing.assert_allclose(ranked[0].guarded, ranked[1].guarded, atol=1e-3)
