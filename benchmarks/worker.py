"""One side of a comparison: a process with one library and one model, which does what it is told by lines of JSON.

    python benchmarks/worker.py FOLDER MODEL --threads 2

FOLDER holds libllama, stock or ours. `sides.Side` starts it and talks to it.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import machine
from filling import fill
from llama import Llama, Prompt, steered
from serve import serve


class Worker:
    """Its methods are the commands."""

    def __init__(self, folder: Path, model: Path, threads: int, *, mmap: bool) -> None:
        self.llama = Llama(folder, model, threads, mmap=mmap)
        self.prompts: dict[str, Prompt] = {}

    def facts(self) -> dict[str, object]:
        return {"layers": self.llama.layers, "heads": self.llama.heads, "patched": self.llama.api.patched}

    def open(self, name: str, rows: int, cols: int, depth: int, tokens: int, flash: str) -> None:
        """A context for a prompt of so many tokens and an answer, in the place of one of that name."""
        if name in self.prompts:
            self.shut(name)
        context = self.llama.open(name, tokens=depth + tokens, flash=flash)
        self.prompts[name] = Prompt(rows, cols, depth, flat=context.n_pos == 1)

    def shut(self, name: str) -> None:
        del self.prompts[name]
        self.llama.shut(name)

    def read(self, name: str, heads: list[list[int]], layers: list[int]) -> float:
        """Seconds of a prefill, steered in heads and with layers read."""
        prompt, context = self.prompts[name], self.llama.context(name)
        with self._acting(name, heads, layers):
            start = time.perf_counter()
            prompt.read(context)
            context.logits()
            return time.perf_counter() - start

    def fill(self, name: str) -> None:
        """The cache holds a prompt that was not read."""
        fill(self.prompts[name], self.llama.context(name))

    def answer(self, name: str, tokens: int, heads: list[list[int]], layers: list[int]) -> float:
        """Seconds of one token, over so many, from where the prompt ends; one before them does not count."""
        prompt, context = self.prompts[name], self.llama.context(name)
        with self._acting(name, heads, layers):
            prompt.answer(context, 1)
            return prompt.answer(context, tokens) / tokens

    def batch(self, name: str, rows: int, times: int) -> float:
        """Seconds of a batch of so many tokens; one before them does not count."""
        prompt, context = self.prompts[name], self.llama.context(name)
        prompt.batch(context, rows, 1)
        return prompt.batch(context, rows, times)

    def peak(self) -> list[int]:
        return list(machine.peak())

    def _acting(self, name: str, heads: list[list[int]], layers: list[int]) -> Any:
        if not heads:
            return nullcontext()
        pairs = [(layer, head) for layer, head in heads]
        return steered(self.llama.context(name), self.prompts[name], pairs, layers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--read", action="store_true", help="the file, as lookhere does; it is mapped otherwise")
    args = parser.parse_args()
    serve(lambda: Worker(args.folder, args.model, args.threads, mmap=not args.read))


if __name__ == "__main__":
    main()
