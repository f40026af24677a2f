"""Writing: Cloud Optimized GeoTIFFs, by windows, complete or not at all."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import threading
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

from . import door, tags
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

    def __enter__(self) -> Writer:
        with _output_errors(self.path):
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", dir=self.path.parent))
        try:
            with _output_errors(self.path):
                self._check_room()
                self._dataset = self._create(self._folder / "tiled.tif")
        except OutputError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def _check_room(self) -> None:
        """Tell now what would else be told after hours, and by libtiff in its own words on stderr."""
        needed = math.prod(self.grid.shape) * self.bands * np.dtype(self.dtype).itemsize
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, f"No space left on device: {needed / 1e6:,.1f} MB needed")

    def _create(self, path: Path) -> Any:
        rows, cols = self.grid.shape
        colour = self.descriptions[:3] == ("red", "green", "blue")
        kind = "PALETTE" if self.colours else "RGB" if colour else "MINISBLACK"
        place = {} if self.grid.crs is None else {"crs": self.grid.crs, "transform": self.grid.transform}
        with door.quiet():
            dataset = rasterio.open(
                path, "w", driver="GTiff", height=rows, width=cols, count=self.bands, dtype=self.dtype,
                nodata=self._fill, tiled=True, blockxsize=_BLOCK_PX, blockysize=_BLOCK_PX,
                BIGTIFF="IF_NEEDED", photometric=kind, ALPHA="NO", **place,
            )  # fmt: skip
        if self.colours:
            dataset.write_colormap(1, {value: (*rgb, 255) for value, rgb in self.colours.items()})
        dataset.update_tags(**self.tags)
        for band, text in enumerate(self.descriptions, 1):
            dataset.set_band_description(band, text)
        return dataset

    def write(self, window: Window, data: np.ndarray[Any, Any], valid: BoolArray | None = None) -> None:
        """Write (bands, rows, cols) into `window`; `valid` (rows, cols), None when all of it is."""
        part = FileWindow(window.col, window.row, window.cols, window.rows)
        if valid is not None:
            data = np.where(valid, data, 0 if self._fill is None else self._fill)
        with self._lock, _output_errors(self.path):
            self._dataset.write(data.astype(self.dtype, copy=False), window=part)
            if self._masked:
                mask = np.ones(data.shape[1:], np.bool_) if valid is None else valid
                self._dataset.write_mask(mask, window=part)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                with _output_errors(self.path):
                    self._dataset.close()
                    self._finish()
            else:  # what went wrong in the block is the news, not what closing adds to it
                with suppress(*door.GDAL_ERRORS), rasterio.Env():
                    self._dataset.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _finish(self) -> None:
        """Statistics, overviews and the order of a COG; the same pixels give the same bytes."""
        tiled, cog = self._folder / "tiled.tif", self._folder / "cog.tif"
        _add_statistics(tiled)
        with door.quiet():
            rasterio.shutil.copy(
                tiled, cog, driver="COG", **_PACKED[self.compression],
                PREDICTOR="YES" if self.predictor and self.compression != "none" else "NO",
                BLOCKSIZE=_BLOCK_PX, OVERVIEWS="AUTO", OVERVIEW_RESAMPLING=self.resampling.upper(),
                NUM_THREADS=self.threads, BIGTIFF="IF_SAFER", STATISTICS="AUTO",
            )  # fmt: skip
        _check_same(tiled, cog)
        os.replace(cog, self.path)


@dataclass
class _Sums:
    """What is known of one band so far: strips are added in their order, so that the answer is one."""

    count: int = 0
    low: float = math.inf
    high: float = -math.inf
    mean: float = 0.0
    squares: float = 0.0
    """Of departures from the mean."""

    def add(self, values: np.ndarray[Any, Any]) -> None:
        """Valid values of a strip; sums are merged as by Chan, Golub and LeVeque (1983)."""
        if not values.size:
            return
        mean, count = float(values.mean()), self.count + values.size
        apart = mean - self.mean
        self.squares += float(((values - mean) ** 2).sum()) + apart**2 * self.count * values.size / count
        self.mean += apart * values.size / count
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.count = count

    def tags(self, pixels: int) -> dict[str, str]:
        """By the names under which GDAL and what is built on it look for them; none without a valid pixel."""
        if not self.count:
            return {}
        return {
            "STATISTICS_MINIMUM": f"{self.low:.9g}",
            "STATISTICS_MAXIMUM": f"{self.high:.9g}",
            "STATISTICS_MEAN": f"{self.mean:.6g}",
            "STATISTICS_STDDEV": f"{math.sqrt(self.squares / self.count):.6g}",
            "STATISTICS_VALID_PERCENT": f"{100 * self.count / pixels:.4g}",
        }


def _add_statistics(path: Path) -> None:
    """Exact statistics of each band, from all valid pixels: a viewer need not guess them from a sample."""
    with door.quiet(), rasterio.open(path, "r+", driver="GTiff") as file:
        found = [_Sums() for _ in range(file.count)]
        for row in range(0, file.height, _BLOCK_PX):
            part = FileWindow(0, row, file.width, min(_BLOCK_PX, file.height - row))
            for band, sums in enumerate(found, 1):
                values = file.read(band, window=part)
                usable = (file.read_masks(band, window=part) > 0) & np.isfinite(values)
                sums.add(values[usable].astype(np.float64))
        for band, sums in enumerate(found, 1):
            file.update_tags(band, **sums.tags(file.width * file.height))


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


def _check_same(tiled: Path, cog: Path) -> None:
    """Read back what was written: GDAL 3.10 says nothing when the disk is full at a COG's last bytes."""
    with door.quiet():
        first, second = (rasterio.open(path, driver="GTiff") for path in (tiled, cog))
    with first, second:
        for row in range(0, first.height, _BLOCK_PX):
            part = FileWindow(0, row, first.width, min(_BLOCK_PX, first.height - row))
            same = first.read(window=part).tobytes() == second.read(window=part).tobytes()
            masks = first.read_masks(1, window=part), second.read_masks(1, window=part)
            if not (same and np.array_equal(*masks)):
                raise OSError("what was read back differs from what was written")


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
