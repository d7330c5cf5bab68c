"""A scene: one image prepared for one model, encoded once, ready to be asked many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .chat import checked_text
from .coverage import coverage, target
from .errors import HeadSetMissingError
from .grid import Map, TokenGrid
from .image import Image
from .layout import lay_out
from .region import Region, as_regions, placed
from .sampling import Sampling
from .steering import Steering
from .stream import Answer, Run, joined

if TYPE_CHECKING:
    from . import _engine
    from .model import Model


class Scene:
    """One image as a model sees it. Made by ``Model.look``. All pixels are those of the upright original image."""

    def __init__(self, model: Model, image: Image, encoded: _engine.EncodedImage) -> None:
        self.model = model
        self.image = image
        self._encoded = encoded
        found = [part.grid for part in encoded.parts if part.grid is not None]
        self.grids: tuple[TokenGrid, ...] = tuple(TokenGrid(g.rows, g.cols, g.x0, g.y0, g.x1, g.y1) for g in found)

    def __repr__(self) -> str:
        grids = ", ".join(f"{grid.rows} x {grid.cols}" for grid in self.grids)
        return f"<Scene {self.image.name}, {self.width} x {self.height} pixels, {grids} tokens>"

    @property
    def encoded(self) -> _engine.EncodedImage:
        """The engine's encoded image."""
        return self._encoded

    @property
    def width(self) -> int:
        """Pixels."""
        return self.image.width

    @property
    def height(self) -> int:
        """Pixels."""
        return self.image.height

    @property
    def tokens(self) -> int:
        """What the image takes of the context."""
        return self._encoded.tokens

    def coverage(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: which share of each token the regions cover.

        RegionError if a region leaves the image.
        """
        return coverage(placed(as_regions(at), self.width, self.height), self.grids)

    def target(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: what a steering aims at, the coverage times the weight.

        0 where the regions cover less than 1/16 of a token. RegionError if a region leaves the image.
        """
        return target(placed(as_regions(at), self.width, self.height), self.grids)

    def steering(
        self, at: Region | Sequence[Region] | Steering | None, *, strength: float | None = None
    ) -> Steering | None:
        """What ``at=`` means here: the model's head set looking at the region. None stays None.

        RegionError; HeadSetMissingError if no head set is known for the model; HeadSetError if a Steering brings heads
        that the model does not have.
        """
        if at is None:
            return None
        if isinstance(at, Steering):
            at.heads.check(self.model)
            self.coverage(at.regions)
            if strength is None:
                return at
            return Steering(
                at.heads, at.regions, strength=strength, mode=at.mode, sharpness=at.sharpness, queries=at.queries
            )
        self.coverage(at)
        if self.model.heads is None:
            raise HeadSetMissingError(
                f"No head set is known for {self.model.name!r} ({self.model.architecture}, {self.model.layers} layers "
                f"of {self.model.heads_per_layer} heads), so that its gaze cannot be steered. Give one with "
                "load(heads='heads.json') or --heads, or ask without a region."
            )
        return Steering(self.model.heads, at, strength=strength)

    def stream(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        strength: float | None = None,
        system: str | None = None,
        max_tokens: int = 100,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repeat_penalty: float = 1.0,
        seed: int = 0,
        stop: str | Sequence[str] = (),
        gaze: bool = True,
        steered_gaze: bool = False,
        head_gaze: bool = False,
    ) -> Run:
        """An answer, token by token.

        prompt: None for the model's own question. at: where to look, None for where the model wants. strength: nats,
        None for the head set's. temperature: 0 is greedy. stop: texts that end the answer and are not part of it.
        gaze, steered_gaze, head_gaze: which maps each step brings. Errors of the arguments are raised here, all others
        by the steps.
        """
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        sampling = Sampling(max_tokens, temperature, top_k, top_p, min_p, repeat_penalty, seed, stops)
        steering = self.steering(at, strength=strength)
        prompt = self.model.prompt if prompt is None else checked_text("prompt", prompt)
        native = self.model.native
        layout = lay_out(native, self.model.template, self._encoded, prompt, system)
        return Run(self, prompt, layout, steering, sampling, gaze=gaze, steered_gaze=steered_gaze, head_gaze=head_gaze)

    def describe(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        strength: float | None = None,
        system: str | None = None,
        max_tokens: int = 100,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repeat_penalty: float = 1.0,
        seed: int = 0,
        stop: str | Sequence[str] = (),
        gaze: bool = True,
        steered_gaze: bool = False,
        head_gaze: bool = False,
    ) -> Answer:
        """The whole answer; the arguments are those of ``stream``, whose steps it joins."""
        return joined(
            self.stream(
                prompt,
                at=at,
                strength=strength,
                system=system,
                max_tokens=max_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                min_p=min_p,
                repeat_penalty=repeat_penalty,
                seed=seed,
                stop=stop,
                gaze=gaze,
                steered_gaze=steered_gaze,
                head_gaze=head_gaze,
            )
        )
