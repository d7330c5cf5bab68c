"""Point a local vision-language model at any part of an image, and it describes that part."""

import importlib
import logging
import os
import sys
from typing import Any

from . import _start as _start  # first: Ctrl-C during the other imports
from .answers.answer import Answer, Step
from .answers.ask import Ask
from .answers.word import Word
from .cancel import CancelFlag
from .errors import (
    BaseHeadSetWarning,
    BusyError,
    CancelledError,
    ClosedError,
    ComicsError,
    ContextError,
    EngineFailure,
    HeadSetError,
    HeadSetMissingError,
    HubError,
    ImageError,
    JobsError,
    JudgeError,
    LabelsError,
    LlamaCppError,
    LookhereError,
    ModelFileError,
    NoProjectorWarning,
    OptionError,
    ProjectorError,
    PromptError,
    RegionError,
    RequestError,
    TemplateError,
    TextError,
    UnknownImageWarning,
    UnknownPicturesError,
    UnverifiedFamilyWarning,
    WeakHeadSetWarning,
)
from .loading.load import load
from .model import Model
from .notebook.shown import show
from .prompt.message import DocumentPart, ImagePart, Message
from .regions.region import Box, Mask, OnImage, Panel, Paragraph, Point, Polygon, Span, Weighted
from .scenes.scene import Scene
from .scenes.text_scene import TextScene
from .steering.aim import Aim
from .steering.head_set import HeadSet
from .steering.push import Push
from .steering.steering import Steering
from .texts.text import Text
from .tokens.gaze import Gaze
from .tokens.readback import Where, read_back

__all__ = [
    "Aim",
    "Answer",
    "Ask",
    "BaseHeadSetWarning",
    "Box",
    "BusyError",
    "CancelFlag",
    "CancelledError",
    "ClosedError",
    "ComicsError",
    "ContextError",
    "DocumentPart",
    "EngineFailure",
    "Gaze",
    "HeadSet",
    "HeadSetError",
    "HeadSetMissingError",
    "HubError",
    "ImageError",
    "ImagePart",
    "JobsError",
    "JudgeError",
    "LabelsError",
    "LlamaCppError",
    "LookhereError",
    "Mask",
    "Message",
    "Model",
    "ModelFileError",
    "NoProjectorWarning",
    "OnImage",
    "OptionError",
    "Panel",
    "Paragraph",
    "Point",
    "Polygon",
    "ProjectorError",
    "PromptError",
    "Push",
    "RegionError",
    "RequestError",
    "Scene",
    "Span",
    "Steering",
    "Step",
    "TemplateError",
    "Text",
    "TextError",
    "TextScene",
    "UnknownImageWarning",
    "UnknownPicturesError",
    "UnverifiedFamilyWarning",
    "WeakHeadSetWarning",
    "Weighted",
    "Where",
    "Word",
    "load",
    "read_back",
    "show",
]

logging.getLogger("lookhere").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Finds ``__version__``, and loads the compiled engine, when they are first used.

    Never with RTLD_GLOBAL, which a program may have set for all imports: another copy of llama.cpp that is loaded later
    would then call ours.
    """
    if name == "__version__":
        metadata = importlib.import_module("importlib.metadata")
        try:
            return metadata.version(__name__)
        except metadata.PackageNotFoundError:
            return "not installed"
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
