"""Heads found on text alone: which tokens hold a stretch of text, attention to them, and a prior that says so."""

import itertools
import json
import sys
from pathlib import Path

import fake_engine as fake
import jsonschema
import lookhere
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lookhere import HeadSet, PromptError, WeakHeadSetWarning
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.lab.discovery_options import Options
from lookhere.lab.naming import Naming
from lookhere.lab.ranking import read_ranking
from lookhere.lab.results import paper_ranking
from lookhere.lab.scoring import shared
from lookhere.lab.text import NAMING, discover_text, segment_attention, tally_texts
from lookhere.loading.language import load_language_model
from lookhere.prompt.layout import Layout
from lookhere.prompt.stretches import read_stretches
from lookhere.steering.head_set import ModelFacts
from planted_engine import HEADS, LAYERS, PLANTED, bias_of_place, text_of

SCHEMA = Path(lookhere.__file__).parent / "data/heads/schema.json"
CAPTIONS = generate_strip(3).captions


class Pieces:
    """A tokenizer whose tokens are these texts."""

    def __init__(self, texts):
        self.texts = texts

    def piece(self, token):
        return self.texts[token]


@given(st.lists(st.text("ab é\n", min_size=1, max_size=4), min_size=1, max_size=12), st.data())
def test_tokens_hold_what_they_share_of_a_stretch(texts, data):
    """Against every byte by itself; tokens may cut a stretch, and a letter, anywhere."""
    whole = "".join(texts).encode()
    cuts = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=20))})
    pieces = [whole[a:b] for a, b in itertools.pairwise(cuts)]
    layout = Layout(tuple(range(len(pieces))))
    read, shares = read_stretches(Pieces(pieces), layout, texts)
    assert shares.shape == (len(texts), len(read.run))
    begins = np.cumsum([0, *map(len, pieces)])
    at = 0
    for text, row in zip(texts, shares, strict=True):
        stop = at + len(text.encode())
        for token, share in zip(read.run, row, strict=True):
            held = sum(at <= byte < stop for byte in range(begins[token], begins[token + 1]))
            assert share == pytest.approx(held / len(pieces[token]))
        at = stop
    grid = read.grids[0]
    assert (grid.position, grid.rows, grid.cols) == (read.run.start, 1, len(read.run))


def test_a_text_that_the_tokens_do_not_spell():
    layout = Layout((0, 1))
    for texts in (["dog"], ["cat", "cat"], [""]):
        with pytest.raises(PromptError, match="do not spell"):
            read_stretches(Pieces([b"the c", b"at"]), layout, texts)


@pytest.fixture
def reader(engine, monkeypatch, tmp_path):
    """A text model without a projector, in which PLANTED heads look at the sentence that a question names, and at the
    one that is being said."""

    def attention(session, row=-1, *, steered=False):
        return session.rows[row]

    decode = fake.Session.decode

    def decode_rows(session, tokens, *, outputs=(), **options):
        session.rows = []
        for index, token in enumerate(tokens):
            decode(session, [token], outputs=[0] if index in outputs else [], **options)
            if index in outputs:
                session.rows.append(looks(session))

    def looks(session):
        span = session.spans[0]
        prompt, _, said = text_of(session).rpartition("assistant\n")
        sentences = prompt[: prompt.index("\n\n")].rpartition("user\n")[2].split("\n")
        fitting = [k for k, each in enumerate(sentences) if said and each.startswith(said)]
        named = [k for k in range(len(sentences)) if NAMING.of_panel(k, len(sentences)) in prompt]
        mass = np.stack([[bias_of_place(layer, head, span.cols) for head in range(HEADS)] for layer in range(LAYERS)])
        for k in fitting[:1] if said else named:
            start = sum(len(each.encode()) + 1 for each in sentences[:k])
            for layer, head in PLANTED:
                mass[layer, head] = 0
                mass[layer, head, start : start + len(sentences[k].encode())] = 0.9 / len(sentences[k].encode())
        return mass[list(session.layers)].astype(np.float32)

    class Line(fake.Span):
        """Of text: token i shows cell i, each at a position of its own."""

        def __init__(self, position, rows, cols, bias=None, cells=None):
            assert (rows, list(cells)) == (1, list(range(cols)))
            super().__init__(position, rows, cols, bias)

    monkeypatch.setattr(fake, "Span", Line)
    monkeypatch.setattr(fake.Session, "decode", decode_rows)
    monkeypatch.setattr(fake.Session, "attention", attention)
    folder = tmp_path / "alone"  # no projector beside it
    folder.mkdir()
    return fake.write_gguf(folder / "text.gguf", layers=LAYERS, heads=HEADS, context=100_000)


