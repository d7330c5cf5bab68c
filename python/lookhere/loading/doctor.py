"""What is known of a model before it is loaded: whether it can be, what it will need, and what to do next.

Headers are read and no weights, so that a file of 20 GB takes no longer than its table of tokens.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import HubError, ModelFileError, ProjectorError, TemplateError
from ..families import Family, family_of
from ..kv import memory
from ..prompt.chat import CHATML, ChatTemplate
from ..prompt.message import ImagePart, Message
from ..steering.head_set import ModelFacts
from . import builtin
from .gguf import Header, read_header
from .head_choice import Match, match, of_base
from .not_here import not_here
from .pair import Given, Located, is_alone, locate, model_path, without_eyes
from .projector import check_projector, misfit, projector_kind, projector_path, unverified
from .split import parts_of

AGAIN = "Mend this, and run lookhere doctor again."
_BATCH = 512  # tokens that are computed at once
_IMAGE_TOKENS = 1024  # of the image that the guess is for
_PATCHES = 4  # of an image token


@dataclass(frozen=True)
class LanguageModel:
    """quantization: may be empty. context: tokens in training. size: bytes of all its files."""

    files: tuple[str, ...]
    name: str
    architecture: str
    parameters: int
    quantization: str
    context: int
    layers: int
    heads: int
    size: int


@dataclass(frozen=True)
class Projector:
    """kind: as the file names it. family: '' where it is not known. why: it does not fit, '' where it does. given: it
    was named, not found beside the model."""

    file: str
    kind: str
    family: str
    size: int
    why: str
    given: bool


@dataclass(frozen=True)
class Memory:
    """Bytes. weights: of both files. context: keys and values of 1,000 tokens in F16. compute: a guess. free: None
    where the system does not say."""

    weights: int
    context: int
    compute: int
    free: int | None

    @property
    def needed(self) -> int:
        """For a conversation of 1,000 tokens."""
        return self.weights + self.context + self.compute


@dataclass(frozen=True)
class Template:
    """own: the file brings one. why: it cannot be used, '' where it can."""

    own: bool
    why: str = ""


@dataclass(frozen=True)
class Report:
    """here: it is on this machine. problems: why it cannot be loaded. steps: what to do next. head_set: the name of the
    model that it was found on, None where none is known. head_set_by: how it was told that it is this model's."""

    model: LanguageModel | None = None
    projector: Projector | None = None
    memory: Memory | None = None
    template: Template | None = None
    head_set: str | None = None
    head_set_by: str = ""
    problems: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    here: bool = True

    @property
    def loads(self) -> bool:
        """Whether it can be loaded, as far as headers tell."""
        return not self.problems

    @property
    def vision(self) -> bool:
        """Whether it sees: there is a projector that fits."""
        return self.projector is not None and not self.projector.why


def examine(model: Given | None = None, *, mmproj: Given | None = None) -> Report:
    """A report on a model: a file, a folder or a name, None for the built-in one. What is wrong stands in the report.

    Nothing is fetched: of a name that is not on this machine the report says what would be.
    """
    try:
        if (missing := not_here(model, mmproj)) is not None:
            return Report(problems=(missing.why,), steps=missing.steps, here=False)
        located = locate(model, mmproj, offline=True)
        path = model_path(located.path)
        header = read_header(path)
        files = parts_of(path, header)
    except (ModelFileError, ProjectorError, HubError) as error:
        return Report(problems=(str(error),), steps=(AGAIN,))
    language = _language_model(header, files)
    found, problems = _projector(path, header, located, named=mmproj is not None and model is not None)
    if not header.text("tokenizer.ggml.model"):
        problems.append(f"{path.name!r} has no tokenizer; expected a whole language model. Fetch it again.")
    needs = _memory(header, language, found)
    if needs.free is not None and needs.weights > needs.free:
        problems.append(
            f"The weights take {needs.weights / 2**30:.1f} GiB; {needs.free / 2**30:.1f} GiB of memory are free. Close "
            "other programs, or take a smaller quantization of the model."
        )
    facts = ModelFacts(language.name, language.architecture, language.layers, language.heads)
    own = builtin.builtin_head_set() if model is None else None
    heads = Match(own, "file", "") if own else match(facts, path, header, located.names)
    report = Report(
        language,
        found,
        needs,
        _template(header, family_of(found.kind) if found else None, sees=found is not None),
        None if heads is None else heads.head_set.model.name,
        "" if heads is None else heads.how,
        tuple(problems),
    )
    words = located.as_given or (str(path), *(("--mmproj", found.file) if found else ()))
    steps = _steps(report, heads, "" if model is None else shlex.join(words), without_eyes(header, path))
    return replace(report, steps=(*steps, *([of_base(heads, facts)] if heads and heads.how == "base" else [])))


