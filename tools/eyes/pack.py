"""Learned eyes -> the mmproj that goes with the published language model, with the converter of llama.cpp's own source.

    python tools/eyes/pack.py RUN/state.pt OUT/mmproj.gguf --llama SOURCE [--type f16]

SOURCE is the unpacked vendor/llama.cpp of the pinned source package. The language model's own file is used as it is.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from export import convert
from vlm import CELL, MAX_TOKENS, MERGE, MIN_TOKENS, PATCH

NAME = "lookhere eyes for SmolLM2 135M Instruct"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--llama", type=Path, required=True)
    parser.add_argument("--type", default="f16", choices=("f32", "f16", "q8_0"))
    args = parser.parse_args()
    sys.path.insert(0, str(args.llama / "gguf-py"))  # the converter's own, before any other is imported
    from eyes import whole

    learned = torch.load(args.state)["eyes"]
    model = whole(len(learned["visual.merger.linear_fc2.bias"]))
    model.model.visual.load_state_dict({name.removeprefix("visual."): value for name, value in learned.items()})
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({
            "size": {"shortest_edge": MIN_TOKENS * CELL**2, "longest_edge": MAX_TOKENS * CELL**2}, "patch_size": PATCH,
            "temporal_patch_size": 2, "merge_size": MERGE, "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
            "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor"}))  # fmt: skip
        args.out.parent.mkdir(parents=True, exist_ok=True)
        convert(args.llama, folder, args.out.resolve(), True, args.type, NAME)
    print(f"{args.out}: {args.out.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
