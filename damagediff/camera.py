"""Looking at a surface: sun, shadows, lean, air and sensor turn heights and reflectances into a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .relief_cells import AnyArray, Surface
from .town_layout import Colour
from .types import ByteArray, FloatArray


@dataclass(frozen=True)
class View:
    """One acquisition: sun, viewing direction, season, air and sensor."""

    sun_azimuth_deg: float = 165.0
    """Where the sun stands, clockwise from north."""
    sun_elevation_deg: float = 45.0
    off_nadir_deg: float = 10.0
    lean_azimuth_deg: float = 300.0
    """Direction in which tops are displaced from their feet, clockwise from north."""
    dryness: float = 0.3
    """Season: 0 fresh green, 1 dry and brown."""
    haze: float = 0.06
    """Share of the light that comes from the air."""
    blur_px: float = 0.62
    """Standard deviation of the point spread in image pixels."""
    gain: Colour = (1.0, 1.0, 1.0)
    exposure: float = 0.54
    """Radiance that becomes white."""
    gamma: float = 1.75
    noise: float = 0.010
    """Standard deviation of the noise at mid grey, as a share of white before gamma."""


def render(surface: Surface, view: View) -> FloatArray:
    """Radiance of a surface as seen by one acquisition, on the surface's own cells.

    Sun and sky light on the slopes, cast shadows by marching towards the sun, lean and visible walls by
    marching down the line of sight, haze. A point on the ground (height 0) stays at its cell, so the
    ground of every view of one surface is registered exactly; what stands up leans.

    Parameters
    ----------
    surface : Surface
        Heights and reflectances.
    view : View
        Sun, viewing direction, season and haze.

    Returns
    -------
    ndarray of float32, shape (3, rows, cols)
        Radiance in units of a white surface in full sun, before blur, exposure and noise.
    """
    albedo = _season(surface, view.dryness)
    radiance = albedo * _light(surface, view)
    seen = _look(surface, radiance, view)
    air = np.array([0.155, 0.175, 0.205], np.float32)
    seen *= 1 - view.haze
    seen += view.haze * air
    return np.ascontiguousarray(np.moveaxis(seen, -1, 0))


def expose(
    radiance: FloatArray,
    scene_from_image: FloatArray,
    shape: tuple[int, int],
    view: View,
    rng: np.random.Generator,
) -> ByteArray:
    """The picture that a sensor delivers of a radiance: blur, sampling, gain, noise, gamma, 8 bit.

    The blur acts on the fine cells; the image is then *one* interpolation (cubic spline) of a band-limited
    field at exact positions, so that the given map is the truth at ground level without rounding.

    Parameters
    ----------
    radiance : ndarray, shape (3, rows, cols)
        From `render`.
    scene_from_image : ndarray, shape (3, 3)
        Maps (row, col, 1) of image pixels to radiance cells, both with centres at whole numbers.
    shape : tuple of int
        Rows and columns of the image.
    view : View
        Blur, exposure, gain, gamma, noise.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    ndarray of uint8, shape (3, rows, cols)
    """
    cells = math.sqrt(abs(float(np.linalg.det(scene_from_image[:2, :2]))))
    bands = np.stack([cv2.GaussianBlur(b, (0, 0), view.blur_px * cells) for b in radiance])
    grey = bands.mean(0)
    # pansharpened colour is coarser than its brightness
    bands = np.stack([grey + cv2.GaussianBlur(b - grey, (0, 0), 0.9 * cells) for b in bands])
    rc = _grid_points(scene_from_image, shape)
    image = np.stack([ndimage.map_coordinates(b, rc, order=3, mode="nearest") for b in bands])
    image *= np.array(view.gain)[:, None, None] / view.exposure
    common = rng.standard_normal(shape)
    own = np.stack([cv2.GaussianBlur(n, (0, 0), 0.9) for n in rng.standard_normal((3, *shape))])
    image += view.noise * (0.8 * common + 1.2 * own) * np.sqrt(np.clip(image, 0.02, 1) / 0.5)
    image = image + 0.25 * (image - np.stack([cv2.GaussianBlur(b, (0, 0), 1.2) for b in image]))
    toned = np.clip(image, 0, None) ** (1 / view.gamma)
    shoulder = np.where(toned > 0.8, 0.8 + 0.2 * np.tanh((toned - 0.8) / 0.2), toned)
    return np.asarray(np.clip(np.round(255 * shoulder), 0, 255), np.uint8)


def _grid_points(matrix: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """(2, rows, cols) where `matrix` puts each pixel."""
    rows, cols = np.indices(shape, np.float64)
    w = matrix[2, 0] * rows + matrix[2, 1] * cols + matrix[2, 2]
    return np.stack([(matrix[k, 0] * rows + matrix[k, 1] * cols + matrix[k, 2]) / w for k in (0, 1)])


def _direction(azimuth_deg: float) -> FloatArray:
    """Unit step (row, col) towards an azimuth; north is up."""
    t = math.radians(azimuth_deg)
    return np.array([-math.cos(t), math.sin(t)])


def _season(surface: Surface, dryness: float) -> FloatArray:
    """Reflectance with grass and leaves between fresh and dry."""
    grass = np.array([0.85, 1.0, 0.8]) * (1 - dryness) + np.array([1.6, 1.25, 1.15]) * dryness
    leaf = np.array([0.9, 1.05, 0.9]) * (1 - dryness) + np.array([1.35, 1.12, 0.95]) * dryness
    factors = np.stack([np.ones(3), grass, leaf]).astype(np.float32)
    return surface.albedo * factors[surface.leaf]


def _light(surface: Surface, view: View) -> FloatArray:
    """(rows, cols, 3) light on each cell: sun on its slope where not in shadow, and the sky it sees."""
    height, cell = surface.height_m, surface.cell_m
    elevation = math.radians(view.sun_elevation_deg)
    north_south, east_west = np.gradient(cv2.GaussianBlur(height, (0, 0), 0.7), cell)
    cliff = (np.hypot(north_south, east_west) > 1.6) & (surface.leaf < 2)
    slope = [np.where(cliff, 0, np.clip(g, -1.4, 1.4)) for g in (north_south, east_west)]
    sun = _direction(view.sun_azimuth_deg)
    facing = math.sin(elevation) - (slope[0] * sun[0] + slope[1] * sun[1]) * math.cos(elevation)
    facing = np.clip(facing / np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2), 0, None)
    lit = 1 - 0.93 * _shadow(height, sun, math.tan(elevation) * cell)
    hidden = cv2.GaussianBlur(height, (0, 0), 2.2 / cell) - height
    sky = np.exp(-0.16 * np.clip(hidden, 0, 5))
    direct = (0.86 * facing / math.sin(elevation) * lit).astype(np.float32)
    sunlight, skylight = np.array([1.03, 1.0, 0.95], np.float32), np.array([0.125, 0.15, 0.185], np.float32)
    return np.asarray(direct[..., None] * sunlight + sky[..., None].astype(np.float32) * skylight)


def _shifted(shape: tuple[int, int], step: FloatArray) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices (here, there) so that ``there`` is ``here`` moved by whole cells, cut at the edge."""
    here, there = [], []
    for n, d in zip(shape, np.round(step).astype(int), strict=True):
        here.append(slice(max(0, -d), min(n, n - d)))
        there.append(slice(max(0, d), min(n, n + d)))
    return (here[0], here[1]), (there[0], there[1])


