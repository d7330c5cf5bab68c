"""Trains eyes for a frozen language model, in two phases, until a wall-clock budget is used up.

    python tools/eyes/learn.py SMOLLM2.gguf DATA OUT --align 15 --minutes 85 [--resume] [--processes 2] [--seed 1]
    python tools/eyes/learn.py SMOLLM2.gguf DATA OUT --align 0 --minutes 100       (no alignment to words)
    python tools/eyes/learn.py SMOLLM2.gguf DATA OUT --tower random ...            (a tower that learned no words)

DATA is drawn by tools/make_data.py. First the merger learns, token by token, to say a word of what the token shows, in
the language model's own word embeddings; then the whole of the eyes learns what makes the language model say captions:
its loss flows back through the frozen model. One process of one thread per core, weights shared without locks, as in
tools/train.py. OUT gets state.pt (to resume) and log.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import questions as Q
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from asked import STEP, Asked, batch
from eyes import Eyes
from language import Language
from meaning import Lessons
from train import LAYOUTS, Data, Pictures, scenes, strips

RATE = 1.5e-3  # of the merger; the tower's is a fifth
TOKENS = 420  # of a step and process, about


def pictures(data: Data, rng: random.Random) -> Pictures:
    """Strips and grids, mostly of six panels, and free scenes; as many images as fill a step."""
    if rng.random() < 0.3:
        return scenes(data, rng, rng, 3)
    rows, cols, cell, pad, _ = rng.choices(LAYOUTS, [w[-1] for w in LAYOUTS])[0]
    return strips(data, rng, {1: 6, 2: 4, 3: 3, 4: 2, 6: 2}[rows * cols], rows, cols, cell, pad, rng.random() < 0.2)


def asked(rng: random.Random, shown: Pictures) -> list[list[Asked]]:
    """For each image an open question with captions of several regions, and at times captions one a line."""
    out = []
    for told in shown.regions:
        texts = [Q.caption(parts) for parts in told]
        wording = Q.open_template(rng) if shown.numbered else rng.choice(Q.OBJECT)
        some = rng.sample(range(len(texts)), min(len(texts), 4))
        questions = [Asked(wording, [(texts[k], k) for k in some])]
        if shown.numbered and len(texts) > 1 and rng.random() < 0.4:
            order = [rng.randrange(len(texts)) for _ in range(3)]
            questions.append(Asked(rng.choice(Q.POINTED), [("\n".join(texts[k] for k in order), -1)]))
        out.append(questions)
    return out


def align(eyes: Eyes, lessons: Lessons, rng: random.Random) -> dict[str, torch.Tensor]:
    if rng.random() < 0.3:
        lesson = lessons.scene(rng, 6)
    else:
        panels = rng.choice((1, 2, 3, 4, 6, 6))
        lesson = lessons.strip(rng, 24 // panels, panels)
    said = eyes(lesson.pixels)[lesson.counts]
    wanted = lesson.wanted[lesson.counts]
    return {"align": ((said - wanted) ** 2).sum(-1).mean() / (wanted**2).sum(-1).mean()}


def speak(eyes: Eyes, lm: Language, data: Data, rng: random.Random) -> dict[str, torch.Tensor]:
    shown = pictures(data, rng)
    made = batch(lm, eyes(shown.pixels), asked(rng, shown))
    image, place, target, region, _, _, first = made.told.unbind(1)
    hidden = lm.forward(made.x, made.positions, made.mask)
    rest = (0, -len(image) % STEP)
    rows = hidden[F.pad(image, rest), F.pad(place, rest)]
    nats = F.cross_entropy(F.linear(rows, lm.out)[: len(image)].float(), target, reduction="none")
    kind = "panels" if shown.numbered else "scenes"
    open_, pointed = region >= 0, region < 0
    out = {"all": nats.mean(), kind: nats[open_].detach().mean(), f"{kind}_first": nats[first > 0].detach().mean()}
    return out | ({"pointed": nats[pointed].detach().mean()} if pointed.any() else {})


def work(number: int, args: argparse.Namespace, begin: float, eyes: Eyes) -> None:
    torch.set_num_threads(1)
    rng = random.Random(f"{args.seed}/{number}/{begin}")
    lm, data = Language(args.model), Data(args.data)
    lessons = Lessons(lm, args.data) if args.align else None
    groups = [{"params": eyes.merger, "times": 1.0}, {"params": eyes.tower, "times": 0.2}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, weight_decay=0.0, betas=(0.9, 0.98))
    sums: dict[str, list[float]] = {}
    step, told = 0, time.time()
    while (minute := (time.time() - begin) / 60) < args.align + args.minutes:
        aligning = minute < args.align and lessons is not None
        share = minute / args.align if aligning else (minute - args.align) / args.minutes
        losses = align(eyes, lessons, rng) if aligning else speak(eyes, lm, data, rng)  # type: ignore[arg-type]
        loss = losses["align" if aligning else "all"]
        for group in optimiser.param_groups:
            rate = RATE * group["times"] * min(1.0, (step + 1) / 30) * max(0.03, min(1.0, (1 - share) / 0.5))
            group["lr"] = 0.0 if aligning and group["times"] < 1 else rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(eyes.parameters(), 1.0)
        optimiser.step()
        step += 1
        for name, value in losses.items():
            sums.setdefault(name, []).append(float(value.detach()))
        if number == 0 and time.time() - told > 30:
            row = {"minute": round(minute, 2), "step": step, "rate": round(optimiser.param_groups[0]["lr"], 6)}
            row |= {name: round(sum(values) / len(values), 4) for name, values in sums.items()}
            with (args.out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            sums, told = {}, time.time()
            save(args.out, eyes, minute)


def save(out: Path, eyes: Eyes, minute: float) -> None:
    torch.save({"eyes": eyes.state_dict(), "minute": minute}, out / "state.part")
    (out / "state.part").replace(out / "state.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the language model's GGUF")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--align", type=float, default=15, help="minutes")
    parser.add_argument("--minutes", type=float, default=85, help="after that")
    parser.add_argument("--tower", choices=("builtin", "random"), default="builtin")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    eyes, used = Eyes(Language(args.model).width, args.tower == "builtin"), 0.0
    if args.resume:
        state = torch.load(args.out / "state.pt")
        eyes.load_state_dict(state["eyes"])
        used = state["minute"]
    eyes.share_memory()
    begin = time.time() - 60 * used
    mp.spawn(work, args=(args, begin, eyes), nprocs=args.processes)
    save(args.out, eyes, (time.time() - begin) / 60)


if __name__ == "__main__":
    main()
