"""Building footprints from GeoJSON, on the working grid."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import grid
from .errors import InputError
from .types import Grid

MAX_BYTES = 500_000_000
"""A larger file is not read into memory."""

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Footprint:
    """One outline as the file gives it, in pixels of the working grid."""

    id: str
    rings_rc: tuple[Ring, ...]
    """Closed rings of (row, col): outer rings and holes of all parts, to be filled by the even-odd rule."""
    properties: dict[str, Any]


def read(path: Path, on: Grid) -> tuple[Footprint, ...]:
    """All polygons of a GeoJSON file that touch the grid, in the order of the file.

    Coordinates are longitude and latitude when the grid is georeferenced (RFC 7946), else pixels
    (x = col, y = row) of the before image.

    Raises
    ------
    InputError
        The file is missing, not GeoJSON, or holds no polygon on the grid.
    """
    features = _features(path)
    found = []
    for number, feature in enumerate(features, start=1):
        geometry = feature.get("geometry") or {}
        rings = tuple(_on_grid(ring, on, path, number) for ring in _rings(geometry))
        if rings and _touches(rings, on):
            properties = feature.get("properties") or {}
            found.append(Footprint(_identity(feature, properties, number), rings, properties))
    if not found:
        raise InputError(
            f"{path.name}: none of its {len(features)} features is a polygon on the images. "
            "Coordinates must be " + ("longitude, latitude" if on.crs else "pixels x, y of the before image")
        )
    return tuple(found)


def _features(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(
                f"{path.name}: {path.stat().st_size:,} bytes, more than the {MAX_BYTES:,} allowed"
            )
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{path.name}: not a readable GeoJSON file: {error}") from None
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or not all(isinstance(feature, dict) for feature in features):
        raise InputError(f"{path.name}: not a GeoJSON FeatureCollection")
    return features


def _rings(geometry: dict[str, Any]) -> list[Any]:
    coordinates = geometry.get("coordinates") or []
    if geometry.get("type") == "Polygon":
        return list(coordinates)
    if geometry.get("type") == "MultiPolygon":
        return [ring for polygon in coordinates for ring in polygon]
    return []


def _on_grid(ring: Any, on: Grid, path: Path, number: int) -> Ring:
    try:
        xy = np.array([point[:2] for point in ring], np.float64)
    except (TypeError, ValueError, IndexError):
        xy = np.zeros((0, 2))
    if xy.ndim != 2 or xy.shape[0] < 4 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise InputError(
            f"{path.name}: feature {number} has a ring that is no list of four or more x, y points"
        )
    rc = grid.grid_from_lonlat(on, xy) if on.crs else xy[:, ::-1]
    return tuple((float(row), float(col)) for row, col in rc)


def _touches(rings: tuple[Ring, ...], on: Grid) -> bool:
    rc = np.array([point for ring in rings for point in ring])
    return bool(np.isfinite(rc).all() and (rc.max(0) >= 0).all() and (rc.min(0) < on.shape).all())


def _identity(feature: dict[str, Any], properties: dict[str, Any], number: int) -> str:
    for value in (properties.get("id"), feature.get("id"), properties.get("osm_id")):
        if isinstance(value, (str, int, float)) and str(value):
            return str(value)
    return str(number)
