"""The compiled engine by itself: numbers in, numbers out.

It runs the built-in model, or the pair that LOOKHERE_TEST_MODEL and LOOKHERE_TEST_MMPROJ name.
"""

import ctypes
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import lookhere
import numpy as np
import pytest
from lookhere import registry

engine = pytest.importorskip("lookhere._engine", reason="the engine is not built")

BATCH = 64


@pytest.fixture(scope="module")
def model_files():
    named = os.environ.get("LOOKHERE_TEST_MODEL"), os.environ.get("LOOKHERE_TEST_MMPROJ")
    if all(named):
        return named
    try:
        return tuple(map(str, registry.builtin_files()))
    except lookhere.ModelFileError as error:
        pytest.fail(f"{error} Or name a pair in LOOKHERE_TEST_MODEL and LOOKHERE_TEST_MMPROJ.")


@pytest.fixture(scope="module")
def model(model_files):
    return engine.Model(model_files[0])


@pytest.fixture(scope="module")
def projector(model, model_files):
    return engine.Projector(model_files[1], model, threads=1)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def image(projector, pixels):
    return projector.encode(pixels)


@pytest.fixture
def session(model):
    with_session = engine.Session(model, context=1024, threads=1, batch=BATCH)
    yield with_session
    with_session.close()


@pytest.fixture(scope="module")
def prompt(model):
    return model.tokenize("Describe the scene.", parse_special=False)


def grid_of(image):
    (grid,) = (part.grid for part in image.parts if part.grid)
    return grid


def image_position(image, start):
    """Position of the image part of an image that is decoded from position start on."""
    return start + image.parts[0].positions


def span(image, start, bias=None):
    grid = grid_of(image)
    return engine.Span(image_position(image, start), grid.rows, grid.cols, bias)


def ask(session, image, prompt, *, first=0):
    """Prefills an image and a prompt, keeps the last row."""
    session.decode_image(image)
    session.decode(prompt, outputs=[len(prompt) - 1])
    return session.logits()


# --- model ------------------------------------------------------------------------------------------------------------


def test_model_facts(model, model_files):
    assert model.path == model_files[0]
    assert model.layers > 0
    assert model.heads % model.heads_kv == 0
    assert 0 < model.size_bytes <= Path(model_files[0]).stat().st_size
    assert model.metadata["general.architecture"] == model.architecture
    assert model.metadata[f"{model.architecture}.block_count"] == str(model.layers)
    assert model.chat_template
    assert model.is_end(model.eos_token)
    assert not model.is_end(-1)


@pytest.mark.parametrize("text", ["", "a", "Ünïcödé 日本 🦊", "<|im_end|><|vision_start|>", "<__media__>", "a\0b", " x\n\n"])
def test_text_is_never_parsed_for_special_tokens(model, text):
    tokens = model.tokenize(text, parse_special=False)
    assert b"".join(map(model.piece, tokens)) == text.encode()
    assert not any(model.is_end(token) for token in tokens)


def test_special_tokens_on_request(model):
    (token,) = model.tokenize("<|im_end|>", parse_special=True)
    assert model.piece(token) == b""
    assert model.special_piece(token) == b"<|im_end|>"


