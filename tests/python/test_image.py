"""Images: every source, upright, and what is not one."""

import io
import struct
import zlib

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


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def test_sources_give_the_same_pixels(picture, tmp_path):
    picture.save(tmp_path / "a.png")
    sources = (
        tmp_path / "a.png", str(tmp_path / "a.png"), encoded(picture), bytearray(encoded(picture)), picture,
        np.asarray(picture), np.asarray(picture)[:, ::-1][:, ::-1], Image.open(picture),
    )  # fmt: skip
    prints = set()
    for source in sources:
        image = Image.open(source)
        assert image.pixels.dtype == np.uint8
        assert image.pixels.flags.c_contiguous
        assert (image.width, image.height) == (6, 4)
        np.testing.assert_array_equal(image.pixels, np.asarray(picture))
        prints.add(image.fingerprint)
    assert len(prints) == 1
    assert image.pillow().size == (6, 4)


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
        (np.zeros((4, 4), np.float32), "uint8"),
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
    with pytest.raises(ImageError, match=message):
        Image.open(source)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
def test_truncated_files(picture, kind):
    data = encoded(picture.resize((200, 200)), kind)
    Image.open(data)
    for cut in (5, 30, len(data) // 2):
        with pytest.raises(ImageError):
            Image.open(data[:cut])
