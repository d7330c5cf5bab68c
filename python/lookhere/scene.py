"""A scene: one image prepared for one model, encoded once, ready to be asked many times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from .answers.group import Group
from .answers.run import Answer, Run, joined
from .answers.sampling import Sampling
from .cancel import CancelFlag
from .errors import HeadSetMissingError, RegionError
from .images.image import Image
from .prompt.chat import checked_text
from .prompt.layout import lay_out
from .regions.box import Box
from .regions.region import Region, as_regions, placed
from .steering.head_set import Head, HeadSet, ModelFacts
from .steering.steering import Steering
from .tokens.coverage import coverage, target
from .tokens.frame import Frame
from .tokens.grid import Map, TokenGrid
from .tokens.zoom import enlarged, in_image, window

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _engine
    from .model import Model


class Options(TypedDict, total=False):
    """What ``Scene.stream`` takes beside the prompt and the place; see there."""

    strength: float | None
    system: str | None
    max_tokens: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repeat_penalty: float
    seed: int
    stop: str | Sequence[str]
    gaze: bool
    steered_gaze: bool
    head_gaze: bool
    readers: Sequence[Head] | None
    zoom: bool
    cancel: CancelFlag | None


class Scene:
    """One image as a model sees it. Made by ``Model.look``. All pixels are those of the upright original image.

    part: what of the image was enlarged and encoded (``zoom``), None for all of it.
    """

    def __init__(self, model: Model, image: Image, encoded: _engine.EncodedImage, part: Box | None = None) -> None:
        self.model = model
        self.image = image
        self.part = part
        self._encoded = encoded
        found = [part.grid for part in encoded.parts if part.grid is not None]
        grids = (TokenGrid(g.rows, g.cols, g.x0, g.y0, g.x1, g.y1) for g in found)
        if part is not None:
            grids = (in_image(grid, part, image.width, image.height) for grid in grids)
        self.grids: tuple[TokenGrid, ...] = tuple(grids)

    def __repr__(self) -> str:
        grids = ", ".join(f"{grid.rows} x {grid.cols}" for grid in self.grids)
        zoomed = f", {self.part} of it" if self.part else ""
        return f"<Scene {self.image.name}, {self.width} x {self.height} pixels{zoomed}, {grids} tokens>"

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
    def frame(self) -> Frame:
        """Its size and token grids; holds no pixels."""
        return Frame(self.width, self.height, self.grids)

    @property
    def tokens(self) -> int:
        """What the image takes of the context."""
        return self._encoded.tokens

    def zoom(self, at: Region | Sequence[Region], *, cancel: CancelFlag | None = None) -> Scene:
        """A window around small regions, enlarged until they are 3 tokens wide and high; for larger ones the scene.

        The window has the image's shape and is encoded as another image of its size; the model does not see what is
        outside. Regions and what comes back stay in pixels of the whole image. RegionError and those of ``Model.look``.
        """
        regions = placed(as_regions(at), self.width, self.height)
        part = window(regions, self.grids, self.width, self.height) if self.part is None else None
        if part is None:
            return self
        seen = self.model.look(enlarged(self.image, part), cancel=cancel)
        return Scene(self.model, self.image, seen.encoded, part)

    def coverage(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: which share of each token the regions cover.

        RegionError if a region leaves the image, or all lie outside of the part of it that was enlarged.
        """
        return self._seen(coverage(placed(as_regions(at), self.width, self.height), self.grids), at)

    def target(self, at: Region | Sequence[Region]) -> tuple[Map, ...]:
        """One (rows, cols) float32 map in 0..1 per token grid: what a steering aims at, the coverage times the weight.

        0 where the regions cover less than 1/16 of a token. RegionError if a region leaves the image.
        """
        return self._seen(target(placed(as_regions(at), self.width, self.height), self.grids), at)

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
        readers: Sequence[Head] | None = None,
        zoom: bool = False,
        cancel: CancelFlag | None = None,
    ) -> Run:
        """An answer, token by token.

        prompt: None for the model's own question. at: where to look, None for where the model wants. strength: nats,
        None for the head set's. temperature: 0 is greedy. stop: texts that end the answer and are not part of it.
        gaze, steered_gaze, head_gaze: which maps each step brings. readers: (layer, head) pairs that tell where the
        model looked, None for the head set's. zoom: whether small regions are enlarged first, see ``zoom``. cancel: a
        flag that ends it from another thread. Errors of the arguments are raised here, all others by the steps.
        """
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        if readers is not None:
            self._check_heads(readers)
        sampling = Sampling(max_tokens, temperature, top_k, top_p, min_p, repeat_penalty, seed, stops)
        steering = self.steering(at, strength=strength)
        prompt = self.model.prompt if prompt is None else checked_text("prompt", prompt)
        native = self.model.native
        scene = self
        if zoom and steering is not None:
            scene = self.zoom(steering.regions, cancel=cancel)
        layout = lay_out(native, self.model.template, scene.encoded, prompt, system)
        return Run(
            scene,
            prompt,
            layout,
            steering,
            sampling,
            gaze=gaze,
            steered_gaze=steered_gaze,
            head_gaze=head_gaze,
            readers=readers,
            strength=strength,
            cancel=cancel,
        )

    def _seen(self, maps: tuple[Map, ...], at: object) -> tuple[Map, ...]:
        """The maps, once something is covered: outside of an enlarged part there is nothing to look at."""
        if self.part is not None and not any(each.any() for each in maps):
            raise RegionError(
                f"{at} lies outside of {self.part}, the part of the image that was enlarged. Look at the whole scene, "
                "or zoom to another place."
            )
        return maps

    def _check_heads(self, heads: Sequence[Head]) -> None:
        """HeadSetError if the model lacks one of them."""
        if heads:
            HeadSet(ModelFacts.of(self.model), tuple((layer, head) for layer, head in heads))

    def describe(
        self,
        prompt: str | None = None,
        *,
        at: Region | Sequence[Region] | Steering | None = None,
        **options: Unpack[Options],
    ) -> Answer:
        """The whole answer; the arguments are those of ``stream``, whose steps it joins. CancelledError."""
        return joined(self.stream(prompt, at=at, **options))

    def describe_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None],
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> list[Answer]:
        """One answer for each place, in their order; the arguments are those of ``stream_all``, whose steps it joins.

        CancelledError.
        """
        with self.stream_all(at, prompt, **options) as group:
            return group.answers()

    def stream_all(
        self,
        at: Sequence[Region | Sequence[Region] | Steering | None],
        prompt: str | None = None,
        **options: Unpack[Options],
    ) -> Group:
        """One answer for each place, token by token: (number of the place, Step), those of several places by turns.

        What is a list within ``at`` is looked at together. The other arguments are those of ``stream``. Where the
        steering begins after the image (queries ``after_image``, ``answer`` or ``generated``), what the answers have in
        common is held once, and a token of each is computed at once: faster than one after another, and equal but for
        rounding. Errors of the arguments are raised here, all others by the steps.
        """
        options["cancel"] = cancel = options.get("cancel") or CancelFlag()
        return Group([self.stream(prompt, at=each, **options) for each in at], cancel)
