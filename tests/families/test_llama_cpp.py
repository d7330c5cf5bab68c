"""Families of every layout by llama-cpp-python: images lie where ours lie, heads look where ours look."""

from __future__ import annotations

import base64
import io
from importlib.util import find_spec

import lookhere
import numpy as np
import pytest
from pairs import Family, made
from PIL import Image

if find_spec("llama_cpp") is None:
    pytest.skip("llama-cpp-python is not installed", allow_module_level=True)

import lookhere.llama_cpp as steering
from llama_cpp import Llama
from llama_cpp.llama_chat_format import MTMDChatHandler

MISSING = [name for name in ("torch", "transformers") if find_spec(name) is None]
PIXELS = np.random.default_rng(5).integers(0, 255, (120, 200, 3), dtype=np.uint8)
PLACE = lookhere.Box(30, 20, 110, 90)
LAYOUTS = {
    "qwen2.5-vl": "a plane of one position",
    "hunyuan-vl": "M-RoPE with a position for each token",
    "pixtral": "rows that end with a break",
    "smolvlm": "tiles and an overview",
    "llama4": "tiles with columns of their own",
    "cogvlm": "tokens that show nothing",
    "gemma4": "tokens that see one another",
    "qwen3.5": "recurrent layers between those that are steered",
}
"""Families whose templates write nothing around an image: llama-cpp-python would leave it out of the prompt."""


@pytest.fixture(params=LAYOUTS)
def family(request: pytest.FixtureRequest) -> Family:
    if MISSING:
        pytest.skip(f"{' and '.join(MISSING)} not installed: pip install '.[reference]' makes the pairs")
    folder = made(request.param)
    return Family(request.param, folder / "model.gguf", folder / "mmproj.gguf")


@pytest.mark.filterwarnings("ignore")
def test_as_ours(family: Family) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
    options = {"queries": "after_image", "strength": 3}
    with lookhere.load(family.model_path, mmproj=family.projector_path, threads=1) as model:
        heads = lookhere.HeadSet(model.facts, model.facts.every_head[::2])
        model.head_set = heads
        ours = model.look(PIXELS).describe("What is it?", at=PLACE, max_tokens=4, **options)
    llama = Llama(
        str(family.model_path), chat_handler=MTMDChatHandler(str(family.projector_path), verbose=False),
        n_ctx=4096, n_batch=2048, n_ubatch=2048, n_threads=1, verbose=False,
    )  # fmt: skip
    try:
        with steering.steer(llama, PLACE, heads=heads, **options) as steered:
            llama.create_chat_completion(
                messages=[{"role": "user", "content": content}], temperature=0, max_tokens=4
            )  # fmt: skip
    finally:
        llama.close()
    theirs = steered.answer
    assert theirs.gaze.frames == ours.gaze.frames
    assert theirs.gaze.frames
    assert theirs.prompt_tokens == ours.prompt_tokens
    assert [step.token for step in theirs.steps] == [step.token for step in ours.steps]
    for mine, its in zip(theirs.gaze, ours.gaze, strict=True):
        np.testing.assert_allclose(mine, its, atol=0.01 * float(max(each.max() for each in ours.gaze)))
