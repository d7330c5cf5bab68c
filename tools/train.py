"""Trains the built-in model on the CPU, by curriculum, until a wall-clock budget is used up.

    python tools/train.py DATA OUT --minutes 95 [--resume]

One process per core, each with one thread and questions of its own, averages gradients every step: on a
machine that others use too, threads that wait for each other inside every operation cost ten times more.

Phases: the vision tower alone learns to tell which words a panel's caption has (seven times cheaper than
learning it through the language model; the classifier is thrown away); then one panel; up to three; up to
six; then every layout and free scenes. A phase ends when its loss on
questions that have one right answer is low, or at its share of the budget. OUT gets checkpoint/ (an
ordinary transformers folder), state.pt (to resume) and log.jsonl; a file OUT/keep asks for a checkpoint now.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import time
from pathlib import Path

import lookhere_source  # noqa: F401
import numpy as np
import questions as Q
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from lookhere.comics import generate_strip
from PIL import Image
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from vlm import CELL, SECTIONS, Packed, new_model, patches, save, train_tokenizer

# name, latest end (share of the budget), loss that ends it early
PHASES = (("see", 0.30, 0.8), ("one", 0.38, 0.06), ("three", 0.45, 0.06), ("six", 0.65, 0.03), ("all", 1.0, -1.0))


class Data:
    """The pool of `make_data.py`, and batches of one layout drawn from it."""

    def __init__(self, folder: Path) -> None:
        self.small = np.load(folder / "small.npy")
        self.large = np.load(folder / "large.npy")
        self.meta = {k: json.loads((folder / f"{k}.json").read_text()) for k in ("small", "large")}
        self.by_style = {k: {s: [i for i, t in enumerate(m["styles"]) if t == s] for s in ("colour", "ink", "sepia")}
                         for k, m in self.meta.items()}
        objects = json.loads((folder / "scenes.json").read_text())
        self.scenes = {k: (np.load(folder / f"scenes_{k}.npy"), v) for k, v in objects.items()}

    def captions(self) -> list[str]:
        labels = [label for _, found in self.scenes.values() for objs in found for label, _ in objs]
        return [*self.meta["small"]["captions"], *labels]

    def strip(self, rng: random.Random, rows: int, cols: int, cell: int, pad: tuple[int, int] = (0, 0)):
        """-> pixels (height, width, 3), captions. `pad`: black columns and rows added, at both sides in all."""
        kind = "small" if cell <= 64 else "large"
        style = rng.choice(("colour", "colour", "ink", "sepia"))
        out = np.full((rows * cell, cols * cell, 3), 255, np.uint8)
        captions: list[str] = []
        gap = max(2, round(cell / 32))
        inner = cell - gap
        pool = self.by_style[kind][style]
        for k in range(rows * cols):
            i = pool[rng.randrange(len(pool))]
            while self.meta[kind]["captions"][i] in captions:
                i = pool[rng.randrange(len(pool))]
            captions.append(self.meta[kind]["captions"][i])
            panel = self.small[i] if kind == "small" else self.large[i]
            if panel.shape[0] != inner:
                panel = np.asarray(Image.fromarray(panel).resize((inner, inner), Image.Resampling.BICUBIC))
            y, x = k // cols * cell + gap // 2, k % cols * cell + gap // 2
            out[y:y + inner, x:x + inner] = panel
        if pad != (0, 0):
            height, width = out.shape[0] + pad[1], out.shape[1] + pad[0]
            big = np.zeros((height, width, 3), np.uint8)
            y, x = (height - out.shape[0]) // 2, (width - out.shape[1]) // 2
            big[y:y + out.shape[0], x:x + out.shape[1]] = out
            out = big
        return out, captions


class Words(torch.nn.Module):
    """Which words a caption has, read from the mean image token of a region (merger and DeepStack)."""

    def __init__(self, captions: list[str]) -> None:
        super().__init__()
        words = sorted({w for c in captions for w in c.lower().rstrip(".").split()})
        self.index = {w: i for i, w in enumerate(words)}
        self.heads = torch.nn.ModuleList([torch.nn.Linear(256, len(words)) for _ in range(2)])

    def loss(self, tokens: torch.Tensor, deep: torch.Tensor, masks: torch.Tensor, texts: list[list[str]]) -> torch.Tensor:
        """tokens, deep (n, t, 256); masks (n, regions, t) of 0 and 1 -> nats per region."""
        target = torch.zeros(*masks.shape[:2], len(self.index))
        for i, row in enumerate(texts):
            for j, text in enumerate(row):
                for w in text.lower().rstrip(".").split():
                    target[i, j, self.index[w]] = 1
        masks = masks / masks.sum(-1, keepdim=True)
        loss = torch.zeros(())
        for head, x in zip(self.heads, (tokens, deep), strict=True):
            loss = loss + 0.5 * F.binary_cross_entropy_with_logits(head(masks @ x), target, reduction="sum")
        return loss / (masks.shape[0] * masks.shape[1])


SEEN = 3  # images per step and process in the first phase


def see(data: Data, rng: random.Random, shape: random.Random, packed: Packed, words: Words) -> torch.Tensor:
    """Loss of one step of the phase that trains the vision tower alone."""
    if shape.random() < 0.3:
        images, found = data.scenes[shape.choice(list(data.scenes))]
        picks = [rng.randrange(len(images)) for _ in range(SEEN)]
        pixels = images[picks]
        height, width = pixels.shape[1] // CELL, pixels.shape[2] // CELL
        regions = [rng.sample(found[i], min(3, len(found[i]))) for i in picks]
        regions = [(r * 3)[:3] for r in regions]
        texts = [[label for label, _ in r] for r in regions]
        masks = torch.zeros(SEEN, 3, height, width)
        for i, row in enumerate(regions):
            for j, (_, (x0, y0, x1, y1)) in enumerate(row):
                masks[i, j, y0 // CELL:max(y0 // CELL + 1, -(-y1 // CELL)), x0 // CELL:-(-x1 // CELL)] = 1
    else:
        strips = [data.strip(rng, 1, 6, 64) for _ in range(SEEN)]
        pixels, texts = np.stack([s[0] for s in strips]), [s[1] for s in strips]
        height, width = 4, 24
        masks = torch.zeros(SEEN, 6, 4, 24)
        for k in range(6):
            masks[:, k, :, 4 * k:4 * k + 4] = 1
    x = torch.from_numpy(pixels)
    tokens, deep = packed.see(patches(x), 2 * height, 2 * width)
    return words.loss(tokens, deep[0], masks.flatten(2), texts)


# rows, cols, panel size, padding (x, y), weight in the last phase
LAYOUTS = ((1, 6, 64, (0, 0), 10.0), (2, 3, 64, (0, 0), 1.0), (2, 2, 64, (0, 0), 0.5), (2, 2, 72, (0, 0), 0.5),
           (1, 4, 64, (0, 0), 0.5), (1, 4, 64, (48, 0), 0.3), (1, 3, 64, (0, 0), 0.3), (1, 3, 80, (16, 0), 0.4),
           (1, 2, 64, (0, 0), 0.3), (1, 2, 96, (16, 0), 0.4), (2, 1, 96, (0, 16), 0.2), (3, 1, 80, (0, 16), 0.2),
           (1, 1, 64, (0, 0), 0.3), (1, 1, 96, (0, 0), 0.2), (1, 1, 144, (0, 0), 0.5))


def batch(data: Data, rng: random.Random, shape: random.Random, phase: str, packed: Packed):
    """`shape` is the same in every process, so that all have as much to do; `rng` is a process's own.

    -> pixels (n, h, w, 3), groups of branches, and per group whether its answers are certain."""
    scene = phase == "all" and shape.random() < 0.2
    if scene:
        key = shape.choice([k for k in data.scenes for _ in range(2 if k == "160x144" else 1)])
        images, found = data.scenes[key]
        picks = [rng.randrange(len(images)) for _ in range(3)]
        wording = shape.choice(Q.OBJECT)
        asked = [Q.object_questions(rng, wording, found[i], 6) for i in picks]
        groups, sure = [packed.branches(asked)], [None]
        if shape.random() < 0.6:
            groups.append(packed.branches([[Q.object_list(found[i])] for i in picks]))
            sure.append(False)
        return torch.from_numpy(images[picks]), groups, sure
    if phase == "one":
        rows, cols, cell, pad, n = 1, 1, 64, (0, 0), 12
    elif phase == "three":
        rows, cols, cell, pad = 1, shape.choice((1, 2, 3, 3)), 64, (0, 0)
        n = {1: 12, 2: 6, 3: 4}[cols]
    elif phase == "six":
        rows, cols, cell, pad = 1, shape.choice((2, 3, 4, 6, 6, 6, 6, 6, 6)), 64, (0, 0)
        n = {2: 6, 3: 4, 4: 3, 6: 3}[cols]
    else:
        rows, cols, cell, pad, _ = shape.choices(LAYOUTS, [w[-1] for w in LAYOUTS])[0]
        n = {1: 8, 2: 5, 3: 4, 4: 3, 6: 3}[rows * cols]
    strips = [data.strip(rng, rows, cols, cell, pad) for _ in range(n)]
    pixels = torch.from_numpy(np.stack([s[0] for s in strips]))
    panels = rows * cols
    # few panels: few distinct answers, so few questions
    certain, free = {1: (0, 1), 2: (2, 1), 3: (3, 1), 4: (3, 1), 6: (4, 2)}[panels]
    wording = Q.open_template(shape)
    free_branches = packed.branches([Q.open_questions(rng, wording, s[1], free) for s in strips])
    if panels == 1:
        groups, sure = [free_branches], [True]
    else:
        template = Q.ordinal_template(shape, rows)
        asked = [Q.certain_questions(rng, template, s[1], rows, cols, certain) for s in strips]
        groups, sure = [packed.branches(asked), free_branches], [True, None]
        draw = shape.random()
        if phase != "three" and draw < 0.3:
            groups.append(packed.branches([[Q.narration(rng, s[1])] for s in strips]))
            sure.append(False)
        elif phase == "all" and draw < 0.6:
            lines = shape.choice((4, 6, 6, 8, 12))
            groups.append(packed.branches([[Q.pointed(rng, s[1], lines)] for s in strips]))
            sure.append(None)
    return pixels, groups, sure


def ask(packed: Packed, questions, sums: dict[str, list[float]]) -> tuple[torch.Tensor, list[float], int]:
    """-> loss per answer token, (summed loss, tokens) of questions with one right answer, images."""
    pixels, groups, sure = questions
    losses, count, certain = [], 0, [0.0, 0.0]
    for part, group, kind in zip(packed.hidden(pixels, groups), groups, sure, strict=True):
        wanted = group.targets >= 0
        loss = F.cross_entropy(packed.logits(part[wanted]), group.targets[wanted], reduction="sum")
        losses.append(loss)
        number = int(wanted.sum())
        count += number
        label = {True: "sure", False: "narration", None: "open"}[kind]
        sums.setdefault(label, [0.0, 0.0])
        sums[label] = [sums[label][0] + float(loss.detach()), sums[label][1] + number]
        if kind is True:
            certain = [float(loss.detach()), float(number)]
    return torch.stack(losses).sum() / count, certain, len(pixels)


@torch.no_grad()
def held_out(packed: Packed, count: int, first_seed: int = 900_000) -> dict[str, float]:
    """Exact greedy answers on held-out combinations (argmax at every place, given the right start)."""
    right = total = lines_right = lines_total = 0
    for i in range(0, count, 4):
        strips = [generate_strip(first_seed + i + j, split="held_out") for j in range(4)]
        pixels = torch.from_numpy(np.stack([np.asarray(s.image) for s in strips]))
        ask = [[(Q.PAPER_ORDINAL.format(n="six", k=Q.ORDINALS[k]), s.captions[k], True) for k in range(6)]
               for s in strips]
        tell = [[(Q.NARRATION[0], "\n".join(s.captions), True)] for s in strips]
        groups = [packed.branches(ask), packed.branches(tell)]
        for g, (hidden, group) in enumerate(zip(packed.hidden(pixels, groups), groups, strict=True)):
            hit = packed.logits(hidden).argmax(-1) == group.targets
            if g == 0:
                good = (hit | (group.targets < 0)).all(-1)
                right, total = right + int(good.sum()), total + good.numel()
            else:
                lines_right += int(hit.sum())
                lines_total += int((group.targets >= 0).sum())
    return {"ordinal_exact": right / total, "narration_tokens": lines_right / lines_total}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=95.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--phase", default=None, help="begin with this phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps (for timing)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    meeting = args.out / "meeting"
    meeting.unlink(missing_ok=True)
    mp.spawn(work, args=(args, str(meeting)), nprocs=args.processes)


def work(rank: int, args: argparse.Namespace, meeting: str) -> None:
    """One process of the training."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.processes)
    lead = rank == 0
    data = Data(args.data)
    rng, shape = random.Random(f"{args.seed}/{rank}"), random.Random(args.seed)
    folder = args.out / "checkpoint"
    state = torch.load(args.out / "state.pt", weights_only=False) if args.resume else None
    if state is not None:
        tok = AutoTokenizer.from_pretrained(folder)
        config = Qwen3VLConfig.from_pretrained(folder)
        config.text_config.rope_parameters["mrope_section"] = list(SECTIONS)
        model = Qwen3VLForConditionalGeneration.from_pretrained(folder, config=config, dtype=torch.float32)
        rng.seed(f"{args.seed}/{rank}/{state['step']}")
        shape.seed(args.seed + state["step"])
    else:
        tok = train_tokenizer(data.captions())
        model = new_model(tok, args.seed)
    packed = Packed(model, tok)
    torch.manual_seed(args.seed)
    words = Words(data.captions())
    parameters = [p for p in (*model.parameters(), *words.parameters()) if p.requires_grad]
    matrices = [p for p in parameters if p.ndim >= 2]
    vectors = [p for p in parameters if p.ndim < 2]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.97), fused=True)
    step, used, phase, seen = 0, 0.0, 0, 0
    if state is not None:
        optimiser.load_state_dict(state["optimiser"])
        if "words" in state:
            words.load_state_dict(state["words"])
        step, used, phase, seen = state["step"], state["used"], state["phase"], state["seen"]
    if args.phase is not None:
        phase = [p[0] for p in PHASES].index(args.phase)
    dist.barrier()
    budget = args.minutes * 60
    begin = time.time() - used
    log = (args.out / "log.jsonl").open("a") if lead else None

    def note(**row: object) -> None:
        row = {"minute": round((time.time() - begin) / 60, 2), "step": step, **row}
        if log is not None:
            print(json.dumps(row), flush=True)
            log.write(json.dumps(row) + "\n")
            log.flush()

    def keep() -> None:
        if not lead:
            return
        fresh = args.out / "checkpoint.new"
        save(model, tok, fresh)
        torch.save({"optimiser": optimiser.state_dict(), "words": words.state_dict(), "step": step, "used": time.time() - begin, "phase": phase,
                    "seen": seen}, args.out / "state.new")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        (args.out / "state.new").rename(args.out / "state.pt")

    note(parameters=sum(p.numel() for p in parameters), vocabulary=len(tok))
    keep()
    smooth: float | None = None  # loss where one answer is right, the same in every process
    share = used / budget
    sums: dict[str, list[float]] = {}
    last_note = last_keep = time.time()
    phase_began = step
    seeing = [*model.model.visual.parameters(), *words.parameters()]
    buffer = torch.zeros(sum(p.numel() for p in parameters) + 3)
    while share < 1 and (not args.steps or step < args.steps):
        name, end, enough = PHASES[phase]
        if phase + 1 < len(PHASES) and (share > end or (smooth is not None and smooth < enough
                                                         and step - phase_began > 150)):
            note(leaving=name, loss=smooth)
            phase, smooth, phase_began = phase + 1, None, step
            name = PHASES[phase][0]
            keep()
        rate = args.rate * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, share))))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        if name == "see":
            loss = see(data, rng, shape, packed, words)
            certain, images = [float(loss.detach()), 1], SEEN
            sums.setdefault("words", [0.0, 0.0])
            sums["words"] = [sums["words"][0] + certain[0], sums["words"][1] + 1]
        else:
            loss, certain, images = ask(packed, batch(data, rng, shape, name, packed), sums)
        loss.backward()
        active = seeing if name == "see" else parameters
        at = 0
        for p in active:
            piece = buffer[at:at + p.numel()]
            piece.zero_() if p.grad is None else piece.copy_(p.grad.reshape(-1))
            at += p.numel()
        flat = buffer[:at + 3]
        flat[at:] = torch.tensor([certain[0], float(certain[1]), (time.time() - begin) / budget])
        dist.all_reduce(flat)
        flat.div_(args.processes)
        at = 0
        for p in active:
            p.grad = flat[at:at + p.numel()].view_as(p)
            at += p.numel()
        share = float(flat[-1])
        if flat[-2] > 0:
            value = float(flat[-3] / flat[-2])
            smooth = value if smooth is None else 0.97 * smooth + 0.03 * value
        norm = torch.nn.utils.clip_grad_norm_(active, 1.0)
        if torch.isfinite(norm):
            optimiser.step()
        step += 1
        seen += images * args.processes
        if time.time() - last_note > 30:
            note(phase=name, rate=round(rate, 6), images=seen, norm=round(float(norm), 2),
                 **{k: round(v[0] / v[1], 4) for k, v in sums.items() if v[1]})
            sums, last_note = {}, time.time()
        if lead and (time.time() - last_keep > 240 or (args.out / "keep").exists()):
            (args.out / "keep").unlink(missing_ok=True)
            if phase >= 3:
                note(**held_out(packed, 8))
            keep()
            last_keep = time.time()
    if lead:
        note(final=True, **held_out(packed, 24))
    keep()
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
