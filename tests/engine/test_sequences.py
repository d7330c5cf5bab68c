"""Several sequences that share what they have in common, computed in one batch."""

import numpy as np
import pytest
from harness import BATCH, boost, engine, grid_of, same_attention, same_logits, span


@pytest.fixture
def session(model):
    with_session = engine.Session(model, context=1024, threads=1, batch=BATCH, sequences=4, flash_attention="off")
    yield with_session
    with_session.close()


def test_sharing_takes_no_room(session, image, prompt):
    session.decode_image(image)
    session.decode(prompt)
    end = session.position()
    for target in (1, 2, 3):
        session.share(0, target, end - 1)
        assert session.position(target) == end - 1
        assert session.used(target) == session.used(0) - 1
    room = session.context - image.tokens - len(prompt)
    assert session.room == room
    session.decode(prompt[:1] * room, sequence=2)
    with pytest.raises(engine.EngineError, match="the context is full"):
        session.decode(prompt[:1], sequence=2)


def test_a_shared_start_outlives_the_sequence_that_made_it(session, image, prompt):
    session.decode_image(image)
    session.decode(prompt, outputs=[len(prompt) - 1])
    alone = session.logits()
    for sequence in (1, 2):
        session.share(0, sequence, session.position() - 1)
    room = session.room
    session.truncate(0)
    assert session.room == room + 1  # the other sequences still hold the rest
    session.truncate(image.positions, sequence=2)
    assert session.room == room + 1
    session.truncate(0, sequence=2)
    assert session.room == room + 1
    session.decode(prompt[-1:], sequence=1, outputs=[0])
    assert same_logits(session.logits(), alone)


def test_what_sequences_share_is_counted_once(session):
    """Against the tokens that a brute-force model of the cache still holds."""
    rng = np.random.default_rng(0)
    held = {sequence: [] for sequence in range(4)}
    fresh = iter(range(10**6))
    for _ in range(300):
        source, target = (int(each) for each in rng.choice(4, 2, replace=False))
        action = rng.integers(4)
        if action == 0 and session.room > 30:
            count = int(rng.integers(1, 30))
            session.decode([7] * count, sequence=source)
            held[source] += [next(fresh) for _ in range(count)]
        elif action == 1:
            cut = int(rng.integers(0, len(held[source]) + 1))
            session.truncate(cut, source)
            held[source] = held[source][:cut]
        elif action == 2:
            cut = int(rng.integers(0, len(held[source]) + 1))
            session.share(source, target, cut)
            held[target] = held[source][:cut]
        assert [session.used(each) for each in range(4)] == [len(each) for each in held.values()]
        assert session.room == session.context - len(set().union(*held.values()))
    session.decode([7] * session.room)  # what is said to fit does


def test_each_sequence_in_a_batch_is_what_it_is_alone(session, model, image, prompt):
    """Other rows of a batch, other heads and targets, shared cells: none of it shows, but for rounding."""
    layers = range(model.layers)
    grid = grid_of(image)
    targets = [(0, 0), (0, grid.cols - 1), (grid.rows - 1, 0)]
    session.set_probe(layers)
    session.decode_image(image)
    session.decode(prompt[:-1])
    start = session.position()

    def steer(sequence, number):
        target = targets[number]
        session.set_heads([(layer, head) for layer in layers[1 + number :] for head in (0, 1 + number)], sequence)
        session.steer(
            [span(image, 0, boost(image, 5, target))], sequence=sequence, prompt_end=start + 1, first_query=start
        )
        session.set_probe_spans([span(image, 0)], sequence)

    def read(row):
        return session.logits(row), session.attention(row), session.attention(row, steered=True)

    alone = []
    for number in range(3):
        steer(0, number)
        session.decode(prompt[-1:], outputs=[0])
        first = read(-1)
        session.decode([7], outputs=[0])
        alone.append((first, read(-1)))
        session.truncate(start)
    assert not same_logits(alone[0][0][0], alone[1][0][0])  # the targets matter

    for sequence in (1, 2):
        session.share(0, sequence, start)
    for number in range(3):
        steer(number, number)
    order = [2, 0, 1]
    for step, token in enumerate((prompt[-1], 7)):
        session.decode_texts([(sequence, [token], True) for sequence in order])
        for row, sequence in enumerate(order):
            # rows together take another path through the quantized products, and how far it is off depends on the build
            checks = (same_logits, same_attention, same_attention)
            for same, ours, wanted in zip(checks, read(row), alone[sequence][step], strict=True):
                assert same(ours, wanted)


