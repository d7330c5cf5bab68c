"""A tiny GGUF pair with random weights of one family of vision-language models: for tests, never for answers.

    python tools/families FAMILY OUT --llama SOURCE [--seed N]
    python tools/families --list

Writes OUT/model.gguf and OUT/mmproj.gguf. SOURCE is the unpacked vendor/llama.cpp of the pinned source package: its
converter makes the pair from a checkpoint in the form of the hub, and its models/ggml-vocab-*.gguf give the vocabulary.
The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from families.table import RECIPES, missing, shown


def main() -> None:
    parser = argparse.ArgumentParser(
        "tools/families", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("family", nargs="?", choices=RECIPES, metavar="FAMILY")
    parser.add_argument("out", nargs="?", type=Path, metavar="OUT")
    parser.add_argument("--llama", type=Path, metavar="SOURCE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="the families, and how their pairs are made")
    args = parser.parse_args()
    if args.list:
        print(shown())
        return
    if args.family is None or args.out is None or args.llama is None:
        parser.error("expected FAMILY OUT --llama SOURCE, or --list")
    if lacking := missing(args.llama):
        parser.error(lacking)
    sys.path.insert(0, str(args.llama.resolve() / "gguf-py"))  # the converter needs the gguf of its own source
    from families.kit import Kit

    args.out.mkdir(parents=True, exist_ok=True)
    RECIPES[args.family].make(Kit(args.out, args.llama, args.seed))
    for path in sorted(args.out.glob("*.gguf")):
        print(f"{path} {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
