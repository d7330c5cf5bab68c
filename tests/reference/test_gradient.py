"""The gradient in torch: its forward pass against the engine's, and its slopes against differences in the engine."""

from __future__ import annotations

from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere import OptionError
from lookhere.comics import generate_strip
from lookhere.lab.difference import Difference
from lookhere.lab.forced import forcing, of_item, of_text
from lookhere.lab.gradient import TOLERANCE, Gradient, caption_slopes
from lookhere.lab.item import of_strip
from lookhere.lab.torch_model import TorchModel, axes, check_architecture

PROMPT = "Describe this image."


@pytest.fixture(scope="module")
def exact(f32: tuple[Path, Path]) -> lookhere.Model:
    with lookhere.load(f32[0], mmproj=f32[1], threads=1, kv_type="f32") as model:
        yield model


@pytest.fixture(scope="module")
def torch_model(f32: tuple[Path, Path]) -> TorchModel:
    return TorchModel(str(f32[0]))


def both(model: lookhere.Model) -> list:
    strip = generate_strip(5, panels=2)
    return [of_item(model, of_strip(strip), PROMPT), of_text(model, strip.captions, "What?")]


def test_forward_pass_is_the_engines(exact: lookhere.Model, torch_model: TorchModel) -> None:
    """Images with rows and columns for positions and DeepStack, and texts."""
    for forced in both(exact):
        _, ours = caption_slopes(torch_model, forced)
        with forcing(exact, forced) as nats:
            for place, each in enumerate(ours):
                np.testing.assert_allclose(each, nats(place, None), atol=2e-3)


def test_slopes_are_what_the_engine_does_under_a_bias(exact: lookhere.Model, torch_model: TorchModel) -> None:
    """A whole block of directions of each caption, with a bias small enough for the F32 engine."""
    for forced in both(exact):
        gradient, _ = caption_slopes(torch_model, forced)
        method = Difference(exact, 2, bias=0.02, blocks=2)  # a block of each caption
        found = method.slopes(forced, 0)
        largest = np.abs(gradient).max(axis=(1, 2))
        assert (largest > 0.05).all()
        for place in range(2):
            np.testing.assert_allclose(found[place], gradient[place], atol=0.05 * largest[place])


def test_a_model_that_is_computed_otherwise_is_refused(
    exact: lookhere.Model, torch_model: TorchModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced = both(exact)[0]
    method = Gradient(exact, 2)
    method.slopes(forced, 0)
    monkeypatch.setattr(TorchModel, "_turned", lambda self, x, cos, sin: x)  # no positions
    with pytest.raises(OptionError, match=rf"nats a token apart about captions \(expected {TOLERANCE}"):
        Gradient(exact, 2).slopes(forced, 0)


def test_positions_of_pairs() -> None:
    """As llama.cpp turns them, pair by pair (ggml_mrope_cache_init)."""
    for sections in ((11, 11, 10, 0), (24, 20, 20, 0), (16, 24, 24, 0), (2, 2, 2, 2)):
        pairs = sum(sections)
        kinds = {"in turn": [], "interleaved": []}
        for pair in range(pairs):
            sector = pair % sum(sections)
            turn = 0
            while sector >= sum(sections[: turn + 1]):
                turn += 1
            kinds["in turn"].append(turn)
            axis = sector % 3
            kinds["interleaved"].append(axis if sector < 3 * sections[axis] else 3)
        for kind, wanted in kinds.items():
            assert axes(kind, sections, pairs).tolist() == wanted
    assert axes("one", (), 4).tolist() == [0, 0, 0, 0]


def test_another_architecture_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match=r"architecture 'gemma3'; expected llama.*--rank difference"):
        check_architecture("gemma3")
