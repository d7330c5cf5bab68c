"""Whatever a caller gives to a public name is answered by a result or by a named error, parameter by parameter.

Every name in ``lookhere.__all__``, and every method of what it makes, is called rightly but for one argument, which is
anything at all. The parameters are read from the signatures, and a method that is not in ``CALLS`` fails the test, so
that a new one cannot be forgotten.
"""

import contextlib
import dataclasses
import inspect
import signal

import lookhere
import lookhere.comics
import lookhere.heatmap
import lookhere.schedule
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lookhere import (
    Aim,
    Answer,
    Ask,
    Box,
    CancelFlag,
    DocumentPart,
    Gaze,
    HeadSet,
    ImagePart,
    LookhereError,
    Mask,
    Message,
    OnImage,
    Panel,
    Paragraph,
    Point,
    Polygon,
    Push,
    Span,
    Steering,
    Step,
    Text,
    Weighted,
    Where,
    Word,
)
from lookhere.answers.ask import OPTIONS
from lookhere.lab import discovery, evaluation
from lookhere.loading import builtin
from lookhere.regions.region import RelativeBox, RelativePoint, RelativePolygon
from wrong_values import STRIP, values

EXAMPLES = 10
"""Of each parameter."""
PATIENCE = 20
"""Seconds that a call may take."""
MOST_CHARACTERS = 3000
"""Of a message; no value is so long that a person could not read what was wrong with it."""


class World:
    """A model, and one right value of everything."""

    def __init__(self, model, head_set, pair, folder):
        self.model, self.heads, self.pair, self.folder = model, head_set, pair, folder
        self.scene = model.look(STRIP)
        self.text = model.look(Text("One.\n\nTwo."))
        self.answer = self.scene.describe(at=Panel(2, 6), max_tokens=3)
        self.everything = self.scene.describe(head_gaze="all", max_tokens=3)
        self.where = self.answer.where()
        self.aim = self.scene.aim(Panel(2, 6))
        self.steering = Steering(head_set, Panel(2, 6))
        self.ask = self.scene.ask("What?", max_tokens=2)
        self.messages = [{"role": "user", "content": [{"type": "image", "image": self.scene}, "What?"]}]
        self.schedule = lookhere.schedule.Schedule((Panel(1, 6), None), 2)

    @staticmethod
    def fields(value):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}

    def walked(self):
        walk = lookhere.schedule.Walk.begin(self.scene, self.schedule)
        list(walk)
        return walk

    def run(self):
        return self.scene.stream(at=Panel(2, 6), max_tokens=3)


def comics_in(folder):
    comic = folder / "comics/comic1"
    comic.mkdir(parents=True, exist_ok=True)
    for k in (1, 2):
        PIL.Image.fromarray(STRIP).save(comic / f"p{k}.png")
    return folder / "comics"


