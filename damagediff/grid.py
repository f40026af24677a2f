"""Pure grid arithmetic: the common grid, pixels and world, where a file's pixels lie on the grid.

The only place where half a pixel is added: ``world = transform * (col + .5, row + .5)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyproj
from affine import Affine

from .errors import InputError, SettingsError
from .types import FloatArray, Grid, Image

MIN_GSD_M = 1e-4
"""Smaller pixels are no picture from above, and their places are lost in rounding."""
MAX_SCALE_ERROR = 0.01
"""A projected CRS whose metre is wrong by more at the scene (Web Mercator, say) is not worked in."""

SAME_GSD = 0.01
"""An after image coarser by no more than this share does not cost the before image its own pixels: two
files of one nominal pixel size differ by about .001 when they lie in two map projections."""


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> pyproj.Transformer:
    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        raise InputError(
            f"no way from the CRS {source[:60]} to {target[:60]}: {error}. Check what both files say of "
            "their CRS"
        ) from None


def _apply(transform: Affine, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    t = transform
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def world_from_pixel(transform: Affine, rc: FloatArray) -> FloatArray:
    """(..., 2) pixel (row, col) to (..., 2) world (x, y)."""
    rc = np.asarray(rc, np.float64)
    return np.stack(_apply(transform, rc[..., 1] + 0.5, rc[..., 0] + 0.5), axis=-1)


def pixel_from_world(transform: Affine, xy: FloatArray) -> FloatArray:
    """(..., 2) world (x, y) to (..., 2) pixel (row, col)."""
    xy = np.asarray(xy, np.float64)
    col, row = _apply(~transform, xy[..., 0], xy[..., 1])
    return np.stack([row - 0.5, col - 0.5], axis=-1)


def reproject_xy(source: str, target: str, xy: FloatArray) -> FloatArray:
    """(..., 2) coordinates from one CRS to another, x before y in both; inf where not defined."""
    xy = np.asarray(xy, np.float64)
    if source == target:
        return xy
    x, y = _transformer(source, target).transform(xy[..., 0], xy[..., 1])
    return np.stack([x, y], axis=-1)


@dataclass(frozen=True)
class Placement:
    """Where the moving or reference frame lies in one file's pixels, as shown."""

    frame_transform: Affine
    frame_crs: str | None
    file_transform: Affine
    file_crs: str | None

    def file_from_frame(self, rc: FloatArray) -> FloatArray:
        """(..., 2) pixels of the frame to (..., 2) pixels of the file as shown."""
        if self.frame_crs is None or self.file_crs is None:
            return np.asarray(rc, np.float64)
        xy = reproject_xy(self.frame_crs, self.file_crs, world_from_pixel(self.frame_transform, rc))
        return pixel_from_world(self.file_transform, xy)

    def frame_from_file(self, rc: FloatArray) -> FloatArray:
        """(..., 2) pixels of the file as shown to (..., 2) pixels of the frame."""
        if self.frame_crs is None or self.file_crs is None:
            return np.asarray(rc, np.float64)
        xy = reproject_xy(self.file_crs, self.frame_crs, world_from_pixel(self.file_transform, rc))
        return pixel_from_world(self.frame_transform, xy)


def placement(grid: Grid, image: Image, by_georeference: bool) -> Placement:
    """How `image` lies on `grid`: by its georeference, or its pixels taken as they are."""
    if not by_georeference:
        return Placement(Affine.identity(), None, Affine.identity(), None)
    return Placement(grid.transform, grid.crs, image.transform, image.crs)


def lonlat_from_grid(grid: Grid, rc: FloatArray) -> FloatArray:
    """(N, 2) pixels of a georeferenced grid to (N, 2) longitude, latitude in degrees (WGS 84)."""
    assert grid.crs is not None
    return reproject_xy(grid.crs, "EPSG:4326", world_from_pixel(grid.transform, rc))


def grid_from_lonlat(grid: Grid, lonlat: FloatArray) -> FloatArray:
    """(N, 2) longitude, latitude in degrees to (N, 2) pixels of a georeferenced grid."""
    return grid_from_crs(grid, "EPSG:4326", lonlat)