@pytest.mark.parametrize("token", [-1, -5, 2**31 - 1])
def test_tokens_outside_the_vocabulary(model, token):
    with pytest.raises(engine.EngineError, match=f"token {token} is outside the vocabulary of {model.vocabulary_size}"):
        model.piece(token)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path, model_files):
    """(which of the pair, what is done to its bytes) -> a file."""

    def make(which, change):
        path = tmp_path / "damaged.gguf"
        path.write_bytes(change(Path(model_files[which]).read_bytes()))
        return str(path)

    return make


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b"", "not a GGUF file: it has 0 bytes"),
        (lambda b: b"PNG" + b[3:], "does not begin with the letters GGUF"),
        (lambda b: b[:4], "broken GGUF header"),
        (lambda b: b[:1000], "broken GGUF header"),
        (lambda b: b[:4] + b"\xff" * 8 + b[12:], "broken GGUF header"),
        (lambda b: b[: len(b) * 3 // 4], "cut off|file bounds|incomplete"),
        (lambda b: b.replace(b"general.architecture", b"general.architectura", 1), "which architecture"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_files(model, damaged, which, change, message):
    path = damaged(which, change)
    with pytest.raises(engine.LoadError, match=message):
        engine.Projector(path, model, threads=1) if which else engine.Model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.replace(b"qwen3vl_merger", b"gemma3_merger_", 1), "gemma3_merger_.*not known"),
        (lambda b: b.replace(b"v.patch_embd.bias", b"v.patch_embd.bios", 1), "v.patch_embd.bias"),
        (lambda b: b.replace(b"mm.2.weight", b"mm.3.weight", 1), "cannot load.*mm.2.weight"),
        (lambda b: b.replace(b"clip.vision.image_mean", b"clip.vision.image_neam", 1), "image_mean"),
        (lambda b: b.replace(b"clip.vision.block_count", b"clip.vision.block_cound", 1), "clip.vision.block_count"),
        (lambda b: b.replace(b"clip.has_vision_encoder", b"clip.has_vision_encodes", 1), "no vision encoder"),
    ],
)
def test_projectors_that_cannot_be(model, damaged, change, message):
    with pytest.raises(engine.LoadError, match=message):
        engine.Projector(damaged(1, change), model, threads=1)


def test_a_check_of_llama_cpp_itself_does_not_end_the_process(model, damaged, pixels, projector):
    key = b"clip.vision.attention.head_count"

    def seven_heads(data):  # no divisor of the width: a failed assertion when the graph is built
        at = data.index(key) + len(key) + 4
        return data[:at] + (7).to_bytes(4, "little") + data[at + 4 :]

    broken = engine.Projector(damaged(1, seven_heads), model, threads=1)
    with pytest.raises(engine.EngineError, match="a check of its own"):
        broken.encode(pixels)
    with pytest.raises(engine.EngineError, match="failed before"):
        broken.encode(pixels)
    assert projector.encode(pixels).tokens


def test_swapped_and_missing_files(model, model_files, tmp_path):
    with pytest.raises(engine.LoadError, match="swapped"):
        engine.Model(model_files[1])
    with pytest.raises(engine.LoadError, match="swapped"):
        engine.Projector(model_files[0], model, threads=1)
    with pytest.raises(engine.LoadError, match="no such file"):
        engine.Model(str(tmp_path / "none.gguf"))
    with pytest.raises(engine.LoadError, match="not a file"):
        engine.Model(str(tmp_path))


def test_a_projector_of_another_width(model_files, tmp_path):
    """The text model of another size is made by hand: its first DeepStack count is changed."""
    data = Path(model_files[0]).read_bytes()
    key = b"n_deepstack_layers"
    at = data.index(key) + len(key) + 4  # past the value's type
    other = tmp_path / "other.gguf"
    other.write_bytes(data[:at] + (data[at] + 1).to_bytes(1, "little") + data[at + 1 :])
    with pytest.raises(engine.LoadError, match="mismatch between text model"):
        engine.Projector(model_files[1], engine.Model(str(other)), threads=1)


@pytest.mark.parametrize(
    "options",
    [{"threads": 0}, {"threads": 10_000}, {"threads": 1, "min_tokens": 9, "max_tokens": 8}, {"threads": 1, "min_tokens": -1}],
)
def test_projector_options(model, model_files, options):
    with pytest.raises(engine.LoadError, match="expected"):
        engine.Projector(model_files[1], model, **options)


# --- images -----------------------------------------------------------------------------------------------------------


