"""Decode against the memory bandwidth of the machine: bytes of weights and cache per token, beside a plain read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import machine
import page
from heads import heads_for
from ratio import Ratio, median
from sides import library, sides

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--depths", type=int, nargs="+", default=[64, 4096])
    parser.add_argument("--tokens", type=int, default=48, help="generated per round")


def bytes_per_token(model: Path) -> tuple[int, int]:
    """(weights that one token reads, cache that it reads per earlier token at F16)."""
    import gguf

    file = gguf.GGUFReader(model)
    tensors = {tensor.name: int(tensor.n_bytes) for tensor in file.tensors}
    if "output.weight" in tensors:
        del tensors["token_embd.weight"]  # one row of it

    def number(key: str) -> int:
        field = file.get_field(f"qwen3vl.{key}")
        assert field is not None, key
        return int(field.contents())

    head = number("attention.key_length") + number("attention.value_length")
    return sum(tensors.values()), number("block_count") * number("attention.head_count_kv") * head * 2


def run(args: argparse.Namespace) -> None:
    weights, per_token = bytes_per_token(args.model)
    rows = []
    both = [library(folder, args.model, args.threads) for folder in (args.stock, args.ours)]
    with sides(*both) as (stock, ours):
        facts = ours.facts()
        heads = heads_for(facts["layers"], facts["heads"])
        for depth in args.depths:
            image = (4, 4) if depth < 1100 else (32, 32)
            arms = {}
            for name, side, flash, steered in (
                ("stock, flash attention on", stock, "on", []),
                ("stock, flash attention off", stock, "off", []),
                ("unsteered", ours, "auto", []),
                ("steered", ours, "auto", heads),
            ):
                if not steered:
                    side.open(
                        name=flash, rows=image[0], cols=image[1], depth=depth, tokens=args.tokens + 1, flash=flash
                    )
                    side.fill(name=flash)
                arms[name] = (side, {"name": flash, "tokens": args.tokens, "heads": steered, "layers": []})
            plain, shares = [], {name: [] for name in arms}
            moved = weights + depth * per_token
            for turn in range(args.rounds + 1):
                plain.append(machine.read_bandwidth(args.threads, rounds=3))
                for name, (side, told) in arms.items():
                    share = moved / side.answer(**told) / plain[-1]
                    if turn:
                        shares[name].append(share)
            found: dict[str, Ratio] = {name: median(values) for name, values in shares.items()}
            rows += [(depth, name, f"{moved / 1e9:.2f}", found[name]) for name in arms]
            speed = median(plain[1:])
            for side, flash in ((stock, "on"), (stock, "off"), (ours, "auto")):
                side.shut(name=flash)
            print(depth, f"{speed.middle / 1e9:.1f} GB/s", found, flush=True)
    page.write(
        f"{args.name or args.model.parent.name}: share of the memory bandwidth",
        f"A plain read with {args.threads} threads reached {speed.middle / 1e9:.1f} GB/s "
        f"({speed.low / 1e9:.1f}-{speed.high / 1e9:.1f}) in the same run. Target: 0.85.\n\n"
        + page.table(("tokens in the cache", "arm", "GB per token", "share of a plain read"), rows),
    )