def grid_from_crs(grid: Grid, crs: str, xy: FloatArray) -> FloatArray:
    """(N, 2) coordinates of any CRS, x before y, to (N, 2) pixels of a georeferenced grid."""
    assert grid.crs is not None
    return pixel_from_world(grid.transform, reproject_xy(crs, grid.crs, xy))


def distance_m(grid: Grid, lon: float, lat: float) -> float:
    """How far a place lies outside a georeferenced grid, in metres; 0 inside."""
    with np.errstate(invalid="ignore"):
        rc = grid_from_lonlat(grid, np.array([[lon, lat]]))[0]
    last = np.array(grid.shape) - 0.5
    nearest = np.clip(np.where(np.isfinite(rc), rc, 0), -0.5, last)
    if np.isfinite(rc).all() and (nearest == rc).all():
        return 0.0
    there = lonlat_from_grid(grid, nearest[None])[0]
    return float(pyproj.Geod(ellps="WGS84").inv(lon, lat, *there)[2])


def common_grid(before: Image, after: Image, gsd_m: float | None = None) -> Grid:
    """The working grid of a pair: north-up, square pixels, as coarse as the coarser of the two.

    Georeferenced (both): the before image's CRS when it is projected in true metres, else the UTM zone
    of its centre; the extent is the overlap of both. Otherwise the before image's pixel frame, with a
    scale only when the user states one.

    Raises
    ------
    InputError
        The two images do not overlap, or a georeference is unusable.
    SettingsError
        A ground sample distance is stated for an image that tells its own.
    """
    if not before.georeferenced:
        return Grid(shape=before.shape, gsd_m=gsd_m)
    if gsd_m is not None:
        raise SettingsError(
            f"--gsd {gsd_m:g}: {before.name} is georeferenced and tells its own pixel size. Leave --gsd out"
        )
    if not after.georeferenced:
        return _own_grid(before)
    crs = working_crs(before)
    gsd = max(ground_sample_distance(before, crs), ground_sample_distance(after, crs))
    return _overlap_grid(before, after, crs, gsd)


def _own_grid(image: Image) -> Grid:
    crs = working_crs(image)
    gsd = ground_sample_distance(image, crs)
    return _grid_over(crs, gsd, outline_xy(image, crs), image)


def _overlap_grid(before: Image, after: Image, crs: str, gsd: float) -> Grid:
    first, second = outline_xy(before, crs), outline_xy(after, crs)
    low = np.maximum(first.min(0), second.min(0))
    high = np.minimum(first.max(0), second.max(0))
    if (high <= low).any():
        gap = float(np.hypot(*np.maximum(low - high, 0)))
        raise InputError(
            f"{before.name} and {after.name} do not overlap: {gap:,.0f} m lie between their extents. "
            "Check that both show the same place and that their georeferences are right"
        )
    return _grid_over(crs, gsd, np.array([low, high]), before)


def _grid_over(crs: str, gsd: float, xy: FloatArray, before: Image) -> Grid:
    """North-up square pixels over the bounds of `xy`, on the before image's own lattice if it has one."""
    t = before.transform
    square = t.a > 0 > t.e and math.isclose(t.a, -t.e, rel_tol=1e-9)
    same_lattice = before.crs == crs and t.b == t.d == 0 and square and gsd <= t.a * (1 + SAME_GSD)
    pixel = t.a if same_lattice else gsd
    origin = np.array([t.c, t.f]) if same_lattice else np.array([xy[:, 0].min(), xy[:, 1].max()])
    tolerance = 1e-6  # of a pixel: an edge on the lattice must not gain or lose one by rounding
    first_col = math.ceil((xy[:, 0].min() - origin[0]) / pixel - tolerance)
    first_row = math.ceil((origin[1] - xy[:, 1].max()) / pixel - tolerance)
    last_col = math.floor((xy[:, 0].max() - origin[0]) / pixel + tolerance)
    last_row = math.floor((origin[1] - xy[:, 1].min()) / pixel + tolerance)
    if last_col <= first_col or last_row <= first_row:
        raise InputError(
            f"{before.name}: the overlap is smaller than one pixel of {gsd:.3g} m. Check that both show the "
            "same place"
        )
    corner = Affine(pixel, 0, origin[0] + first_col * pixel, 0, -pixel, origin[1] - first_row * pixel)
    return Grid((last_row - first_row, last_col - first_col), corner, crs, pixel)


