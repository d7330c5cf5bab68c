"""Trains one of three tiny models of other families than the built-in model's, on one core, by processor time.

    python tools/tiny/train.py llava OUT --minutes 20 [--tower FILE] [--resume] [--seed 1]

Phases: the vision tower learns from classifiers of its tokens (`seen.py`), or is taken from another run (--tower); then
the language model learns strips of one panel, two, three and six; then few of its heads are left to look. The tower
learns with it at the end, unless the family keeps it frozen. OUT gets state.pt (to resume and to export) and log.jsonl.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

import asked
import torch
from kinds import KINDS
from packed import Packed
from pool import Pool
from seen import Seen, Where, view_pixels
from torch import Tensor
from torch.nn import functional as F

PHASES = (("see", 0.28, 0.12), ("one", 0.34, 0.05), ("two", 0.45, 0.08), ("three", 0.55, 0.08), ("six", 0.75, 0.03),
          ("few", 1.0, -1.0))  # fmt: skip
"""Name, latest end as a share of the budget, loss of questions with one right answer that ends it early."""
SEEN, IMAGES = 12, 8
BLIND = 0.85
WHERE = 0.1
FEW = 0.02
"""Weight, in the last phase, of how many heads look at the image: each counts by the logarithm of how much it does, so
that heads that hardly help stop. Without it 31 of a model's 40 heads looked at the panel told, and no quarter of them
could be steered. From the start on it kept three panels from being told apart."""
LOOKING, FAINT = 0.1, 0.01
LONG = 0.35
"""Share of the steps with the paper's wording."""


