"""Outlines as GeoJSON geometries: longitude and latitude by RFC 7946 [1]_, or pixels without a georeference.

Outer rings run counter-clockwise and holes clockwise, coordinates have 7 decimals, and what reaches over the
180th meridian is cut there into parts.

References
----------
.. [1] Butler et al., "The GeoJSON Format", RFC 7946, 2016. :DOI:`10.17487/RFC7946`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from . import grid as grids
from . import json_text
from .types import FloatArray, Grid

LONLAT_DECIMALS = 7  # 1 cm
PIXEL_DECIMALS = 2
MOST = 180.0
"""Degrees of longitude to either side."""

Ring = Sequence[tuple[float, float]]


def geometry(parts_rc: Sequence[Sequence[Ring]], grid: Grid) -> dict[str, Any] | None:
    """Polygon or multipolygon of parts (outer ring, then holes each) in (row, col); None without any.

    Rings of fewer than three points are left out; others are closed where they are not.
    """
    polygons = [
        [[_as_list(ring, hole=k > 0) for k, ring in enumerate(rings)] for rings in cut_rings(parts, grid)]
        for parts in parts_rc
    ]
    flat = [rings for parts in polygons for rings in parts]
    if not flat:
        return None
    if len(flat) == 1:
        return {"type": "Polygon", "coordinates": json_text.Exact(flat[0])}
    return {"type": "MultiPolygon", "coordinates": json_text.Exact(flat)}


def point(at_rc: tuple[float, float], grid: Grid) -> dict[str, Any]:
    """A point in (row, col) as GeoJSON."""
    return {"type": "Point", "coordinates": json_text.Exact(_rounded(np.array([at_rc]), grid)[0].tolist())}


def cut_rings(rings_rc: Sequence[Ring], grid: Grid) -> list[list[FloatArray]]:
    """One polygon's rings as (N, 2) x, y: one list of rings, or several where the 180th meridian cuts it."""
    rings = [_closed(_rounded(np.asarray(ring, np.float64), grid)) for ring in rings_rc if len(ring) >= 3]
    if not rings:
        return []
    if grid.crs is None or all(np.ptp(ring[:, 0]) <= MOST for ring in rings):
        return [rings]
    return _cut(rings)


def _rounded(rc: FloatArray, grid: Grid) -> FloatArray:
    if grid.crs is None:
        return np.asarray(np.round(rc[:, ::-1], PIXEL_DECIMALS))
    return np.asarray(np.round(grids.lonlat_from_grid(grid, rc), LONLAT_DECIMALS))


def _closed(xy: FloatArray) -> FloatArray:
    return np.concatenate([xy, xy[:1]]) if (xy[0] != xy[-1]).any() else xy


def _cut(rings: list[FloatArray]) -> list[list[FloatArray]]:
    """Parts to either side of the meridian, each in -180..180."""
    first = float(rings[0][0, 0])
    unrolled = [_around_pole(_unrolled(ring, first)) for ring in rings]
    whole = shapely.make_valid(shapely.Polygon(unrolled[0], unrolled[1:]))
    low, _, high, _ = whole.bounds
    parts: list[list[FloatArray]] = []
    for turn in range(int((low + MOST) // 360), int((high + MOST) // 360) + 1):
        strip = shapely.box(360 * turn - MOST, -90, 360 * turn + MOST, 90)
        for part in shapely.get_parts(shapely.intersection(whole, strip)):
            if part.geom_type == "Polygon" and part.area > 0:
                lines = (part.exterior, *part.interiors)
                moved = [np.array(line.coords) - (360 * turn, 0) for line in lines]
                parts.append([_without_repeats(np.round(ring, LONLAT_DECIMALS)) for ring in moved])
    return parts


def _without_repeats(ring: FloatArray) -> FloatArray:
    return ring[np.concatenate([[True], (np.diff(ring, axis=0) != 0).any(axis=1)])]


def _unrolled(ring: FloatArray, first: float) -> FloatArray:
    """The same with no step of more than half the Earth, begun within half of it of `first`."""
    start = first + (ring[0, 0] - first + MOST) % 360 - MOST
    steps = (np.diff(ring[:, 0]) + MOST) % 360 - MOST
    return np.column_stack([np.concatenate([[start], start + np.cumsum(steps)]), ring[:, 1]])


def _around_pole(ring: FloatArray) -> FloatArray:
    """A ring around a pole does not end where it began: it is closed by way of the pole."""
    if abs(ring[-1, 0] - ring[0, 0]) < MOST:
        return ring
    pole = 90.0 if ring[:, 1].mean() > 0 else -90.0
    return np.concatenate([ring, [[ring[-1, 0], pole], [ring[0, 0], pole], ring[0]]])


def _as_list(xy: FloatArray, hole: bool) -> list[list[float]]:
    near = xy - xy[0]  # far from the origin the areas below would drown in rounding
    twice_area = float(np.sum(near[:-1, 0] * near[1:, 1] - near[1:, 0] * near[:-1, 1]))
    counter_clockwise = twice_area > 0
    points: list[list[float]] = (xy[::-1] if counter_clockwise == hole else xy).tolist()
    return points
