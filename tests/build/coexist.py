"""Run in a process of its own by test_coexistence.py: load ours and stock libraries, let both compute, compare.

    python coexist.py STOCK_FOLDER OURS_FOLDER MODEL.gguf ORDER

ORDER is ours,stock or stock,ours; a "+" after one of them: loaded with RTLD_GLOBAL.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "patches")]

import capi
import numpy as np


def load(which: str, folder: Path, make_global: bool) -> capi.Api:
    if which == "ours":
        # as the package loads it, with whatever flags the program has set for its imports
        flags = sys.getdlopenflags()
        sys.setdlopenflags(flags | (os.RTLD_GLOBAL if make_global else 0))
        import lookhere

        assert lookhere._engine.build_info
        sys.setdlopenflags(flags)
    elif make_global:
        for path in sorted(folder.glob("lib*.so")):  # as `LD_PRELOAD` or another binding might
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return capi.Api(folder)


def logits(api: capi.Api, model: Path) -> np.ndarray:
    with api.context(model, n_ctx=64) as context:
        rows = []
        assert context.decode([3, 1, 4, 1, 5, 9, 2, 6], pos=np.tile(np.arange(8), context.n_pos), outputs=[7]) == 0
        rows.append(context.logits())
        for step in range(8, 12):
            assert context.decode([int(rows[-1].argmax())], pos=[step] * context.n_pos, outputs=[0]) == 0
            rows.append(context.logits())
        return np.stack(rows)


def main() -> None:
    stock_folder, our_folder, model, order = sys.argv[1:]
    folders = {"stock": Path(stock_folder), "ours": Path(our_folder)}
    apis = {}
    for item in order.split(","):
        which = item.removesuffix("+")
        apis[which] = load(which, folders[which], item.endswith("+"))
    assert apis["ours"].patched
    assert not apis["stock"].patched
    # interleaved, so that state shared by mistake would be disturbed
    with apis["ours"].context(Path(model), n_ctx=64), apis["stock"].context(Path(model), n_ctx=64):
        first, second = logits(apis["stock"], Path(model)), logits(apis["ours"], Path(model))
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)
    print("same logits", first.shape, file=sys.stdout, flush=True)
    os._exit(0)  # the order of unloading is not what is tested


if __name__ == "__main__":
    main()
