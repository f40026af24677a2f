"""Layers as a GeoPackage [1]_, written with sqlite3 and shapely: the same layers give the same bytes.

Nothing in it depends on when it was written: where the format asks for a time, it gets `WHEN`.

References
----------
.. [1] Open Geospatial Consortium, "GeoPackage Encoding Standard", version 1.3, OGC 12-128r17.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely

from . import grid as grids
from .gis_layers import Feature, Kind, Layer
from .types import Grid

WHEN = "1980-01-01T00:00:00.000Z"
APPLICATION, VERSION = 0x47504B47, 10300
OWN_CRS = 100_000
"""Number of a CRS that has none of its own."""
COLUMNS: dict[Kind, str] = {"text": "TEXT", "integer": "INTEGER", "real": "REAL"}
TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
    description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
    identifier TEXT UNIQUE, description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE,
    min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
    CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
    CONSTRAINT uk_gc_table_name UNIQUE (table_name),
    CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE about (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT, words TEXT);
CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
    f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30),
    styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
    update_time DATETIME);
"""
UNKNOWN_CRS = (
    ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", "undefined Cartesian coordinate system"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined", "undefined geographic coordinate system"),
)
About = Sequence[tuple[str, str]]


def write(
    path: Path, layers: Sequence[Layer], grid: Grid, about: About, styles: dict[str, str] | None = None
) -> None:
    """A new GeoPackage with one table a layer, in the CRS of the grid.

    Parameters
    ----------
    layers : sequence of Layer
        In their order.
    grid : Grid
        Georeferenced.
    about : sequence of (str, str)
        Rows of the table ``about``: what must be known to read the layers.
    styles : dict of str to str
        QML by layer, for ``layer_styles``, where QGIS looks for it.

    Raises
    ------
    OSError
        The disk refuses.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode=OFF")
            database.execute("PRAGMA page_size=4096")
            database.execute("BEGIN")
            _write(database, layers, grid, about, styles or {})
            database.execute("COMMIT")
            database.execute(f"PRAGMA application_id={APPLICATION}")
            database.execute(f"PRAGMA user_version={VERSION}")
    except sqlite3.OperationalError as error:
        raise OSError(f"{path.name}: {error}") from error


def _write(
    database: sqlite3.Connection, layers: Sequence[Layer], grid: Grid, about: About, styles: dict[str, str]
) -> None:
    for statement in TABLES.split(";"):
        database.execute(statement)
    number = _add_crs(database, grid)
    for layer in layers:
        _add_layer(database, layer, grid, number)
    database.executemany("INSERT INTO about (name, words) VALUES (?, ?)", about)
    kept = [(layer.name, styles[layer.name]) for layer in layers if layer.name in styles]
    database.executemany(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
        "styleName, styleQML, styleSLD, useAsDefault, description, owner, update_time) "
        "VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'damagediff', '', ?)",
        [(name, name, qml, WHEN) for name, qml in kept],
    )
    told = "What must be known to read this file: finding, doubts, sources"
    for table, words in (("about", told), ("layer_styles", "Styles for QGIS")):
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) "
            "VALUES (?, 'attributes', ?, ?, ?, 0)",
            (table, table, words, WHEN),
        )


def _add_crs(database: sqlite3.Connection, grid: Grid) -> int:
    crs = pyproj.CRS.from_user_input(grid.crs)
    code = crs.to_epsg() if str(grid.crs).upper().startswith("EPSG:") else None
    world = pyproj.CRS.from_epsg(4326)
    number, owner = (OWN_CRS, "NONE") if code is None else (code, "EPSG")
    rows = [
        (one.name, key, who, key, _wkt(one), None)
        for one, key, who in ((world, 4326, "EPSG"), (crs, number, owner))
    ]
    database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", (*UNKNOWN_CRS, *rows))
    return number


def _wkt(crs: pyproj.CRS) -> str:
    return str(crs.to_wkt("WKT1_GDAL"))


def _add_layer(database: sqlite3.Connection, layer: Layer, grid: Grid, number: int) -> None:
    columns = ", ".join(f'"{name}" {COLUMNS[kind]}' for name, kind in layer.fields.items())
    kind = "POINT" if layer.points else "MULTIPOLYGON"
    key = "fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL"
    database.execute(f'CREATE TABLE "{layer.name}" ({key}, geom {kind}, {columns})')
    shapes = [shape_xy(feature, layer, grid) for feature in layer.features]
    marks = ", ".join("?" * (1 + len(layer.fields)))
    names = ", ".join(f'"{name}"' for name in ("geom", *layer.fields))
    rows = (
        (_blob(shape, number), *feature.values) for shape, feature in zip(shapes, layer.features, strict=True)
    )
    database.executemany(f'INSERT INTO "{layer.name}" ({names}) VALUES ({marks})', rows)  # noqa: S608
    bounds = [shape.bounds for shape in shapes if not shape.is_empty]
    low, high = (np.min(bounds, 0), np.max(bounds, 0)) if bounds else (np.full(4, None), np.full(4, None))
    extent = [None if value is None else float(value) for value in (*low[:2], *high[2:])]
    database.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?, ?)",
        (layer.name, layer.name, layer.title, WHEN, *extent, number),
    )
    database.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", (layer.name, kind, number)
    )


def shape_xy(feature: Feature, layer: Layer, grid: Grid) -> shapely.Geometry:
    """Point or multipolygon in the CRS of the grid."""
    if layer.points:
        return shapely.Point(_world(feature.parts_rc[0][0], grid)[0])
    return shapely.MultiPolygon(list(_polygons(feature, grid)))


def _polygons(feature: Feature, grid: Grid) -> Iterator[shapely.Polygon]:
    for rings in feature.parts_rc:
        outer, *holes = (_world(ring, grid) for ring in rings if len(ring) >= 3)
        yield shapely.geometry.polygon.orient(shapely.Polygon(outer, holes))


def _world(ring_rc: Sequence[tuple[float, float]], grid: Grid) -> Any:
    return grids.world_from_pixel(grid.transform, np.asarray(ring_rc, np.float64))


def _blob(shape: shapely.Geometry, number: int) -> bytes | None:
    """The standard's binary: a header with the bounds, then WKB; None of an empty shape."""
    if shape.is_empty:
        return None
    x0, y0, x1, y1 = shape.bounds
    head = struct.pack("<2sBBi4d", b"GP", 0, 0b0000_0011, number, x0, x1, y0, y1)
    return head + bytes(shapely.to_wkb(shape, byte_order=1, flavor="iso"))
