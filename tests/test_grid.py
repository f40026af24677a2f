"""Grid arithmetic: half a pixel, round trips, and the grid on which two images meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from damagediff import grid
from damagediff.errors import InputError
from damagediff.types import Acquisition, Grid, Image

UTM38 = "EPSG:32638"
GANJA_LONLAT = (46.36, 40.68)
GANJA_XY = grid.reproject_xy("EPSG:4326", UTM38, np.array([GANJA_LONLAT]))[0]


def image(
    transform: Affine, crs: str | None = UTM38, shape: tuple[int, int] = (300, 400), name: str = "i"
) -> Image:
    return Image(
        path=Path(f"{name}.tif"),
        name=f"{name}.tif",
        driver="GTiff",
        sha256="0" * 64,
        size_bytes=1,
        shape=shape,
        dtype="uint8",
        roles=("grey",),
        nodata=None,
        transform=transform,
        crs=crs,
        orientation=1,
        acquisition=Acquisition(None, "day", "not known"),
    )


def north_up(gsd: float = 0.5, east: float = 0, north: float = 0) -> Affine:
    """Transform with its corner `east`, `north` metres from a round place near Ganja."""
    x, y = np.round(GANJA_XY)
    return Affine(gsd, 0, x + east, 0, -gsd, y + north)


def in_crs(crs: str, pixel: float, shape: tuple[int, int] = (300, 400)) -> Image:
    """A north-up image centred on Ganja with pixels of `pixel` units of `crs`."""
    x, y = grid.reproject_xy("EPSG:4326", crs, np.array([GANJA_LONLAT]))[0]
    corner = Affine.translation(x - pixel * shape[1] / 2, y + pixel * shape[0] / 2)
    return image(corner @ Affine.scale(pixel, -pixel), crs, shape)


sizes = st.floats(0.05, 60).filter(lambda v: v != 0)
angles = st.floats(-180, 180)
places = st.floats(-4e6, 4e6)
pixels = st.floats(-3e4, 3e4)


@settings(deadline=None, derandomize=True)
@given(sizes, sizes, st.booleans(), angles, places, places, pixels, pixels)
def test_pixel_and_world_are_inverse(
    width: float, height: float, south_up: bool, angle: float, x: float, y: float, row: float, col: float
) -> None:
    scale = Affine.scale(width, height if south_up else -height)
    transform = Affine.translation(x, y) @ Affine.rotation(angle) @ scale
    rc = np.array([[row, col], [0, 0]])
    back = grid.pixel_from_world(transform, grid.world_from_pixel(transform, rc))
    # World coordinates of 1e7 m carry 2e-9 m: a pixel of .05 m is known to 1e-6.
    np.testing.assert_allclose(back, rc, atol=1e-5)


def test_the_centre_of_the_first_pixel_is_half_a_pixel_from_the_corner() -> None:
    transform = Affine(2, 0, 100, 0, -2, 500)
    assert grid.world_from_pixel(transform, np.array([0, 0])).tolist() == [101, 499]
    assert grid.world_from_pixel(transform, np.array([-0.5, -0.5])).tolist() == [100, 500]
    assert grid.pixel_from_world(transform, np.array([100, 500])).tolist() == [-0.5, -0.5]


def test_rows_go_down_and_columns_go_right_in_a_turned_image() -> None:
    transform = Affine.translation(100, 500) @ Affine.rotation(-90) @ Affine.scale(2, -2)
    east_of, south_of = grid.world_from_pixel(transform, np.array([[0, 1], [1, 0]])) - grid.world_from_pixel(
        transform, np.array([[0, 0], [0, 0]])
    )
    np.testing.assert_allclose(east_of, [0, -2], atol=1e-12)
    np.testing.assert_allclose(south_of, [-2, 0], atol=1e-12)


@pytest.mark.parametrize("shape", [(7, 2), (3, 5, 2), (2,)])
def test_any_stack_of_points_keeps_its_shape(shape: tuple[int, ...]) -> None:
    rc = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    xy = grid.world_from_pixel(north_up(), rc)
    assert xy.shape == grid.reproject_xy(UTM38, "EPSG:4326", xy).shape == shape
    np.testing.assert_allclose(grid.pixel_from_world(north_up(), xy), rc, atol=1e-6)


def test_lonlat_and_grid_are_inverse() -> None:
    working = grid.common_grid(image(north_up()), image(north_up()))
    rc = np.array([[0.0, 0.0], [299, 399], [-5.5, 1000.25]])
    lonlat = grid.lonlat_from_grid(working, rc)
    np.testing.assert_allclose(lonlat[0], GANJA_LONLAT, atol=1e-4)
    np.testing.assert_allclose(grid.grid_from_lonlat(working, lonlat), rc, atol=1e-4)


# --- the common grid -------------------------------------------------------------------------------------


def test_a_pair_on_one_lattice_keeps_the_before_grid_exactly() -> None:
    before = image(north_up())
    working = grid.common_grid(before, before)
    assert working == Grid(before.shape, before.transform, UTM38, 0.5)


@settings(deadline=None, derandomize=True)
@given(st.integers(-250, 250), st.integers(-350, 350), st.floats(0, 0.99), st.floats(0.5, 1.0049))
def test_the_before_lattice_is_kept_and_the_grid_is_the_overlap(
    down: int, right: int, part: float, ratio: float
) -> None:
    before = image(north_up())
    after = image(north_up(0.5 * ratio, (right + part) * 0.5, -(down + part) * 0.5), shape=(900, 1200))
    working = grid.common_grid(before, after)
    corner_xy = np.array([working.transform.c, working.transform.f])
    offset = grid.pixel_from_world(before.transform, corner_xy) + 0.5
    np.testing.assert_allclose(offset, np.round(offset), atol=1e-6)
    assert (working.transform.a, working.transform.e, working.gsd_m) == (0.5, -0.5, 0.5)
    for side in (before, after):
        last = np.array(working.shape) - 1
        corners = grid.world_from_pixel(working.transform, np.array([[-0.5, -0.5], last + 0.5]))
        inside = grid.pixel_from_world(side.transform, corners)
        assert (inside >= -0.5 - 1e-4).all() and (inside <= np.array(side.shape) - 0.5 + 1e-4).all()


def test_the_grid_loses_less_than_a_pixel_of_the_overlap() -> None:
    before, after = image(north_up()), image(north_up(0.5, 60.1, -20.3))
    assert grid.common_grid(before, after).shape == (300 - 41, 400 - 121)


@pytest.mark.parametrize(("before_gsd", "after_gsd"), [(0.5, 2.0), (2.0, 0.5), (0.3, 0.31)])
def test_the_coarser_pixel_wins(before_gsd: float, after_gsd: float) -> None:
    working = grid.common_grid(image(north_up(before_gsd)), image(north_up(after_gsd)))
    assert working.gsd_m == working.transform.a == pytest.approx(max(before_gsd, after_gsd), rel=1e-9)


def test_one_nominal_pixel_in_two_projections_does_not_resample_the_before_image() -> None:
    before, after = in_crs(UTM38, 0.5), in_crs("EPSG:32639", 0.5)
    working = grid.common_grid(before, after)
    assert 0 < abs(grid.ground_sample_distance(after, UTM38) - 0.5) < 0.005
    assert (working.transform.a, working.gsd_m, working.crs) == (0.5, 0.5, UTM38)
    corner_xy = np.array([working.transform.c, working.transform.f])
    offset = grid.pixel_from_world(before.transform, corner_xy) + 0.5
    np.testing.assert_allclose(offset, np.round(offset), atol=1e-6)


@pytest.mark.parametrize(("crs", "pixel"), [("EPSG:3857", 0.6), ("EPSG:4326", 5e-6), ("EPSG:32632", 0.5)])
def test_where_a_metre_is_no_metre_the_grid_is_the_utm_zone(crs: str, pixel: float) -> None:
    before = in_crs(crs, pixel)
    working = grid.common_grid(before, before)
    assert working.crs == UTM38
    assert working.transform.a == -working.transform.e == working.gsd_m
    assert working.transform.b == working.transform.d == 0
    corners = grid.lonlat_from_grid(working, np.array([[0, 0], [0, 200], [200, 0], [200, 200]]))
    geod = pyproj.Geod(ellps="WGS84")
    for end in (1, 2):
        length = geod.inv(*corners[0], *corners[end])[2]
        assert length == pytest.approx(200 * (working.gsd_m or 0), rel=2e-3)


def test_web_mercator_metres_are_not_taken_for_ground_metres() -> None:
    before = in_crs("EPSG:3857", 0.6)
    gsd = grid.common_grid(before, before).gsd_m
    assert gsd == pytest.approx(0.6 * np.cos(np.deg2rad(GANJA_LONLAT[1])), rel=5e-3)


def test_an_after_image_in_another_crs_lands_where_it_belongs() -> None:
    before, after = in_crs(UTM38, 0.5), in_crs("EPSG:4326", 5e-6)
    working = grid.common_grid(before, after)
    placed = grid.placement(working, after, by_georeference=True)
    rc = np.array([[10.0, 20.0], [200.25, 111.75]])
    in_file = placed.file_from_frame(rc)
    lonlat = grid.world_from_pixel(after.transform, in_file)
    np.testing.assert_allclose(lonlat, grid.lonlat_from_grid(working, rc), atol=1e-12)
    np.testing.assert_allclose(placed.frame_from_file(in_file), rc, atol=1e-5)


def test_a_south_up_image_is_turned_over_without_a_shift() -> None:
    before = image(north_up())
    t = before.transform
    flipped = image(Affine(t.a, 0, t.c, 0, -t.e, t.f + t.e * before.shape[0]))
    working = grid.common_grid(flipped, before)
    assert working.transform.almost_equals(t) and working.shape == before.shape
    rows = grid.placement(working, flipped, True).file_from_frame(np.array([[0.0, 7.0], [299.0, 7.0]]))
    np.testing.assert_allclose(rows, [[299, 7], [0, 7]], atol=1e-6)


@pytest.mark.parametrize("angle", [12.0, -33.0, 90.0, 170.0])
def test_a_turned_image_gives_a_north_up_grid_around_it(angle: float) -> None:
    turned = image(north_up() @ Affine.rotation(angle))
    working = grid.common_grid(turned, turned)
    assert working.transform.b == working.transform.d == 0 and working.transform.e == -working.transform.a
    assert working.gsd_m == pytest.approx(0.5, rel=1e-6)
    edge = grid.pixel_from_world(working.transform, grid.outline_xy(turned, UTM38))
    assert (edge >= -0.5 - 1e-4).all()
    assert (np.abs(edge.max(0) + 0.5 - working.shape) <= 1).all()


def test_pixels_that_are_not_square_become_square_with_their_area() -> None:
    t = north_up()
    oblong = image(Affine(0.4, 0, t.c, 0, -0.9, t.f))
    working = grid.common_grid(oblong, oblong)
    assert working.transform.a == -working.transform.e == pytest.approx(0.6, rel=1e-9)


def test_no_overlap_is_refused_with_the_distance() -> None:
    before, after = image(north_up(), name="before"), image(north_up(0.5, 1200), name="after")
    with pytest.raises(InputError, match=r"before\.tif and after\.tif do not overlap: 1,000 m") as caught:
        grid.common_grid(before, after)
    assert caught.value.exit_code == 3


def test_images_that_only_touch_do_not_overlap() -> None:
    with pytest.raises(InputError, match="do not overlap"):
        grid.common_grid(image(north_up()), image(north_up(0.5, 200)))


def test_an_overlap_of_less_than_a_pixel_is_refused() -> None:
    with pytest.raises(InputError, match="smaller than one pixel"):
        grid.common_grid(image(north_up()), image(north_up(0.5, 199.8)))


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (image(north_up(), "EPSG:4326"), "not on Earth"),
        (image(Affine(0, 0, GANJA_XY[0], 0, 0, GANJA_XY[1])), "no size"),
        (image(north_up(), 'LOCAL_CS["drawing",UNIT["metre",1]]'), "CRS"),
    ],
    ids=["metres as degrees", "flat transform", "local drawing"],
)
def test_a_broken_georeference_is_named(broken: Image, said: str) -> None:
    with pytest.raises(InputError, match=said):
        grid.common_grid(broken, broken)


# --- without georeference -------------------------------------------------------------------------------


def test_without_georeference_the_grid_is_the_before_pixels() -> None:
    before, after = image(Affine.identity(), None), image(north_up(), UTM38, (900, 900))
    assert grid.common_grid(before, after) == Grid((300, 400))
    assert grid.common_grid(before, after, gsd_m=0.6).pixel_area_m2 == pytest.approx(0.36)
    placed = grid.placement(Grid((300, 400)), after, by_georeference=False)
    rc = np.array([[3.5, 4.25]])
    assert np.array_equal(placed.file_from_frame(rc), rc) and np.array_equal(placed.frame_from_file(rc), rc)


def test_a_screenshot_after_leaves_the_whole_before_grid() -> None:
    before = image(north_up())
    after = replace(before, crs=None, transform=Affine.identity())
    assert grid.common_grid(before, after) == Grid(before.shape, before.transform, UTM38, 0.5)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (46.36, 40.68, "EPSG:32638"),
        (-180, 10, "EPSG:32601"),
        (179.99, -10, "EPSG:32760"),
        (180, 10, "EPSG:32601"),
        (0, 0, "EPSG:32631"),
        (10, 85, "EPSG:5041"),
        (10, -81, "EPSG:5042"),
    ],
)
def test_utm_zones(lon: float, lat: float, code: str) -> None:
    assert grid.utm_zone(lon, lat) == code


@settings(deadline=None, derandomize=True)
@given(st.floats(-180, 180), st.floats(-79, 83))
def test_the_utm_zone_is_the_near_one(lon: float, lat: float) -> None:
    code = int(grid.utm_zone(lon, lat).split(":")[1])
    central = (code % 100) * 6 - 183
    assert abs((lon - central + 180) % 360 - 180) <= 3 + 1e-9
    assert (code > 32700) == (lat < 0)
