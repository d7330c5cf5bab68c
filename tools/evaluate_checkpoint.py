"""Figures of a checkpoint in transformers (eager, float32), with a steering hook of its own.

    python tools/evaluate_checkpoint.py CHECKPOINT [--strips 24] [--heads 20] [--out figures.json --head-set heads.json]

Heads are ranked on calibration strips (training split, other seeds); everything else is measured on
held-out combinations. Greedy decoding; an answer counts only if it is exactly the caption.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import lookhere_source  # noqa: F401
import numpy as np
import questions as Q
import torch
from lookhere.comics import Strip, generate_scene, generate_strip
from steering_hook import HOOK
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration
from vlm import AFTER_PROMPT, BEFORE_IMAGE, CELL, PATCH, Packed, patches

Box = tuple[float, float, float, float]


class Reader:
    """A checkpoint and greedy decoding of a batch of questions about one image."""

    def __init__(self, folder: Path) -> None:
        self.tok = AutoTokenizer.from_pretrained(folder)
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32,
                                                                     attn_implementation="lookhere").eval()
        self.model.model.visual.config._attn_implementation = "eager"
        self.layers = self.model.config.text_config.num_hidden_layers
        self.heads = self.model.config.text_config.num_attention_heads
        self.end = self.tok.convert_tokens_to_ids("<|im_end|>")

    def tokens(self, text: str) -> list[int]:
        return self.tok(text, add_special_tokens=False).input_ids

    def inputs(self, pixels: np.ndarray, prompts: list[str]) -> dict[str, torch.Tensor]:
        """Prompts must have one length in tokens. pixels (height, width, 3), multiples of 16."""
        gh, gw = pixels.shape[0] // PATCH, pixels.shape[1] // PATCH
        count = gh * gw // 4
        before = self.tokens(BEFORE_IMAGE)
        rows = [[*before, *[self.model.config.image_token_id] * count, *self.tokens("<|vision_end|>" + p + AFTER_PROMPT)]
                for p in prompts]
        x = patches(torch.from_numpy(pixels.copy())[None])[0].view(-1, 3, 1, PATCH, PATCH)
        x = x.expand(-1, -1, 2, -1, -1).reshape(gh * gw, -1)
        ids = torch.tensor(rows)
        HOOK.start, HOOK.count = len(before), count
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": x.repeat(len(rows), 1),
                "image_grid_thw": torch.tensor([[1, gh, gw]] * len(rows)),
                "mm_token_type_ids": (ids == self.model.config.image_token_id).int()}

    @torch.no_grad()
    def answer(self, pixels: np.ndarray, prompts: list[str], limit: int,
               before_step: Callable[[int], None] | None = None) -> list[list[int]]:
        """Greedy answers. `before_step(k)` runs before the pass that chooses token k."""
        inputs = self.inputs(pixels, prompts)
        cache = None
        out: list[list[int]] = [[] for _ in prompts]
        done = [False] * len(prompts)
        length = inputs["input_ids"].shape[1]
        if before_step:
            before_step(0)
        result = self.model(**inputs, use_cache=True)
        delta = self.model.model.rope_deltas
        for k in range(limit):
            cache = result.past_key_values
            chosen = result.logits[:, -1].argmax(-1)
            for i, t in enumerate(chosen.tolist()):
                done[i] = done[i] or t == self.end
                if not done[i]:
                    out[i].append(t)
            if all(done) or k + 1 == limit:
                break
            if before_step:
                before_step(k + 1)
            where = (length + k + delta).view(1, -1, 1).expand(3, -1, -1)
            result = self.model(input_ids=chosen[:, None], position_ids=where, past_key_values=cache, use_cache=True,
                                attention_mask=torch.ones(len(prompts), length + k + 1, dtype=torch.long))
        return out

    def text(self, ids: list[int]) -> str:
        return self.tok.decode(ids)


def coverage(box: Box, size: tuple[int, int]) -> torch.Tensor:
    """Share of every token (rows * cols) that a box in pixels covers; the token under its centre if none."""
    cols, rows = size[0] // CELL, size[1] // CELL
    x = np.clip(np.minimum(box[2], (np.arange(cols) + 1) * CELL) - np.maximum(box[0], np.arange(cols) * CELL), 0, None)
    y = np.clip(np.minimum(box[3], (np.arange(rows) + 1) * CELL) - np.maximum(box[1], np.arange(rows) * CELL), 0, None)
    share = np.outer(y, x) / CELL**2
    if share.max() < 1 / 16:
        share[:] = 0
        share[int((box[1] + box[3]) / 2 // CELL), int((box[0] + box[2]) / 2 // CELL)] = 1
    return torch.from_numpy(share.reshape(-1)).float()


def bias_of(share: torch.Tensor, strength: float) -> torch.Tensor:
    return torch.where(share >= 1 / 16, strength + share.clamp_min(1e-9).log(), torch.tensor(-strength))


def panel_bias(strip: Strip, targets: list[int], strength: float) -> torch.Tensor:
    return torch.stack([bias_of(coverage(strip.boxes[k], strip.image.size), strength) for k in targets])


def rank(reader: Reader, seeds: range) -> tuple[torch.Tensor, torch.Tensor]:
    """-> (mass, selectivity), each (layers, heads): the final prompt token's attention when panel k is asked about."""
    a = torch.zeros(reader.layers, reader.heads, 6, 6)
    for seed in seeds:
        strip = generate_strip(seed, split="train")
        inputs = reader.inputs(np.asarray(strip.image), [Q.PAPER_ORDINAL.format(n="six", k=k) for k in Q.ORDINALS])
        HOOK.bias, HOOK.keep = None, True
        with torch.no_grad():
            reader.model(**inputs)
        HOOK.keep = False
        for layer in range(reader.layers):
            a[layer] += HOOK.kept[layer].view(6, reader.heads, 4, 6, 4).sum((2, 4)).permute(1, 0, 2)
    a /= len(seeds)
    diagonal = a.diagonal(dim1=-2, dim2=-1)
    return diagonal.mean(-1), (diagonal / a.sum(-1).clamp_min(1e-9)).mean(-1)


