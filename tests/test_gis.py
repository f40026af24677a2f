"""Files for maps: real readers take them, they lie where they should, and no text breaks out of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from typing import get_args
from xml.etree import ElementTree

import fastkml.validator
import numpy as np
import pyogrio.raw
import pystac
import pytest
import rasterio
import rasterio.rio.main
import rio_cogeo
import scenes
import shapely
from affine import Affine
from click.testing import CliRunner
from PIL import Image as PillowImage
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from damagediff import (
    areas,
    cli,
    cli_gis,
    cog,
    custody,
    digests,
    errors,
    evidence,
    footprints,
    gis,
    gis_geopackage,
    gis_layers,
    gis_overlay,
    gis_schemas,
    gis_stac,
    gis_styles,
    grid,
    lonlat,
    outputs,
    rasters_out,
    reproduce,
    saved,
    types,
    verify,
    zones,
)
from damagediff.judged import Judgement
from damagediff.settings import ReadSettings

SHAPE = (320, 480)
HOSTILE = '</name><script>alert(1)</script>\x07\u202e]]>&" [% eval %] =1+1'
KML = "{http://www.opengis.net/kml/2.2}"


def rasters_of(comparison: types.Comparison, folder: pathlib.Path) -> None:
    """The four rasters of a run."""
    on, change, shown = comparison.pair.grid, comparison.change, comparison.pictures
    assert change is not None
    for name, picture in (("before", shown.before), ("after_aligned", shown.after)):
        with cog.Writer(folder / f"{name}.tif", on, 3, "uint8", descriptions=("red", "green", "blue")) as out:
            out.write(types.Window(0, 0, *on.shape), np.moveaxis(picture, -1, 0), shown.after_valid)
    side = np.ones((change.cell_px, change.cell_px))
    whole = types.Window(0, 0, *on.shape)
    score, mask = (
        np.kron(cells, side)[: on.shape[0], : on.shape[1]][None] for cells in (change.score, change.changed)
    )
    with cog.Writer(folder / "change_score.tif", on, 1, "float32", descriptions=("score",)) as out:
        out.write(whole, score)
    with cog.Writer(
        folder / "change_mask.tif", on, 1, "uint8", nodata=255, resampling="nearest",
        descriptions=("classes",), colours=rasters_out.MASK_COLOURS,
    ) as out:  # fmt: skip
        out.write(whole, mask)


def scene() -> types.Comparison:
    """A comparison with buildings, squares, and hostile words wherever a stranger's may be."""
    made = scenes.comparison(SHAPE, buildings=scenes.buildings(SHAPE), notes=(HOSTILE,))
    square = types.Square(0, 0, (0, 0, 160, 240), 38_400, 38_000, 400, 100, {})
    after = dataclasses.replace(made.pair.after, credit=HOSTILE, name=f"{HOSTILE}.tif")
    building = dataclasses.replace(made.buildings[0], id=HOSTILE)
    return dataclasses.replace(
        made,
        case=dataclasses.replace(made.case, title=HOSTILE),
        pair=dataclasses.replace(made.pair, after=after),
        buildings=(building, *made.buildings[1:]),
        grid_summary=zones.GridSummary(None, 240, (square,)),
    )


@pytest.fixture(scope="module")
def shown() -> types.Comparison:
    return scene()


