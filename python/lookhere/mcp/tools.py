"""The tools: their names, what an agent is told of them, and the schemas of what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

MOST_REGIONS = 64
"""Of one call, and cells of a grid."""

MOST_TOKENS = 1000
"""Of an answer."""

TOKENS = 100
"""Of an answer where the call does not say."""

INSTRUCTIONS = (
    "Look at parts of an image with a vision-language model on this machine. The image is not cropped: the model sees "
    "all of it, and is steered to describe the part that you name. Start with look_around for an overview, then ask "
    "describe_region about a cell that matters. Pixels count from the top left corner of the upright image, and every "
    "result tells its size; percent need no size. where_is tells which place the model looked at while it described "
    "something. All tools only read."
)

IMAGE: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "The image: a path in a folder that the user allowed, absolute or relative to it, or a data URI "
    "(data:image/png;base64,...). Web addresses are not fetched.",
    "examples": ["strip.png", "/home/me/Pictures/street.jpg"],
}
REGION: Schema = {
    "anyOf": [{"type": "string"}, {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}],
    "description": "Where to look. box:40,60,220,300 is left, top, right, bottom in pixels (right and bottom not "
    "included); box:10%,0%,50%,100% the same in percent of the image; point:120,90 or point:50%,20%; panel:3/6 the "
    "third of six panels side by side; panel:2,1/3,4 row 2, column 1 of a grid of 3 rows and 4 columns; "
    'polygon:40,60,220,60,130,300. Or an object: {"kind": "box", "x0": 40, "y0": 60, "x1": 220, "y1": 300}.',
    "examples": ["box:40,60,220,300", "box:0%,0%,50%,50%", "panel:3/6"],
}
PROMPT: Schema = {
    "type": "string",
    "description": "The question. Leave it out for the one that suits the model and the image best.",
}
MAX_TOKENS: Schema = {
    "type": "integer", "minimum": 1, "maximum": MOST_TOKENS, "default": TOKENS,
    "description": "Tokens of an answer at most.",
}  # fmt: skip
ZOOM: Schema = {
    "type": "boolean",
    "default": False,
    "description": "Enlarge what is around a small region first: for small things, and for text that is hard to read.",
}

_PAIR: Schema = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_BOX: Schema = {
    "type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4,
    "description": "left, top, right, bottom in pixels",
}  # fmt: skip
_LOOKED_AT: Schema = {
    "type": ["object", "null"],
    "description": "Where the model looked while it said this, as its attention tells; null where that is not known. "
    "share: how much of its attention to the image lay in the box, 0 to 1.",
    "properties": {"box": _BOX, "peak": _PAIR, "centre": _PAIR, "share": {"type": "number"}},
    "required": ["box", "peak", "centre", "share"],
}
_SIZE: Schema = {
    "type": "object",
    "description": "The size of the upright image in pixels.",
    "properties": {"width": {"type": "integer"}, "height": {"type": "integer"}},
    "required": ["width", "height"],
}
_TEXT: Schema = {"type": "string", "description": "What the model says."}
_FINISH: Schema = {
    "type": "string",
    "description": "Why the text ends: end, or length where max_tokens cut it (context: the model holds no more).",
}
_NOTE: Schema = {"type": ["string", "null"], "description": "What to know before you rely on this; null for nothing."}
_SAID: Schema = {"text": _TEXT, "finish": _FINISH, "looked_at": _LOOKED_AT}


@dataclass(frozen=True)
class ToolFacts:
    """name, title, description: what an agent reads. takes: properties of the arguments by name. needs: which of them
    it must give. gives: properties of the result."""

    name: str
    title: str
    description: str
    takes: dict[str, Schema]
    needs: tuple[str, ...]
    gives: dict[str, Schema]

    @property
    def input_schema(self) -> Schema:
        """JSON Schema of the arguments."""
        return {
            "type": "object", "properties": self.takes, "required": list(self.needs), "additionalProperties": False,
        }  # fmt: skip

    @property
    def output_schema(self) -> Schema:
        """JSON Schema of the result."""
        gives = {**self.gives, "image": _SIZE, "note": _NOTE}
        return _object(gives)


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TOOLS = (
    ToolFacts(
        "describe_region",
        "Describe a part of an image",
        "Describe one part of an image, or the whole of it where no region is given. The model sees the whole image, "
        "and is steered to the region.",
        {"image": IMAGE, "region": REGION, "prompt": PROMPT, "zoom": ZOOM, "max_tokens": MAX_TOKENS},
        ("image",),
        _SAID,
    ),
    ToolFacts(
        "describe_regions",
        "Describe several parts of an image",
        "Describe several parts of one image, an answer for each, in their order. Computed together: faster than one "
        "call for each.",
        {
            "image": IMAGE,
            "regions": {"type": "array", "items": REGION, "minItems": 1, "maxItems": MOST_REGIONS},
            "prompt": PROMPT,
            "zoom": ZOOM,
            "max_tokens": MAX_TOKENS,
        },
        ("image", "regions"),
        {"answers": {"type": "array", "items": _object(_SAID)}},
    ),
    ToolFacts(
        "where_is",
        "Find something in an image",
        "Ask the model to describe something in an image, unsteered, and tell where it looked meanwhile: looked_at, "
        "and a box for each word. This is the model's attention, not a detector: read text to see whether it means the "
        "same thing, and take a low share as a guess.",
        {
            "image": IMAGE,
            "what": {
                "type": "string", "minLength": 1, "description": "What to find, in a few words.",
                "examples": ["the red car", "the third panel"],
            },
            "prompt": {
                "type": "string", "description": "The question in place of 'Describe (what).'; what is then ignored."
            },
            "max_tokens": MAX_TOKENS,
        },
        ("image", "what"),
        {
            **_SAID,
            "words": {
                "type": "array",
                "items": _object({"text": {"type": "string"}, "box": _BOX}),
                "description": "Each word of the text, and where the model looked for it.",
            },
        },
    ),
    ToolFacts(
        "look_around",
        "Look at an image cell by cell",
        "Divide an image into a grid and describe every cell, all at once. For a comic strip of six panels in a row: "
        "rows 1, cols 6.",
        {
            "image": IMAGE,
            "rows": {"type": "integer", "minimum": 1, "maximum": MOST_REGIONS, "default": 3},
            "cols": {"type": "integer", "minimum": 1, "maximum": MOST_REGIONS, "default": 3},
            "prompt": PROMPT,
            "max_tokens": MAX_TOKENS,
        },
        ("image",),
        {
            "cells": {
                "type": "array",
                "items": _object({
                    "row": {"type": "integer"}, "col": {"type": "integer"}, "region": {"type": "string"},
                    "box": _BOX, **_SAID,
                }),
                "description": "Row by row, counted from 1. region: as describe_region takes it.",
            },
        },
    ),
)  # fmt: skip
