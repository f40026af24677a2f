"""The blocks of a picture file that hold words: walked with limits, no pixel decoded.

JPEG segments (ISO/IEC 10918-1), PNG chunks (W3C PNG, third edition), WebP chunks (RIFF) and JPEG 2000 boxes
(ISO/IEC 15444-1). C2PA manifests are recognised by their container (C2PA 2.1, appendix A), never read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from . import containers
from .containers import Block

MAX_BLOCKS = 20_000
"""Segments or chunks of one file; a 1 Gpx PNG in chunks of 8 kB has more, and its words come before them."""
MAX_BYTES = 1 << 20
"""Of one block, also when decompressed; a longer one is not read, and that is told."""
MAX_KEPT, MAX_KEPT_BYTES = 200, 8 << 20
"""Blocks kept of one file, and their bytes in all."""
_XMP_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CREDENTIALS = ("JPEG", "PNG", "WEBP", "JP2OpenJPEG", "GTiff")
"""Kinds of files whose C2PA container is known here."""
TOO_MANY = f"some of its words: it holds more than {MAX_KEPT} blocks, or {MAX_KEPT_BYTES:,} bytes"


@dataclass
class Blocks:
    """What was found, as stored: bytes of strangers."""

    kept: list[tuple[str, bytes]] = field(default_factory=list)
    """(kind, content): exif, xmp, iptc, comment, text (keyword NUL text), quantisation."""
    unread: list[str] = field(default_factory=list)
    credentials: bool | None = None
    size: int = 0

    def keep(self, kind: str, content: bytes) -> None:
        """One more block, unless there are too many."""
        full = len(self.kept) >= MAX_KEPT or self.size + len(content) > MAX_KEPT_BYTES
        if not full:
            self.kept.append((kind, content))
            self.size += len(content)
        elif TOO_MANY not in self.unread:
            self.unread.append(TOO_MANY)

    def of(self, kind: str) -> list[bytes]:
        """Contents of one kind, in file order."""
        return [content for name, content in self.kept if name == kind]


def read(path: Path, driver: str) -> Blocks:
    """Walk the file; a broken structure ends the walk and is told, it is no reason to refuse a picture."""
    found = Blocks(credentials=False if driver in _CREDENTIALS else None)
    walk = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "JP2OpenJPEG": _jp2, "GTiff": _tiff}.get(driver)
    if walk is None:
        return found
    with path.open("rb") as file:
        try:
            walk(file, found)
        except (struct.error, OSError, OverflowError):
            found.unread.append("its blocks are damaged; those after the damage were not read")
    return found


def _sized(file: BinaryIO, length: int, what: str, found: Blocks) -> bytes | None:
    """The next `length` bytes; None, and told, when that is too many."""
    if length > MAX_BYTES:
        found.unread.append(f"{what} of {length:,} bytes")
        return None
    content = file.read(length)
    if len(content) < length:
        raise struct.error
    return content


def _bounded(blocks: Iterator[Block], found: Blocks) -> Iterator[Block]:
    for number, block in enumerate(blocks):
        if number >= MAX_BLOCKS:
            found.unread.append(f"blocks after the first {MAX_BLOCKS:,}")
            return
        yield block


def _jpeg(file: BinaryIO, found: Blocks) -> None:
    for kind, _, length in _bounded(containers.jpeg_segments(file), found):
        if kind == b"\xff\xda":
            return
        content = file.read(length)
        if len(content) < length:
            raise struct.error
        _jpeg_segment(int.from_bytes(kind), content, found)


def _jpeg_segment(marker: int, content: bytes, found: Blocks) -> None:
    if marker == 0xFFE1 and content.startswith(b"Exif\0\0"):
        found.keep("exif", content[6:])
    elif marker == 0xFFE1 and content.startswith(_XMP_JPEG):
        found.keep("xmp", content[len(_XMP_JPEG) :])
    elif marker == 0xFFEB and content[:2] == b"JP" and b"jumb" in content[:32] and b"c2pa" in content[:256]:
        found.credentials = True
    elif marker == 0xFFED and content.startswith(b"Photoshop 3.0\0"):
        found.keep("iptc", content[14:])
    elif marker == 0xFFFE:
        found.keep("comment", content)
    elif marker == 0xFFDB:
        found.keep("quantisation", content)


def _png(file: BinaryIO, found: Blocks) -> None:
    for kind, _, length in _bounded(containers.png_chunks(file), found):
        if kind == b"caBX":
            found.credentials = True
        if kind in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            content = _sized(file, length, kind.decode(), found)
            if content is not None:
                _png_words(kind, content, found)


def _png_words(kind: bytes, content: bytes, found: Blocks) -> None:
    if kind == b"eXIf":
        found.keep("exif", content)
        return
    keyword, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        text = _inflated(rest[1:], "zTXt", found)
    elif kind == b"iTXt":
        text = rest[2:].split(b"\0", 2)[-1]
        text = _inflated(text, "iTXt", found) if rest[:1] == b"\1" else text
    else:
        text = rest
    if keyword == b"XML:com.adobe.xmp":
        found.keep("xmp", text)
    elif text:
        utf8 = text if kind == b"iTXt" else text.decode("latin-1").encode()
        found.keep("text", keyword[:79] + b"\0" + utf8)


def _inflated(data: bytes, what: str, found: Blocks) -> bytes:
    """At most `MAX_BYTES` of what it unpacks to; nothing when that is not all, or it is damaged."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MAX_BYTES)
    except zlib.error:
        found.unread.append(f"a damaged {what}")
        return b""
    if not unpacker.eof:
        found.unread.append(f"{what} that unpacks to more than {MAX_BYTES:,} bytes, or is cut off")
        return b""
    return text


def _webp(file: BinaryIO, found: Blocks) -> None:
    for kind, _, length in _bounded(containers.riff_chunks(file), found):
        if kind == b"C2PA":
            found.credentials = True
        if kind in (b"EXIF", b"XMP "):
            content = _sized(file, length, kind.decode().strip(), found)
            if content is not None:
                found.keep(kind.decode().strip().lower(), content.removeprefix(b"Exif\0\0"))


def _jp2(file: BinaryIO, found: Blocks) -> None:
    for kind, _, length in _bounded(containers.jp2_boxes(file), found):
        if kind == b"jumb":
            found.credentials = found.credentials or b"c2pa" in file.read(256)
        elif kind == b"uuid" and file.read(16) == _XMP_UUID and length > 16:
            content = _sized(file, length - 16, "XMP", found)
            if content:
                found.keep("xmp", content)


def _tiff(file: BinaryIO, found: Blocks) -> None:
    """The file is itself what EXIF is made like; its first tags are read in place by `exif_fields`."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None:
        return
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    (first,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
    file.seek(first)
    (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
    size = 20 if big else 12
    table = file.read(min(count, 4096) * size)
    known = {
        struct.unpack(order + "H", table[at : at + 2])[0] for at in range(0, len(table) - size + 1, size)
    }
    found.credentials = 52545 in known
