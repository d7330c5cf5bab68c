"""What strips and scenes are asked: the paper's wordings (Gaze Heads, arXiv 2606.14703) and our own."""

from __future__ import annotations

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

GENERAL = "Describe what is shown here in one sentence."
"""Asked where neither the user nor the head set says otherwise. It names no place: the gaze decides."""

TEXT = "What is said here? Answer in one sentence."
"""The same for a text."""

IMAGE = "Describe this image."
"""The same for the built-in model, which learned this wording for strips and for scenes, and not the general one."""

AMBIGUOUS = "What is the main action or event happening in this comic strip? Answer briefly."
"""The paper's question without a place in it: the gaze decides."""

POINTED = "describe each panel in order as I point you to them"
"""Asked where the gaze is moved during the answer."""

POINTED_PLACES = "describe each place in order as I point you to it"
"""The same where there are no panels."""

POINTED_TEXT = "tell what each part of the text says in order as I point you to it"
"""The same in a text."""

NARRATION = "describe what happens in each panel, in order"

PANEL = "What is happening in this panel of the comic strip?"
"""The paper's static narration."""

ORDINAL = (
    "Look carefully at this {n}-panel comic strip. What is happening in the {k} panel from the left? Answer briefly."
)
"""The paper's question about one panel of a strip of n."""

OBJECT = "What is the main object in this part of the image? Answer in a few words."


def ordinal(panel: int, panels: int) -> str:
    """The paper's question about one panel (from 0) of a strip."""
    return ORDINAL.format(n=NUMBERS[panels - 1], k=ORDINALS[panel])


def named(label: str) -> str:
    """A question about an object that only its label names, where the image has one such object."""
    label = label.strip().rstrip(".")
    return f"Look carefully at this image. Describe the {label[:1].lower()}{label[1:]}. Answer briefly."
