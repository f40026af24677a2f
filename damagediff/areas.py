"""Where the user lets the comparison look: places to leave out, and the area that is asked about.

Both come from polygons or from a raster, and end as pixels of the working grid. What is *excluded* counts as
no picture: it is not looked at, and nothing is learnt from it. The *area of interest* only cuts the answer:
what lies outside is not reported, but may serve to align and to calibrate, so that the score inside is the
same as without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio.features
import shapely

from . import bits, cells, footprints, raster, resample, tags
from . import grid as grids
from .errors import InputError
from .settings import ReadSettings
from .types import BoolArray, Grid, Image, Source, Window

BLOCK_PX = 1024
"""Side of the blocks, fixed to the grid, in which a raster is brought there."""
DRIVERS = ("GTiff", "PNG")
"""Kinds of raster that keep a mask as it was drawn; the others smear it."""


@dataclass(frozen=True)
class Areas:
    """Places on the working grid, (rows, cols) each; None where the user named none."""

    excluded: BoolArray | None = None
    """True where nothing may be looked at."""
    asked: BoolArray | None = None
    """True in the area of interest."""
    stable: BoolArray | None = None
    """True where the user says that nothing but ordinary change can have happened."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: bits.packed(flags) for name, flags in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: bits.unpacked(flags) for name, flags in state.items()})

    def usable(self, window: Window) -> BoolArray:
        """(rows, cols) of a window, False where excluded; the grid is mirrored beyond its edges."""
        if self.excluded is None:
            return np.ones((window.rows, window.cols), bool)
        index = [
            resample.mirrored(first, count, length)
            for first, count, length in zip(window[:2], window[2:], self.excluded.shape, strict=True)
        ]
        return ~self.excluded[np.ix_(*index)]

    def usable_reduced(self, factor: int) -> BoolArray | None:
        """The grid reduced by a whole factor, False where any of a block is excluded; None: nothing is."""
        return None if self.excluded is None else ~any_in_blocks(self.excluded, factor)

    def excluded_cells(self) -> BoolArray | None:
        """Cells that hold an excluded pixel."""
        return None if self.excluded is None else any_in_blocks(self.excluded, cells.CELL)

    def asked_cells(self) -> BoolArray | None:
        """Cells of which at least half lies in the area of interest."""
        if self.asked is None:
            return None
        inside, size = (
            _block_sums(values, cells.CELL) for values in (self.asked, np.ones(self.asked.shape, bool))
        )
        return np.asarray(2 * inside >= size)


def any_in_blocks(values: BoolArray, factor: int) -> BoolArray:
    """(rows / factor, cols / factor), rounded up: whether any value of a block is True."""
    return np.asarray(_block_sums(values, factor) > 0)


def _block_sums(values: BoolArray, factor: int) -> np.ndarray:
    starts = [np.arange(0, length, factor) for length in values.shape]
    across = np.add.reduceat(values, starts[1], axis=1, dtype=np.int32)
    return np.asarray(np.add.reduceat(across, starts[0], axis=0))


def read(exclude: Path | None, aoi: Path | None, before: Image, on: Grid, limits: ReadSettings) -> Areas:
    """Both areas, each from a file of its own.

    Parameters
    ----------
    exclude, aoi : Path or None
        Polygons as `footprints` reads them, or a raster with one band in which every value but 0 counts:
        georeferenced, or with the pixels of the before image.
    before : Image
        Gives its pixels to a raster that has no georeference.
    on : Grid
        The working grid.
    limits : ReadSettings
        Held against the header of a raster.

    Raises
    ------
    InputError
        A file cannot be used, covers nothing of the grid, or both together leave nothing.
    """
    excluded, asked = (
        None if path is None else read_place(path, before, on, limits) for path in (exclude, aoi)
    )
    if excluded is not None:
        left = ~excluded if asked is None else asked & ~excluded
        if not left.any():
            assert exclude is not None
            where = "the images" if aoi is None else f"the area of interest, {aoi.name}"
            raise InputError(
                f"{exclude.name}: excludes all of {where}: nothing is left to compare. Draw less"
            )
    areas = Areas(excluded, asked)
    cells_asked = areas.asked_cells()
    if cells_asked is not None and not cells_asked.any():
        assert aoi is not None
        raise InputError(
            f"{aoi.name}: covers not half of any {cells.CELL} x {cells.CELL} px cell: too small. Draw it "
            "larger"
        )
    return areas