AT = {"at": Panel(2, 6), "max_tokens": 2}
IN_TEXT = {"at": Paragraph(2), "max_tokens": 2}
CALLS = {
    # what looks and answers
    "load": lambda w: (lookhere.load, {"model": w.pair[0], "heads": w.heads}),
    "show": lambda w: (lookhere.show, {"value": w.answer, "image": w.scene}),
    "read_back": lambda w: (lookhere.read_back, {"maps": w.answer.gaze, "frame": w.scene.frame}),
    "Model.look": lambda w: (w.model.look, {"image": STRIP, "fit": "pad"}),
    "Model.image_tokens": lambda w: (w.model.image_tokens, {"image": STRIP}),
    "Model.describe": lambda w: (w.model.describe, {"image": STRIP, **AT}),
    "Model.chat": lambda w: (w.model.chat, {"messages": w.messages, **AT}),
    "Model.stream_chat": lambda w: (w.model.stream_chat, {"messages": w.messages, **AT}),
    "Model.ask_all": lambda w: (w.model.ask_all, {"asks": [w.scene.ask(max_tokens=2)], "return_errors": False}),
    "Model.stream_asks": lambda w: (w.model.stream_asks, {"asks": [w.scene.ask(max_tokens=2)], "return_errors": False}),
    "Model.run": lambda w: (w.model.run, {"ask": w.ask}),
    "Model.unload_after": lambda w: (w.model.unload_after, {"seconds": 1000}),
    "Model.close": lambda w: (lookhere.load(w.pair[0]).close, {}),
    **{f"Model.a{name}": lambda w, name=name: twin(w, w.model, "Model", name) for name in (
        "look", "image_tokens", "describe", "chat", "stream_chat", "ask_all", "stream_asks", "run",
    )},
    "Model.aclose": lambda w: (lookhere.load(w.pair[0]).aclose, {}),
    **{f"Scene.a{name}": lambda w, name=name: twin(w, w.scene, "Scene", name) for name in (
        "zoom", "stream", "describe", "describe_all", "stream_all", "run",
    )},
    **{f"TextScene.a{name}": lambda w, name=name: twin(w, w.text, "TextScene", name) for name in (
        "stream", "describe", "describe_all", "stream_all", "run",
    )},
    "AsyncRun.look_at": lambda w: (w.scene.astream().look_at, {"at": Point(5, 5)}),
    "AsyncRun.aim_for": lambda w: (w.scene.astream().aim_for, {"at": Point(5, 5)}),
    "AsyncRun.aim_with": lambda w: (w.scene.astream().aim_with, {"aim": w.aim}),
    "AsyncRun.answer": lambda w: (begun(w.scene.astream()).answer, {"steps": w.answer.steps, "finish": "end"}),
    "AsyncRun.join": lambda w: (w.scene.astream(max_tokens=3).join, {}),
    "AsyncRun.cancel": lambda w: (w.scene.astream().cancel, {}),
    "AsyncRun.aclose": lambda w: (w.scene.astream().aclose, {}),
    "AsyncGroup.answers": lambda w: (w.scene.astream_all([Panel(1, 6)], max_tokens=2).answers, {}),
    "AsyncGroup.cancel": lambda w: (w.scene.astream_all([Panel(1, 6)]).cancel, {}),
    "AsyncGroup.aclose": lambda w: (w.scene.astream_all([Panel(1, 6)]).aclose, {}),
    "Scene.zoom": lambda w: (w.scene.zoom, {"at": Point(5, 5)}),
    "Scene.zoomed": lambda w: (w.scene.zoomed, {"at": Point(5, 5)}),
    "Scene.steering": lambda w: (w.scene.steering, {"at": Point(5, 5)}),
    "Scene.aim": lambda w: (w.scene.aim, {"at": Point(5, 5)}),
    "Scene.stream": lambda w: (w.scene.stream, AT),
    "Scene.describe": lambda w: (w.scene.describe, AT),
    "Scene.describe_all": lambda w: (w.scene.describe_all, AT),
    "Scene.stream_all": lambda w: (w.scene.stream_all, AT),
    "Scene.ask": lambda w: (w.scene.ask, AT),
    "Scene.run": lambda w: (w.scene.run, {"ask": w.ask}),
    "Scene.cover": lambda w: (w.scene.cover, {"at": Point(5, 5)}),
    "Scene.coverage": lambda w: (w.scene.coverage, {"at": Point(5, 5)}),
    "Scene.target": lambda w: (w.scene.target, {"at": Point(5, 5)}),
    "TextScene.steering": lambda w: (w.text.steering, {"at": Span(0, 2)}),
    "TextScene.aim": lambda w: (w.text.aim, {"at": Span(0, 2)}),
    "TextScene.stream": lambda w: (w.text.stream, IN_TEXT),
    "TextScene.describe": lambda w: (w.text.describe, IN_TEXT),
    "TextScene.describe_all": lambda w: (w.text.describe_all, IN_TEXT),
    "TextScene.stream_all": lambda w: (w.text.stream_all, IN_TEXT),
    "TextScene.ask": lambda w: (w.text.ask, IN_TEXT),
    "TextScene.run": lambda w: (w.text.run, {"ask": w.text.ask("What?", max_tokens=2)}),
    "TextScene.cover": lambda w: (w.text.cover, {"at": Paragraph(2)}),
    "TextScene.coverage": lambda w: (w.text.coverage, {"at": Paragraph(2)}),
    "TextScene.target": lambda w: (w.text.target, {"at": Paragraph(2)}),
    "Text": lambda w: (Text, {"document": "One."}),
    "Text.open": lambda w: (Text.open, {"source": b"One."}),
    "Run.look_at": lambda w: (w.run().look_at, {"at": Point(5, 5)}),
    "Run.aim_for": lambda w: (w.run().aim_for, {"at": Point(5, 5)}),
    "Run.aim_with": lambda w: (w.run().aim_with, {"aim": w.aim}),
    "Run.answer": lambda w: (w.run().answer, {"steps": w.answer.steps, "finish": "end"}),
    "Run.join": lambda w: (w.run().join, {}),
    "Run.cancel": lambda w: (w.run().cancel, {}),
    "Run.close": lambda w: (w.run().close, {}),
    "Group.answers": lambda w: (w.scene.stream_all([Panel(1, 6)], max_tokens=2).answers, {}),
    "Group.cancel": lambda w: (w.scene.stream_all([Panel(1, 6)]).cancel, {}),
    "Group.close": lambda w: (w.scene.stream_all([Panel(1, 6)]).close, {}),
    "CancelFlag": lambda w: (CancelFlag, {}),
    "CancelFlag.child": lambda w: (CancelFlag().child, {}),
    "CancelFlag.set": lambda w: (CancelFlag().set, {}),
    "CancelFlag.clear": lambda w: (CancelFlag().clear, {}),
    "CancelFlag.is_set": lambda w: (CancelFlag().is_set, {}),
    # what is asked
    "Ask": lambda w: (Ask, {"messages": w.messages}),
    "Ask.of": lambda w: (Ask.of, {"messages": w.messages}),
    "Message": lambda w: (Message, {"role": "user", "parts": ("What?",)}),
    "ImagePart": lambda w: (ImagePart, {"source": STRIP}),
    "DocumentPart": lambda w: (DocumentPart, {"source": "One."}),
    # where to look
    "Box": lambda w: (Box, {"x0": 0, "y0": 0, "x1": 9, "y1": 9}),
    "Box.relative": lambda w: (Box.relative, {"x0": 0, "y0": 0, "x1": 0.5, "y1": 1}),
    "Box.thousandths": lambda w: (Box.thousandths, {"x0": 0, "y0": 0, "x1": 500, "y1": 1000}),
    "Box.as_json": lambda w: (Box(0, 0, 9, 9).as_json, {}),
    "Box.on": lambda w: (Box(0, 0, 9, 9).on, {"width": 96, "height": 32}),
    "Point": lambda w: (Point, {"x": 0, "y": 0}),
    "Point.relative": lambda w: (Point.relative, {"x": 0.5, "y": 0.5}),
    "Point.thousandths": lambda w: (Point.thousandths, {"x": 500, "y": 500}),
    "Point.as_json": lambda w: (Point(1, 1).as_json, {}),
    "Point.on": lambda w: (Point(1, 1).on, {"width": 96, "height": 32}),
    "Panel": lambda w: (Panel, {"row": 1, "col": 2, "rows": 2, "cols": 6}),
    "Panel.as_json": lambda w: (Panel(2, 6).as_json, {}),
    "Panel.on": lambda w: (Panel(2, 6).on, {"width": 96, "height": 32}),
    "Span": lambda w: (Span, {"start": 0, "end": 2}),
    "Span.as_json": lambda w: (Span(0, 2).as_json, {}),
    "Paragraph": lambda w: (Paragraph, {"number": 1}),
    "Paragraph.as_json": lambda w: (Paragraph(1).as_json, {}),
    "Polygon": lambda w: (Polygon, {"corners": [(0, 0), (9, 0), (0, 9)]}),
    "Polygon.relative": lambda w: (Polygon.relative, {"corners": [(0, 0), (0.5, 0), (0, 1)]}),
    "Polygon.thousandths": lambda w: (Polygon.thousandths, {"corners": [(0, 0), (500, 0), (0, 1000)]}),
    "RelativePolygon": lambda w: (RelativePolygon, {"corners": [(0, 0), (0.5, 0), (0, 1)]}),
    "RelativePolygon.as_json": lambda w: (Polygon.relative([(0, 0), (0.5, 0), (0, 1)]).as_json, {}),
    "RelativePolygon.on": lambda w: (
        Polygon.relative([(0, 0), (0.5, 0), (0, 1)]).on, {"width": 96, "height": 32},
    ),
    "Polygon.as_json": lambda w: (Polygon([(0, 0), (9, 0), (0, 9)]).as_json, {}),
    "Polygon.on": lambda w: (Polygon([(0, 0), (9, 0), (0, 9)]).on, {"width": 96, "height": 32}),
    "Mask": lambda w: (Mask, {"values": np.ones((32, 96))}),
    "Mask.open": lambda w: (Mask.open, {"source": np.ones((32, 96))}),
    "Mask.as_json": lambda w: (Mask(np.ones((32, 96))).as_json, {}),
    "Mask.on": lambda w: (Mask(np.ones((32, 96))).on, {"width": 96, "height": 32}),
    "Weighted": lambda w: (Weighted, {"region": Point(1, 1), "weight": 0.5}),
    "Weighted.as_json": lambda w: (Weighted(Point(1, 1), 0.5).as_json, {}),
    "Weighted.on": lambda w: (Weighted(Point(1, 1), 0.5).on, {"width": 96, "height": 32}),
    "OnImage": lambda w: (OnImage, {"region": Point(1, 1), "image": 1}),
    "OnImage.as_json": lambda w: (OnImage(Point(1, 1), 1).as_json, {}),
    "RelativeBox": lambda w: (RelativeBox, {"x0": 0, "y0": 0, "x1": 0.5, "y1": 1}),
    "RelativeBox.as_json": lambda w: (Box.relative(0, 0, 0.5, 1).as_json, {}),
    "RelativeBox.on": lambda w: (Box.relative(0, 0, 0.5, 1).on, {"width": 96, "height": 32}),
    "RelativePoint": lambda w: (RelativePoint, {"x": 0.5, "y": 0.5}),
    "RelativePoint.as_json": lambda w: (Point.relative(0.5, 0.5).as_json, {}),
    "RelativePoint.on": lambda w: (Point.relative(0.5, 0.5).on, {"width": 96, "height": 32}),
    # how to steer
    "Push": lambda w: (Push, {}),
    "Push.as_json": lambda w: (Push().as_json, {}),
    "Push.image_values": lambda w: (Push().image_values, {"target": w.aim.target[0]}),
    "Push.image_bias": lambda w: (Push().image_bias, {"target": w.aim.target[0]}),
    "Push.first_query": lambda w: (Push().first_query, {"image_end": 5, "prompt_end": 9}),
    "HeadSet": lambda w: (HeadSet, {"model": w.model.facts, "heads": ((1, 0),)}),
    "HeadSet.pushed": lambda w: (w.heads.pushed, {"strength": 5}),
    "HeadSet.top": lambda w: (w.heads.top, {"k": 1}),
    "HeadSet.check": lambda w: (w.heads.check, {"model": w.model.facts}),
    "HeadSet.read": lambda w: (HeadSet.read, {"path": w.folder / "heads.json"}),
    "HeadSet.write": lambda w: (w.heads.write, {"path": w.folder / "heads.json"}),
    "Steering": lambda w: (Steering, {"heads": w.heads, "at": Panel(2, 6)}),
    "Steering.looking_at": lambda w: (w.steering.looking_at, {"at": Panel(1, 6)}),
    "Steering.changed": lambda w: (w.steering.changed, {"change": lookhere.schedule.PushChange(strength=1)}),
    "Aim": lambda w: (Aim, {"steering": w.steering, "coverage": w.aim.coverage, "target": w.aim.target}),
    "Schedule": lambda w: (lookhere.schedule.Schedule, {"targets": (Panel(1, 6),)}),
    "Schedule.parse": lambda w: (lookhere.schedule.Schedule.parse, {"text": "1,2"}),
    "Schedule.aims": lambda w: (w.schedule.aims, {"scene": w.scene}),
    "Walk.begin": lambda w: (lookhere.schedule.Walk.begin, {"scene": w.scene, "schedule": w.schedule, "max_tokens": 2}),
    "Walk.abegin": lambda w: (
        lookhere.schedule.Walk.abegin, {"scene": w.scene, "schedule": w.schedule, "max_tokens": 2},
    ),
    "Walk.close": lambda w: (lookhere.schedule.Walk.begin(w.scene, w.schedule).close, {}),
    "AsyncWalk.answer": lambda w: (lookhere.schedule.Walk.abegin(w.scene, w.schedule).answer, {}),
    "AsyncWalk.aclose": lambda w: (lookhere.schedule.Walk.abegin(w.scene, w.schedule).aclose, {}),
    "Walk.answer": lambda w: (lookhere.schedule.Walk.begin(w.scene, w.schedule).answer, {}),
    "Walk.said": lambda w: (w.walked().said, {}),
    "DiscoveryOptions": lambda w: (discovery.Options, {}),
    "EvaluationOptions": lambda w: (evaluation.Options, {}),
    "generate_strip": lambda w: (lookhere.comics.generate_strip, {"seed": 7, "panel_size": 16}),
    "generate_scene": lambda w: (lookhere.comics.generate_scene, {"seed": 7, "size": (48, 48)}),
    "load_folder": lambda w: (lookhere.comics.load_folder, {"path": comics_in(w.folder)}),
    "EvaluationOptions.as_dict": lambda w: (evaluation.Options().as_dict, {}),
    # what comes back
    "Answer": lambda w: (Answer, {**w.fields(w.answer)}),
    "Step": lambda w: (Step, {**w.fields(w.answer.steps[0])}),
    "Word": lambda w: (Word, {"text": "a", "start": 0, "stop": 1}),
    "Where": lambda w: (Where, {**w.fields(w.where)}),
    "Where.as_json": lambda w: (w.where.as_json, {}),
    "Answer.where": lambda w: (w.answer.where, {}),
    "Answer.words": lambda w: (w.answer.words, {}),
    "Answer.heatmap": lambda w: (w.answer.heatmap, {"image": STRIP}),
    "Answer.attention": lambda w: (w.everything.attention, {}),
    "Answer.save_attention": lambda w: (w.everything.save_attention, {"path": w.folder / "attention.npz"}),
    "Step.where": lambda w: (w.answer.steps[0].where, {}),
    "Word.where": lambda w: (w.answer.words()[0].where, {}),
    "Gaze": lambda w: (Gaze, {"maps": tuple(w.answer.gaze), "frames": w.answer.gaze.frames}),
    "Gaze.mean": lambda w: (Gaze.mean, {"several": [w.answer.gaze]}),
    "Gaze.on": lambda w: (w.answer.gaze.on, {"image": 1}),
    "Gaze.where": lambda w: (w.answer.gaze.where, {}),
    "heat_map": lambda w: (
        lookhere.heatmap.heat_map, {"image": w.scene.image, "maps": w.answer.gaze, "grids": w.scene.grids},
    ),
}  # fmt: skip
"""By name: what is called, and arguments that are right."""

