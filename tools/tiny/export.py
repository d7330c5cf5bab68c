"""The GGUF pair of a trained tiny model, by the converter of llama.cpp's own source: the text in Q8_0, the rest in F16.

python tools/tiny/export.py llava RUN OUT --llama SOURCE
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family")
    parser.add_argument("run", type=Path, help="the folder of train.py")
    parser.add_argument("out", type=Path)
    parser.add_argument("--llama", type=Path, required=True)
    args = parser.parse_args()
    sys.path.insert(0, str(args.llama.resolve() / "gguf-py"))  # the converter needs the gguf of its own source
    import torch
    from families.kit import Kit
    from kinds import KINDS

    family = KINDS[args.family]()
    family.model.load_state_dict(torch.load(args.run / "state.pt")["model"])
    args.out.mkdir(parents=True, exist_ok=True)
    family.write(Kit(args.out, args.llama, 0, f"lookhere tiny {args.family}"))
    for path in sorted(args.out.glob("*.gguf")):
        print(f"{path} {path.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