def _shadow(height: FloatArray, sun: FloatArray, rise_m: float) -> FloatArray:
    """0..1 how far each cell lies in the shadow of what stands towards the sun; `rise_m` a cell."""
    blocked = np.full_like(height, -9.0)
    for t in range(1, math.ceil(float(height.max()) / rise_m) + 1):
        here, there = _shifted(height.shape, sun * t)
        np.maximum(blocked[here], height[there] - np.float32(t * rise_m), out=blocked[here])
    depth = (blocked - height) / 0.3
    return np.asarray(cv2.GaussianBlur(np.clip(depth, 0, 1), (0, 0), 0.8))


def _look(surface: Surface, radiance: FloatArray, view: View) -> AnyArray:
    """Radiance along slanted lines of sight: tops displaced, walls seen on the side that faces the sensor."""
    lean = _direction(view.lean_azimuth_deg) * math.tan(math.radians(view.off_nadir_deg)) / surface.cell_m
    height = surface.height_m
    pace = 0.45 / max(
        float(np.abs(lean).max()), 0.05
    )  # metres of height that move the foot less than half a cell
    met = np.zeros_like(height)
    found = np.zeros(height.shape, np.bool_)
    for z in np.arange(float(height.max()), 0.2, -pace):
        here, there = _shifted(height.shape, -z * lean)
        hit = (height[there] >= z) & ~found[here]
        met[here][hit] = z
        found[here] |= hit
    row, col = np.indices(height.shape, np.float32)
    rows = row - met * np.float32(lean[0])
    cols = col - met * np.float32(lean[1])
    seen: AnyArray = cv2.remap(radiance, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    foot = tuple(
        np.clip(np.round(k), 0, n - 1).astype(int) for k, n in zip((rows, cols), height.shape, strict=True)
    )
    wall = (height[foot] - met > pace + 0.9) & (surface.owner[foot] > 0)
    seen[wall] = _walls(surface, view, (foot[0][wall], foot[1][wall]), met[wall])
    return seen


def _walls(surface: Surface, view: View, foot: tuple[npt.NDArray[np.int_], ...], z: FloatArray) -> FloatArray:
    """Radiance of wall faces: lit or not by the side they are seen from, with rows of windows."""
    towards = -_direction(view.lean_azimuth_deg)
    sun = _direction(view.sun_azimuth_deg)
    lit = max(0.0, float(towards @ sun)) * math.cos(math.radians(view.sun_elevation_deg))
    storey = np.mod(z, 3.0)
    along = (foot[0] * towards[1] - foot[1] * towards[0]) * surface.cell_m
    window = (storey > 1.0) & (storey < 2.3) & (np.mod(along, 2.9) < 1.3)
    tone = surface.faces[surface.owner[foot]] * np.where(window, 0.35, 1.0)[:, None].astype(np.float32)
    return np.asarray(tone * (0.24 + 0.9 * lit), np.float32)
