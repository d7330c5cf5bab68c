"""Pictures that a command saves: checked before the work, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..atomic import replacing
from ..errors import OptionError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage


class PictureFile(click.Path):
    """A path whose suffix names a kind of picture that can be written."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if _kind(path) is None:
            self.fail(f"{str(path)!r}: expected a name that ends in .png or .jpg.", param, ctx)
        return path

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "PNG"


def check_folder(path: Path | None) -> None:
    """OptionError unless there is a folder for the file."""
    if path is not None and not path.parent.is_dir():
        raise OptionError(
            f"{str(path)!r} cannot be saved: there is no folder {str(path.parent)!r}. Make it, or name another."
        )


def save_picture(picture: PillowImage, path: Path) -> None:
    """Writes a picture, of the kind that the suffix names. OptionError."""
    kind = _kind(path)
    options = {"optimize": True} if kind == "PNG" else {}
    try:
        with replacing(path) as file:
            picture.save(file, kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(f"The picture cannot be saved as {str(path)!r}: {error}.") from error


def _kind(path: Path) -> str | None:
    """What Pillow calls the kind of picture, None where it cannot write it."""
    from PIL import Image as pillow

    kind = pillow.registered_extensions().get(path.suffix.lower())
    return kind if kind in pillow.SAVE else None
