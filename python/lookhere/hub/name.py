"""Names: what a person means by ``owner/repo:QUANT``, an address on Hugging Face, a short name, or one of Ollama's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .known import KnownModel, known_model

HUB = "https://huggingface.co"
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_REPOSITORY = r"(?P<owner>[\w][\w.-]*)/(?P<repo>[\w][\w.-]*?)"
_NAME = re.compile(rf"(?:hf\.co/|huggingface\.co/|hf://|hf:/|hf:)?{_REPOSITORY}(?::(?P<tag>[\w.-]+))?/?")
_FILE = re.compile(_NAME.pattern.partition("(?::")[0] + r"/(?P<file>[\w./ -]+\.gguf)", re.IGNORECASE)
_OLLAMA = re.compile(r"(?:[\w.-]+/)?\w[\w.-]+:[\w.-]+")
_QUANTIZATION = re.compile(r"(UD-)?(I?Q\d|TQ\d|BF16|F16|F32|MXFP4|NVFP4)", re.IGNORECASE)
_FILE_NAME = re.compile(r"\.(gguf|ggml|bin|pth?|ckpt|safetensors|onnx|json|zip|txt)", re.IGNORECASE)


@dataclass(frozen=True)
class HubName:
    """What is wanted of a repository. quantization, file: '' where none was named. revision: a branch or a commit.
    known: the entry of the table, where a short name was given."""

    repository: str
    quantization: str = ""
    file: str = ""
    revision: str = "main"
    known: KnownModel | None = None

    @property
    def page(self) -> str:
        """The address of the repository's files, for people."""
        return f"{HUB}/{self.repository}/tree/main"

    @property
    def text(self) -> str:
        """As a person would write it."""
        if self.known:
            return self.known.name
        return self.repository + (
            f"/{self.file}" if self.file else f":{self.quantization}" if self.quantization else ""
        )


@dataclass(frozen=True)
class OllamaName:
    """A model of Ollama's: repository and tag as its own command takes them."""

    repository: str
    tag: str

    @property
    def text(self) -> str:
        """As a person would write it."""
        return f"{self.repository}:{self.tag}"


def name_of(text: str) -> HubName | OllamaName | None:
    """What a text names that is no path; None where it can only be one."""
    if known := known_model(text):
        return HubName(known.repository, known.quantization, revision=known.revision, known=known)
    first = text.partition("/")[0]
    is_path = first in (".", "..") or Path(first).is_dir()
    named = _FILE.fullmatch(text)
    if named and not is_path:
        return HubName(f"{named['owner']}/{named['repo']}", file=named["file"])
    named = _NAME.fullmatch(text)
    if named and not _FILE_NAME.fullmatch(Path(named["repo"]).suffix):
        tag = named["tag"] or ""
        # no path ends in a quantization, so that a folder of the owner's name does not matter then
        if not (tag or is_path) or (tag and ("gguf" in text.lower() or _QUANTIZATION.match(tag))):
            return HubName(f"{named['owner']}/{named['repo']}", quantization="" if tag == "latest" else tag)
    return _of_ollama(text)


def repository_of(text: str) -> HubName | None:
    """A repository of anything, as ``owner/repo`` or its address; None for any other text."""
    if "://" in text and not text.startswith("hf:"):
        try:
            return name_of_address(text)
        except ValueError:
            return None
    named = _NAME.fullmatch(text)
    if named is None or named["tag"]:
        return None
    if _FILE_NAME.fullmatch(Path(named["repo"]).suffix) or Path(named["owner"]).is_dir():
        return None  # a path
    return HubName(f"{named['owner']}/{named['repo']}")


def name_of_address(address: str) -> HubName | None:
    """What an address on Hugging Face names; None for other hosts. ValueError if it is no valid address."""
    host, path = urlsplit(address).hostname, urlsplit(address).path
    steps = [each for each in unquote(path).split("/") if each]
    if host not in _HOSTS or len(steps) < 2:
        return None
    repository = "/".join(steps[:2])
    if not _NAME.fullmatch(repository):
        return None
    if len(steps) > 4 and steps[2] in ("resolve", "blob"):
        return HubName(repository, file="/".join(steps[4:]), revision=steps[3])
    if len(steps) > 3 and steps[2] == "tree":
        return HubName(repository, revision=steps[3])
    return HubName(repository)


def _of_ollama(text: str) -> OllamaName | None:
    if not _OLLAMA.fullmatch(text):
        return None
    repository, _, tag = text.rpartition(":")
    return OllamaName(repository, tag)
