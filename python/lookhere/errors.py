"""Everything that lookhere raises on purpose. A message says what was given, what was expected and what to do next.

Each class has a line in ``docs/errors.md``. Anything else that escapes is a bug.
"""

from __future__ import annotations


class LookhereError(Exception):
    """Base of all errors that are meant to be shown to a person."""


class ModelFileError(LookhereError):
    """A model file is missing, is not a GGUF file, is of the wrong kind or cannot be loaded."""


class ProjectorError(LookhereError):
    """The mmproj file is missing, wrong, or was not made for this model."""


class HubError(LookhereError):
    """A model or a head set that was given by name cannot be fetched from, or published to, Hugging Face."""


class TemplateError(LookhereError):
    """The chat template of the model cannot be used for the conversation."""


class PromptError(LookhereError):
    """The prompt, the system text, a stop text or a message is not usable."""


class ImageError(LookhereError):
    """What was given is not an image that can be read, or it is empty or far too large."""


class TextError(LookhereError):
    """What was given is not a text that can be read, or it is empty or far too long, or a tokenizer changes it."""


class UnknownImageWarning(UserWarning):
    """The built-in model was shown something else than the comics and scenes that it knows. No error: it answers."""


class UnverifiedFamilyWarning(UserWarning):
    """A model is of a family that llama.cpp runs and no test of this package does. No error: it loads."""


class NoProjectorWarning(UserWarning):
    """A model with vision is loaded without its projector. No error: it looks at texts."""


class WeakHeadSetWarning(UserWarning):
    """A head set is loaded that hardly steers, or that nobody measured on images. No error: it is used."""


class BaseHeadSetWarning(UserWarning):
    """A fine-tuned model is steered with the heads of the model that it was made from. No error: it loads."""


class ComicsError(LookhereError):
    """A folder of comics is missing, empty, too small or cannot be read."""


class LabelsError(LookhereError):
    """A file of labelled boxes is missing, is not in COCO's format, or names images that are not there."""


class JobsError(LookhereError):
    """A job of ``lookhere batch`` cannot be asked, or the answers that are there are of other jobs."""


class UnknownPicturesError(LookhereError):
    """What a model says about pictures has nothing to do with them: no heads can be found or measured on these."""


class JudgeError(LookhereError):
    """The judge of an evaluation cannot be reached or does not answer as expected."""


class RegionError(LookhereError):
    """A region is not a region, or lies outside the image."""


class HeadSetError(LookhereError):
    """A head set is malformed, or names a head that the model does not have."""


class HeadSetMissingError(HeadSetError):
    """Steering was asked for, and no head set is known for this model."""


class OptionError(LookhereError):
    """An option is outside of the values it can take."""


class ContextError(LookhereError):
    """The image and the prompt need more tokens than the context holds."""


class ClosedError(LookhereError):
    """A model or a run is used after it was closed."""


class BusyError(LookhereError):
    """The model was called from inside one of its own steps, where waiting for a turn would never end."""


class CancelledError(LookhereError):
    """The work was cancelled before there was a result."""


class RequestError(LookhereError):
    """A request to ``lookhere serve`` is not taken: not allowed, too large, in vain, or nobody is free for it.

    status: the HTTP status. code: what it is, for programs. param: the field that is wrong. retry_after: seconds after
    which it may be tried again.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


class LlamaCppError(LookhereError):
    """llama-cpp-python is missing, of another version or imported too early, or a ``Llama`` sees no images."""


class EngineFailure(LookhereError):
    """The engine could not compute; the message carries its words."""
