"""Trains the built-in model on the CPU, by curriculum, until a wall-clock budget is used up.

    python tools/train.py DATA OUT --minutes 240 [--resume]

One process per core, each with one thread, its own questions and its own optimiser; the weights are shared
and updated without locks (Hogwild). On a machine that others use too, threads or processes that wait for
each other cost far more than a slightly stale gradient.

The rate is constant and falls over the last two fifths. Phases: the vision tower alone learns to tell which words a
panel's caption has (seven times cheaper than learning it through the language model; the classifier is thrown away);
then one panel; two; up to three; up to six; then every layout and free scenes. A phase ends when its loss on
questions that have one right answer is low, or at its share of the budget. OUT gets checkpoint/ (an
ordinary transformers folder), state.pt (to resume) and log.jsonl; a file OUT/keep asks for a checkpoint now.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import lookhere_source  # noqa: F401
import numpy as np
import questions as Q
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from lookhere.comics import SUBJECTS, generate_strip
from PIL import Image
from transformers import AutoTokenizer, Qwen3VLConfig, Qwen3VLForConditionalGeneration
from vlm import CELL, SECTIONS, Branches, Packed, new_model, patches, save, train_tokenizer

# name, latest end (share of the budget), loss that ends it early
PHASES = (("see", 0.13, 0.9), ("one", 0.16, 0.05), ("two", 0.24, 0.06), ("three", 0.37, 0.06), ("six", 0.60, 0.04),
          ("all", 1.0, -1.0))


class Data:
    """The pool of `make_data.py`, and batches of one layout drawn from it."""

    def __init__(self, folder: Path) -> None:
        self.small = np.load(folder / "small.npy", mmap_mode="r")
        self.large = np.load(folder / "large.npy", mmap_mode="r")
        self.parts, self.pools = {}, {}
        for kind in ("small", "large"):
            meta = json.loads((folder / f"{kind}.json").read_text())
            self.parts[kind] = [tuple(p) for p in meta["parts"]]
            self.pools[kind] = {s: [i for i, t in enumerate(meta["styles"]) if t == s] for s in ("colour", "ink", "sepia")}
        self.scenes = {}
        for key, found in json.loads((folder / "scenes.json").read_text()).items():
            objects = [([tuple(label.split(" ")) for label, _ in row], [tuple(box) for _, box in row]) for row in found]
            self.scenes[key] = (np.load(folder / f"scenes_{key}.npy", mmap_mode="r"), objects)

    def captions(self) -> list[str]:
        labels = [label for _, found in self.scenes.values() for labels, _ in found for label in labels]
        return [Q.caption(p) for p in (*self.parts["small"], *labels)]

    def strip(self, rng: random.Random, rows: int, cols: int, cell: int, pad: tuple[int, int] = (0, 0),
              alike: bool = False) -> tuple[np.ndarray, list[Q.Parts]]:
        """-> pixels (height, width, 3), captions in parts. `pad`: black columns and rows added, at both sides in all;
        `alike`: all panels are of one to three subjects."""
        kind = "small" if cell <= 64 else "large"
        style = rng.choice(("colour", "colour", "ink", "sepia"))
        out = np.full((rows * cell, cols * cell, 3), 255, np.uint8)
        panels: list[Q.Parts] = []
        gap = max(2, round(cell / 32))
        inner = cell - gap
        parts, pool = self.parts[kind], self.pools[kind][style]
        who = {parts[rng.choice(pool)][0] for _ in range(rng.randint(1, 3))} if alike else None
        for k in range(rows * cols):
            i = rng.choice(pool)
            while parts[i] in panels or (who is not None and parts[i][0] not in who):
                i = rng.choice(pool)
            panels.append(parts[i])
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
        return out, panels


# rows, cols, panel size, padding (x, y), weight in the last phase
LAYOUTS = ((1, 6, 64, (0, 0), 10.0), (2, 3, 64, (0, 0), 1.0), (2, 2, 64, (0, 0), 0.5), (2, 2, 72, (0, 0), 0.5),
           (1, 4, 64, (0, 0), 0.5), (1, 4, 64, (48, 0), 0.3), (1, 3, 64, (0, 0), 0.3), (1, 3, 80, (16, 0), 0.4),
           (1, 2, 64, (0, 0), 0.3), (1, 2, 96, (16, 0), 0.4), (2, 1, 96, (0, 16), 0.2), (3, 1, 80, (0, 16), 0.2),
           (1, 1, 64, (0, 0), 0.3), (1, 1, 96, (0, 0), 0.2), (1, 1, 144, (0, 0), 0.5))


COLUMNS, ROWS = 24, 8  # parts of an image's width and height that places are told in


class Words(torch.nn.Module):
    """What an image token belongs to: the words of its panel's caption, the panel's number, its column and row.

    Read from every token by itself, of the merger and of DeepStack: a token that says all this can be found
    by what it says, which is what attention does. (Features that can only be read from the mean of a panel
    invite the language model to average the whole image.)"""

    def __init__(self, captions: list[str]) -> None:
        super().__init__()
        words = sorted({w for c in captions for w in c.lower().rstrip(".").split()})
        self.index = {w: i for i, w in enumerate(words)}
        self.heads = torch.nn.ModuleList([torch.nn.Linear(256, len(words)) for _ in range(2)])
        self.places = torch.nn.ModuleList([torch.nn.Linear(256, COLUMNS + ROWS) for _ in range(2)])
        self.panels = torch.nn.ModuleList([torch.nn.Linear(256, 6) for _ in range(2)])

    def loss(self, tokens: torch.Tensor, deep: torch.Tensor, grid: tuple[int, int], owner: torch.Tensor,
             texts: list[list[Q.Parts]], numbered: bool) -> dict[str, torch.Tensor]:
        """tokens, deep (n, t, 256) of a grid (height, width); owner (n, t): the region of each token, -1 where
        there is none; texts[i][region]; numbered: regions are panels -> nats per token, by name."""
        height, width = grid
        target = torch.zeros(len(texts), max(map(len, texts)), len(self.index))
        for i, row in enumerate(texts):
            for j, text in enumerate(row):
                for w in Q.caption(text).lower().rstrip(".").split():
                    target[i, j, self.index[w]] = 1
        row = ((torch.arange(height) + 0.5) / height * ROWS).long()[:, None].expand(-1, width).reshape(-1)
        col = ((torch.arange(width) + 0.5) / width * COLUMNS).long()[None].expand(height, -1).reshape(-1)
        image, place = (owner >= 0).nonzero(as_tuple=True)
        region = owner[image, place]
        out = {"words": torch.zeros(()), "place": torch.zeros(()), "panel": torch.zeros(())}
        for x, head, where, number in zip((tokens, deep), self.heads, self.places, self.panels, strict=True):
            mine = x[image, place]
            told = F.binary_cross_entropy_with_logits(head(mine), target[image, region], reduction="sum")
            out["words"] = out["words"] + 0.5 * told / len(mine)
            y = where(x).flatten(0, 1)
            out["place"] = out["place"] + 0.5 * F.cross_entropy(y[:, :COLUMNS], col.repeat(len(x)))
            out["place"] = out["place"] + 0.5 * F.cross_entropy(y[:, COLUMNS:], row.repeat(len(x)))
            if numbered:
                out["panel"] = out["panel"] + 0.5 * F.cross_entropy(number(mine), region)
        return out


def owners(height: int, width: int, boxes: list[tuple[float, float, float, float]]) -> torch.Tensor:
    """boxes (x0, y0, x1, y1) in pixels -> (height * width): the smallest box over each token's centre, or -1."""
    y = ((torch.arange(height) + 0.5) * CELL)[:, None]
    x = ((torch.arange(width) + 0.5) * CELL)[None]
    out = torch.full((height, width), -1)
    for k in sorted(range(len(boxes)), key=lambda k: -(boxes[k][2] - boxes[k][0]) * (boxes[k][3] - boxes[k][1])):
        x0, y0, x1, y1 = boxes[k]
        out[(x0 <= x) & (x < x1) & (y0 <= y) & (y < y1)] = k
    return out.flatten()


