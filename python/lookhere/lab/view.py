"""A view: one way to point a model at a place and ask about it."""

from __future__ import annotations

from dataclasses import dataclass

from ..prompt.layout import Layout, lay_out
from ..scenes.scene import Scene
from ..steering.steering import Steering


@dataclass(frozen=True)
class View:
    """What a model is given in order to answer about a place."""

    scene: Scene
    prompt: str
    at: Steering | None = None

    def layout(self) -> Layout:
        """The prompt as tokens."""
        model = self.scene.model
        return lay_out(model.native, model.template, self.scene.ask(self.prompt).messages, [self.scene.encoded])