def rank_answers(reader: Reader, seeds: range) -> tuple[torch.Tensor, torch.Tensor]:
    """-> (mass, selectivity), each (layers, heads): attention of a caption's tokens but the first, teacher-forced."""
    packed = Packed(reader.model, reader.tok)
    right = torch.zeros(reader.layers, reader.heads)
    every, rows = right.clone(), 0
    for seed in seeds:
        strip = generate_strip(seed, split="train")
        captions = list(strip.captions)
        group = packed.branches([[(Q.PAPER_AMBIGUOUS, c, True) for c in captions]], [captions], True)
        wanted = group.panels[0] >= 0
        columns = torch.arange(24).repeat(4) // 4
        match = (columns == group.panels[0][..., None]).float()

        def record(_: int, layer: int, seen: torch.Tensor, match: torch.Tensor = match,
                   wanted: torch.Tensor = wanted) -> None:
            right[layer] += ((seen[0] * match).sum(-1) * wanted).sum((1, 2))
            every[layer] += (seen[0].sum(-1) * wanted).sum((1, 2))

        with torch.no_grad():
            packed.hidden(torch.from_numpy(np.asarray(strip.image)[None].copy()), [group], record=record)
        rows += int(wanted.sum())
    return right / rows, right / every.clamp_min(1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--strips", type=int, default=24)
    parser.add_argument("--heads", type=int, default=20)
    parser.add_argument("--strength", type=float, default=5.0)
    parser.add_argument("--rank", choices=("answer", "prompt"), default="answer", help="which tokens' attention ranks")
    parser.add_argument("--sweep", action="store_true", help="also sweep the number of heads")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--head-set", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    reader = Reader(args.checkpoint)
    mass, selectivity = (rank_answers if args.rank == "answer" else rank)(reader, range(5000, 5012))
    # guarded: a head that hardly looks at the image has no say
    score = torch.where(mass > 0.05, selectivity, torch.zeros(()))
    order = [(int(i) // reader.heads, int(i) % reader.heads) for i in score.flatten().argsort(descending=True)]
    gaze = order[: args.heads]
    strips = [generate_strip(700_000 + i, split="held_out") for i in range(args.strips)]
    figures: dict[str, object] = {"heads": gaze, "scores": [round(float(score[h]), 3) for h in gaze]}

    def steered(heads: list[tuple[int, int]], strength: float = args.strength, prompt: str = Q.PAPER_AMBIGUOUS,
                first: str = "all", pick: list[Strip] | None = None) -> tuple[float, float]:
        """-> share of exact answers, share of junk (no panel's caption)."""
        right = junk = total = 0
        for strip in pick if pick is not None else strips:
            pixels = np.asarray(strip.image)
            HOOK.heads, HOOK.bias = heads, panel_bias(strip, list(range(6)), strength)
            HOOK.first = 0
            if first == "answer":
                HOOK.first = len(reader.inputs(pixels, [prompt])["input_ids"][0]) - 1
            got = [reader.text(t) for t in reader.answer(pixels, [prompt] * 6, 20)]
            HOOK.bias = None
            right += sum(g == c for g, c in zip(got, strip.captions, strict=True))
            junk += sum(g not in strip.captions for g in got)
            total += 6
        return round(right / total, 4), round(junk / total, 4)

    def say(name: str, value: object) -> None:
        figures[name] = value
        print(f"{name}: {value}", flush=True)

    say("gaze_heads", [list(h) for h in gaze])
    say("gaze_scores", figures["scores"])
    right = total = lines = 0
    for strip in strips:
        pixels = np.asarray(strip.image)
        got = reader.answer(pixels, [Q.PAPER_ORDINAL.format(n="six", k=k) for k in Q.ORDINALS], 20)
        right += sum(reader.text(g) == c for g, c in zip(got, strip.captions, strict=True))
        told = reader.text(reader.answer(pixels, [Q.NARRATION[0]], 120)[0]).split("\n")
        lines += sum(a == b for a, b in zip(told, strip.captions, strict=False))
        total += 6
    say("ordinal_exact", round(right / total, 4))
    say("narration_exact", round(lines / total, 4))
    if args.sweep:
        for k in (4, 8, 12, 16, 20, 24, 32, 40):
            say(f"steered_exact_{k}_heads", steered(order[:k], pick=strips[:12]))
        for strength in (1.0, 2.0, 3.0, 10.0):
            say(f"steered_exact_strength_{strength:g}", steered(gaze, strength, pick=strips[:12]))
    say("steered_exact", steered(gaze))
    say("steered_exact_queries_answer", steered(gaze, first="answer"))
    say("steered_exact_panel_prompt", steered(gaze, prompt=Q.PAPER_PANEL))
    rng = random.Random(0)
    draws = []
    for _ in range(args.draws):  # layer-matched: as many heads of each layer as the gaze heads have
        layers = [layer for layer, _ in gaze]
        drawn = []
        for layer in sorted(set(layers)):
            others = [h for h in range(reader.heads) if (layer, h) not in gaze]
            drawn += [(layer, h) for h in rng.sample(others, min(len(others), layers.count(layer)))]
        draws.append(steered(drawn, pick=strips[:6]))
    say("random_heads_exact_and_junk", draws)
    say("all_heads_exact_and_junk", steered([(i, h) for i in range(reader.layers) for h in range(reader.heads)],
                                            pick=strips[:6]))
    # a move in the middle of a narration: which caption is the first that starts after it?
    right = total = 0
    for n, strip in enumerate(strips):
        pixels = np.asarray(strip.image)
        rows = [(a, (a + 1 + n % 5) % 6) for a in range(6)]
        HOOK.heads, HOOK.first = gaze, 0
        when = 13

        def step(k: int, strip: Strip = strip, rows: list[tuple[int, int]] = rows, when: int = when) -> None:
            HOOK.bias = panel_bias(strip, [b if k >= when else a for a, b in rows], args.strength)

        for (_, b), ids in zip(rows, reader.answer(pixels, [Q.PAPER_POINTED] * 6, 45, step), strict=True):
            after = reader.text(ids)[len(reader.text(ids[:when])):]
            at_start = reader.text(ids[:when]).endswith("\n")
            parts = after.split("\n") if at_start else after.split("\n")[1:]
            right += bool(parts) and parts[0] == strip.captions[b]
            total += 1
        HOOK.bias = None
    say("move_first_caption_exact", round(right / total, 4))
    # objects of free scenes
    right = first_word = total = 0
    for seed in range(args.strips):
        scene = generate_scene(800_000 + seed, split="held_out")
        pixels = np.asarray(scene.image)
        boxes = [b for _, b in scene.objects]
        HOOK.heads, HOOK.first = gaze, 0
        HOOK.bias = torch.stack([bias_of(coverage(b, scene.image.size), args.strength) for b in boxes])
        for (label, _), ids in zip(scene.objects, reader.answer(pixels, [Q.PAPER_OBJECT] * len(boxes), 12), strict=True):
            right += reader.text(ids) == label
            total += 1
        HOOK.bias = None
    say("scene_box_exact", round(right / total, 4))
    figures.pop("heads")
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1))
    if args.head_set:
        args.head_set.write_text(json.dumps({
            "K": len(gaze), "heads": [list(h) for h in gaze], "strength": args.strength,
            "note": f"ranked by guarded selectivity, tokens of the {args.rank}, 12 calibration strips, transformers; "
                    f"steered exact {figures['steered_exact']}"}))
    assert math.isfinite(args.strength)


if __name__ == "__main__":
    main()
