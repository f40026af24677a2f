"""What is asked of GDAL about one file, answered in plain numbers and text.

Runs in the child process of `decoding`, or in this one where there is no such child. Answers fit into JSON,
because a process that has decoded hostile bytes may itself have turned hostile: nothing of it is unpickled.
"""

from __future__ import annotations

import base64
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from . import door
from .errors import InputError
from .file_header import File, Header, Layout
from .types import BoolArray, Window

Answer = dict[str, Any]

WINDOW_PX = 1100
"""Side of what is read at one time, about: a tile with its halo."""
LEAST_CACHE_MIB = 16
STRIP_PX = 4_000_000
"""Pixels decoded at once when a whole file is."""
MAX_CONTROL_POINTS = 500
"""Of a file with more, as many are used, evenly from its list; a radar scene has 210."""
_BENIGN = "extraneous bytes"
"""The one complaint of libjpeg about bytes that it skips; measured on genuine photographs."""


class Decoder:
    """One file; one thread at a time."""

    def __init__(self, file: File, alone: bool = False) -> None:
        """`alone`: nothing else in this process uses GDAL, so that its cache can be cut to this file."""
        self.file = file
        self._alone = alone
        self._dataset: Any = None
        self._bad: BoolArray | None = None
        self._scale: int | None = None

    def close(self) -> None:
        """Give back what is held."""
        if self._dataset is not None:
            self._dataset.close()
            self._dataset = None

    def rest(self) -> Answer:
        """Close the file until something is asked again."""
        self.close()
        return {}

    def opened(self) -> Any:
        """The dataset for pixels."""
        if self._dataset is None:
            dataset = door.open_one(self.file.path, self.file.driver, self.file.name, self.file.tolerant)
            with door.input_errors(self.file.name):
                self._scale = door.full_scale(dataset)
            if self._alone:
                os.environ["GDAL_CACHEMAX"] = str(_cache_mib(dataset))  # heard with the first block
            self._dataset = dataset
        return self._dataset

    def layout(self) -> Answer:
        """Fields of `Layout`."""
        dataset = self.opened()
        rows, cols = dataset.block_shapes[0]
        found = Layout(
            dataset.driver,
            tuple(dataset.shape),
            tuple(dataset.dtypes),
            (rows, cols),
            door.band_interleaved(dataset),
        )
        return asdict(found)

    def header(self) -> Answer:
        """Fields of `Header`."""
        file = self.file
        with door.header(file.path, file.driver, file.name) as dataset:
            said = dataset.tags(ns="IMAGERY") | dataset.tags()
            scale, nodata = door.full_scale(dataset), dataset.nodata
            found = Header(
                nodata=nodata if scale is None or nodata is None else nodata * 255 // scale,
                transform=tuple(dataset.transform)[:6],
                crs=door.crs_of(dataset),
                control_points=_control_points(dataset.gcps[0]),
                points_crs=door.crs_words(dataset.gcps[1]),
                camera_model=bool(dataset.rpcs),
                colours=tuple(c.name for c in dataset.colorinterp),
                descriptions=tuple(dataset.descriptions),
                tags={key.upper(): value for key, value in said.items()},
                domains=tuple(dataset.tag_namespaces()),
                full_scale=scale,
                structure=dataset.tags(ns="IMAGE_STRUCTURE"),
                xmp=tuple(dataset.tags(ns="xml:XMP").values()) if file.driver == "GTiff" else (),
                band_tags=tuple(dataset.tags(band) for band in dataset.indexes),
            )
        return asdict(found)

    def absent(self) -> Answer:
        """Blocks that hold no data: (block rows, block cols), packed, and the block's rows and columns."""
        dataset = self.opened()
        with door.input_errors(self.file.name):
            found = door.absent_blocks(dataset)
        if self.file.damaged:
            self._bad = self._undecodable(dataset, found.shape)
            found |= self._bad
        packed = base64.b64encode(np.packbits(found).tobytes()).decode("ascii")
        return {"shape": found.shape, "packed": packed, "block": dataset.block_shapes[0]}

    def palette(self) -> Answer:
        """Colours by index."""
        with door.input_errors(self.file.name):
            colours = self.opened().colormap(1)
        return {"colours": [[index, *colour] for index, colour in colours.items()]}

    def read(self, bands: list[int], window: Window, into: memoryview | None = None) -> Answer:
        """Pixels of `bands` into `into`, and after them the file's own mask, where it has one."""
        dataset, file = self.opened(), self.file
        shape, kind = (len(bands), window.rows, window.cols), np.dtype(dataset.dtypes[0])
        pixels = (
            np.empty(shape, kind)
            if into is None
            else np.frombuffer(into, kind, math.prod(shape)).reshape(shape)
        )
        if self._bad is None or not self._bad.any():
            door.read_pixels(dataset, bands, window, file, pixels)
            mask = door.read_mask(dataset, window, file.name)
        else:
            mask = self._read_good(dataset, bands, window, pixels)
        if self._scale is not None:
            pixels *= np.uint8(255 // self._scale)
        if into is None:
            return {"pixels": pixels, "mask": mask}
        if mask is not None:
            np.frombuffer(into, np.bool_, mask.size, pixels.nbytes)[:] = mask.reshape(-1)
        return {"mask": mask is not None}

    def complaints(self) -> Answer:
        """Decode everything: what the decoder says, and whether it gave up."""
        with _log() as lines:
            try:
                dataset = self.opened()
                for window in _strips(dataset.shape):
                    door.read_pixels(dataset, [1], window, self.file)
            except InputError as error:
                return {
                    "failed": str(error.__cause__ and door.reason(error.__cause__) or error),
                    "lines": lines,
                }
        return {"failed": None, "lines": lines}

    def _undecodable(self, dataset: Any, shape: tuple[int, int]) -> BoolArray:
        """(block rows, block cols) that raise when they are decoded one by one, from the first to the last.

        Of a file that is decoded from its top, what follows the first such block is as bad.
        """
        bad = np.zeros(shape, np.bool_)
        rows, cols = dataset.block_shapes[0]
        for y, x in np.ndindex(*shape):
            if self.file.driver != "GTiff" and bad.any():
                bad[y:] = True
                break
            window = _clipped(Window(y * rows, x * cols, rows, cols), dataset.shape)
            try:
                door.read_pixels(dataset, list(dataset.indexes), window, self.file)
            except InputError:
                bad[y, x] = True
        return bad

    def _read_good(
        self, dataset: Any, bands: list[int], window: Window, pixels: np.ndarray[Any, Any]
    ) -> BoolArray:
        """The same, block by block, 0 and not valid where a block is bad."""
        assert self._bad is not None
        rows, cols = dataset.block_shapes[0]
        pixels[:] = 0
        mask = np.zeros(pixels.shape[1:], np.bool_)
        for y in range(window.row // rows, -(-(window.row + window.rows) // rows)):
            for x in range(window.col // cols, -(-(window.col + window.cols) // cols)):
                if self._bad[y, x]:
                    continue
                part = _shared(Window(y * rows, x * cols, rows, cols), window)
                place = Window(part.row - window.row, part.col - window.col, part.rows, part.cols).slices
                pixels[:, *place] = door.read_pixels(dataset, bands, part, self.file)
                own = door.read_mask(dataset, part, self.file.name)
                mask[place] = True if own is None else own
        return mask


@contextmanager
def _sense() -> Iterator[None]:
    """A decoder that was taken over may answer anything."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise InputError(
            "the decoder of one image answered nonsense: that file is not to be trusted. Get it again from "
            "where it came"
        ) from error


@_sense()
def layout(answer: Answer) -> Layout:
    """What `Decoder.layout` said."""
    rows, cols = answer["shape"]
    block_rows, block_cols = answer["block"]
    return Layout(
        str(answer["driver"]),
        (int(rows), int(cols)),
        tuple(map(str, answer["dtypes"])),
        (int(block_rows), int(block_cols)),
        bool(answer["band_interleaved"]),
    )


@_sense()
def header(answer: Answer) -> Header:
    """What `Decoder.header` said."""
    nodata, crs = answer["nodata"], answer["crs"]
    control_points, points_crs = answer["control_points"], answer["points_crs"]
    transform = tuple(float(number) for number in answer["transform"])
    if len(transform) != 6:
        raise ValueError(transform)
    return Header(
        nodata=None if nodata is None else nodata + 0,
        transform=transform,
        crs=None if crs is None else str(crs),
        control_points=tuple((float(c), float(r), float(x), float(y)) for c, r, x, y in control_points),
        points_crs=None if points_crs is None else str(points_crs),
        camera_model=bool(answer["camera_model"]),
        colours=tuple(map(str, answer["colours"])),
        descriptions=tuple(None if text is None else str(text) for text in answer["descriptions"]),
        tags={str(key): str(value) for key, value in answer["tags"].items()},
        domains=tuple(map(str, answer["domains"])),
        full_scale=None if answer["full_scale"] is None else int(answer["full_scale"]),
        structure={str(key): str(value) for key, value in answer["structure"].items()},
        xmp=tuple(map(str, answer["xmp"])),
        band_tags=tuple({str(k): str(v) for k, v in said.items()} for said in answer["band_tags"]),
    )


@_sense()
def unpacked(answer: Answer) -> tuple[BoolArray, tuple[int, int]]:
    """What `Decoder.absent` said: (block rows, block cols), and the size of a block."""
    rows, cols = (int(n) for n in answer["shape"])
    bits = np.frombuffer(base64.b64decode(answer["packed"]), np.uint8)
    block_rows, block_cols = (int(n) for n in answer["block"])
    found = np.unpackbits(bits, count=rows * cols).reshape(rows, cols).astype(np.bool_)
    return found, (block_rows, block_cols)


def _control_points(points: list[Any]) -> tuple[tuple[float, float, float, float], ...]:
    step = max(1, -(-len(points) // MAX_CONTROL_POINTS))
    return tuple((p.col, p.row, p.x, p.y) for p in points[::step])


def benign(said: Answer) -> bool:
    """Whether all that the decoder said is of bytes that it skips."""
    return not said["failed"] and all(_BENIGN in line for line in said["lines"])


def maybe_benign(said: Answer) -> bool:
    """Whether what it gave up on is that."""
    return _BENIGN in (said["failed"] or "")


def _strips(shape: tuple[int, int]) -> Iterator[Window]:
    step = max(16, STRIP_PX // shape[1] // 16 * 16)
    for row in range(0, shape[0], step):
        yield Window(row, 0, min(step, shape[0] - row), shape[1])


def _clipped(window: Window, shape: tuple[int, int]) -> Window:
    return _shared(window, Window(0, 0, *shape))


def _shared(a: Window, b: Window) -> Window:
    """The part that two windows have in common."""
    row, col = max(a.row, b.row), max(a.col, b.col)
    rows = min(a.row + a.rows, b.row + b.rows) - row
    return Window(row, col, rows, min(a.col + a.cols, b.col + b.cols) - col)


@contextmanager
def _log() -> Iterator[list[str]]:
    """Lines that GDAL logs while the block runs."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage()[:300])  # type: ignore[method-assign]
    logger = logging.getLogger("rasterio")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def _cache_mib(dataset: Any) -> int:
    """Decoded pixels worth keeping: the blocks of one window, for its neighbours.

    Strips reach over the whole picture, so a row of windows shares them; tiles are met again only at seams.
    """
    if dataset.driver != "GTiff":
        return door.SCAN_CACHE_MIB
    met = 1
    for side, block in zip(dataset.shape, dataset.block_shapes[0], strict=True):
        met *= min(-(-WINDOW_PX // block) + 1, -(-side // block)) * block
    mib = met * dataset.count * np.dtype(dataset.dtypes[0]).itemsize >> 20
    return min(max(mib + mib // 4, LEAST_CACHE_MIB), door.BLOCK_CACHE_MIB)
