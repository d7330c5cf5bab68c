"""Tokens per second as a user gets them: lookhere in Python, llama-cpp-python, llama.cpp's program."""

from __future__ import annotations

import argparse
from pathlib import Path

import page
from ratio import median, ratio
from sides import Side, better, by_turns, sides

OTHERS = {"llama-cpp-python, flash_attn=True": True, "llama-cpp-python, flash_attn=False": False}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--llama-cpp", type=Path, required=True, metavar="FOLDER",
                        help="that holds the package llama_cpp; it runs the libraries of --stock")  # fmt: skip
    parser.add_argument("--mtmd", type=Path, metavar="PROGRAM", help="llama.cpp's llama-mtmd-cli; default: not timed")
    parser.add_argument("--tokens", type=int, default=129, help="of an answer; the first does not count")
    parser.add_argument("--pixels", type=int, default=1024, help="width and height of the image")


def run(args: argparse.Namespace) -> None:
    environment = {"PYTHONPATH": str(args.llama_cpp), "LLAMA_CPP_LIB_PATH": str(args.stock)}
    ours = Side("talk_lookhere.py", args.model, args.threads, args.pixels)
    depth = ours.depth()
    others = {
        name: Side("talk_llama_cpp_python.py", args.model, args.threads, int(flash), depth, environment=environment)
        for name, flash in OTHERS.items()
    }
    projector = args.model.with_name("mmproj.gguf")
    programs = {
        f"llama-mtmd-cli, --flash-attn {flash}": Side(
            "talk_mtmd.py", args.mtmd, args.model, projector, args.pixels, args.threads, flash, args.tokens
        )
        for flash in (("on", "off") if args.mtmd else ())
    }
    with sides(ours, *others.values(), *programs.values()):
        arms = {
            "lookhere, unsteered, gaze=False": lambda: float(ours.talk(tokens=args.tokens, steered=False, gaze=False)),
            "lookhere, unsteered": lambda: float(ours.talk(tokens=args.tokens, steered=False, gaze=True)),
            "lookhere, steered, gaze=False": lambda: float(ours.talk(tokens=args.tokens, steered=True, gaze=False)),
            "lookhere, steered": lambda: float(ours.talk(tokens=args.tokens, steered=True, gaze=True)),
            **{name: (lambda side=side: float(side.talk(tokens=args.tokens))) for name, side in others.items()},
            **{name: (lambda side=side: float(side.talk())) for name, side in programs.items()},
        }
        measured = by_turns(arms, args.rounds)
    best = better(measured, [*OTHERS, *programs])
    rows = [(name, f"{1 / median(times).middle:.2f}", ratio(measured[best], times)) for name, times in measured.items()]
    page.write(
        f"{args.name or args.model.parent.name}: tokens per second in Python",
        f"A prompt of {depth} tokens: an image of {args.pixels} x {args.pixels} pixels and text, for llama-cpp-python "
        f"(on stock libraries) as many text tokens; {args.tokens} tokens, greedy, streamed, the first apart. Gaze maps "
        f"are read unless `gaze=False`. Ratios to the best of the others, {best}; target >= 1.\n\n"
        + page.table(("arm", "tokens/s", "ratio of speed"), rows),
    )
