"""The server as OpenAI's clients ask it: answers, streams, fields, errors."""

import json
from concurrent.futures import ThreadPoolExecutor

import fake_engine as fake
import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from live_server import data_uri, message, serving


@pytest.fixture
def live(model):
    with serving(model) as found:
        yield found


def steered(row, col):
    return fake.steered_text(row, col)


PANEL = {"kind": "panel", "row": 1, "col": 3, "rows": 1, "cols": 6}


def test_an_answer(live, model):
    reply = live.chat()
    assert reply.status == 200
    found = reply.json
    assert found["object"] == "chat.completion"
    assert found["model"] == "it"
    assert found["id"].startswith("chatcmpl-")
    choice = found["choices"][0]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert choice["message"] == {"role": "assistant", "content": fake.UNSTEERED, "refusal": None}
    alone = model.chat([message()])
    assert found["usage"]["prompt_tokens"] == alone.prompt_tokens
    assert found["usage"]["completion_tokens"] == len(alone.steps)
    assert found["usage"]["total_tokens"] == alone.prompt_tokens + len(alone.steps)
    assert "lookhere" not in found


def test_a_stream_is_the_answer_in_pieces(live):
    whole = live.chat(lookhere={"at": PANEL})
    reply = live.chat(lookhere={"at": PANEL}, stream=True)
    assert reply.headers["content-type"].startswith("text/event-stream")
    chunks = reply.chunks
    assert {each["object"] for each in chunks} == {"chat.completion.chunk"}
    assert len({each["id"] for each in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in chunks) == whole.text == steered(0, 2)
    reasons = [each["choices"][0]["finish_reason"] for each in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    assert not any("usage" in each for each in chunks)


def test_a_stream_with_usage_ends_with_it(live):
    chunks = live.chat(stream=True, stream_options={"include_usage": True}).chunks
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == live.chat().json["usage"] | {"prompt_tokens_details": {"cached_tokens": 0}}
    assert all(each["usage"] is None for each in chunks[:-1])


def test_turns_images_and_a_system_text(live, model):
    other = np.full((48, 48, 3), 90, np.uint8)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        message("What is it?", data_uri(), data_uri(other)),
        {"role": "assistant", "content": "A strip.", "refusal": None, "tool_calls": None, "name": "it"},
        {"role": "user", "content": "And there?", "name": "me"},
    ]
    at = {**PANEL, "image": 1}
    reply = live.chat(messages=messages, lookhere={"at": [at]})
    assert reply.status == 200, reply.body
    assert reply.text == "image 1, " + steered(0, 2)
    plain = [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        messages[2],
        {"role": "assistant", "content": "A strip."},
        {"role": "user", "content": "And there?"},
    ]
    assert reply.json["usage"]["prompt_tokens"] == model.chat(plain).prompt_tokens


@pytest.mark.parametrize(("stop", "text"), [("in", "noth"), (["xyz", "par"], "nothing in "), (None, fake.UNSTEERED)])
def test_stop(live, stop, text):
    reply = live.chat(stop=stop)
    assert reply.text == text
    assert reply.json["choices"][0]["finish_reason"] == "stop"
    chunks = live.chat(stop=stop, stream=True).chunks
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in chunks) == text


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_tokens(live, name):
    reply = live.chat(**{name: 3})
    assert (reply.text, reply.json["choices"][0]["finish_reason"]) == ("not", "length")
    assert reply.json["usage"]["completion_tokens"] == 3


def test_sampling_is_what_it_is_in_python(live, model, monkeypatch):
    from lookhere.model import Model

    seen = []
    plain = Model.run
    monkeypatch.setattr(Model, "run", lambda self, ask, **more: seen.append(ask) or plain(self, ask, **more))
    live.chat(temperature=0.7, top_p=0.9, top_k=5, min_p=0.1, repeat_penalty=1.1, seed=-1)
    sampling = seen[-1].sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.7, 0.9, 5, 0.1)
    assert sampling.repeat_penalty == 1.1
    assert sampling.seed == 2**32 - 2
    live.chat(temperature=1)
    live.chat(temperature=1)
    assert seen[-1].sampling.seed != seen[-2].sampling.seed
    live.chat()
    assert (seen[-1].sampling.temperature, seen[-1].sampling.seed) == (0.0, 0)
    assert not seen[-1].gaze


