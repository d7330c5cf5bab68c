"""A run: an answer that is generated token by token, whose gaze can be moved between two tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..cancel import CancelFlag
from ..checks import short
from ..engine import compiled, engine_errors
from ..errors import CancelledError, ClosedError, OptionError, RegionError
from ..kv.request import Request
from ..kv.sequence import KvSequence
from ..loaded import LoadedModel
from ..prompt.layout import Layout
from ..regions.region import Region
from ..steering.aim import Aim
from ..steering.head_set import Head
from ..steering.steering import Steering
from ..tokens.frame import Frame
from ..tokens.gaze import Gaze, GridMaps
from .answer import Answer, Finish, Step, joined_steps
from .ask import Ask
from .attention import check_memory
from .transcript import Transcript

if TYPE_CHECKING:
    from .. import _engine

Floating = TypeVar("Floating", np.float16, np.float32)

AimAt: TypeAlias = Callable[[Region | Sequence[Region] | Steering | None], Aim | None]
"""What makes an aim of a place: the images that are asked about."""


class Run:
    """An answer in the making; iterate over it for its steps, close it (or leave ``with``) to cancel.

    Runs of one model may be read side by side, from one thread or from several: steps that are wanted at the same time
    are computed in one batch. A run that nobody reads holds nothing; what it has in the KV cache may be evicted, and is
    read again when it goes on. Nothing is computed before the first step is asked for.
    """

    def __init__(
        self,
        model: LoadedModel,
        ask: Ask,
        layout: Layout,
        frames: Sequence[Frame],
        aim: Aim | None,
        *,
        aim_at: AimAt,
        cancel: CancelFlag | None = None,
    ) -> None:
        self.ask = ask
        self._model = model
        self._session = model.session
        self._frames = tuple(frames)
        self._grids = [grid for frame in frames for grid in frame.grids]
        self._check_fits(aim)
        self._aim = self._last = aim
        self._aim_at = aim_at
        sampling = ask.sampling
        self._sampler: _engine.Sampler = compiled().Sampler(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repeat_penalty=sampling.repeat_penalty,
            seed=sampling.seed,
        )
        self._transcript = Transcript(sampling.stop)
        heads = aim.steering.head_set if aim else model.head_set
        wanted = bool(self._grids) and (ask.gaze or ask.steered_gaze or ask.head_gaze)
        self._read = heads.heads if heads and wanted else ()
        self._every = model.facts.every_head if ask.head_gaze == "all" and self._grids else ()
        readers = (heads.readers if heads else ()) if ask.readers is None else ask.readers
        self._readers = tuple(readers) if ask.gaze and self._grids else ()
        layers = {layer for layer, _ in (*self._read, *self._readers, *self._every)}
        check_memory(self._every, self._grids, min(sampling.max_tokens, model.session.limit - layout.tokens))
        self.sequence = KvSequence(layout, aim, room=sampling.max_tokens, layers=layers)
        self._cancel = (cancel or CancelFlag()).native
        self._index = 0
        self._token: int | None = None  # chosen, not yet read
        self._finish: Finish | None = None

    @property
    def prompt(self) -> str:
        """The question."""
        return self.ask.prompt

    @property
    def finish(self) -> Finish | None:
        """Why the answer ended; None while it goes on."""
        return self._finish

    @property
    def steering(self) -> Steering | None:
        """The steering that acts now."""
        return self._aim.steering if self._aim else None

    @property
    def aim(self) -> Aim | None:
        """The steering that acts now, with what it covers of each token grid."""
        return self._aim

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, images included."""
        return self.sequence.layout.tokens

    def look_at(self, at: Region | Sequence[Region] | Steering | None) -> None:
        """Moves the gaze; the next token obeys. None lets the model look where it wants.

        A region is looked at with the push that the answer was last steered with.

        RegionError; HeadSetMissingError; ClosedError when the answer has ended.
        """
        if self._finish is not None:
            raise ClosedError(f"This answer has ended ({self._finish}); ask the scene again.")
        self.aim_with(self.aim_for(at))

    def aim_for(self, at: Region | Sequence[Region] | Steering | None) -> Aim | None:
        """What ``look_at`` would look with, to be carried to ``aim_with``; it may be made in another thread.

        RegionError; HeadSetMissingError.
        """
        if at is not None and not isinstance(at, Steering) and self._last is not None:
            at = self._last.steering.looking_at(at)
        return self._aim_at(at)

    def aim_with(self, aim: Aim | None) -> None:
        """Moves the gaze to an aim that was made before. OptionError; RegionError where it is on other images."""
        if aim is not None and not isinstance(aim, Aim):
            raise OptionError(f"aim={short(aim)}; expected an Aim, as scene.aim(region) makes it, or None.")
        self._check_fits(aim)
        self._aim = self.sequence.aim = aim
        self._last = aim or self._last

    def _check_fits(self, aim: Aim | None) -> None:
        wanted = [(grid.rows, grid.cols) for grid in self._grids]
        if aim is not None and (given := [each.shape for each in aim.target]) != wanted:
            raise RegionError(
                f"The aim was made for token grids of {short(given)}, and the images that are asked about have "
                f"{short(wanted)}; make one with the scene that is asked: scene.aim(region)."
            )

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
        request = self.request()
        try:
            self._session.compute([request], self._cancel)
        except CancelledError:
            pass  # its outcome is that, too
        except BaseException:
            self._end("cancelled")
            raise
        step = self.outcome(request)
        if step is None:
            raise StopIteration
        return step

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Run belongs to the engine of this process, so that it can be neither copied nor pickled; read it to its "
            "end and keep the Answer: run.join()."
        )

    def __del__(self) -> None:
        if hasattr(self, "sequence"):
            self.sequence.closed = True

    def answer(self, steps: Sequence[Step], finish: Finish | None = None) -> Answer:
        """Steps of this run as one answer. CancelledError where it was cancelled or has not ended.

        finish: why it ended, where that is not the run's own end.
        """
        return joined_steps(
            steps,
            self._finish if finish is None else finish,
            prompt=self.prompt,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.sequence.cached or 0,
            steering=self.steering,
        )

    def join(self) -> Answer:
        """Reads the run to its end. CancelledError if it was cancelled meanwhile."""
        with self:
            steps = tuple(self)
        return self.answer(steps)

    def request(self) -> Request[Step | None]:
        """What is wanted for the next step; its result is the step, or None if the answer ended without one."""
        return Request(self.sequence, self._pending, self._take, self._cancel)

    def outcome(self, request: Request[Step | None]) -> Step | None:
        """What came of a request: a step, or None if the answer ended without one. An error ends the answer."""
        try:
            step = request.outcome()
        except CancelledError:
            step = None
        except BaseException:
            self._end("cancelled")
            raise
        if step is None:
            self._end("cancelled")  # if it has not ended otherwise
        return step

    def submit(self, when_done: Callable[[Request[Step | None]], None]) -> None:
        """Has the next step computed without waiting for it. when_done: as in ``Session.submit``, for ``outcome``."""
        request = self.request()
        self._session.submit(request, lambda: when_done(request))

    def _take(self, row: int) -> Step | None:
        """Within the turn that computed the row, maybe in another thread."""
        return self._choose(row) if self._finish is None else None

    def _choose(self, row: int) -> Step | None:
        """Draws the next token from an output row; None if the answer ended without one."""
        with engine_errors("choosing a token"):
            token = self._sampler.sample(self._session.native, row)
        model = self._model.native
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

    def _pending(self) -> list[int]:
        """The chosen token that the engine has not read yet, if there is one."""
        return [] if self._token is None else [self._token]

    def _stops(self) -> Finish | None:
        if self._transcript.stopped:
            return "stop"
        if self._index + 1 >= self.ask.sampling.max_tokens:
            return "length"
        return None if self._session.fits_more(self.sequence) else "context"

    def _step(self, token: int, text: str, row: int) -> Step:
        session, ask, facts = self._session, self.ask, self._model.facts
        every = session.attention(self._every, steered=False, row=row) if self._every else None
        if every is not None:
            every = facts.on_every_layer(every.reshape(-1, facts.heads, every.shape[-1]))

        def natural(heads: Sequence[Head]) -> NDArray[np.float32]:
            if every is None:
                return session.attention(heads, steered=False, row=row)
            return every[[layer for layer, _ in heads], [head for _, head in heads]]

        single = ask.head_gaze is True and bool(self._read)
        read = natural(self._read) if self._read and (ask.gaze or single) else None
        acted = session.attention(self._read, steered=True, row=row) if ask.steered_gaze and self._read else None
        gaze = self._gaze(read) if ask.gaze else Gaze()
        reading = self._gaze(natural(self._readers)) if self._readers else gaze
        heads = read if single else None
        if every is not None:
            heads = every.astype(np.float16)
        head_gaze = GridMaps() if heads is None else GridMaps(self._maps(heads), self._frames)
        step = Step(self._index, token, text, gaze, self._gaze(acted), head_gaze, reading)
        self._index += 1
        return step

    def _gaze(self, mass: NDArray[np.float32] | None) -> Gaze:
        """(heads, image tokens) as one map per grid, the mean over the heads."""
        return Gaze() if mass is None else Gaze(self._maps(mass.mean(axis=0)), self._frames)

    def _maps(self, mass: NDArray[Floating]) -> tuple[NDArray[Floating], ...]:
        """(..., image tokens) as (..., rows, cols) per grid."""
        maps, start = [], 0
        for grid in self._grids:
            run = mass[..., start : start + grid.tokens]
            maps.append(run.reshape(*run.shape[:-1], grid.rows, grid.cols))
            start += grid.tokens
        return tuple(maps)

    def _end(self, finish: Finish) -> None:
        if self._finish is None:
            self._finish = finish
        self.sequence.closed = True
