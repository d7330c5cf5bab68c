"""lookhere beside others, section by section of RESULTS.md.

    python tools/random_model.py 2B /tmp/2B
    python benchmarks/side_by_side.py speed /tmp/2B/model.gguf [--stock FOLDER] [--rounds 7] [--threads 2]

Stock llama.cpp is built from the unpatched source with our options at first use and kept (some minutes), or is found in
the folder that --stock names. A section that is run again takes its own place on the page.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import bandwidth
import busy
import footprint
import hooks
import instructions
import machine
import moving
import page
import products
import rows
import speed
import startup
import talk
import text

SECTIONS = {
    "speed": speed,
    "footprint": footprint,
    "bandwidth": bandwidth,
    "talk": talk,
    "text": text,
    "moving": moving,
    "rows": rows,
    "products": products,
    "busy": busy,
    "hooks": hooks,
    "startup": startup,
    "instructions": instructions,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="section", required=True)
    for name, section in SECTIONS.items():
        command = commands.add_parser(name, help=(section.__doc__ or "").splitlines()[0], description=section.__doc__)
        bare = name in ("startup", "products")
        command.add_argument("model", type=Path, nargs="?" if bare else None, help="GGUF file")
        command.add_argument("--name", help="of the model on the page; default: its folder's")
        command.add_argument("--stock", type=Path, help="folder of unpatched libraries; default: they are built")
        command.add_argument("--ours", type=Path, help="folder of our library; default: the installed package's")
        command.add_argument("--threads", type=int, default=os.cpu_count() or 1)
        command.add_argument("--rounds", type=int, default=7)
        command.add_argument("--page", type=Path, default=page.PAGE, help="that is written; default: RESULTS.md here")
        command.add_argument("--wait", type=float, default=0, help="seconds to wait for a quiet machine")
        section.add_arguments(command)
    args = parser.parse_args()
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    import stock

    args.stock = args.stock or stock.stock_libraries()
    args.ours = args.ours or stock.our_libraries()
    page.PAGE, page.LIBRARY = args.page, args.ours
    machine.wait_until_quiet(args.wait)
    SECTIONS[args.section].run(args)


if __name__ == "__main__":
    main()
