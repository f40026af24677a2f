"""How picture files are cut into blocks: bounded walks that decode nothing, for words and for integrity.

PNG chunks (W3C PNG, third edition), JPEG segments (ISO/IEC 10918-1), RIFF chunks (WebP), JPEG 2000 boxes
(ISO/IEC 15444-1). Each walk gives blocks in file order and raises `Broken` where the file ends within one;
while a block is in hand, its content may be read from the file.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_BLOCKS = 1_000_000
"""Of one file; a 2.5 Gpx PNG in chunks of 8 kB has as many."""

JUNK = b""
"""The kind of what is no block."""
SOS, EOI = 0xFFDA, 0xFFD9
_STANDALONE = {0xFF01, *range(0xFFD0, 0xFFD8)}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What ends entropy-coded data: no stuffed byte, no fill byte, no restart marker."""
_NAME = re.compile(rb"[ -~]{4}")
_PIECE = 1 << 20


class Broken(struct.error):
    """The file ends within a block, or what stands there cannot be one."""


class Block(NamedTuple):
    """One block: its name, and where its content lies."""

    kind: bytes
    start: int
    length: int


def size(file: BinaryIO) -> int:
    """Bytes of the file."""
    return os.fstat(file.fileno()).st_size


def _take(file: BinaryIO, length: int) -> bytes:
    content = file.read(length)
    if len(content) < length:
        raise Broken("it ends within a block")
    return content


def png_chunks(file: BinaryIO) -> Iterator[Block]:
    """Chunks up to IEND."""
    at = 8
    for _ in range(MAX_BLOCKS):
        file.seek(at)
        length, kind = struct.unpack(">I4s", _take(file, 8))
        yield Block(kind, at + 8, length)
        if kind == b"IEND":
            return
        at += length + 12


def riff_chunks(file: BinaryIO, end: int | None = None) -> Iterator[Block]:
    """Chunks of a WebP, up to `end`, or to the end of the file."""
    at = 12
    for _ in range(MAX_BLOCKS):
        file.seek(at)
        head = file.read(8)
        if not head or (end is not None and at >= end):
            return
        kind, length = struct.unpack("<4sI", head)
        yield Block(kind, at + 8, length)
        at += 8 + length + length % 2


def jp2_boxes(file: BinaryIO) -> Iterator[Block]:
    """Boxes of a JPEG 2000 file; a bare codestream is given as one box ``jp2c``."""
    end, at, seen = size(file), 0, False
    for _ in range(MAX_BLOCKS):
        file.seek(at)
        head = file.read(8)
        if not head:
            return
        if at == 0 and head[:4] == b"\xff\x4f\xff\x51":
            yield Block(b"jp2c", 0, end)
            return
        if seen and not _NAME.fullmatch(head[4:]):  # what follows the picture is not part of it
            yield Block(JUNK, at, end - at)
            return
        length, kind = struct.unpack(">I4s", head.ljust(8, b"\0"))
        own = 8
        if length == 1:
            (length,), own = struct.unpack(">Q", _take(file, 8)), 16
        elif length == 0:  # to the end of the file
            length = end - at
        if length < own:
            raise Broken("it has a box shorter than its head")
        seen = seen or kind == b"jp2c"
        yield Block(kind, at + own, length - own)
        at += length


def jpeg_segments(file: BinaryIO) -> Iterator[Block]:
    """Segments, their marker as kind, scans and all, to the end marker; scans are searched, not decoded."""
    file.seek(2)
    for _ in range(MAX_BLOCKS):
        (marker,) = struct.unpack(">H", _take(file, 2))
        while marker == 0xFFFF:  # fill bytes
            marker = 0xFF00 | _take(file, 1)[0]
        if marker < 0xFF01:
            raise Broken("it has no marker where one should be")
        if marker == EOI or marker in _STANDALONE:
            yield Block(marker.to_bytes(2), file.tell(), 0)
            if marker == EOI:
                return
            continue
        (length,) = struct.unpack(">H", _take(file, 2))
        if length < 2:
            raise Broken("it has a segment shorter than its head")
        start = file.tell()
        yield Block(marker.to_bytes(2), start, length - 2)
        file.seek(start + length - 2)
        if marker == SOS:
            file.seek(_next_marker(file, start + length - 2))


def _next_marker(file: BinaryIO, start: int) -> int:
    """Where the marker after the entropy-coded data stands."""
    at = start
    file.seek(at)
    while piece := file.read(_PIECE):
        found = _MARKER.search(piece)
        if found:
            return at + found.start()
        if len(piece) < 2:
            break
        at += len(piece) - 1  # the last byte may be the first of a marker
        file.seek(at)
        if len(piece) < _PIECE:
            break
    raise Broken("it ends within a scan")