NOT_CALLED = {
    "Model": "made by load",
    "Scene": "made by Model.look",
    "TextScene": "made by Model.look",
    "Model.tokenized": "called by Model.look, with a Text",
    "Model.encode": "called by Model.look, with what it opened",
    "Scene.of": "called by Model.look",
    "TextScene.of": "called by Model.look",
    "Span.on": "an error, whatever it is given",
    "Paragraph.on": "an error, whatever it is given",
    "Run.request": "called by a Group",
    "Run.outcome": "called with a request of its own",
    "Run.submit": "called by a task that waits for a step",
    "AsyncWalk.said": "joins steps, as Walk.said",
}

OTHERS = {
    "Run": lookhere.answers.run.Run,
    "Group": lookhere.answers.group.Group,
    "AsyncRun": lookhere.aio.run.AsyncRun,
    "AsyncGroup": lookhere.aio.group.AsyncGroup,
    "AsyncWalk": lookhere.aio.walk.AsyncWalk,
    "Schedule": lookhere.schedule.Schedule,
    "Walk": lookhere.schedule.Walk,
    "heat_map": lookhere.heatmap.heat_map,
    "RelativeBox": RelativeBox,
    "RelativePoint": RelativePoint,
    "RelativePolygon": RelativePolygon,
    "generate_strip": lookhere.comics.generate_strip,
    "generate_scene": lookhere.comics.generate_scene,
    "load_folder": lookhere.comics.load_folder,
    "DiscoveryOptions": discovery.Options,
    "EvaluationOptions": evaluation.Options,
}
"""Public, and not in __all__; of runs, groups and walks only the methods, for the package makes them."""


