"""Files that mean harm: whatever their bytes, a named error or a result, never anything else."""

import io
import json

import numpy as np
import pytest
from fake_engine import write_gguf
from hypothesis import example, given
from hypothesis import strategies as st
from lookhere import HeadSet, HeadSetError, ImageError, ModelFileError
from lookhere.image import Image
from lookhere.loading.gguf import read_header
from lookhere.steering.head_set import to_dict
from PIL import Image as pillow

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@given(st.data())
def test_gguf(folder, data):
    whole = write_gguf(folder / "whole.gguf").read_bytes()
    changed = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        if at < len(changed):
            changed[at] = byte
    (folder / "x.gguf").write_bytes(changed)
    try:
        assert read_header(folder / "x.gguf").architecture
    except ModelFileError:
        pass


@given(st.binary(max_size=200))
@example(b"GGUF\x03\0\0\0" + b"\xff" * 16)
def test_anything_as_gguf(folder, content):
    (folder / "x.gguf").write_bytes(content)
    try:
        read_header(folder / "x.gguf")
    except ModelFileError:
        pass


@given(st.data())
def test_head_sets(folder, head_set_data, data):
    changed = json.loads(json.dumps(head_set_data))
    place = changed
    for _ in range(data.draw(st.integers(1, 3))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    (folder / "heads.json").write_text(json.dumps(changed))
    try:
        found = HeadSet.read(folder / "heads.json")
    except HeadSetError:
        return
    found.write(folder / "again.json")
    assert HeadSet.read(folder / "again.json") == found


@pytest.fixture(scope="module")
def head_set_data():
    from lookhere.steering.head_set import ModelFacts

    return to_dict(
        HeadSet(ModelFacts("m", "fake", 4, 2), ((1, 0), (3, 1)), scores=(1, 0.5), prompt="?", evidence={"k": 1})
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA"])
@given(data=st.data())
def test_images(kind, data):
    file = io.BytesIO()
    pillow.fromarray(np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)).save(file, kind)
    changed = bytearray(file.getvalue())
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(changed) - 1), st.integers(0, 255)), max_size=4)):
        changed[at] = byte
    try:
        image = Image.open(bytes(changed[: data.draw(st.integers(0, len(changed)))]))
    except ImageError:
        return
    assert image.pixels.shape == (image.height, image.width, 3)
