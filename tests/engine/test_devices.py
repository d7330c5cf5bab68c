"""The GPU gives what the CPU gives (`pytest --gpu tests/engine`, in a build that has one)."""

import numpy as np
import pytest
import unquantized
from harness import BATCH, ask, boost, engine, same_attention, same_logits, span


@pytest.fixture(scope="module")
def half(gpu_layers, model_files, tmp_path_factory):
    """The model in F16: the CPU rounds what it multiplies with quantized weights to 8 bits, and a GPU does not."""
    if not gpu_layers:
        pytest.skip("asked for with --gpu")
    return str(unquantized.write(model_files[0], tmp_path_factory.mktemp("half") / "model.gguf", half=True))


@pytest.fixture(scope="module")
def on_cpu(half, model_files):
    model = engine.Model(half)
    return model, engine.Projector(model_files[1], model, threads=1)


@pytest.fixture(scope="module")
def on_gpu(half, model_files, gpu_layers):
    model = engine.Model(half, gpu_layers=gpu_layers)
    return model, engine.Projector(model_files[1], model, threads=1, gpu=True)


def answer(model, image, prompt, heads, flash_attention):
    """Unsteered and steered logits, and the natural attention that the last steered layer gives the image."""
    session = engine.Session(model, context=1024, threads=1, batch=BATCH, flash_attention=flash_attention)
    plain = ask(session, image, prompt)
    session.clear()
    session.set_heads(heads)
    session.set_probe([heads[-1][0]])
    bias = boost(image, 5.0, (slice(0, 2), slice(None)))
    session.steer([span(image, 0, bias)], prompt_end=image.positions + len(prompt))
    session.set_probe_spans([span(image, 0)])
    steered = ask(session, image, prompt)
    attention = session.attention()
    session.close()
    return {"unsteered logits": plain, "steered logits": steered, "attention": attention}


@pytest.mark.parametrize("flash_attention", ["on", "off"])
def test_the_gpu_agrees_with_the_cpu(on_cpu, on_gpu, pixels, prompt, flash_attention):
    layers, each = on_cpu[0].layers, on_cpu[0].heads
    heads = [(layer, head) for layer in (1, layers - 2) for head in range(0, each, 2)]
    theirs, ours = (
        answer(model, projector.encode(pixels), prompt, heads, flash_attention) for model, projector in (on_cpu, on_gpu)
    )
    for name in ("unsteered logits", "steered logits"):
        assert same_logits(ours[name], theirs[name]), name
    assert same_attention(ours["attention"], theirs["attention"])
    changed = np.linalg.norm(ours["steered logits"] - ours["unsteered logits"]) / np.linalg.norm(ours["steered logits"])
    assert changed > 0.02, "steering did nothing"