def surface():
    """The names of all that a caller may call."""
    found = []
    for name, thing in {**{name: getattr(lookhere, name) for name in lookhere.__all__}, **OTHERS}.items():
        if not inspect.isclass(thing):
            found += [name] if callable(thing) else []
            continue
        if issubclass(thing, BaseException):
            continue
        found += [] if name.removeprefix("Async") in ("Run", "Group", "Walk") else [name]
        for member, value in inspect.getmembers(thing):
            if not member.startswith("_") and (inspect.isfunction(value) or inspect.ismethod(value)):
                found.append(f"{name}.{member}")
    return found


def parameters(function):
    """The names that it takes; ``**options`` are those of ``AskOptions``, or of a ``Push``."""
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind == parameter.VAR_KEYWORD:
            found += OPTIONS if name == "options" else [each.name for each in dataclasses.fields(Push)]
        else:
            assert parameter.kind not in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY)
            found.append(name)
    return found


def in_loop(work):
    """What an async function gives."""
    return pytest.importorskip("anyio").run(work)


def twin(world, owner, kind, name):
    """The async method of a name, with the arguments that are right for the sync one."""
    return getattr(owner, f"a{name}"), CALLS[f"{kind}.{name}"](world)[1]


def begun(run):
    async def begin():
        return await run.__aenter__()

    return in_loop(begin)


