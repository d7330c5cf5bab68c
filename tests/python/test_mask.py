"""Masks: shares of pixels, from arrays and image files."""

import copy
import io
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from lookhere import ImageError, Mask, RegionError
from lookhere.regions.region import placed
from lookhere.tokens.coverage import coverage
from lookhere.tokens.grid import TokenGrid
from PIL import Image


def test_a_token_gets_what_of_each_pixel_lies_in_it():
    values = np.array([[1, 0.5, 0], [0, 0, 0.25]])
    (found,) = coverage([Mask(values)], [TokenGrid(2, 2, 0, 0, 3, 4)])  # two pixels high, as much padding
    expected = [[(1 + 0.5 / 2 + 0) / 3, (0.5 / 2 + 0.25) / 3], [0, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_random_values_against_a_finer_raster():
    """Tokens of 7 x 5 pixels: each pixel as 20 x 14 samples gives token borders that lie between samples."""
    values = np.random.default_rng(3).random((15, 21), dtype=np.float32)
    fine = np.kron(values, np.ones((20, 14)))
    grid = TokenGrid(4, 6, 0, 0, 21, 15)  # borders at every 3.5 and 3.75 pixels
    expected = fine.reshape(4, 75, 6, 49).mean(axis=(1, 3))
    np.testing.assert_allclose(coverage([Mask(values)], [grid])[0], expected, rtol=1e-5)


def test_it_is_a_value():
    source = np.eye(3)
    mask = Mask(source)
    source[:] = 1
    assert mask.area == 3
    assert mask == Mask(np.eye(3, dtype=bool)) == Mask(np.eye(3, dtype=np.uint8)) == Mask(np.eye(3).tolist())
    assert mask != Mask(np.eye(3) / 2)
    assert Mask(np.ones((2, 3))) != Mask(np.ones((3, 2)))
    assert len({mask, Mask(np.eye(3)), Mask(np.ones((3, 3)))}) == 2
    with pytest.raises(ValueError, match="read-only"):
        mask.values[0, 0] = 0
    with pytest.raises(AttributeError):
        mask.values = np.ones((3, 3))
    for other in (pickle.loads(pickle.dumps(mask)), copy.deepcopy(mask)):
        assert other == mask
        assert not other.values.flags.writeable
    assert mask.as_json() == {"kind": "mask", "width": 3, "height": 3, "area": 3, "sha256": mask.fingerprint}
    assert len(repr(Mask(np.ones((900, 900))))) < 80


def test_bounds():
    values = np.zeros((10, 20))
    values[3:5, 7:12] = 0.1
    assert Mask(values).bounds.corners == ((7, 3), (12, 3), (12, 5), (7, 5))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 4)), "all values are 0"),
        (np.zeros((4, 4), bool), "nowhere to look"),
        (np.full((4, 4), 255, np.uint8), "values from 255 to 255; expected 0 to 1.*mask > 127"),
        (np.full((4, 4), -0.5), "values from -0.5"),
        (np.full((4, 4), math.nan), "expected 0 to 1"),
        (np.ones((4, 4, 3)), r"shape \(4, 4, 3\) of float64; expected \(height, width\)"),
        (np.ones(4), r"shape \(4,\)"),
        (np.ones((0, 4)), "no pixels"),
        (np.full((2, 2), "1"), "expected"),
        (np.ones((2, 2), complex), "complex"),
        ([[1, 0], [1]], "expected"),
        (None, "expected"),
        ("mask.png", r"Mask\.open\(path\)"),
        (np.ones((5, 4, 4), bool), "For several masks"),
        (np.array([[-9.0, 12.0]]), "For logits: mask > 0"),
        (np.array([[0, 3, 255]], np.uint8), "values from 0 to 255"),  # classes, where 255 is none of them
        (np.array([[0, 255.0]]), "values from 0"),
        (np.zeros((1,) * 30), "shape"),
        (np.zeros((2, 2), [(f"field{k}", "u1") for k in range(400)]), "expected"),
        (np.broadcast_to(np.ones((), np.uint8), (10**6, 10**6)), "more pixels"),
    ],
)
def test_what_is_no_mask(values, message):
    with pytest.raises(RegionError, match=message) as error:
        Mask(values)
    assert len(str(error.value)) < 400


