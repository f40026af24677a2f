"""Building footprints from GeoJSON, CSV or GeoPackage, on the working grid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from . import footprint_files, grid
from .errors import InputError
from .types import FootprintCount, Grid, Outline

MAX_DEPTH = 16
"""Lists in lists in properties; none means anything to a reader."""
MAX_CROSSING_EDGES = 2_000
MAX_CROSSINGS = 1_000
"""Of an outline that is not valid, to be repaired: the time grows faster than with their square."""
MAX_FOUND = 500_000
"""Footprints on one pair of images; a metropolis has fewer."""
IDS = ("id", "@id", "osm_id", "osm_way_id", "full_plus_code", "uid", "fid", "ogc_fid")
"""Properties that name a building, the first that is there: as in OpenStreetMap, Overture, Google, xBD."""
MAX_DISTANCE_PX = 1e9
"""Farther from the grid a coordinate is a mistake, and areas drown in rounding."""

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Footprint:
    """One outline as the file gives it, in pixels of the working grid."""

    id: str
    parts_rc: Outline
    properties: dict[str, Any]


def read(path: Path, on: Grid, every: bool = False) -> tuple[Footprint, ...]:
    """`read_counted` without the counts. `every`: a feature that cannot be used is an error, not left out."""
    return read_counted(path, on, every)[0]


def read_counted(path: Path, on: Grid, every: bool = False) -> tuple[tuple[Footprint, ...], FootprintCount]:
    """All polygons of a file that touch the grid, in the order of the file, and how many features do not.

    A geometry and, if there is one, an id are all that is used: OpenStreetMap, Microsoft, Google and Overture
    can be given as they come. Coordinates are those that the file names (GeoPackage), else longitude and
    latitude when the grid is georeferenced (RFC 7946), else pixels (x = col, y = row) of the before image.

    Raises
    ------
    InputError
        The file is missing or broken, of no known format, or holds no polygon on the grid.
    """
    crs, features = footprint_files.features(path, on)
    _check_crs(crs, on, path)
    found: list[Footprint] = []
    total = not_polygons = without_id = 0
    for number, feature in enumerate(features, start=1):
        total = number
        parts = _parts(feature, (on, crs), path, number)
        placed = tuple(part for part in parts if all(_placed(ring) for ring in part))
        if every and len(placed) < max(len(parts), 1):
            why = "reaches too far from the images to be placed on them: cut it to their surroundings"
            raise InputError(f"{path.name}: feature {number} {why if parts else 'is no polygon'}")
        not_polygons += not parts
        if any(_touches(part, on) for part in placed):
            _check_crossings(placed, path, number)
            properties = _properties(feature, path, number)
            named = _identity(feature, properties)
            without_id += named is None
            found.append(Footprint(str(number) if named is None else named, placed, properties))
        if len(found) > MAX_FOUND:
            raise InputError(f"{path.name}: more than {MAX_FOUND:,} polygons on the images. Cut the images")
    if not found:
        map_crs = crs if crs != footprint_files.LONLAT else "longitude, latitude"
        asked = "pixels x, y of the before image" if on.crs is None else map_crs
        raise InputError(
            f"{path.name}: none of its {total} features is a polygon on the images. "
            f"Coordinates must be {asked}"
        )
    _check_frame(found, on, path)
    often = Counter(footprint.id for footprint in found)
    repeated = sum(times for times in often.values() if times > 1)
    off_images = total - not_polygons - len(found)
    return tuple(found), FootprintCount(len(found), not_polygons, off_images, repeated, without_id)


def _parts(feature: dict[str, Any], frame: tuple[Grid, str | None], path: Path, number: int) -> Outline:
    """The polygons of a feature on the grid; none of anything else."""
    return tuple(
        tuple(_on_grid(ring, frame, path, number) for ring in polygon)
        for polygon in _polygons(feature, path, number)
    )


def _check_crossings(parts: Outline, path: Path, number: int) -> None:
    """Refuse an outline that crosses itself too often: repairing 300 points at random takes 15 s."""
    for part in parts:
        if shapely.is_valid(shapely.Polygon(part[0], part[1:])):
            continue
        edges = [edge for ring in part for edge in zip(ring, ring[1:], strict=False)]
        if len(edges) > MAX_CROSSING_EDGES or _crossings(edges) > MAX_CROSSINGS:
            raise InputError(
                f"{path.name}: feature {number} crosses itself, with {len(edges):,} edges: more often or "
                "longer than is repaired here. Repair it first: ogr2ogr -makevalid"
            )


def _crossings(edges: list[Any]) -> int:
    """How many pairs of edges cross."""
    lines = shapely.linestrings(np.array(edges))
    return int(shapely.STRtree(lines).query(lines, predicate="crosses").shape[1] // 2)


def _check_crs(crs: str | None, on: Grid, path: Path) -> None:
    """Coordinates of a CRS need images with one, and the other way round."""
    if crs is None and on.crs is not None:
        raise InputError(f"{path.name}: it does not say in which CRS its coordinates are. Save it with one")
    if crs is not None and on.crs is None:
        raise InputError(
            f"{path.name}: its coordinates are those of a map ({crs[:40]}), but the images have no "
            "georeference: give pixels x, y of the before image"
        )


def _polygons(feature: dict[str, Any], path: Path, number: int) -> list[list[Any]]:
    """Lists of rings: one of a Polygon, several of a MultiPolygon, none of anything else."""
    geometry = feature.get("geometry")
    if geometry is None:
        return []
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        if isinstance(kind, str):
            return []
        raise InputError(
            f"{path.name}: feature {number} has a geometry that is no GeoJSON geometry. Save it again, or "
            "leave it out"
        )
    coordinates = geometry.get("coordinates")
    polygons = [coordinates] if kind == "Polygon" and coordinates != [] else coordinates
    if not isinstance(polygons, list | tuple) or not all(
        isinstance(rings, list | tuple) and rings for rings in polygons
    ):
        raise InputError(
            f"{path.name}: feature {number} has coordinates that are no list of rings. Save it again, or "
            "leave it out"
        )
    return list(polygons)


def _on_grid(ring: Any, frames: tuple[Grid, str | None], path: Path, number: int) -> Ring:
    """A ring in the file's coordinates in pixels of the grid."""
    on, crs = frames
    try:
        xy = np.array([point[:2] for point in ring], np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError):
        xy = np.zeros((0, 2))
    if xy.ndim != 2 or xy.shape[0] < 4 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise InputError(
            f"{path.name}: feature {number} has a ring that is no list of four or more x, y points. Save it "
            "again, or leave it out"
        )
    with np.errstate(invalid="ignore"):  # far places have no coordinates in the projection
        rc = xy[:, ::-1] if crs is None else grid.grid_from_crs(on, crs, xy)
    return tuple((float(row), float(col)) for row, col in rc)


