"""Whether a picture file is whole: its container walked from end to end, before any pixel is decoded.

No library does this: decoders fill what is missing with grey or black (measured: a JPEG cut in half and
closed again reads without an error). What only decoding can show is not seen here; a JPEG is decoded whole
when it is let in, and readers refuse the rest.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from . import containers, tiff_blocks
from .containers import Block
from .provenance import Integrity

Finding = tuple[str, str]
"""``damaged`` or ``unusual``, and what."""

_PIECE = 1 << 20
_FRAMES = {b"\xff" + bytes([kind]) for kind in range(0xC0, 0xD0) if kind not in (0xC4, 0xC8, 0xCC)}
"""JPEG markers that begin a frame."""


def check(path: Path, driver: str) -> Integrity:
    """Walk one file.

    Parameters
    ----------
    path : Path
        A regular file.
    driver : str
        GDAL's name of its kind, as told by its first bytes.

    Raises
    ------
    OSError
        It cannot be read.
    """
    walk: Callable[[BinaryIO], Iterator[Finding]] = _WALKS[driver]
    found: list[Finding] = []
    with path.open("rb") as file:
        try:
            found += walk(file)
        except containers.Broken as broken:
            found.append(("damaged", f"{broken} at byte {file.tell():,}"))
        except (struct.error, OverflowError, ValueError):
            found.append(("damaged", f"it ends, or breaks off, within a block near byte {file.tell():,}"))
    told = tuple(dict.fromkeys(words for _, words in found))[:MAX_FINDINGS]
    states = {state for state, _ in found}
    return Integrity("damaged" if "damaged" in states else "unusual" if states else "complete", told)


MAX_FINDINGS = 8


def directories(path: Path) -> int:
    """How many a TIFF has, as far as they can be walked."""
    with path.open("rb") as file:
        try:
            return tiff_blocks.count(file)
        except (struct.error, OverflowError):
            return 0


def _after(file: BinaryIO, end: int) -> Iterator[Finding]:
    """Bytes that no decoder looks at: editors, phones and those who hide something leave them."""
    left = containers.size(file) - end
    if left > 0:
        yield "unusual", f"{left:,} bytes after its end"


def _png(file: BinaryIO) -> Iterator[Finding]:
    kinds: set[bytes] = set()
    end = containers.size(file)
    for number, (kind, start, length) in enumerate(containers.png_chunks(file)):
        shown = kind.decode("ascii", "replace")
        if start + length + 4 > end:
            yield "damaged", f"it ends within its chunk {shown} at byte {start - 8:,}"
            return
        if number == 0 and (kind, length) != (b"IHDR", 13):
            yield "damaged", "it does not begin with its header"
            return
        if _crc(file, kind, length) != struct.unpack(">I", file.read(4))[0]:
            critical = kind[:1].isupper()
            yield (
                "damaged" if critical else "unusual",
                f"its chunk {shown} at byte {start - 8:,} fails its checksum",
            )
        kinds.add(kind)
    if b"IDAT" not in kinds:
        yield "damaged", "it holds no pixels"
    if b"IEND" not in kinds:
        yield "unusual", f"more than {containers.MAX_BLOCKS:,} chunks: those after them are not checked"
        return
    if b"acTL" in kinds:
        yield "unusual", "it is animated: its first picture is used"
    yield from _after(file, file.tell())


def _crc(file: BinaryIO, kind: bytes, length: int) -> int:
    found = zlib.crc32(kind)
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        found = zlib.crc32(piece, found)
        length -= len(piece)
    return found


def _jpeg(file: BinaryIO) -> Iterator[Finding]:
    frames = scans = 0
    end, last = containers.size(file), b""
    for kind, start, length in containers.jpeg_segments(file):
        last = kind
        if start + length > end:
            yield "damaged", f"it ends within a segment at byte {start - 4:,}"
            return
        frames += kind in _FRAMES
        scans += kind == b"\xff\xda"
    if not (frames and scans):
        yield "damaged", "it holds no pixels"
    if last == b"\xff\xd9":
        yield from _after(file, file.tell())


def _webp(file: BinaryIO) -> Iterator[Finding]:
    end = containers.size(file)
    (told,) = struct.unpack("<4xI", file.read(8))
    if told + 8 > end:
        yield "damaged", f"it says {told + 8:,} bytes of itself and has {end:,}"
        return
    kinds: set[bytes] = set()
    for kind, start, length in containers.riff_chunks(file, told + 8):
        if start + length > end:
            yield "damaged", f"it ends within its chunk at byte {start - 8:,}"
            return
        kinds.add(kind)
    if b"ANMF" in kinds:
        yield "unusual", "it is animated"
    elif not kinds & {b"VP8 ", b"VP8L"}:
        yield "damaged", "it holds no pixels"
    yield from _after(file, told + 8)


def _jp2(file: BinaryIO) -> Iterator[Finding]:
    end, streams = containers.size(file), list[Block]()
    for block in containers.jp2_boxes(file):
        if block.kind == containers.JUNK:
            yield "unusual", f"{block.length:,} bytes after its end"
            break
        if block.start + block.length > end:
            yield "damaged", f"it ends within a box at byte {block.start - 8:,}"
            if block.kind != b"jp2c":
                return
        if block.kind == b"jp2c":
            streams.append(block)
    if not streams:
        yield "damaged", "it holds no pixels"
        return
    if len(streams) > 1:
        yield "unusual", "it holds several codestreams: the first is used"
    yield from _codestream(file, streams[0], end)


def _codestream(file: BinaryIO, stream: Block, end: int) -> Iterator[Finding]:
    """Main header, then tile-parts by their own lengths (ISO/IEC 15444-1, annex A)."""
    at, last = stream.start + 2, min(end, stream.start + stream.length)
    for _ in range(containers.MAX_BLOCKS):
        file.seek(at)
        marker, length = struct.unpack(">HH", (file.read(4) + b"\0\0")[:4])
        if marker == 0xFFD9:
            return
        if at >= last:
            yield "unusual", "its codestream has no end marker"
            return
        if marker < 0xFF30 or length < 2:
            yield "damaged", f"its codestream has no marker at byte {at:,}"
            return
        if marker == 0xFF90:
            _, part = struct.unpack(">HI", file.read(6))
            if part == 0:  # to the end marker
                at = last - 2
                continue
            length, at = max(part, 12), at - 2
        at += 2 + length
        if at > last:
            yield "damaged", "its codestream is cut off"
            return


def _bmp(file: BinaryIO) -> Iterator[Finding]:
    """Only what comes after its pixels: `bitmap` refuses all else."""
    head = file.read(54)
    if len(head) < 54:
        yield "damaged", "cut off within its header"
        return
    offset, _, cols, rows, _, bits = struct.unpack("<10xIIiiHH", head[:30])
    yield from _after(file, offset + abs(rows) * ((max(cols, 0) * bits + 31) // 32 * 4) + 3)


_WALKS = {
    "GTiff": tiff_blocks.findings,
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _webp,
    "JP2OpenJPEG": _jp2,
    "BMP": _bmp,
}
