"""PNG files without what is of no use here and makes decoders refuse them: large texts, profiles, wrong checksums."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"

LARGEST = 2**20
"""Bytes of a text that is kept, unpacked; Pillow refuses the file beyond."""
PROFILE = 2**26
"""Bytes of a colour profile, unpacked."""

_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"}
_TEXTS = {b"XML:com.adobe.xmp", b"Raw profile type exif"}
"""Texts that may tell the orientation."""


def cleaned(data: bytes) -> tuple[bytes, bytes | None]:
    """-> the file with its pixels, transparency and orientation alone, and the colour profile if it names one.

    Ancillary chunks with a wrong checksum are left out, as viewers do. What is broken stays so: the decoder tells.
    """
    kept, profile, place = [SIGNATURE], None, len(SIGNATURE)
    view = memoryview(data)
    while place + 12 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        kind, end = data[place + 4 : place + 8], place + 12 + length
        if end > len(data):
            break  # cut off
        body = view[place + 8 : end - 4]
        critical = kind[:1].isupper()
        sound = critical or zlib.crc32(view[place + 4 : end - 4]) == struct.unpack_from(">I", data, end - 4)[0]
        if kind == b"iCCP" and sound:
            profile = _profile(bytes(body)) or profile
        elif critical or (sound and (kind in _KEPT or _tells_orientation(kind, body))):
            kept.append(data[place:end])
        place = end
        if kind == b"IEND":
            return b"".join(kept), profile
    kept.append(data[place:])
    return b"".join(kept), profile


def sixteen_bit_colour(data: bytes) -> bool:
    """Whether the pixels are RGB of 16 bits."""
    return data[:8] == SIGNATURE and data[24:26] == b"\x10\x02"


def _unpacked(data: bytes, most: int) -> bytes | None:
    """None for what is broken, or larger."""
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(data, most + 1)
    except zlib.error:
        return None
    return found if len(found) <= most else None


def _profile(body: bytes) -> bytes | None:
    _, _, rest = body.partition(b"\0")
    return _unpacked(rest[1:], PROFILE) if rest[:1] == b"\0" else None


def _tells_orientation(kind: bytes, body: memoryview) -> bool:
    if kind not in (b"tEXt", b"zTXt", b"iTXt"):
        return False
    keyword = bytes(body[:80]).partition(b"\0")[0]
    if keyword not in _TEXTS or len(body) > LARGEST:
        return False
    rest = bytes(body[len(keyword) + 1 :])
    if kind == b"zTXt":
        return _unpacked(rest[1:], LARGEST) is not None
    if kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
        return _unpacked(packed, LARGEST) is not None
    return True
