"""Whatever is given as an image becomes pixels or an ImageError of a bounded length."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, nested_dtypes, scalar_dtypes
from lookhere import ImageError
from lookhere.images.image import Image
from PIL import Image as pillow

MODES = sorted(pillow.MODES)
KINDS = {"PNG": {}, "JPEG": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {}, "GIF": {}, "BMP": {}}


def opened(source):
    """The image or None; nothing but an ImageError escapes."""
    try:
        image = Image.open(source)
    except ImageError as error:
        told, image = str(error), None
    else:
        told = image.name
        assert image.pixels.shape == (image.height, image.width, 3)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.flags.c_contiguous
        assert min(image.width, image.height) > 0
    assert 0 < len(told) < 500
    assert "\n" not in told
    return image


def picture_of(kind, mode="RGB", **options):
    """A file of 24 x 16 pixels with an orientation, a profile and a text where the kind has them."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    exif = pillow.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    pillow.fromarray(noise).convert(mode).save(file, kind, **({"exif": exif} if kind != "BMP" else {}), **options)
    return file.getvalue()


FILES = {kind: picture_of(kind, **options) for kind, options in KINDS.items()}


@settings(max_examples=300)
@given(
    arrays(
        st.one_of(scalar_dtypes(), st.just(np.dtype(np.uint8)), st.just(np.dtype(object)), nested_dtypes()),
        st.one_of(
            array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
            st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3, 4])),
        ),
    )
)
def test_any_array(values):
    found = opened(values)
    if (
        values.dtype == np.uint8
        and values.size
        and (values.ndim == 2 or (values.ndim == 3 and values.shape[2] in (1, 3, 4)))
    ):
        assert (found.height, found.width) == values.shape[:2]
    elif found is not None:
        assert values.dtype == np.uint8


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=50).map(lambda tail: FILES["PNG"][:60] + tail)))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"\x89PNG\r\n\x1a\n" + b"\xff" * 20)
@example(b"\0\0\0\x18ftypheic" + bytes(40))
@example(b"\0\0\0\x18ftypavif" + bytes(40))
def test_any_bytes(data):
    opened(data)
    opened(memoryview(bytearray(data)))
    opened(io.BytesIO(data))


@given(st.text(max_size=100))
@example("\0")
@example("\ud800")
@example("x" * 100_000)
@example("http://[::1")
@example("http://")
@example("https://exa mple/\n")
@example("http://127.0.0.1:99999999/a.png")
@example("file://elsewhere/a.png")
@example("file:///none%00.png")
@example("file://[")
@example("file:")
@example("ftp://example.com/a.png")
@example("data:")
@example("data:image/png;base64,")
@example("data:image/png;base64,\ud800")
@example("data:image/png;base64,éé")
@example("data:image/png;base64,A")
@example("data:image/png;base64," + "!" * 5_000_000)
@example("data:" + "A" * 5_000_000)
@example("data:,hello")
@example("iVBORw0KGgo" * 100_000)
def test_any_text(text):
    if not text.lower().startswith(("http://", "https://")) or len(text) < 40:
        opened(text)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_changed_and_cut_files(kind, data):
    changed = bytearray(FILES[kind])
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(0, len(changed))) :]
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(changed)))
        changed[at:at] = data.draw(st.binary(max_size=20))
    opened(bytes(changed))


@pytest.mark.parametrize("mode", MODES)
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_pillow_images_of_every_mode(mode, width, height, data):
    picture = pillow.new(mode, (width, height))
    size = len(picture.tobytes())
    picture.frombytes(data.draw(st.binary(min_size=size, max_size=size)))
    clear = data.draw(
        st.one_of(st.none(), st.integers(0, 70_000), st.tuples(*[st.integers(0, 300)] * 3), st.binary(max_size=4))
    )
    if clear is not None:
        picture.info["transparency"] = clear
    if data.draw(st.booleans()):
        picture.info["exif"] = data.draw(st.binary(max_size=40))
    if data.draw(st.booleans()):
        picture.info["icc_profile"] = data.draw(st.one_of(st.binary(max_size=40), st.none(), st.text(max_size=3)))
    found = opened(picture)
    if found is not None:
        assert (found.width, found.height) == (width, height)
    elif clear is None:
        assert mode in ("F", "I")


def liar(**values):
    """An object that nobody here made."""
    return type("Liar", (), values)()


def fails(*_, **__):
    raise RuntimeError("x" * 10_000)


@pytest.mark.parametrize(
    "source",
    [
        None, 7, 1.5, True, [], [[0, 0], [0, 0]], {}, object(), Image, np.ndarray, io.BytesIO, np.float64(3), slice(3),
        io.StringIO("text"), io.BytesIO(), liar(read=fails), liar(read=lambda self, n=0: 5),
        liar(read=lambda self, n=0: "x" * 5), liar(read=None), liar(read=lambda self: b""), liar(__array__=fails),
        liar(__array__=lambda self, dtype=None, copy=None: 5), liar(__array_interface__={}),
        liar(__array_interface__=property(fails)), liar(__getattr__=fails), liar(__fspath__=fails),
        liar(__fspath__=lambda self: 5), liar(__fspath__=lambda self: b"no\xff.png"), liar(__repr__=fails),
        memoryview(np.zeros((2, 2), np.float32)), range(5), iter(()), "", ".", "/", b"x", bytearray(),
    ],
    ids=lambda source: type(source).__name__,
)  # fmt: skip
def test_any_object(source):
    assert opened(source) is None


def test_closed_files_and_images(tmp_path):
    (tmp_path / "a.png").write_bytes(FILES["PNG"])
    file = io.BytesIO(FILES["PNG"])
    file.close()
    assert opened(file) is None
    picture = pillow.open(tmp_path / "a.png")
    picture.close()
    assert opened(picture) is None
    view = memoryview(bytearray(FILES["PNG"]))
    view.release()
    assert opened(view) is None
