"""The language model: facts, tokens, text."""

from pathlib import Path

import pytest
from harness import engine


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


@pytest.mark.parametrize(
    "text", ["", "a", "Ünïcödé 日本 🦊", "<|im_end|><|vision_start|>", "<__media__>", "a\0b", " x\n\n"]
)
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
