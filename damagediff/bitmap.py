"""The header of a Windows bitmap, checked before GDAL sees the file.

GDAL unpacks a run-length coded bitmap whole when it opens it, so a header of 54 bytes can ask for 2 GB. Only
plain pixels pass here, and only where the file holds all of them: it then has no more pixels than bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

from .errors import InputError

HEADERS = (40, 108, 124)
"""Sizes of the headers that are read: BITMAPINFOHEADER, and versions 4 and 5 of it."""
BITS = (8, 24, 32)
PACKED = {1: "run-length coded", 2: "run-length coded", 3: "with bit masks", 4: "a JPEG", 5: "a PNG"}
ADVICE = "Save it as PNG or GeoTIFF"


class _Header(NamedTuple):
    offset: int
    size: int
    cols: int
    rows: int
    planes: int
    bits: int
    compression: int
    colours: int


def check_header(path: Path, name: str) -> None:
    """Refuse a bitmap that is packed, cut off, or says of itself what cannot be.

    Parameters
    ----------
    path : Path
        A regular file that begins with ``BM``.
    name : str
        What to call it.

    Raises
    ------
    InputError
        One line: what is wrong, and what to do.
    """
    with path.open("rb") as file:
        head = file.read(54)
    if len(head) < 54:
        raise InputError(f"{name}: cut off within its header. Get the file again from where it came")
    offset, size, cols, rows, planes, bits, compression = struct.unpack("<10xIIiiHHI", head[:34])
    header = _Header(offset, size, cols, rows, planes, bits, compression, *struct.unpack_from("<I", head, 46))
    why = _kind(header) or _size(header, path.stat().st_size)
    if why is not None:
        raise InputError(f"{name}: {why}")


def _kind(header: _Header) -> str | None:
    if header.size not in HEADERS:
        return f"a bitmap with a header of {header.size:,} bytes is not read. {ADVICE}"
    if header.compression:
        packed = PACKED.get(header.compression, f"packed in a way ({header.compression:,}) not known")
        return f"a bitmap that is {packed} is not read, only plain pixels. {ADVICE}"
    if header.bits not in BITS or header.planes != 1:
        return (
            f"a bitmap of {header.planes:,} x {header.bits:,} bits a pixel is not read, only {BITS}. {ADVICE}"
        )
    return None


def _size(header: _Header, size_bytes: int) -> str | None:
    rows = abs(header.rows)  # negative: the first row comes first
    if header.cols < 1 or not 1 <= rows < 2**31:
        return f"a bitmap of {header.rows:,} x {header.cols:,} px cannot be. {ADVICE}"
    table = 4 * (header.colours or 256) if header.bits == 8 else 0
    if header.colours > 256 or header.offset < 14 + header.size + table:
        return f"a bitmap whose pixels begin at byte {header.offset:,}, within its header. {ADVICE}"
    needed = header.offset + rows * ((header.cols * header.bits + 31) // 32 * 4)
    if needed > size_bytes:
        return (
            f"cut off: {rows:,} x {header.cols:,} px need {needed:,} bytes, it has {size_bytes:,}. "
            "Get the file again from where it came"
        )
    return None
