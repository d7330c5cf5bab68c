"""Naming: the words in which a model is asked about a panel, or about an object, that the question names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import checks, questions
from ..errors import OptionError, PromptError
from ..questions import ORDINALS

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_PANEL = ("ordinal", "number")
_LABEL = ("label",)


@dataclass(frozen=True)
class Naming:
    """question: with {ordinal} or {number} for the panel, and {panels} for how many there are; or with {label} for an
    object; None for the paper's wording. ordinals: what stands for {ordinal}, from the first panel on.

    OptionError, PromptError where a value is wrong.
    """

    question: str | None = None
    ordinals: tuple[str, ...] = ORDINALS

    def __post_init__(self) -> None:
        given = checks.items(self.ordinals)
        if given is None or not all(isinstance(each, str) and each.strip() for each in given) or len(given) < 2:
            raise OptionError(
                f"ordinals={checks.short(self.ordinals)}; expected words for the panels in their order, as first, "
                "second, third."
            )
        if len(set(given)) < len(given):
            raise OptionError(f"ordinals={checks.short(self.ordinals)}; expected another word for each panel.")
        object.__setattr__(self, "ordinals", tuple(checks.text("ordinals", each.strip()) for each in given))
        if self.question is None:
            if self.ordinals != ORDINALS:
                raise OptionError("ordinals are given without a question to put them in; expected one with {ordinal}.")
            return
        text = checks.text("question", self.question)
        for name in _PLACEHOLDER.findall(text):
            if name not in (*_PANEL, *_LABEL, "panels"):
                raise OptionError(
                    f"question={checks.short(text)} has {{{name[:20]}}}; expected {{ordinal}} or {{number}} for a "
                    "panel, {panels} for how many there are, or {label} for an object."
                )
        if not (self.names_panels or self.names_labels):
            raise OptionError(
                f"question={checks.short(text)} names nothing; expected {{ordinal}} (first, second) or {{number}} "
                "(1, 2) where it names a panel, or {label} where it names an object."
            )

    @property
    def names_panels(self) -> bool:
        """Whether it can ask about a panel."""
        return self.question is None or any(f"{{{name}}}" in self.question for name in _PANEL)

    @property
    def names_labels(self) -> bool:
        """Whether it can ask about an object."""
        return self.question is None or "{label}" in self.question

    def of_panel(self, panel: int, panels: int) -> str:
        """The question about a panel, from 0, of so many. OptionError where there is no word for it."""
        if self.question is None:
            return questions.ordinal(panel, panels)
        values = {"number": str(panel + 1), "panels": str(panels)}
        if "{ordinal}" in self.question:
            if panels > len(self.ordinals):
                raise OptionError(
                    f"ordinals={checks.short(self.ordinals)} are {len(self.ordinals)} words; expected {panels}, one "
                    "for each panel."
                )
            values["ordinal"] = self.ordinals[panel]
        return self._filled(values)

    def of_label(self, label: str) -> str:
        """The question about an object."""
        if self.question is None:
            return questions.named(label)
        label = label.strip().rstrip(".")
        return self._filled({"label": label[:1].lower() + label[1:]})

    def _filled(self, values: Mapping[str, str]) -> str:
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), str(self.question))

    @property
    def words(self) -> str:
        """For people and for JSON: the question with its placeholders."""
        return self.question or questions.ORDINAL.replace("{n}", "{panels}").replace("{k}", "{ordinal}")

    def as_dict(self) -> dict[str, Any]:
        """For evidence in JSON."""
        ordinals = {} if self.ordinals == ORDINALS else {"ordinals": list(self.ordinals)}
        return {"question": self.question, **ordinals}

    @classmethod
    def of_evidence(cls, evidence: Mapping[str, Any]) -> Naming:
        """The wording that heads were found with, as a head set's evidence tells; the paper's if it tells none."""
        found = evidence.get("wording")
        try:
            return cls(found.get("question"), tuple(found.get("ordinals", ORDINALS))) if found else cls()
        except (OptionError, PromptError, AttributeError, TypeError):  # of another hand
            return cls()


OURS: tuple[Naming, ...] = (
    Naming(),
    Naming("What is happening in the {ordinal} panel from the left?"),
    Naming("What happens in panel {number}?"),
)
"""Tried one after the other where a model does not answer the first: the paper's, and two that are shorter."""

PROMPTS = (questions.AMBIGUOUS, "What is happening?", questions.IMAGE)
"""The same for the question that names no place."""


def wanted(given: Naming | None, ours: Sequence[Naming] = OURS) -> tuple[Naming, ...]:
    """The wordings to try, in order: the one that is given, then ours."""
    return tuple(dict.fromkeys((*([given] if given else []), *ours)))
