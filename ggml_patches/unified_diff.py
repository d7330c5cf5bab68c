"""Apply unified diffs, strictly: every context line must match at the line the hunk names.

The build must work where neither ``git`` nor ``patch`` is installed. Understood are the diffs that ``git diff`` and
``git format-patch`` write for text files: changed, new and deleted files. Renames, copies, mode changes and binary
files are refused. There is no fuzz and no offset: a patch that has moved is a patch to refresh.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
REFUSED = (
    b"rename from ", b"copy from ", b"similarity index ", b"dissimilarity index ", b"old mode ", b"new mode ",
    b"GIT binary patch", b"Binary files ",
)  # fmt: skip
NO_NEWLINE = b"\\ No newline at end of file"


class PatchError(Exception):
    """The patch cannot be read, or does not fit the files; the message says where."""


@dataclass
class Hunk:
    old_start: int  # 1-based line in the old file; 0 where the old file is empty
    new_start: int
    old: list[bytes] = field(default_factory=list)  # lines with their line ends
    new: list[bytes] = field(default_factory=list)


@dataclass
class FileDiff:
    path: str
    kind: str  # "change", "new" or "delete"
    hunks: list[Hunk] = field(default_factory=list)


def parse(patch: bytes, name: str = "patch") -> list[FileDiff]:
    """Read a patch. Text around the diffs (a commit message, a mail signature) is skipped."""
    lines = patch.split(b"\n")
    if lines and lines[-1] == b"":
        lines.pop()
    diffs: list[FileDiff] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(REFUSED):
            raise PatchError(f"{name}:{at + 1}: not supported: {line.decode(errors='replace')!r}")
        if line.startswith(b"diff --git ") and _no_hunks(lines, at):
            raise PatchError(f"{name}:{at + 1}: a file without a change: {line.decode(errors='replace')!r}")
        if line.startswith(b"@@ "):
            raise PatchError(f"{name}:{at + 1}: a hunk without a file before it")
        if line.startswith(b"--- ") and at + 1 < len(lines) and lines[at + 1].startswith(b"+++ "):
            diff = _file(line, lines[at + 1], f"{name}:{at + 1}")
            at += 2
            while at < len(lines) and HUNK.match(lines[at]):
                hunk, at = _hunk(lines, at, name)
                diff.hunks.append(hunk)
            if not diff.hunks:
                raise PatchError(f"{name}:{at}: no hunk for {diff.path}")
            diffs.append(diff)
        else:
            at += 1
    if not diffs:
        raise PatchError(f"{name}: holds no diff")
    return diffs


def apply(files: Mapping[str, bytes], diffs: Iterable[FileDiff], name: str = "patch") -> dict[str, bytes]:
    """Return a copy of files (path -> content) with the diffs applied; files itself is left alone."""
    result = dict(files)
    for diff in diffs:
        if diff.kind == "new":
            if diff.path in result:
                raise PatchError(f"{name}: {diff.path}: to be made new, but it is already there")
            content = b""
        elif diff.path not in result:
            raise PatchError(f"{name}: {diff.path}: no such file in the source")
        else:
            content = result[diff.path]
        content = _apply_hunks(content, diff, name)
        if diff.kind == "delete":
            if content:
                raise PatchError(f"{name}: {diff.path}: to be deleted, but the patch leaves text in it")
            del result[diff.path]
        else:
            result[diff.path] = content
    return result


def _no_hunks(lines: list[bytes], at: int) -> bool:
    """Whether no "---" line follows before the next file (an empty new file, a bare mode change)."""
    for line in lines[at + 1 :]:
        if line.startswith((b"--- ", *REFUSED)):
            return False
        if line.startswith(b"diff --git "):
            return True
    return True


def _file(minus: bytes, plus: bytes, where: str) -> FileDiff:
    old, new = (_path(line[4:], where) for line in (minus, plus))
    if old is None and new is None:
        raise PatchError(f"{where}: neither an old nor a new file")
    if old is None or new is None:
        return FileDiff(old or new or "", "new" if old is None else "delete")
    if old != new:
        raise PatchError(f"{where}: a rename ({old} -> {new}) is not supported")
    return FileDiff(new, "change")


def _path(raw: bytes, where: str) -> str | None:
    path = raw.split(b"\t")[0].rstrip(b"\r ").decode()
    if path == "/dev/null":
        return None
    if path.startswith('"'):
        raise PatchError(f"{where}: quoted file names are not supported: {path}")
    parts = path.split("/")
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts):
        raise PatchError(f"{where}: not a path of the form a/FOLDER/FILE: {path!r}")
    return "/".join(parts[1:])  # a/src/x.cpp -> src/x.cpp


def _hunk(lines: list[bytes], at: int, name: str) -> tuple[Hunk, int]:
    match = HUNK.match(lines[at])
    assert match
    head = at
    old_start, new_start = int(match[1]), int(match[3])
    old_left = int(match[2]) if match[2] is not None else 1
    new_left = int(match[4]) if match[4] is not None else 1
    hunk = Hunk(old_start, new_start)
    at += 1
    while old_left or new_left:
        if at == len(lines):
            raise PatchError(f"{name}:{head + 1}: the hunk is cut short")
        mark, text = lines[at][:1], lines[at][1:] + b"\n"
        if mark not in (b" ", b"-", b"+"):
            raise PatchError(f"{name}:{at + 1}: not a line of a hunk: {lines[at].decode(errors='replace')!r}")
        if mark != b"+":
            hunk.old.append(text)
            old_left -= 1
        if mark != b"-":
            hunk.new.append(text)
            new_left -= 1
        if old_left < 0 or new_left < 0:
            raise PatchError(f"{name}:{head + 1}: the hunk holds more lines than it says")
        at += 1
        if at < len(lines) and lines[at].startswith(NO_NEWLINE):
            if mark != b"+":
                hunk.old[-1] = hunk.old[-1][:-1]
            if mark != b"-":
                hunk.new[-1] = hunk.new[-1][:-1]
            at += 1
    return hunk, at


def _apply_hunks(content: bytes, diff: FileDiff, name: str) -> bytes:
    source = _split(content)
    result: list[bytes] = []
    done = 0  # lines of source already copied or replaced
    for number, hunk in enumerate(diff.hunks, 1):
        # "-5,0" means: insert after line 5; "-5,2" means: starting with line 5
        start = hunk.old_start if not hunk.old else hunk.old_start - 1
        where = f"{name}: {diff.path}: hunk {number} (line {hunk.old_start})"
        if start < done:
            raise PatchError(f"{where}: overlaps the hunk before it")
        if source[start : start + len(hunk.old)] != hunk.old or start > len(source):
            raise PatchError(f"{where}: {_mismatch(source, start, hunk.old)}")
        result += source[done:start]
        result += hunk.new
        if len(result) - len(hunk.new) + (1 if hunk.new else 0) != hunk.new_start:
            raise PatchError(f"{where}: the new line number {hunk.new_start} does not follow from the hunks before it")
        done = start + len(hunk.old)
    return b"".join(result + source[done:])


def _split(content: bytes) -> list[bytes]:
    """Lines ended by a newline only: bytes.splitlines would also split at a lone carriage return."""
    *lines, rest = content.split(b"\n")
    return [line + b"\n" for line in lines] + ([rest] if rest else [])


def _mismatch(source: list[bytes], start: int, old: list[bytes]) -> str:
    elsewhere = [at + 1 for at in range(len(source) - len(old) + 1) if source[at : at + len(old)] == old]
    if elsewhere:
        return f"its lines are at line {', '.join(map(str, elsewhere))} of the source instead"
    for at, line in enumerate(old, start):
        found = source[at] if at < len(source) else b"(end of file)"
        if found != line:
            is_, expected = (text.decode(errors="replace").rstrip() for text in (found, line))
            return f"line {at + 1} is {is_!r}, the patch expects {expected!r}"
    return "does not fit"