def read_place(path: Path, before: Image, on: Grid, limits: ReadSettings) -> BoolArray:
    """(rows, cols) of the grid: the pixels that one file means, at least one; see `read`."""
    covered = _polygons(path, on) if _is_vector(path) else _raster(path, before, on, limits)
    if not covered.any():
        raise InputError(
            f"{path.name}: covers no pixel of the images. Check its place, and that what is meant has a "
            "value other than 0"
        )
    return covered


def _is_vector(path: Path) -> bool:
    """Whether a file is to be read as polygons: it neither begins like an image nor is called so."""
    try:
        head = b""
        if path.is_file():  # a pipe would be waited for
            with path.open("rb") as file:
                head = file.read(16)
    except OSError:
        head = b""
    return tags.driver_from(head) is None and path.suffix.lower() not in (".png", ".tif", ".tiff")


def _polygons(path: Path, on: Grid) -> BoolArray:
    """Pixels whose centres lie in a polygon."""
    shapes = []
    for outline in footprints.read(path, on, every=True):
        for rings in outline.parts_rc:
            outer, *holes = [[(col + 0.5, row + 0.5) for row, col in ring] for ring in rings]
            shape = shapely.make_valid(shapely.Polygon(outer, holes))
            shapes += [part for part in getattr(shape, "geoms", [shape]) if part.area > 0]
    if not shapes:
        return np.zeros(on.shape, bool)
    return np.asarray(rasterio.features.rasterize(shapes, on.shape, dtype="uint8") > 0)


def _raster(path: Path, before: Image, on: Grid, limits: ReadSettings) -> BoolArray:
    """Pixels whose centres lie in a pixel of the raster that is not 0."""
    image = raster.inspect(Source(path), limits)
    bands = [role for role in image.roles if role != "alpha"]
    if image.driver not in DRIVERS or len(bands) != 1:
        raise InputError(
            f"{image.name}: a mask is a GeoTIFF or PNG with one band, this is {image.driver} with "
            f"{len(bands)}. Save it as one"
        )
    if not image.georeferenced and image.shape != before.shape:
        rows, cols = before.shape
        raise InputError(
            f"{image.name}: no georeference, and its {image.shape[0]} x {image.shape[1]} px are not the "
            f"{rows} x {cols} px of the before image. Draw it on that image, or give it a georeference"
        )
    if image.georeferenced and on.crs is None:
        raise InputError(
            f"{image.name}: it is georeferenced, but the images are not. Give a mask with the pixels of the "
            "before image"
        )
    place = grids.placement(on, image if image.georeferenced else before, on.crs is not None)
    covered = np.zeros(on.shape, bool)
    with raster.Reader(image, ("grey",)) as reader:
        for row in range(0, on.shape[0], BLOCK_PX):
            for col in range(0, on.shape[1], BLOCK_PX):
                size = (min(BLOCK_PX, on.shape[0] - row), min(BLOCK_PX, on.shape[1] - col))
                window = Window(row, col, *size)
                covered[window.slices] = _pulled(reader, place, window)
    return covered


def _pulled(reader: raster.Reader, place: grids.Placement, window: Window) -> BoolArray:
    """The nearest pixel of the raster for each of a window of the grid."""
    node_rc = place.file_from_frame(resample.nodes(window))
    needed = resample.source_window(node_rc, reader.image.shape, 1)
    if needed is None:
        return np.zeros((window.rows, window.cols), bool)
    data, valid = reader.read(needed)
    inside = ((data[0] != 0) & valid).astype(np.uint8)
    at = (resample.positions(node_rc, window) - [needed.row, needed.col]).astype(np.float32)
    across, down = np.ascontiguousarray(at[..., 1]), np.ascontiguousarray(at[..., 0])
    return np.asarray(cv2.remap(inside, across, down, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0)
