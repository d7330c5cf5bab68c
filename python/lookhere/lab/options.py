"""How much an evaluation asks, and about what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checks
from ..errors import ComicsError, LabelsError, OptionError
from .experiments import PROTOCOLS, Protocol


@dataclass(frozen=True)
class Options:
    """strips: fresh strips and scenes, of combinations that were never trained on. seen: others, of combinations that
    were. controls, sweeps, modes: on how many of the fresh strips controls and baselines, sweeps, and all modes are
    measured too. maps: strips whose attention is read in all heads. examples: strips that a report shows. 0 leaves a
    part out.

    protocols: what is asked. thorough: controls for static, dynamic and boxes, too. coco, images: labelled boxes in
    COCO's format and the folder of their images. comics: a folder of comics, those with captions. At most ``strips``
    images, or comics, are asked about. OptionError.
    """

    strips: int = 24
    seen: int = 6
    controls: int = 6
    sweeps: int = 0
    modes: int = 0
    maps: int = 4
    examples: int = 2
    seed: int = 0
    protocols: tuple[Protocol, ...] = PROTOCOLS
    thorough: bool = False
    panel_size: int | None = None
    coco: Path | None = None
    images: Path | None = None
    comics: Path | None = None

    def __post_init__(self) -> None:
        for name, least, most in (
            ("strips", 1, 100_000), ("seen", 0, 100_000), ("controls", 0, 100_000), ("sweeps", 0, 100_000),
            ("modes", 0, 100_000), ("maps", 0, 100_000), ("examples", 0, 50), ("seed", 0, 999),
            ("panel_size", 16, 1024),
        ):  # fmt: skip
            if name != "panel_size" or self.panel_size is not None:
                object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))
        for name, kind in {"coco": LabelsError, "images": LabelsError, "comics": ComicsError}.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.path(name, getattr(self, name), error=kind))
        object.__setattr__(self, "thorough", checks.flag("thorough", self.thorough))
        protocols = checks.items(self.protocols)
        if not protocols or not all(isinstance(each, str) and each in PROTOCOLS for each in protocols):
            raise OptionError(f"protocols={checks.short(self.protocols)}; expected some of {', '.join(PROTOCOLS)}.")
        object.__setattr__(self, "protocols", protocols)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in vars(self).items()}
