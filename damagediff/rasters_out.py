"""The rasters of a run: both images on the working grid, score, mask and geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine

from . import cog, diff, raster, tiles
from .scene import Scene
from .types import (
    NO_CHANGE,
    NOT_ANALYSED,
    OTHER_CHANGE,
    STRUCTURAL_CHANGE,
    ChangeMap,
    FloatArray,
    Grid,
    Image,
    Window,
)

GEOMETRY_PX = 16
"""Working-grid pixels per cell of geometry.tif."""
MASK_COLOURS = {
    NO_CHANGE: (0, 0, 0),
    STRUCTURAL_CHANGE: (230, 159, 0),
    OTHER_CHANGE: (0, 114, 178),
    NOT_ANALYSED: (128, 128, 128),
}
"""Of change_mask.tif, the figures' own orange and blue. No change is black, so that the file can be given as
a mask: its colours are 0 where nothing changed, as its values are."""


def write_after(scene: Scene, path: Path) -> None:
    """The after image on the working grid, and nothing else."""
    windows = tiles.plan(scene.pair.grid.shape, scene.settings.tile_px)
    with image_writer(path, scene.pair.after, scene) as out:

        def one(window: Window) -> None:
            data, valid = scene.after.read(window)
            out.write(window, as_type(data, scene.pair.after.dtype), valid)

        for done, _ in enumerate(tiles.map_ordered(one, windows, scene.home, ahead=4)):
            scene.progress("resampling", (done + 1) / len(windows))


def image_writer(path: Path, image: Image, scene: Scene) -> cog.Writer:
    """A GeoTIFF for one image on the working grid, that names its source."""
    roles = scene.pair.roles
    tags = {"DAMAGEDIFF_SOURCE_SHA256": image.sha256}
    return cog.Writer(
        path, scene.pair.grid, len(roles), image.dtype, descriptions=roles, tags=tags, **_how(scene)
    )


def _how(scene: Scene) -> dict[str, Any]:
    """How rasters of this run are compressed."""
    settings = scene.settings
    return {
        "compression": settings.write.compression,
        "threads": settings.workers or tiles.available_cores(),
    }


def as_type(data: FloatArray, dtype: str) -> npt.NDArray[Any]:
    """Values in a file's own type: whole numbers rounded, and kept in its range."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return data.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(data), limits.min, limits.max).astype(kind)


def write_change(scene: Scene, change: ChangeMap, folder: Path) -> None:
    """change_score.tif and change_mask.tif, pixel by pixel from the cells."""
    on = scene.pair.grid
    with (
        cog.Writer(
            folder / "change_score.tif",
            on,
            1,
            "float32",
            descriptions=("change score 0..1",),
            predictor=False,
            **_how(scene),
        ) as score,
        cog.Writer(
            folder / "change_mask.tif",
            on,
            1,
            "uint8",
            nodata=NOT_ANALYSED,
            resampling="nearest",
            descriptions=("0 no change above the limit, 1 structural, 2 other, 255 not analysed",),
            colours=MASK_COLOURS,
            predictor=False,
            **_how(scene),
        ) as mask,
    ):

        def one(window: Window) -> None:
            score.write(window, diff.to_pixels(change.score, window)[None])
            mask.write(window, diff.to_pixels(change.changed, window)[None])

        for _ in tiles.map_ordered(one, tiles.plan(on.shape, scene.settings.tile_px), scene.home, ahead=4):
            pass


def write_geometry(scene: Scene, folder: Path) -> None:
    """geometry.tif: where the ground under each 16 x 16 px cell lies in the after file as delivered."""
    on, image = scene.pair.grid, scene.pair.after
    rows, cols = (-(-n // GEOMETRY_PX) for n in on.shape)
    centre = [np.arange(n) * float(GEOMETRY_PX) + (GEOMETRY_PX - 1) / 2 for n in (rows, cols)]
    shown = scene.after.file_from_grid(np.stack(np.meshgrid(*centre, indexing="ij"), -1))
    inside = np.all((shown > -0.5) & (shown < np.array(image.shape) - 0.5), axis=-1, keepdims=True)
    delivered = np.where(inside, raster.delivered_from_shown(image, shown), np.nan)
    sampled = Grid((rows, cols), on.transform @ Affine.scale(GEOMETRY_PX), on.crs, None)
    names = ("row in the after file, px", "column in the after file, px")
    with cog.Writer(folder / "geometry.tif", sampled, 2, "float32", descriptions=names, **_how(scene)) as out:
        out.write(Window(0, 0, rows, cols), np.moveaxis(delivered, -1, 0).astype(np.float32))
