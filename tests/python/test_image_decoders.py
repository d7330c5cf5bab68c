"""What decoders refuse and nobody needs; colours, depths and transparency as a viewer shows them."""

import io
import struct
import sys
import types
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lookhere import ImageError
from lookhere.images.image import Image
from lookhere.images.png import SIGNATURE, cleaned
from lookhere.images.quiet import Quiet
from PIL import Image as pillow
from PIL import ImageCms, PngImagePlugin, features

NOISE = pillow.fromarray(np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8))
AVIF = ".avif" in pillow.registered_extensions()
needs_profiles = pytest.mark.skipif(not features.check("littlecms2"), reason="Pillow without littlecms")


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def chunk(kind, body, *, sound=True):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ (not sound))


def png(width, height, depth, colour, raw, extra=b"", interlace=0):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return SIGNATURE + head + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def with_chunks(data, chunks, *, last):
    """A PNG with more chunks, after its header or before its end."""
    at = len(data) - 12 if last else 33
    return data[:at] + chunks + data[at:]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "chunks",
    [
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"node " * 1_000_000)),
        chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"node " * 1_000_000)),
        chunk(b"tEXt", b"prompt\0" + b"word " * 1_000_000),
        chunk(b"tEXt", b"a\0b") * 10_000,
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000))) * 100,  # more than 64 MB together
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iCCP", b"large\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iCCP", b"no profile\0\0not packed"),
        chunk(b"iCCP", b"odd\0\7" + zlib.compress(b"x")),
        chunk(b"tEXt", b"a\0b", sound=False),
        chunk(b"gAMA", struct.pack(">I", 45455), sound=False),
        chunk(b"iCCP", b"x", sound=False),
        chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0", sound=False),
        chunk(b"pHYs", b"short"),
        chunk(b"acTL", struct.pack(">II", 2**31, 0)),
        chunk(b"fcTL", b""),
        chunk(b"zzZz", b"of nobody"),
        chunk(b"tIME", b""),
        chunk(b"sRGB", b""),
    ],
)
def test_chunks_that_are_of_no_use_are_left_out(chunks, last):
    image = Image.open(with_chunks(encoded(NOISE), chunks, last=last))
    np.testing.assert_array_equal(image.pixels, np.asarray(NOISE))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["tEXt", "zTXt", "iTXt", "gAMA", "iCCP", "pHYs", "sBIT", "abCd"]).map(str.encode),
            st.binary(max_size=60),
            st.booleans(),
        ),
        max_size=5,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_ancillary_chunks_leave_the_picture_whole(chunks, last):
    more = b"".join(chunk(kind, body, sound=sound) for kind, body, sound in chunks)
    image = Image.open(with_chunks(encoded(NOISE), more, last=last))
    np.testing.assert_array_equal(image.pixels, np.asarray(NOISE))


@pytest.mark.parametrize("named", ["eXIf", "Raw profile type exif", "XML:com.adobe.xmp"])
def test_orientation_is_kept_wherever_it_is_told(named):
    exif = pillow.Exif()
    exif[0x0112] = 6
    if named == "eXIf":
        data = encoded(NOISE, exif=exif)
    else:
        info = PngImagePlugin.PngInfo()
        raw = exif.tobytes()
        if named.startswith("XML"):
            info.add_itxt(named, '<x tiff:Orientation="6"/>', zip=True)
        else:
            info.add_text(named, f"\nexif\n{len(raw):8}\n{raw.hex()}\n", zip=True)
        data = encoded(NOISE, pnginfo=info)
    np.testing.assert_array_equal(Image.open(data).pixels, np.rot90(np.asarray(NOISE), -1))


