"""A steered Llama of llama-cpp-python: its chat completions look at a region, and say where they looked."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp

from .. import checks
from ..answers.answer import Answer, Finish, Step, joined_steps
from ..answers.transcript import Transcript
from ..errors import ClosedError, HeadSetMissingError, LlamaCppError, ModelFileError, RegionError
from ..images.image import Image, ImageSource
from ..loading.gguf import read_header
from ..loading.head_choice import given_heads, heads_of, warn_if_weak
from ..loading.projector import check_projector, warn_if_unverified
from ..regions.region import OnImage, Region, as_regions, placed
from ..steering.aim import Aim
from ..steering.head_set import Head, HeadSet, ModelFacts
from ..steering.push import Mode, Push, PushChange, Queries
from ..steering.steering import Steering
from ..tokens.gaze import Gaze
from .native import Context, layers_with_heads
from .prompt import Prompt
from .watched import Watched, is_open, multimodal

_FINISH: dict[str | None, Finish] = {"stop": "stop", "length": "length", "tool_calls": "stop", "function_call": "stop"}


def steer(
    llm: llama_cpp.Llama,
    region: Region | Sequence[Region] | Steering,
    *,
    image: ImageSource | None = None,
    heads: HeadSet | str | os.PathLike[str] | None = None,
    strength: float | None = None,
    mode: Mode | None = None,
    sharpness: float | None = None,
    queries: Queries | None = None,
    share: float | None = None,
    push: Push | None = None,
    gaze: bool = True,
) -> Steered:
    """A ``Llama`` whose chat completions look at a region as long as a ``with`` block of this lasts.

    llm: with one of llama-cpp-python's multimodal chat handlers. region: where to look, or a whole steering. image: the
    picture that the region is on, as the messages show it, in any form that ``Model.look`` takes; None for the only one
    of the messages, or those that the regions name (``OnImage``). heads: a head set, its file or name; None for the one
    that is known for the model. gaze: whether the answer says where the model looked. The others: what differs from the
    head set's push (``Push``).

    LlamaCppError, ClosedError, BusyError; RegionError, ImageError; HeadSetError, HeadSetMissingError; ModelFileError,
    ProjectorError; OptionError.
    """
    if not isinstance(llm, llama_cpp.Llama):
        raise LlamaCppError(f"steer({checks.short(llm)}); expected a llama_cpp.Llama.")
    if not is_open(llm):
        raise ClosedError("This Llama is closed; make it again: llama_cpp.Llama(...).")
    handler, path = multimodal(llm), Path(llm.model_path)
    projector = Path(handler.clip_model_path)
    check_projector(projector, path)
    warn_if_unverified(projector)
    facts = _facts(llm, path)
    if isinstance(region, Steering):
        found, at, push = region.head_set, region.regions, push or region.push
    else:
        chosen, at = given_heads(heads) or heads_of(facts, path, ()), as_regions(region)
        if chosen is None:
            raise HeadSetMissingError(
                f"No head set is known for {facts.name!r} ({facts.architecture}, {facts.layers} layers of "
                f"{facts.heads} heads). Find one: lookhere discover {path} --mmproj {projector} -o heads.json; then "
                "give it with steer(..., heads='heads.json')."
            )
        found = chosen
        warn_if_weak(found)
    found.check(facts)
    change = PushChange(mode=mode, strength=strength, share=share, sharpness=sharpness, queries=queries)
    steering = Steering(found, at, push=change.on(push or found.push))
    opened = None if image is None else Image.open(image)
    return Steered(llm, steering, opened, _limits(path, projector), gaze=checks.flag("gaze", gaze))


class Steered:
    """A Llama that looks at a region within ``with``; made by ``steer``."""

    def __init__(
        self, llm: llama_cpp.Llama, steering: Steering, image: Image | None, limits: tuple[int, int], *, gaze: bool
    ) -> None:
        self._llama = llm
        self._reads = gaze
        self._image = image
        self._context = Context(llm.ctx)
        self._watched = Watched(llm, self, limits)
        self._inside = self._grouped = self._running = False
        self._prompt: Prompt | None = None
        self._question = ""
        self._steps: list[Step] = []
        self._heads: tuple[Head, ...] = ()
        self._readers: tuple[Head, ...] = ()
        self._transcript = Transcript()
        self._over = False  # the model itself ended the answer
        self._finish: Finish | None = None
        self._acting: Aim | None = None
        self._check(steering)
        self._steering: Steering | None = steering
        self._last = steering

    def __repr__(self) -> str:
        place = f"at {self._steering.place}" if self._steering else "nowhere"
        return f"<Steered {Path(self._llama.model_path).name} {place}>"

    @property
    def steering(self) -> Steering | None:
        """What acts on the next token; None for nothing."""
        return self._steering

    @property
    def steps(self) -> tuple[Step, ...]:
        """The tokens of the latest answer, as far as it has come; each with its natural gaze."""
        return tuple(self._steps)

    @property
    def answer(self) -> Answer:
        """The latest answer: its text as lookhere tells it, ``where()``, ``words()``, ``heatmap()``. CancelledError
        where none has come to its end."""
        return joined_steps(
            self._steps,
            self._finish,
            prompt=self._question,
            prompt_tokens=self._prompt.tokens if self._prompt else 0,
            cached_tokens=0,
            steering=self._steering,
        )

    def look_at(self, region: Region | Sequence[Region] | Steering | None) -> None:
        """Moves the target, from the next token on; None lets the model look where it wants. From any thread.

        RegionError, HeadSetError, OptionError.
        """
        steering = region if region is None or isinstance(region, Steering) else self._last.looking_at(region)
        if steering is not None:
            self._check(steering)
            if self._running and self._prompt:
                self._prompt.aim(steering, self._image)
            self._last = steering
        self._steering = steering

    def close(self) -> None:
        """Leaves the Llama as it was, as the end of ``with`` does. May be called twice."""
        if not self._inside:
            return
        self._inside = False
        self._watched.close()
        if is_open(self._llama):
            self._context.heads(())
            self._context.read((), ())
            if self._grouped:
                self._context.group(False)

    def __enter__(self) -> Steered:
        if not is_open(self._llama):
            raise ClosedError("This Llama was closed before it was steered; make it again: llama_cpp.Llama(...).")
        multimodal(self._llama)
        self._grouped = self._context.group(True)
        self._watched.open()
        self._inside = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def begun(self, prompt: Prompt, messages: Any, stop: Any) -> None:
        """Told by the watched Llama: a prompt is about to be read."""
        self._prompt, self._question, self._running = prompt, _question(messages), True
        self._steps, self._over, self._finish = [], False, None
        self._transcript = Transcript([stop] if isinstance(stop, str) else stop or ())
        head_set = self._last.head_set
        if self._reads:
            self._heads, self._readers = tuple(sorted(head_set.heads)), head_set.readers
        self._context.read({layer for layer, _ in (*self._heads, *self._readers)}, prompt.grids)
        self._tell()

    def chosen(self, token: int, row: int) -> None:
        """Told by the watched Llama: a token was chosen."""
        self._over = bool(llama_cpp.llama_vocab_is_eog(self._llama._model.vocab, token))
        text = self._transcript.finish() if self._over else self._transcript.feed(self._piece(token))
        if not self._over or text:
            gaze, reading = self._gaze(self._heads, row), self._gaze(self._readers, row)
            self._steps.append(Step(len(self._steps), token, text, gaze, reading=reading if self._readers else gaze))
        if not self._over:
            self._tell()

    def ended(self, finish: str | None) -> None:
        """Told by the watched Llama: the answer ended."""
        self._finish = "end" if self._over and finish is not None else _FINISH.get(finish)
        self._acting, self._running = None, False
        if self._finish and self._steps and (rest := self._transcript.finish()):
            self._steps[-1] = replace(self._steps[-1], text=self._steps[-1].text + rest)
        if is_open(self._llama):
            self._context.steer(None, (), 0, 0)

    def _check(self, steering: Steering) -> None:
        """RegionError where a region is not on the image; HeadSetError."""
        steering.head_set.check(_facts(self._llama, Path(self._llama.model_path)))
        if self._image is not None:
            for region in steering.regions:
                if isinstance(region, OnImage):
                    raise RegionError(
                        f"{region} names an image by its number, and image= names one, too; leave one out."
                    )
            placed(steering.regions, self._image.width, self._image.height)
        self._watched.tails = steering.push.queries == "after_image"

    def _tell(self) -> None:
        """Has the engine aim at what is wanted now, where that changed."""
        prompt, steering = self._prompt, self._steering
        assert prompt is not None, "an answer has begun"
        if steering is None:
            if self._acting is not None:
                self._context.steer(None, (), 0, 0)
            self._acting = None
        elif self._acting is None or self._acting.steering is not steering:
            aim = prompt.aim(steering, self._image)
            self._context.heads(aim.heads)
            self._context.steer(aim, prompt.grids, prompt.end, prompt.first_query(aim))
            self._acting = aim

    def _gaze(self, heads: Sequence[Head], row: int) -> Gaze:
        prompt = self._prompt
        mass = self._context.attention(heads, row) if heads and prompt and prompt.grids else None
        if mass is None or prompt is None:
            return Gaze()
        maps, start = [], 0
        for grid in prompt.grids:
            cells = grid.rows * grid.cols
            maps.append(mass[:, start : start + cells].mean(axis=0).reshape(grid.rows, grid.cols))
            start += cells
        return Gaze(maps, prompt.frames)

    def _piece(self, token: int) -> bytes:
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            found = llama_cpp.llama_token_to_piece(self._llama._model.vocab, token, buffer, size, 0, False)
            if found >= 0:
                return buffer.raw[:found]
            size = -found


def _facts(llm: Any, path: Path) -> ModelFacts:
    """What of its model a head set depends on. ModelFileError where it has no head that can be steered."""
    heads = layers_with_heads(llm.model, layers := int(llama_cpp.llama_model_n_layer(llm.model)))
    if not heads:
        raise ModelFileError(
            f"No head of {path.name!r} can be steered; expected a model whose attention keeps plain keys and values, "
            "as Qwen3-VL, InternVL and Gemma do."
        )
    name = llm.metadata.get("general.name") or path.stem
    return ModelFacts.of(name, llm.metadata.get("general.architecture", ""), layers, next(iter(heads.values())), heads)


def _limits(path: Path, projector: Path) -> tuple[int, int]:
    """Image tokens at least and at most, where the files of a model of ours state them; 0 for none."""
    eyes, model = read_header(projector), read_header(path)
    keys = ("lookhere.image_min_tokens", "lookhere.image_max_tokens")
    least, most = (eyes.whole(key) or model.whole(key) or 0 for key in keys)
    return least, most


def _question(messages: Any) -> str:
    """The text of the last message."""
    content = messages[-1].get("content") if messages else None
    if isinstance(content, str):
        return content
    parts = content or ()
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict) and part.get("type") == "text")
