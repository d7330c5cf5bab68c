"""lookhere as a user runs it, for `talk.py` and `moving.py`: MODEL THREADS PIXELS."""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np
from heads import heads_for
from lookhere import HeadSet, Panel, Steering, load
from serve import serve


def picture(pixels: int) -> np.ndarray:
    """What both programs that look at an image look at: noise, (pixels, pixels, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (pixels, pixels, 3), np.uint8)


class Lookhere:
    def __init__(self, model: str, threads: int, pixels: int) -> None:
        self.model = load(model, threads=threads)
        if self.model.head_set is None:  # a model that was cut
            facts = self.model.facts
            heads = heads_for(self.model.layers, self.model.heads_per_layer)
            self.model.head_set = HeadSet(facts, tuple(heads), queries="answer")
        self.scene = self.model.look(picture(pixels))

    def depth(self) -> int:
        """Tokens of the prompt."""
        return self.scene.describe(max_tokens=1).prompt_tokens

    def talk(self, tokens: int, *, steered: bool, gaze: bool) -> float:
        """Seconds per token of a stream, the first token apart."""
        at = Steering(self.model.head_set, Panel(1, 3)) if steered else None
        with self.scene.stream(at=at, max_tokens=tokens, gaze=gaze) as run:
            next(run)
            start = time.perf_counter()
            count = sum(1 for _ in run)
            return (time.perf_counter() - start) / count

    def move(self, tokens: int) -> dict[str, float]:
        """One answer, the target moved before every token. Seconds of look_at and of the step after it, without the
        first two; graphs of the steps that were built, not reused."""
        places = [Panel(k + 1, 3) for k in range(3)]
        moves, steps = [], []
        with self.scene.stream(at=places[0], max_tokens=tokens, gaze=False) as run:
            next(run)
            next(run)
            native = self.model.session.native
            reused = native.graphs_reused
            for index in range(tokens - 2):
                start = time.perf_counter()
                run.look_at(places[index % 3])
                middle = time.perf_counter()
                next(run)
                moves.append(middle - start)
                steps.append(time.perf_counter() - middle)
            built = tokens - 2 - (native.graphs_reused - reused)
        return {"move": statistics.median(moves), "step": statistics.median(steps), "built": built}


if __name__ == "__main__":
    serve(lambda: Lookhere(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
