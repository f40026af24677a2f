"""Building footprints: read, placed, refused."""

import json

import numpy as np
import pytest
from affine import Affine

from damagediff import footprints, grid
from damagediff.errors import InputError
from damagediff.types import Grid

UTM = Grid((400, 500), Affine(0.5, 0, 614000.0, 0, -0.5, 4504000.0), "EPSG:32638", 0.5)
PLAIN = Grid((400, 500))
SQUARE_RC = np.array([[10, 20], [10, 60], [50, 60], [50, 20], [10, 20]], float)


def write(path, features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def polygon(ring, **properties):
    geometry = {"type": "Polygon", "coordinates": [[list(map(float, point)) for point in ring]]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def test_longitude_and_latitude_land_on_the_grid(tmp_path):
    lonlat = grid.lonlat_from_grid(UTM, SQUARE_RC)
    (found,) = footprints.read(write(tmp_path / "f.geojson", [polygon(lonlat, id="a", roof="red")]), UTM)
    assert found.id == "a" and found.properties["roof"] == "red"
    assert np.array(found.parts_rc[0][0]) == pytest.approx(SQUARE_RC, abs=1e-3)


def test_pixels_without_georeference(tmp_path):
    (found,) = footprints.read(write(tmp_path / "f.geojson", [polygon(SQUARE_RC[:, ::-1])]), PLAIN)
    assert found.id == "1" and np.array(found.parts_rc[0][0]) == pytest.approx(SQUARE_RC)


def test_buildings_elsewhere_are_left_out(tmp_path):
    near, far = polygon(SQUARE_RC[:, ::-1], id=1), polygon(SQUARE_RC[:, ::-1] + 900, id=2)
    assert [f.id for f in footprints.read(write(tmp_path / "f.geojson", [near, far]), PLAIN)] == ["1"]


def test_the_parts_of_a_multipolygon_stay_apart(tmp_path):
    rings = [[list(p) for p in (SQUARE_RC[:, ::-1] + shift).tolist()] for shift in (0, 100)]
    geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    feature = {"type": "Feature", "properties": None, "geometry": geometry}
    (found,) = footprints.read(write(tmp_path / "f.geojson", [feature]), PLAIN)
    assert len(found.parts_rc) == 2 and all(len(part) == 1 for part in found.parts_rc)


def test_degrees_on_pictures_without_georeference_are_refused(tmp_path):
    degrees = polygon([[46.36, 40.68], [46.3601, 40.68], [46.3601, 40.6801], [46.36, 40.68]])
    with pytest.raises(InputError, match="longitude"):
        footprints.read(write(tmp_path / "f.geojson", [degrees]), PLAIN)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = write(tmp_path / "f.geojson", [polygon(SQUARE_RC[:, ::-1])])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(footprints.read(path, PLAIN)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"features": [{"geometry": "x"}]}', "feature 1"),
        ('{"features": [{"geometry": {"type": "Polygon", "coordinates": 5}}]}', "feature 1"),
        ('{"features": [{"geometry": {"type": "MultiPolygon", "coordinates": [5]}}]}', "feature 1"),
        (
            '{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[%s, 0]]]}}]}' % (10**400),
            "feature 1",
        ),
        ('{"features": [%s]}' % ("9" * 5000), "GeoJSON"),
        (
            '{"features": [{"properties": {"a": %s}, "geometry": {"type": "Polygon", "coordinates": '
            "[[[0, 0], [9, 0], [9, 9], [0, 0]]]}}]}" % ("[" * 200 + "]" * 200),
            "nested",
        ),
        ("not json", "GeoJSON"),
        ("[1, 2]", "FeatureCollection"),
        ('{"features": []}', "none of its 0 features"),
        ('{"features": [{"geometry": {"type": "Polygon", "coordinates": [[["a"]]]}}]}', "feature 1"),
        ('{"features": [{"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}]}', "feature 1"),
    ],
)
def test_what_is_no_footprint_file_is_named(tmp_path, text, says):
    path = tmp_path / "bad.geojson"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        footprints.read(path, PLAIN)


def test_what_lies_beyond_the_map_projection_is_left_out(tmp_path):
    near = polygon(grid.lonlat_from_grid(UTM, SQUARE_RC), id="near")
    far = polygon([[-130, 80], [-129, 80], [-129, 81], [-130, 80]], id="far")
    hole = polygon(grid.lonlat_from_grid(UTM, SQUARE_RC), id="hole")
    hole["geometry"]["coordinates"].append([[1e300, 0], [1e300, 1], [0, 1], [1e300, 0]])
    found = footprints.read(write(tmp_path / "f.geojson", [near, far, hole]), UTM)
    assert [f.id for f in found] == ["near"]


def test_text_that_is_no_text_stays_printable(tmp_path):
    (found,) = footprints.read(
        write(tmp_path / "f.geojson", [polygon(SQUARE_RC[:, ::-1], id="\ud800x")]), PLAIN
    )
    assert found.id == "?x"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="missing.geojson"):
        footprints.read(tmp_path / "missing.geojson", PLAIN)


def test_what_is_no_regular_file_is_not_read(tmp_path):
    with pytest.raises(InputError, match="not a regular file"):
        footprints.read(tmp_path, PLAIN)


def test_features_that_are_no_polygons_are_counted(tmp_path):
    here, far = ([[x, 1], [x + 4, 1], [x + 4, 9], [x, 1]] for x in (2, 900))
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [3, 3]}}
    nothing = {"type": "Feature", "properties": {}, "geometry": None}
    features = [polygon(here), point, polygon(far), nothing, polygon(here)]
    found, count = footprints.read_counted(write(tmp_path / "f.json", features), Grid((20, 20)))
    assert len(found) == count.used == 2 and count.not_polygons == 2 and count.off_images == 1
    assert count.without_id == 2 and count.ids_repeated == 0
    for feature, name in zip((features[0], features[4]), ("a", "a"), strict=True):
        feature["properties"] = {"id": name}
    _, count = footprints.read_counted(write(tmp_path / "g.json", features), Grid((20, 20)))
    assert count.without_id == 0 and count.ids_repeated == 2


@pytest.mark.parametrize("points", [300, 20_000])
def test_an_outline_that_crosses_itself_without_end_is_refused(tmp_path, points):
    ring = np.random.default_rng(0).uniform(0, 90, (points, 2)).tolist()
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    path = tmp_path / "knot.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(InputError, match="crosses itself"):
        footprints.read(path, Grid((100, 100)))