def test_habits_are_accepted_and_what_acts_is_not_lost(live):
    habits = {"user": "me", "metadata": {"a": "b"}, "store": False, "n": 1, "logprobs": False, "presence_penalty": 0,
              "frequency_penalty": 0.0, "logit_bias": {}, "response_format": {"type": "text"}, "tools": [],
              "tool_choice": "auto", "parallel_tool_calls": True, "service_tier": "auto", "top_logprobs": None,
              "cache_prompt": True, "some_new_field": 5}  # fmt: skip
    reply = live.chat(**habits)
    assert reply.text == fake.UNSTEERED
    assert reply.headers["x-lookhere-ignored"] == "some_new_field"
    assert live.chat(stream=True, **habits).headers["x-lookhere-ignored"] == "some_new_field"
    assert "x-lookhere-ignored" not in live.chat().headers


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"n": 2}, "n", "one answer"),
        ({"logprobs": True}, "logprobs", "probabilities"),
        ({"top_logprobs": 3}, "top_logprobs", "probabilities"),
        ({"tools": [{"type": "function"}]}, "tools", "no tools"),
        ({"response_format": {"type": "json_object"}}, "response_format", "plain text"),
        ({"frequency_penalty": 0.5}, "frequency_penalty", "repeat_penalty"),
        ({"temprature": 0.5}, "temprature", "did you mean temperature"),
        ({"temperature": "hot"}, "temperature", "number"),
        ({"temperature": -1}, None, "temperature=-1"),
        ({"top_p": 2}, None, "top_p=2"),
        ({"stop": ["a"] * 17}, "stop", "16"),
        ({"stop": 3}, "stop", "stop"),
        ({"stream": "yes"}, "stream", "stream"),
        ({"max_tokens": 0}, None, "max_tokens=0"),
        ({"max_tokens": 10**6}, "max_tokens", "4096"),
        ({"messages": []}, "messages", "messages"),
        ({"messages": "Hi"}, "messages", "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages", "tools"),
        ({"messages": [{"role": "robot", "content": "x"}]}, None, "robot"),
        ({"messages": [{"role": "user", "content": {"type": "text"}}]}, None, "content"),
        ({"lookhere": {"at": PANEL, "strenght": 3}}, None, "strenght"),
        ({"lookhere": {"at": {**PANEL, "col": 9}}}, None, "9"),
        ({"lookhere": {"at": "box:9"}}, None, "box:9"),
        ({"lookhere": 5}, "lookhere", "lookhere"),
        ({"lookhere": {"head_gaze": True}}, "lookhere", "stream"),
        ({"messages": None}, "messages", "messages"),
    ],
)
def test_what_is_wrong_is_named(live, fields, param, told):
    for stream in ({}, {"stream": True}):
        reply = live.chat(**{**stream, **fields})
        if fields == {"lookhere": {"head_gaze": True}} and stream:
            continue
        assert reply.status == 400, reply.body
        error = reply.error
        assert error["type"] == "invalid_request_error"
        assert told in error["message"]
        assert error["param"] == param
    assert live.chat().status == 200


def test_a_prompt_that_does_not_fit(engine, pair, head_set):
    import lookhere

    with lookhere.load(pair[0], heads=head_set, context=64) as small, serving(small) as live:
        for text in ("word " * 40, "word " * 10_000):
            reply = live.chat(messages=[message(text)])
            assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
            reply = live.chat(messages=[message(text)], stream=True)
            assert (reply.status, reply.error["code"]) == (400, "context_length_exceeded")
        assert live.chat(messages=[message("?")]).status == 200


def test_which_names_are_the_models(model, live):
    for name in ("it", "IT", "model", "Fake", None):
        assert live.chat(model=name).status == 200
    reply = live.chat(model="gpt-4o")
    assert (reply.status, reply.error["code"], reply.error["param"]) == (404, "model_not_found", "model")
    assert "'it'" in reply.error["message"]
    assert live.chat(model=5).status == 400
    with serving(model, any_model_name=True) as any_name:
        reply = any_name.chat(model="gpt-4o")
        assert (reply.status, reply.json["model"]) == (200, "it")


def test_models(live, model):
    found = live.get("/v1/models").json
    assert found["object"] == "list"
    (one,) = found["data"]
    assert (one["id"], one["object"], one["owned_by"]) == ("it", "model", "lookhere")
    assert one["lookhere"]["head_set"]["heads"] == [{"layer": 1, "head": 0}, {"layer": 3, "head": 1}]
    assert live.get("/v1/models/it").json == one
    assert live.get("/v1/models/other").status == 404


def test_other_paths_and_methods(live):
    reply = live.get("/v1/nothing")
    assert (reply.status, reply.error["code"]) == (404, "not_found")
    reply = live.get("/v1/chat/completions")
    assert reply.status == 405
    assert reply.error["type"] == "invalid_request_error"


def test_health_and_metrics(live, model):
    assert live.get("/health").json == {"status": "ok", "running": 0, "waiting": 0}
    live.chat()
    live.chat(n=2)
    text = live.get("/metrics").body.decode()
    assert 'lookhere_answers_total{finish="end"} 1.0' in text
    assert 'lookhere_errors_total{code="unsupported",status="400"} 1.0' in text
    assert "lookhere_first_token_seconds_count 1.0" in text
    assert "lookhere_answers_running 0.0" in text
    assert model.session.context > 0
    assert f"lookhere_context_tokens {float(model.session.context)}" in text
    for line in text.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2


def test_many_at_once_are_each_their_own(live, model):
    def ask(index):
        at = {"kind": "panel", "row": 1, "col": index % 6 + 1, "rows": 1, "cols": 6}
        stream = index % 2 == 1
        reply = live.chat(lookhere={"at": at}, stream=stream)
        if not stream:
            return reply.text
        return "".join(each["choices"][0]["delta"].get("content", "") for each in reply.chunks)

    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(ask, range(48))) == [steered(0, index % 6) for index in range(48)]
    live.until(lambda: live.desk.places.inside == 0)


def test_an_error_of_the_engine_is_told_and_others_go_on(live, monkeypatch):
    def fails(*_args, **_options):
        raise ValueError("/secret/path")

    with monkeypatch.context() as patch:
        patch.setattr(fake.Session, "decode_texts", fails)
        reply = live.chat()
        assert (reply.status, reply.error["type"], reply.error["code"]) == (500, "server_error", "server_failure")
        assert "secret" not in json.dumps(reply.json)
        streamed = live.chat(stream=True)
        assert streamed.status == 500
    assert live.chat().text == fake.UNSTEERED
    live.until(lambda: live.desk.places.inside == 0)


def test_an_error_amid_a_stream_is_its_last_event(live, monkeypatch):
    plain, calls = fake.Session.decode_texts, []

    def fails(self, *args, **options):
        calls.append(1)
        if len(calls) == 4:
            raise fake.EngineError("broken")
        return plain(self, *args, **options)

    monkeypatch.setattr(fake.Session, "decode_texts", fails)
    lines = live.chat(stream=True).body.decode().strip().split("\n\n")
    assert "[DONE]" not in lines[-1]
    error = json.loads(lines[-1].removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "engine_failure")
