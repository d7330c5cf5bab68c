"""Models with recurrent layers: a sequence can be cut only where a state was kept, and nothing of that shows.

The fake engine refuses every other cut; the real one is asked in tests/engine/test_hybrid.py.
"""

from dataclasses import replace

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import Ask, HeadSetError, Point, Steering
from lookhere.kv.cuts import Cuts
from lookhere.kv.piece import Mark
from lookhere.kv.size import SEQUENCES, bytes_per_token, sequences
from lookhere.lab.discovery import Options, discover
from lookhere.steering.facts import ModelFacts
from lookhere.steering.head_set import HeadSet, from_dict, to_dict
from planted_engine import PLANTED
from test_batches import mixed

LAYERS = [1, 3]


@pytest.fixture
def hybrid(engine, tmp_path):
    files = fake.write_gguf(tmp_path / "model.gguf", attention_layers=LAYERS), tmp_path / "mmproj-model.gguf"
    fake.write_gguf(files[1], "clip")
    heads = HeadSet(ModelFacts("Fake", "fake", 4, 2, (1, 3)), ((1, 0), (3, 1)), queries="answer")
    return lambda **options: lookhere.load(files[0], heads=heads, **options)


@pytest.mark.parametrize("context", [None, 256, 512])
def test_mixed_asks_are_answered(hybrid, context):
    with hybrid(context=context) as model:
        asks = mixed(model.head_set, replace(model.head_set, heads=((1, 1), (3, 0))), 40)
        for _ in range(2):
            assert [answer.text for answer in model.ask_all([ask for ask, _ in asks])] == [text for _, text in asks]
        for ask, text in asks[::5]:
            assert model.ask_all([ask])[0].text == text


ASKS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["?", "??", "? and ?", "? and !"]), st.integers(0, 5), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=st.lists(ASKS, min_size=1, max_size=4))
def test_whatever_was_asked_before(hybrid, rounds):
    with hybrid(context=256) as model:
        for asked in rounds:
            asks, expected = [], []
            for number, question, col, every in asked:
                heads = model.head_set.pushed(queries="all" if every else "answer")
                at = Steering(heads, Point(16 * col, 0)) if col else None
                image = np.full((32, 96, 3), number, np.uint8)
                parts = [{"type": "image", "image": image}, {"type": "text", "text": question}]
                asks.append(Ask.of([{"role": "user", "content": parts}], at))
                expected.append(fake.steered_text(0, col) if col else fake.UNSTEERED)
            assert [answer.text for answer in model.ask_all(asks)] == expected


def test_an_image_is_read_once(hybrid):
    """Other questions go on after it, other places at the prompt's last token."""
    with hybrid() as model:
        scene = model.look(np.full((32, 96, 3), 200, np.uint8))
        scene.describe("one")
        native = model.session.native
        scene.describe("another")
        assert native.images == 1
        before = native.decoded
        with scene.stream("another", at=Point(90, 20)) as run:
            assert next(run).text == "r"
        assert (native.images, native.decoded) == (1, before + 1)


def test_a_conversation_goes_on_where_it_ended(hybrid):
    with hybrid() as model:
        image = np.full((32, 96, 3), 200, np.uint8)
        turns = [{"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": "?"}]}]
        for turn in range(3):
            answer = model.chat(turns)
            assert answer.text == fake.UNSTEERED
            assert model.session.native.images == 1
            turns += [{"role": "assistant", "content": answer.text}, {"role": "user", "content": f"and {turn}?"}]


@given(stops=st.sets(st.integers(1, 20), min_size=1), at=st.integers(0, 19), count=st.integers(0, 20))
def test_cuts(stops, at, count):
    class Sequence:
        checkpoints = tuple(sorted(stops))

    cuts, anywhere = Cuts(anywhere=False), Cuts(anywhere=True)
    stop = cuts.stop(Sequence, Mark(at), 20)
    assert at < stop <= 20
    assert not any(at < each < stop for each in stops)
    assert stop == 20 or cuts.is_checkpoint(Sequence, Mark(stop))
    assert not any(cuts.is_checkpoint(Sequence, Mark(stop, *rest)) for rest in ((1, 0), (0, 1)))
    shared = cuts.shareable(Sequence, count)
    assert shared == 0 or shared in stops
    assert shared <= count
    assert not any(shared < each <= count for each in stops)
    assert (anywhere.stop(Sequence, Mark(at), 20), anywhere.shareable(Sequence, count)) == (20, count)
    assert not anywhere.is_checkpoint(Sequence, Mark(stop))


