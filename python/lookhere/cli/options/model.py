"""Which model, and how it is loaded: options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from ... import limits
from ...images.fit import FITS

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


class _FileOrName(click.Path):
    """A path where it is there, or begins as one; any other text as it is, which may be a name or a path."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        text = os.fsdecode(super().convert(value, param, ctx))
        return Path(text) if text.startswith((".", "/", "~")) or os.path.exists(text) else text


FILE_OR_NAME = _FileOrName()

mmproj_option = click.option(
    "--mmproj",
    type=FILE_OR_NAME,
    metavar="GGUF",
    help="The model's projector; of a model by name also a quantization  [default: the one beside it, or F16]",
)
heads_option = click.option(
    "--heads",
    type=FILE_OR_NAME,
    metavar="JSON",
    help="The head set to steer with: a file, a name (lookhere heads), owner/repo  [default: that of the model]",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, limits.THREADS),
    metavar="N",
    help="Threads to compute with  [default: by the model's size]",
)
gpu_layers_option = click.option(
    "--gpu-layers", type=click.IntRange(0, limits.GPU_LAYERS), metavar="N", default=0,
    help="Layers to keep on the GPU, 999 for all; in a build for one  [default: 0]",
)  # fmt: skip

_OPTIONS = (
    click.option(
        "--model", type=FILE_OR_NAME, metavar="MODEL",
        help="A GGUF file, a folder, or a name: qwen3-vl-2b, owner/repo:Q4_K_M  [default: the built-in model]",
    ),
    mmproj_option,
    heads_option,
    click.option(
        "--context", type=click.IntRange(limits.LEAST_CONTEXT, limits.CONTEXT), metavar="N",
        help="Tokens that the context holds  [default: as many as needed]",
    ),
    threads_option,
    gpu_layers_option,
    click.option(
        "--max-image-tokens", type=click.IntRange(0, limits.IMAGE_TOKENS), metavar="N", default=0,
        help="Image tokens at most: fewer are faster and show less  [default: the model's own limit]",
    ),
    click.option(
        "--fit", type=click.Choice(FITS), default="pad",
        help="How models that see squares are given an image: padded, stretched, or in tiles  [default: pad]",
    ),
)  # fmt: skip

_NAMES = ("model", "mmproj", "heads", "context", "threads", "gpu_layers", "max_image_tokens", "fit")


def model_options(command: Command) -> Command:
    """--model, --mmproj, --heads, --context, --threads, --gpu-layers, --max-image-tokens and --fit: the command gets
    together as ``loading``, named as in ``lookhere.load``."""

    @wraps(command)
    def collected(*args: Any, **given: Any) -> Any:
        loading = {name: given.pop(name) for name in _NAMES}
        return command(*args, loading=loading, **given)

    options: Any = collected
    for option in reversed(_OPTIONS):
        options = option(options)
    wrapped: Command = options
    return wrapped