class Where(torch.nn.Module):
    """Which region is being told: after half of the layers, every token of an answer must tell the number of the panel
    that the next word is about, and its middle's column and row.

    Without it the place that a question names is known where the answer begins and forgotten at the next word, which
    finds its panel by the word just said."""

    def __init__(self) -> None:
        super().__init__()
        self.read = torch.nn.Linear(256, 6 + COLUMNS + ROWS)

    def loss(self, hidden: torch.Tensor, group: Branches, pictures: Pictures) -> torch.Tensor:
        """hidden (n, b, length, 256) of one group -> nats per token."""
        height, width = pictures.pixels.shape[1:3]
        most = max(map(len, pictures.boxes))
        middle = torch.zeros(len(pictures.boxes), most, 2, dtype=torch.long)
        for i, boxes in enumerate(pictures.boxes):
            for k, (x0, y0, x1, y1) in enumerate(boxes):
                middle[i, k] = torch.tensor([(x0 + x1) / 2 / width * COLUMNS, (y0 + y1) / 2 / height * ROWS]).long()
        image, _, _ = here = (group.region >= 0).nonzero(as_tuple=True)
        region = group.region[here]
        told = self.read(F.rms_norm(hidden[here], (256,)))
        column, row = middle[image, region].unbind(-1)
        loss = F.cross_entropy(told[:, 6:6 + COLUMNS], column) + F.cross_entropy(told[:, 6 + COLUMNS:], row)
        return loss + F.cross_entropy(told[:, :6], region) if pictures.numbered else loss


