"""Hybrid models in the engine and above: what was kept, shared, cut off and read again never shows in an answer."""

import contextlib
import threading

import lookhere
import numpy as np
import pytest
import tiny_hybrid
import tiny_vision
from harness import after, engine
from lookhere import Box, HeadSet, Steering
from lookhere.kv.cache import Cache
from lookhere.kv.reader import Reader
from lookhere.loading import builtin
from lookhere.steering.head_set import ModelFacts

ARCHITECTURES = tuple(tiny_hybrid.ATTENTION)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hybrid")
    projector = tiny_vision.write_projector(folder / "mmproj.gguf", width=tiny_hybrid.EMBD, deepstack=False)
    names = (*ARCHITECTURES, "deepseek2")
    return {name: (tiny_hybrid.write(folder / f"{name}.gguf", name, words=True), projector) for name in names}


@pytest.fixture(params=ARCHITECTURES)
def model(pairs, request):
    return engine.Model(str(pairs[request.param][0]))


@pytest.fixture
def new_session(model):
    return lambda: engine.Session(model, context=4096, threads=1, sequences=4, kv_type="f32")


def words(seed, count):
    return np.random.default_rng(seed).integers(1, 250, count).tolist()


def read(session, tokens, sequence=0):
    session.decode(tokens, sequence=sequence, outputs=[len(tokens) - 1])
    return session.logits()


def test_the_model_says_what_it_is(model):
    assert model.recurrent
    assert model.attention_layers == list(tiny_hybrid.ATTENTION[model.architecture])
    assert (model.heads, model.heads_kv, model.layers) == (tiny_hybrid.HEADS, tiny_hybrid.HEADS_KV, tiny_hybrid.LAYERS)
    assert model.state_bytes > 0
    plain = engine.Model(str(builtin.builtin_files()[0]))
    assert (plain.recurrent, plain.state_bytes) == (False, 0)
    assert plain.attention_layers == list(range(plain.layers))


def test_a_sequence_is_cut_where_a_state_was_kept(new_session):
    session, fresh = new_session(), new_session()
    begin, middle, end = words(0, 20), words(1, 9), words(2, 5)
    read(session, begin)
    session.checkpoint()
    session.checkpoint()  # once is enough
    assert session.checkpoint_bytes >= 1
    kept = session.checkpoint_bytes
    read(session, middle)
    assert [session.resumable(at) for at in (29, 28, 20, 19, 0)] == [29, 20, 20, 0, 0]
    with pytest.raises(engine.EngineError, match=r"position 25: the recurrent layers.*the last one before is at 20"):
        session.truncate(25)
    assert session.position() == 29
    session.truncate(29)
    session.truncate(20)
    assert (session.position(), session.checkpoint_bytes) == (20, kept)
    read(fresh, begin)
    assert np.array_equal(read(session, end), read(fresh, end))
    session.truncate(0)
    assert (session.room, session.checkpoint_bytes) == (4096, 0)
    other = new_session()
    read(other, begin)
    read(session, begin)
    assert np.array_equal(read(session, end), read(other, end))


def test_sequences_share_what_was_kept_and_what_they_end_with(new_session):
    """The source goes on, too; what one does shows in no other."""
    session = new_session()
    begin, middle, tails = words(0, 20), words(1, 9), [words(3 + k, 6) for k in range(4)]
    read(session, begin)
    session.checkpoint()
    read(session, middle)
    session.share(0, 1, 20)
    session.share(0, 2, 29)
    session.share(1, 3, 20)
    with pytest.raises(engine.EngineError, match="the last one before is at 20"):
        session.share(0, 3, 22)
    assert session.used(3) == 20
    state = session.checkpoint_bytes
    found = []
    for _ in range(2):
        for sequence in (2, 0, 3, 1):
            found.append(read(session, tails[sequence], sequence))
        session.checkpoint(2)
    wanted = []
    for held in ([begin, middle], [begin, middle], [begin], [begin]):
        fresh = new_session()
        for tokens in held:
            read(fresh, tokens)
        wanted.append(fresh)
    wanted = dict(zip((2, 0, 3, 1), wanted, strict=True))
    for logits, sequence in zip(found, (2, 0, 3, 1) * 2, strict=True):
        # the keys lie in other cells, so that the same numbers are added up in another order
        np.testing.assert_allclose(logits, read(wanted[sequence], tails[sequence]), atol=1e-4)
    assert session.checkpoint_bytes > state  # one more, and the first one once for all


