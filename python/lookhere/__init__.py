"""Point a local vision-language model at any part of an image, and it describes that part."""

import importlib
import logging
import os
import sys
from types import ModuleType

from .answers.run import Answer, Step
from .answers.word import Word
from .cancel import CancelFlag
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
    JudgeError,
    LabelsError,
    LookhereError,
    ModelFileError,
    OptionError,
    ProjectorError,
    PromptError,
    RegionError,
    TemplateError,
)
from .model import Model, load
from .regions.region import Box, Mask, Panel, Point, Polygon, Weighted
from .scene import Scene
from .steering.head_set import HeadSet
from .steering.steering import Steering
from .tokens.readback import Where, read_back

__all__ = [
    "Answer",
    "Box",
    "BusyError",
    "CancelFlag",
    "CancelledError",
    "ClosedError",
    "ComicsError",
    "ContextError",
    "EngineFailure",
    "HeadSet",
    "HeadSetError",
    "HeadSetMissingError",
    "ImageError",
    "JudgeError",
    "LabelsError",
    "LookhereError",
    "Mask",
    "Model",
    "ModelFileError",
    "OptionError",
    "Panel",
    "Point",
    "Polygon",
    "ProjectorError",
    "PromptError",
    "RegionError",
    "Scene",
    "Steering",
    "Step",
    "TemplateError",
    "Weighted",
    "Where",
    "Word",
    "load",
    "read_back",
]

logging.getLogger("lookhere").addHandler(logging.NullHandler())


def __getattr__(name: str) -> ModuleType:
    """Loads the compiled engine when it is first used.

    Never with RTLD_GLOBAL, which a program may have set for all imports: another copy of llama.cpp that is loaded later
    would then call ours.
    """
    if name != "_engine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    flags = sys.getdlopenflags() if hasattr(sys, "getdlopenflags") else None
    try:
        if flags is not None:
            sys.setdlopenflags(flags & ~os.RTLD_GLOBAL)
        return importlib.import_module(f"{__name__}._engine")
    except ModuleNotFoundError as error:
        raise AttributeError(str(error)) from error
    finally:
        if flags is not None:
            sys.setdlopenflags(flags)
