"""Slopes in torch of random models of other architectures: their forward pass is the engine's."""

import warnings

import lookhere
import numpy as np
import pytest
from lookhere.comics import generate_strip
from lookhere.lab.difference import Difference
from lookhere.lab.forced import forcing, of_item
from lookhere.lab.gradient import caption_slopes
from lookhere.lab.item import of_strip
from lookhere.lab.torch_model import AXES, TorchModel
from pairs import RECIPES, made

for name in ("torch", "transformers"):
    pytest.importorskip(name)

FAMILIES = {
    "smolvlm": "llama",
    "qwen2-vl": "qwen2vl",
    "qwen3-vl": "qwen3vl",
    "internvl": "qwen2",
    "lightonocr": "qwen3",
}
"""One of each architecture that is known in torch."""


@pytest.fixture(scope="module", params=FAMILIES)
def loaded(request):
    folder = made(request.param)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
        model = lookhere.load(folder / "model.gguf", threads=1, kv_type="f32")
    with model:
        yield model


def test_every_architecture_is_tried():
    assert set(FAMILIES.values()) == set(AXES)
    assert all(RECIPES[name].architecture == architecture for name, architecture in FAMILIES.items())


def test_slopes_are_the_engines(loaded):
    strip = generate_strip(5, panels=2)
    forced = of_item(loaded, of_strip(strip), "What?")
    gradient, ours = caption_slopes(TorchModel(loaded.path), forced)
    with forcing(loaded, forced) as nats:
        for place, each in enumerate(ours):
            np.testing.assert_allclose(each, nats(place, None), atol=0.02)
    found = Difference(loaded, 2, bias=0.1, blocks=2).slopes(forced, 0)
    for place in range(2):
        assert np.corrcoef(found[place].ravel(), gradient[place].ravel())[0, 1] > 0.95
