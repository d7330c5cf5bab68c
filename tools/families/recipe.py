"""Recipe: how one family's pair is made, and what of it is real."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kit import Kit

UNVERIFIED = "short, with the family's markers; unverified"


@dataclass(frozen=True)
class Recipe:
    """made_by: module and function of this folder. projector: its kind, as the mmproj file names it. architecture: of
    the language model. vocabulary, template: where they are from. settings: whose the preprocessor's are. by: what
    writes the two files.
    """

    made_by: str
    projector: str
    architecture: str
    vocabulary: str
    settings: str
    template: str = UNVERIFIED
    by: str = "converter"

    @property
    def source(self) -> Path:
        """The file of the recipe."""
        return Path(__file__).with_name(self.made_by.partition(".")[0] + ".py")

    def make(self, kit: Kit) -> None:
        """Writes the pair. Needs torch and transformers, which the table does not."""
        module, _, function = self.made_by.partition(".")
        getattr(import_module(f".{module}", __package__), function)(kit)
