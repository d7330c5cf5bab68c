"""Kinds: the three models by their names."""

from __future__ import annotations

from gemma import Gemma3
from llava import Llava
from smolvlm import SmolVLM

KINDS = {"llava": Llava, "smolvlm": SmolVLM, "gemma3": Gemma3}