def _touches(rings: tuple[Ring, ...], on: Grid) -> bool:
    rc = np.array(rings[0])
    return bool((rc.max(0) >= 0).all() and (rc.min(0) < on.shape).all())


def _placed(ring: Ring) -> bool:
    """False far from the grid, where its map projection leads nowhere."""
    rc = np.array(ring)
    return bool(np.isfinite(rc).all() and (np.abs(rc) <= MAX_DISTANCE_PX).all())


def _properties(feature: dict[str, Any], path: Path, number: int) -> dict[str, Any]:
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        return {}
    if _deeper_than(MAX_DEPTH, properties):
        raise InputError(
            f"{path.name}: feature {number} has properties nested more than {MAX_DEPTH} deep. Leave them out"
        )
    return properties


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, dict | list) if levels == 0 else any(_deeper_than(levels - 1, v) for v in inner)


def _check_frame(found: list[Footprint], on: Grid, path: Path) -> None:
    """Refuse longitudes and latitudes given for pictures without georeference: they would pass as pixels."""
    if on.crs is not None:
        return
    outlines = [np.array([point for part in f.parts_rc for point in part[0]]) for f in found]
    if all((np.abs(rc) <= [90, 180]).all() and (np.ptp(rc, axis=0) < 1).all() for rc in outlines):
        raise InputError(
            f"{path.name}: its coordinates look like longitude and latitude, but the images have no "
            "georeference: give pixels x, y of the before image"
        )


def _identity(feature: dict[str, Any], properties: dict[str, Any]) -> str | None:
    """What the file calls a feature; None where it does not."""
    named = [properties.get(name) for name in IDS]
    for value in (named[0], feature.get("id"), *named[1:]):
        if isinstance(value, (str, int, float)) and str(value):
            return str(value).encode("utf-8", "replace").decode("utf-8")
    return None