class Training:
    """One run. budget: seconds."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.budget = args, args.minutes * 60
        torch.manual_seed(args.seed)
        self.family = KINDS[args.family]()
        self.seen, self.where, self.packed = Seen(self.family), Where(), Packed(self.family)
        self.pool = Pool(*self.family.size, args.seed)
        self.phase, self.step, self.used, self.smooth = 0, 0, 0.0, None
        self.groups = [self.family.tower, self.seen, self.family.connector, self.family.language, self.where]
        named = list(dict.fromkeys(p for each in self.groups for p in each.parameters()))
        self.optimiser = torch.optim.AdamW(
            [{"params": [p for p in named if p.ndim >= 2], "weight_decay": 0.02},
             {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0}],
            lr=args.rate, betas=(0.9, 0.98),
        )  # fmt: skip
        self._begin()
        self.rng = random.Random(f"{args.seed}/{self.step}")
        self.sums: dict[str, list[float]] = {}

    def _begin(self) -> None:
        if self.args.resume:
            kept = torch.load(self.args.out / "state.pt")
            self.family.model.load_state_dict(kept["model"])
            self.seen.load_state_dict(kept["seen"])
            self.where.load_state_dict(kept["where"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.phase, self.step, self.used = kept["phase"], kept["step"], kept["used"]
        elif self.args.tower:
            kept = torch.load(self.args.tower)
            self.family.tower.load_state_dict(kept["tower"])
            self.seen.load_state_dict(kept["seen"])
            self.phase = 1
        else:
            with torch.no_grad():
                self.family.places += waves(len(self.family.places), self.family.places.shape[1])

    def keep(self) -> None:
        """For --resume and for export."""
        new = self.args.out / "state.new"
        parts = {
            "model": self.family.model, "tower": self.family.tower, "seen": self.seen, "where": self.where,
            "optimiser": self.optimiser,
        }  # fmt: skip
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**state, "phase": self.phase, "step": self.step, "used": self.used}, new)
        new.replace(self.args.out / "state.pt")

    def see(self) -> Tensor:
        pixels, strips = self.pool.strips(self.rng, SEEN, self.rng.choice((1, 2, 3, 6, 6, 6)))
        losses = self.seen.loss(pixels, strips)
        for name, value in losses.items():
            self.add(name, float(value.detach()), 1)
        self.note_loss(sum(float(losses[name].detach()) for name in ("colour", "shape", "place")))
        return torch.stack(list(losses.values())).sum()

    def ask(self, name: str) -> Tensor:
        panels = {"one": 1, "two": 2, "three": self.rng.choice((2, 3, 3)), "six": self.rng.choice((3, 6, 6, 6))}.get(
            name, 6
        )
        family, rng = self.family, self.rng
        pixels, strips = self.pool.strips(rng, IMAGES, panels)
        with torch.set_grad_enabled(self.whole):
            seen = torch.cat([family.see(view_pixels(pixels, view)) for view in family.views], 1)
        image = family.connect(seen)
        common = (family.words, family.after, family.end, rng, strips)
        slots = []
        if panels > 1:
            long = rng.random() < LONG
            slots += asked.ordinals(*common, 2 if long else 4, long=long)
        slots += asked.open_questions(*common, 2)
        hidden, half = self.packed.hidden(image, slots, blind=rng.random() < BLIND, watch=name == "few")
        total, count = torch.zeros(()), 0
        for each, slot in zip(hidden, slots, strict=True):
            wanted = slot.targets >= 0
            loss = F.cross_entropy(family.logits(each[wanted]), slot.targets[wanted], reduction="sum")
            number = int(wanted.sum())
            self.add("sure" if slot.sure else "open", float(loss.detach()), number)
            if slot.sure:
                self.note_loss(float(loss.detach()) / number)
            total, count = total + loss, count + number
        where = self.where.loss(half, slots)
        self.add("where", float(where.detach()), 1)
        loss = total / count + WHERE * where
        if name == "few":
            looks = self.packed.looks
            assert looks is not None
            self.add("looking", float((looks.detach() > LOOKING).sum()), 1)
            loss = loss + FEW * (1 + looks / FAINT).log().sum() / math.log(1 + 1 / FAINT)
        return loss

    def add(self, name: str, value: float, weight: float) -> None:
        old = self.sums.get(name, [0.0, 0.0])
        self.sums[name] = [old[0] + value, old[1] + weight]

    def note_loss(self, value: float) -> None:
        self.smooth = value if self.smooth is None else 0.99 * self.smooth + 0.01 * value

    @property
    def whole(self) -> bool:
        """Whether the tower learns with the rest: at the end, when gradients no longer undo what it knows."""
        return not self.family.frozen and self.used > 0.7 * self.budget

    def run(self) -> None:
        args = self.args
        with (args.out / "log.jsonl").open("a") as log:

            def note(**row: Any) -> None:
                text = json.dumps({"minute": round(self.used / 60, 2), "step": self.step, **row})
                print(text, flush=True)
                log.write(text + "\n")
                log.flush()

            size = {name: sum(p.numel() for p in part.parameters()) for name, part in
                    (("tower", self.family.tower), ("connector", self.family.connector),
                     ("language", self.family.language))}  # fmt: skip
            note(family=args.family, **size)
            began, before = time.process_time(), self.used
            noted = kept = time.time()
            since = self.step
            while self.used < self.budget and (not args.steps or self.step < args.steps):
                self.used = before + time.process_time() - began
                name, latest, enough = PHASES[self.phase]
                done = self.smooth is not None and self.smooth < enough and self.step > since + 150
                if self.phase + 1 < len(PHASES) and (done or self.used > latest * self.budget):
                    note(leaving=name, loss=self.smooth)
                    self.phase, self.smooth, since = self.phase + 1, None, self.step
                    continue
                left = 1 - self.used / self.budget
                rate = args.rate * min(1.0, (self.step + 1) / 100) * min(1.0, max(0.02, left / 0.4))
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
                self.optimiser.zero_grad(set_to_none=True)
                (self.see() if name == "see" else self.ask(name)).backward()
                params = [p for group in self.optimiser.param_groups for p in group["params"] if p.grad is not None]
                torch.nn.utils.clip_grad_norm_(params, 1.0)
                self.optimiser.step()
                self.step += 1
                if time.time() - noted > 20:
                    note(phase=name, rate=round(rate, 6), **{k: round(a / b, 4) for k, (a, b) in self.sums.items()})
                    self.sums, noted = {}, time.time()
                if time.time() - kept > 120:
                    self.keep()
                    kept = time.time()
            note(final=True, **{k: round(a / b, 4) for k, (a, b) in self.sums.items()})
            self.keep()


def waves(count: int, width: int) -> Tensor:
    """Waves along x and y for a table of learned places: what is learned of them by gradients alone comes late."""
    side = int(count**0.5)  # a class token's row comes last
    grid = torch.linspace(0, 1, side)
    y, x = (each.flatten() for each in torch.meshgrid(grid, grid, indexing="ij"))
    found = [2 * x - 1, 2 * y - 1]
    for k in (1, 2, 3):
        found += [torch.sin(2 * torch.pi * k * x), torch.cos(2 * torch.pi * k * x), torch.sin(torch.pi * k * y)]
    table = torch.zeros(count, width)
    for k, wave in enumerate(found):
        table[: side * side, 5 * k] = 0.5 * wave
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=KINDS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="stop after so many (for timing)")
    parser.add_argument("--tower", type=Path, help="state.pt of a run whose vision tower is taken")
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    Training(args).run()


if __name__ == "__main__":
    main()