def _language_model(header: Header, files: Sequence[Path]) -> LanguageModel:
    headers = [header, *map(read_header, files[1:])]
    return LanguageModel(
        files=tuple(map(str, files)),
        name=header.name or files[0].stem,
        architecture=header.architecture,
        parameters=sum(each.parameters for each in headers),
        quantization=header.quantization,
        context=header.of_model("context_length"),
        layers=header.of_model("block_count"),
        heads=header.of_model("attention.head_count"),
        size=sum(each.size for each in headers),
    )


def _projector(path: Path, model: Header, located: Located, *, named: bool) -> tuple[Projector | None, list[str]]:
    """-> the projector, where one can be read, and what is wrong with it."""
    found = None
    try:
        if located.alone:
            return None, []
        found = projector_path(located.mmproj, path, located.path)
        check_projector(found, path)
        problems = []
    except ProjectorError as error:
        if is_alone(path, located):
            return None, []
        problems = [str(error)]
    if found is None:
        return None, problems
    try:
        header = read_header(found)
    except ModelFileError:
        return None, problems
    if header.kind != "projector":
        return None, problems
    kind = projector_kind(header)
    family = family_of(kind)
    if not kind:
        problems.append(f"{found.name!r} does not say which kind of projector it is. Fetch it again.")
    return Projector(
        str(found), kind, family.name if family else "", header.size, misfit(model, header), named
    ), problems


def _memory(header: Header, model: LanguageModel, projector: Projector | None) -> Memory:
    vision = read_header(Path(projector.file)) if projector else None
    return Memory(
        weights=model.size + (projector.size if projector else 0),
        context=1000 * _cache_bytes(header, model),
        compute=_compute_bytes(header, vision),
        free=memory.available(),
    )


def _cache_bytes(header: Header, model: LanguageModel) -> int:
    """Of the keys and values of one token, in F16."""
    each = header.values.get(f"{header.architecture}.attention.head_count_kv")
    heads = (
        sum(map(int, each))
        if isinstance(each, tuple)
        else model.layers * (header.of_model("attention.head_count_kv") or model.heads)
    )
    heads //= header.of_model("full_attention_interval") or 1  # the layers between are recurrent
    width = header.of_model("embedding_length") // max(1, model.heads)
    key = header.of_model("attention.key_length") or width
    value = header.of_model("attention.value_length") or width
    return heads * (key + value) * 2


def _compute_bytes(header: Header, vision: Header | None) -> int:
    """Of what is computed on the way: the widest rows of a batch, and those of an image in the projector. A guess."""
    words = header.whole("tokenizer.ggml.tokens")
    rows = words + 4 * header.of_model("embedding_length") + 3 * header.of_model("feed_forward_length")
    needed = 4 * _BATCH * rows
    if vision is not None:
        wide = vision.whole("clip.vision.embedding_length"), vision.whole("clip.vision.feed_forward_length")
        needed += 4 * _IMAGE_TOKENS * _PATCHES * (4 * wide[0] + 2 * wide[1])
    return needed


def _template(header: Header, family: Family | None, *, sees: bool) -> Template:
    source = header.text("tokenizer.chat_template")
    question = Message("user", (ImagePart(None), "What is in the image?") if sees else ("What is said?",))
    try:
        ChatTemplate(source or CHATML, family=family).pieces([question])
    except TemplateError as error:
        return Template(bool(source), str(error))
    return Template(bool(source))


def _steps(report: Report, heads: Match | None, files: str, alone: str) -> list[str]:
    """files: the model as a command line takes it; '' for the built-in one. alone: what to know where it has no
    projector."""
    if not report.loads or report.model is None:
        return [AGAIN]
    steps = []
    if report.template and report.template.why:
        steps.append("Give a chat template that takes images: load(..., chat_template=...).")
    if report.projector is None:
        return [*steps, alone, *_steps_of_text(heads, files)]
    family = family_of(report.projector.kind)
    if family is not None and not family.verified:
        steps.append(unverified(family))
    elif (
        files
        and report.model.architecture not in (family.architectures if family else ())
        and not builtin.knows_drawings_alone(read_header(Path(report.projector.file), brief=True))
    ):
        steps.append(
            f"Try it first without a region: language models of the architecture {report.model.architecture} are not "
            "among those that are known to work."
        )
    needs = report.memory
    if needs and needs.free is not None and needs.needed > needs.free:
        steps.append("Memory is short: keep conversations short, or load with context=1024 and kv_type='q8_0'.")
    asked = "lookhere describe picture.jpg --box 40,60,220,300" + (f" --model {files}" if files else "")
    if heads is None:
        steps.append(f"Find the heads that steer it: lookhere discover {files} -o heads.json")
        asked += " --heads heads.json"
    steps.append(f"Ask about a part of a picture: {asked}")
    return steps


def _steps_of_text(heads: Match | None, files: str) -> list[str]:
    steps = []
    asked = f"lookhere describe notes.txt --model {files} --paragraph 1"
    if heads is None:
        steps.append(f"Find the heads that steer it: lookhere discover {files} --text -o heads.json")
        asked += " --heads heads.json"
    return [*steps, f"Ask about a part of a text: {asked}"]
