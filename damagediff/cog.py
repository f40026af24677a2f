"""Writing: Cloud Optimized GeoTIFFs, by windows, complete or not at all."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.windows import Window as FileWindow

from . import cog_overviews, cog_statistics, door, tags
from .errors import OutputError
from .types import BoolArray, Grid, Window

_BLOCK_PX = 512
Compression = Literal["deflate", "zstd", "none"]
_PACKED: dict[str, dict[str, Any]] = {
    "deflate": {"COMPRESS": "DEFLATE", "LEVEL": 3},
    "zstd": {"COMPRESS": "ZSTD", "LEVEL": 3},
    "none": {"COMPRESS": "NONE"},
}
"""GDAL's words, with levels chosen by measurement: docs/performance.md."""

FULL_BYTES = 1_000_000
"""A disk with less room is full: one block of a picture no longer fits."""


@dataclass
class Writer:
    """Writes one Cloud Optimized GeoTIFF by windows, from many threads.

    The file appears when the block ends well; when it does not, nothing is left.

    Examples
    --------
    >>> with Writer(path, grid, bands=1, dtype="float32") as out:  # doctest: +SKIP
    ...     out.write(Window(0, 0, 512, 512), data, valid)

    Raises
    ------
    OutputError
        The disk is full, the folder is missing or may not be written; nothing is left then.
    """

    path: Path
    grid: Grid
    bands: int
    dtype: str
    nodata: float | None = None
    """Written where not valid. None: NaN for float, and an internal mask for integers."""
    descriptions: tuple[str, ...] = ()
    """Name of each band; red, green, blue first makes it a colour picture."""
    tags: dict[str, str] = field(default_factory=dict)
    resampling: Literal["average", "nearest"] = "average"
    """Of overviews: nearest for classes."""
    colours: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """Red, green, blue of each value of one uint8 band of classes; values without one are black."""
    compression: Compression = "deflate"
    predictor: bool = True
    """Whether neighbours are taken off each other first: pictures shrink, maps of repeated values do not."""
    threads: int = 1
    """That compress; the bytes are the same."""

    def __post_init__(self) -> None:
        self._masked = self.nodata is None and np.dtype(self.dtype).kind != "f"
        self._fill = np.nan if self.nodata is None and not self._masked else self.nodata
        self._lock = threading.Lock()
        self._shapes = cog_overviews.shapes(self.grid.shape, _BLOCK_PX)
        self._counts = (
            cog_statistics.Counts(self.bands, self.dtype) if self.dtype in cog_statistics.COUNTED else None
        )
        self._meant: dict[Window, tuple[int, int]] = {}
        """Checksums of the pixels and of the mask of each part: what the file has to hold in the end."""

    def __enter__(self) -> Writer:
        with _output_errors(self.path):
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        try:
            with _output_errors(self.path):
                self._check_room()
                self._datasets = [self._create(k) for k in range(len(self._shapes) + 1)]
        except OutputError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def _check_room(self) -> None:
        """Tell now what would else be told after hours, and by libtiff in its own words on stderr."""
        needed = math.prod(self.grid.shape) * self.bands * np.dtype(self.dtype).itemsize
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, f"No space left on device: {needed / 1e6:,.1f} MB needed")

    def _part(self, level: int) -> Path:
        """The file, not yet a COG, of the pixels themselves (0) or of a reduced copy."""
        return self._folder / f"tiled{level}.tif"

    def _create(self, level: int) -> Any:
        rows, cols = (self.grid.shape, *self._shapes)[level]
        colour = self.descriptions[:3] == ("red", "green", "blue")
        kind = "PALETTE" if self.colours else "RGB" if colour else "MINISBLACK"
        place = {} if self.grid.crs is None else {"crs": self.grid.crs, "transform": self.grid.transform}
        with door.quiet():
            dataset = rasterio.open(
                self._part(level), "w+", driver="GTiff", height=rows, width=cols, count=self.bands,
                dtype=self.dtype, nodata=self._fill, tiled=True, blockxsize=_BLOCK_PX, blockysize=_BLOCK_PX,
                BIGTIFF="IF_NEEDED", photometric=kind, ALPHA="NO", **({} if level else place),
            )  # fmt: skip
        if self.colours:
            dataset.write_colormap(1, {value: (*rgb, 255) for value, rgb in self.colours.items()})
        if not level:
            dataset.update_tags(**self.tags)
            for band, text in enumerate(self.descriptions, 1):
                dataset.set_band_description(band, text)
        return dataset

    def write(self, window: Window, data: np.ndarray[Any, Any], valid: BoolArray | None = None) -> None:
        """Write (bands, rows, cols) into `window`; `valid` (rows, cols), None when all of it is.

        Windows do not overlap, and begin at multiples of `cog_overviews.ALIGNED_PX` for the reduced copies.
        """
        if window.row % cog_overviews.ALIGNED_PX or window.col % cog_overviews.ALIGNED_PX:
            raise ValueError(window)
        if valid is not None and valid.all():
            valid = None
        if valid is not None:
            data = np.where(valid, data, 0 if self._fill is None else self._fill)
        data = np.ascontiguousarray(data, self.dtype)
        usable = self._usable(data, valid)
        if self._counts is not None:
            self._counts.add(data, valid)
        masked = np.ones(data.shape[1:], np.bool_) if valid is None else valid
        meant = _checksum(data), _checksum(np.packbits(masked)) if self._masked else 0
        copies = list(self._reduced(data, usable))
        with self._lock, _output_errors(self.path):
            self._meant[window] = meant
            self._put(0, window, data, valid)
            for level, (reduced, left) in enumerate(copies, 1):
                self._put(level, cog_overviews.place(window, level), reduced, left)

    def _usable(self, data: np.ndarray[Any, Any], valid: BoolArray | None) -> BoolArray | None:
        """Where the pixels are to be read as valid later; None where all are."""
        if self._masked:
            return valid
        there = ~np.isnan(data) if data.dtype.kind == "f" else np.ones(data.shape, np.bool_)
        if self.nodata is not None:
            there &= data != data.dtype.type(self.nodata)
        return None if there.all() else there

    def _reduced(
        self, data: np.ndarray[Any, Any], usable: BoolArray | None
    ) -> Iterator[tuple[np.ndarray[Any, Any], BoolArray | None]]:
        """The copies of a part that are made with it."""
        for _ in self._shapes[: cog_overviews.IN_PASS]:
            data, usable = self._halved(data, usable)
            yield data, usable

    def _halved(
        self, data: np.ndarray[Any, Any], usable: BoolArray | None
    ) -> tuple[np.ndarray[Any, Any], BoolArray | None]:
        """Half the sides; where nothing is valid, what stands for no data in this file."""
        data, usable = cog_overviews.halved(data, usable, self.resampling == "nearest")
        if usable is not None and self._fill is not None:
            data = np.where(usable, data, data.dtype.type(self._fill))
        return data, usable

    def _put(self, level: int, window: Window, data: np.ndarray[Any, Any], valid: BoolArray | None) -> None:
        part, dataset = _file_window(window), self._datasets[level]
        dataset.write(np.ascontiguousarray(data), window=part)
        if self._masked:
            mask = np.ones(data.shape[1:], np.bool_) if valid is None else valid
            dataset.write_mask(mask, window=part)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with _output_errors(self.path):
                    self._finish()
            else:  # what went wrong in the block is the news, not what closing adds to it
                with suppress(*door.GDAL_ERRORS), rasterio.Env():
                    self._close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _close(self) -> None:
        for dataset in self._datasets:
            dataset.close()

    def _finish(self) -> None:
        """Statistics, the last reduced copies and the order of a COG; the same pixels give the same bytes."""
        for level in range(cog_overviews.IN_PASS, len(self._shapes)):
            self._reduce_written(level)
        for band, tags_ in enumerate(self._statistics(), 1):
            self._datasets[0].update_tags(band, **tags_)
        self._close()
        whole, cog = self._with_overviews(), self._folder / "cog.tif"
        with door.quiet():
            rasterio.shutil.copy(
                whole, cog, driver="COG", **_PACKED[self.compression],
                PREDICTOR="YES" if self.predictor and self.compression != "none" else "NO",
                BLOCKSIZE=_BLOCK_PX, OVERVIEWS="FORCE_USE_EXISTING",
                NUM_THREADS=self.threads, BIGTIFF="IF_SAFER", STATISTICS="AUTO",
            )  # fmt: skip
        self._check(cog)
        os.replace(cog, self.path)

    def _reduce_written(self, level: int) -> None:
        """Halve a copy that was made in parts, by strips, into the next."""
        source = self._datasets[level]
        for row in range(0, source.height, 2 * _BLOCK_PX):
            there = Window(row, 0, min(2 * _BLOCK_PX, source.height - row), source.width)
            data = source.read(window=_file_window(there))
            valid = source.read_masks(1, window=_file_window(there)) > 0 if self._masked else None
            reduced = self._halved(data, self._usable(data, valid))
            self._put(level + 1, cog_overviews.place(there, 1), *reduced)

    def _statistics(self) -> list[dict[str, str]]:
        """Of each band: counted while it was written, or of what was written, by strips in their order."""
        file, pixels = self._datasets[0], math.prod(self.grid.shape)
        if self._counts is not None:
            return self._counts.tags(pixels, self.nodata)
        found = [cog_statistics.Sums() for _ in range(self.bands)]
        for row in range(0, file.height, _BLOCK_PX):
            part = FileWindow(0, row, file.width, min(_BLOCK_PX, file.height - row))
            for band, sums in enumerate(found, 1):
                values = file.read(band, window=part)
                sums.add(values, (file.read_masks(band, window=part) > 0) & np.isfinite(values))
        return [sums.tags(pixels) for sums in found]

    def _with_overviews(self) -> Path:
        """A dataset of the pixels and their reduced copies, from which GDAL writes in a COG's order."""
        path = self._folder / "whole.vrt"
        with door.quiet():
            rasterio.shutil.copy(self._part(0), path, driver="VRT")
        bands = path.read_text(encoding="utf-8").split("</VRTRasterBand>")
        for band in range(self.bands):  # the mask, if there is one, comes after the bands
            bands[band] += "".join(
                f'<Overview><SourceFilename relativeToVRT="1">{self._part(level).name}</SourceFilename>'
                f"<SourceBand>{band + 1}</SourceBand></Overview>"
                for level in range(1, len(self._shapes) + 1)
            )
        path.write_text("</VRTRasterBand>".join(bands), encoding="utf-8")
        return path

    def _check(self, cog: Path) -> None:
        """Read back what was written: GDAL 3.10 says nothing when the disk is full at a COG's last bytes."""
        with door.quiet():
            file = rasterio.open(cog, driver="GTiff")
        with file:
            for window, meant in self._meant.items():
                part = _file_window(window)
                mask = _checksum(np.packbits(file.read_masks(1, window=part) > 0)) if self._masked else 0
                if meant != (_checksum(file.read(window=part)), mask):
                    raise OSError("what was read back differs from what was written")


