"""What people give as a model: a local path, or a name on a hub or an address, which is answered with how to get it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .. import checks
from ..errors import LookhereError
from .head_bytes import shown

_LONGEST = 400  # characters of an address in a message
_HUB = "https://huggingface.co"
_REPOSITORY = r"(?P<owner>[\w][\w.-]*)/(?P<repo>[\w][\w.-]*?)"
_NAME = re.compile(rf"(?:hf\.co/|huggingface\.co/|hf://|hf:/|hf:)?{_REPOSITORY}(?::(?P<tag>[\w.-]+))?/?")
_FILE = re.compile(_NAME.pattern.partition("(?::")[0] + r"/(?P<file>[\w./ -]+\.gguf)", re.IGNORECASE)
_OLLAMA = re.compile(r"(?:[\w.-]+/)?\w[\w.-]+:[\w.-]+")
_QUANTIZATION = re.compile(r"(UD-)?(I?Q\d|TQ\d|BF16|F16|F32|MXFP4)", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.(gguf|ggml|bin|pth?|ckpt|safetensors|onnx|json|zip|txt)", re.IGNORECASE)


def local_path(given: object, what: str, error: type[LookhereError]) -> Path:
    """The path that is meant; the error where it can be none, or where it is a name or an address that must be fetched.

    what: 'model' or 'mmproj', for messages.
    """
    try:
        text = os.fsdecode(given)  # type: ignore[arg-type]  # TypeError for what is none
    except Exception as why:  # of an object that nobody here made
        raise error(f"{what}={checks.short(given)}; expected the path of a GGUF file.") from why
    path = Path(text)
    if not text:
        raise error(f"{what}='' names no file; expected the path of a GGUF file.")
    if "\0" in text:
        raise error(f"{what}={checks.short(text)} holds a zero byte; expected the path of a GGUF file.")
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
        raise error(_of_an_address(f"{address[1].lower()}://{text[address.end() :]}", what))
    try:
        there = path.exists()
    except OSError as why:
        raise error(f"{shown(path)} cannot be read: {why.strerror}; expected the path of a GGUF file.") from why
    if not there and (answer := _of_a_name(text, what)):
        raise error(answer)
    return path


def _of_an_address(address: str, what: str) -> str:
    try:
        host, steps = urlsplit(address).hostname, [each for each in unquote(urlsplit(address).path).split("/") if each]
    except ValueError as why:
        return f"{what}={_cut(address)} is no valid address ({why}); expected the path of a GGUF file."
    if host in ("huggingface.co", "www.huggingface.co", "hf.co") and len(steps) >= 2:
        repo = "/".join(steps[:2])
        if len(steps) > 4 and steps[2] in ("resolve", "blob"):
            return _get_file(address, repo, "/".join(steps[4:]), what)
        return _get_repository(address, repo, "", what)
    return (
        f"{what}={_cut(address)} is an address, and lookhere downloads no models. Fetch it by hand, for instance: "
        f"curl -L -O {_cut(shlex.quote(address))} (the model and its mmproj file); then give the path of the file."
    )


def _of_a_name(text: str, what: str) -> str:
    """How to get what looks like a name on a hub; '' for anything else."""
    first = text.partition("/")[0]
    is_path = first in (".", "..") or Path(first).is_dir()
    named = _FILE.fullmatch(text)
    if named and not is_path:
        return _get_file(text, f"{named['owner']}/{named['repo']}", named["file"], what)
    named = _NAME.fullmatch(text)
    if named and not is_path and not _FILE_NAME.fullmatch(Path(named["repo"]).suffix):
        tag = named["tag"] or ""
        if not tag or "gguf" in text.lower() or _QUANTIZATION.match(tag):
            return _get_repository(text, f"{named['owner']}/{named['repo']}", tag, what)
    if _OLLAMA.fullmatch(text):
        search = text.rsplit("/", 1)[-1].partition(":")[0]
        return (
            f"There is no file {_cut(text)!r}; it looks like a name of Ollama's, whose own files lookhere does not "
            "read. Get the model as two GGUF files, the language model and its mmproj, and give their folder: look at "
            f"{_HUB}/models?library=gguf&search={search}."
        )
    return ""


def _get_repository(text: str, repo: str, tag: str, what: str) -> str:
    folder = repo.split("/")[1]
    get = f"hf download {repo} --local-dir {folder} --include"
    wanted = f"*{tag}*.gguf" if tag else "*Q4_K_M*.gguf"
    other = "" if tag else " (or another quantization)"
    gguf = "" if "gguf" in repo.lower() else " It must hold GGUF files; such repositories are usually called ...-GGUF."
    return (
        f"{what}={_cut(text)!r} is a repository on Hugging Face, and lookhere downloads no models.{gguf} Fetch the two "
        f"files by hand: pip install huggingface_hub; {get} '{wanted}'{other}; {get} '*mmproj*.gguf'; then give the "
        f"folder: "
        f"load('{folder}'), on the command line --model {folder}. In a browser: {_HUB}/{repo}/tree/main."
    )


def _get_file(text: str, repo: str, file: str, what: str) -> str:
    folder = repo.split("/")[1]
    return (
        f"{what}={_cut(text)!r} is a file on Hugging Face, and lookhere downloads no models. Fetch it and its mmproj "
        f"by hand: pip install huggingface_hub; hf download {repo} {shlex.quote(file)} --local-dir {folder}; "
        f"hf download {repo} --local-dir {folder} --include '*mmproj*.gguf'; then give the path: "
        f"{_cut(f'{folder}/{file}')!r}. In a browser: {_HUB}/{repo}/tree/main."
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