@dataclass
class Pictures:
    """Images of one size: pixels (n, height, width, 3) uint8; regions[i], the captions or labels in parts; boxes[i];
    whether the regions are panels, which have numbers."""

    pixels: torch.Tensor
    regions: list[list[Q.Parts]]
    boxes: list[list[tuple[float, float, float, float]]]
    numbered: bool


def strips(data: Data, rng: random.Random, count: int, rows: int, cols: int, cell: int, pad: tuple[int, int],
           alike: bool = False) -> Pictures:
    drawn = [data.strip(rng, rows, cols, cell, pad, alike) for _ in range(count)]
    x, y = pad[0] // 2, pad[1] // 2
    boxes = [(x + k % cols * cell, y + k // cols * cell, x + (k % cols + 1) * cell, y + (k // cols + 1) * cell)
             for k in range(rows * cols)]
    return Pictures(torch.from_numpy(np.stack([s[0] for s in drawn])), [s[1] for s in drawn], [boxes] * count, True)


def scenes(data: Data, rng: random.Random, shape: random.Random, count: int) -> Pictures:
    images, found = data.scenes[shape.choice([k for k in data.scenes for _ in range(2 if k == "160x144" else 1)])]
    picks = [rng.randrange(len(images)) for _ in range(count)]
    pixels = images[picks]
    if shape.random() < 0.5:  # a thing is that thing before any backdrop
        gains = np.array([[rng.uniform(0.75, 1.25) for _ in range(3)] for _ in picks], np.float32)
        pixels = np.clip(pixels * gains[:, None, None], 0, 255).astype(np.uint8)
    return Pictures(torch.from_numpy(pixels), [found[i][0] for i in picks], [found[i][1] for i in picks], False)


SEEN = 3  # images per step and process in the first phase


def see(data: Data, rng: random.Random, shape: random.Random, packed: Packed, words: Words) -> dict[str, torch.Tensor]:
    """Losses of one step that trains the vision tower alone, by name."""
    if shape.random() < 0.6:
        shown = scenes(data, rng, shape, SEEN)
    else:
        shown = strips(data, rng, SEEN, *((1, 6, 64, (0, 0)) if shape.random() < 0.5 else shape.choice(LAYOUTS)[:4]))
    height, width = shown.pixels.shape[1] // CELL, shown.pixels.shape[2] // CELL
    owner = torch.stack([owners(height, width, boxes) for boxes in shown.boxes])
    tokens, deep = packed.see(patches(shown.pixels), 2 * height, 2 * width)
    return words.loss(tokens, deep[0], (height, width), owner, shown.regions, shown.numbered)


ASTRAY = 0.5  # share of the captions with words of another region
ALIKE = 0.4  # share of the strips that are of one to three subjects


def batch(data: Data, rng: random.Random, shape: random.Random, phase: str, packed: Packed):
    """One layout and one wording per group of questions (`shape`), their contents by `rng`.

    -> pictures, groups of branches, and per group whether its answers are certain."""
    every = phase == "all"  # all layouts and wordings; before, the few on which the circuits form
    if every and shape.random() < 0.4:
        shown = scenes(data, rng, shape, 3)
        wording = shape.choice(Q.OBJECT)
        groups, sure = [packed.branches([Q.open_questions(rng, wording, labels, 6) for labels in shown.regions])], [None]
        if shape.random() < 0.6:
            groups.append(packed.branches([[Q.object_list(rng, labels, boxes, ASTRAY)]
                                           for labels, boxes in zip(shown.regions, shown.boxes, strict=True)]))
            sure.append(False)
        return shown, groups, sure
    if phase == "one":
        rows, cols, cell, pad, n = 1, 1, 64, (0, 0), 12
    elif phase == "two":
        rows, cols, cell, pad, n = 1, 2, 64, (0, 0), 4
    elif phase == "three":
        rows, cols, cell, pad, n = 1, shape.choice((2, 3, 3)), 64, (0, 0), 3
    elif phase == "six":
        rows, cols, cell, pad = 1, shape.choice((2, 3, 4, 5, 6, 6, 6, 6, 6, 6)), 64, (0, 0)
        n = {2: 4, 3: 3, 4: 3, 5: 2, 6: 2}[cols]
    else:
        rows, cols, cell, pad, _ = shape.choices(LAYOUTS, [w[-1] for w in LAYOUTS])[0]
        n = {1: 6, 2: 5, 3: 3, 4: 3, 6: 2}[rows * cols]
    shown = strips(data, rng, n, rows, cols, cell, pad, shape.random() < ALIKE)
    panels = rows * cols
    # few panels: few distinct answers, so few questions
    certain, free = {1: (0, 1), 2: (2, 1), 3: (3, 1), 4: (4, 1), 5: (4, 1), 6: (6, 1)}[panels]
    wording = "What is happening?"
    if every or (phase == "six" and shape.random() < 0.3):
        wording = Q.open_template(shape)
    free_branches = packed.branches([Q.open_questions(rng, wording, told, free) for told in shown.regions])
    if panels == 1:
        groups, sure = [free_branches], [True]
    else:
        template = "Describe the {k} panel."
        if every or (phase == "six" and shape.random() < 0.3):
            template = Q.ordinal_template(shape, rows)
        asked = [Q.certain_questions(rng, template, told, rows, cols, certain, ASTRAY) for told in shown.regions]
        groups, sure = [packed.branches(asked), free_branches], [True, None]
        if shape.random() < 0.45:
            groups.append(packed.branches([[Q.narration(rng, told, ASTRAY)] for told in shown.regions]))
            sure.append(False)
        if shape.random() < 0.45:
            lines = shape.choice((4, 6, 6, 8, 12)) if every else 5
            groups.append(packed.branches([[Q.pointed(rng, told, lines)] for told in shown.regions]))
            sure.append(None)
    return shown, groups, sure


BLIND = 0.85  # share of the steps in which only a question's last token and its answer see the image


def ask(packed: Packed, questions, sums: dict[str, list[float]], blind: bool,
        where: Where) -> tuple[torch.Tensor, list[float], int]:
    """-> loss per answer token, (summed loss, tokens) of questions with one right answer, images.

    `blind`: without it the word "third" looks at the third panel when it is read, or the last image tokens gather
    what all panels show, and the token where an answer begins has only to look there: nothing could be steered."""
    shown, groups, sure = questions
    half: list[torch.Tensor] = []
    hidden = packed.hidden(shown.pixels, groups, blind=blind, half=half)
    losses, count, certain, places = [], 0, [0.0, 0.0], []
    for part, middle, group, kind in zip(hidden, half, groups, sure, strict=True):
        wanted = group.targets >= 0
        loss = F.cross_entropy(packed.logits(part[wanted]), group.targets[wanted], reduction="sum")
        losses.append(loss)
        number = int(wanted.sum())
        count += number
        name = {True: "sure", False: "narration", None: "open"}[kind]
        add(sums, name, float(loss.detach()), number)
        if kind is True:
            certain = [float(loss.detach()), float(number)]
        if (group.region >= 0).any():
            places.append(where.loss(middle, group, shown))
            add(sums, "where_" + name, float(places[-1].detach()))
    loss = torch.stack(losses).sum() / count
    if places:
        loss = loss + 0.1 * torch.stack(places).sum()
    return loss, certain, len(shown.pixels)


def add(sums: dict[str, list[float]], name: str, value: float, weight: float = 1.0) -> None:
    old = sums.get(name, [0.0, 0.0])
    sums[name] = [old[0] + value, old[1] + weight]


@torch.no_grad()
def held_out(packed: Packed, count: int, first_seed: int = 900_000) -> dict[str, float]:
    """Exact greedy answers on held-out combinations (argmax at every place, given the right start), apart by
    whether the panel's subject is in another panel, too."""
    sums: dict[str, list[float]] = {}
    for i in range(0, count, 4):
        strips = [generate_strip(first_seed + i + j, split="held_out") for j in range(4)]
        pixels = torch.from_numpy(np.stack([np.asarray(s.image) for s in strips]))
        ask = [[Q.Question(Q.PAPER_ORDINAL.format(n="six", k=Q.ORDINALS[k]), s.captions[k], True, (k,), True)
                for k in range(6)] for s in strips]
        tell = [[Q.Question(Q.NARRATION[0], "\n".join(s.captions), True, tuple(range(6)), True)] for s in strips]
        groups = [packed.branches(ask), packed.branches(tell)]
        for g, (hidden, group) in enumerate(zip(packed.hidden(pixels, groups), groups, strict=True)):
            hit = packed.logits(hidden).argmax(-1) == group.targets
            if g == 0:
                for strip, row in zip(strips, (hit | (group.targets < 0)).all(-1).tolist(), strict=True):
                    who = [subject(c) for c in strip.captions]
                    for one, good in zip(who, row, strict=True):
                        add(sums, "ordinal_shared" if who.count(one) > 1 else "ordinal_alone", float(good))
            else:
                add(sums, "narration_tokens", float(hit.sum()), float((group.targets >= 0).sum()))
    return {k: round(v[0] / v[1], 4) for k, v in sums.items()}


def subject(caption: str) -> str:
    """The subject that a caption names."""
    return next(s for s in SUBJECTS for w in caption.lower().split(" ") if w in (s, s + "s"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=95.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--phase", default=None, help="begin with this phase")
    begin_from = parser.add_mutually_exclusive_group()
    begin_from.add_argument("--vision", type=Path, help="take vision tower and tokenizer from this checkpoint")
    begin_from.add_argument("--from", dest="start", type=Path, help="take the whole model from this checkpoint")
    parser.add_argument("--relearn", type=int, help="layers from this one on start again from random weights")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps (for timing)")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    folder = args.out / "checkpoint"
    data = Data(args.data)
    state = torch.load(args.out / "state.pt", weights_only=False) if args.resume else None
    torch.manual_seed(args.seed)
    words, where = Words(data.captions()), Where()
    if state is not None or args.start is not None:
        begun = folder if state is not None else args.start
        model = Qwen3VLForConditionalGeneration.from_pretrained(begun, dtype=torch.float32)
        if state is not None:
            words.load_state_dict(state["words"])
            where.load_state_dict(state["where"])
    else:
        tok = train_tokenizer(data.captions()) if args.vision is None else AutoTokenizer.from_pretrained(args.vision)
        model = new_model(tok, args.seed)
        if args.vision is not None:
            old = Qwen3VLForConditionalGeneration.from_pretrained(args.vision, dtype=torch.float32)
            model.model.visual.load_state_dict(old.model.visual.state_dict())
    if args.relearn is not None:
        fresh = new_model(AutoTokenizer.from_pretrained(begun), args.seed).model.language_model
        for k in range(args.relearn, len(fresh.layers)):
            model.model.language_model.layers[k].load_state_dict(fresh.layers[k].state_dict())
    for module in (model, words, where):
        module.share_memory()
    # phase, steps of all processes, images, steps when the phase began
    control = torch.zeros(4, dtype=torch.float64).share_memory_()
    if state is not None:
        control[:3] = torch.tensor([state["phase"], state["step"], state["seen"]], dtype=torch.float64)
        control[3] = control[1]
    if args.phase is not None:
        control[0] = [p[0] for p in PHASES].index(args.phase)
    begin = time.time() - (state["used"] if state is not None else 0.0)
    del data
    mp.spawn(work, args=(args, begin, model, words, where, control), nprocs=args.processes)


def work(rank: int, args: argparse.Namespace, begin: float, model: Qwen3VLForConditionalGeneration, words: Words,
         where: Where, control: torch.Tensor) -> None:
    """One process of the training: its own questions and its own optimiser, the weights shared with the others."""
    torch.set_num_threads(1)
    lead = rank == 0
    data = Data(args.data)
    folder = args.out / "checkpoint"
    start = folder if args.resume else args.start or args.vision
    tok = AutoTokenizer.from_pretrained(start) if start is not None else train_tokenizer(data.captions())
    model.tie_weights()
    packed = Packed(model, tok)
    rng = random.Random(f"{args.seed}/{rank}/{int(control[1])}")
    shape = random.Random(f"{args.seed}/{rank}/{int(control[1])}/shape")
    parameters = [p for m in (model, words, where) for p in m.parameters() if p.requires_grad]
    seeing = [*model.model.visual.parameters(), *words.parameters()]
    spoken = [*model.model.language_model.parameters(), *where.parameters()]
    optimiser = torch.optim.AdamW([{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.02},
                                   {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}],
                                  lr=args.rate, betas=(0.9, 0.97), fused=True)
    if args.resume and args.relearn is None:
        old = torch.load(args.out / "state.pt", weights_only=False)["optimiser"]
        if [len(g["params"]) for g in old["param_groups"]] == [len(g["params"]) for g in optimiser.param_groups]:
            optimiser.load_state_dict(old)
    budget = args.minutes * 60
    log = (args.out / "log.jsonl").open("a") if lead else None

    def note(**row: object) -> None:
        row = {"minute": round((time.time() - begin) / 60, 2), "step": int(control[1]), **row}
        if log is not None:
            print(json.dumps(row), flush=True)
            log.write(json.dumps(row) + "\n")
            log.flush()

    def keep() -> None:
        fresh = args.out / "checkpoint.new"
        save(model, tok, fresh)
        torch.save({"optimiser": optimiser.state_dict(), "words": words.state_dict(),
                    "where": where.state_dict(), "step": int(control[1]),
                    "used": time.time() - begin, "phase": int(control[0]), "seen": int(control[2])},
                   args.out / "state.new")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        (args.out / "state.new").rename(args.out / "state.pt")

    note(parameters=sum(p.numel() for p in parameters), vocabulary=len(tok))
    smooth: float | None = None  # loss where one answer is right
    sums: dict[str, list[float]] = {}
    last_note = last_keep = time.time()
    first = int(control[1])
    parent = os.getppid()
    while (share := (time.time() - begin) / budget) < 1 and (not args.steps or control[1] < first + args.steps):
        if os.getppid() != parent:  # killed: nobody else would end this process
            return
        phase = int(control[0])
        name, end, enough = PHASES[phase]
        if lead and phase + 1 < len(PHASES) and (share > end or (smooth is not None and smooth < enough
                                                                 and control[1] - control[3] > 100)):
            note(leaving=name, loss=smooth)
            keep()
            control[0], control[3] = phase + 1, control[1]
            smooth = None
            name = PHASES[phase + 1][0]
        rate = args.rate * min(1.0, (float(control[1]) - first + 1) / 100)
        rate *= min(1.0, max(0.02, (1 - share) / 0.4))
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        seeing_now = name == "see" or shape.random() < 0.3  # some of it to the end
        # what the vision tower has learned is kept: gradients through an untrained language model wipe it out; at the
        # end, when that is trained and the rate is low, both learn together
        whole = name == "all" and rate < args.rate / 2
        for p in model.model.visual.parameters():
            p.requires_grad_(seeing_now or whole)
        if seeing_now:
            told = see(data, rng, shape, packed, words)
            loss = torch.stack(list(told.values())).sum()
            certain, images = [float(loss.detach()), 1.0 if name == "see" else 0.0], SEEN
            for kind, value in told.items():
                add(sums, kind, float(value.detach()))
        else:
            questions = batch(data, rng, shape, name, packed)
            with torch.autocast("cpu", dtype=torch.bfloat16):  # 1.26 times as fast
                loss, certain, images = ask(packed, questions, sums, shape.random() < BLIND, where)
        loss.backward()
        if certain[1]:
            value = certain[0] / certain[1]
            smooth = value if smooth is None else 0.97 * smooth + 0.03 * value
        norm = torch.nn.utils.clip_grad_norm_(seeing if seeing_now else parameters if whole else spoken, 1.0)
        if torch.isfinite(norm):
            optimiser.step()
        control[1] += 1
        control[2] += images
        if lead and time.time() - last_note > 30:
            note(phase=name, rate=round(rate, 6), images=int(control[2]), norm=round(float(norm), 2),
                 **{k: round(v[0] / v[1], 4) for k, v in sums.items() if v[1]})
            sums, last_note = {}, time.time()
        if lead and (time.time() - last_keep > 240 or (args.out / "keep").exists()):
            (args.out / "keep").unlink(missing_ok=True)
            if int(control[0]) >= 4:
                note(**held_out(packed, 8))
            keep()
            last_keep = time.time()
    if lead:
        keep()
        note(final=True, **held_out(packed, 24))


if __name__ == "__main__":
    main()
