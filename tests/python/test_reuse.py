"""What stays in the KV cache: a scene is read once, several live side by side, and reuse never shows."""

import gc
import threading
import weakref

import fake_engine as fake
import lookhere
import numpy as np
import pytest
from lookhere import CancelledError, Panel, Point, Steering
from lookhere.comics import generate_strip

STRIP = np.full((32, 96, 3), 200, np.uint8)  # 2 x 6 tokens of the fake engine


def strip(number):
    """Another image of the same size."""
    return np.full((32, 96, 3), number, np.uint8)


@pytest.fixture
def scene(model):
    return model.look(STRIP)


def test_a_prepared_scene_is_not_read_again(scene):
    scene.describe(at=Point(0, 0))
    native = scene.model.session.native
    images, decoded = native.images, native.decoded
    with scene.stream(at=Point(90, 20)) as run:
        assert next(run).text == "r"
    assert native.images == images
    assert native.decoded == decoded + 1  # queries = answer: one prompt token


@pytest.mark.parametrize("queries", ["all", "after_image", "answer", "generated"])
def test_reuse_never_changes_what_a_row_saw(scene, head_set, queries):
    """Whatever ran before, the rows of the prompt were made under the steering that is asked for now."""
    other = scene.model.look(strip(1))
    for at in (None, Point(0, 0), Point(90, 20), None, Point(90, 20)):
        steering = at and Steering(head_set, at, queries=queries)
        for asked in (scene, other, scene):
            expected = fake.UNSTEERED if at is None else fake.steered_text(int(at.y // 16), int(at.x // 16))
            if queries == "generated" and at:
                expected = fake.UNSTEERED[0] + expected[1:]
            assert asked.describe(at=steering).text == expected


def test_all_reads_the_image_again_for_a_new_target(scene, head_set):
    scene.describe(at=Steering(head_set, Point(0, 0), queries="all"))
    native = scene.model.session.native
    images = native.images
    scene.describe(at=Steering(head_set, Point(0, 0), queries="all"))
    assert native.images == images
    scene.describe(at=Steering(head_set, Point(90, 20), queries="all"))
    assert native.images == images + 1


def test_the_context_grows(scene, model):
    scene.describe()
    before = model.session.context
    large = model.look(np.zeros((512, 1024), np.uint8))
    large.describe()
    assert model.session.context > before >= scene.tokens


def images_read(scene):
    return scene.model.session.native.images


def test_scenes_live_side_by_side(model):
    scenes = [model.look(strip(k)) for k in range(5)]
    for turn in range(3):
        for k, scene in enumerate(scenes):
            assert scene.describe(at=Point(16 * turn, 0)).text == fake.steered_text(0, turn)
            assert images_read(scene) == (k + 1 if turn == 0 else 5)


@pytest.mark.parametrize("queries", ["all", "after_image"])
def test_regions_of_one_scene_live_side_by_side(scene, head_set, queries):
    """Where the steering reaches the image, each target has a cache of its own."""
    for _ in range(2):
        for x in (0, 20, 40):
            scene.describe(at=Steering(head_set, Point(x, 0), queries=queries))
    assert images_read(scene) == {"all": 3, "after_image": 1}[queries]


def test_the_scene_that_was_not_asked_for_longest_goes(engine, pair, head_set):
    """A context for two and a half scenes."""
    with lookhere.load(pair[0], heads=head_set, context=256) as model:
        first, second, third = (model.look(np.full((112, 160), k, np.uint8)) for k in range(3))
        options = {"max_tokens": 3, "at": Point(1, 1)}
        for scene in (first, second):
            scene.describe("", **options)
        assert images_read(first) == 2
        first.describe("", **options)
        assert images_read(first) == 2
        third.describe("", **options)  # the second goes
        first.describe("", **options)
        assert images_read(first) == 3
        assert second.describe("", **options).text == fake.steered_text(0, 0)[:3]
        assert images_read(first) == 4
        assert model.session.native.all_used() <= 256


def test_the_budget_limits_what_is_kept_not_what_is_asked(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, kv_budget=0) as model:
        large = model.look(np.zeros((512, 1024), np.uint8))
        assert large.describe(at=Point(0, 0)).text == fake.steered_text(0, 0)
        size = model.session.context
        others = [model.look(np.full((512, 1024), k, np.uint8)) for k in range(1, 4)]
        for scene in (*others, large):
            assert scene.describe(at=Point(0, 0)).text == fake.steered_text(0, 0)
        assert model.session.context == size


def test_scenes_that_are_gone_make_room_first(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, context=256, image_budget=0) as model:
        kept = model.look(np.zeros((112, 160), np.uint8))
        kept.describe("", max_tokens=3)
        model.look(np.zeros((112, 160), np.uint8)).describe("", max_tokens=3)
        gc.collect()
        model.look(np.zeros((112, 160), np.uint8)).describe("", max_tokens=3)
        kept.describe("", max_tokens=3)
        assert images_read(kept) == 3


def test_a_scene_that_was_asked_and_is_gone_frees_its_image(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, image_budget=0) as model:
        scene = model.look(STRIP)
        gone = weakref.ref(scene.encoded)
        scene.describe(at=Point(0, 0))
        scene.describe_all([Point(0, 0), Point(90, 20)])
        list(zip(scene.stream(), scene.stream(at=Point(0, 0)), strict=False))
        del scene
        gc.collect()
        assert gone() is None


def test_more_prompts_than_the_cache_has_sequences(scene, head_set):
    for _ in range(2):
        for x in range(20):
            at = Point(x * 4, x)
            expected = fake.steered_text(int(at.y // 16), int(at.x // 16))
            assert scene.describe(at=Steering(head_set, at, queries="all")).text == expected


def test_a_cancelled_prefill_leaves_the_others(model, monkeypatch):
    first, second = model.look(STRIP), model.look(strip(1))
    first.describe()
    with monkeypatch.context() as patch:

        def cancelled(*args, **kwargs):
            raise fake.Cancelled("cancelled")

        patch.setattr(fake.Session, "decode_images", cancelled)
        with pytest.raises(CancelledError):
            second.describe()
    assert first.describe().text == second.describe().text == fake.UNSTEERED
    assert images_read(first) == 2


def test_a_broken_cache_is_made_anew(model, monkeypatch):
    scene = model.look(STRIP)
    with monkeypatch.context() as patch:

        def broken(*args, **kwargs):
            raise fake.EngineError("the session failed before")

        patch.setattr(fake.Session, "decode", broken)
        patch.setattr(fake.Session, "truncate", broken)
        with pytest.raises(lookhere.EngineFailure, match="failed before"):
            scene.describe()
    assert scene.describe().text == fake.UNSTEERED


@pytest.mark.parametrize("queries", ["all", "after_image", "answer", "generated"])
def test_reuse_in_the_real_engine(builtin, queries):
    """The same words and, but for rounding, the same gaze as a model that has just been loaded."""
    strips = [generate_strip(seed, panels=6, panel_size=64) for seed in (3, 4)]
    scenes = [builtin.look(strip.image) for strip in strips]
    asked = [(scenes[k], Steering(builtin.heads, Panel(p, 6), queries=queries)) for p in (1, 4, 1) for k in (0, 1)]
    warm = [scene.describe(at=at, max_tokens=6) for scene, at in asked]
    for (scene, at), answer in zip(asked, warm, strict=True):
        with lookhere.load() as fresh:
            cold = fresh.look(scene.image.pixels).describe(at=at, max_tokens=6)
        assert cold.text == answer.text
        np.testing.assert_allclose(cold.gaze[0], answer.gaze[0], atol=2e-3)


@pytest.mark.parametrize("queries", ["all", "after_image", "answer", "generated"])
def test_answers_together_are_those_of_one_after_another(scene, head_set, queries):
    places = [None, Point(0, 0), Point(90, 20), [Point(30, 0), Point(30, 20)], Panel(3, 6)]
    looks = [at and Steering(head_set, at, queries=queries) for at in places]
    alone = [scene.describe(at=look) for look in looks]
    together = scene.describe_all(looks)
    for one, each in zip(alone, together, strict=True):
        assert (one.text, one.finish, one.steering) == (each.text, each.finish, each.steering)
        assert [step.token for step in one.steps] == [step.token for step in each.steps]
        np.testing.assert_array_equal(one.gaze[0], each.gaze[0])
    assert [scene.describe(at=look).text for look in looks] == [each.text for each in together]


def test_answers_together_share_the_prompt(scene):
    scene.describe()
    native = scene.model.session.native
    images, decoded = native.images, native.decoded
    answers = scene.describe_all([Point(16 * x, 0) for x in range(6)], max_tokens=1)
    assert [each.text for each in answers] == [fake.steered_text(0, x)[:1] for x in range(6)]
    assert native.images == images
    assert native.decoded == decoded + 6


def test_more_places_than_fit_at_once(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, context=256) as model:
        scene = model.look(np.zeros((112, 160), np.uint8))
        places = [Point(16 * (x % 10), 0) for x in range(20)]
        answers = scene.describe_all(places, "", max_tokens=40)
        assert [each.text for each in answers] == [fake.steered_text(0, x % 10) for x in range(20)]
        assert scene.describe_all([]) == []


def test_a_flag_ends_answers_together(scene):
    flag = lookhere.CancelFlag()
    flag.set()
    with pytest.raises(CancelledError):
        scene.describe_all([Point(0, 0), Point(90, 20)], cancel=flag)
    with pytest.raises(CancelledError):
        scene.describe(cancel=flag)
    flag.clear()
    assert not flag.is_set()
    assert scene.describe(cancel=flag).text == fake.UNSTEERED


@pytest.mark.parametrize("queries", ["after_image", "answer", "generated"])
def test_answers_together_in_the_real_engine(builtin, queries):
    strip = generate_strip(3, panels=6, panel_size=64)
    scene = builtin.look(strip.image)
    looks = [Steering(builtin.heads, Panel(p, 6), queries=queries) for p in range(1, 7)]
    together = scene.describe_all(looks, max_tokens=8)
    for look, answer in zip(looks, together, strict=True):
        alone = scene.describe(at=look, max_tokens=8)
        assert alone.text == answer.text
        np.testing.assert_allclose(alone.gaze[0], answer.gaze[0], atol=2e-3)


def test_looks_with_other_heads_run_one_after_another(scene, head_set):
    other = lookhere.HeadSet(head_set.model, ((0, 0), (2, 1)), queries="answer")
    answers = scene.describe_all([None, Steering(other, Point(0, 0)), Point(90, 20), Point(20, 0)])
    assert [each.text for each in answers] == [
        fake.UNSTEERED, fake.steered_text(0, 0), fake.steered_text(1, 5), fake.steered_text(0, 1),
    ]  # fmt: skip


def test_answers_together_respect_the_budget(engine, pair, head_set):
    with lookhere.load(pair[0], heads=head_set, kv_budget=0) as model:
        scene = model.look(STRIP)
        answers = scene.describe_all([Point(16 * x, 0) for x in range(6)], max_tokens=500)
        assert [each.text for each in answers] == [fake.steered_text(0, x) for x in range(6)]
        assert model.session.context <= 1024


def test_where_memory_is_short_one_after_another(model, monkeypatch):
    """A cache that would hold everything does not fit; one for what is asked does."""
    from lookhere.kv import memory

    scene = model.look(STRIP)
    token = model.session._cache._token_bytes
    monkeypatch.setattr(memory, "available", lambda: int((900 - model.session.context) * token))
    answers = scene.describe_all([Point(16 * x, 0) for x in range(6)], max_tokens=500)
    assert [each.text for each in answers] == [fake.steered_text(0, x) for x in range(6)]
    assert model.session.context <= 900


def test_a_flag_is_heard_while_another_thread_computes(scene, monkeypatch):
    """A caller waits for the step of another, not for its whole answer, and can be cancelled meanwhile."""
    run = scene.stream()
    next(run)
    inside, go_on, flag, outcome = threading.Event(), threading.Event(), lookhere.CancelFlag(), []
    decode = fake.Session.decode

    def slow(session, *args, **options):
        inside.set()
        assert go_on.wait(30)
        decode(session, *args, **options)

    monkeypatch.setattr(fake.Session, "decode", slow)
    steps = []
    reading = threading.Thread(target=lambda: steps.append(next(run)))
    reading.start()
    assert inside.wait(30)

    def wait():
        try:
            outcome.append(scene.describe(cancel=flag))
        except CancelledError as error:
            outcome.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    flag.set()
    waiting.join(30)
    assert isinstance(outcome[0], CancelledError)
    go_on.set()
    reading.join(30)
    assert steps[0].text == fake.UNSTEERED[1]


def test_what_is_cancelled_keeps_the_image(scene):
    scene.describe()
    images = images_read(scene)
    flag = lookhere.CancelFlag()
    flag.set()
    for ask in (scene.describe, lambda **options: scene.describe_all([Point(0, 0), Point(90, 20)], **options)):
        with pytest.raises(CancelledError):
            ask(cancel=flag)
        assert scene.describe().text == fake.UNSTEERED
    assert images_read(scene) == images


def test_a_cancelled_question_keeps_the_image(scene, monkeypatch):
    scene.describe()
    images = images_read(scene)
    with monkeypatch.context() as patch:

        def cancelled(*args, **kwargs):
            raise fake.Cancelled("cancelled")

        patch.setattr(fake.Session, "decode", cancelled)
        with pytest.raises(CancelledError):
            scene.describe("Another question?")
    assert scene.describe("Another question?").text == fake.UNSTEERED
    assert images_read(scene) == images
