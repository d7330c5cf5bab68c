"""What fills the KV cache, and what comes out."""

import ctypes

import numpy as np
import pytest
from harness import BATCH, Text, ask, engine, image_position, same_logits, state


def test_an_image_is_decoded_as_mtmd_decodes_it(native, model, projector, pixels, image, prompt, session):
    ours = ask(session, image, prompt)
    ours_position = session.position()
    session.truncate(image.positions)
    ours_state = state(native, session)
    session.clear()

    pointer = ctypes.c_void_p
    context, vision = pointer(session.address), pointer(projector.address)
    bitmap = pointer(native.mtmd_bitmap_init(pixels.shape[1], pixels.shape[0], pixels.ctypes.data_as(pointer)))
    chunks = pointer(native.mtmd_input_chunks_init())
    text = Text(b"<__media__>", len("<__media__>"), False, True)
    assert native.mtmd_tokenize(vision, chunks, ctypes.byref(text), ctypes.byref(bitmap), ctypes.c_size_t(1)) == 0
    position = ctypes.c_int32(0)
    assert native.mtmd_helper_eval_chunks(vision, context, chunks, 0, 0, BATCH, False, ctypes.byref(position)) == 0
    assert position.value == image.positions
    assert state(native, session) == ours_state
    tokens = (ctypes.c_int32 * len(prompt))(*prompt)
    assert native.llama_decode(context, native.llama_batch_get_one(tokens, len(prompt))) == 0
    theirs = ctypes.cast(native.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float))
    assert np.array_equal(ours, np.ctypeslib.as_array(theirs, (model.vocabulary_size,)))
    assert ours_position == image.positions + len(prompt)
    native.mtmd_input_chunks_free(chunks)
    native.mtmd_bitmap_free(bitmap)
    session.clear()


def test_positions_and_tokens(session, image, prompt):
    assert (session.position(), session.used()) == (0, 0)
    session.decode(prompt)
    session.decode_image(image)
    assert session.position() == len(prompt) + image.positions
    assert session.used() == len(prompt) + image.tokens
    session.clear()
    assert (session.position(), session.used()) == (0, 0)


def test_rows_follow_the_outputs(model, image):
    # without flash attention: llama.cpp has another arithmetic for large batches with it
    session = engine.Session(model, context=1024, threads=1, batch=BATCH, flash_attention="off")
    tokens = np.random.default_rng(1).integers(0, 200, 150).tolist()
    session.decode(tokens, outputs=range(150))  # many batches, more rows than one takes
    rows = np.array([session.logits(i) for i in range(150)])
    assert np.array_equal(session.logits(-1), rows[-1])
    session.clear()
    session.decode(tokens, outputs=[0, 70, 149])
    some = np.array([session.logits(i) for i in range(3)])
    assert all(map(same_logits, some, rows[[0, 70, 149]]))  # other batches, other rounding
    for row in (3, -4):
        with pytest.raises(engine.EngineError, match=f"row {row} is not among the 3"):
            session.logits(row)


def test_logits_are_a_copy(session, prompt):
    session.decode(prompt, outputs=[0])
    first = session.logits()
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(session.logits(), kept)
    session.decode(prompt, outputs=[0])
    session.close()
    assert kept.any()


def test_truncate(session, image, prompt):
    once = ask(session, image, prompt)
    session.truncate(image.positions)
    assert session.used() == image.tokens
    session.decode(prompt, outputs=[len(prompt) - 1])
    assert np.array_equal(session.logits(), once)
    start = image_position(image, 0)
    for inside in (start + 1, start + image.parts[1].positions - 1):
        with pytest.raises(engine.EngineError, match=f"inside the image at {start}"):
            session.truncate(inside)
    session.truncate(start)  # before the image
    assert (session.position(), session.used()) == (start, image.parts[0].tokens)
    for outside in (-1, start + 1):
        with pytest.raises(engine.EngineError, match="it ends at"):
            session.truncate(outside)
    session.truncate(0)
    assert np.array_equal(ask(session, image, prompt), once)


def test_sequences_do_not_see_one_another(model, image, prompt):
    two = engine.Session(model, context=1024, threads=1, batch=BATCH, sequences=2)
    alone = ask(two, image, prompt)
    two.decode(prompt, sequence=1)
    two.decode_image(image, sequence=1)
    assert two.used(0) == two.used(1)
    two.truncate(two.position() - 1)
    two.decode(prompt[-1:], outputs=[0])
    assert same_logits(two.logits(), alone)
    for sequence in (-1, 2):
        with pytest.raises(engine.EngineError, match=f"sequence {sequence} is outside"):
            two.decode(prompt, sequence=sequence)


@pytest.mark.parametrize(
    ("tokens", "outputs", "message"),
    [
        ([], [], "no tokens"),
        ([-1], [], "token -1 is outside"),
        ([2**31 - 1], [], "is outside"),
        ([1, 2], [2], "output 2"),
        ([1, 2], [-1], "output -1"),
        ([1, 2], [1, 0], "ascending"),
        ([1, 2], [1, 1], "ascending"),
    ],
)
def test_decode_refuses(session, tokens, outputs, message):
    with pytest.raises(engine.EngineError, match=message):
        session.decode(tokens, outputs=outputs)
    assert session.used() == 0


def test_a_full_context(model, projector, image):
    small = engine.Session(model, context=1, threads=1)
    room = small.context
    with pytest.raises(engine.EngineError, match=f"holds 0 of {room} tokens, and the text has {room + 1}"):
        small.decode([1] * (room + 1))
    small.decode([1] * (room - image.tokens + 1))
    with pytest.raises(engine.EngineError, match=f"of {room} tokens, and the image has {image.tokens}"):
        small.decode_image(image)
    small.truncate(small.position() - 1)
    small.decode_image(image)
    assert small.used() == room
    with pytest.raises(engine.EngineError, match="the context is full"):
        small.decode([1])


@pytest.mark.parametrize(
    "options",
    [
        {"context": 0}, {"context": -1}, {"context": 2**30}, {"threads": 0}, {"batch": 0}, {"sequences": 0},
        {"sequences": 257}, {"flash_attention": "maybe"}, {"kv_type": "q5"},
        {"kv_type": "q8_0", "flash_attention": "off"},
    ],
)  # fmt: skip
def test_session_options(model, options):
    with pytest.raises(engine.LoadError):
        engine.Session(model, **{"context": 256, "threads": 1, **options})


@pytest.mark.parametrize("kv_type", ["f32", "f16", "bf16", "q8_0", "q4_0"])
def test_kv_types(model, image, prompt, kv_type):
    assert np.isfinite(ask(engine.Session(model, context=256, threads=1, kv_type=kv_type), image, prompt)).all()


@pytest.mark.parametrize("batch", [1, 7, 33])
def test_small_batches(model, image, prompt, session, batch):
    other = engine.Session(model, context=256, threads=1, batch=batch)
    assert same_logits(ask(other, image, prompt), ask(session, image, prompt))


def test_more_threads(model, prompt, session):
    two = engine.Session(model, context=256, threads=2)
    for each in (two, session):
        each.decode(prompt, outputs=[0])
    assert same_logits(two.logits(), session.logits())
