"""What people give as a model: a local path, or the name of a model, or an address."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .. import checks
from ..errors import LookhereError
from .head_bytes import shown

if TYPE_CHECKING:
    from ..hub.name import HubName, OllamaName

_EXPECTED = "expected the path of a GGUF file or the name of a model."
_LONGEST = 400  # characters of an address in a message


def placed(given: object, what: str, error: type[LookhereError]) -> Path | HubName | OllamaName:
    """The path or the name that is meant; the error where it can be none. What is there as a path is one, and so is
    every path object.

    what: 'model' or 'mmproj', for messages.
    """
    try:
        text = os.fsdecode(given)  # type: ignore[arg-type]  # TypeError for what is none
    except Exception as why:  # of an object that nobody here made
        raise error(f"{what}={checks.short(given)}; {_EXPECTED}") from why
    path = Path(text)
    if not text:
        raise error(f"{what}='' names no file; {_EXPECTED}")
    if "\0" in text:
        raise error(f"{what}={checks.short(text)} holds a zero byte; {_EXPECTED}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise error(
            f"{shown(path)} has bytes in its name that are not UTF-8, which llama.cpp does not open; rename the file "
            "or its folder."
        ) from None
    address = re.match(r"(https?|file):/+", text, re.IGNORECASE)
    if address and address[1].lower() == "file":
        from urllib.request import url2pathname  # not at import, which stays light

        return Path(url2pathname(unquote("/" + text[address.end() :])))
    if address:  # a path object has one slash less
        return _of_an_address(f"{address[1].lower()}://{text[address.end() :]}", what, error)
    try:
        there = path.exists()
    except OSError as why:
        raise error(f"{shown(path)} cannot be read: {why.strerror}; {_EXPECTED}") from why
    if there or isinstance(given, os.PathLike):
        return path
    from ..hub.name import name_of

    return name_of(text) or path


def _of_an_address(address: str, what: str, error: type[LookhereError]) -> HubName:
    from ..hub.name import name_of_address

    try:
        name = name_of_address(address)
    except ValueError as why:
        raise error(f"{what}={_cut(address)} is no valid address ({why}); {_EXPECTED}") from why
    if name is None:
        raise error(
            f"{what}={_cut(address)} is an address, and lookhere fetches from Hugging Face alone. Fetch it by hand, "
            f"for instance: curl -L -O {_cut(shlex.quote(address))} (the model and its mmproj file); then give the "
            "path of the file."
        )
    return name


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
