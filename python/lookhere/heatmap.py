"""Gaze as colours over an image. The public name of ``lookhere.pictures.heat_map``."""

from .images.heat_colours import colours
from .pictures.heat_map import heat_map, spread

__all__ = ["colours", "heat_map", "spread"]
