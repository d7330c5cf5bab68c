"""Weights, projector and KV cache in other types: each loads, steers and reads. How well each steers is told in
docs/families.md (tools/quantizations.py)."""

import lookhere
import numpy as np
import pytest
import quantized
from lookhere import Box
from lookhere.comics import generate_strip

STRIPS = (7, 11)
DOCUMENTED = [(kind, "F16", "f16") for kind in quantized.WEIGHTS]
DOCUMENTED += [("Q8_0", "Q8_0", "f16"), ("Q8_0", "F16", "q8_0"), ("Q8_0", "F16", "q4_0"), ("Q4_K_M", "Q8_0", "q8_0")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("types")


@pytest.mark.parametrize(("weights", "projector", "kv"), DOCUMENTED)
def test_each_loads_steers_and_reads(folder, builtin, weights, projector, kv):
    files = quantized.model(folder, weights), quantized.projector(folder, projector)
    right, looked = [], []
    with lookhere.load(files[0], mmproj=files[1], heads=builtin.head_set, kv_type=kv, threads=1) as model:
        for seed in STRIPS:
            strip = generate_strip(seed, split="held_out", style="colour")
            scene = model.look(strip.image)
            places = [Box(*box) for box in strip.boxes]
            for place, caption, answer in zip(places, strip.captions, scene.describe_all(places), strict=True):
                right.append(answer.text == caption)
                assert all(np.isfinite(step.gaze[0]).all() for step in answer.steps)
                found = answer.gaze.where()
                looked.append(place.x0 <= found.centre.x <= place.x1)
    assert np.mean(right) > 1 / 2  # chance is 1/6
    assert np.mean(looked) > 1 / 2


def test_a_model_in_several_files_answers_like_one_in_one(folder, builtin):
    first = quantized.split(folder, 20)
    assert len(list(folder.glob("split-*.gguf"))) > 2
    strip = generate_strip(7, split="held_out", style="colour")
    expected = builtin.look(strip.image).describe(at=Box(*strip.boxes[2]))
    with lookhere.load(first, mmproj=quantized.projector(folder, "F16"), heads=builtin.head_set) as model:
        assert model.look(strip.image).describe(at=Box(*strip.boxes[2])).text == expected.text
