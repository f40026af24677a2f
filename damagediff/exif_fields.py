"""EXIF as (name, value) texts: the directories of a TIFF structure, walked with limits (CIPA DC-008)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAX_ENTRIES = 512
"""Of one directory; the standard knows about 150."""
MAX_VALUE_BYTES = 4096

PUBLIC = {
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    274: "Orientation",
    282: "XResolution",
    283: "YResolution",
    305: "Software",
    306: "DateTime",
    33432: "Copyright",
    36867: "DateTimeOriginal",
    36868: "DateTimeDigitized",
    36880: "OffsetTime",
    36881: "OffsetTimeOriginal",
    36882: "OffsetTimeDigitized",
    40962: "PixelXDimension",
    40963: "PixelYDimension",
    42036: "LensModel",
}
"""What tells of the picture, and of nobody's machine or whereabouts."""

PRIVATE = {
    269: "DocumentName",
    285: "PageName",
    315: "Artist",
    316: "HostComputer",
    34853: "GPS position",
    37500: "MakerNote",
    37510: "UserComment",
    40091: "XPTitle",
    40092: "XPComment",
    40093: "XPAuthor",
    40094: "XPKeywords",
    40095: "XPSubject",
    42016: "ImageUniqueID",
    42032: "CameraOwnerName",
    42033: "BodySerialNumber",
    42037: "LensSerialNumber",
}

_GPS = {1: "GPS latitude ref", 2: "GPS latitude", 3: "GPS longitude ref", 4: "GPS longitude", 29: "GPS date"}

_TECHNICAL = {
    *range(254, 269), 273, *range(277, 282), 284, *range(286, 305), *range(317, 345), 347, 513, 514, 529, 530,
    531, 532, 700, 33434, 33437, 33550, 33723, 33922, 34264, 34377, 34665, 34675, 34735, 34736, 34737, 34850,
    34855, *range(34864, 34870), 36864, 37121, 37122, *range(37377, 37387), 37396, *range(37520, 37523),
    40960, 40961, 40965, 41483, 41486, 41487, 41488, 41492, 41493, 41495, 41728, 41729, 41730,
    *range(41985, 41997), 42034, 42112, 42113, 42240, 52545,
}  # fmt: skip
"""Tags on how pixels are stored or exposed: neither told nor counted among what was left out."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I"}


def read(file: BinaryIO) -> Iterator[tuple[str, str, bool]]:
    """(name, value, whether it is public) of the first directory, the EXIF and the GPS directory.

    Ends where the structure is broken.
    """
    head = file.read(8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8 or struct.unpack(order + "H", head[2:4])[0] != 42:
        return
    first = struct.unpack(order + "I", head[4:])[0]
    pointers = {34665: None, 34853: _GPS}
    todo: list[tuple[int, dict[int, str] | None]] = [(first, None)]
    for offset, names in todo:
        try:
            for tag, kind, value in _directory(file, offset, order):
                if tag in pointers and names is None and len(todo) < 3:
                    todo.append((int(_text(value, kind, order) or 0), pointers[tag]))
                    if tag == 34665:
                        continue
                yield from _told(tag, _text(value, kind, order), names)
        except (struct.error, OSError, OverflowError, ValueError):
            continue


def _told(tag: int, value: str, gps: dict[int, str] | None) -> Iterator[tuple[str, str, bool]]:
    if gps is not None:
        if tag in gps:
            yield gps[tag], value, False
    elif tag in PUBLIC:
        yield f"EXIF {PUBLIC[tag]}", value, True
    elif tag in PRIVATE:
        yield f"EXIF {PRIVATE[tag]}", value, False
    elif tag not in _TECHNICAL:
        yield f"EXIF tag {tag}", value, False


def _directory(file: BinaryIO, offset: int, order: str) -> Iterator[tuple[int, int, bytes]]:
    """(tag, type, value as stored) of one directory."""
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    table = file.read(min(count, MAX_ENTRIES) * 12)
    for tag, kind, number, inline in struct.iter_unpack(order + "HHI4s", table[: len(table) // 12 * 12]):
        length = min(number * _SIZES.get(kind, 0), MAX_VALUE_BYTES)
        if length > 4:
            file.seek(struct.unpack(order + "I", inline)[0])
            inline = file.read(length)
        yield tag, kind, inline[:length]


def _text(value: bytes, kind: int, order: str) -> str:
    """The value in words; numbers with spaces between them, rationals as decimals."""
    if kind == 2:
        return value.split(b"\0")[0].decode("utf-8", "replace").strip()
    if kind in (5, 10):
        pairs = struct.iter_unpack(order + ("II" if kind == 5 else "ii"), value[: len(value) // 8 * 8])
        return " ".join(f"{a / b:.7g}" if b else "?" for a, b in pairs)
    if kind == 7 or kind not in _CODES:
        return _undefined(value)
    size = _SIZES[kind]
    numbers = struct.iter_unpack(order + _CODES[kind], value[: len(value) // size * size])
    return " ".join(f"{number:g}" if isinstance(number, float) else str(number) for (number,) in numbers)


def _undefined(value: bytes) -> str:
    """Text where it says so, else how long it is."""
    if value[:8] in (b"ASCII\0\0\0", b"UNICODE\0"):
        code = "ascii" if value[:1] == b"A" else "utf-16"
        return value[8:].decode(code, "replace").strip("\0 ")
    return f"{len(value)} bytes"
