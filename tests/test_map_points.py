"""A georeference made by hand: where pixels land, how it is judged, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from damagediff import errors, grid, map_points, settings, types
from damagediff import raster as raster_room

SHAPE = (300, 400)
TRUE = Affine.translation(680_000, 4_505_000) @ Affine.rotation(-17) @ Affine.scale(0.6, -0.5)
CORNERS = np.array([[10.0, 12], [388, 20], [30, 280], [370, 290], [200, 150]])


def image(**changes: Any) -> types.Image:
    plain = types.Image(
        path=Path("shot.png"),
        name="shot.png",
        driver="PNG",
        sha256="0" * 64,
        size_bytes=1,
        shape=SHAPE,
        dtype="uint8",
        roles=("grey",),
        nodata=None,
        transform=Affine.identity(),
        crs=None,
        orientation=1,
        acquisition=types.Acquisition(None, "day", "not known"),
    )
    return dataclasses.replace(plain, **changes)


def lonlat(
    xy: np.ndarray[Any, Any], transform: Affine = TRUE, crs: str = "EPSG:32638"
) -> np.ndarray[Any, Any]:
    return grid.reproject_xy(crs, "EPSG:4326", grid.world_from_pixel(transform, xy[:, ::-1]))


def table(
    path: Path, xy: np.ndarray[Any, Any], places: np.ndarray[Any, Any], header: str = "x,y,lon,lat"
) -> Path:
    rows = [",".join(f"{value:.9f}" for value in (*p, *q)) for p, q in zip(xy, places, strict=True)]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_every_pixel_lands_where_it_is(tmp_path: Path) -> None:
    found = map_points.place(image(), table(tmp_path / "p.csv", CORNERS, lonlat(CORNERS)))
    assert found.crs == "EPSG:32638"
    np.testing.assert_allclose(found.transform[:6], TRUE[:6], atol=1e-3)
    by_hand = found.placed_by_hand
    assert by_hand is not None and by_hand.rms_m < 1e-3 and by_hand.left_out_rms_m < 2e-3
    assert by_hand.turn_deg == pytest.approx(17, abs=0.01)
    assert by_hand.stretch == pytest.approx(1.2, abs=0.001)
    assert "the analyst's" in found.notes[-1] and "5 points" in found.notes[-1]


@pytest.mark.parametrize(
    "header", ["before_col,before_row,lon,lat", " X , Y ,Longitude,LATITUDE", "col,row,lon,lat"]
)
def test_columns_may_be_called_otherwise(tmp_path: Path, header: str) -> None:
    found = map_points.place(image(), table(tmp_path / "p.csv", CORNERS, lonlat(CORNERS), header))
    np.testing.assert_allclose(found.transform[:6], TRUE[:6], atol=1e-3)


def test_three_points_are_met_and_their_error_is_not_known(tmp_path: Path) -> None:
    found = map_points.place(image(), table(tmp_path / "p.csv", CORNERS[:3], lonlat(CORNERS[:3])))
    by_hand = found.placed_by_hand
    assert by_hand is not None
    assert by_hand.left_out_rms_m is None and by_hand.relative_uncertainty is None
    assert "its error is not known" in found.notes[-1]


def test_residuals_tell_what_was_misread(tmp_path: Path) -> None:
    """Noise of 2 px (1.1 m) in each point: left out, each is missed by about as much."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(10, 290, (40, 2))
    path = table(tmp_path / "p.csv", xy + rng.normal(0, 2, xy.shape), lonlat(xy))
    by_hand = map_points.place(image(), path).placed_by_hand
    assert by_hand is not None
    assert 1.2 < by_hand.rms_m < 2.0 < 2 * by_hand.left_out_rms_m
    assert by_hand.rms_m < by_hand.left_out_rms_m
    assert 0 < by_hand.relative_uncertainty < 0.02


@given(st.floats(-179.99, 180), st.floats(-79, 83), st.floats(-180, 180), st.floats(0.05, 30))
def test_anywhere_on_earth_a_picture_lands_within_a_pixel(
    lon: float, lat: float, turn: float, gsd: float
) -> None:
    """Also across the date line, where longitudes jump."""
    import tempfile

    crs = grid.utm_zone(lon, lat)
    east, north = grid.reproject_xy("EPSG:4326", crs, np.array([[lon, lat]]))[0]
    true = Affine.translation(east, north) @ Affine.rotation(turn) @ Affine.scale(gsd, -gsd)
    with tempfile.TemporaryDirectory() as folder:
        path = table(Path(folder) / "p.csv", CORNERS, lonlat(CORNERS, true, crs))
        found = map_points.place(image(), path)
    back = grid.reproject_xy(found.crs, "EPSG:4326", grid.world_from_pixel(found.transform, CORNERS[:, ::-1]))
    there = grid.reproject_xy("EPSG:4326", crs, back)
    expected = grid.world_from_pixel(true, CORNERS[:, ::-1])
    assert np.hypot(*(there - expected).T).max() < 0.1 * gsd


def refused(path: Path) -> str:
    with pytest.raises(errors.InputError) as caught:
        map_points.place(image(), path)
    return str(caught.value)


def test_points_on_one_line_are_refused(tmp_path: Path) -> None:
    xy = np.array([[10.0, 10], [100, 100.5], [200, 200], [290, 290]])
    assert "one line" in refused(table(tmp_path / "p.csv", xy, lonlat(xy)))


