"""Files that are no GGUF: what they are, told by their first bytes, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

_LONGEST = 240  # characters of a path in a message

_CONVERT = (
    "Most models are published as GGUF, too, in repositories whose names end in -GGUF; llama.cpp's "
    "convert_hf_to_gguf.py makes GGUF files of a model's folder."
)
_KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture", "Give the picture as the image, and a GGUF file as the model."),
    (b"\x89PNG", "a PNG picture", "Give the picture as the image, and a GGUF file as the model."),
    (b"GIF8", "a GIF picture", "Give the picture as the image, and a GGUF file as the model."),
    (b"%PDF", "a PDF document", ""),
    (b"PK\x03\x04", "a zip archive, as PyTorch's .pt and .bin files are", _CONVERT),
    (b"\x80\x02", "a Python pickle, as old PyTorch files are", _CONVERT),
    (b"\x93NUMPY", "a NumPy array", ""),
    (b"\x89HDF", "an HDF5 file, as Keras saves models", _CONVERT),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first."),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it first."),
    (b"\xfd7zXZ", "compressed with xz", "Unpack it first."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it first."),
    (b"BZh", "compressed with bzip2", "Unpack it first."),
    (b"Rar!", "a RAR archive", "Unpack it first."),
    (b"\x7fELF", "a program", ""),
    (b"MZ", "a Windows program", ""),
    (b"lmgg", "a model in the old GGML format", "Get the model as GGUF."),
    (b"fmgg", "a model in the old GGML format", "Get the model as GGUF."),
    (b"tjgg", "a model in the old GGML format", "Get the model as GGUF."),
    (b"algg", "a LoRA adapter in the old GGML format", "Give a language model as GGUF."),
    (b"FUGG", "a GGUF file with its bytes turned around", "Take the usual, little-endian file."),
    (
        b"version https://git-lfs",
        "a git-lfs pointer: the note that stands for a large file that was not fetched",
        "Run git lfs pull in its folder, or download the file itself.",
    ),
)


def shown(path: Path) -> str:
    """A path for a message; the beginning of a very long one is cut."""
    text = repr(str(path))
    return text if len(text) <= _LONGEST else f"'...{text[3 - _LONGEST :]}"


def what_it_is(head: bytes, path: Path) -> str:
    """'is a JPEG picture; ...': what begins with these bytes, and what to do, as the end of a message."""
    what, advice = _told(head, path)
    return " ".join(part for part in (f"{what}; expected a whole one.", advice) if part)


def _told(head: bytes, path: Path) -> tuple[str, str]:
    if not head:
        return "is empty", "The download may have failed; fetch it again."
    if not head.strip(b"\0"):
        return "begins with zeros only", "The download may never have been finished; fetch it again."
    for start, what, advice in _KINDS:
        if head.startswith(start):
            return f"is {what}", advice
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return "is a safetensors file", _CONVERT
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", head, re.IGNORECASE):
        return (
            "is a web page: the download gave a page instead of the file",
            "Use the address of the download button (on Hugging Face .../resolve/main/..., not .../blob/main/...); the "
            "page may also ask for a login.",
        )
    if b"GGUF".startswith(head):
        return "is cut off after its first bytes", "Fetch it again."
    if re.search(r"part|split|chunk|\.\d+$", path.name, re.IGNORECASE):
        return (
            "begins in the middle of something",
            "If it is a piece of a file that was cut, join all pieces in their order: cat PIECE1 PIECE2 > model.gguf.",
        )
    if re.match(rb"\s*[{\[]", head) and _is_text(head):
        return "is text, perhaps JSON", "An error of a server looks like that, too; open it and see."
    if _is_text(head):
        return "is text", "An error of a server looks like that, too; open it and see."
    return "has none of the first bytes of a model that are known here", "Was the right file named?"


def _is_text(head: bytes) -> bool:
    text = head.decode(errors="ignore")
    whole = len(text.encode()) > len(head) - 4  # the last character may be cut
    return bool(text) and whole and all(char.isprintable() or char.isspace() for char in text)