def test_a_batch_that_failed_leaves_no_state_that_is_read_on(new_session):
    """A cancelled batch: the sequence takes nothing until it is cut, and is then what it was."""
    session = new_session()
    begin, end = words(0, 20), words(2, 5)
    read(session, begin)
    session.checkpoint()
    refused = []
    for step in range(60):
        flag = engine.CancelFlag()
        timer = after(0.0004 * step, flag.set)
        with contextlib.suppress(engine.Cancelled):
            session.decode(words(1, 500), cancel=flag)
        timer.join()
        position = session.position()
        if position == 20 and session.resumable(21) == 20:
            try:
                session.decode(end)
            except engine.EngineError as error:
                refused.append(str(error))
        session.truncate(20)
        fresh = new_session()
        read(fresh, begin)
        assert np.array_equal(read(session, end), read(fresh, end))
        session.truncate(20)
    assert refused
    assert all("truncate it first" in each for each in refused)


def picture(number):
    return np.random.default_rng(number).integers(0, 256, (64, 96, 3), dtype=np.uint8)


def load(pair, **options):
    model = lookhere.load(pair[0], mmproj=pair[1], threads=1, kv_type="f32", **options)
    heads = [(layer, head) for layer in model.facts.attention_layers for head in (0, 2, 5)]
    model.head_set = HeadSet(model.facts, heads, strength=4, queries="answer")
    return model


QUESTIONS = ("?", "?!", "what is that over there", "what is this", "what")
PLACES = (None, Box(0, 0, 32, 64), Box(48, 16, 96, 64))


def ask(model, number, question, place, queries):
    at = place and Steering(model.head_set.pushed(queries=queries), place)
    return model.look(picture(number)).describe(question, at=at, max_tokens=5, gaze=True)


def same(one, other):
    assert [step.token for step in one.steps] == [step.token for step in other.steps]
    for step, wanted in zip(one.steps, other.steps, strict=True):
        for here, there in zip(step.gaze, wanted.gaze, strict=True):
            np.testing.assert_allclose(here, there, atol=1e-4)


def test_answers_are_those_of_a_fresh_model(pairs):
    """Forty questions about three images in a cache that holds four prompts: begun alike, steered or not, evicted."""
    rng = np.random.default_rng(0)
    known = {}
    with load(pairs["qwen35"], context=256) as model:
        for _ in range(40):
            asked = (
                int(rng.integers(3)), QUESTIONS[rng.integers(len(QUESTIONS))], PLACES[rng.integers(len(PLACES))],
                ("answer", "all", "after_image")[rng.integers(3)],
            )  # fmt: skip
            if asked not in known:
                with load(pairs["qwen35"]) as fresh:
                    known[asked] = ask(fresh, *asked)
            same(ask(model, *asked), known[asked])
    assert len({tuple(step.token for step in answer.steps) for answer in known.values()}) > 10


def test_an_image_is_read_once(pairs, monkeypatch):
    """The next question about it goes on after it, and the next place at the prompt's last token."""
    decoded = []
    for name in ("_decode_images", "_decode_texts"):
        real = getattr(Reader, name)

        def counted(self, parts, cancel, name=name, real=real):
            decoded.append((name, sum(part.piece.tokens for part in parts)))
            real(self, parts, cancel)

        monkeypatch.setattr(Reader, name, counted)
    with load(pairs["qwen35"]) as model:
        scene = model.look(picture(0))
        scene.describe(QUESTIONS[2], max_tokens=2)
        decoded.clear()
        scene.describe(QUESTIONS[3], max_tokens=2)
        assert {name for name, _ in decoded} == {"_decode_texts"}
        decoded.clear()
        scene.describe(QUESTIONS[3], at=PLACES[1], max_tokens=2)
        assert decoded == [("_decode_texts", 1)] * len(decoded)


def test_places_that_are_asked_about_together(pairs):
    with load(pairs["qwen35"]) as model:
        together = model.look(picture(1)).describe_all(PLACES, QUESTIONS[2], max_tokens=5, gaze=True)
    for place, answer in zip(PLACES, together, strict=True):
        with load(pairs["qwen35"]) as fresh:
            same(answer, ask(fresh, 1, QUESTIONS[2], place, "answer"))