def test_planted_heads_are_found_on_text(reader):
    with load_language_model(reader) as model:
        at_prompt, over = segment_attention(model, CAPTIONS, NAMING.of_panel(2, 6), CAPTIONS[2])
        assert at_prompt.shape == over.shape == (LAYERS, HEADS, 6)
        for head in PLANTED:
            assert at_prompt[head].argmax() == over[head].argmax() == 2
            assert at_prompt[head][2] == pytest.approx(0.9, abs=1e-5)
        found = discover_text(model, Options(strips=4))
    assert set(found.ranking.heads[:3]) == set(PLANTED)
    assert found.verdict.word == "prior"
    assert set(found.heads.heads) <= set(PLANTED)
    assert (found.heads.queries, found.heads.evidence["read_at"]) == ("answer", "answer")
    assert found.attention["prompt"].shape == (LAYERS, HEADS, 6, 6)


def test_command(reader, tmp_path):
    out, results = tmp_path / "guess.json", tmp_path / "results"
    arguments = ["discover", str(reader), "--text", "-o", str(out), "--strips", "3", "--results", str(results)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "The verdict is prior: 3 heads" in result.stderr
    jsonschema.validate(json.loads(out.read_text()), json.loads(SCHEMA.read_text()))
    assert sorted(path.name for path in results.iterdir()) == [
        "attention.npz", "gaze_head_ranking.json", "ranking.json",
    ]  # fmt: skip
    with np.load(results / "attention.npz") as arrays:
        assert arrays["attention_answer"].shape == (LAYERS, HEADS, 6, 6)
        assert arrays["selectivity_answer"].shape == (LAYERS, HEADS)
        diagonal = np.diagonal(arrays["attention_answer"], axis1=2, axis2=3).mean(axis=-1)
        np.testing.assert_allclose(diagonal, arrays["mass_answer"], atol=1e-5)
    assert list(out.parent.glob(".*progress")) == []
    fake.write_gguf(reader.parent / "mmproj.gguf", "clip")
    with pytest.warns(WeakHeadSetWarning, match="was found on text alone"):
        lookhere.load(reader, heads=out).close()
    (results / "ranking.json").rename(tmp_path / "before.json")
    again = CliRunner().invoke(main, [*arguments, "--force", "--compare", str(tmp_path / "before.json")])
    assert "1 of the 1 heads are among its best 1" in again.stderr
    missing = CliRunner().invoke(main, [*arguments, "--force", "--compare", str(tmp_path / "none.json")])
    assert (missing.exit_code, "verdict" in missing.stderr) == (1, False)  # before the work


def test_what_is_found_on_texts_steers_a_text(reader, tmp_path):
    """The same model, prompt and heads: no warning, and the heads that are told to look are those of the file."""
    out, notes = tmp_path / "heads.json", tmp_path / "notes.txt"
    found = CliRunner().invoke(main, ["discover", str(reader), "--text", "-o", str(out), "--strips", "3"])
    assert found.exit_code == 0, found.output
    notes.write_text("\n\n".join(CAPTIONS))
    steered = ["describe", str(notes), "--model", str(reader), "--heads", str(out), "--paragraph", "3", "--json"]
    result = CliRunner().invoke(main, steered)
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    at = len("\n\n".join([*CAPTIONS[:2], ""]).encode())
    assert told["text"] == fake.steered_text(0, at)
    assert (told["steering"]["heads"], told["steering"]["queries"]) == (len(HeadSet.read(out).heads), "answer")
    assert told["prompt"] == lookhere.questions.TEXT


def test_heads_of_a_name_list_it(reader, home, tmp_path):
    """As those that are found on images do, so that they are known for the model's other files."""
    folder = home / ".lmstudio" / "models" / "a" / "Reader-One-GGUF"
    folder.mkdir(parents=True)
    (folder / "r-Q8_0.gguf").write_bytes(reader.read_bytes())
    out = tmp_path / "heads.json"
    arguments = ["discover", "a/Reader-One-GGUF", "--text", "--strips", "3", "-o", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with lookhere.load("a/Reader-One-GGUF") as model:
        assert HeadSet.read(out).model == model.facts
        assert model.facts.aliases == ("Reader-One",)


def test_a_kill_loses_nothing(reader, tmp_path):
    kept = tmp_path / "progress"
    with load_language_model(reader) as model:
        whole = discover_text(model, Options(strips=3))

        class Killed(Exception):
            pass

        class Dies:
            def __init__(self):
                self.steps = 0

            def step(self, kind, *, kept=False):
                self.steps += not kept
                if self.steps == 9:
                    raise Killed

            def plan(self, *_):
                pass

            now = note = plan

        from lookhere.lab import checkpoint

        every, checkpoint.EVERY = checkpoint.EVERY, 0
        try:
            with pytest.raises(Killed):
                discover_text(model, Options(strips=3), kept=kept, progress=Dies())
            assert kept.exists()
            rest = Dies()
            rest.steps = -100
            again = discover_text(model, Options(strips=3), kept=kept, progress=rest)
        finally:
            checkpoint.EVERY = every
    assert rest.steps == -100 + 12  # the first text was done
    assert again.heads == whole.heads
    np.testing.assert_array_equal(again.attention["answer"], whole.attention["answer"])
    assert not kept.exists()


def test_the_papers_format_comes_back(tmp_path):
    facts = ModelFacts("Fake", "fake", LAYERS, HEADS)
    ranking = HeadSet(facts, ((2, 3), (1, 0), (0, 0)), scores=(0.9, 0.5, 0.1), source="me")
    path = tmp_path / "gaze_head_ranking.json"
    path.write_text(json.dumps(paper_ranking(ranking)))
    data = json.loads(path.read_text())
    assert list(data["heads"][0]) == ["layer", "head", "score"]
    assert (data["layers"], data["heads_per_layer"]) == (LAYERS, HEADS)
    again = read_ranking(path, facts)
    assert (again.heads, again.scores) == (ranking.heads, ranking.scores)
    assert shared(ranking.top(2), ranking) == "2 of the 2 heads are among its best 2; 0.2 would be by chance."


def test_attention_to_text_in_the_real_engine(builtin):
    """Positions of text in a model that counts images otherwise; what is read sums to what there is."""
    layers, heads = builtin.facts.layers, builtin.facts.heads
    tally = tally_texts(builtin, [CAPTIONS, generate_strip(4).captions], Naming("What happens in panel {number}?"))
    assert tally.strips == 2
    for place in ("prompt", "answer"):
        a = tally.attention(place)
        assert a.shape == (layers, heads, 6, 6)
        assert (a >= 0).all()
        assert 0 < a.sum(axis=-1).max() <= 1 + 1e-5
    with load_language_model() as alone:
        both = [segment_attention(each, CAPTIONS, "What?", CAPTIONS[0]) for each in (builtin, alone)]
    for one, other in zip(*both, strict=True):
        # the projector changes nothing; what was read before, in other pieces, rounds otherwise (up to 0.002)
        np.testing.assert_allclose(one, other, atol=1e-2)
    assert "lookhere._engine" in sys.modules
