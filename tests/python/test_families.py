"""The table of families: whole, as the pinned source has it, as the docs tell it, and what loading makes of it."""

import re
import sys
import warnings
from pathlib import Path

import gguf_files as files
import lookhere
import pinned
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import ImagePart, Message
from lookhere.families import FAMILIES, HEARING, family_of, image_markers, projector_kinds
from lookhere.loading.doctor import examine
from lookhere.loading.pair import find_pair
from lookhere.loading.projector import unverified, warn_if_unverified
from lookhere.prompt.chat import CHATML, ChatTemplate

KINDS = [(family, kind) for family in FAMILIES for kind in family.projectors]
IMAGE = ImagePart(None)
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "families.md"


def test_every_kind_of_the_pinned_source_is_in_the_table_once():
    known = [kind for _, kind in KINDS] + list(HEARING)
    assert sorted(known) == sorted(pinned.kinds().values())


def test_what_libmtmd_puts_around_an_image_is_what_the_table_says():
    around = {"qwen2.5o": pinned.all_around()["qwen2.5vl_merger"], **pinned.all_around()}
    for family, kind in KINDS:
        if not family.refused:
            assert family.begin in (around[kind].begins or {""}), kind
            assert family.end in (around[kind].ends or {""}), kind


def test_a_family_is_told_whole():
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.projectors
        assert family.architectures
        if family.refused:
            assert not family.verified
        else:
            assert family.tokens
            assert family.cell
            assert family.resize
    assert family_of("nothing") is None
    assert "deepseekocr" not in projector_kinds()
    assert set(projector_kinds()) < {kind for _, kind in KINDS}


def test_verified_are_those_that_tests_run():
    """The families with a recipe, which tests/families makes and runs one by one."""
    sys.path.append(str(ROOT / "tools"))
    from families.table import RECIPES

    run = {recipe.projector for recipe in RECIPES.values()}
    for family in FAMILIES:
        if family.verified:
            assert not run.isdisjoint(family.projectors), family.name


def quoted(kinds):
    return ", ".join(f"`{kind}`" for kind in kinds)


def test_the_page_has_the_table():
    text = PAGE.read_text()
    lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in text.splitlines()]
    rows = {cells[0]: cells[1:] for cells in lines if len(cells) > 5}
    for family in FAMILIES:
        if family.refused:
            assert f"| {family.name} | {quoted(family.projectors)} | {family.refused} |" in text
            continue
        assert rows[family.name] == [
            quoted(family.projectors),
            family.tokens,
            family.cell,
            family.tiles or "one grid",
            family.resize,
            family.positions,
            family.template or "unverified",
            family.verified_on or "not verified",
            family.limits.replace("|", r"\|"),
        ], family.name
    for kind in HEARING:
        assert f"`{kind}`" in text


@pytest.fixture
def written(tmp_path):
    """Writes a pair of files whose projector is of a kind."""

    def write(kind, **more):
        files.write(tmp_path / "model.gguf", {**files.LANGUAGE, "qwen3vl.n_deepstack_layers": 0})
        facts = {**files.PROJECTOR, "clip.projector_type": kind, "clip.vision.is_deepstack_layers": [False], **more}
        files.write(tmp_path / "mmproj.gguf", facts)
        return tmp_path / "model.gguf", tmp_path / "mmproj.gguf"

    return write


@pytest.mark.parametrize(("family", "kind"), KINDS, ids=[kind for _, kind in KINDS])
def test_a_family_loads_warns_or_is_refused(written, family, kind):
    model, mmproj = written(kind)
    if family.refused:
        with pytest.raises(lookhere.ProjectorError, match=re.escape(family.refused)) as caught:
            find_pair(model, mmproj)
        for words in (kind, family.name, "Take a model of another family", "docs/families.md"):
            assert words in str(caught.value)
        assert family.refused in examine(model).problems[0]
        return
    assert find_pair(model, mmproj) == (model, mmproj)
    if family.verified:
        warn_if_unverified(mmproj)  # a warning would be an error
        return
    with pytest.warns(lookhere.UnverifiedFamilyWarning, match=re.escape(family.name)) as told:
        warn_if_unverified(mmproj)
    assert [warning.filename for warning in told] == [__file__]
    assert unverified(family) in examine(model).steps