def finish(result):
    """Reads what is read bit by bit, and says what a person would look at."""
    if inspect.iscoroutine(result) or hasattr(result, "__aiter__"):

        async def read():
            return await result if inspect.iscoroutine(result) else [each async for each in result]

        result = in_loop(read)
    if isinstance(result, lookhere.answers.run.Run | lookhere.answers.group.Group):
        with result:
            list(result)
    if isinstance(result, lookhere.schedule.Walk) or inspect.isgenerator(result):
        list(result)
    if isinstance(result, lookhere.Model):
        result.close()
    repr(result)


@contextlib.contextmanager
def in_time():
    """A call that does not come back is one that spins, or that reads what has no end."""

    def ring(*_):
        raise TimeoutError(f"no answer after {PATIENCE} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def world(model, head_set, pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtin, "builtin_files", lambda: pair)
    monkeypatch.setattr(builtin, "builtin_head_set", lambda: head_set)
    head_set.write(tmp_path / "heads.json")
    return World(model, head_set, pair, tmp_path)


def test_nothing_is_forgotten():
    assert sorted(CALLS.keys() | NOT_CALLED.keys()) == sorted(set(surface()))


@pytest.mark.parametrize("name", CALLS)
def test_right_values(world, name):
    call, right = CALLS[name](world)
    finish(call(**right))


@pytest.mark.parametrize("name", CALLS)
def test_any_value(world, name):
    taken = parameters(CALLS[name](world)[0])

    def check(parameter, value):
        call, right = CALLS[name](world)
        try:
            with in_time():
                finish(call(**{**right, parameter: value}))
        except LookhereError as error:
            said = str(error)
        else:
            return
        assert len(said) < MOST_CHARACTERS
        said.encode()

    for parameter in taken:
        right = CALLS[name](world)[1].get(parameter)
        near = st.sampled_from([right, [right], (right,), {"a": right}, [right, None], [[right]]])

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
        @given(st.just(parameter), values | near)
        def vary(parameter, value):
            check(parameter, value)

        vary()
