"""The tutorial is run as it stands, on the built-in model: what it says is what comes out."""

import re
from pathlib import Path

import lookhere
import pytest
from lookhere.errors import OptionError
from lookhere.lab import charts
from lookhere.notebook.shown import as_html

PAGE = (Path(__file__).parents[2] / "docs/tutorial.md").read_text()
CELLS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_tutorial(builtin, monkeypatch, capsys):
    shown, space = [], {}
    monkeypatch.setattr(lookhere, "show", lambda value, image=None: shown.append((value, as_html(value, image))))
    said = []
    for number, cell in enumerate(CELLS):
        exec(compile(cell, f"tutorial.md, cell {number + 1}", "exec"), space)
        said.append(capsys.readouterr().out)
    titles = [value.title for value, _ in shown if isinstance(value, charts.Chart)]
    assert titles == re.findall(r'charts\.\w+\(\s*"([^"]*)"', PAGE)
    assert all(len(page) < 100_000 for _, page in shown)
    text = "".join(said)

    captions = space["strip"].captions
    assert captions[3] in text  # the box is on the fourth panel
    pieces = next(each for each in said if each.startswith(captions[0].split()[0])).split()
    assert pieces[-4:] == captions[4].split()[-4:]  # the sentence ends with panel 5
    assert "into 4 rows of 24 image tokens" in " ".join(PAGE.split())
    assert (space["scene"].grids[0].rows, space["scene"].grids[0].cols) == (4, 24)

    share = space["share"]
    assert share[:5].mean() < 0.3  # deeper in the model many look at the panel asked about
    assert share[5:].mean() > 0.6
    assert space["found"].verdict.word == "found"
    assert len(space["shared"]) >= len(space["found"].heads.heads) / 2

    right = {name: sum(counts) for name, counts in space["scores"].items()}
    assert right.pop("gaze heads") > 30
    assert max(right.values()) < 12
    by_count = {int(k): sum(each) for k, each in space["counts"].items()}
    assert by_count[1] < by_count[2] < max(by_count[4], by_count[8]) > by_count[40] >= by_count[80]
    narration = [captions[number - 1] for number in (2, 5, 1)]
    assert [each for each in str(space["walk"].said()).split("\n") if each][:3] == narration
    with pytest.raises(lookhere.ClosedError):  # the last cell closes the model
        space["scene"].describe()


def test_the_figures_that_it_tells_of_are_drawn():
    bars = charts.bars("A <b>", {"unsteered": [1, 0], "gaze heads": [6, 6]}, 6, "below")
    page = as_html(bars)
    assert "A &lt;b&gt;" in page
    assert ">8%<" in page
    assert ">100%<" in page
    assert page.count("<svg") == 2
    lines = as_html(charts.lines("By number", {"1": [0], "2": [3], "4": [6]}, 6, "heads"))
    heights = [float(each) for each in re.findall(r'<circle[^>]* cy="([\d.]+)"', lines)]
    assert heights == sorted(heights, reverse=True)
    assert as_html(charts.heads("All", [[0, 1], [1, 0]], framed=[(0, 1)])).count('class="outline"') == 1
    stairs = as_html(charts.staircase("Looks", [[1, 0], [0, 1], [0, 1]], [1]))
    assert stairs.count('class="rule"') == 1
    for page in (as_html(bars), lines, stairs):
        assert not re.search(r"<script|https?://(?!www\.w3\.org)", page)
        style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
        for selectors in re.findall(r"([^{}]+){", style):  # nothing else of the notebook is dressed
            assert selectors.startswith("@media") or all(".lookhere-chart" in each for each in selectors.split(","))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: charts.bars("t", {}, 6), lambda: charts.bars("t", {"a": [7]}, 6), lambda: charts.bars("t", [1], 6),
        lambda: charts.bars("t", {"a": []}, 6), lambda: charts.lines("t", {"a": ["1"]}, 6, "k"),
        lambda: charts.bars("t", {"a": [1]}, 0), lambda: charts.staircase("t", "text"),
        lambda: charts.heads("t", [1, 2]), lambda: charts.heads("t", [[1], [2, 3]]),
        lambda: charts.heads("t", [[float("nan")]]),
    ],
)  # fmt: skip
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(OptionError, match="expected"):
        wrong()