def test_an_image_is_text_around_a_grid(model, image, pixels):
    before, tokens, after = image.parts
    assert [part.kind for part in image.parts] == ["text", "image", "text"]
    assert (before.tokens, after.tokens) == (1, 1)
    grid = tokens.grid
    assert tokens.tokens == grid.rows * grid.cols
    assert tokens.positions == max(grid.rows, grid.cols)
    assert image.tokens == tokens.tokens + 2
    assert image.positions == tokens.positions + 2
    assert (image.height, image.width) == pixels.shape[:2]
    embeddings = image.embeddings()
    assert embeddings.shape == (tokens.tokens, model.embedding_size)
    assert np.isfinite(embeddings).all()
    assert image.nbytes >= embeddings.nbytes


def test_an_image_is_encoded_alike_each_time(projector, pixels, image):
    assert np.array_equal(projector.encode(pixels).embeddings(), image.embeddings())


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (1, 202, 3), (202, 1, 3), (5, 5), (5, 5, 4), (3,)])
def test_images_that_cannot_be(projector, shape):
    with pytest.raises(engine.EngineError, match=r"expected|shape"):
        projector.encode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3)), np.zeros((4, 4, 6), np.uint8)[..., ::2], None, "x"])
def test_pixels_are_never_converted(projector, pixels):
    with pytest.raises(TypeError):
        projector.encode(pixels)


def test_token_limits(model, model_files):
    few = engine.Projector(model_files[1], model, threads=1, min_tokens=4, max_tokens=16)
    for shape in [(1, 1, 3), (512, 300, 3), (7, 900, 3)]:
        grid = grid_of(few.encode(np.zeros(shape, np.uint8)))
        assert grid.rows * grid.cols <= 16 or shape == (7, 900, 3)  # a long image keeps one row


# --- decoding ---------------------------------------------------------------------------------------------------------


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), *((name, ctypes.c_void_p) for name in "token embd pos n_seq seq logits".split())]


class Text(ctypes.Structure):
    _fields_ = [("text", ctypes.c_char_p), ("length", ctypes.c_size_t), ("special", ctypes.c_bool), ("parse", ctypes.c_bool)]


@pytest.fixture(scope="module")
def native():
    """llama.cpp's C API in the library that the engine uses."""
    folder = Path(lookhere.__file__).parent / "lib"
    path = next(p for name in ("*lookhere*", "*mtmd*") for p in sorted(folder.glob(name)))
    lib = ctypes.CDLL(str(path))
    for name in ("mtmd_bitmap_init", "mtmd_input_chunks_init", "llama_get_logits_ith", "llama_get_memory"):
        getattr(lib, name).restype = ctypes.c_void_p
    lib.llama_batch_get_one.restype = Batch
    lib.llama_state_seq_get_size.restype = lib.llama_state_seq_get_data.restype = ctypes.c_size_t
    return lib


def state(native, session):
    """All that the KV cache holds for sequence 0: cells, positions, keys and values."""
    context = ctypes.c_void_p(session.address)
    size = native.llama_state_seq_get_size(context, 0)
    buffer = ctypes.create_string_buffer(size)
    assert native.llama_state_seq_get_data(context, buffer, ctypes.c_size_t(size), 0) == size
    return buffer.raw


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


def test_rows_follow_the_outputs(session, model, image):
    tokens = np.random.default_rng(1).integers(0, 200, 150).tolist()
    session.decode(tokens, outputs=range(150))  # many batches, more rows than one takes
    rows = np.array([session.logits(i) for i in range(150)])
    assert np.array_equal(session.logits(-1), rows[-1])
    session.clear()
    session.decode(tokens, outputs=[0, 70, 149])
    some = np.array([session.logits(i) for i in range(3)])
    assert np.allclose(some, rows[[0, 70, 149]], atol=1e-2, rtol=1e-3)  # other batches, other rounding
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
    assert np.allclose(two.logits(), alone, atol=1e-2, rtol=1e-3)
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
        {"sequences": 257}, {"flash_attention": "maybe"}, {"kv_type": "q5"}, {"kv_type": "q8_0", "flash_attention": "off"},
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
    assert np.allclose(ask(other, image, prompt), ask(session, image, prompt), atol=2e-2, rtol=1e-2)


