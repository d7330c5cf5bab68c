"""Pictures that a command saves: written whole or not at all, fast, and known again as ours."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..atomic import replacing
from ..checks import short
from ..errors import OptionError
from . import terminal

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

MARK = "lookhere"
"""The text of a PNG that holds the sum of its pixels, so that one which nobody changed is known again."""

open_option = click.option("--open", "opened", is_flag=True, help="Show what is saved in the system's viewer.")


class PictureFile(click.Path):
    """A path whose suffix names a kind of picture that can be written."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if _kind(path) is None:
            self.fail(f"{short(str(path))}: expected a name that ends in .png or .jpg.", param, ctx)
        return path

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "PNG"


def save_picture(picture: PillowImage, path: Path) -> None:
    """Writes a picture, of the kind that the suffix names. OptionError."""
    kind = _kind(path)
    options: dict[str, Any] = {}
    if kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text(MARK, _sum(picture))
        options = {"compress_level": 1, "pnginfo": info}  # half a megabyte more, and many times as fast
    try:
        with replacing(path) as file:
            picture.save(file, kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise OptionError(f"The picture cannot be saved as {short(str(path))}: {error}.") from error


def is_ours(path: Path) -> bool:
    """Whether a file is a PNG that ``save_picture`` wrote and nobody changed since."""
    from PIL import Image as pillow

    try:
        with pillow.open(path) as picture:
            mark = picture.info.get(MARK)
            return mark is not None and mark == _sum(picture)
    except Exception:  # whatever decoders raise: no picture of ours
        return False


def tell_saved(what: str, path: Path, *, opened: bool = False) -> None:
    """Where a picture is, for who sits before the terminal. opened: shows it, too."""
    if terminal.shown(sys.stderr):
        click.echo(f"{what}: {terminal.plain(path)}", err=True)
    if opened:
        show(path)


def show(path: Path) -> None:
    """Opens a picture in the system's viewer, if there is one."""
    if click.launch(str(path.absolute())):
        click.echo(f"No viewer was found for {terminal.plain(path)}; open it by hand.", err=True)


def _sum(picture: PillowImage) -> str:
    rgb = picture.convert("RGB")
    return hashlib.sha256(f"{rgb.width}x{rgb.height}:".encode() + rgb.tobytes()).hexdigest()


def _kind(path: Path) -> str | None:
    """What Pillow calls the kind of picture, None where it cannot write it."""
    from PIL import Image as pillow

    kind = pillow.registered_extensions().get(path.suffix.lower())
    return kind if kind in pillow.SAVE else None
