"""Generated comics with known captions, free scenes with known objects, and folders of real comics."""

from .folder import load_folder
from .generate import (
    HELD_OUT_LAYOUTS,
    HELD_OUT_SHARE,
    HELD_OUT_SIZES,
    SUBJECTS,
    BoxXY,
    FreeScene,
    Panel,
    Split,
    Strip,
    draw_content,
    draw_panel,
    generate_scene,
    generate_strip,
    rng_for,
)

__all__ = [
    "HELD_OUT_LAYOUTS",
    "HELD_OUT_SHARE",
    "HELD_OUT_SIZES",
    "SUBJECTS",
    "BoxXY",
    "FreeScene",
    "Panel",
    "Split",
    "Strip",
    "draw_content",
    "draw_panel",
    "generate_scene",
    "generate_strip",
    "load_folder",
    "rng_for",
]
