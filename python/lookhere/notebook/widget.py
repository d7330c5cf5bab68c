"""The widget: an image to draw on, and an answer about the place that follows it, in Jupyter, VS Code and marimo."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from .. import checks, limits
from ..answers.answer import Answer
from ..answers.ask import known_options
from ..errors import CancelledError, OptionError, RegionError
from ..images.inline import inline_small
from ..regions.box import Box, Panel, Point, RelativeBox, RelativePoint
from ..regions.polygon import Polygon, RelativePolygon
from ..regions.region import Region, as_regions
from ..scenes.scene import Scene
from ..strict import Entry
from ..wire.region import read_region, region_json
from .bundle import esm
from .writing import Message, Writing

SHOWN, SHOWN_BYTES = 1600, 250_000
"""Pixels of the long side of the image that is shown, and bytes of its file; regions are in pixels of the whole."""


class _Place(traitlets.TraitType[Any, Any]):
    """A region that can be drawn on the widget's image, or None."""

    default_value = None
    allow_none = True

    def validate(self, widget: Widget, value: object) -> Region | None:
        return None if value is None else widget.drawable(value)


class _Grid(traitlets.TraitType[Any, Any]):
    """(rows, cols) of panels, or None."""

    default_value = None
    allow_none = True

    def validate(self, widget: Widget, value: object) -> tuple[int, int] | None:
        return _checked_grid(value)


class _Question(traitlets.Unicode[Any, Any]):
    def validate(self, widget: Widget, value: object) -> str:
        return checks.text("question", value)


def _read(value: Any, _widget: Any) -> Region | None:
    return None if value is None else read_region(Entry("region", "", value, RegionError))


def _write(value: Region | None, _widget: Any) -> Message | None:
    return None if value is None else region_json(value)


class Widget(anywidget.AnyWidget):
    """An image to point at. Made of a scene; show it as the last line of a cell.

    region: what is pointed at, as a ``Box``, ``Point``, ``Polygon`` or ``Panel``; drawing sets it, and setting it draws
    it. A change asks the question there; ``follow="on"`` moves the answer that is being made instead, mid-sentence.
    answer: the last finished one. question, follow ("again" or "on"), hover (whether a resting pointer asks) and
    grid ((rows, cols) of panels, None for none) may be changed, too. All are traits, which ``widget.observe`` watches.
    options: those of ``Scene.stream``, as max_tokens or strength. OptionError, RegionError, PromptError.
    """

    _esm = esm()
    region = _Place().tag(sync=True, from_json=_read, to_json=_write)
    question = _Question("").tag(sync=True)
    follow = traitlets.Enum(("again", "on"), "again").tag(sync=True)
    hover = traitlets.Bool(False).tag(sync=True)
    grid = _Grid().tag(sync=True)
    answer = traitlets.Instance(Answer, allow_none=True)
    _picture: traitlets.Dict[Any, Any] = traitlets.Dict().tag(sync=True)
    _story: traitlets.List[Any] = traitlets.List().tag(sync=True)
    _writing: Writing | None = None

    def __init__(
        self,
        scene: Scene,
        question: str | None = None,
        *,
        region: Region | None = None,
        grid: tuple[int, int] | None = None,
        follow: str = "again",
        hover: bool = False,
        **options: Any,
    ) -> None:
        if not isinstance(scene, Scene):
            raise OptionError(f"Widget: scene={checks.short(scene)}; expected a scene, as model.look(image) makes it.")
        known_options("Widget", options, ("scene", "question", "region", "grid", "follow", "hover"))
        self.scene = scene
        self._options = options
        self._count = 0
        if grid is None and isinstance(region, Panel):
            grid = region.rows, region.cols
        checks.one_of("follow", follow, ("again", "on"))
        super().__init__(
            question=scene.question if question is None else question,
            region=region,
            grid=grid,
            follow=follow,
            hover=checks.flag("hover", hover),
            _picture=_picture(scene),
        )
        scene.ask(self.question, at=self.region, **options)  # raises what is wrong with them
        self.on_msg(self._on_message)
        self.observe(self._on_region, "region")

    def ask(self) -> None:
        """Asks ``question`` about ``region``; an answer that is being made ends."""
        self.stop()
        self._count += 1
        self._writing = Writing(self._count, self.scene, self.question, self.region, self._options, self._on_told)

    def stop(self) -> None:
        """Ends the answer that is being made, if there is one."""
        if self._writing is not None:
            self._writing.stop()

    def wait(self, seconds: float | None = None) -> Answer:
        """The answer that is being made, once it is finished. seconds: how long to wait for it, None for ever.

        OptionError where nothing was asked; CancelledError where it was stopped, or takes longer; what it failed with.
        """
        if seconds is not None:
            seconds = checks.number("seconds", seconds, 0, 10**6)
        if self._writing is None:
            raise OptionError("Nothing was asked yet; click the image, or call widget.ask().")
        writing = self._writing
        if not writing.wait(seconds):
            raise CancelledError(f"The answer takes longer than {seconds:g} seconds; it goes on.")
        if (error := writing.error) is not None:
            raise error
        if writing.answer is None:
            raise CancelledError("The answer was stopped before its end.")
        return writing.answer

    def close(self) -> None:
        """Ends the answer that is being made, and takes the widget off the page."""
        self.stop()
        super().close()

    def drawable(self, value: object) -> Region:
        """A region as it can be drawn on the image; relative ones in pixels. RegionError."""
        regions = as_regions(value)
        region = regions[0]
        if len(regions) > 1 or not isinstance(region, _DRAWN):
            raise RegionError(
                f"{checks.short(value)} cannot be drawn by the widget; expected one Box, Point, Polygon or Panel. "
                "scene.describe(at=...) takes the others."
            )
        placed = region.on(self.scene.width, self.scene.height)
        return placed if isinstance(region, (RelativeBox, RelativePoint, RelativePolygon)) else region

    def _on_message(self, _widget: object, content: Any, _buffers: object) -> None:
        """From the page."""
        kind = content.get("type") if isinstance(content, dict) else None
        if kind == "ask":
            self.ask()
        elif kind == "stop":
            self.stop()

    def _on_region(self, change: Any) -> None:
        writing = self._writing if self.follow == "on" else None
        if writing is None or not writing.look_at(change["new"]):
            self.ask()

    def _on_told(self, writing: Writing, message: Message) -> None:
        """From the thread of an answer; one that was asked over again is not heard any more."""
        if writing.number != self._count:
            return
        self.send(message)
        if message["type"] in ("ended", "error"):
            self._story = list(writing.story)
            if writing.answer is not None:
                self.answer = writing.answer


_DRAWN = (Box, Point, Panel, Polygon, RelativeBox, RelativePoint, RelativePolygon)


def _checked_grid(grid: object) -> tuple[int, int] | None:
    if grid is None:
        return None
    given = checks.items(grid)
    if given is None or len(given) != 2:
        raise OptionError(f"grid={checks.short(grid)}; expected (rows, cols) of panels, or None.")
    rows, cols = (
        checks.whole(name, value, 1, limits.PANELS) for name, value in zip(("rows", "cols"), given, strict=True)
    )
    return rows, cols


def _picture(scene: Scene) -> Message:
    """What the page shows, and the size that regions are in pixels of."""
    picture = scene.image.pillow()
    picture.thumbnail((SHOWN, SHOWN))
    return {
        "url": inline_small(picture, SHOWN_BYTES), "name": scene.image.name,
        "width": scene.width, "height": scene.height,
    }  # fmt: skip
