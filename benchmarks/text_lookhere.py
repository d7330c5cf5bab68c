"""lookhere as a user runs it, for `text.py`: MODEL THREADS PARAGRAPHS HEADS, the last a head set's file or nothing."""

from __future__ import annotations

import itertools
import sys
import time

from heads import heads_for
from lookhere import HeadSet, Paragraph, Scene, Steering, Text, load
from lookhere.comics import generate_strip
from lookhere.lab.view import View
from serve import serve

QUESTION = "Repeat the sentences above."
STRIP = 6
"""Captions of a generated strip; each is a paragraph."""


class Lookhere:
    def __init__(self, model: str, threads: int, paragraphs: int, heads: str) -> None:
        self.model = load(model, threads=threads, heads=heads or None)
        if self.model.head_set is None:
            facts = self.model.facts
            self.model.head_set = HeadSet(facts, tuple(heads_for(facts.layers, facts.heads)), queries="answer")
        strips = (generate_strip(seed, panels=STRIP, panel_size=16) for seed in itertools.count())
        captions = (caption for strip in strips for caption in strip.captions)
        self._story = "\n\n".join(itertools.islice(captions, paragraphs))

    def steered(self) -> int:
        """Heads."""
        return len(self.model.head_set.heads)

    def prompt(self, number: int) -> list[int]:
        """The tokens of a prompt, which differ from the first paragraph on."""
        return [int(token) for token in View(self._look(number), QUESTION).layout().items]

    def answer(self, number: int, tokens: int, temperature: float, queries: str, *, gaze: bool) -> tuple[float, float]:
        """Seconds of a token of the prompt, those apart that were in the cache, and of the answer, the first apart.
        queries: which obey; none does without."""
        scene = self._look(number)
        at = Steering(self.model.head_set.pushed(queries=queries), Paragraph(2)) if queries else None
        start = time.perf_counter()
        drawn = {"temperature": temperature, "top_k": 40, "top_p": 0.95, "min_p": 0.05, "seed": number}
        with scene.stream(QUESTION, at=at, max_tokens=tokens, gaze=gaze, **drawn) as run:
            next(run)
            first = time.perf_counter()
            count = sum(1 for _ in run)
            end = time.perf_counter()
            if not count:
                raise SystemExit("the answer has one token; expected more, with another number of paragraphs")
            return (first - start) / (run.prompt_tokens - (run.sequence.cached or 0)), (end - first) / count

    def _look(self, number: int) -> Scene:
        return self.model.look(Text(f"Story {number:05}.\n\n{self._story}"))


if __name__ == "__main__":
    serve(lambda: Lookhere(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