@pytest.fixture(scope="module")
def written(shown: types.Comparison, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """All formats of one run."""
    run, out = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("out")
    rasters_of(shown, run)
    gis.write(shown, run, out, gis.Wanted(gis.FORMATS))
    return out


def test_the_same_run_gives_the_same_bytes(
    shown: types.Comparison, written: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    rasters_of(shown, tmp_path)
    (tmp_path / "out").mkdir()
    gis.write(shown, tmp_path, tmp_path / "out", gis.Wanted(gis.FORMATS))
    first, second = (
        {p.name: p.read_bytes() for p in folder.iterdir()} for folder in (written, tmp_path / "out")
    )
    assert first.keys() == second.keys() and len(first) > 25
    assert not [name for name in first if first[name] != second[name]]


# ---- vectors ------------------------------------------------------------------------------------


def test_gdal_reads_the_geopackage(shown: types.Comparison, written: pathlib.Path) -> None:
    path = written / "damagediff.gpkg"
    layers = {layer.name: layer for layer in gis_layers.of(shown)}
    listed = {str(name) for name, kind in pyogrio.list_layers(path) if kind is not None}
    assert listed == set(layers) == {
        "regions", "buildings", "grid", "tie_points", "image_footprints", "not_analysed"
    }  # fmt: skip
    for name, layer in layers.items():
        told = pyogrio.read_info(path, layer=name)
        assert told["crs"] == "EPSG:32638" and told["features"] == len(layer.features)
        assert list(told["fields"]) == list(layer.fields)
        assert told["geometry_type"] == ("Point" if name == "tie_points" else "MultiPolygon")
    _, _, shapes, fields = pyogrio.raw.read(path, layer="regions")
    areas = shapely.area(shapely.from_wkb(shapes))
    expected = [
        shapely.Polygon(r.outline_rc[0], r.outline_rc[1:]).area * scenes.GSD_M**2 for r in shown.regions
    ]
    assert np.allclose(areas, expected, rtol=1e-9)
    assert set(fields[10]) == {gis_layers.METHOD}


def test_the_geopackage_is_one_by_its_tables(written: pathlib.Path) -> None:
    path = written / "damagediff.gpkg"
    head = path.read_bytes()[:100]
    assert head[68:72] == b"GPKG" and int.from_bytes(head[60:64], "big") == 10300
    with closing(sqlite3.connect(path)) as database:
        ask = database.execute
        assert ask("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not ask("PRAGMA foreign_key_check").fetchall()
        assert {row[0] for row in ask("SELECT last_change FROM gpkg_contents")} == {gis_geopackage.WHEN}
        about = dict(ask("SELECT name, words FROM about").fetchall())
        styles = dict(ask("SELECT f_table_name, styleQML FROM layer_styles").fetchall())
    assert about["verdict"] == "comparable" and "not verified" in about["method"]
    assert "script" in about["after_credit"] and not re.search(r"[\x00-\x1f\u202e]", "".join(about.values()))
    assert set(styles) == {layer.name for layer in gis_layers.of(scene())}
    for qml in styles.values():
        assert ElementTree.fromstring(qml).tag == "qgis"


def test_our_own_door_reads_the_buildings_back(shown: types.Comparison, tmp_path: pathlib.Path) -> None:
    layer = next(layer for layer in gis_layers.of(shown) if layer.name == "buildings")
    gis_geopackage.write(tmp_path / "one.gpkg", [layer], shown.pair.grid, ())
    back = footprints.read(tmp_path / "one.gpkg", shown.pair.grid)
    assert len(back) == len(shown.buildings)
    for was, now in zip(shown.buildings, back, strict=True):
        assert shapely.Polygon(was.parts_rc[0][0]).symmetric_difference(
            shapely.Polygon(now.parts_rc[0][0])
        ).area < 1e-3  # fmt: skip


@pytest.mark.parametrize("name", ["regions", "tie_points", "not_analysed"])
def test_flatgeobuf_and_geojson_hold_the_same(written: pathlib.Path, name: str) -> None:
    told = pyogrio.read_info(written / f"{name}.fgb")
    _, _, shapes, _ = pyogrio.raw.read(written / f"{name}.fgb")
    said = json.loads((written / f"{name}.geojson").read_text(encoding="utf-8"))
    assert told["crs"] == "EPSG:32638" and told["features"] == len(said["features"])
    lonlat_of = [shapely.geometry.shape(feature["geometry"]).centroid for feature in said["features"]]
    there = grid.reproject_xy("EPSG:4326", "EPSG:32638", np.array([(p.x, p.y) for p in lonlat_of]))
    found = np.array([(p.x, p.y) for p in shapely.centroid(shapely.from_wkb(shapes))])
    assert np.abs(np.sort(there, 0) - np.sort(found, 0)).max() < 0.05


def test_an_empty_layer_is_a_layer(tmp_path: pathlib.Path) -> None:
    found = scenes.comparison(SHAPE, count=0)
    layers = gis_layers.of(found)
    assert not layers[0].features
    gis_geopackage.write(tmp_path / "a.gpkg", layers, found.pair.grid, ())
    gis.gis_flatgeobuf.write(tmp_path / "a.fgb", layers[0], found.pair.grid)
    assert pyogrio.read_info(tmp_path / "a.gpkg", layer="regions")["features"] == 0
    assert list(pyogrio.read_info(tmp_path / "a.fgb")["fields"]) == list(layers[0].fields)


def test_tables_are_safe_in_a_spreadsheet(written: pathlib.Path) -> None:
    for path in written.glob("*.csv"):
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        assert rows and all(
            not re.match(r"[=+@\t]|-(?![\d.])", cell) for row in rows for cell in row.values()
        )
        assert all(shapely.from_wkt(row["wkt_lonlat"]).is_valid for row in rows)


def test_footprints_lie_where_the_images_do(shown: types.Comparison) -> None:
    layer = next(layer for layer in gis_layers.of(shown) if layer.name == "image_footprints")
    before, after = (np.array(feature.parts_rc[0][0]) for feature in layer.features)
    assert np.allclose([before.min(0), before.max(0)], [(-0.5, -0.5), (319.5, 479.5)])
    shift = shown.alignment.moving_from_reference[:2, 2]
    assert np.allclose(after, before - shift)  # content of p lies at p + shift in the after file


def test_what_was_not_analysed_is_told_once(shown: types.Comparison) -> None:
    change = shown.change
    assert change is not None
    why = np.where(change.changed == types.NOT_ANALYSED, 4, 0).astype(np.uint8)
    why[0] = 1
    told = dataclasses.replace(shown, change=dataclasses.replace(change, why=why))
    layer = next(layer for layer in gis_layers.of(told) if layer.name == "not_analysed")
    assert [feature.values[0] for feature in layer.features] == ["outside_area_of_interest", "no_picture"]
    assert [feature.values[2] for feature in layer.features] == [4 * 480, 28 * 480]
    plain = next(layer for layer in gis_layers.of(shown) if layer.name == "not_analysed")
    assert [feature.values[0] for feature in plain.features] == ["not_told"]


@pytest.mark.parametrize("schema", get_args(gis_schemas.Schema))
def test_other_names_bring_no_grade(shown: types.Comparison, schema: gis_schemas.Schema) -> None:
    layers = gis_schemas.rename(gis_layers.of(shown), shown, schema)
    method, grade = {
        "copernicus": ("det_method", "damage_gra"), "unosat": ("Method", "Main_Damage_Site_Class")
    }[schema]  # fmt: skip
    for layer in layers[:2]:
        assert method in layer.fields and layer.label in layer.fields
        for feature in layer.features:
            own = dict(zip(layer.fields, feature.values, strict=True))
            assert own[method] == "automatic change detection" and own.get(grade) is None
        assert ElementTree.tostring(gis_styles.vector(layer)[0]).count(b"<category ") >= 2
    assert "damage_gra" in layers[1].fields or schema == "unosat"


def test_a_review_is_told_as_its_reviewers() -> None:
    words = (("accepted", ""), ("rejected", "a shadow"))  # the later one stands
    judged = [types.Review("r.json", "A. B.", None, (Judgement("region", "2", *said),)) for said in words]
    layers = gis_layers.of(scenes.comparison(SHAPE, reviews=tuple(judged)))
    told = [feature.values[list(layers[0].fields).index("review")] for feature in layers[0].features]
    assert told[1] == "A. B.: rejected, a shadow" and told[0] is None


# ---- the 180th meridian -------------------------------------------------------------------------


def test_shapes_over_the_meridian_are_cut_there() -> None:
    fiji = types.Grid((200, 200), Affine(10, 0, 165_300, 0, -10, 9_999_000), "EPSG:32701", 10.0)
    ring = ((0.0, 0.0), (0.0, 199.0), (199.0, 199.0), (199.0, 0.0), (0.0, 0.0))
    hole = ((50.0, 50.0), (50.0, 150.0), (150.0, 150.0), (150.0, 50.0), (50.0, 50.0))
    made = lonlat.geometry(((ring, hole),), fiji)
    assert made is not None and made["type"] == "MultiPolygon"
    parts = [shapely.Polygon(rings[0], rings[1:]) for rings in made["coordinates"].value]
    assert all(part.is_valid and part.exterior.is_ccw for part in parts)
    west, east = sorted(parts, key=lambda part: -part.bounds[0])
    assert west.bounds[2] == 180 and east.bounds[0] == -180
    metres = sum(part.area for part in parts) * 110_574 * 111_320
    assert metres == pytest.approx((199**2 - 100**2) * 100, rel=0.01)


def test_a_shape_around_the_pole_holds_it() -> None:
    pole = types.Grid((2000, 2000), Affine(10, 0, 1_990_000, 0, -10, 2_010_000), "EPSG:5041", 10.0)
    ring = ((0.0, 0.0), (0.0, 1999.0), (1999.0, 1999.0), (1999.0, 0.0), (0.0, 0.0))
    made = lonlat.geometry(((ring,),), pole)
    assert made is not None
    parts = [shapely.geometry.shape({"type": "Polygon", "coordinates": c}) for c in made["coordinates"].value]
    whole = shapely.union_all(parts)
    assert whole.bounds[0] == -180 and whole.bounds[2] == 180 and whole.bounds[3] == 90


# ---- Google Earth -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kml(written: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The KMZ unpacked."""
    folder = tmp_path_factory.mktemp("kmz")
    with zipfile.ZipFile(written / "damagediff.kmz") as archive:
        assert archive.namelist()[0] == "doc.kml"
        archive.extractall(folder)
    return folder


def test_the_kml_is_valid_by_its_schema(kml: pathlib.Path) -> None:
    assert fastkml.validator.validate(file_to_validate=kml / "doc.kml")
    spoilt = (kml / "doc.kml").read_text(encoding="utf-8").replace("<drawOrder>0", "<drawOrder>first", 1)
    (kml / "spoilt.kml").write_text(spoilt, encoding="utf-8")
    with pytest.raises(AssertionError):  # the check can fail
        fastkml.validator.validate(file_to_validate=kml / "spoilt.kml")


def test_the_kml_says_when_and_loads_only_its_own(kml: pathlib.Path) -> None:
    root = ElementTree.parse(kml / "doc.kml").getroot()
    assert [e.text for e in root.iter(f"{KML}when")] == ["2020-10-04T07:52:00Z", "2020-10-13T07:49:00Z"]
    assert {e.text for e in root.iter(f"{KML}begin")} == {"2020-10-04T07:52:00Z"}
    named = {e.text for e in root.iter(f"{KML}href")}
    assert named == {"files/legend.png", "files/before.png", "files/after.png"}
    assert all((kml / str(name)).is_file() for name in named)
    styles = {f"#{e.get('id')}" for e in root.iter(f"{KML}Style")}
    assert {e.text for e in root.iter(f"{KML}styleUrl")} <= styles


def test_no_words_become_html_in_a_balloon(kml: pathlib.Path) -> None:
    root = ElementTree.parse(kml / "doc.kml").getroot()
    told = [str(e.text) for e in root.iter(f"{KML}description")]
    assert any("&lt;script&gt;" in words for words in told)
    assert not [words for words in told if re.search(r"<(?!/?(table|tr|td)>)", words)]
    assert not [e for e in root.iter() if str(e.tag).endswith("}script")]


def test_a_picture_lies_on_the_globe_where_its_regions_do(shown: types.Comparison, kml: pathlib.Path) -> None:
    picture = shown.pictures.after.copy()
    marked = shown.regions[0]
    top, left, bottom, right = marked.bbox_rc
    picture[top:bottom, left:right] = (255, 0, 255)
    box = gis_overlay.frame(shown.pair.grid, 1.0)
    with PillowImage.open(
        io.BytesIO(gis_overlay.png(picture, shown.pictures.after_valid, 1.0, box))
    ) as image:
        seen = np.asarray(image)
    rows, cols = np.nonzero((seen[..., :3] == (255, 0, 255)).all(-1))
    sides = box.sides
    lon = sides["west"] + (cols.mean() + 0.5) / seen.shape[1] * (sides["east"] - sides["west"])
    lat = sides["north"] - (rows.mean() + 0.5) / seen.shape[0] * (sides["north"] - sides["south"])
    middle = np.array([[(top + bottom - 1) / 2, (left + right - 1) / 2]])
    assert np.abs(grid.grid_from_lonlat(shown.pair.grid, np.array([[lon, lat]])) - middle).max() < 0.5
    assert (seen[0, 0, 3], seen[160, 240, 3]) == (0, 255)  # corners that the grid does not reach are clear


# ---- QGIS, catalogue, rasters -------------------------------------------------------------------


def test_the_project_names_what_is_there(written: pathlib.Path) -> None:
    with zipfile.ZipFile(written / "damagediff.qgz") as archive:
        root = ElementTree.fromstring(archive.read("damagediff.qgs").decode().partition("\n")[2])
    sources = [str(e.text) for e in root.iter("datasource")]
    files = {source.partition("|")[0] for source in sources}
    assert all(name.startswith("./") and (written / name).is_file() for name in files)
    assert {f"./{name}.tif" for name in (*gis.PICTURES, *gis.MEASURES)} <= files
    ids = [e.get("id") for e in root.iter("layer-tree-layer")]
    assert ids == [e.text for layer in root.iter("maplayer") for e in layer.findall("id")] and len(ids) == 10
    groups = [e.get("name") for e in root.iter("layer-tree-group")]
    assert groups[1:] == ["Change", "Where and how well", "Measured", "Pictures"]
    assert root.findtext("properties/Paths/Absolute") == "false"
    assert root.findtext("projectCrs/spatialrefsys/authid") == "EPSG:32638"


def test_the_item_is_valid_and_says_where_from(shown: types.Comparison, written: pathlib.Path) -> None:
    said = json.loads((written / "item.json").read_text(encoding="utf-8"))
    JsonSchemaSTACValidator().validate_core(said, pystac.STACObjectType.ITEM, said["stac_version"])
    item = pystac.Item.from_file(written / "item.json")
    assert item.common_metadata.end_datetime is not None
    assert (said["properties"]["proj:code"], said["properties"]["proj:shape"]) == ("EPSG:32638", [320, 480])
    assert {asset.href.removeprefix("./") for asset in item.assets.values()} == {
        path.name for path in written.iterdir() if path.suffix not in (".qml", ".json")
    }
    mask = said["assets"]["change_mask"]
    assert mask["raster:bands"][0]["nodata"] == 255 and mask["raster:bands"][0]["statistics"]["maximum"] == 2
    assert said["assets"]["change_score"]["raster:bands"][0]["nodata"] == "nan"
    from_ = [link for link in said["links"] if link["rel"] == "derived_from"]
    assert [link["href"][:15] for link in from_] == ["ni:///sha-256;u", "ni:///sha-256;q"]
    assert 0 < said["properties"]["view:sun_elevation"] < 90


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.org/a.tif", True),
        ("javascript:alert(1)", False),
        ("https://example.org/<script>", False),
        ("file:///etc/passwd", False),
        ("https://[::1", False),
    ],
)
def test_only_addresses_become_links(url: str, kept: bool) -> None:
    made = scenes.comparison(SHAPE)
    record = dataclasses.replace(made.pair.before.record, url=url)
    pair = dataclasses.replace(made.pair, before=dataclasses.replace(made.pair.before, record=record))
    said = json.loads(gis_stac.text(dataclasses.replace(made, pair=pair), {}, [], "0"))
    assert (said["links"][0]["href"] == url) is kept


def test_an_item_without_dates_claims_none() -> None:
    said = json.loads(gis_stac.text(scenes.comparison(SHAPE, dated=False), {}, [], "0"))["properties"]
    assert said["datetime"] is None and said["start_datetime"] < "0002" and said["end_datetime"] > "9999"
    assert "view:sun_elevation" not in said


def test_rasters_are_cogs_with_colours_and_exact_statistics(
    shown: types.Comparison, written: pathlib.Path
) -> None:
    for name in (*gis.PICTURES, *gis.MEASURES):
        valid, wrong, _ = rio_cogeo.cog_validate(written / f"{name}.tif", strict=True, quiet=True)
        assert valid, wrong
        ElementTree.parse(written / f"{name}.qml")
    with rasterio.open(written / "change_mask.tif") as file:
        assert file.nodata == 255 and file.colormap(1)[1] == (230, 159, 0, 255)
        assert file.colormap(1)[0][:3] == (0, 0, 0) and file.descriptions == ("classes",)
        values = file.read(1)
        told = {key: float(value) for key, value in file.tags(1).items() if key.startswith("STAT")}
    values = values[values != 255]
    assert told["STATISTICS_MEAN"] == pytest.approx(values.mean(), rel=1e-5)
    assert told["STATISTICS_STDDEV"] == pytest.approx(values.std(), rel=1e-5)
    assert told["STATISTICS_VALID_PERCENT"] == pytest.approx(100 * values.size / (320 * 480), rel=1e-3)


def test_statistics_leave_out_what_is_not_valid(tmp_path: pathlib.Path) -> None:
    on = types.Grid((600, 80), scenes.UTM_38, "EPSG:32638", scenes.GSD_M)
    data = np.arange(600 * 80, dtype=np.float32).reshape(1, 600, 80)
    valid = np.zeros((600, 80), bool)
    valid[100:590, 3:70] = True
    with cog.Writer(tmp_path / "a.tif", on, 1, "float32") as out:
        out.write(types.Window(0, 0, 600, 80), data, valid)
    with rasterio.open(tmp_path / "a.tif") as file:
        told = file.tags(1)
    chosen = data[0][valid].astype(np.float64)
    assert (
        float(told["STATISTICS_MINIMUM"]) == chosen.min()
        and float(told["STATISTICS_MAXIMUM"]) == chosen.max()
    )
    assert float(told["STATISTICS_STDDEV"]) == pytest.approx(chosen.std(), rel=1e-5)


def test_a_mask_with_colours_is_compared_by_its_classes(
    shown: types.Comparison, tmp_path: pathlib.Path
) -> None:
    change = shown.change
    assert change is not None
    other = change.changed.copy()
    other[other == types.STRUCTURAL_CHANGE] = types.OTHER_CHANGE
    outcomes = []
    for name, cells in (("old", change.changed), ("same", change.changed), ("other", other)):
        (tmp_path / name).mkdir()
        told = dataclasses.replace(shown, change=dataclasses.replace(change, changed=cells))
        rasters_of(told, tmp_path / name)
        mask = tmp_path / "old" / "change_mask.tif"
        item = digests.entry(mask) | {"sha256": ""}  # as if other bytes had been written
        outcomes.append(reproduce.compare(item, mask.parent, tmp_path / name).outcome)
    assert outcomes == ["equal within the tolerance"] * 2 + ["different"]


def test_the_mask_of_a_run_can_be_given_as_a_place(shown: types.Comparison, tmp_path: pathlib.Path) -> None:
    change, on = shown.change, shown.pair.grid
    assert change is not None
    rasters_of(shown, tmp_path)
    covered = areas.read_place(tmp_path / "change_mask.tif", shown.pair.before, on, ReadSettings())
    changed = np.isin(change.changed, (types.STRUCTURAL_CHANGE, types.OTHER_CHANGE))
    assert (covered == np.kron(changed, np.ones((4, 4), bool))).all()


ASK_QGIS = """
import json, sys
from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsProject
from qgis.PyQt.QtCore import QSize
app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
read = project.read(sys.argv[1])
found = [node for node in project.layerTreeRoot().findLayers()]
drawn = [node.layer() for node in found if node.isVisible()]
settings = QgsMapSettings()
settings.setLayers(drawn)
settings.setOutputSize(QSize(480, 320))
settings.setDestinationCrs(project.crs())
settings.setExtent(drawn[-1].extent())
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(sys.argv[2])
valid = {node.name(): node.layer() is not None and node.layer().isValid() for node in found}
print(json.dumps({"read": read, "crs": project.crs().authid(), "valid": valid}))
project.removeAllMapLayers()
app.exitQgis()
"""


PYQGIS = pathlib.Path("/usr/lib/python3/dist-packages/qgis")


@pytest.mark.skipif(not PYQGIS.is_dir(), reason="QGIS with its Python is not installed")
def test_qgis_opens_and_draws_the_project_where_it_was_moved(
    written: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    moved = shutil.copytree(written, tmp_path / "moved")
    ask = ["/usr/bin/python3", "-c", ASK_QGIS, str(moved / "damagediff.qgz"), str(tmp_path / "map.png")]
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(ask, capture_output=True, text=True, env=home, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["read"] and told["crs"] == "EPSG:32638" and len(told["valid"]) == 10
    assert all(told["valid"].values())
    with PillowImage.open(tmp_path / "map.png") as image:
        seen = np.asarray(image.convert("RGB")).astype(int)
    orange = (np.abs(seen - gis_styles.ORANGE).max(-1) < 8).sum()
    assert orange > 300 and seen.std() > 20


# ---- commands -----------------------------------------------------------------------------------


def test_pictures_can_be_left_out(shown: types.Comparison, tmp_path: pathlib.Path) -> None:
    rasters_of(shown, tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    gis.write(shown, tmp_path, out, gis.Wanted(("kmz", "qgis"), pictures=False))
    assert not (out / "before.tif").exists() and (out / "change_mask.tif").exists()
    with zipfile.ZipFile(out / "damagediff.kmz") as archive:
        assert archive.namelist() == ["doc.kml", "files/legend.png"]
    with zipfile.ZipFile(out / "damagediff.qgz") as archive:
        assert b"before.tif" not in archive.read("damagediff.qgs")


def test_a_run_is_exported_and_its_log_says_so(shown: types.Comparison, tmp_path: pathlib.Path) -> None:
    run, out = tmp_path / "run", tmp_path / "maps"
    run.mkdir()
    rasters_of(shown, run)
    outputs.write_results(shown, run)
    saved.write(shown, run)
    evidence.write_manifest(run, shown, ["damagediff", "compare"], datetime(2020, 10, 20, tzinfo=UTC))
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name != custody.LOG}
    ask = ["export", str(run), "-o", str(out), "--to", "geojson,stac", "--schema", "copernicus"]
    done = CliRunner().invoke(cli.main, [*ask, "--operator", "A. B."])
    assert done.exit_code == 0, done.output
    names = {path.name for path in out.iterdir()}
    assert {"regions.geojson", "item.json", "before.tif"} <= names
    assert not names & {"damagediff.gpkg", "regions.csv"}
    item = json.loads((out / "item.json").read_text(encoding="utf-8"))
    assert item["id"] == f"damagediff-{verify.run(run).manifest['evidence_id']}"
    fields = json.loads((out / "regions.geojson").read_text(encoding="utf-8"))["features"][0]["properties"]
    assert fields["det_method"] == "automatic change detection"
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.name != custody.LOG}
    record = json.loads((run / custody.LOG).read_text(encoding="utf-8").splitlines()[-1])
    assert (record["act"], record["operator"]) == ("exported", "A. B.")
    assert {item["name"] for item in record["maps"]} == names
    assert verify.run(run).sound
    assert CliRunner().invoke(cli.main, ask).exit_code == 6  # there already
    (run / "change_mask.tif").write_bytes(b"changed")
    assert CliRunner().invoke(cli.main, [*ask[:3], str(tmp_path / "no")]).exit_code == 5
    assert not (tmp_path / "no").exists()


def test_a_folder_for_maps_is_looked_at_before_anything_is_computed(tmp_path: pathlib.Path) -> None:
    for out, why in ((tmp_path, "already exists"), (tmp_path / "run" / "maps", "lies in the run")):
        ask = ["compare", "no.tif", "no.tif", "-o", str(tmp_path / "run"), "--gis", str(out)]
        done = CliRunner().invoke(cli.main, ask)
        assert done.exit_code == 6 and why in done.stderr


def test_what_has_no_place_is_refused_in_one_line() -> None:
    for made, why in (
        (scenes.comparison(SHAPE, georeferenced=False), "not georeferenced"),
        (scenes.comparison(SHAPE, accepted=False), "not comparable"),
    ):
        with pytest.raises(errors.InputError, match=why) as caught:
            gis.check_has_place(made)
        assert "\n" not in str(caught.value)


def test_the_command_knows_every_format(tmp_path: pathlib.Path) -> None:
    assert cli_gis.FORMATS == gis.FORMATS and cli_gis.SCHEMAS == get_args(gis_schemas.Schema)
    done = CliRunner().invoke(cli.main, ["export", "run", "-o", str(tmp_path / "x"), "--to", "gpkg,shp"])
    assert done.exit_code == 2 and "shp" in done.stderr


def test_a_missing_library_is_told_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyogrio.raw", None)
    done = CliRunner().invoke(cli.main, ["export", "no-run", "-o", str(tmp_path / "x"), "--to", "fgb"])
    assert done.exit_code == 2 and "pip install 'damagediff[gis]'" in done.stderr


def test_rio_has_the_command(tmp_path: pathlib.Path) -> None:
    main = rasterio.rio.main.main_group
    main.add_command(cli.rio)
    done = CliRunner().invoke(
        main, ["damagediff", str(tmp_path / "no.tif"), "no.tif", "-o", str(tmp_path / "run")]
    )
    assert done.exit_code == 3 and "no such file" in done.stderr
    config = (pathlib.Path(__file__).parents[1] / "setup.cfg").read_text(encoding="utf-8")
    assert "rasterio.rio_plugins =\n    damagediff = damagediff.cli:rio\n" in config
