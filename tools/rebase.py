"""Carry the patches in ggml_patches to another llama.cpp, three-way; build it and test it.

    python tools/rebase.py SOURCE [-o FOLDER] [--write]
    python tools/rebase.py --continue

SOURCE is a version of llama-cpp-python (downloaded through pip), an archive that holds llama.cpp, or a folder: a
llama.cpp tree, a git checkout of it, or an unpacked source package. Needs git 2.35 or newer, and cmake.

Where a patch conflicts, the command stops. Mend the marked lines in the work tree that it names, then say --continue.

Exit status: 0 carried, built and passed; 1 a patch conflicts; 2 not a source, or something else is missing;
3 the build failed; 4 tests failed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any

from series import CONFLICTS, Carried, RebaseError, Series

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ggml_patches"))

import source_tree

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "rebase"
UPSTREAM = ROOT / "ggml_patches" / "upstream.cmake"
TESTS = ["tests/patches", "tests/engine"]
ARCHIVES = ".tar.gz, .tar.xz or .tar"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", help="version, archive or folder")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="go on after a conflict was mended")
    parser.add_argument("-o", "--output", type=_path, help="folder for the new series (default: WORK/patches)")
    parser.add_argument("--write", action="store_true", help="when all passes, replace the series that was carried")
    parser.add_argument("--build", action=argparse.BooleanOptionalAction, default=True, help="build, and test")
    parser.add_argument("--sha256", help="what the archive must have")
    parser.add_argument("--from", dest="old", type=_path, help="source that the series fits (default: the pinned one)")
    parser.add_argument("--patches", type=_path, default=ROOT / "ggml_patches", help="series (default: ggml_patches)")
    parser.add_argument("--work", type=_path, default=WORK, help="folder (default: build/rebase)")
    parser.add_argument("--preset", default="default", help="CMake preset to build")
    parser.add_argument("-j", "--jobs", type=int, help="compilations at once")
    args = parser.parse_args()
    if args.go_on == bool(args.source):
        parser.error("give a SOURCE, or --continue")
    try:
        if args.go_on:
            parser.set_defaults(**_state(args.work)["args"])  # what is said now counts more
            return go_on(parser.parse_args())
        return begin(args)
    except (RebaseError, source_tree.SourceError) as error:
        print(f"rebase: {error}", file=sys.stderr)
        return 2


def _path(text: str) -> Path:
    return Path(text).resolve()


def begin(args: argparse.Namespace) -> int:
    work: Path = args.work
    patches = sorted(args.patches.glob("*.patch"))
    if not patches:
        raise RebaseError(
            f"{args.patches} holds no *.patch.\nWhat to do: name the folder of the series with --patches."
        )
    if args.output == args.patches:
        raise RebaseError(
            "-o names the series that is carried.\nWhat to do: another folder, or --write in the place of -o."
        )
    if work.exists() and any(work.iterdir()):
        if not (work / "state.json").is_file():
            raise RebaseError(f"{work} is not empty, and not of this command.\nWhat to do: give another --work.")
        if (work / "tree").is_dir() and _series(args).waits():
            raise RebaseError(
                f"{work} holds a conflict that waits to be mended.\n"
                "What to do: --continue, or delete the folder to begin again."
            )
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    _save(args, [])
    new, sha256 = read_new(args.source, args.sha256, work)
    old = read_old(args.old, work)
    source_tree.write_tree(new, work / "llama.cpp", "")
    print(f"{args.source}: {len(new)} files{f', sha256 {sha256}' if sha256 else ''}", flush=True)
    (work / "series").mkdir()
    for patch in patches:
        shutil.copyfile(patch, work / "series" / patch.name)
    series = _series(args)
    series.start(old, new)
    return carry(args, series, [])


def go_on(args: argparse.Namespace) -> int:
    series = _series(args)
    known = [Carried(**one) for one in _state(args.work)["carried"]]
    series.commit_mended()
    return carry(args, series, [series.again(index, known[index]) for index in range(series.done())])


def carry(args: argparse.Namespace, series: Series, before: list[Carried]) -> int:
    results = before + series.carry()
    _save(args, results)
    for result in results:
        print(f"  {result.name:<24} {result.how}")
        for place in result.conflicts:
            print(f"      {place}")
    stopped = next((result for result in results if result.how == CONFLICTS), None)
    if stopped:
        at = results.index(stopped) + 1
        print(f"\n{stopped.name} is to be mended in {series.folder} (`git diff` there shows it),")
        print("then: python tools/rebase.py --continue" + (f" --work {args.work}" if args.work != WORK else ""))
        if at < len(results):
            print("The patches after it were tried with the patch's own lines in the place of its conflicts.")
        return 1
    new = source_tree.read_source(args.work / "llama.cpp")
    output: Path = args.output or args.work / "patches"
    written = series.export(results, output, new)
    print(f"  {len(written)} patches written to {output}", flush=True)
    code = build_and_test(args, output) if args.build else 0
    if code == 0 and args.write:
        replace(args.patches, series.patches, written)
        print(f"  the series in {args.patches} is the new one")
    return code


def replace(folder: Path, old: list[Path], new: list[Path]) -> None:
    if {one.name: one.read_bytes() for one in folder.glob("*.patch")} != {one.name: one.read_bytes() for one in old}:
        raise RebaseError(f"{folder} changed in the meantime and was left as it is.\nWhat to do: begin again.")
    for patch in old:
        (folder / patch.name).unlink()
    for patch in new:
        shutil.copyfile(patch, folder / patch.name)


def read_new(source: str, sha256: str | None, work: Path) -> tuple[dict[str, bytes], str | None]:
    """The needed files of the new llama.cpp, and the hash of the archive."""
    path = Path(source)
    if not path.exists():
        if not re.fullmatch(r"\d+(\.\w+)+", source):
            raise RebaseError(
                f"{source!r} is neither a file or folder nor a version.\n"
                f"What to do: name a llama.cpp folder, an archive ({ARCHIVES}), or a version of llama-cpp-python."
            )
        path = download(source, work)
    if path.is_dir():
        if sha256:
            raise RebaseError(f"{source} is a folder, and --sha256 is of an archive.\nWhat to do: leave --sha256 out.")
        try:
            return source_tree.read_source(path), None
        except source_tree.SourceError as error:
            raise RebaseError(
                f"{source} holds no llama.cpp: neither src/llama.cpp nor vendor/llama.cpp/src/llama.cpp in it.\n"
                "What to do: name the folder that has src/llama.cpp."
            ) from error
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 and found != sha256.lower():
        raise RebaseError(
            f"{path} is not the expected file.\n  expected sha256 {sha256.lower()}\n  got      sha256 {found}\n"
            "What to do: get it again; nothing was made from it."
        )
    return read_archive(path), found


def read_archive(archive: Path) -> dict[str, bytes]:
    """The needed files of the llama.cpp that lies anywhere in an archive."""
    end = "src/llama.cpp"
    try:
        with tarfile.open(archive) as tar:
            members = [one for one in tar if one.isfile() and ".." not in one.name.split("/")]
            roots = [one.name.removesuffix(end) for one in members if f"/{one.name}".endswith(f"/{end}")]
            if not roots:
                raise RebaseError(
                    f"{archive} holds no llama.cpp (no src/llama.cpp in it).\n"
                    "What to do: name a source package, not a wheel."
                )
            root = min(roots, key=len)
            files = {}
            for one in members:
                name = one.name.removeprefix(root)
                if one.name.startswith(root) and source_tree.NEEDED.fullmatch(name):
                    content = tar.extractfile(one)
                    assert content is not None
                    files[name] = content.read()
            return files
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise RebaseError(
            f"{archive} cannot be read as an archive: {error}.\nWhat to do: get it again ({ARCHIVES})."
        ) from error


def download(version: str, work: Path) -> Path:
    match = re.search(r"LOOKHERE_LLAMA_PACKAGE (\S+)\)", UPSTREAM.read_text())
    assert match
    into = work / "download"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", match[1], "--no-build-isolation"]
    print(f"Downloading the source package of {match[1]} {version} through pip", flush=True)
    done = _log([*command, "-q", "--dest", str(into), f"{match[1]}=={version}"], work / "download.log")
    found = list(into.glob("*.tar.gz")) if done == 0 else []
    if not found:
        raise RebaseError(
            f"{match[1]}=={version} could not be downloaded; pip said:\n{_tail(work / 'download.log')}\n"
            f"What to do: see `pip index versions {match[1]}`; pip and scikit-build-core must be\n"
            "installed; or name an archive."
        )
    return found[0]


def read_old(source: Path | None, work: Path) -> dict[str, bytes]:
    """The needed files of the source that the series fits: upstream.cmake verifies it, and keeps it in the cache."""
    into = work / "old"
    command = ["cmake", f"-DLOOKHERE_LLAMA_INTO={into}", "-DLOOKHERE_LLAMA_PATCHES=OFF"]
    command += [f"-DPython_EXECUTABLE={sys.executable}", *([f"-DLOOKHERE_LLAMA_SOURCE={source}"] if source else [])]
    if _log([*command, "-P", str(UPSTREAM)], work / "old.log"):
        raise RebaseError(f"The source that the series fits cannot be had:\n{_tail(work / 'old.log')}")
    return source_tree.read_source(into)


def build_and_test(args: argparse.Namespace, patches: Path) -> int:
    work: Path = args.work
    source, build, site = work / "llama.cpp", work / "build", work / "site"
    configure = ["cmake", "--preset", args.preset, "-B", build, "--install-prefix", site]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", f"-DLOOKHERE_LLAMA_SOURCE={source}"]
    configure += [f"-DLOOKHERE_LLAMA_PATCHES={patches}"]
    make = ["cmake", "--build", build, "--target", "all", "install", *(["-j", str(args.jobs)] if args.jobs else [])]
    # stock llama.cpp, which tests compare with, is built from the new source: it has a cache of its own
    environment = {
        "PYTHONPATH": str(site), "LOOKHERE_LLAMA_SOURCE": str(source), "LOOKHERE_CACHE_DIR": str(work / "cache"),
    }  # fmt: skip
    test = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *TESTS]
    for name, command, own, failed in (
        ("configure", configure, {}, 3),
        ("build", make, {}, 3),
        ("test", test, environment, 4),
    ):
        log = work / f"{name}.log"
        began = time.monotonic()
        code = _log([str(part) for part in command], log, own)
        passed = "passed" if code == 0 else f"failed ({log})"
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if name == "test" else []
        print(f"  {name:<24} {passed}, {(time.monotonic() - began) / 60:.1f} minutes {' '.join(last)}", flush=True)
        if code:
            print(_tail(log))
            return failed
    return 0


def _log(command: list[str], log: Path, own: dict[str, str] | None = None) -> int:
    """Run a command of this Python's environment, with its output in a file."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    if shutil.which(command[0], path=path) is None:
        raise RebaseError(f"{command[0]} is not on the PATH.\nWhat to do: pip install {command[0]}")
    with log.open("wb") as file:
        command = [shutil.which(command[0], path=path) or command[0], *command[1:]]
        environment = {**os.environ, "PATH": path, **(own or {})}
        return subprocess.run(
            command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False
        ).returncode


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()[-30:]
    return "\n".join(f"  | {line}" for line in lines)


def _series(args: argparse.Namespace) -> Series:
    return Series(args.work / "tree", sorted((args.work / "series").glob("*.patch")))


def _state(work: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((work / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise RebaseError(f"{work} holds nothing to continue.\nWhat to do: begin with a SOURCE.") from error
    return state


def _save(args: argparse.Namespace, results: list[Carried]) -> None:
    kept = {name: str(value) if isinstance(value, Path) else value for name, value in vars(args).items()}
    state = {"args": kept, "carried": [vars(result) for result in results]}
    (args.work / "state.json").write_text(json.dumps(state, indent=1))


if __name__ == "__main__":
    sys.exit(main())
