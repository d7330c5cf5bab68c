"""Head sets in JSON."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lookhere import HeadSet, HeadSetError
from lookhere.loading import builtin as registry
from lookhere.loading.gguf import Header
from lookhere.loading.head_choice import match
from lookhere.steering.head_set import ModelFacts, to_dict
from PIL import Image


def test_written_is_read(head_set, tmp_path):
    head_set.write(tmp_path / "heads.json")
    assert HeadSet.read(tmp_path / "heads.json") == head_set
    ranking = HeadSet(
        head_set.model, [[3, 1], [1, 0], [0, 0]], scores=(0.5, 0.25, 0), prompt="What?", evidence={"k": [1, 2]}
    )
    ranking.write(str(tmp_path / "heads.json"))
    assert HeadSet.read(str(tmp_path / "heads.json")) == ranking
    assert ranking.top(2).heads == ((3, 1), (1, 0))
    assert ranking.top(2).scores == (0.5, 0.25)
    assert ranking.layers == (0, 1, 3)
    with pytest.raises(HeadSetError, match="top"):
        ranking.top(4)
    assert [path.name for path in tmp_path.iterdir()] == ["heads.json"]


@st.composite
def listed(draw):
    """A head set, and a ranking in its evidence that may share heads with it."""
    every = st.tuples(st.integers(0, 5), st.integers(0, 5))
    own = draw(st.lists(every, min_size=1, max_size=6, unique=True))
    ranking = draw(st.lists(every, max_size=20, unique=True))
    scores = draw(st.sampled_from([(), tuple(range(len(own)))]))
    made = HeadSet(
        ModelFacts("m", "fake", 6, 6), own, scores=scores, evidence={"ranking": [list(head) for head in ranking]}
    )
    return made, ranking


@given(listed())
def test_top_goes_on_with_the_ranking(found):
    head_set, ranking = found
    own = head_set.heads
    assert head_set.ranked == (*own, *(head for head in ranking if head not in own))
    before = ()
    for k in range(1, len(head_set.ranked) + 1):
        top = head_set.top(np.int8(k))
        assert len(top.heads) == k
        assert top.heads[:-1] == before  # one more is one more
        assert top.scores == (head_set.scores[:k] if k <= len(own) else ())
        assert (top.push, top.readers, top.evidence) == (head_set.push, head_set.readers, head_set.evidence)
        before = top.heads
    assert head_set.top(len(own)) == head_set
    if tuple(ranking[: len(own)]) == own:  # nothing was added or removed
        assert all(head_set.top(k).heads == tuple(ranking[:k]) for k in range(1, len(ranking) + 1))
    for wrong in (0, -1, len(before) + 1, 10**5000, 1.0, True, None, "2", [1]):
        with pytest.raises(HeadSetError, match=f"expected 1 to {len(before)}"):
            head_set.top(wrong)


@pytest.mark.parametrize(
    "ranking", [5, "ab", {}, [5], [[1]], [[1, 2, 3]], [[1.0, 2]], [[-1, 0]], [["a", "b"]], [[99, 0]]]
)
def test_a_ranking_that_is_none(head_set, ranking):
    wrong = replace(head_set, evidence={"ranking": ranking})
    assert wrong.top(2) == wrong  # nothing of it is read for what the set has by itself
    with pytest.raises(HeadSetError, match=r"ranking|layer 99"):
        wrong.top(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": None}, {"model": "m"}, {"heads": None}, {"heads": 5}, {"heads": [5]}, {"heads": [(0, 0, 0)]},
        {"heads": [("a", 0)]}, {"heads": []}, {"heads": itertools.repeat((0, 0))}, {"heads": [(10**5000, 0)]},
        {"readers": 5}, {"readers": [(0.5, 1)]}, {"scores": 5}, {"scores": [None, None]}, {"scores": [1]},
        {"evidence": 5}, {"source": 5}, {"prompt": 5}, {"push": 5},
    ],
)  # fmt: skip
def test_what_a_head_set_is_not_made_of(head_set, wrong):
    with pytest.raises(HeadSetError) as caught:
        HeadSet(**{"model": head_set.model, "heads": head_set.heads, **wrong})
    assert len(str(caught.value)) < 400


def test_where_head_sets_are_not_read_or_written(head_set):
    for path in (None, 5, "a\0b", b"\xff\0", object()):
        with pytest.raises(HeadSetError, match="expected the path"):
            HeadSet.read(path)
        with pytest.raises(HeadSetError, match="expected the path"):
            head_set.write(path)
    with pytest.raises(HeadSetError, match="no form in JSON"):
        replace(head_set, evidence={"k": object()}).write("heads.json")
    assert not Path("heads.json").exists()
    with pytest.raises(HeadSetError, match="ModelFacts"):
        head_set.check("Fake")


def test_a_failed_write_leaves_the_old_file(head_set, tmp_path):
    (tmp_path / "heads.json").mkdir()
    with pytest.raises(HeadSetError, match="cannot be written"):
        head_set.write(tmp_path / "heads.json")
    with pytest.raises(HeadSetError, match="cannot be written"):
        head_set.write(tmp_path / "none" / "heads.json")
    assert [path.name for path in tmp_path.iterdir()] == ["heads.json"]


def changed(head_set, **changes):
    return {key: value for key, value in {**to_dict(head_set), **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version is 2; expected 1"),
        ({"format": "other"}, "format is 'other'"),
        ({"colour": 1}, "unknown key colour"),
        ({"heads": ...}, "heads is missing"),
        ({"heads": []}, "at least one"),
        ({"heads": [{"layer": 4, "head": 0}]}, "layer 4, head 0"),
        ({"heads": [{"layer": 0, "head": 2}]}, "layer 0, head 2"),
        ({"heads": [{"layer": -1, "head": 0}]}, "from 0 on"),
        ({"heads": [{"layer": True, "head": 0}]}, "whole number"),
        ({"heads": [{"layer": 0}]}, "head is missing"),
        ({"heads": [[0, 1]]}, "an object"),
        ({"heads": [{"layer": 0, "head": 0}] * 2}, "listed twice"),
        ({"heads": [{"layer": 0, "head": 0, "score": 1}, {"layer": 1, "head": 0}]}, "all or none"),
        ({"strength": -1}, "from 0 to 10000"),
        ({"strength": "5"}, "a number"),
        ({"mode": "boost"}, "one of"),
        ({"share": 1.5}, "from 0 to 1"),
        ({"queries": "none"}, "one of"),
        ({"prompt": 3}, "text"),
        ({"prompt": "\ud800"}, "valid Unicode"),
        ({"evidence": []}, "object"),
        ({"model": {"name": "m"}}, "model.architecture is missing"),
    ],
)
def test_wrong_files(head_set, tmp_path, changes, message):
    path = tmp_path / "heads.json"
    path.write_text(json.dumps(changed(head_set, **changes)))
    with pytest.raises(HeadSetError, match=re.escape(message)) as caught:
        HeadSet.read(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"strength": NaN}', b"[]", b"null"])
def test_what_is_no_head_set(tmp_path, content):
    (tmp_path / "heads.json").write_bytes(content)
    with pytest.raises(HeadSetError, match=r"heads\.json"):
        HeadSet.read(tmp_path / "heads.json")
    with pytest.raises(HeadSetError, match="as lookhere discover writes it"):
        HeadSet.read(tmp_path / "missing.json")
    with pytest.raises(HeadSetError, match="cannot be read"):
        HeadSet.read(tmp_path)


@pytest.mark.parametrize("ranking", [[{"layer": 0, "head": 1}], {"model": "m", "heads": [{"layer": 0, "head": 1}]}])
def test_a_published_ranking_is_told_how_it_becomes_a_head_set(tmp_path, ranking):
    (tmp_path / "ranking.json").write_text(json.dumps(ranking))
    with pytest.raises(HeadSetError, match="lookhere discover --from-ranking"):
        HeadSet.read(tmp_path / "ranking.json")


def test_check_against_a_model(head_set):
    head_set.check(ModelFacts("it", "fake", 4, 2))
    with pytest.raises(HeadSetError, match="layer 3, head 1"):
        head_set.check(ModelFacts("it", "fake", 3, 2))
    with pytest.raises(HeadSetError, match="architecture other"):
        head_set.check(ModelFacts("it", "other", 4, 2))


def test_every_shipped_head_set_is_valid_and_the_schema_names_the_same_keys(head_set):
    folder = registry.package_folder("heads")
    schema = json.loads((folder / "schema.json").read_text())
    for path in folder.glob("*.json"):
        if path.name != "schema.json":
            assert set(to_dict(HeadSet.read(path))) <= set(schema["properties"])
    full = HeadSet(head_set.model, head_set.heads, prompt="What?", scores=(1, 2), readers=((0, 0),))
    assert set(to_dict(full)) == set(schema["properties"])
    assert set(schema["required"]) == {"format", "version", "model", "heads"}


@pytest.mark.parametrize(
    ("name", "architecture", "heads", "best", "files"),
    [
        ("qwen3-vl-2b", "qwen3vl", 16, 10, ("Qwen3 VL 2B Instruct", "Qwen3-VL-2B-Instruct-Q4_K_M")),
        ("qwen2-vl-7b", "qwen2vl", 28, 90, ("Qwen2 VL 7B Instruct", "Qwen2-VL-7B-Instruct-Q8_0")),
    ],
)
def test_published_head_sets_say_what_they_are_and_are_found(name, architecture, heads, best, files):
    published = HeadSet.read(registry.package_folder("heads") / f"{name}.json")
    assert "arXiv" in published.source
    assert published.source.endswith("2026. Published, not measured again here.")
    assert re.fullmatch(r"2026-\d\d", published.evidence["published"])
    assert published.evidence["k"].startswith(f"K = {best} ")
    assert len(published.heads) == best
    listed = [tuple(head) for head in published.evidence["ranking"]]
    assert len(set(listed)) == 100
    assert tuple(listed[:best]) == published.heads
    assert published.top(best + 10).heads == tuple(listed[: best + 10])
    assert max(layer for layer, _ in listed) < 28
    assert max(head for _, head in listed) < heads
    for file in files:
        model = ModelFacts(file, architecture, 28, heads)
        assert match(model, Path("model.gguf"), Header(architecture)).head_set == published


def test_lookup_by_model_facts(monkeypatch):
    sets = [
        HeadSet(ModelFacts("Qwen/Qwen2-VL-7B-Instruct", "qwen2vl", 28, 28), ((1, 1),)),
        HeadSet(ModelFacts("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2vl", 28, 28), ((2, 2),)),
    ]
    monkeypatch.setattr(registry, "shipped", lambda: [(Path("heads.json"), each) for each in sets])

    def find(name, layers=28):
        found = match(ModelFacts(name, "qwen2vl", layers, 28), Path("model.gguf"), Header("qwen2vl"))
        return found and found.head_set

    assert find("Qwen2.5 VL 7B Instruct") is sets[1]
    assert find("Qwen2-VL-7B-Instruct-Q4_K_M") is sets[0]
    assert find("Qwen2 VL 7B") is sets[0]
    assert find("Other") is None
    assert find("") is None
    assert find("Qwen2-VL-7B-Instruct", layers=36) is None


def test_the_other_number_of_heads_in_the_docs(pair, head_set, engine, monkeypatch, tmp_path, capsys):
    page = (Path(__file__).parents[2] / "docs/heads.md").read_text()
    monkeypatch.chdir(tmp_path)
    head_set.write("heads.json")
    every = ModelFacts("Fake", "fake", 4, 2).every_head
    replace(head_set, heads=every).write("ranking.json")
    Image.fromarray(np.full((32, 96, 3), 200, np.uint8)).save("strip.png")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(code.replace("top(40)", "top(5)"), "heads.md", "exec"), space := {})
    assert space["forty"].heads == every[:5]
    assert space["forty"].push == head_set.push
    assert capsys.readouterr().out.strip()


def test_the_example_in_the_docs(tmp_path):
    page = (Path(__file__).parents[2] / "docs/heads.md").read_text()
    (tmp_path / "heads.json").write_text(page.split("```json\n")[1].split("```")[0])
    found = HeadSet.read(tmp_path / "heads.json")
    defaults = HeadSet(found.model, found.heads)
    for key, value in (
        ("strength", defaults.strength), ("mode", defaults.mode), ("queries", defaults.queries),
        ("share", defaults.share),
    ):  # fmt: skip
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{key}` |"))
        assert line.rstrip(" |").split("|")[-1].strip(" `") == (f"{value:g}" if isinstance(value, float) else value)
    described = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))))
    assert described >= set(json.loads((registry.package_folder("heads") / "schema.json").read_text())["properties"])


def test_a_models_head_set_is_one_that_fits_it(model, head_set):
    for wrong in (5, "heads.json", [(1, 0)], head_set.heads):
        for name in ("head_set", "heads"):
            with pytest.raises(HeadSetError, match="expected a HeadSet"):
                setattr(model, name, wrong)
    other = HeadSet(ModelFacts("Other", "fake", 99, 99), ((98, 0),))
    with pytest.raises(HeadSetError, match="names layer 98, head 0; the model has layers 0 to 3"):
        model.head_set = other
    assert model.head_set == model.heads == head_set
    model.heads = None
    assert model.head_set is None
