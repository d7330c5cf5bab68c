"""Short chat templates, each with what its family writes for roles and images. The published ones do more."""

from __future__ import annotations


def turns(begin: str, end: str, image: str, answer: str, *, roles: str = "message.role", start: str = "") -> str:
    """A template that takes structured content.

    begin, end: around a message; {role} is its role. image: for an image. answer: what an answer begins with. roles:
    the role's name, in Jinja. start: before everything.
    """
    content = (
        "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
        "{% if part.type == 'image' %}{{ " + repr(image) + " }}{% else %}{{ part.text }}{% endif %}{% endfor %}"
        "{% endif %}"
    )
    before, _, after = begin.partition("{role}")
    role = "{{ " + roles + " }}" if "{role}" in begin else ""
    return (
        f"{_literal(start)}{{% for message in messages %}}{_literal(before)}{role}{_literal(after)}{content}"
        f"{_literal(end)}{{% endfor %}}{{% if add_generation_prompt %}}{_literal(answer)}{{% endif %}}"
    )


def _literal(text: str) -> str:
    """Line breaks at an end would be trimmed."""
    return "{{ " + repr(text) + " }}" if text else ""


def chatml(image: str) -> str:
    """Qwen's, InternVL's, LFM2's and many more."""
    return turns("<|im_start|>{role}\n", "<|im_end|>\n", image, "<|im_start|>assistant\n")