def _checksum(values: np.ndarray[Any, Any]) -> int:
    """CRC-32 of an array in one piece."""
    return zlib.crc32(values.data)


def _file_window(window: Window) -> FileWindow:
    return FileWindow(window.col, window.row, window.cols, window.rows)


def write_png(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    """Write (bands, rows, cols) uint8 or uint16, of 1 to 4 bands, as a PNG: without loss or metadata.

    Raises
    ------
    OutputError
        The disk is full, the folder is missing or may not be written.
    """
    bands, rows, cols = pixels.shape
    with _output_errors(path), door.quiet():
        with rasterio.open(
            path, "w", driver="PNG", height=rows, width=cols, count=bands, dtype=pixels.dtype.name
        ) as out:
            out.write(pixels)


@contextmanager
def _output_errors(path: Path) -> Iterator[None]:
    """Whatever GDAL or the system objects to becomes one line; inside ``Env`` GDAL's own go to the log."""
    try:
        with rasterio.Env():
            yield
    except door.GDAL_ERRORS as error:
        why = door.reason(error) + _room_left(path.parent)
        advice = "Free some space, or choose another place with -o"
        raise OutputError(f"{tags.printable(path.name)}: cannot be written ({why}). {advice}") from error


def _room_left(folder: Path) -> str:
    """What GDAL does not say when a disk is full."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ""
    return "; the disk is full" if free < FULL_BYTES else f"; {free / 1e6:,.1f} MB are free on that disk"
