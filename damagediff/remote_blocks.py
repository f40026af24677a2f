"""Part of `remote`: which bytes of a tiled TIFF hold what it says of itself, and which a window of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from . import tiff_blocks
from .errors import InputError
from .tiff_blocks import Entry, Layout
from .types import Window

Range = tuple[int, int]
"""First byte, and the one after the last."""

MAX_HEADER_BYTES = 64 << 20
"""Of all values of all directories: places of 2.5 million blocks take 40 MB."""
_INSIDE = (330, 34665, 34853, 40965)
"""Tags that lead to directories beside the chain: of copies, EXIF, GPS, and of what works with it."""
MAX_INSIDE = 200
_REDUCED, _MASK = 1, 4
_OLD_JPEG = frozenset((513, 519, 520, 521))
"""Tags that lead to tables and pixels beside the tiles."""
_STRIPS, _TILES = frozenset((273, 278, 279)), frozenset((322, 323, 324, 325))


@dataclass(frozen=True)
class Blocks:
    """Where the tiles of one directory lie."""

    tile: tuple[int, int]
    """Rows and columns of one."""
    counts: tuple[int, int]
    """Rows and columns of tiles."""
    planes: int
    """1 when a tile holds all bands, else one for each band."""
    offsets: np.ndarray[tuple[int], np.dtype[np.uint64]]
    sizes: np.ndarray[tuple[int], np.dtype[np.uint64]]

    def ranges(self, bands: list[int], window: Window) -> Iterator[Range]:
        """Bytes of the tiles that a window touches; those that hold no data have none."""
        rows = range(window.row // self.tile[0], -(-(window.row + window.rows) // self.tile[0]))
        cols = slice(window.col // self.tile[1], -(-(window.col + window.cols) // self.tile[1]))
        for plane in {band - 1 for band in bands} if self.planes > 1 else (0,):
            for row in rows:
                first = (plane * self.counts[0] + row) * self.counts[1]
                of = slice(first + cols.start, first + min(cols.stop, self.counts[1]))
                for offset, size in zip(self.offsets[of].tolist(), self.sizes[of].tolist(), strict=True):
                    if offset and size:
                        yield offset, offset + size


def header(file: BinaryIO, limit: int) -> Iterator[Range]:
    """Bytes of the values of all directories, where they are not beside the entry itself.

    Reading of `file` fetches what it asks for.

    Raises
    ------
    InputError
        More than `limit` directories, or `MAX_HEADER_BYTES` of values.
    struct.error
        A directory lies outside the file.
    """
    layout, _ = tiff_blocks.layout_of(file)
    left, inside = MAX_HEADER_BYTES, MAX_INSIDE
    for number, fields in enumerate(tiff_blocks.directories(file), 1):
        if number > limit:
            raise InputError(f"more than the {limit:,} directories that are read of one TIFF")
        found = [fields]
        while found:
            entries = found.pop()
            for entry in entries.values():
                if entry.place + entry.size <= layout.end:
                    left -= entry.size
                    yield entry.place, entry.place + entry.size
            if left < 0:
                raise InputError(f"its header has more than {MAX_HEADER_BYTES:,} bytes")
            for at in _within(file, entries, layout)[: max(0, inside)]:
                inside -= 1
                found.append(tiff_blocks.directory(file, at, layout)[0])


def _within(file: BinaryIO, entries: dict[int, Entry], layout: Layout) -> list[int]:
    """Places of directories that an entry leads to."""
    told = [tiff_blocks.values(file, entries.get(tag), layout) for tag in _INSIDE]
    return [int(at) for places in told if places is not None for at in places[:MAX_INSIDE] if at < layout.end]


def blocks(file: BinaryIO) -> tuple[Blocks, ...]:
    """Tiles of the first picture, and of the mask that goes with it.

    Raises
    ------
    InputError
        The picture is not tiled, or does not say where its tiles are.
    struct.error
        A directory lies outside the file.
    """
    layout, _ = tiff_blocks.layout_of(file)
    first, *others = tiff_blocks.directories(file)
    found = [_blocks(file, first, layout)]
    shape = _numbers(file, first, layout, (257, 256))
    for fields in others:
        kinds, _ = _numbers(file, fields, layout, (254, 254))
        if kinds & _MASK and not kinds & _REDUCED:
            if _numbers(file, fields, layout, (257, 256)) != shape:
                raise InputError("its mask is of another size than its picture")
            found.append(_blocks(file, fields, layout))
    return tuple(found)


def _blocks(file: BinaryIO, fields: dict[int, Entry], layout: Layout) -> Blocks:
    if not _STRIPS.isdisjoint(fields) and not _TILES.isdisjoint(fields):
        raise InputError("it says both that it has tiles and that it has strips")  # GDAL may follow either
    if not _OLD_JPEG.isdisjoint(fields):
        raise InputError("its JPEG is of the kind of TIFF 6.0, with tables of its own elsewhere")
    tile = _numbers(file, fields, layout, (323, 322))
    offsets, sizes = (tiff_blocks.values(file, fields.get(tag), layout) for tag in (324, 325))
    if offsets is None or sizes is None or min(tile) < 1:
        raise InputError("not a tiled TIFF, so that any part of it would need most of it")
    rows, cols = _numbers(file, fields, layout, (257, 256))
    counts = -(-rows // tile[0]), -(-cols // tile[1])
    samples, planar = _numbers(file, fields, layout, (277, 284))
    planes = max(1, samples) if planar == 2 else 1
    if not len(offsets) == len(sizes) == counts[0] * counts[1] * planes:
        raise InputError("it does not say where each of its tiles is")
    return Blocks(tile, counts, planes, offsets, sizes)


def _numbers(
    file: BinaryIO, fields: dict[int, Entry], layout: Layout, names: tuple[int, int]
) -> tuple[int, int]:
    """Whole numbers of two fields; 0 where there is none. GDAL reads some that are not read here."""
    found = [tiff_blocks.values(file, fields.get(name), layout) for name in names]
    if any(value is None and name in fields for name, value in zip(names, found, strict=True)):
        raise InputError("it says in an unusual way how its tiles lie")
    first, second = (0 if value is None else int(value[0]) for value in found)
    return first, second