def test_loading_warns_once_in_the_callers_name(engine, pair, monkeypatch):
    monkeypatch.setattr("lookhere.loading.projector.projector_kind", lambda header: "gemma3nv")
    with pytest.warns(lookhere.UnverifiedFamilyWarning, match="Gemma 3n") as told:
        lookhere.load(pair[0]).close()
    assert [warning.filename for warning in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lookhere.UnverifiedFamilyWarning)
        lookhere.load(pair[0]).close()


@pytest.mark.parametrize("kind", HEARING)
def test_what_hears_is_refused(written, kind):
    with pytest.raises(lookhere.ProjectorError, match=f"{kind}, which sees nothing"):
        find_pair(*written(kind))


def test_older_files_that_state_another_width_load(written):
    pair = written("mlp", **{"clip.vision.projection_dim": 768})
    assert find_pair(*pair) == pair


def template_of(family, marker):
    """Turns with lists of parts, or texts; the family's marker for an image."""
    return (
        "{% for m in messages %}[{{ m.role }}]{% if m.content is string %}{{ m.content }}{% else %}"
        "{% for c in m.content %}{% if c.type == 'image' %}" + marker + "{% else %}{{ c.text }}{% endif %}{% endfor %}"
        "{% endif %}/{% endfor %}[model]"
    )


SEEING = [family for family in FAMILIES if family.markers]
WRAPPED = {family: (family.begin + family.markers[0] + family.end).strip() for family in SEEING}
WRITTEN = [(family, marker) for family in SEEING for marker in (*family.markers, WRAPPED[family])]
TEXT = st.text("ab <|>[]\né", min_size=1, max_size=6).filter(str.strip)
PARTS = st.tuples(st.lists(st.just(IMAGE), max_size=3), TEXT)
USER = PARTS.flatmap(lambda drawn: st.permutations([*drawn[0], drawn[1]]))


@given(st.sampled_from(WRITTEN), st.none() | TEXT, st.lists(st.tuples(USER, TEXT), max_size=2), USER, st.booleans())
def test_every_marker_becomes_its_image_once(written_by, system, before, last, own):
    """In any conversation: begin and end once around each image, no marker left, every text kept, all in order."""
    family, marker = written_by
    said = [(("user", user), ("assistant", (answer,))) for user, answer in before]
    turns = [Message(role, tuple(parts)) for both in said for role, parts in both]
    first = [] if system is None else [Message("system", (system,))]
    messages = [*first, *turns, Message("user", tuple(last))]
    pieces = ChatTemplate(template_of(family, marker), family=family if own else None).pieces(messages)
    images = 0
    made = ""
    for piece in pieces:
        made += f"\N{WHITE SQUARE}{images}." if piece.kind == "image" else piece.text
        images += piece.kind == "image"
    expected, count = "", 0
    for message in messages:
        expected += f"[{message.role}]"
        for part in message.parts:
            if isinstance(part, str):
                expected += part
            else:
                around = (family.before.replace("{index}", str(count)), family.after) if own else ("", "")
                expected += f"{around[0]}\N{WHITE SQUARE}{count}.{around[1]}"
                count += 1
        expected += "/"
    assert made == expected + "[model]"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.projectors[0])
def test_a_template_of_texts_alone_gets_what_the_family_writes_after_an_image(family):
    pieces = ChatTemplate(CHATML, family=family).pieces([Message("user", (IMAGE, IMAGE, "Hm?"))])
    made = "".join("\N{WHITE SQUARE}" if piece.kind == "image" else piece.text for piece in pieces)
    images = [
        family.before.replace("{index}", str(k)) + "\N{WHITE SQUARE}" + family.after + family.in_text for k in (0, 1)
    ]
    assert made == f"<|im_start|>user\n{images[0]}{images[1]}Hm?<|im_end|>\n<|im_start|>assistant\n"


def test_markers_are_patterns_the_familys_own_first():
    known = image_markers(family_of("gemma3"))
    assert re.fullmatch(known[0], "<start_of_image><image_soft_token><image_soft_token><end_of_image>")
    assert len(known) == len(set(known)) == len(image_markers())