def test_more_threads(model, prompt, session):
    two = engine.Session(model, context=256, threads=2)
    for each in (two, session):
        each.decode(prompt, outputs=[0])
    assert np.allclose(two.logits(), session.logits(), atol=2e-2, rtol=1e-2)


# --- steering and the probe -------------------------------------------------------------------------------------------


def boost(image, strength, where):
    grid = grid_of(image)
    bias = np.full((grid.rows, grid.cols), -strength, np.float32)
    bias[where] = strength
    return bias


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
    assert np.allclose(session.attention(), last[::-1], atol=1e-3)


def test_steering_moves_the_mass(session, model, image, prompt):
    layer = model.layers // 2
    session.set_probe([layer])
    session.set_probe_spans([span(image, 0)])
    plain = ask(session, image, prompt)
    session.truncate(image.positions)
    session.set_heads([(layer, 1)])
    session.steer([span(image, 0, boost(image, 10, (0, 0)))], prompt_end=image.positions + len(prompt))
    session.decode(prompt, outputs=[len(prompt) - 1])
    natural, steered = session.attention()[0], session.attention(steered=True)[0]
    assert steered[1, 0] > 0.9
    assert np.allclose(natural[1] / natural[1].sum(), natural[1] / natural[1].sum())
    assert natural[1, 0] < steered[1, 0]
    others = [h for h in range(model.heads) if h != 1]
    assert np.allclose(natural[others], steered[others], atol=1e-6)
    assert not np.array_equal(session.logits(), plain)

    session.unsteer()
    session.set_heads([])
    session.truncate(image.positions)
    session.decode(prompt, outputs=[len(prompt) - 1])
    assert np.array_equal(session.logits(), plain)


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
    for make in (lambda: engine.Span(-1, 1, 1), lambda: engine.Span(0, 0, 1), lambda: engine.Span(0, 10**5, 10**5)):
        with pytest.raises(engine.EngineError):
            session.set_probe_spans([make()])
    with pytest.raises(engine.EngineError, match="outside the model"):
        session.set_probe([model.layers])
    with pytest.raises(engine.EngineError, match="sequence 1"):
        session.steer([], sequence=1)
    with pytest.raises(engine.EngineError, match="sequence 1"):
        session.set_probe_spans([], 1)


# --- cancelling, threads, lifetimes -----------------------------------------------------------------------------------


def test_a_raised_flag_stops_everything(session, projector, pixels, image, prompt):
    flag = engine.CancelFlag()
    flag.set()
    assert flag.is_set()
    session.decode(prompt)
    with pytest.raises(engine.Cancelled, match="encoding"):
        projector.encode(pixels, flag)
    with pytest.raises(engine.Cancelled, match="decoding text"):
        session.decode(prompt, cancel=flag)
    with pytest.raises(engine.Cancelled):
        session.decode_image(image, cancel=flag)
    assert session.used() == len(prompt)
    flag.clear()
    assert not flag.is_set()
    session.decode_image(image, cancel=flag)
    assert session.used() == len(prompt) + image.tokens


def after(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_cancel_while_text_is_decoded(model, prompt):
    session = engine.Session(model, context=16384, threads=1, batch=256)
    tokens = (prompt * 16384)[:16000]
    flag = engine.CancelFlag()
    timer = after(0.2, flag.set)
    begun = time.monotonic()
    with pytest.raises(engine.Cancelled):
        session.decode(tokens, cancel=flag)
    taken = time.monotonic() - begun
    timer.join()
    assert taken < 10
    held = session.used()
    assert held == session.position() < len(tokens)
    assert held % 256 == 0  # whole batches
    # what is held is what would have been decoded
    if held:
        session.decode(tokens[held : held + 1], outputs=[0])
        resumed = session.logits()
        session.clear()
        session.decode(tokens[:held])
        session.decode(tokens[held : held + 1], outputs=[0])
        assert np.array_equal(session.logits(), resumed)


def test_an_image_that_is_cancelled_goes_whole(model, projector, prompt, native):
    image = projector.encode(np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8))
    session = engine.Session(model, context=512, threads=1, batch=1)  # many steps, so that the flag comes between two
    session.decode(prompt)
    held = state(native, session)
    flag = engine.CancelFlag()
    timer = after(0.02, flag.set)
    with pytest.raises(engine.Cancelled, match="image"):
        session.decode_image(image, cancel=flag)
    timer.join()
    assert session.used() == len(prompt)
    assert state(native, session) == held


