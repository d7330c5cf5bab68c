"""Make the source tree that is built: unpack llama.cpp, keep what is needed, apply the patches.

    python source_tree.py --source ARCHIVE_OR_FOLDER --into FOLDER [--key KEY] [PATCH ...]

Everything happens in memory first; then only files whose content differs are written, so that a changed patch
rebuilds what it touches and nothing else, and a failure leaves the tree as it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tarfile
from pathlib import Path

import unified_diff

# What libllama, libmtmd and the CPU, BLAS, CUDA, HIP, Metal and Vulkan backends are made of: 24 of 176 MB.
NEEDED = re.compile(
    r"""
    CMakeLists\.txt | LICENSE | AUTHORS
    | (cmake|licenses|include|src)/.*
    | ggml/(CMakeLists\.txt | (cmake|include)/.* | src/[^/]* | src/ggml-(cpu|blas|cuda|hip|metal|vulkan)/.*)
    | tools/mtmd/(CMakeLists\.txt | [^/]*\.(h|cpp) | (models|debug)/.*)
    | vendor/(CMakeLists\.txt | (hash|miniaudio|nlohmann|sheredom|stb)/.*)
    """,
    re.VERBOSE,
)
INSIDE_SDIST = re.compile(r"(?:[^/]+/)?vendor/llama\.cpp/(.*)")
STAMP = ".lookhere-source.json"


class SourceError(Exception):
    """The message says what happened and what to do."""


def read_source(source: Path) -> dict[str, bytes]:
    """Needed files of an sdist archive, an unpacked sdist or a llama.cpp folder: path -> content."""
    if source.is_file():
        files = _read_archive(source)
    else:
        root = next((d for d in (source, source / "vendor" / "llama.cpp") if (d / "src" / "llama.cpp").is_file()), None)
        if root is None:
            raise SourceError(
                f"{source} is neither a llama.cpp folder nor an unpacked source package of llama-cpp-python:\n"
                "  it has neither src/llama.cpp nor vendor/llama.cpp/src/llama.cpp.\n"
                "What to do: give LOOKHERE_LLAMA_SOURCE one of these, or the package's .tar.gz itself."
            )
        names = (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        files = {name: (root / name).read_bytes() for name in sorted(names) if NEEDED.fullmatch(name)}
    if "src/llama.cpp" not in files:
        raise SourceError(
            f"{source} holds no llama.cpp (no vendor/llama.cpp/src/llama.cpp in it).\n"
            "What to do: use the source package (.tar.gz) of llama-cpp-python, not a wheel."
        )
    return files


def _read_archive(source: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                match = INSIDE_SDIST.fullmatch(member.name)
                if match and member.isfile() and NEEDED.fullmatch(match[1]):
                    content = archive.extractfile(member)
                    assert content is not None
                    files[match[1]] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(
            f"{source} cannot be read as a tar archive: {error}.\nWhat to do: delete it and build again."
        ) from error
    return files


def patched(files: dict[str, bytes], patches: list[Path]) -> dict[str, bytes]:
    """The files with the patches applied in the order given."""
    for patch in patches:
        try:
            files = unified_diff.apply(files, unified_diff.parse(patch.read_bytes(), patch.name), patch.name)
        except unified_diff.PatchError as error:
            raise SourceError(
                f"A patch does not apply to llama.cpp.\n  {error}\n"
                "What to do: if the source is your own (LOOKHERE_LLAMA_SOURCE), use the pinned one; if you changed a\n"
                "patch or moved to another llama.cpp, refresh the patches as ggml_patches/README.md says."
            ) from error
    return files


def write_tree(files: dict[str, bytes], into: Path, key: str) -> tuple[int, int]:
    """Make the folder hold exactly these files; returns how many were written and removed.

    A file that someone edited by hand since the last run is not overwritten: that is an error naming it.
    """
    stamp = into / STAMP
    known: dict[str, str] = json.loads(stamp.read_text())["files"] if stamp.is_file() else {}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write, remove, edited = [], [], []
    for name in sorted({*known, *digests}):
        path = into / name
        on_disk = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        if on_disk == digests.get(name):
            continue
        if on_disk is not None and name in known and on_disk != known[name]:
            edited.append(name)
        elif name in digests:
            write.append(name)
        else:
            remove.append(name)
    if edited:
        raise SourceError(
            f"These files in {into} were edited by hand and would be overwritten:\n  "
            + "\n  ".join(edited)
            + "\nWhat to do: make a patch of the edits (ggml_patches/README.md says how), then delete the folder."
        )
    for name in write:
        path = into / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
    for name in remove:
        (into / name).unlink()
    into.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps({"key": key, "files": digests}, indent=0))
    return len(write), len(remove)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("patches", type=Path, nargs="*")
    arguments = parser.parse_args()
    try:
        files = patched(read_source(arguments.source), arguments.patches)
        written, removed = write_tree(files, arguments.into, arguments.key)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 1
    done = f"{written} written, {removed} removed, {len(arguments.patches)} patches"
    print(f"{len(files)} files in {arguments.into}: {done}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
