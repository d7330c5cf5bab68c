"""A series of patches as commits of a git repository, carried from one source to another three-way.

Branches of the repository: `old` and `new` are the two sources as they came, `series` is old with one commit a patch,
`carried` is new with the patches so far.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ggml_patches"))

import source_tree
import unified_diff

AS_IS, MOVED, THERE, EDITED = "as is", "moved", "already there", "changed by an edit"
CONFLICTS, MENDED = "conflicts", "conflicts, mended"
MARKER = b"<<<<<<< "
FUNCTION = re.compile(rb"^(?=[A-Za-z_])(?:[^(]*[\s*&])?([\w:~]+)\s*\([^;]*$")
TYPE = re.compile(rb"^(?:typedef )?((?:struct|class|enum|union|namespace)\b[^;:({]*)")
SETTINGS = {
    "user.name": "lookhere", "user.email": "lookhere@localhost", "core.autocrlf": "false", "core.fileMode": "false",
    "merge.conflictStyle": "zdiff3", "gc.auto": "0", "advice.detachedHead": "false",
}  # fmt: skip


class RebaseError(Exception):
    """The message says what happened and what to do."""


@dataclass
class Carried:
    """How a patch went onto the new source."""

    name: str
    how: str
    conflicts: list[str] = field(default_factory=list)  # file:line in function
    commit: str = ""  # on the new source; none where it conflicts


class Series:
    def __init__(self, folder: Path, patches: Sequence[Path]) -> None:
        self.folder = folder
        self.patches = list(patches)

    def start(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> None:
        """Make the repository; the work tree is the new source."""
        need_git()
        self.folder.mkdir(parents=True)
        self._git("init", "-q")
        self._git("checkout", "-q", "-b", "old")
        for name, value in SETTINGS.items():
            self._git("config", name, value)
        self._replace(old)
        self._commit("old source")
        self._git("checkout", "-q", "-b", "series")
        for patch in self.patches:
            problem = self._fit(patch)
            if problem:
                raise RebaseError(
                    f"The series does not fit the source that it is said to be made for.\n  {problem}\n"
                    "What to do: name that source with --from, or the series with --patches."
                )
            self._commit(patch.stem)
        self._git("checkout", "-q", "-b", "new", "old")
        self._replace(new)
        self._commit("new source")
        self._git("checkout", "-q", "-b", "carried")

    def carry(self) -> list[Carried]:
        """Carry the patches that are left. At a conflict the work tree is left to be mended, at the first one.

        Later patches are tried as if the patch's side had been taken, so that all conflicts are known at once.
        """
        results: list[Carried] = []
        stop = None
        for index in range(self.done(), len(self.patches)):
            results.append(self._pick(index))
            if results[-1].how == CONFLICTS:
                stop = stop or (index, self._git("rev-parse", "HEAD").strip())
                self._take_patch(index)
        if stop:
            self._git("reset", "-q", "--hard", stop[1])
            self._run("cherry-pick", self._commit_of(stop[0]))
        return results

    def done(self) -> int:
        """How many patches the branch `carried` holds."""
        names = self._git("log", "--reverse", "--format=%s", "new..HEAD").splitlines()
        expected = [patch.stem for patch in self.patches]
        if names != expected[: len(names)]:
            raise RebaseError(
                f"{self.folder} holds the commits {names}; expected one for each of {expected}, in this order.\n"
                "What to do: mend the commits (git rebase -i new), or begin again."
            )
        return len(names)

    def waits(self) -> bool:
        """Whether a patch with conflicts waits to be mended."""
        return self._run("rev-parse", "-q", "--verify", "CHERRY_PICK_HEAD").returncode == 0

    def commit_mended(self) -> None:
        """Make what was mended the patch's commit."""
        if not self.waits():
            return  # committed by hand
        left = []
        for code, path in self._unmerged():
            if code in ("UU", "AA"):
                left += self._marked(path)
            else:
                left.append(f"{path}: say `git add {path}` to keep it, or `git rm {path}`")
        for path in self._git("diff", "--name-only", "-z", "HEAD", "--diff-filter=AM").split("\0"):
            if path and not any(text.startswith(f"{path}:") for text in left):
                left += self._marked(path)
        if left:
            raise RebaseError(f"Still to be mended in {self.folder}:\n  " + "\n  ".join(left))
        self._git("add", "-u")
        self._git("commit", "-q", "--allow-empty", "-C", "CHERRY_PICK_HEAD")

    def again(self, index: int, before: Carried) -> Carried:
        """A carried patch as it is now: conflicts were mended, and any commit may have been edited by hand."""
        commit = self._new_commit_of(index)
        how = before.how
        if not self._diff(commit):
            how = THERE
        elif how == CONFLICTS:
            how = MENDED
        elif self._lines(commit) != self._lines(before.commit):
            how = EDITED
        return Carried(before.name, how, commit=commit)

    def export(self, results: Sequence[Carried], folder: Path, new: Mapping[str, bytes]) -> list[Path]:
        """Write the new series; what a patch says before its first diff is kept. It applies as the build applies it."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for index, (patch, result) in enumerate(zip(self.patches, results, strict=True)):
            if result.how == THERE:
                continue
            content = patch.read_bytes()
            if result.how != AS_IS:
                said = re.split(rb"^(?:diff --git |--- )", content, maxsplit=1, flags=re.MULTILINE)[0]
                content = said + self._diff(self._new_commit_of(index))
            written.append(folder / patch.name)
            written[-1].write_bytes(content)
        if others := set(folder.glob("*.patch")) - set(written):
            names = ", ".join(sorted(path.name for path in others))
            raise RebaseError(f"{folder} holds other patches: {names}.\nWhat to do: give an empty folder.")
        made = source_tree.patched(dict(new), written)
        different = [name for name in sorted({*made, *self._tracked()}) if made.get(name) != self._read(name)]
        if different:
            raise RebaseError(f"The series in {folder} does not give the carried tree: {', '.join(different)} differ")
        return written

    def _pick(self, index: int) -> Carried:
        patch = self.patches[index]
        if self._fit(patch) is None:
            return Carried(patch.stem, AS_IS, commit=self._commit(patch.stem))
        done = self._run("cherry-pick", "--keep-redundant-commits", self._commit_of(index))
        if done.returncode == 0:
            commit = self._git("rev-parse", "HEAD").strip()
            return Carried(patch.stem, MOVED if self._diff(commit) else THERE, commit=commit)
        conflicts = []
        for code, path in self._unmerged():
            if code in ("UU", "AA"):
                conflicts += self._marked(path)
            else:
                why = {"DU": "gone from the new source", "UD": "changed in the new source, and the patch deletes it"}
                conflicts.append(f"{path}: {why.get(code, 'in conflict as a whole')}")
        if not conflicts:
            raise RebaseError(f"git cannot carry {patch.name}:\n{done.stderr.decode(errors='replace')}")
        return Carried(patch.stem, CONFLICTS, conflicts)

    def _marked(self, path: str) -> list[str]:
        """File, line and function of each conflict in a file."""
        found = []
        where = ""
        in_code = Path(path).suffix not in (".cmake", ".md", ".txt")
        for number, line in enumerate((self.folder / path).read_bytes().split(b"\n"), 1):
            if line.startswith(MARKER):
                found.append(f"{path}:{number}{where}")
            elif in_code and (name := FUNCTION.match(line) or TYPE.match(line)):
                where = f" in {name[1].decode(errors='replace').strip()}"
        return found

    def _take_patch(self, index: int) -> None:
        """Resolve the patch that stands in conflict with its own side."""
        self._git("cherry-pick", "--abort")
        if self._run("cherry-pick", "-X", "theirs", self._commit_of(index)).returncode:
            self._git("add", "-A", "-f")
            self._git("commit", "-q", "--allow-empty", "-C", "CHERRY_PICK_HEAD")

    def _commit_of(self, index: int) -> str:
        return f"series~{len(self.patches) - 1 - index}"

    def _diff(self, commit: str) -> bytes:
        done = self._run("diff", "--no-renames", "--no-color", f"{commit}~", commit)
        if done.returncode:
            raise RebaseError(f"git knows no commit {commit} in {self.folder}.\nWhat to do: begin again.")
        return done.stdout

    def _lines(self, commit: str) -> list[bytes]:
        return [line for line in self._diff(commit).split(b"\n") if not line.startswith(b"index ")]

    def _new_commit_of(self, index: int) -> str:
        return self._git("rev-list", "--reverse", "new..HEAD").split()[index]

    def _fit(self, patch: Path) -> str | None:
        """Apply a patch to the work tree exactly, as the build does; what hinders it, if anything."""
        try:
            diffs = unified_diff.parse(patch.read_bytes(), patch.name)
            before = {diff.path: self._read(diff.path) for diff in diffs}
            after = unified_diff.apply({k: v for k, v in before.items() if v is not None}, diffs, patch.name)
        except unified_diff.PatchError as error:
            return str(error)
        self._write({path: after.get(path) for path in before})
        return None

    def _replace(self, files: Mapping[str, bytes]) -> None:
        self._write({**dict.fromkeys(self._tracked()), **files})

    def _write(self, files: Mapping[str, bytes | None]) -> None:
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
            elif self._read(name) != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def _read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def _tracked(self) -> list[str]:
        return [name for name in self._git("ls-files", "-z").split("\0") if name]

    def _unmerged(self) -> list[tuple[str, str]]:
        lines = self._git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no").split("\0")
        return [(line[:2], line[3:]) for line in lines if "U" in line[:2] or line[:2] in ("AA", "DD")]

    def _commit(self, subject: str) -> str:
        self._git("add", "-A", "-f")
        self._git("commit", "-q", "--allow-empty", "-m", subject)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise RebaseError(f"git {' '.join(arguments)} failed in {self.folder}:\n{said}")
        return done.stdout.decode(errors="surrogateescape")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        # neither the user's settings nor a repository around this one take part
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_EDITOR": "true", "LC_ALL": "C"}
        return subprocess.run(["git", *arguments], cwd=self.folder, capture_output=True, env=clean | own, check=False)


def need_git() -> None:
    what = "What to do: install git 2.35 or newer. A build needs none; moving the patches does."
    if shutil.which("git") is None:
        raise RebaseError(f"git is not on the PATH.\n{what}")
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < (2, 35):
        raise RebaseError(f"{said.strip()} is too old.\n{what}")