def test_cancel_while_an_image_is_encoded(projector):
    pixels = np.zeros((512, 512, 3), np.uint8)
    flag = engine.CancelFlag()
    timer = after(0.05, flag.set)
    with pytest.raises(engine.Cancelled, match="encoding"):
        projector.encode(pixels, flag)
    timer.join()
    assert projector.encode(pixels[:64, :64].copy()).tokens > 0


def test_python_runs_while_the_engine_computes(projector):
    done = threading.Event()
    ticks = []

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    projector.encode(np.zeros((320, 320, 3), np.uint8))
    ended = time.monotonic()
    done.set()
    thread.join()
    assert sum(begun < t < ended for t in ticks) > 2


def test_two_threads_in_one_session_is_an_error(model, prompt):
    session = engine.Session(model, context=8192, threads=1)
    refused = []
    running = threading.Event()
    flag = engine.CancelFlag()

    def work():
        running.set()
        try:
            session.decode((prompt * 8192)[:8000], cancel=flag)
        except engine.EngineError as error:
            refused.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    running.wait()
    while thread.is_alive() and not refused:
        try:
            session.logits()
        except engine.EngineError as error:
            if "is not among the" not in str(error):  # the thread has not begun, or is between two batches
                refused.append(str(error))
    flag.set()
    thread.join()
    assert "in use by another thread" in refused[0]


def test_everything_after_close_is_an_error(model_files, pixels, prompt):
    model = engine.Model(model_files[0])
    projector = engine.Projector(model_files[1], model, threads=1)
    session = engine.Session(model, context=256, threads=1)
    model.close()
    model.close()
    with pytest.raises(engine.EngineError, match="the model is closed"):
        _ = model.layers
    with pytest.raises(engine.EngineError, match="the model is closed"):
        engine.Session(model, context=256, threads=1)
    image = projector.encode(pixels[:64, :64].copy())  # the weights live on in what was made from them
    projector.close()
    with pytest.raises(engine.EngineError, match="the projector is closed"):
        projector.encode(pixels)
    session.decode_image(image)
    session.decode(prompt, outputs=[0])
    session.close()
    session.close()
    for call in (session.position, session.clear, session.logits, session.unsteer, lambda: session.decode(prompt),
                 lambda: session.set_heads([]), lambda: session.graphs_reused):  # fmt: skip
        with pytest.raises(engine.EngineError, match="the session is closed"):
            call()


def test_objects_live_as_long_as_they_are_used(model_files, pixels, prompt):
    def make():
        model = engine.Model(model_files[0])
        projector = engine.Projector(model_files[1], model, threads=1)
        return engine.Session(model, context=512, threads=1), projector.encode(pixels), model.tokenize("x", parse_special=False)

    session, image, tokens = make()
    session.decode_image(image)
    session.decode(tokens, outputs=[0])
    assert np.isfinite(session.logits()).all()


# --- sampler ----------------------------------------------------------------------------------------------------------


def test_greedy(session, prompt):
    session.decode(prompt, outputs=range(len(prompt)))
    for row in range(len(prompt)):
        assert engine.Sampler().sample(session, row) == session.logits(row).argmax()


def draws(session, n=40, **options):
    sampler = engine.Sampler(**options)
    first = [sampler.sample(session) for _ in range(n)]
    sampler.reset()
    assert [sampler.sample(session) for _ in range(n)] == first
    return first