def test_a_png_that_is_broken_stays_so():
    data = encoded(NOISE)
    at = data.index(b"IDAT") + 20
    broken = data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]
    for bad in (broken, data[: len(data) // 2], data[:20]):
        assert cleaned(bad)[0] == bad
        with pytest.raises(ImageError):
            Image.open(bad)


def exchanged():
    """A profile of sRGB whose red and green are exchanged."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", raw[128:132])[0]
    places = {
        bytes(raw[at : at + 4]): struct.unpack(">I", raw[at + 4 : at + 8])[0] for at in range(132, 132 + 12 * count, 12)
    }
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    raw[red + 8 : red + 20], raw[green + 8 : green + 20] = raw[green + 8 : green + 20], raw[red + 8 : red + 20]
    return bytes(raw)


@needs_profiles
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_those_of_the_profile(kind, mode):
    if kind == "JPEG" and mode != "RGB":
        pytest.skip("JPEG has no such mode")
    options = {"PNG": {}, "JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}, "TIFF": {}}[kind]
    picture = pillow.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    data = encoded(picture, kind, icc_profile=exchanged(), **options)
    assert np.abs(Image.open(data).pixels[4, 4].astype(int) - (0, 255, 0)).max() < 12
    assert np.abs(Image.open(pillow.open(io.BytesIO(data))).pixels[4, 4].astype(int) - (0, 255, 0)).max() < 12


@needs_profiles
def test_a_profile_keeps_transparency_and_a_large_one_is_read():
    picture = pillow.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert (Image.open(encoded(picture, icc_profile=exchanged())).pixels == 255).all()
    large = exchanged() + bytes(3_000_000)  # beyond what Pillow unpacks
    assert Image.open(encoded(pillow.new("RGB", (8, 8), (255, 0, 0)), icc_profile=large)).pixels[0, 0, 1] > 240


@needs_profiles
@pytest.mark.parametrize("profile", [b"", b"no profile", bytes(5000), "sRGB", "LAB", "XYZ"])
def test_profiles_that_change_nothing(profile):
    if isinstance(profile, str):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(profile)).tobytes()
    np.testing.assert_array_equal(Image.open(encoded(NOISE, icc_profile=profile)).pixels, np.asarray(NOISE))
    np.testing.assert_array_equal(
        Image.open(encoded(NOISE.convert("L"), icc_profile=profile)).pixels[:, :, 0], np.asarray(NOISE.convert("L"))
    )


@given(st.sampled_from([8, 10, 12, 14, 16]), st.booleans())
def test_whole_grey_values_of_any_depth_fill_the_range(depth, wide):
    top = 2**depth - 1
    values = np.linspace(0, top, 64).round().astype(np.int32 if wide else np.uint16)[None]
    picture = pillow.fromarray(values)
    for source in (picture, encoded(picture, "TIFF"), *([] if wide else [encoded(picture)])):
        found = Image.open(source).pixels[0, :, 0].astype(int)
        assert np.abs(found - values[0].astype(int) * 255 / top).max() <= 1


def test_black_stays_black_and_wide_values_are_refused():
    assert Image.open(pillow.fromarray(np.zeros((2, 2), np.uint16))).pixels.max() == 0
    for values in ([[0, 65536]], [[-1, 5]], [[2**31 - 1, 0]]):
        with pytest.raises(ImageError, match=r"32 bits, from .*np\.ptp"):
            Image.open(pillow.fromarray(np.array(values, np.int32)))


def test_the_transparent_value_of_16_bits():
    grey = png(3, 1, 16, 0, b"\0" + struct.pack(">3H", 300, 30000, 65535), chunk(b"tRNS", struct.pack(">H", 300)))
    assert Image.open(grey).pixels[0, :, 0].tolist() == [255, 116, 255]
    assert Image.open(pillow.open(io.BytesIO(grey))).pixels[0, :, 0].tolist() == [255, 116, 255]


@pytest.mark.parametrize("interlace", [0, 1])
def test_the_transparent_colour_of_16_bits_is_compared_in_full(interlace):
    """Pillow compares the high bytes alone: a colour that differs in a low byte would be taken for the transparent."""
    raw = b"\0" + struct.pack(">3H", 257, 2, 3)
    clear = chunk(b"tRNS", struct.pack(">3H", 257, 2, 3))
    assert Image.open(png(1, 1, 16, 2, raw, clear, interlace)).pixels[0, 0].tolist() == [255, 255, 255]
    other = chunk(b"tRNS", struct.pack(">3H", 257, 2, 4))
    assert Image.open(png(1, 1, 16, 2, raw, other, interlace)).pixels[0, 0].tolist() == [1, 0, 0]
    with pytest.raises(ImageError):
        Image.open(png(1, 1, 16, 2, b"\0", clear, interlace))


def test_premultiplied_colours():
    straight = pillow.fromarray(np.array([[[200, 100, 0, 128], [9, 9, 9, 0]]], np.uint8))
    expected = Image.open(straight).pixels.astype(int)
    assert np.abs(Image.open(straight.convert("RGBa")).pixels - expected).max() <= 2
    grey = straight.convert("LA")
    assert np.abs(Image.open(grey.convert("La")).pixels - Image.open(grey).pixels.astype(int)).max() <= 2


def test_of_several_frames_the_first():
    frames = [pillow.new("RGB", (40, 24), colour) for colour in ("red", "blue")]
    kinds = ["WEBP", "GIF", "PNG", "TIFF", "MPO", *(["AVIF"] if AVIF else [])]
    for kind in kinds:
        found = Image.open(encoded(frames[0], kind, save_all=True, append_images=frames[1:])).pixels[12, 20]
        assert found[0] > 240, kind
        assert found[2] < 15, kind


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)


def test_a_heic_photo_names_what_reads_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"a HEIC photo\. Install pillow-heif"):
        Image.open(HEIC)


def test_a_heic_photo_is_read_by_pillow_heif(monkeypatch):
    heif = types.SimpleNamespace(HeifImageFile=lambda file: NOISE.copy() if file.read() == HEIC else None)
    monkeypatch.setitem(sys.modules, "pillow_heif", heif)
    np.testing.assert_array_equal(Image.open(HEIC).pixels, np.asarray(NOISE))


def test_a_real_heic_photo():
    heif = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed")
    exif = pillow.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    smooth = pillow.linear_gradient("L").resize((64, 32)).convert("RGB")
    heif.from_pillow(smooth).save(file, quality=95, exif=exif.tobytes())
    image = Image.open(file)
    assert (image.width, image.height) == (32, 64)
    assert np.abs(image.pixels.astype(int) - np.rot90(np.asarray(smooth), -1)).mean() < 4
    with pytest.raises(ImageError, match="HEIC"):
        Image.open(file.getvalue()[:300])


@pytest.mark.skipif(not AVIF, reason="Pillow without AVIF")
def test_avif():
    smooth = pillow.linear_gradient("L").resize((64, 32)).convert("RGB")
    found = Image.open(encoded(smooth, "AVIF", quality=95)).pixels
    assert np.abs(found.astype(int) - np.asarray(smooth)).mean() < 4


def test_warnings_of_decoders_are_nobodys_errors():
    """A damaged EXIF block, more pixels than Pillow likes: with warnings as errors, too, the picture is decoded."""
    data = encoded(NOISE, "JPEG", quality=100, subsampling=0)
    damaged = data[:2] + b"\xff\xe1\0\x12Exif\0\0II*\0\x08\0\0\0\5\0" + data[2:]
    before = list(warnings.filters)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ThreadPoolExecutor(8) as pool:
            for image in pool.map(Image.open, [damaged + bytes(count) for count in range(64)]):
                assert image.width == 40
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", UserWarning, stacklevel=1)
    assert list(warnings.filters) == before
    assert Quiet._inside == 0
