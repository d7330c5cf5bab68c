"""Evaluation on comics of the user's own: asked about beside generated strips, judged by rare words."""

import numpy as np
import pytest
from lookhere import ComicsError
from lookhere.comics import generate_strip
from lookhere.lab.corpus import folder_strips
from lookhere.lab.evaluation import Options, evaluate
from lookhere.lab.judging import Exact, Overlap
from lookhere.lab.page import page
from lookhere.lab.report import markdown

OPTIONS = Options(strips=2, seen=0, controls=0, maps=0, examples=0, panel_size=64, protocols=("vqa", "dynamic"))


def write_comics(root, *, captions=True):
    for number, seed in enumerate((3, 4, 5), start=1):
        strip = generate_strip(seed)
        folder = root / f"comic{number}"
        folder.mkdir(parents=True)
        for k, box in enumerate(strip.boxes, start=1):
            strip.image.crop(box).save(folder / f"p{k}.png")
        if captions:
            (folder / "captions.txt").write_text("\n".join(strip.captions))
    return root


def asked_about(model, root):
    return evaluate(model, Options(**{**vars(OPTIONS), "comics": root}), judges=(Exact(), Overlap()))


def test_comics_are_asked_about_too(planted_model, tmp_path):
    found = asked_about(planted_model, write_comics(tmp_path / "mine"))
    assert found.find("vqa", "gaze heads").asked == 12
    comics = found.find("vqa", "gaze heads", "comics")
    assert (comics.asked, comics.judge) == (12, "overlap")  # as many comics as strips; captions are not known by heart
    assert found.find("dynamic", "gaze heads", "comics").asked == 12
    assert "on 2 comics" in markdown(found)
    assert "2 comics" in page(found)


def test_another_comic_is_not_taken_for_the_one_before(planted_model, tmp_path):
    kept = tmp_path / "progress"
    root = write_comics(tmp_path / "mine")
    options = Options(**{**vars(OPTIONS), "comics": root, "protocols": ("vqa",)})
    before = evaluate(planted_model, options, judges=(Overlap(),), kept=kept).find("vqa", "gaze heads", "comics")
    assert before.share() == 0
    # the planted model sees nothing in them: it says "Something else entirely." of each panel
    captions = ["Something else entirely.", *(f"Nothing of number {k}." for k in range(5))]
    (root / "comic1/captions.txt").write_text("\n".join(captions))
    after = evaluate(planted_model, options, judges=(Overlap(),), kept=kept, resume=True)
    assert after.find("vqa", "gaze heads", "comics").share() == 1 / 12


def test_comics_without_captions_cannot_be_judged(planted_model, tmp_path):
    with pytest.raises(ComicsError, match=r"captions\.txt"):
        asked_about(planted_model, write_comics(tmp_path / "mine", captions=False))


@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_does_not_know_the_comics_is_told_as_that(planted, planted_model, tmp_path, known):
    """Unsteered answers that say nothing of the pictures are no junk of steering."""
    root = write_comics(tmp_path / "mine")
    for strip in folder_strips(root):
        if known:
            planted.strips[np.asarray(strip.image).tobytes()] = (strip.captions, strip.boxes)
    options = Options(**{**vars(OPTIONS), "comics": root, "protocols": ("ordinal", "vqa")})
    found = evaluate(planted_model, options, judges=(Overlap(),))
    assert found.familiar["fresh"].known
    assert found.familiar["comics"].known == known
    assert found.as_dict()["familiar"]["comics"]["known"] == known
    for text in (markdown(found), page(found)):
        assert ("does not know such pictures (comic)" in text) != known
        assert "does not know such pictures (generated" not in text
