"""Whether the directories and blocks of a TIFF lie inside its file (TIFF 6.0; BigTIFF).

Only the first directory is read for pixels; of the others it is told when they lead nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from . import containers

MAX_DIRECTORIES = 20_000
"""Walked of one file; `ReadSettings.max_directories` refuses long before."""
MAX_ENTRIES = 4096
"""Of one directory; libtiff reads as many."""
MAX_LISTED = 4_000_000
"""Blocks of one directory whose places are read."""

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_NUMBERS = {3: "u2", 4: "u4", 13: "u4", 16: "u8"}
_NO_PICTURE = {
    4: "a mask",
    9: "in the colour space ICC L*a*b*",
    10: "in the colour space ITU L*a*b*",
    32803: "the mosaic of a camera's sensor",
    32844: "in the colour space Log L",
    32845: "in the colour space Log Luv",
    34892: "those of a camera's sensor",
    51177: "depths, not light",
}
"""What the tag of colours may say, beyond grey, palette, RGB, CMYK, YCbCr and CIELAB, which are converted."""
_STRIPS, _TILES = (273, 279), (324, 325)
Finding = tuple[str, str]


class Layout(NamedTuple):
    """How numbers are written in this file."""

    order: str
    big: bool
    end: int


class Entry(NamedTuple):
    """One field: its type, how many values, and where they lie."""

    kind: int
    many: int
    place: int

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return self.many * _SIZES.get(self.kind, 0)


def directories(file: BinaryIO) -> Iterator[dict[int, Entry]]:
    """Fields of each directory of the chain, in order; ends where it runs in a circle.

    Raises
    ------
    struct.error
        A directory lies outside the file.
    """
    layout, offset = layout_of(file)
    seen: set[int] = set()
    while offset and offset not in seen and len(seen) < MAX_DIRECTORIES:
        seen.add(offset)
        found, offset = directory(file, offset, layout)
        yield found


def count(file: BinaryIO) -> int:
    """Directories of the chain, as far as it can be walked, at most `MAX_DIRECTORIES`."""
    found = 0
    try:
        for _ in directories(file):
            found += 1
    except struct.error:
        pass
    return found


def findings(file: BinaryIO) -> Iterator[Finding]:
    """What is damaged or unusual."""
    layout, _ = layout_of(file)
    number = 0
    try:
        for number, fields in enumerate(directories(file), 1):
            state = "damaged" if number == 1 else "unusual"
            whose = "" if number == 1 else f"directory {number:,}: "
            for words in _outside(file, fields, layout):
                yield state, whose + words
            if number == 1:
                yield from (("unusual", words) for words in _stored(file, fields, layout))
    except struct.error:
        where = "its first directory" if number == 0 else f"directory {number + 1:,}"
        yield "unusual" if number else "damaged", f"{where} lies outside the file, or is cut off"
    if number == 0:
        yield "damaged", "it has no directory"


def layout_of(file: BinaryIO) -> tuple[Layout, int]:
    """Order and width of numbers, and where the first directory lies."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(order + "H", head[2:4])[0] == 43
    (first,) = struct.unpack(order + ("Q" if big else "I"), head[8:16] if big else head[4:8])
    return Layout(order, big, containers.size(file)), first


def directory(file: BinaryIO, offset: int, layout: Layout) -> tuple[dict[int, Entry], int]:
    """Fields of one directory, and where the next one lies; 0: nowhere."""
    order, big, end = layout
    if offset >= end:
        raise struct.error("outside the file")
    file.seek(offset)
    (number,) = struct.unpack(order + ("Q" if big else "H"), file.read(8 if big else 2))
    pattern, width = (order + "HHQQ", 8) if big else (order + "HHII", 4)
    step = struct.calcsize(pattern)
    first = file.tell()
    table = file.read(min(number, MAX_ENTRIES) * step)
    if len(table) < min(number, MAX_ENTRIES) * step:
        raise struct.error("cut off")
    found: dict[int, Entry] = {}
    for k, (tag, kind, many, value) in enumerate(struct.iter_unpack(pattern, table)):
        inline = many * _SIZES.get(kind, 0) <= width
        found.setdefault(tag, Entry(kind, many, first + (k + 1) * step - width if inline else value))
    file.seek(first + number * step)
    link = file.read(8 if big else 4)
    if len(link) < (8 if big else 4):  # some writers stop at the last entry
        return found, 0
    return found, struct.unpack(order + ("Q" if big else "I"), link)[0]


def _outside(file: BinaryIO, fields: dict[int, Entry], layout: Layout) -> Iterator[str]:
    """Sentences on values and blocks that do not lie inside the file."""
    for tag, entry in fields.items():
        if entry.place + entry.size > layout.end:
            yield f"the values of its tag {tag} lie outside the file"
    pair = _TILES if _TILES[0] in fields else _STRIPS
    offsets, sizes = (values(file, fields.get(tag), layout) for tag in pair)
    if offsets is None:
        if fields.get(pair[0]) is None:
            yield "it names no blocks of pixels"
        return
    if sizes is None or len(sizes) != len(offsets):
        sizes = np.zeros(len(offsets), np.uint64)
    ends = offsets + sizes
    wrong = (offsets > 0) & ((ends > layout.end) | (ends < offsets) | (offsets >= layout.end))
    if wrong.any():
        yield f"{int(wrong.sum()):,} of its {len(offsets):,} internal blocks lie beyond its end"


def _stored(file: BinaryIO, fields: dict[int, Entry], layout: Layout) -> Iterator[str]:
    """Sentences on pixels that are no plain picture, though decoders give them as one."""
    kinds, colours, extra = (values(file, fields.get(tag), layout) for tag in (254, 262, 338))
    if kinds is not None and int(kinds[0]) & 1:
        yield "it says that its first picture, the one that is used, is a reduced copy of another"
    if colours is not None and int(colours[0]) in _NO_PICTURE:
        yield f"its values are {_NO_PICTURE[int(colours[0])]}, and are read as they are stored"
    if extra is not None and 1 in extra:
        yield "its colours are multiplied by their opacity, and are read as they are stored"


def values(
    file: BinaryIO, entry: Entry | None, layout: Layout
) -> np.ndarray[tuple[int], np.dtype[np.uint64]] | None:
    """Whole numbers of a field; None when it has none that can be read."""
    if entry is None or entry.kind not in _NUMBERS or entry.place + entry.size > layout.end:
        return None
    if not 0 < entry.many <= MAX_LISTED:
        return None
    file.seek(entry.place)
    return np.frombuffer(file.read(entry.size), layout.order + _NUMBERS[entry.kind]).astype(np.uint64)