def test_places_on_one_spot_are_refused(tmp_path: Path) -> None:
    places = np.tile(lonlat(CORNERS)[:1], (5, 1))
    assert "one spot" in refused(table(tmp_path / "p.csv", CORNERS, places))


def test_lon_and_lat_exchanged_are_refused(tmp_path: Path) -> None:
    assert "mirror image" in refused(table(tmp_path / "p.csv", CORNERS, lonlat(CORNERS)[:, ::-1]))


def test_a_wrong_digit_is_refused_and_its_point_named(tmp_path: Path) -> None:
    places = lonlat(CORNERS)
    places[3, 0] += 0.001
    assert "column 370, row 290" in refused(table(tmp_path / "p.csv", CORNERS, places))


def test_places_of_another_continent_are_refused(tmp_path: Path) -> None:
    places = lonlat(CORNERS)
    places[3, 0] += 70
    assert "apart" in refused(table(tmp_path / "p.csv", CORNERS, places))


@pytest.mark.parametrize("axis", [0, 1], ids=["lon", "lat"])
@pytest.mark.parametrize("digit", [0.01, -0.1, 1.0])
@pytest.mark.parametrize("many", [4, 6])
def test_one_mistyped_point_is_named_and_nothing_else_is_blamed(
    tmp_path: Path, digit: float, axis: int, many: int
) -> None:
    xy = np.array([[20.0, 20], [380, 30], [30, 280], [370, 290], [200, 40], [210, 250]])[:many]
    for wrong in range(many):
        places = lonlat(xy)
        places[wrong, axis] += digit
        said = refused(table(tmp_path / "p.csv", xy, places))
        assert f"column {xy[wrong, 0]:g}, row {xy[wrong, 1]:g}" in said and "exchanged" not in said


def test_of_points_on_another_continent_the_far_one_is_named(tmp_path: Path) -> None:
    places = lonlat(CORNERS)
    places[3, 0] += 70
    assert f"lon {places[3, 0]:g}" in refused(table(tmp_path / "p.csv", CORNERS, places))


def test_a_point_outside_the_picture_is_refused(tmp_path: Path) -> None:
    assert "outside shot.png" in refused(table(tmp_path / "p.csv", CORNERS * 1.2, lonlat(CORNERS)))


def test_a_slanted_view_is_refused(tmp_path: Path) -> None:
    flat = Affine.translation(680_000, 4_505_000) @ Affine.scale(0.5, -1.5)
    assert "as long as wide" in refused(table(tmp_path / "p.csv", CORNERS, lonlat(CORNERS, flat)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "needs the columns"),
        (b"x,y,lon\n1,2,3\n", "needs the columns"),
        (b"x,y,lon,lat\n1,2,3,4\n", "1 points"),
        (b"x,y,lon,lat\n1,2,3,4\n5,6,7\n8,9,1,2\n", "line 3"),
        (b"x,y,lon,lat\n1,2,3,nan\n5,6,7,1\n8,9,1,2\n", "line 2"),
        (b"x,y,lon,lat\n1,2,3,inf\n5,6,7,1\n8,9,1,2\n", "line 2"),
        (b"x,y,lon,lat\n1,2,3,91\n5,6,7,1\n8,9,1,2\n", "not on Earth"),
        (b"x,y,lon,lat\n1,2,1e999,4\n5,6,7,1\n8,9,1,2\n", "line 2"),
        (b"\xff\xfe\x00x", "not a readable CSV"),
        (b'x,y,lon,lat\n"' + b"a" * 200_000, "not a readable CSV"),
        (b"x,y,lon,lat\n" + b"1,2,3,4\n" * 1001, "1001 points"),
        (b"x" * 1_000_001, "at most"),
    ],
)
def test_a_broken_table_is_one_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "p\x1b[31m.csv"
    path.write_bytes(content)
    line = refused(path)
    assert says in line and "\n" not in line and "\x1b" not in line


@given(st.binary(max_size=300))
def test_no_bytes_are_a_crash(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.csv"
        path.write_bytes(b"x,y,lon,lat\n" + content)
        with pytest.raises(errors.InputError):
            map_points.place(image(), path)


def test_a_missing_table_and_a_pipe_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "directory" in refused(tmp_path)


def test_a_georeferenced_image_needs_none(tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="georeferenced itself"):
        map_points.place(image(crs="EPSG:32638", transform=TRUE), tmp_path / "none.csv")


def test_the_door_places_a_picture_as_shown(tmp_path: Path, make_raster: Any) -> None:
    pixels = np.random.default_rng(1).integers(1, 255, (1, *SHAPE)).astype(np.uint8)
    path = make_raster("shot.png", pixels)
    points = table(tmp_path / "p.csv", CORNERS, lonlat(CORNERS))
    found = raster_room.inspect(types.Source(path, map_points=points), settings.ReadSettings())
    assert found.georeferenced and found.placed_by_hand is not None


def test_one_wrong_point_among_many_is_refused_though_the_rms_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    xy = rng.uniform(10, 290, (40, 2))
    places = lonlat(xy)
    places[7, 1] += 0.0003
    assert f"column {xy[7, 0]:g}" in refused(table(tmp_path / "p.csv", xy, places))
