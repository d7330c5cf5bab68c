"""Files that mean harm: whatever their bytes, a named error or a result, never anything else."""

import io
import json
import time
import tracemalloc
from contextlib import suppress

import gguf_files as files
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lookhere import HeadSet, HeadSetError, ImageError, ModelFileError
from lookhere.image import Image
from lookhere.loading.doctor import examine
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


GGUF = (files.LANGUAGE, files.PROJECTOR, {"split.no": 1, "split.count": 2}, {"general.architecture": "x", "n": [1, 2]})


def read_bounded(path):
    """The header or a named error, and no more processor time and memory than such a small file can need."""
    start, said = time.process_time(), ""
    tracemalloc.start()
    try:
        header = read_header(path)
        assert header.kind
        assert header.quantization is not None
        assert header.of_model("block_count") >= 0
    except ModelFileError as error:
        said = str(error)
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(said) < 1000
    assert most < 8 * 2**20
    assert time.process_time() - start < 5


@given(values=st.sampled_from(GGUF), data=st.data())
def test_gguf(folder, values, data):
    """Cut, changed and extended anywhere."""
    whole = files.write(folder / "whole.gguf", values).read_bytes()
    changed = bytearray(whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        if at < len(changed):
            changed[at] = byte
    at = data.draw(st.integers(0, len(changed)))
    changed[at:at] = data.draw(st.binary(max_size=20))
    (folder / "x.gguf").write_bytes(changed)
    read_bounded(folder / "x.gguf")


@pytest.mark.parametrize("values", GGUF[1:], ids=["projector", "part", "small"])
def test_every_byte_of_a_gguf_turned(folder, values):
    whole = files.write(folder / "whole.gguf", values, data=False).read_bytes()
    for at in range(len(whole)):
        for changed in (whole[at] ^ 0xFF, whole[at] ^ 1):
            (folder / "x.gguf").write_bytes(whole[:at] + bytes([changed]) + whole[at + 1 :])
            with suppress(ModelFileError):
                read_header(folder / "x.gguf")


@given(values=st.sampled_from(GGUF[:2]), key=st.data(), wrong=st.one_of(
    st.text(max_size=4), st.binary(max_size=4), st.integers(0, 2**32 - 1), st.booleans(), st.floats(width=32),
    st.lists(st.integers(0, 2**32 - 1), max_size=3), st.lists(st.text(max_size=2), min_size=1, max_size=3),
))  # fmt: skip
def test_any_value_under_a_key(folder, values, key, wrong):
    """The doctor gives a report, whatever a file says of itself."""
    pair = folder / "pair"
    pair.mkdir(exist_ok=True)
    for name, each in (("m.gguf", files.LANGUAGE), ("mmproj.gguf", files.PROJECTOR)):
        changed = {**each, key.draw(st.sampled_from(sorted(each))): wrong} if each is values else each
        files.write(pair / name, changed)
    report = examine(pair)
    assert report.loads or report.problems
    assert all(len(problem) < 2500 for problem in report.problems)


@given(st.binary(max_size=200))
@example(b"GGUF\x03\0\0\0" + b"\xff" * 16)
def test_anything_as_gguf(folder, content):
    (folder / "x.gguf").write_bytes(content)
    read_bounded(folder / "x.gguf")


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
