"""What is done with answers on the page: other heads, code that makes them again, keeping and saving them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from on_page import CAPTIONS, Served, answered, panel, spot

BIN = str(Path(sys.executable).parent)
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}


def code(page, language):
    page.locator("#copy").evaluate("details => { details.open = true; }")
    page.locator(f"input[name=language][value={language}]").check()
    return page.locator("#code").text_content()


def said_by(text, language, folder):
    """What the code prints, run as a reader would."""
    if language == "python":
        command = [sys.executable, "-"]
    else:
        command = ["bash", "-e", "-"]
        here = f'lookhere() {{ "{sys.executable}" -m lookhere "$@"; }}; python() {{ "{sys.executable}" "$@"; }}\n'
        text = here + text
    found = subprocess.run(
        command, input=text, cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False
    )
    assert found.returncode == 0, found.stderr
    if language == "curl":
        return json.loads(found.stdout)["choices"][0]["message"]["content"].strip()
    return found.stdout.strip()


def choose(page, arm):
    page.locator(f"input[name=arm][value={arm}]").check()


WAYS = {
    "as it is": lambda page: page.mouse.click(*spot(page, *panel(4))),
    "fewer heads, and gentler": lambda page: (
        page.locator("#count").fill("3"),
        page.locator("#strength").fill("4"),
        page.mouse.click(*spot(page, *panel(2))),
    ),
    "random heads": lambda page: (choose(page, "random"), page.mouse.click(*spot(page, *panel(3)))),
    "all heads": lambda page: (
        page.locator("#tokens").fill("12"),
        choose(page, "all"),
        page.mouse.click(*spot(page, *panel(3))),
    ),
    "another mode, enlarged": lambda page: (
        page.locator("#mode").select_option("target_share"),
        page.locator("#zoom").check(),
        page.mouse.click(*spot(page, *panel(6))),
    ),
    "a point, and a question of one's own": lambda page: (
        page.locator("input[name=tool][value=point]").check(),
        page.locator("#question").fill('What\'s here? `a` $HOME \\ "b"'),
        page.mouse.click(*spot(page, *panel(1))),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_code_makes_the_same_answer(opened, served, tmp_path, way):
    page = opened()
    WAYS[way](page)
    page.wait_for_selector("#history li")
    page.wait_for_timeout(500)
    said = answered(page)
    with page.expect_download() as image:
        page.locator("#copy").evaluate("details => { details.open = true; }")
        page.locator("#save-image").click()
    image.value.save_as(tmp_path / image.value.suggested_filename)
    for language in ("python", "shell", "curl"):
        text = code(page, language)
        assert said_by(text, language, tmp_path) == said, text


def test_the_code_loads_the_model_as_the_server_did(opened, tmp_path):
    """With heads that steer badly, which the answer shows."""
    import lookhere
    from lookhere.lab.arms import random_heads

    heads = tmp_path / "poor heads.json"
    with lookhere.load() as model:
        random_heads(model.head_set, 0, 0).write(heads)
    own = Served("serve", "--heads", str(heads))
    try:
        page = opened(own.url)
        page.mouse.click(*spot(page, *panel(4)))
        page.wait_for_selector("#history li")
        said = answered(page)
        assert said != CAPTIONS[3]
        with page.expect_download() as image:
            page.locator("#copy").evaluate("details => { details.open = true; }")
            page.locator("#save-image").click()
        image.value.save_as(tmp_path / image.value.suggested_filename)
        for language in ("python", "shell"):
            text = code(page, language)
            assert said_by(text, language, tmp_path) == said, text
    finally:
        own.stop()


def test_the_code_of_an_answer_whose_place_moved(opened, tmp_path):
    page = opened()
    text = page.evaluate(
        """async () => {
            const { python, shell } = await import('/page/snippet.js');
            const { Picture } = await import('/page/picture.js');
            const { Request } = await import('/page/request.js');
            const picture = await Picture.demo(async (url) => (await fetch(url)).blob());
            const at = (col) => ({ kind: 'panel', row: 1, col, rows: 1, cols: 6 });
            const question = document.querySelector('#question').value;
            const request = new Request({ picture, question, region: at(3), options: {}, tokens: 48 });
            const answer = { request, moves: [{ index: 1, region: at(2) }] };
            const facts = { load: {}, heads: [[7, 0]] };
            return [python(answer, facts), shell(answer, facts), picture.data];
        }"""
    )
    import base64

    (tmp_path / "strip.png").write_bytes(base64.b64decode(text[2].split(",")[1]))
    printed = said_by(text[0], "python", tmp_path)
    assert printed == "Elephant reads a book in the snow."
    assert text[1].startswith("# This is where it began; the place moved (Panel 2 of 6 from token 2 on)")


def test_the_three_results_are_felt(opened):
    page = opened()
    page.locator("#tokens").fill("16")
    right = {}
    for arm in ("gaze", "random", "all"):
        choose(page, arm)
        texts = []
        for number in range(1, 7):
            before = page.locator("#history li").count()
            page.mouse.click(*spot(page, panel(number)[0], 0.9))
            page.wait_for_function("n => document.querySelectorAll('#history li').length > n", arg=before)
            texts.append(page.locator("#history .entry span").first.text_content())
        right[arm] = sum(map(str.__eq__, texts, CAPTIONS))
    assert right["gaze"] == 6
    assert right["random"] <= 3
    assert right["all"] == 0


def test_answers_are_kept_and_saved(opened, tmp_path, browser):
    page = opened()
    for number in (3, 5):
        page.mouse.click(*spot(page, panel(number)[0], 0.9))
        answered(page, {3: "Elephant", 5: "Two"}[number])
    assert page.locator("#markers button").all_text_contents() == ["1", "2"]
    page.locator("#markers button").first.click()
    assert answered(page, "Elephant")
    assert page.locator("#place").text_content().startswith("Panel 3 of 6")
    with page.expect_download() as told:
        page.locator("#save-json").click()
    data = json.loads(Path(told.value.path()).read_text())
    assert [each["text"].strip()[:8] for each in data["answers"]] == ["Elephant", "Two blac"]
    assert data["answers"][0]["lookhere"] == {"at": {"kind": "panel", "row": 1, "col": 3, "rows": 1, "cols": 6}}
    assert data["answers"][0]["words"][1]["text"] == "reads"
    assert len(data["answers"][0]["gaze"][0]["maps"][0]["values"]) == 4 * 24
    assert data["images"][0]["data"].startswith("data:image/png;base64,")
    with page.expect_download() as told:
        page.locator("#save-html").click()
    path = tmp_path / "kept.html"
    told.value.save_as(path)
    assert not re.search('(src|href)=(?!"data:)|<script|url[(]', path.read_text())
    other = browser.new_page()
    other.goto(path.as_uri())
    assert other.locator("li").count() == 2
    assert other.locator("path").count() == 2
    assert other.locator("img").evaluate("image => image.naturalWidth") == 2304
    other.close()
    page.locator("#history .away").first.click()
    assert page.locator("#markers button").count() == 1
    page.locator("#forget").click()
    assert page.locator("#history").is_hidden()
    assert page.locator("#markers button").count() == 0


def test_an_answer_is_copied(opened):
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    text = code(page, "shell")
    page.locator("#copy-it").click()
    page.wait_for_function("() => document.querySelector('#copy-it').textContent === 'Copied'")
    assert page.evaluate("() => navigator.clipboard.readText()") == text


def test_an_answer_is_copied_where_there_is_no_clipboard(opened):
    """As on a page of another machine, without https."""
    page = opened(script="Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    text = code(page, "shell")
    page.evaluate("() => addEventListener('copy', () => { window.copied = `${getSelection()}`; })")
    page.locator("#copy-it").click()
    page.wait_for_function("() => document.querySelector('#copy-it').textContent === 'Copied'")
    assert page.evaluate("() => copied") == text
