"""Point a local vision-language model at any part of an image, and it describes that part."""

import logging

from .errors import (
    BusyError,
    CancelledError,
    ClosedError,
    ComicsError,
    ContextError,
    EngineFailure,
    HeadSetError,
    HeadSetMissingError,
    ImageError,
    LookhereError,
    ModelFileError,
    OptionError,
    ProjectorError,
    PromptError,
    RegionError,
    TemplateError,
)
from .heads import HeadSet
from .model import Model, load
from .region import Box, Panel, Point
from .scene import Scene
from .steering import Steering
from .stream import Answer, Step

__all__ = [
    "Answer",
    "Box",
    "BusyError",
    "CancelledError",
    "ClosedError",
    "ComicsError",
    "ContextError",
    "EngineFailure",
    "HeadSet",
    "HeadSetError",
    "HeadSetMissingError",
    "ImageError",
    "LookhereError",
    "Model",
    "ModelFileError",
    "OptionError",
    "Panel",
    "Point",
    "ProjectorError",
    "PromptError",
    "RegionError",
    "Scene",
    "Steering",
    "Step",
    "TemplateError",
    "load",
]

logging.getLogger("lookhere").addHandler(logging.NullHandler())
