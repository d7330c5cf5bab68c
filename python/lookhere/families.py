"""What is known of the families of vision-language models. The engine's table is ``cpp/engine/families.cpp``."""

from __future__ import annotations

from dataclasses import dataclass

PROJECTOR_ARCHITECTURE = "clip"
"""general.architecture of every projector file (mmproj)."""


@dataclass(frozen=True)
class Family:
    """name: for people. projectors: their kinds, as mmproj files name them. marker: what the family's chat templates
    write for an image; the encoded image brings the same tokens along. architectures: of its language models."""

    name: str
    projectors: tuple[str, ...]
    marker: str
    architectures: tuple[str, ...]


FAMILIES = (
    Family("Qwen2-VL", ("qwen2vl_merger",), "<|vision_start|><|image_pad|><|vision_end|>", ("qwen2vl",)),
    Family("Qwen2.5-VL", ("qwen2.5vl_merger",), "<|vision_start|><|image_pad|><|vision_end|>", ("qwen2vl",)),
    Family("Qwen2.5-Omni", ("qwen2.5o",), "<|vision_start|><|image_pad|><|vision_end|>", ("qwen2vl",)),
    Family("Qwen3-VL", ("qwen3vl_merger",), "<|vision_start|><|image_pad|><|vision_end|>", ("qwen3vl", "qwen3vlmoe")),
)

OTHER_MARKERS = ("<|image_pad|>", "<start_of_image>", "<|image|>", "<image>", "[IMG]")
"""What templates of other families write for an image."""


def image_markers() -> tuple[str, ...]:
    """Everything that a template may write for an image, longest first."""
    known = {family.marker for family in FAMILIES} | set(OTHER_MARKERS)
    return tuple(sorted(known, key=lambda marker: (-len(marker), marker)))


def projector_kinds() -> tuple[str, ...]:
    """The kinds of projectors whose image tokens are known to lie in a grid, sorted."""
    return tuple(sorted(kind for family in FAMILIES for kind in family.projectors))


def family_of(projector: str) -> Family | None:
    """The family of a kind of projector; None where it is not known."""
    return next((family for family in FAMILIES if projector in family.projectors), None)
