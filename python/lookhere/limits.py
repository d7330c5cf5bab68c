"""How much of anything there may be. The engine's own limits stand in ``cpp/engine/limits.h``; a test compares them."""

from __future__ import annotations

CONTEXT = 2**22
"""Tokens of the KV cache."""
LEAST_CONTEXT = 16
THREADS = 512
IMAGE_TOKENS = 2**16
"""Of one image."""
IMAGE_SIDE = 2**14
"""Pixels of the square that a model sees."""
IMAGE_ASPECT = 200
"""The long side of an image in short sides."""
IMAGE_PIXELS = 178_956_970
"""Larger images are refused before they are decoded; Pillow's own limit against decompression bombs."""
DOWNLOAD_BYTES = 256 * 2**20
"""Of an image file."""
TEXT_BYTES = 2**24
"""Of a text that is looked at, as UTF-8; more than any context holds."""
MEBIBYTES = 2**24
"""Of a budget of memory."""
GPU_LAYERS = 2**16
ANSWER_TOKENS = 2**31 - 1
LEAST_TEMPERATURE = 1e-6
"""Lower ones are greedy, which they tend to; the logits divided by them leave the range of a float32."""
STRENGTH = 10_000.0
"""Nats; the strength of the paper. Larger values are lost in the F16 of an attention mask."""
SCHEDULE = 10_000
"""Targets of a schedule, and tokens on one target."""
PANELS = 10_000
"""Rows or columns of a grid of panels."""
IDLE = (0.01, 1e9)
"""Seconds after which an idle model may be freed, at least and at most; less may pass between two tokens."""
ATTENTION_BYTES = 2**31
"""Of the attention of all heads over one answer."""
