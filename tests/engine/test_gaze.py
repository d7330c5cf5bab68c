"""Steering and the probe, as the engine passes them on; the arithmetic is proved in tests/patches."""

import numpy as np
import pytest
from harness import ask, boost, engine, grid_of, same_attention, span


def test_the_probe_reads_attention(session, model, image, prompt):
    session.set_probe([model.layers - 1, 0])
    session.set_probe_spans([span(image, 0)])
    session.decode_image(image)
    session.decode(prompt * 4, outputs=range(0, 4 * len(prompt), 2))
    grid = grid_of(image)
    for row in (0, -1, len(prompt)):
        mass = session.attention(row)
        assert mass.shape == (2, model.heads, grid.rows * grid.cols)
        assert mass.dtype == np.float32
        assert (mass >= 0).all()
        assert (mass.sum(-1) <= 1 + 1e-5).all()
        assert mass.any()
        assert np.array_equal(mass, session.attention(row, steered=True))
    last = session.attention(-1)
    session.set_probe([0])
    with pytest.raises(engine.EngineError, match="no attention was kept"):
        session.attention()
    session.decode(prompt[:1], outputs=[0])
    assert session.attention().shape == (1, model.heads, grid.rows * grid.cols)
    session.clear()
    session.set_probe([0, model.layers - 1])
    session.decode_image(image)
    session.decode(prompt * 4, outputs=[4 * len(prompt) - 2])
    assert same_attention(session.attention(), last[::-1])


def test_steering_moves_the_mass(session, model, image, prompt):
    layer = model.layers // 2
    session.set_probe([layer])
    session.set_probe_spans([span(image, 0)])
    plain = ask(session, image, prompt)
    unsteered = session.attention()[0]
    session.truncate(image.positions)
    session.set_heads([(layer, 1)])
    session.steer([span(image, 0, boost(image, 100, (0, 0)))], prompt_end=image.positions + len(prompt))
    session.decode(prompt, outputs=[len(prompt) - 1])
    natural, steered = session.attention()[0], session.attention(steered=True)[0]
    assert steered[1, 0] > 0.9
    assert np.allclose(natural, unsteered, atol=1e-5)  # nothing is steered before this layer
    others = [h for h in range(model.heads) if h != 1]
    assert np.allclose(natural[others], steered[others], atol=1e-6)
    assert not np.array_equal(session.logits(), plain)

    session.unsteer()
    session.set_heads([])
    session.truncate(image.positions)
    session.decode(prompt, outputs=[len(prompt) - 1])
    assert np.array_equal(session.logits(), plain)


@pytest.mark.parametrize("kind", ["target_share", "within_image"])
def test_moved_attention(session, model, image, prompt, kind):
    layer = model.layers // 2
    session.set_probe([layer])
    session.set_probe_spans([span(image, 0)])
    session.set_heads([(layer, 1)])
    weights = np.zeros((grid_of(image).rows, grid_of(image).cols), np.float32)
    weights[0, 0] = 1
    session.steer([span(image, 0, weights)], kind=kind, share=0.75 if kind == "target_share" else 1)
    ask(session, image, prompt)
    natural, steered = session.attention()[0], session.attention(steered=True)[0]
    assert natural[1, 0] < 0.75
    if kind == "target_share":
        assert steered[1, 0] == pytest.approx(0.75, abs=1e-5)
        others = steered[1, 1:] / natural[1, 1:]  # what is moved is taken from all alike
        assert np.allclose(others, 0.25 / (1 - natural[1, 0]), rtol=1e-3)
    else:
        assert steered[1, 0] == pytest.approx(natural[1].sum(), rel=1e-4)
        assert np.allclose(steered[1, 1:], 0, atol=1e-7)
    rest = [h for h in range(model.heads) if h != 1]
    assert np.array_equal(natural[rest], steered[rest])


def test_a_moving_target_reuses_the_graph(session, model, image, prompt):
    session.set_heads([(0, 0)])

    def reused(moving):
        session.clear()
        session.decode_image(image)
        session.steer([span(image, 0, boost(image, 5, (0, 0)))])
        session.decode(prompt, outputs=[len(prompt) - 1])
        session.decode(prompt[:1], outputs=[0])
        before = session.graphs_reused
        for step in range(8):
            if moving:
                session.steer([span(image, 0, boost(image, 5, (0, step % 3)))])
            session.decode(prompt[:1], outputs=[0])
        return session.graphs_reused - before

    assert reused(True) == reused(False) > 0


def test_compute_bytes_tell_what_shares_take(session, image):
    plain = session.compute_bytes
    assert plain > 0
    session.set_heads([(0, 0)])
    weights = np.ones((grid_of(image).rows, grid_of(image).cols), np.float32)
    session.steer([span(image, 0, weights)], kind="target_share", share=0.5)
    assert session.compute_bytes > plain
    session.unsteer()
    session.set_heads([])
    assert session.compute_bytes == plain


@pytest.mark.parametrize("head", [(-1, 0), (10**6, 0), (0, -1), (0, 10**6)])
def test_heads_outside_the_model(session, head):
    with pytest.raises(engine.EngineError, match="outside the model"):
        session.set_heads([head])


def test_steering_refuses(session, model, image):
    grid = grid_of(image)
    bias = np.zeros((grid.rows, grid.cols), np.float32)
    with pytest.raises(engine.EngineError, match="shape"):
        engine.Span(0, grid.rows, grid.cols + 1, bias)
    with pytest.raises(engine.EngineError, match="0 biases"):
        session.steer([span(image, 0)])
    for value in (np.nan, np.inf, 1e30):
        with pytest.raises(engine.EngineError):
            session.steer([span(image, 0, bias + np.float32(value))])
        with pytest.raises(engine.EngineError):
            session.steer([], prompt_bias=value)
        with pytest.raises(engine.EngineError):
            session.steer([], sharpness=value)
        with pytest.raises(engine.EngineError, match="share"):
            session.steer([span(image, 0, bias + 1)], kind="target_share", share=value)
    with pytest.raises(engine.EngineError, match="kind is 'other', expected one of bias"):
        session.steer([], kind="other")
    for kind, wrong, message in (("target_share", 0, "every weight is 0"), ("within_image", 2, "every weight must")):
        with pytest.raises(engine.EngineError, match=message):
            session.steer([span(image, 0, bias + np.float32(wrong))], kind=kind)
    for make in (lambda: engine.Span(-1, 1, 1), lambda: engine.Span(0, 0, 1), lambda: engine.Span(0, 10**5, 10**5)):
        with pytest.raises(engine.EngineError):
            session.set_probe_spans([make()])
    with pytest.raises(engine.EngineError, match="outside the model"):
        session.set_probe([model.layers])
    with pytest.raises(engine.EngineError, match="sequence 1"):
        session.steer([], sequence=1)
    with pytest.raises(engine.EngineError, match="sequence 1"):
        session.set_probe_spans([], 1)
