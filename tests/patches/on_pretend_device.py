"""A process of its own, for a registered device stays: logits of a tiny model on a device that lacks something, as JSON.

    python on_pretend_device.py PRETEND_LIBRARY FOLDER MODEL LACKS FLASH_ATTENTION
"""

from __future__ import annotations

import ctypes as C
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from capi import Api
from scene import Scene

FLASH = {"on": True, "auto": None}
HEADS = [(1, 0), (1, 4), (2, 5), (4, 1), (4, 2), (4, 3), (5, 0)]


def main() -> None:
    pretend, folder, model, lacks, flash = sys.argv[1:]
    api = Api(Path(folder))
    device = C.CDLL(pretend)
    if lacks != "cpu":
        device.pretend(int(lacks))
    answer: dict[str, object] = {}
    with api.context(Path(model), gpu_layers=999, flash=FLASH[flash]) as ctx:
        scene = Scene(ctx.n_pos)
        answer["grouped"] = ctx.set_grouped(True)
        ctx.set_grouped(False)
        for name, heads in (("unsteered", []), ("steered", HEADS)):
            ctx.forget(0)
            device.pretend_attentions()
            ctx.set_heads(heads)
            if heads:
                ctx.steer([scene.target(3.0)], prompt_end=scene.prompt_end)
                ctx.probe_layers([4])
                ctx.probe_spans([scene.target(3.0)])
            answer[name] = scene.run(ctx).tolist()
            answer[f"{name}, on the device"] = device.pretend_attentions()
        read = ctx.probe(0, 4)
        assert read is not None
        answer["read"] = read.tolist()
    with api.context(Path(model), gpu_layers=999, flash=FLASH[flash], n_ubatch=2) as ctx:
        ctx.set_heads(HEADS)
        ctx.steer([scene.target(3.0)], prompt_end=scene.prompt_end)
        ctx.probe_layers([1, 4])
        ctx.probe_spans([scene.target(3.0)])
        device.pretend_pinned_most(0)
        answer["without memory"] = ctx.decode(scene.tokens[:4], pos=range(4), outputs=[3])
        device.pretend_pinned_most(C.c_size_t(-1))
        ctx.forget(0)
        scene.prefill(ctx, outputs=(1, 3, 4))
        rows = [ctx.probe(row, layer, steered=s) for row in (1, 3, 4) for layer in (1, 4) for s in (False, True)]
        answer["rows"] = [row.tolist() for row in rows if row is not None]
    answer["copies"] = device.pretend_pinned_copies(), device.pretend_other_copies()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
