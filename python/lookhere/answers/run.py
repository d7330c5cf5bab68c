"""A run: an answer that is generated token by token, whose gaze can be moved between two tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..cancel import CancelFlag
from ..engine import engine_errors
from ..errors import CancelledError, ClosedError
from ..prompt.layout import Layout
from ..regions.region import Region
from ..steering.head_set import Head
from ..steering.steering import Steering
from ..tokens.frame import Frame
from ..tokens.grid import Map, mean_maps
from ..tokens.readback import Where, read_back
from .sampling import Sampling
from .transcript import Transcript
from .word import Word, words_of

if TYPE_CHECKING:
    from ..scene import Scene

Finish: TypeAlias = Literal["end", "length", "stop", "context", "cancelled"]
"""The model ended the answer; max_tokens; a stop text; the context is full; cancelled or closed."""


@dataclass(frozen=True, eq=False)
class Step:
    """One generated token.

    index: from 0. token: its id. text: what it adds to the answer, always valid text, may be empty. gaze: one (rows,
    cols) float32 map per token grid, the attention mass of the query that chose this token, averaged over the head set,
    as if no bias acted (natural). steered_gaze: the same as it acted. head_gaze: (heads, rows, cols) per grid, natural,
    in the order of the head set. reading: as gaze, averaged over the head set's readers where it names some; the heads
    that tell where the model looked. The maps that were not asked for are empty. frame: what the maps cover.
    """

    index: int
    token: int
    text: str
    gaze: tuple[Map, ...] = ()
    steered_gaze: tuple[Map, ...] = ()
    head_gaze: tuple[NDArray[np.float32], ...] = ()
    reading: tuple[Map, ...] = ()
    frame: Frame | None = None

    def where(self) -> Where | None:
        """Where the query that chose this token looked; None where no gaze was read."""
        return read_back(self.reading, self.frame) if self.reading and self.frame else None


@dataclass(frozen=True, eq=False)
class Answer:
    """A finished answer. gaze, reading: natural, one (rows, cols) float32 map per token grid, mean over the steps."""

    text: str
    steps: tuple[Step, ...]
    gaze: tuple[Map, ...]
    finish: Finish
    prompt: str
    prompt_tokens: int
    steering: Steering | None
    reading: tuple[Map, ...] = ()
    frame: Frame | None = None

    def __str__(self) -> str:
        return self.text

    def where(self) -> Where | None:
        """Where the model looked while it said this; None where no gaze was read."""
        return read_back(self.reading, self.frame) if self.reading and self.frame else None

    def words(self) -> tuple[Word, ...]:
        """The words in order, each with where the model looked for it."""
        return words_of(self.steps)


class Run:
    """An answer in the making; iterate over it for its steps, close it (or leave ``with``) to cancel.

    It belongs to one thread, ``cancel`` apart. Nothing is computed before the first step is asked for.
    """

    def __init__(
        self,
        scene: Scene,
        prompt: str,
        layout: Layout,
        steering: Steering | None,
        sampling: Sampling,
        *,
        gaze: bool,
        steered_gaze: bool,
        head_gaze: bool,
        readers: Sequence[Head] | None = None,
        strength: float | None = None,
        cancel: CancelFlag | None = None,
    ) -> None:
        from lookhere import _engine

        self.prompt = prompt
        self.session = scene.model.session
        self.layout = layout
        self._scene = scene
        self._steering = self._last = steering
        self._strength = strength
        self._sampling = sampling
        self._sampler = _engine.Sampler(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repeat_penalty=sampling.repeat_penalty,
            seed=sampling.seed,
        )
        self._transcript = Transcript(sampling.stop)
        heads = steering.heads if steering else scene.model.heads
        self._read = heads.heads if heads and (gaze or steered_gaze or head_gaze) else ()
        known = heads.readers if heads else ()
        self._readers = tuple(known if readers is None else readers) if gaze else ()
        self._frame = scene.frame
        self._wants = (gaze, steered_gaze, head_gaze)
        self._cancel = (cancel or CancelFlag()).native
        self._index = 0
        self._token: int | None = None  # chosen, not yet in the cache
        self._open = False
        self._finish: Finish | None = None

    @property
    def finish(self) -> Finish | None:
        """Why the answer ended; None while it goes on."""
        return self._finish

    @property
    def steering(self) -> Steering | None:
        """The steering that acts now."""
        return self._steering

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, the image included."""
        return self.layout.tokens

    @property
    def look(self) -> tuple[Steering | None, Sequence[Map]]:
        """The steering that acts now, and the coverage of each grid."""
        return self._steering, self._scene.target(self._steering.regions) if self._steering else ()

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers whose attention it reads."""
        return tuple(sorted({layer for layer, _ in (*self._read, *self._readers)}))

    @property
    def room(self) -> int:
        """Tokens that it generates at most."""
        return self._sampling.max_tokens

    def look_at(self, at: Region | Sequence[Region] | Steering | None) -> None:
        """Moves the gaze; the very next token obeys. None lets the model look where it wants.

        A region is looked at with the mode, its number and the queries that the answer was last steered with.

        RegionError; HeadSetMissingError; ClosedError when the answer has ended.
        """
        if self._finish is not None:
            raise ClosedError(f"This answer has ended ({self._finish}); ask the scene again.")
        if at is None or isinstance(at, Steering) or self._last is None:
            steering = self._scene.steering(at, strength=None if isinstance(at, Steering) else self._strength)
        else:
            steering = self._last.looking_at(at)
        maps = self._scene.target(steering.regions) if steering else ()  # raises where a region leaves the image
        if self._open:
            self.session.steer(self.layout, steering, maps)
        self._steering = steering
        self._last = steering or self._last

    def cancel(self) -> None:
        """Ends the answer as soon as the engine can, from any thread; the iteration then stops.

        A flag that was given with ``cancel=`` is raised by it.
        """
        self._cancel.set()

    def close(self) -> None:
        """Ends the answer. May be called twice."""
        self._end("cancelled")

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        if self._finish is not None:
            raise StopIteration
        try:
            step = self._advance()
        except CancelledError:
            self._end("cancelled")
            raise StopIteration from None
        except BaseException:
            self._end("cancelled")
            raise
        if step is None:
            raise StopIteration
        return step

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            self.close()

    def _advance(self) -> Step | None:
        """The next step; None if the answer ended without one."""
        if self._cancel.is_set():
            raise CancelledError("Cancelled.")
        if not self._open:
            self._begin()
        elif self._token is not None:
            self.session.decode([self._token], self._cancel)
        return self.choose()

    def choose(self, row: int = -1) -> Step | None:
        """Draws the next token from an output row of the session; None if the answer ended without one."""
        with engine_errors("choosing a token"):
            token = self._sampler.sample(self.session.native, row)
        model = self._scene.model.native
        if model.is_end(token):
            text = self._transcript.finish()
            finish: Finish | None = "end"
            if not text:
                self._end("end")
                return None
        else:
            text = self._transcript.feed(model.piece(token))
            finish = self._stops()
            if finish and finish != "stop":
                text += self._transcript.finish()
        step = self._step(token, text, row)
        self._token = token
        if finish:
            self._end(finish)
        return step

    def _begin(self) -> None:
        self.session.acquire(self._cancel)
        self._open = True
        self.session.prefill(self.layout, [self.look], room=self.room, probe=self.layers, cancel=self._cancel)

    def _stops(self) -> Finish | None:
        if self._transcript.stopped:
            return "stop"
        if self._index + 1 >= self._sampling.max_tokens:
            return "length"
        return "context" if self.session.full() else None

    def _step(self, token: int, text: str, row: int) -> Step:
        mean, steered, single = self._wants if self._read else (False, False, False)
        natural = self.session.attention(self._read, steered=False, row=row) if mean or single else None
        acted = self.session.attention(self._read, steered=True, row=row) if steered else None
        gaze = self._maps(natural.mean(axis=0)) if mean and natural is not None else ()
        reading = gaze
        if self._readers:
            reading = self._maps(self.session.attention(self._readers, steered=False, row=row).mean(axis=0))
        step = Step(
            self._index,
            token,
            text,
            gaze,
            self._maps(acted.mean(axis=0)) if acted is not None else (),
            self._maps(natural) if single and natural is not None else (),
            reading,
            self._frame,
        )
        self._index += 1
        return step

    def _maps(self, mass: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """(..., image tokens) as (..., rows, cols) per grid."""
        maps, start = [], 0
        for grid in self._scene.grids:
            run = mass[..., start : start + grid.tokens]
            maps.append(run.reshape(*run.shape[:-1], grid.rows, grid.cols))
            start += grid.tokens
        return tuple(maps)

    def _end(self, finish: Finish) -> None:
        if self._finish is None:
            self._finish = finish
        if self._open:
            self._open = False
            self.session.release()


def joined(run: Run) -> Answer:
    """Reads a run to its end. CancelledError if it was cancelled meanwhile."""
    with run:
        steps = tuple(run)
    return answer_of(run, steps, run.finish)


def answer_of(run: Run, steps: Sequence[Step], finish: Finish | None) -> Answer:
    """The steps of a run as one answer. CancelledError where it was cancelled or has not ended."""
    if finish is None or finish == "cancelled":
        raise CancelledError("The answer was cancelled before its end.")
    return Answer(
        "".join(step.text for step in steps),
        tuple(steps),
        mean_maps([step.gaze for step in steps]),
        finish,
        run.prompt,
        run.prompt_tokens,
        run.steering,
        mean_maps([step.reading for step in steps]),
        steps[0].frame if steps else None,
    )