def test_images_that_are_read_together(pairs):
    """Of several sizes, so that their pieces end in different batches."""
    sizes = [(64, 96), (32, 32), (160, 64), (64, 96), (96, 128)]
    pixels = [np.random.default_rng(k).integers(0, 256, (*size, 3), dtype=np.uint8) for k, size in enumerate(sizes)]

    def asks(model):
        for k, image in enumerate(pixels):
            at = Steering(model.head_set, Box(0, 0, 32, 32)) if k % 2 else None
            parts = [{"type": "image", "image": image}, {"type": "text", "text": QUESTIONS[k]}]
            yield lookhere.Ask.of([{"role": "user", "content": parts}], at, max_tokens=5, gaze=True)

    with load(pairs["qwen35"]) as model:
        together = model.ask_all(list(asks(model)))
    for k, answer in enumerate(together):
        with load(pairs["qwen35"]) as fresh:
            same(answer, fresh.ask_all([list(asks(fresh))[k]])[0])


def test_threads_and_a_chat(pairs):
    """Turns of a conversation, while other threads ask about other images."""
    turns = [{"role": "user", "content": [{"type": "image", "image": picture(2)}, {"type": "text", "text": "hm"}]}]
    with load(pairs["qwen35"], context=512) as model:

        def busy(number):
            for question in QUESTIONS:
                ask(model, number, question, PLACES[1], "answer")

        threads = [threading.Thread(target=busy, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for number in range(4):
            answer = model.chat(turns, max_tokens=4, gaze=True)
            with load(pairs["qwen35"]) as fresh:
                same(answer, fresh.chat(turns, max_tokens=4, gaze=True))
            turns += [{"role": "assistant", "content": f"so{number}"}, {"role": "user", "content": "and?"}]
        for thread in threads:
            thread.join()


def test_after_a_cancel_the_next_answer_is_that_of_a_fresh_model(pairs):
    """Cancelled anywhere: between batches, within one, while an image is read or a token computed."""
    pixels = np.random.default_rng(9).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    with load(pairs["qwen35"]) as fresh:
        wanted = fresh.look(pixels).describe(QUESTIONS[2], at=PLACES[1], max_tokens=6, gaze=True)
    cancelled = 0
    with load(pairs["qwen35"]) as model:
        scene = model.look(pixels)
        for step in range(40):
            flag = lookhere.CancelFlag()
            timer = after(0.002 * step, flag.set)
            try:
                scene.describe(QUESTIONS[step % 5], at=PLACES[step % 3], max_tokens=40, cancel=flag)
            except lookhere.CancelledError:
                cancelled += 1
            timer.join()
            if step % 4 == 0:
                same(scene.describe(QUESTIONS[2], at=PLACES[1], max_tokens=6, gaze=True), wanted)
                model.session._cache.drop()
    assert cancelled > 5


def test_states_are_forgotten_where_they_take_more_than_the_budget(pairs, monkeypatch):
    with load(pairs["qwen35"], kv_budget=1) as model:
        state = model.native.state_bytes
        assert 8 <= model.session._cache.sequences <= 32
        kept = property(lambda cache: cache._native.checkpoint_bytes if cache._native else 0)
        monkeypatch.setattr(Cache, "_state_bytes", kept)
        monkeypatch.setattr(model.session._cache, "_budget", 5 * state)
        for number in range(6):
            ask(model, number, QUESTIONS[2], None, "answer")
        assert 0 < model.session.native.checkpoint_bytes < 6 * state


def test_heads_in_recurrent_layers_are_refused(pairs):
    with load(pairs["qwen35"]) as model:
        with pytest.raises(
            lookhere.HeadSetError, match="layer 3 of qwen35 has no attention to steer; its attention layers are 2, 5"
        ):
            HeadSet(model.facts, [(3, 0)])
        other = ModelFacts("other", "qwen35", 6, 6)
        with pytest.raises(lookhere.HeadSetError, match="layer 3 of qwen35 has no attention"):
            model.head_set = HeadSet(other, [(3, 0)])
        answer = model.look(picture(0)).describe(max_tokens=1, head_gaze="all")
        (mass,) = answer.steps[0].head_gaze
        assert mass.shape[:2] == (6, 6)
        assert [bool(layer.any()) for layer in mass] == [layer in (2, 5) for layer in range(6)]


def test_compressed_attention_is_refused_on_loading(pairs):
    with pytest.raises(lookhere.ModelFileError, match=r"deepseek2: multi-head latent attention \(MLA\)"):
        load(pairs["deepseek2"])
