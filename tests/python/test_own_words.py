"""Discovery in a model's own words: a model that was trained on other wordings than the paper's, and one that does not
know the pictures. Both are told as what they are, and a weak head set carries its mark to whoever loads it."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import jsonschema
import lookhere
import lookhere.comics
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from lookhere import HeadSet, LookhereError, UnknownPicturesError, WeakHeadSetWarning, questions
from lookhere.cli import main
from lookhere.comics import generate_strip
from lookhere.lab import calibration
from lookhere.lab.bench import Answers, Measured
from lookhere.lab.coco import read_coco
from lookhere.lab.corpus import captioned_strips
from lookhere.lab.discovery import Options, discover
from lookhere.lab.evaluation import Options as EvaluationOptions
from lookhere.lab.evaluation import evaluate
from lookhere.lab.familiarity import familiarity
from lookhere.lab.judging import nearest
from lookhere.lab.naming import OURS, PROMPTS, Naming, wanted
from lookhere.lab.ranking import read_ranking
from lookhere.lab.report import markdown
from lookhere.lab.understanding import Understanding, _understand
from lookhere.lab.verdict import of_measured
from lookhere.lab.work import Silent
from lookhere.steering.facts import ModelFacts
from planted_engine import GAZE, PLANTED
from test_material import labelled

SMALL = {"strips": 4, "calibration": 2, "panel_size": 64, "readers": 0}
COMMAND = ["--strips", "4", "--calibration", "2", "--panel-size", "64", "--readers", "0"]
OWN = {"words": r"Panel no\. (\d), please", "prompt": "Tell me something"}
SCHEMA = Path(lookhere.__file__).parent / "data/heads/schema.json"


@pytest.fixture
def taught(planted, monkeypatch):
    """Teaches the planted model words of its own; fewer settings are tried, for the time that it takes."""
    monkeypatch.setattr(calibration, "FIRST", (5.0,))
    monkeypatch.setattr(calibration, "CHANGES", 0)

    def teach(**words):
        for name, value in words.items():
            setattr(planted, name, value)
        return planted

    return teach


@pytest.fixture
def command(taught, planted_files, tmp_path):
    """Runs lookhere discover on the planted model; the result, and the head set where one was written."""

    def run(*arguments, **words):
        taught(**words)
        out = tmp_path / "heads.json"
        result = CliRunner().invoke(main, ["discover", str(planted_files[0]), "-o", str(out), *COMMAND, *arguments])
        return result, HeadSet.read(out) if out.exists() else None

    return run


@pytest.mark.filterwarnings("default::lookhere.WeakHeadSetWarning")
def test_other_wordings_than_the_papers_are_not_found_in_silence(command, planted_files, tmp_path):
    """The story of a small qwen3vl: no head at the final prompt token, a head set that steers no better than chance."""
    result, heads = command(**OWN)
    assert result.exit_code == 3, result.output
    for naming in OURS:
        assert f'2 of 12 questions rightly: "{naming.words}"' in result.stderr
    assert "The verdict is weak: 16.7% of 12 steered answers" in result.stderr
    assert "--question" in result.stderr
    assert heads.evidence["worth"]["verdict"] == "weak"
    assert heads.evidence["judge"] == "exact"
    assert heads.evidence["wording"]["familiar"]["known"]
    jsonschema.validate(json.loads((tmp_path / "heads.json").read_text()), json.loads(SCHEMA.read_text()))
    with pytest.warns(WeakHeadSetWarning, match=r"hardly steers this model: 16\.7% of 12 .*--question"):
        lookhere.load(planted_files[0], heads=tmp_path / "heads.json").close()
    strip = tmp_path / "strip.png"
    lookhere.comics.generate_strip(1).image.save(strip)  # as the planted engine sees it
    arguments = ["describe", str(strip), "--model", str(planted_files[0]), "--heads", str(tmp_path / "heads.json")]
    told = CliRunner().invoke(main, [*arguments, "--panel", "2/6"])
    assert told.exit_code == 0, told.output
    assert told.stderr.startswith("Warning: The head set for Fake hardly steers this model")


def test_where_no_head_is_found_it_says_what_to_try(command):
    result, heads = command(blind=True, **OWN)
    assert (result.exit_code, heads) == (4, None), result.output
    assert "The verdict is none" in result.stderr
    assert "Ask in the words that it was trained on, as --question" in result.stderr


def test_in_its_own_words_the_same_model_is_steered(command, planted_files, tmp_path):
    asked = ["--question", "Panel no. {number}, please", "--prompt", "Tell me something"]
    result, heads = command(*asked, **OWN)
    assert result.exit_code == 0, result.output
    assert '12 of 12 questions rightly: "Panel no. {number}, please"' in result.stderr
    assert set(heads.heads) <= set(PLANTED)
    assert heads.prompt == "Tell me something"
    assert heads.evidence["chosen_by"]["accuracy"] == 1
    assert heads.evidence["worth"]["verdict"] == "found"
    assert Naming.of_evidence(heads.evidence) == Naming("Panel no. {number}, please")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lookhere.load(planted_files[0], heads=tmp_path / "heads.json").close()


def test_another_language(taught, planted_files):
    ordinals = ("ersten", "zweiten", "dritten", "vierten", "fünften", "sechsten")
    taught(words=r"im (\w+) von \d Bildern", ordinals=ordinals, prompt="Was")
    with lookhere.load(planted_files[0]) as model:
        question = "Was geschieht im {ordinal} von {panels} Bildern?"
        found = discover(model, Options(**SMALL, question=question, ordinals=ordinals, prompt="Was ist da?"))
    assert found.verdict.word == "found"
    assert found.understood.tried[0].share == 1
    assert set(found.heads.heads) <= set(PLANTED)
    assert found.heads.evidence["wording"]["ordinals"] == list(ordinals)


def test_our_wordings_are_tried_by_themselves(command):
    number = OURS[2].question.replace("{number}", r"(\d)").replace("?", r"\?")
    result, heads = command("--calibration", "2", words=number, prompt=PROMPTS[0])
    assert result.exit_code == 0, result.output
    tried = [each["question"] for each in heads.evidence["wording"]["unsteered"]]
    assert tried == [naming.words for naming in OURS]
    assert f'So it is asked: "{OURS[2].words}"' in result.stderr
    assert set(heads.heads) <= set(PLANTED)


def test_a_model_that_does_not_know_the_pictures_is_told_as_that(command):
    result, heads = command(constant="Something else entirely.")
    assert result.exit_code == 5, result.output
    assert heads is None
    assert "does not know these pictures (generated strips)" in result.stderr
    assert "0 of 12 of those to questions that name a panel are right" in result.stderr
    assert "--comics" in result.stderr
    assert "--text" in result.stderr


@pytest.mark.parametrize("known", [True, False])
def test_labelled_pictures_that_it_does_not_know(taught, planted_files, tmp_path, known):
    taught(constant="" if known else "Something else entirely.")
    for index in range(5):  # as the planted engine sees the same
        lookhere.comics.generate_scene(50 + index, objects=3)
    options = Options(strips=2, calibration=3, readers=0, coco=labelled(tmp_path / "mine", 5))
    with lookhere.load(planted_files[0]) as model:
        if known:
            assert discover(model, options).understood.familiar.known
        else:
            with pytest.raises(UnknownPicturesError, match=r"images in mine.*50%"):
                discover(model, options)


def test_an_evaluation_asks_in_the_words_that_heads_were_found_with(taught, planted_model):
    taught(**OWN)
    evidence = {"wording": {"question": "Panel no. {number}, please"}, "judge": "exact"}
    planted_model.head_set = replace(GAZE, prompt="Tell me something", evidence=evidence)
    options = {"strips": 1, "seen": 0, "maps": 0, "examples": 0, "panel_size": 64, "protocols": ("ordinal", "vqa")}
    found = evaluate(planted_model, EvaluationOptions(**options, controls=1))
    assert found.judges == ("exact", "overlap")
    assert found.find("ordinal", "unsteered").share() == 1
    assert found.find("own", "gaze heads").share() == 1
    assert found.find("own", "all heads").share() == 0
    assert found.find("vqa", "gaze heads").share() == pytest.approx(1 / 6)
    planted_model.head_set = replace(GAZE, evidence={"worth": {"verdict": "weak", "why": "hardly any"}})
    paper = evaluate(planted_model, EvaluationOptions(**options, controls=0))
    assert paper.judges == ("overlap",)
    assert paper.find("ordinal", "unsteered").share() < 0.5
    assert "marked them: weak, hardly any." in markdown(paper)


def test_without_pictures_to_ask_about_heads_are_ranked_all_the_same(taught, planted_files):
    taught(**OWN)
    with lookhere.load(planted_files[0]) as model:
        found = discover(model, Options(**{**SMALL, "calibration": 0}, question="Panel no. {number}, please"))
    assert found.verdict.word == "unmeasured"
    assert set(found.ranking.heads[:3]) == set(PLANTED)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--question", "What happens?"], "names nothing"),
        (["--question", "What is in {panel}?"], "has {panel}"),
        (["--question", "What is the {label}?"], "names no panel"),
        (["--question", "What is in panel {number}?", "--scenes"], "names no object"),
        (["--ordinals", "eins,zwei"], "needs --question"),
        (["--question", "Bild {number}", "--ordinals", "eins,zwei"], "with {ordinal}"),
        (["--question", "Im {ordinal} Bild?", "--ordinals", "ersten"], "ordinals="),
        (["--question", "Im {ordinal} Bild?", "--ordinals", "a,a,b,c,d,e"], "another word"),
        (["--text", "--scenes"], "--scenes means nothing with --text"),
        (["--text", "--mmproj", "x.gguf"], "--mmproj means nothing with --text"),
    ],
)
def test_wrong_use(command, arguments, says):
    result, heads = command(*arguments)
    assert (result.exit_code, heads) == (2, None), result.output
    assert says in result.stderr


def test_too_few_ordinals_for_the_panels(command):
    result, heads = command("--question", "Im {ordinal} Bild?", "--ordinals", "ersten,zweiten")
    assert (result.exit_code, heads) == (1, None), result.output
    assert "2 words; expected 6" in result.stderr


def test_the_papers_words():
    assert [Naming().of_panel(k, 6) for k in range(6)] == [questions.ordinal(k, 6) for k in range(6)]
    assert Naming().of_label("Red car.") == questions.named("Red car.")
    assert Naming("{number} of {panels}: {ordinal}").of_panel(2, 6) == "3 of 6: third"
    assert wanted(OURS[1]) == (OURS[1], OURS[0], OURS[2])


@given(st.text(max_size=40), st.integers(2, 10))
def test_a_question_is_put_as_it_is_written(text, panels):
    """Whatever stands around the placeholders comes out as it went in, and no two panels are asked alike."""
    try:
        naming = Naming(text + "{number}")
    except LookhereError:
        return
    asked = [naming.of_panel(k, panels) for k in range(panels)]
    assert len(set(asked)) == panels
    if "{" not in text:
        assert asked == [f"{text}{k + 1}" for k in range(panels)]


@given(st.permutations("abcdefghijkl"), st.integers(2, 4), st.text("abcdefghijkl .", max_size=30))
def test_one_answer_for_all_pictures_is_chance(letters, size, said):
    """Whatever it is, what it wins on one picture it loses on another."""
    captions = [[f"{each}{each}" for each in letters[at : at + size]] for at in range(0, 12, size)]
    words = " ".join(f"{each}{each}" for each in said.split())
    assert familiarity([[words]] * len(captions), captions).share == 0.5


def test_familiarity_by_hand():
    strips = [generate_strip(seed).captions for seed in range(8)]
    right = familiarity([list(each) for each in strips], strips)
    assert (right.share, right.known, right.count) == (1, True, 48)
    shifted = familiarity([list(strips[(k + 1) % 8]) for k in range(8)], strips)
    assert shifted.share == 0
    same = familiarity([["Pig plays guitar on the beach."]] * 8, strips)
    assert not same.known
    assert not familiarity([["Fox fox fox."]] * 8, strips).known
    assert familiarity([["x"]], strips[:1]) is None
    labels = [["cat", "dog"], ["cup", "dog"]]
    assert familiarity([["a cat"], ["the cup on a table"]], labels, labelled=True).near == 2
    assert familiarity([["a dog"], ["a dog"]], labels, labelled=True) is None  # both have one, which tells nothing
    people = [["person", "cat"], ["person", "cup"], ["person", "tie"], ["dog", "bed"]]
    assert familiarity([["A person."]] * 4, people, labelled=True).near == 1  # of two: it is in one and not the other
    seen = familiarity([["A person."], ["a cup"], ["a man in a tie"], ["a dog"]], people, labelled=True)
    assert (seen.near, seen.count, seen.known) == (3, 3, True)


def test_scripts_without_spaces_are_judged_by_their_signs():
    captions = ["猫在雪地里骑自行车", "熊在沙滩上吃冰淇淋", "ペンギンが台所で歌う"]
    assert nearest("一只熊在吃冰淇淋", captions) == 1
    assert nearest("ペンギンが歌っている", captions) == 2


@pytest.mark.parametrize(
    ("right", "asked", "word"),
    [
        ((6, 6), (6, 6), "found"),
        ((4, 0), (6, 6), "weak"),  # too few to tell
        ((1, 2, 1, 2, 1, 2), (6,) * 6, "weak"),  # 25 %
        ((2, 3, 2, 3, 2, 3), (6,) * 6, "found"),
        ((0, 0, 0, 0), (6,) * 4, "weak"),
    ],
)
def test_verdicts(right, asked, word):
    understood = Understanding(Naming(), (), "What?", 1.0, "exact", None)
    assert of_measured(Measured({}, (right, asked)), 6, understood).word == word


@pytest.mark.parametrize(
    "read",
    [
        lambda path: Options(images=path),
        lambda path: read_coco(path, path),
        lambda path: read_ranking(path, ModelFacts("Fake", "fake", 4, 4)),
        lambda path: captioned_strips(path, 3),
    ],
)
@given(st.integers(1, 5000))
def test_a_long_name_is_not_repeated_whole(read, length):
    """Whoever names a file that is none gets a message that a person can read."""
    with pytest.raises(LookhereError) as raised:
        read(Path("x" * length))
    assert len(str(raised.value)) < 700


class Said:
    """A bench on which a model has answered already: panels that are named with their captions, and the prompt so."""

    def __init__(self, open_answers):
        self.strips = [generate_strip(seed).captions for seed in range(len(open_answers))]
        self.open = open_answers
        self.progress = Silent()

    def said(self, kind, name, ask):
        texts = self.strips if kind == "ordinal" else [(text,) for text in self.open]
        return tuple(
            Answers(tuple(each), tuple(range(len(each))), captions)
            for each, captions in zip(texts, self.strips, strict=True)
        )


@pytest.mark.parametrize(
    ("captions", "judge"),
    [(4, "exact"), (1, "exact"), (0, "overlap")],  # all; a mixture now and then; another style of its own
)
def test_exact_match_is_the_judge_only_where_the_prompt_gives_captions(captions, judge):
    strips = [generate_strip(seed).captions for seed in range(4)]
    answers = [each[0] if index < captions else f"It shows {each[1].lower()}" for index, each in enumerate(strips)]
    found = _understand(Said(answers), None, "What?")
    assert found.judge == judge
    assert found.answers
    assert found.familiar.known
    assert found.prompt == "What?"
