"""A file that was looked at before is neither decoded nor hashed again; a window is enlarged once."""

import copy
import gc
import io
import pickle
import weakref

import numpy as np
import pytest
from lookhere import Box, Mask
from lookhere.images import decode, image
from lookhere.images.image import Image
from lookhere.tokens import zoom
from lookhere.tokens.zoom import close_up, enlarged
from PIL import Image as pillow


@pytest.fixture
def decodes(monkeypatch):
    """How often a file was decoded."""
    counted = []
    real = decode.decoded

    def count(data, what, behind):
        counted.append(len(data))
        return real(data, what, behind)

    monkeypatch.setattr(decode, "decoded", count)
    monkeypatch.setattr(image, "_files", image._Files())
    return counted


def file_of(seed, kind="PNG"):
    file = io.BytesIO()
    pillow.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 96, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def test_while_it_is_in_use_a_file_is_decoded_once(decodes, tmp_path):
    data = file_of(1)
    (tmp_path / "a.png").write_bytes(data)
    first = Image.open(data)
    assert Image.open(data) is first
    by_path = Image.open(tmp_path / "a.png")
    assert by_path.name == str(tmp_path / "a.png")
    assert by_path.pixels is first.pixels
    assert by_path.fingerprint == first.fingerprint
    assert len(decodes) == 1
    assert not first.pixels.flags.writeable  # several have them


def test_after_that_its_pixels_are_decoded_when_they_are_asked_for(decodes):
    data = file_of(2)
    first = Image.open(data)
    known, pixels = first.fingerprint, first.pixels.copy()
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    again = Image.open(data)
    assert (again.width, again.height, again.fingerprint) == (96, 32, known)
    assert len(decodes) == 1
    np.testing.assert_array_equal(again.pixels, pixels)
    assert len(decodes) == 2
    assert again.pixels is again.pixels


def test_another_ground_or_another_file_is_another_image(decodes):
    file = io.BytesIO()
    pillow.new("RGBA", (4, 4), (0, 0, 0, 0)).save(file, "PNG")
    assert Image.open(file).pixels.max() == 255
    assert Image.open(file, behind="black").pixels.max() == 0
    with pytest.raises(Exception, match="nowhere to look"):
        Mask.open(file)
    changed = file_of(3), file_of(4)
    assert Image.open(changed[0]).fingerprint != Image.open(changed[1]).fingerprint


def test_a_file_that_changes_is_another_one(decodes, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(file_of(5))
    first = Image.open(path)
    path.write_bytes(file_of(6))
    assert Image.open(path).fingerprint != first.fingerprint
    assert len(decodes) == 2


def test_what_is_remembered_has_an_end(decodes, monkeypatch):
    monkeypatch.setattr(image, "REMEMBERED", 2)
    for seed in (1, 2, 3, 1, 1):
        Image.open(file_of(seed)).fingerprint  # noqa: B018
        gc.collect()
    assert len(image._files._known) == 2
    assert len(decodes) == 4  # the first was forgotten once


def test_looking_again_decodes_nothing(decodes, model):
    data = file_of(7)
    text = model.look(data).describe().text
    gc.collect()
    assert model.look(data).describe().text == text
    assert len(decodes) == 1
    assert (model.images.hits, model.images.misses, model.projector.encoded) == (1, 1, 1)


def test_a_window_is_drawn_once(model, monkeypatch):
    drawn = []
    monkeypatch.setattr(zoom, "enlarged", lambda *args: drawn.append(args) or enlarged(*args))
    scene = model.look(file_of(8))
    boxes = Box(40, 10, 48, 18), Box(41, 10, 48, 18)
    for box in boxes * 3:
        assert scene.zoom(box).part is not None
    assert len(drawn) == len(boxes)
    assert model.projector.encoded == 1 + len(boxes)


def test_a_window_reads_no_more_than_its_part():
    rng = np.random.default_rng(0)
    for _ in range(50):
        width, height = rng.integers(8, 90, 2).tolist()
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        x, y = rng.uniform(0, width / 2), rng.uniform(0, height / 2)
        part = Box(x, y, x + width / 3, y + height / 3)
        box = (part.x0, part.y0, part.x1, part.y1)
        whole = pillow.fromarray(pixels).resize((width, height), pillow.Resampling.BICUBIC, box=box)
        found = enlarged(Image(pixels, "it"), part)
        assert np.abs(found.astype(int) - np.asarray(whole)).max() <= 1  # but for rounding


def test_a_window_has_the_size_and_so_the_tokens_of_the_whole_image():
    image = Image(np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8), "it")
    near = close_up(image, Box(20, 10, 50, 30))
    assert (near.width, near.height) == (90, 60) == near.pillow().size
    assert close_up(image, Box(20, 10, 50, 30)).fingerprint == near.fingerprint
    assert len({near.fingerprint, image.fingerprint, close_up(image, Box(20, 11, 50, 31)).fingerprint}) == 3


def test_an_image_can_be_copied_and_sent():
    first = Image.open(file_of(9))
    for other in (pickle.loads(pickle.dumps(first)), copy.copy(first), copy.deepcopy(first)):
        assert other.fingerprint == first.fingerprint
        assert other.name == first.name
    assert repr(first) == "<Image bytes, 96 x 32 pixels>"
