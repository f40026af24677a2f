"""GeoPackages and other files of footprints, whole and broken."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from damagediff import footprint_files, footprints, geopackage, grid
from damagediff.errors import InputError
from damagediff.types import Grid

UTM = Grid((400, 500), Affine(0.5, 0, 614000.0, 0, -0.5, 4504000.0), "EPSG:32638", 0.5)
PLAIN = Grid((400, 500))
SQUARE_RC = np.array([[10, 20], [10, 60], [50, 60], [50, 20], [10, 20]], float)
FAR_RC = SQUARE_RC + 90_000


def blob(shape: shapely.Geometry, srs: int, envelope: bool = True) -> bytes:
    x0, y0, x1, y1 = shape.bounds
    head = b"GP\x00" + bytes([0b011 if envelope else 0b001]) + struct.pack("<i", srs)
    return head + (struct.pack("<4d", x0, x1, y0, y1) if envelope else b"") + shapely.to_wkb(shape)


def package(
    path: Path, blobs, srs: int = 32638, extra: tuple[str, ...] = (), kind: str = "MULTIPOLYGON"
) -> Path:
    with closing(sqlite3.connect(path)) as base:
        base.executescript(
            "CREATE TABLE gpkg_geometry_columns (table_name, column_name, geometry_type_name, srs_id, z, m);"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_name, srs_id INTEGER, organization, "
            "organization_coordsys_id INTEGER, definition);"
            'CREATE TABLE "house ""x"" s" (fid INTEGER PRIMARY KEY, geom BLOB, use TEXT);'
        )
        base.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)", ('house "x" s', kind, srs)
        )
        base.execute("INSERT INTO gpkg_spatial_ref_sys VALUES ('x', ?, 'EPSG', ?, '')", (srs, srs))
        base.executemany(
            'INSERT INTO "house ""x"" s" (geom, use) VALUES (?, ?)', [(b, "school") for b in blobs]
        )
        for statement in extra:
            base.execute(statement)
        base.commit()
    return path


def in_crs(rc: np.ndarray, code: int) -> shapely.Polygon:
    xy = grid.reproject_xy("EPSG:32638", f"EPSG:{code}", grid.world_from_pixel(UTM.transform, rc))
    return shapely.Polygon(xy)


@pytest.mark.parametrize("code", [32638, 4326, 3857, 2000])
@pytest.mark.parametrize("envelope", [True, False])
def test_a_geopackage_in_any_crs_lands_on_the_grid(tmp_path, code, envelope):
    if code == 2000:  # not given by its code: by its definition
        code, text = 32639, __import__("pyproj").CRS.from_epsg(32639).to_wkt()
        extra = ("UPDATE gpkg_spatial_ref_sys SET organization = 'me', definition = '" + text + "'",)
    else:
        extra = ()
    blobs = [blob(in_crs(rc, code), code, envelope) for rc in (FAR_RC, SQUARE_RC)]
    path = package(tmp_path / "a b#?.gpkg", blobs, code, extra)
    before = path.read_bytes()
    (found,) = footprints.read(path, UTM)
    assert found.id == "2" and found.properties == {"fid": 2, "use": "school"}
    assert np.array(found.parts_rc[0][0]) == pytest.approx(SQUARE_RC, abs=1e-3)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_multipolygons_holes_heights_and_empty_geometries(tmp_path):
    outer, inner = in_crs(SQUARE_RC, 32638), in_crs(SQUARE_RC / 2 + 15, 32638)
    holed = shapely.force_3d(outer.difference(inner), 7)
    both = shapely.MultiPolygon([outer, in_crs(SQUARE_RC + 100, 32638)])
    point = shapely.Point(outer.centroid)
    blobs = [blob(s, 32638) for s in (holed, both, point)] + [
        None,
        b"GP\x00\x11" + bytes(4) + shapely.to_wkb(shapely.Polygon()),
    ]
    found = footprints.read(package(tmp_path / "a.gpkg", blobs), UTM)
    assert [[len(part) for part in f.parts_rc] for f in found] == [[2], [1, 1]]


def test_pixels_in_a_geopackage_without_a_crs(tmp_path):
    path = package(tmp_path / "a.gpkg", [blob(shapely.Polygon(SQUARE_RC[:, ::-1]), -1)], -1)
    (found,) = footprints.read(path, PLAIN)
    assert np.array(found.parts_rc[0][0]) == pytest.approx(SQUARE_RC)
    with pytest.raises(InputError, match="CRS"):
        footprints.read(path, UTM)
    with pytest.raises(InputError, match="no georeference"):
        footprints.read(package(tmp_path / "b.gpkg", [blob(in_crs(SQUARE_RC, 32638), 32638)]), PLAIN)


GOOD = blob(in_crs(SQUARE_RC, 32638), 32638)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"", "feature 1"),
        (b"GPx", "feature 1"),
        (b"XX" + GOOD[2:], "feature 1"),
        (GOOD[:3] + b"\x0f" + GOOD[4:], "feature 1"),
        (GOOD[:-5], "feature 1"),
        (GOOD[:40] + b"\x01\x03\x00\x00\x00\xff\xff\xff\x7f", "feature 1"),
        ("text", "feature 1"),
        (5, "feature 1"),
    ],
)
def test_broken_geometries_are_named(tmp_path, bad, says):
    with pytest.raises(InputError, match=says):
        footprints.read(package(tmp_path / "a.gpkg", [bad]), UTM)


@pytest.mark.parametrize(
    "extra",
    [
        # a view, a table that computes, a virtual table, a second layer, a table that is not there
        ('DROP TABLE "house ""x"" s"', 'CREATE VIEW "house ""x"" s" AS SELECT 1 AS geom'),
        (
            'DROP TABLE "house ""x"" s"',
            'CREATE TABLE "house ""x"" s" (fid, geom AS (zeroblob(100000000)) VIRTUAL)',
            'INSERT INTO "house ""x"" s" (fid) VALUES (1)',
        ),
        ('DROP TABLE "house ""x"" s"', 'CREATE VIRTUAL TABLE "house ""x"" s" USING fts5(geom)'),
        (
            "CREATE TABLE other (geom)",
            "INSERT INTO gpkg_geometry_columns VALUES ('other', 'geom', 'POLYGON', 4326, 0, 0)",
        ),
        ('DROP TABLE "house ""x"" s"',),
        ("DROP TABLE gpkg_geometry_columns",),
        (
            "DROP TABLE gpkg_geometry_columns",
            "CREATE VIEW gpkg_geometry_columns AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL "
            "SELECT x + 1 FROM c) SELECT 'a' AS table_name, 'b' AS column_name, "
            "'POLYGON' AS geometry_type_name, x AS srs_id FROM c",
        ),
        ("UPDATE gpkg_geometry_columns SET column_name = 'shape'",),
        ("UPDATE gpkg_geometry_columns SET geometry_type_name = 'POINT'",),
        ("UPDATE gpkg_spatial_ref_sys SET organization_coordsys_id = 99999999",),
        ("UPDATE gpkg_spatial_ref_sys SET organization = 'x', definition = 'http://127.0.0.1/'",),
        ("DELETE FROM gpkg_spatial_ref_sys",),
    ],
)
def test_what_a_database_may_try_is_refused_in_one_line(tmp_path, extra):
    path = package(tmp_path / "a.gpkg", [blob(in_crs(SQUARE_RC, 32638), 32638)], extra=extra)
    with pytest.raises(InputError, match="a.gpkg") as stopped:
        footprints.read(path, UTM)
    assert "\n" not in str(stopped.value)


def test_a_value_that_is_too_large_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(geopackage, "MAX_VALUE_BYTES", 1000)
    path = package(tmp_path / "a.gpkg", [bytes(5000)])
    with pytest.raises(InputError, match="too big"):
        footprints.read(path, UTM)


def test_an_endless_table_is_left(tmp_path, monkeypatch):
    blobs = [blob(in_crs(FAR_RC, 32638), 32638)] * 50
    path = package(tmp_path / "a.gpkg", blobs)
    monkeypatch.setattr(geopackage, "MAX_ROWS", 20)
    with pytest.raises(InputError, match="rows"):
        footprints.read(path, UTM)


@pytest.mark.parametrize("cut", [120, 5000, 9000])
def test_a_cut_database_is_named(tmp_path, cut):
    path = package(tmp_path / "a.gpkg", [blob(in_crs(SQUARE_RC, 32638), 32638)] * 80)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="a.gpkg"):
        footprints.read(path, UTM)


def test_a_database_that_is_still_open_elsewhere_is_refused(tmp_path):
    path = package(tmp_path / "a.gpkg", [blob(in_crs(SQUARE_RC, 32638), 32638)])
    path.with_name("a.gpkg-wal").write_bytes(b"x")
    with pytest.raises(InputError, match="Close"):
        footprints.read(path, UTM)


def features() -> list[dict]:
    lonlat = grid.lonlat_from_grid(UTM, SQUARE_RC).tolist()
    return [
        {
            "type": "Feature",
            "properties": {"height": -1},
            "geometry": {"type": "Polygon", "coordinates": [lonlat]},
        },
        {
            "type": "Feature",
            "properties": {"@id": "way/7"},
            "geometry": {"type": "Polygon", "coordinates": [lonlat]},
        },
    ]


@pytest.mark.parametrize("mark", ["", "\x1e"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_feature_a_line(tmp_path, mark, packed):
    text = "".join(f"{mark}{json.dumps(feature)}\n" for feature in features())
    path = tmp_path / ("lines.csv.gz" if packed else "lines.geojsonl")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    found = footprints.read(path, UTM)
    assert [f.id for f in found] == ["1", "way/7"]
    assert np.array(found[0].parts_rc[0][0]) == pytest.approx(SQUARE_RC, abs=1e-3)


def test_well_known_text_in_a_table(tmp_path):
    lonlat = shapely.Polygon(grid.lonlat_from_grid(UTM, SQUARE_RC))
    path = tmp_path / "google.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("latitude", "longitude", "confidence", "geometry", "full_plus_code"))
        rows.writerow((0, 0, 0.9, lonlat.wkt, "8HM4+22"))
        rows.writerow((0, 0, 0.9, "", "none"))
    (found,) = footprints.read(path, UTM)
    assert found.id == "8HM4+22" and found.properties["confidence"] == "0.9"
    path.write_text("geometry\nPOLYGON((0 0\n", encoding="utf-8")
    with pytest.raises(InputError, match="feature 1"):
        footprints.read(path, UTM)


def test_a_crs_named_as_before_the_standard(tmp_path):
    xy = grid.world_from_pixel(UTM.transform, SQUARE_RC).tolist()
    content = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32638"}},
        "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [xy]}}
        ],
    }
    path = tmp_path / "f.geojson"
    path.write_text(json.dumps(content), encoding="utf-8")
    (found,) = footprints.read(path, UTM)
    assert np.array(found.parts_rc[0][0]) == pytest.approx(SQUARE_RC, abs=1e-3)
    content["crs"] = {"properties": {"name": "http://127.0.0.1/crs"}}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="not known"):
        footprints.read(path, UTM)


def test_packed_files_cannot_swell_or_hide(tmp_path, monkeypatch):
    monkeypatch.setattr(footprint_files, "MAX_BYTES", 100_000)
    path = tmp_path / "bomb.geojson.gz"
    path.write_bytes(gzip.compress(b" " * 10_000_000))
    with pytest.raises(InputError, match="unpacked"):
        footprints.read(path, UTM)
    path.write_bytes(gzip.compress(geopackage.MAGIC + b"x"))
    with pytest.raises(InputError, match="Unpack"):
        footprints.read(path, UTM)
    path.write_bytes(gzip.compress(json.dumps(features()).encode())[:-20])
    with pytest.raises(InputError, match="not a readable"):
        footprints.read(path, UTM)
    large = tmp_path / "large.geojson"
    large.write_bytes(b" " * 100_001)
    with pytest.raises(InputError, match="more than"):
        footprints.read(large, UTM)


@pytest.mark.parametrize("line", ["{", "5", '{"a": %s}' % ("[" * 5000)])
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "lines.geojsonl"
    path.write_text(f"{json.dumps(features()[0])}\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2"):
        footprints.read(path, UTM)
