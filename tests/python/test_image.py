"""Images: every source, upright, and what is not one."""

import base64
import io
import os
import struct
import tempfile
import zlib
from urllib.parse import quote

import numpy as np
import pytest
from lookhere import ImageError
from lookhere.images.image import Image
from lookhere.limits import IMAGE_PIXELS as MOST_PIXELS
from PIL import Image as pillow


@pytest.fixture
def picture():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    return pillow.fromarray(pixels)


class Stream:
    """As an answer of a web server: read in parts, and only forwards."""

    def __init__(self, data):
        self.data = data

    def read(self, count=-1):
        count = min(count, 50)
        part, self.data = self.data[:count], self.data[count:]
        return part


class Tensor:
    """As those of other libraries."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class Interface:
    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


def tempfile_of(data):
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 the test closes it
    file.write(data)
    return file


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_sources_give_the_same_pixels(picture, tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    picture.save(folder / "a.png")
    data = encoded(picture)
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 60] for at in range(0, len(text), 60))
    read = io.BytesIO(data)
    read.read()
    sources = (
        folder / "a.png", str(folder / "a.png"), data, bytearray(data), memoryview(data), picture,
        np.asarray(picture), np.asarray(picture)[:, ::-1][:, ::-1], Image.open(picture),
        io.BytesIO(data), read, (folder / "a.png").open("rb"), Stream(data), tempfile_of(data),
        (folder / "a.png").as_uri(),
        f"FILE://localhost{quote(str(folder))}/a.png", os.fsencode(folder / "a.png").decode(),
        f"data:image/png;base64,{text}", f"DATA:;BASE64,{lines}", f"data:;base64,{text.rstrip('=')}",
        f"data:;base64,{quote(text)}", "data:image/png;base64," + base64.urlsafe_b64encode(data).decode(),
        "data:image/png," + quote(data), Tensor(np.asarray(picture)), Interface(np.asarray(picture)),
        np.ma.masked_array(np.asarray(picture)),
    )  # fmt: skip
    prints = set()
    for source in sources:
        image = Image.open(source)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.flags.c_contiguous
        assert (image.width, image.height) == (6, 4)
        np.testing.assert_array_equal(image.pixels, np.asarray(picture))
        prints.add(image.fingerprint)
        if hasattr(source, "close") and not isinstance(source, pillow.Image):
            source.close()
    assert len(prints) == 1
    assert image.pillow().size == (6, 4)


def test_grey_arrays():
    flat = np.arange(24, dtype=np.uint8).reshape(4, 6)
    expected = np.repeat(flat[:, :, None], 3, axis=2)
    for values in (flat, flat[:, :, None], np.asfortranarray(flat), Tensor(flat), Tensor(flat[:, :, None])):
        np.testing.assert_array_equal(Image.open(values).pixels, expected)
    with pytest.warns(PendingDeprecationWarning):
        matrix = np.matrix(flat)
    np.testing.assert_array_equal(Image.open(matrix).pixels, expected)


def test_a_lying_suffix_is_forgiven(picture, tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded(picture))
    assert Image.open(tmp_path / "a.jpg").width == 6


def test_exif_turns_it_upright(picture):
    exif = pillow.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = Image.open(encoded(picture, exif=exif))
    assert (image.width, image.height) == (4, 6)
    np.testing.assert_array_equal(image.pixels, np.rot90(np.asarray(picture), -1))


def test_transparency_lies_over_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = 10, 20, 30, 255
    pixels[0, 1] = 0, 0, 0, 128
    for source in (pixels, pillow.fromarray(pixels), encoded(pillow.fromarray(pixels))):
        found = Image.open(source).pixels
        assert found[0, 0].tolist() == [10, 20, 30]
        assert found[0, 1].tolist() == [127, 127, 127]
        assert found[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16", "I"])
def test_modes(mode):
    picture = pillow.new(mode, (3, 2))
    image = Image.open(picture)
    assert image.pixels.shape == (2, 3, 3)


def test_sixteen_bits():
    assert Image.open(pillow.fromarray(np.array([[0, 32768, 65535]], np.uint16))).pixels[0, :, 0].tolist() == [
        0,
        127,
        255,
    ]


def bomb(width, height):
    """A PNG file of a size without its pixels."""
    chunks = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"\0" * 9))
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.png", "no file"),
        (".", "is a folder"),
        (b"", "nothing in it"),
        (b"GIF89a", "cannot|not an image"),
        (b"hello", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (bomb(100_000, 100_000), "pixels"),
        (bomb(MOST_PIXELS + 1, 1), "scale it down"),
        (bomb(0, 5), "broken|cannot|at least|not an image"),
        (bomb(5, 5), "broken|cannot"),
        (7, "int is not an image"),
        (None, "NoneType is not an image"),
        (np.zeros((4, 4), np.float32), r"float32; expected uint8.*0 to 1: \(array \* 255\)\.astype"),
        (np.ones((4, 4), bool), r"bool; .*True as white: array\.astype\('uint8'\) \* 255"),
        (np.full((4, 4), 200), r"int64; expected uint8, 0 to 255: array\.astype\('uint8'\)\."),
        (np.full((4, 4), 200.0), r"float64; expected uint8, 0 to 255: array\.astype\('uint8'\)\."),
        (np.array([[-1.0, 1.0]]), r"-1 to 1: \(\(array \+ 1\) \* 127\.5\)"),
        (np.array([[0, 65535]], np.uint16), r"16 bits: \(array // 257\)"),
        (np.array([[-300, 70000]]), r"from -300 to 70000: \(\(array - array\.min\(\)\)"),
        (np.array([[0.5, np.nan]]), "nan_to_num"),
        (np.array([[None]]), "make numbers of it"),
        (np.zeros((3, 40, 60), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((1, 40, 60, 3), np.uint8), r"Of several images: array\[0\]"),
        (np.broadcast_to(np.zeros((), np.float32), (10**6, 10**6)), "scale it down"),
        (io.StringIO("text"), r"reads str; expected bytes.*'rb'"),
        ("ftp://example.com/a.png", "ftp:// are not known"),
        ("file://elsewhere/a.png", "names no file here"),
        ("iVBORw0KGgo" * 100, "For base64 write 'data:;base64,'"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,A", "not base64"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros(4, np.uint8), r"shape \(4,\)"),
        (np.zeros((0, 4), np.uint8), "0 pixels"),
        (pillow.new("RGB", (0, 4)), "0 x 4"),
        (pillow.new("F", (2, 2)), "floating point"),
        (pillow.fromarray(np.array([[-1, 70_000]], np.int32)), "32 bits"),
        ("http://127.0.0.1:9/none.png", "cannot be downloaded"),
    ],
)
def test_what_is_no_image(source, message):
    with pytest.raises(ImageError, match=message) as error:
        Image.open(source)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files(picture, kind):
    data = encoded(picture.resize((200, 200)), kind)
    Image.open(data)
    for cut in (5, 30, len(data) // 2):
        with pytest.raises(ImageError):
            Image.open(data[:cut])
