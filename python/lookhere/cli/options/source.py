"""The IMAGE of a command, which may be a text, and how it is looked at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ...errors import ImageError, OptionError
from ...images.image import Image
from ...images.source import read
from ...texts.decode import decoded, may_be_text
from ...texts.text import Text

if TYPE_CHECKING:
    from ...model import Model
    from ...scenes.scene import Scene
    from ...scenes.text_scene import TextScene

MANY_TOKENS = 1500
"""Image tokens from which on a person is told that they take long. A model of 2 billion parameters encodes and reads
1,024 of them in about a minute on two cores."""


def read_source(image: str) -> str | bytes:
    """The bytes of standard input for ``-``, else the path or address itself. ImageError."""
    if image != "-":
        return image
    data = sys.stdin.buffer.read()
    if not data:
        raise ImageError("There is nothing on standard input; expected an image, for instance: cat x.png | lookhere …")
    return data


def image_or_text(source: str | bytes) -> Image | Text:
    """What a source holds, told by its content. ImageError where it is neither, TextError where it is a text that
    cannot be read."""
    try:
        return Image.open(source)
    except ImageError:
        try:
            data, what, name = read(source)
        except ImageError:
            data, what, name = b"", "", "image.png"
        if not may_be_text(data, name):
            raise
        return Text(decoded(data, what), name)


def refuse_pictures(shown: Image | Text, **wanted: object) -> None:
    """OptionError for an option that is for images, where a text is shown. wanted: by the option's name."""
    for name, value in wanted.items():
        if value and isinstance(shown, Text):
            option = f"--{name.replace('_', '-')}"
            raise OptionError(
                f"{option} is for images, and {shown.name} is a text. For where the model looked in it use --json."
            )


def look(model: Model, shown: Image | Text) -> Scene | TextScene:
    """The scene; before a large image is encoded, a note that it takes long and what is faster. Errors as of
    ``Model.look``."""
    if isinstance(shown, Text):
        return model.look(shown)
    image = shown
    tokens = model.image_tokens(image)
    if tokens > MANY_TOKENS:
        click.echo(
            f"Note: the image takes {tokens:,} tokens, which may take minutes to read. --max-image-tokens 1024 is "
            "faster and shows less detail.",
            err=True,
        )
    return model.look(image)