def test_sizes():
    class Model:
        metadata = {"a.embedding_length": "64", "a.attention.key_length": "16"}  # noqa: RUF012
        architecture, heads, heads_kv, attention_layers, state_bytes = "a", 4, 2, (2, 5, 8), 0

    assert bytes_per_token(Model, "f16") == 3 * 2 * (16 + 16) * 2
    assert sequences(Model, 0) == SEQUENCES
    for state, count in ((1, 32), (2**23, 32), (2**24, 16), (2**25, 8), (2**30, 8)):
        Model.state_bytes = state
        assert sequences(Model, 2**30) == count


def test_facts_of_layers_without_heads(tmp_path):
    facts = ModelFacts.of("m", "lfm2", 6, 2, [1, 3, 4])
    assert facts.every_head == tuple((layer, head) for layer in (1, 3, 4) for head in (0, 1))
    assert ModelFacts.of("m", "lfm2", 3, 2, [0, 1, 2]) == ModelFacts("m", "lfm2", 3, 2)
    heads = HeadSet(facts, [(3, 1)])
    heads.write(tmp_path / "heads.json")
    assert HeadSet.read(tmp_path / "heads.json") == heads
    assert "attention_layers" not in to_dict(HeadSet(ModelFacts("m", "a", 2, 2), [(1, 1)]))["model"]
    with pytest.raises(HeadSetError, match="layer 2 of lfm2 has no attention to steer; its attention layers are 1, 3"):
        HeadSet(facts, [(2, 0)])
    with pytest.raises(HeadSetError, match="layer 5 of lfm2 has no attention"):
        HeadSet(ModelFacts("m", "lfm2", 6, 2), [(5, 0)]).check(facts)
    for wrong in ([6], [3, 1], [1, 1], [-1], ["1"], "1", [True], None, {}):
        data = to_dict(heads)
        data["model"]["attention_layers"] = wrong
        with pytest.raises(HeadSetError, match="attention_layers"):
            from_dict(data, "It")
    mass = np.ones((3, 2, 5), np.float32)
    whole = facts.on_every_layer(mass)
    assert whole.shape == (6, 2, 5)
    assert [bool(layer.all()) for layer in whole] == [layer in (1, 3, 4) for layer in range(6)]
    assert not whole[[0, 2, 5]].any()


def test_all_heads_are_those_of_attention_layers(hybrid):
    with hybrid() as model:
        answer = model.look(np.full((32, 96, 3), 200, np.uint8)).describe(head_gaze="all", max_tokens=1)
        (mass,) = answer.steps[0].head_gaze
        assert mass.shape == (4, 2, 2, 6)
        assert [bool(layer.any()) for layer in mass] == [False, True, False, True]


def test_discovery_walks_over_the_layers_with_heads(planted, tmp_path):
    """Layer 0 has none; the planted heads lie in the others."""
    file = fake.write_gguf(tmp_path / "model.gguf", heads=4, context=100_000, attention_layers=[1, 2, 3])
    fake.write_gguf(tmp_path / "mmproj.gguf", "clip")
    with lookhere.load(file) as model:
        found = discover(model, Options(strips=4, calibration=2, panel_size=64, readers=2))
        every = set(model.facts.every_head)
        assert every == {(layer, head) for layer in (1, 2, 3) for head in range(4)}
        assert set(found.ranking.heads) == every
        assert set(found.heads.heads) <= set(PLANTED)
        assert set(found.heads.readers) <= every
        compared = found.heads.evidence["compared"]
        for listed in (found.heads.evidence["ranking"], compared["image"], compared["localization"]):
            assert set(map(tuple, listed)) == every
        found.heads.write(tmp_path / "heads.json")
        model.head_set = HeadSet.read(tmp_path / "heads.json")
