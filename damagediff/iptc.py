"""IPTC captions in the Photoshop block of a JPEG, as press agencies write them (IPTC IIM 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_RECORDS = 200

PUBLIC = {
    5: "title",
    55: "date created",
    60: "time created",
    65: "program",
    90: "city",
    101: "country",
    105: "headline",
    110: "credit",
    115: "source",
    116: "copyright",
    120: "caption",
}
_IIM = 0x0404


def read(block: bytes) -> Iterator[tuple[str, str, bool]]:
    """(name, value, whether it is public) of each record; ends where the structure is broken."""
    at = 0
    for _ in range(MAX_RECORDS):
        if block[at : at + 4] != b"8BIM" or at + 7 > len(block):
            return
        (kind,) = struct.unpack_from(">H", block, at + 4)
        at += 6
        at += (1 + block[at] + 1) // 2 * 2  # a name, padded to an even length
        if at + 4 > len(block):
            return
        (length,) = struct.unpack_from(">I", block, at)
        at += 4
        if kind == _IIM:
            yield from _records(block[at : at + length])
        at += length + length % 2


def _records(data: bytes) -> Iterator[tuple[str, str, bool]]:
    at, utf8 = 0, False
    for _ in range(MAX_RECORDS):
        if at + 5 > len(data) or data[at] != 0x1C:
            return
        record, dataset, length = struct.unpack_from(">BBH", data, at + 1)
        at += 5
        value = data[at : at + length]
        at += length
        if (record, dataset) == (1, 90):
            utf8 = value == b"\x1b%G"
        elif record == 2 and dataset:
            name = PUBLIC.get(dataset, f"2:{dataset}")
            yield f"IPTC {name}", _text(value, utf8), dataset in PUBLIC


def _text(value: bytes, utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if utf8 else "latin-1", "replace")