def outline_xy(image: Image, crs: str, points: int = 21) -> FloatArray:
    """(N, 2) points along the image's outer edge, in `crs`."""
    rows, cols = image.shape
    t = np.linspace(0, 1, points)
    zero, one = np.zeros_like(t), np.ones_like(t)
    edge = (
        np.concatenate([np.stack(side, -1) for side in ((zero, t), (one, t), (t, zero), (t, one))])
        * [rows, cols]
        - 0.5
    )
    xy = reproject_xy(_crs(image), crs, world_from_pixel(image.transform, edge))
    if not np.isfinite(xy).all():
        raise InputError(f"{image.name}: its georeference leads outside the world. Check CRS and transform")
    return xy


def _crs(image: Image) -> str:
    assert image.crs is not None
    return image.crs


def working_crs(image: Image) -> str:
    """The image's own CRS if its metre is a metre at the scene, else the UTM (or polar) zone there."""
    centre = np.array([[image.shape[0] / 2 - 0.5, image.shape[1] / 2 - 0.5]])
    lon, lat = reproject_xy(_crs(image), "EPSG:4326", world_from_pixel(image.transform, centre))[0]
    if not (abs(lon) <= 360 and abs(lat) <= 90):
        raise InputError(
            f"{image.name}: its centre lies at longitude {lon:g}, latitude {lat:g}, which is not on Earth. "
            "Check CRS and transform"
        )
    crs = pyproj.CRS.from_user_input(_crs(image))
    metric = crs.is_projected and all(math.isclose(a.unit_conversion_factor, 1) for a in crs.axis_info)
    if metric and abs(_scale_error(_crs(image), image.transform, centre)) <= MAX_SCALE_ERROR:
        return _crs(image)
    return utm_zone(float(lon), float(lat))


def _scale_error(crs: str, transform: Affine, centre_rc: FloatArray) -> float:
    """How much longer a metre of the CRS is than a metre on the ground, at one place."""
    step = 50.0  # CRS metres: long against rounding, short against the change of scale
    xy = world_from_pixel(transform, centre_rc)[0]
    ends = np.array([xy, xy + [step, 0], xy + [0, step]])
    lonlat = reproject_xy(crs, "EPSG:4326", ends)
    geod = pyproj.Geod(ellps="WGS84")
    lengths = [geod.inv(*lonlat[0], *lonlat[k])[2] for k in (1, 2)]
    if not min(lengths) > 0:  # so far out that 50 m are lost in rounding
        return math.inf
    return float(max((step / length - 1 for length in lengths), key=abs))


def utm_zone(lon: float, lat: float) -> str:
    """EPSG code of the WGS 84 / UTM zone of a place; beyond 84 north and 80 south, polar stereographic."""
    if lat > 84:
        return "EPSG:5041"
    if lat < -80:
        return "EPSG:5042"
    zone = int(((lon + 180) % 360) // 6) + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def ground_sample_distance(image: Image, crs: str) -> float:
    """Side in metres of `crs` of the square with the area of the image's centre pixel."""
    centre = np.array([image.shape[0] / 2 - 0.5, image.shape[1] / 2 - 0.5])
    steps = np.stack([centre, centre + [1, 0], centre + [0, 1]])
    xy = reproject_xy(_crs(image), crs, world_from_pixel(image.transform, steps))
    down, right = xy[1] - xy[0], xy[2] - xy[0]
    gsd = math.sqrt(abs(float(down[0] * right[1] - down[1] * right[0])))
    if not (math.isfinite(gsd) and gsd > MIN_GSD_M):
        raise InputError(
            f"{image.name}: its pixels have no size on the ground ({gsd:.3g} m). Check its transform"
        )
    return gsd
