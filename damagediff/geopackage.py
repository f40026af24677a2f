"""Polygons of a GeoPackage, read as the SQLite file that it is: no second GDAL beside rasterio's.

A GeoPackage is a database that may hold views, triggers and virtual tables made by a stranger. It is opened
read-only and immutable, only plain tables are read, and functions, recursion and everything but reading are
denied to what it holds.
"""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
import shapely.geometry

from . import grid
from .errors import InputError
from .types import FloatArray, Grid

MAGIC = b"SQLite format 3\x00"
MAX_VALUE_BYTES = 64_000_000
"""Of one geometry or text."""
MAX_ROWS = 50_000_000
MAX_STEPS = 5_000
"""Millions of steps of the database engine: pages that point at each other in circles have no end."""
ENVELOPE_BYTES = (0, 32, 48, 48, 64)
"""By the header's code: none, xy, xyz, xym, xyzm."""
UNDEFINED = (-1, 0)
"""srs_id of coordinates of which the file says nothing: Cartesian, geographic."""
POLYGONS = {"POLYGON", "MULTIPOLYGON", "CURVEPOLYGON", "MULTISURFACE", "SURFACE", "GEOMETRY"}
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}


@dataclass(frozen=True)
class Layer:
    """The table of polygons in a file."""

    table: str
    column: str
    crs: str | None
    """``EPSG:n`` or WKT; None: the file does not say."""


def features(path: Path, on: Grid) -> tuple[str | None, Iterator[dict[str, Any]]]:
    """The CRS of the file's one layer of polygons, and its features as GeoJSON has them.

    Features whose envelope lies off the grid are left out before their geometry is read.

    Raises
    ------
    InputError
        Not a GeoPackage, none or several layers of polygons, no CRS, or a database that is broken.
    """
    if path.with_name(path.name + "-wal").exists():
        raise InputError(
            f"{path.name}: open in another programme, not all of it is in the file. Close it there"
        )
    with closing(_open(path)) as database:
        layer = _guarded(path, lambda: _layer(database, path))
    return layer.crs, _rows(path, layer, _bounds(on, layer.crs))


def _open(path: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as error:
        raise InputError(
            f"{path.name}: not a readable GeoPackage: {error}. Save it again, as GeoPackage or GeoJSON"
        ) from None
    database.text_factory = lambda text: text.decode("utf-8", "replace")
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    database.set_authorizer(lambda what, *_: sqlite3.SQLITE_OK if what in ALLOWED else sqlite3.SQLITE_DENY)
    steps = iter(range(MAX_STEPS))
    database.set_progress_handler(lambda: next(steps, None) is None, 1_000_000)
    return database


def _guarded(path: Path, ask: Any) -> Any:
    try:
        return ask()
    except (sqlite3.Error, OverflowError) as error:
        raise InputError(
            f"{path.name}: not a readable GeoPackage: {error}. Save it again, as GeoPackage or GeoJSON"
        ) from None


def _layer(database: sqlite3.Connection, path: Path) -> Layer:
    known = database.execute(
        "SELECT g.table_name, g.column_name, g.geometry_type_name, g.srs_id FROM gpkg_geometry_columns g"
    ).fetchmany(1000)
    tables = dict(
        database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchmany(10_000)
    )
    found = [
        row
        for row in known
        if str(row[2]).upper() in POLYGONS
        and not re.match(r"\s*CREATE\s+VIRTUAL", str(tables.get(row[0], "CREATE VIRTUAL")), re.IGNORECASE)
    ]
    if len(found) != 1:
        named = ", ".join(str(row[0]) for row in found[:10]) or "none"
        raise InputError(
            f"{path.name}: one layer of polygons is wanted, it holds {len(found)} ({named}). "
            "Save the layer of buildings to a file of its own"
        )
    table, column, _, number = found[0]
    return Layer(str(table), str(column), _crs(database, number))


def _crs(database: sqlite3.Connection, number: Any) -> str | None:
    if number in UNDEFINED:
        return None
    row = database.execute(
        "SELECT organization, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys "
        "WHERE srs_id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    by_code = str(row[0]).upper() == "EPSG" and isinstance(row[1], int)
    try:
        if by_code:
            pyproj.CRS.from_epsg(row[1])
            return f"EPSG:{row[1]}"
        return str(pyproj.CRS.from_wkt(str(row[2])).to_wkt())
    except pyproj.exceptions.CRSError:
        return None


def _bounds(on: Grid, crs: str | None) -> FloatArray | None:
    """Least x, y and greatest x, y of the grid in the file's coordinates, a little more; None: not known."""
    t = np.linspace(0, 1, 21)
    edge = np.concatenate(
        [np.stack(np.broadcast_arrays(a, b), -1) for a, b in ((t, 0), (t, 1), (0, t), (1, t))]
    )
    rc = edge * on.shape - 0.5
    if on.crs is None or crs is None:
        return None
    xy = grid.reproject_xy(on.crs, crs, grid.world_from_pixel(on.transform, rc))
    if not np.isfinite(xy).all():
        return None
    some = 0.05 * np.ptp(xy, axis=0)
    return np.array([xy.min(0) - some, xy.max(0) + some])


def _rows(path: Path, layer: Layer, bounds: FloatArray | None) -> Iterator[dict[str, Any]]:
    quoted = layer.table.replace('"', '""')
    with closing(_open(path)) as database:
        cursor = _guarded(path, lambda: database.execute(f'SELECT * FROM "{quoted}"'))
        names = [column[0] for column in cursor.description]
        if layer.column not in names:
            raise InputError(
                f"{path.name}: its layer {layer.table} has no column {layer.column}. Save the layer again"
            )
        where = names.index(layer.column)
        for number in range(1, MAX_ROWS):
            row = _guarded(path, cursor.fetchone)
            if row is None:
                return
            yield _feature(path, number, names, row, (where, bounds))
        raise InputError(f"{path.name}: more than {MAX_ROWS:,} rows. Cut out the part that the images show")


def _feature(
    path: Path, number: int, names: list[str], row: tuple[Any, ...], at: tuple[int, FloatArray | None]
) -> dict[str, Any]:
    where, bounds = at
    blob = row[where]
    properties = {
        name: value
        for k, (name, value) in enumerate(zip(names, row, strict=True))
        if k != where and not isinstance(value, bytes)
    }
    geometry = None if blob is None else _geometry(path, number, blob, bounds)
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _geometry(path: Path, number: int, blob: Any, bounds: FloatArray | None) -> dict[str, Any] | None:
    """GeoJSON geometry of a GeoPackage's; None of an empty one and of one off the grid."""
    bad = InputError(
        f"{path.name}: feature {number} has a geometry that is no GeoPackage geometry. Save the layer again"
    )
    if not isinstance(blob, bytes) or blob[:2] != b"GP" or len(blob) < 8:
        raise bad
    flags = blob[3]
    code = flags >> 1 & 7
    if code >= len(ENVELOPE_BYTES):
        raise bad
    start = 8 + ENVELOPE_BYTES[code]
    if code and len(blob) >= start and bounds is not None:
        x0, x1, y0, y1 = struct.unpack_from("<4d" if flags & 1 else ">4d", blob, 8)
        if x1 < bounds[0, 0] or x0 > bounds[1, 0] or y1 < bounds[0, 1] or y0 > bounds[1, 1]:
            return None
    try:
        shape = shapely.force_2d(shapely.from_wkb(blob[start:]))
    except (shapely.errors.ShapelyError, ValueError):
        raise bad from None
    return None if shape is None or shape.is_empty else shapely.geometry.mapping(shape)
