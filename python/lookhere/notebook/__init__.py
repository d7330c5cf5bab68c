"""What notebooks show: values as HTML (``lookhere.show``), an image to point at (``Widget``; extra ``notebook``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .widget import Widget

__all__ = ["Widget"]


def __getattr__(name: str) -> Any:
    """Finds ``Widget`` when it is first used. OptionError where the extra is not installed."""
    if name != "Widget":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ..errors import OptionError

    try:
        from .widget import Widget
    except ImportError as error:
        raise OptionError(
            f"The widget needs anywidget ({error}). Install it: pip install 'lookhere[notebook]'"
        ) from error
    return Widget
