"""The whole product against transformers on weights that were not trained here: 30 layers, 270 heads, one position
per token. As float32, and as the file is.

The file is SmolLM2-135M-Instruct in Q4_1. Nothing is downloaded: `pretrained.py` says where it is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import lookhere
import numpy as np
import pretrained
import pytest
import torch
import unquantized
from alike import EXACT_ATTENTION, QUESTION, Found, apart, bias_of, close, in_engine, in_torch
from lookhere import HeadSet, Paragraph, Steering, Text
from lookhere.comics import generate_strip
from lookhere.hub.file_hash import sha256
from lookhere.lab.ranking import Scores
from lookhere.lab.text import NAMING, segment_attention
from lookhere.lab.view import View
from lookhere.prompt.layout import lay_out
from lookhere.prompt.message import Message
from lookhere.prompt.stretches import read_stretches
from steered_attention import Moved, shared, steered

PANELS = 3
STRIP = generate_strip(5, panels=PANELS)
CAPTIONS = STRIP.captions
PLACE = 1
HEADS = [(2, 1), (9, 4), (18, 6), (22, 2), (23, 0), (23, 7), (23, 8), (29, 3)]
"""Among them those that look at what is said, and one so early that 27 layers come after it."""


@pytest.fixture(scope="module")
def file() -> Path:
    found = pretrained.language_file()
    if found is None:
        pytest.skip(f"SmolLM2-135M-Instruct.Q4_1.gguf is not on this machine; {pretrained.FILE} may name it")
    assert sha256(found) == pretrained.SHA256
    return found


@pytest.fixture(scope="module")
def reference(file: Path) -> Iterator[object]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield pretrained.load(file)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def f32_file(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = unquantized.write(file, tmp_path_factory.mktemp("f32") / "model.gguf")
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def exact(f32_file: Path) -> Iterator[Callable[[str], lookhere.Model]]:
    """The float32 file, its keys and values float32, too, with flash attention on or off."""
    models = {}

    def model(flash: str) -> lookhere.Model:
        if flash not in models:
            models[flash] = lookhere.load(f32_file, threads=1, kv_type="f32", flash_attention=flash, mmap=True)
        return models[flash]

    yield model
    for each in models.values():
        each.close()


@pytest.fixture(scope="module")
def published(file: Path) -> Iterator[lookhere.Model]:
    """As a user loads it."""
    with lookhere.load(file, threads=1) as model:
        yield model


def steering(model: lookhere.Model, **push: object) -> Steering:
    return Steering(HeadSet(model.facts, HEADS, **push), Paragraph(PLACE + 1))


def look(model: lookhere.Model) -> lookhere.Scene:
    return model.look(Text("\n\n".join(CAPTIONS)))


def answer_of(model: lookhere.Model) -> list[int]:
    return model.native.tokenize(CAPTIONS[PLACE], parse_special=False)[:6]


@pytest.fixture(scope="module")
def unsteered(reference, exact) -> Callable[[], Found]:  # noqa: ANN001
    """What transformers says, once for all tests."""
    @cache
    def found() -> Found:
        model = exact("off")
        return in_torch(reference, View(look(model), QUESTION).layout(), answer_of(model))

    return found


@pytest.mark.parametrize("flash", ["off", "on"])
def test_unsteered(exact, unsteered, flash: str) -> None:  # noqa: ANN001
    model = exact(flash)
    close(in_engine(look(model), None, answer_of(model)), unsteered(), f"unsteered, flash attention {flash}")


def test_a_bias_of_nothing_changes_no_bit(exact) -> None:  # noqa: ANN001
    for flash in ("off", "on"):
        model = exact(flash)
        scene = look(model)
        plain = in_engine(scene, None, answer_of(model))
        nothing = in_engine(scene, steering(model, strength=0.0, queries="answer"), answer_of(model))
        np.testing.assert_array_equal(nothing.logits, plain.logits)
        np.testing.assert_array_equal(nothing.natural, plain.natural)


@pytest.mark.parametrize(("strength", "queries", "flash"), [(3.0, "all", "off"), (3.0, "answer", "off"), (3.0, "answer", "on"), (10000.0, "answer", "on")])
def test_a_bias_is_added_to_the_scores(reference, exact, unsteered, strength: float, queries: str, flash: str) -> None:  # noqa: ANN001
    model = exact(flash)
    scene, answer = look(model), answer_of(model)
    at = steering(model, strength=strength, queries=queries)
    layout = View(scene, QUESTION).layout()
    bias = bias_of(scene, at, answer, queries)
    with steered(dict.fromkeys(HEADS, bias)):
        want = in_torch(reference, layout, answer)
    acted = EXACT_ATTENTION if strength < 100 else 1e-3  # beside 10,000 nats float32 rounds scores to 1/1,024
    close(in_engine(scene, at, answer), want, f"{strength:g} nats, {queries}, flash attention {flash}", acted)
    assert apart(want.logits, unsteered().logits) > 0.5


@pytest.mark.parametrize(("share", "flash"), [(0.5, "off"), (None, "on")], ids=["target_share", "within_image"])
def test_attention_is_moved(reference, exact, unsteered, share: float | None, flash: str) -> None:  # noqa: ANN001
    model = exact(flash)
    scene, answer = look(model), answer_of(model)
    at = steering(model, mode="within_image", queries="answer") if share is None else steering(model, mode="target_share", share=share, queries="answer")
    layout = View(scene, QUESTION).layout()
    keys, (run,) = layout.tokens + len(answer), layout.documents
    target, text = torch.zeros(keys), torch.zeros(keys, dtype=torch.bool)
    target[run.start : run.stop] = torch.from_numpy(scene.target(at.regions)[0].ravel())
    text[run.start : run.stop] = True
    with shared(HEADS, Moved(target, text, layout.tokens - 1, share)):
        want = in_torch(reference, layout, answer)
    close(in_engine(scene, at, answer), want, f"share {share}, flash attention {flash}")
    assert apart(want.logits, unsteered().logits) > 0.5


def test_head_scores(reference, exact, published) -> None:  # noqa: ANN001
    """What discovery ranks heads by, of one text, from the float32 model and from the file as it is."""
    found = {}
    for name, model in (("float32", exact("on")), ("Q4_1", published)):
        seen = [segment_attention(model, CAPTIONS, NAMING.of_panel(k, PANELS), CAPTIONS[k]) for k in range(PANELS)]
        found[name] = [np.stack(each, axis=2) for each in zip(*seen, strict=True)]
    wanted = []
    model = exact("on")
    for k in range(PANELS):
        message = Message("user", ("\n".join(CAPTIONS) + "\n\n" + NAMING.of_panel(k, PANELS),))
        layout, shares = read_stretches(model.native, lay_out(model.native, model.template, [message], []), CAPTIONS)
        answer = model.native.tokenize(CAPTIONS[k], parse_special=False)
        mass = in_torch(reference, layout, [*answer, 0]).natural.astype(np.float64) @ shares.T
        wanted.append((mass[0], mass[1:].mean(axis=0)))
    wanted = [np.stack(each, axis=2) for each in zip(*wanted, strict=True)]
    for place, at in (("prompt", 0), ("answer", 1)):
        want = wanted[at]
        diagonal = np.diagonal(want, axis1=2, axis2=3)
        mass, selectivity = diagonal.mean(axis=2), (diagonal / want.sum(axis=3)).mean(axis=2)
        for name in found:
            got = Scores.of(found[name][at])
            order, ours = np.argsort(-selectivity, axis=None)[:16], np.argsort(-got.selectivity, axis=None)[:16]
            both = len({*order.tolist()} & {*ours.tolist()})
            print(f"\nscores at the {place}, {name}: mass {apart(got.mass, mass):.2g}, selectivity "
                  f"{apart(got.selectivity, selectivity):.2g}; of the best 16 heads {both} are the same")  # fmt: skip
            np.testing.assert_allclose(got.mass, mass, atol=EXACT_ATTENTION if name == "float32" else 0.05)
            np.testing.assert_allclose(got.selectivity, selectivity, atol=EXACT_ATTENTION if name == "float32" else 0.05)
            assert both >= (16 if name == "float32" else 12)


def test_what_rounded_activations_do(reference, published, unsteered) -> None:  # noqa: ANN001
    """The file as it is: its weights are those of the reference, what passes through them is rounded to 8 bits."""
    scene, answer = look(published), answer_of(published)
    at = steering(published, strength=3.0, queries="answer")
    layout = View(scene, QUESTION).layout()
    with steered(dict.fromkeys(HEADS, bias_of(scene, at, answer))):
        pushed = in_torch(reference, layout, answer)
    for what, where, want in (("unsteered", None, unsteered()), ("steered", at, pushed)):
        got = in_engine(scene, where, answer)
        p, q = (torch.from_numpy(each.logits).double().log_softmax(-1) for each in (want, got))
        divergence = float((p.exp() * (p - q)).sum(-1).mean())
        layers = np.abs(got.natural - want.natural).sum(axis=3).mean(axis=(0, 2))
        print(f"\nQ4_1 {what}: logits {apart(got.logits, want.logits):.2g}, divergence {divergence:.2g} nats; attention "
              f"{apart(got.natural, want.natural):.2g}, of a head by layer {' '.join(f'{each:.1g}' for each in layers)}")  # fmt: skip
        assert divergence < 0.01


def test_answers_and_their_gaze(reference, exact) -> None:  # noqa: ANN001
    """A steered answer as a user gets it: the words that transformers would say, and the maps of its attention."""
    model = exact("on")
    scene = look(model)
    at = steering(model, strength=3.0, queries="answer")
    answer = scene.describe(QUESTION, at=at, max_tokens=6, steered_gaze=True)
    tokens = [step.token for step in answer.steps]
    layout = View(scene, QUESTION).layout()
    with steered(dict.fromkeys(HEADS, bias_of(scene, at, tokens))):
        want = in_torch(reference, layout, tokens)
    assert tokens == want.logits.argmax(-1).tolist()
    layers, heads = np.transpose(HEADS)
    for row, step in enumerate(answer.steps):
        np.testing.assert_allclose(step.gaze[0][0], want.natural[row, layers, heads].mean(axis=0), atol=EXACT_ATTENTION)
        np.testing.assert_allclose(step.steered_gaze[0][0], want.acted[row, layers, heads].mean(axis=0), atol=EXACT_ATTENTION)


def test_image_tokens(reference, f32_file: Path) -> None:  # noqa: ANN001
    """The same with an image, through the projector."""
    eyes = pretrained.eyes_file()
    if eyes is None:
        pytest.skip(f"this installation has no eyes for the model; {pretrained.EYES} may name some")
    with lookhere.load(f32_file, mmproj=eyes, threads=1, kv_type="f32", mmap=True) as model:
        scene, answer = model.look(STRIP.image), answer_of(model)
        layout = View(scene, QUESTION).layout()
        plain = in_torch(reference, layout, answer)
        close(in_engine(scene, None, answer), plain, f"an image of {sum(each.rows * each.cols for each in layout.grids)} tokens")
        at = Steering(HeadSet(model.facts, HEADS, strength=3.0, queries="answer"), lookhere.Panel(PLACE + 1, PANELS))
        with steered(dict.fromkeys(HEADS, bias_of(scene, at, answer))):
            want = in_torch(reference, layout, answer)
        close(in_engine(scene, at, answer), want, "the image, steered by 3 nats")
        assert apart(want.logits, plain.logits) > 0.5