def test_bad_calls(session, model, image, prompt):
    session.decode_image(image)
    session.decode(prompt)
    for arguments in ((0, 0, 1), (0, 4, 1), (4, 0, 1), (0, 1, -1), (0, 1, session.position() + 1), (0, 1, 2)):
        with pytest.raises(engine.EngineError):
            session.share(*arguments)
    one, many = [1], [1] * (BATCH + 1)
    for pieces in (
        [], [(0, [], True)], [(0, one, True), (0, one, True)], [(4, one, True)], [(-1, one, True)],
        [(0, [model.vocabulary_size], True)], [(0, many, True)], [(0, one * 40, False), (1, one * 40, False)],
    ):  # fmt: skip
        with pytest.raises(engine.EngineError):
            session.decode_texts(pieces)
    part = next(index for index, each in enumerate(image.parts) if each.grid)
    whole = image.parts[part].tokens
    for pieces in (
        [], [(0, image, 0, 0, 1)], [(0, image, part, 1, 1)], [(0, image, part, 0, 0)], [(0, image, part, 0, whole + 1)],
        [(0, image, -1, 0, 1)], [(0, image, 99, 0, 1)], [(4, image, part, 0, 1)], [(0, image, part, 0, 1)] * 2,
    ):  # fmt: skip
        with pytest.raises(engine.EngineError):
            session.decode_images(pieces)
    flag = engine.CancelFlag()
    flag.set()
    with pytest.raises(engine.Cancelled):
        session.decode_texts([(0, one, True)], cancel=flag)
    with pytest.raises(engine.Cancelled):
        session.decode_images([(1, image, part, 0, 1)], cancel=flag)
    session.decode_texts([(0, one, True)])
    assert session.position() == image.positions + len(prompt) + 1
    assert session.used(1) == 0


@pytest.mark.parametrize("sizes", [(7, 7, 7), (3, 11, 5), (64, 1, 2)])
def test_images_in_pieces_are_what_they_are_whole(session, model, image, prompt, sizes):
    """Three sequences read an image in pieces of their own sizes, in the same batches, text of others beside."""
    session.decode_image(image)
    session.decode(prompt, outputs=[len(prompt) - 1])
    whole, used = session.logits(), session.used()
    session.truncate(0)
    before, part, after = image.parts
    session.decode_texts([(sequence, before.text, False) for sequence in range(3)])
    done = dict.fromkeys(range(3), 0)
    while any(at < part.tokens for at in done.values()):
        room, pieces = BATCH, []
        for sequence, at in done.items():
            count = min(sizes[sequence], part.tokens - at, room)
            if count:
                pieces.append((sequence, image, 1, at, count))
                done[sequence] += count
                room -= count
        session.decode_images(pieces)
        session.decode_texts([(3, prompt[:2], True)])
        assert session.used(0) == before.tokens + done[0]
    for sequence in range(3):
        session.decode_texts([(sequence, [*after.text, *prompt], True)])
        assert same_logits(session.logits(), whole)
        assert (session.position(sequence), session.used(sequence)) == (image.positions + len(prompt), used)


def test_an_unfinished_image_takes_nothing_else(session, image, prompt):
    before, part, after = image.parts
    session.decode(before.text)
    start = session.position()
    session.decode_images([(0, image, 1, 0, 5)])
    assert (session.position(), session.used()) == (start, before.tokens + 5)
    for decode in (
        lambda: session.decode(prompt),
        lambda: session.decode_image(image),
        lambda: session.decode_texts([(0, prompt, True)]),
        lambda: session.decode_images([(0, image, 1, 0, 5)]),
        lambda: session.decode_images([(0, image, 1, 6, 1)]),
    ):
        with pytest.raises(engine.EngineError):
            decode()
    session.share(0, 1, start)
    assert session.used(1) == before.tokens
    session.truncate(start)
    assert session.used() == before.tokens
    session.decode_images([(0, image, 1, 0, part.tokens)])
    session.decode(after.text)
    assert session.position() == image.positions