class Tensor:
    """As those of other libraries: it says how it becomes an array, and is none."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        if isinstance(self.values, Exception):
            raise self.values
        return np.asarray(self.values, dtype)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_arrays_that_are_surely_masks():
    flat = np.array([[0, 1], [1, 0], [0, 0]])
    expected = Mask(flat)
    same = (
        flat[None], flat[:, :, None], flat * 255, (flat * 255).astype(np.uint8), (flat * 255)[None], np.matrix(flat),
        np.asfortranarray(flat), flat.astype(">u2"), flat.astype(np.float16), np.ma.masked_array(flat), Tensor(flat),
        Tensor(flat[None] > 0), flat.astype(np.longdouble), flat[::-1][::-1],
    )  # fmt: skip
    for values in same:
        assert Mask(values) == Mask.open(values) == expected
    for values in (np.ones((1, 5, 1)), Tensor(np.ones((1, 5)))):
        assert Mask(values).values.shape == (1, 5)
    for wrong in (Tensor(RuntimeError("x" * 10_000)), Tensor(None), Tensor("text"), object(), np.float64(1)):
        with pytest.raises(RegionError, match="expected"):
            Mask(wrong)


@given(
    arrays(
        st.one_of(scalar_dtypes(), st.just(np.dtype(object)), st.just(np.dtype([("a", "u1")]))),
        array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    )
)
def test_any_array_is_a_mask_or_a_named_error(values):
    try:
        mask = Mask(values)
    except RegionError as error:
        told = str(error)
    else:
        told = ""
        assert mask.values.dtype == np.float32
        assert mask.values.ndim == 2
        assert 0 <= mask.values.min() <= mask.values.max() <= 1
        assert mask.area > 0
    assert len(told) < 400


def test_it_is_as_large_as_the_image():
    mask = Mask(np.ones((20, 30)))
    assert placed([mask], 30, 20) == (mask,)
    with pytest.raises(RegionError, match=r"shape \(20, 30\), the image \(10, 15\).*never resized"):
        placed([mask], 15, 10)
    with pytest.raises(RegionError, match="turned by 90 degrees"):
        placed([mask], 20, 30)


class TestFiles:
    values = np.array([[255, 51, 0]], np.uint8)

    def test_white_is_looked_at_and_grey_in_part(self, tmp_path):
        for name, mode in (("a.png", "L"), ("b.png", "RGB"), ("c.bmp", "L"), ("d.png", "RGBA"), ("e.png", "P")):
            Image.fromarray(self.values).convert(mode).save(tmp_path / name)
            np.testing.assert_allclose(Mask.open(tmp_path / name).values, [[1, 0.2, 0]], rtol=1e-6)
        Image.fromarray(self.values > 100).save(tmp_path / "one.png")
        assert Mask.open(str(tmp_path / "one.png")).values.tolist() == [[1, 0, 0]]
        assert Mask.open((tmp_path / "one.png").read_bytes()) == Mask([[1, 0, 0]])
        assert Mask.open(Image.open(tmp_path / "one.png")) == Mask.open(np.array([[1, 0, 0]]))

    def test_transparent_is_not_looked_at(self):
        pixels = np.full((1, 3, 4), 255, np.uint8)
        pixels[0, :, 3] = self.values
        np.testing.assert_allclose(Mask.open(Image.fromarray(pixels)).values, [[1, 0.2, 0]], rtol=1e-6)

    def test_a_jpeg_of_grey_pixels_is_grey(self):
        file = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
        Image.fromarray(noise).convert("RGB").save(file, "jpeg")
        assert Mask.open(file.getvalue()).width == 32

    @pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP"])
    @pytest.mark.parametrize("mode", ["L", "P", "RGB", "LA", "RGBA", "I;16", "I"])
    def test_zeros_and_ones_are_a_mask(self, kind, mode):
        flat = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
        picture = Image.fromarray(flat)
        if mode.startswith("I"):
            picture = Image.fromarray(flat.astype(np.uint16 if mode == "I;16" else np.int32))
        else:
            picture = picture.convert(mode)
        assert Mask.open(picture) == Mask(flat)
        file = io.BytesIO()
        if (kind, mode) not in {
            ("PNG", "I"),
            ("BMP", "LA"),
            ("BMP", "I"),
            ("BMP", "I;16"),
            ("WEBP", "I"),
            ("WEBP", "I;16"),
        }:
            picture.save(file, kind, **({"lossless": True} if kind == "WEBP" else {}))
            assert Mask.open(file) == Mask(flat)  # an open file, too

    def test_numbers_of_classes_are_told_what_to_write(self):
        for picture in (Image.fromarray(np.arange(12, dtype=np.uint8)[None]), Image.new("L", (4, 4), 2)):
            with pytest.raises(RegionError, match=r"nearly black.*PIL\.Image\.open\(file\)\) == number"):
                Mask.open(picture)
        classes = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
        classes.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        with pytest.raises(RegionError, match=r"has colours.*== value"):
            Mask.open(classes)
        assert Mask.open(Image.new("L", (4, 4), 64)).area == pytest.approx(16 * 64 / 255)

    def test_errors(self, tmp_path):
        with pytest.raises(ImageError, match="no file"):
            Mask.open(tmp_path / "none.png")
        with pytest.raises(ImageError, match="not an image"):
            Mask.open(b"text")
        with pytest.raises(RegionError, match="has colours; expected white"):
            Mask.open(Image.new("RGB", (4, 4), "red"))
        with pytest.raises(RegionError, match="nowhere to look"):
            Mask.open(Image.new("L", (4, 4), 0))