def test_a_seed_draws_the_same_tokens(session, prompt):
    session.decode(prompt, outputs=[0])
    assert draws(session, temperature=1.5, seed=1) == draws(session, temperature=1.5, seed=1)
    assert draws(session, temperature=1.5, seed=1) != draws(session, temperature=1.5, seed=2)


def test_cuts_and_the_penalty(session, prompt):
    session.decode(prompt, outputs=[0])
    best = np.argsort(session.logits())[::-1]
    assert set(draws(session, temperature=5, top_k=3)) <= set(best[:3])
    assert set(draws(session, temperature=1, top_p=1e-6)) == {best[0]}
    assert set(draws(session, temperature=1, min_p=1.0)) == {best[0]}
    assert len(set(draws(session, n=10, repeat_penalty=100.0))) > 1


@pytest.mark.parametrize(
    "options",
    [{"temperature": -1}, {"temperature": np.nan}, {"top_k": -1}, {"top_p": 1.1}, {"top_p": -0.1}, {"min_p": 2},
     {"seed": -1}, {"seed": 2**32 - 1}, {"repeat_penalty": 0}, {"repeat_last": -1}],
)  # fmt: skip
def test_sampler_options(options):
    with pytest.raises(engine.EngineError, match="expected"):
        engine.Sampler(**options)


def test_nothing_to_sample(session):
    with pytest.raises(engine.EngineError, match="row -1 is not among the 0"):
        engine.Sampler().sample(session)


# --- log and build ----------------------------------------------------------------------------------------------------


@pytest.fixture
def logged():
    lines = []
    yield lines
    engine.set_log(None)


def test_log(logged, model_files):
    engine.set_log(lambda level, text: logged.append((level, text)), logging.INFO)
    engine.Model(model_files[0])
    assert logged
    assert {level for level, _ in logged} <= {logging.INFO, logging.WARNING, logging.ERROR}
    assert not any(text.endswith("\n") or not text for _, text in logged)
    logged.clear()
    engine.set_log(lambda level, text: logged.append((level, text)), logging.CRITICAL)
    engine.Model(model_files[0])
    engine.set_log(None)
    engine.Model(model_files[0])
    assert not logged


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_log_callback_that_raises_does_not_stop_the_engine(logged, model_files):
    def fail(level, text):
        raise ValueError(text)

    engine.set_log(fail, logging.INFO)
    assert engine.Model(model_files[0]).layers


QUIET = """
import sys
from lookhere import _engine
model = _engine.Model(sys.argv[1])
projector = _engine.Projector(sys.argv[2], model, threads=1)
session = _engine.Session(model, context=256, threads=1)
session.decode([1, 2], outputs=[1])
print("done")
"""
LOGGED_TO_THE_END = QUIET.replace("model =", "_engine.set_log(lambda level, text: print(text, file=sys.stderr), 0)\nmodel =", 1)


@pytest.mark.parametrize("code", [QUIET, LOGGED_TO_THE_END], ids=["quiet", "logged"])
def test_the_interpreter_ends_well(code, model_files):
    """Nothing is printed by default, and objects that live to the end do no harm."""
    ended = subprocess.run([sys.executable, "-c", code, *model_files], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr
    if code is QUIET:
        assert ended.stderr == ""


INTERRUPTED = """
import _thread, sys, threading
from lookhere import _engine
model = _engine.Model(sys.argv[1])
session = _engine.Session(model, context=32768, threads=1)
threading.Timer(0.3, _thread.interrupt_main).start()
try:
    session.decode([1] * 32000)
except KeyboardInterrupt:
    print("interrupted", session.used() < 32000)
session.decode([1], outputs=[0])
"""


def test_control_c_stops_a_prefill(model_files):
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, model_files[0]], check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "interrupted True\n"), ended.stderr


def test_build_info():
    info = engine.build_info()
    assert info["llama.cpp"]
    assert "CPU" in info["devices"]
