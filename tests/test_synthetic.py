"""Invented scenes, planted change and the shipped samples: what they claim of themselves holds."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
from PIL import Image
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from damagediff import synthetic
from damagediff.relief_cells import BURN, COLLAPSED, CRATER, HARMLESS

SAMPLES = Path(__file__).parents[1] / "sample_images"
GSD_M, CELLS, SHAPE = 0.5, 2, (360, 360)
EVENT = synthetic.Event(collapsed=5, partly=2, repainted=2, craters=1, debris=1, burns=1, margin_m=10)
CELL_FROM_PIXEL = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1.0]])
ArrayLike = Any


@pytest.fixture(scope="module")
def towns() -> tuple[synthetic.Town, synthetic.Town]:
    before = synthetic.town(np.random.default_rng(4), SHAPE, GSD_M)
    return before, synthetic.happen(before, EVENT, np.random.default_rng(5))


@pytest.fixture(scope="module")
def surfaces(towns: tuple[synthetic.Town, synthetic.Town]) -> list[synthetic.Surface]:
    return [synthetic.surface(t, GSD_M / CELLS) for t in towns]


def picture(
    surface: synthetic.Surface, view: synthetic.View, matrix: ArrayLike = CELL_FROM_PIXEL
) -> ArrayLike:
    return synthetic.expose(synthetic.render(surface, view), matrix, SHAPE, view, np.random.default_rng(6))


def measured_shift(reference: ArrayLike, moving: ArrayLike) -> ArrayLike:
    """Where the content of `reference` lies in `moving`, relative to its own place."""
    window = np.outer(np.hanning(reference.shape[0]), np.hanning(reference.shape[1]))
    pair = [(a - a.mean()) * window for a in (reference.astype(float), moving.astype(float))]
    return -phase_cross_correlation(*pair, upsample_factor=100, normalization=None)[0]


def inside(surface: synthetic.Surface, outline_rc_m: ArrayLike) -> ArrayLike:
    """Cells whose centres lie in an outline."""
    from matplotlib.path import Path as Outline

    rows, cols = (np.indices(surface.height_m.shape) + 0.5) * surface.cell_m
    return (
        Outline(outline_rc_m).contains_points(np.stack([rows.ravel(), cols.ravel()], -1)).reshape(rows.shape)
    )


# ---------------------------------------------------------------------------------------------- scenes


def test_the_same_seed_gives_the_same_town_and_picture(surfaces: list[synthetic.Surface]) -> None:
    again = synthetic.surface(synthetic.town(np.random.default_rng(4), SHAPE, GSD_M), GSD_M / CELLS)
    assert np.array_equal(again.height_m, surfaces[0].height_m)
    assert np.array_equal(again.albedo, surfaces[0].albedo)
    view = synthetic.View()
    assert np.array_equal(picture(again, view), picture(surfaces[0], view))
    other = synthetic.town(np.random.default_rng(5), SHAPE, GSD_M)
    assert len(other.buildings) != len(synthetic.town(np.random.default_rng(4), SHAPE, GSD_M).buildings)


def test_a_picture_has_the_tones_of_an_image(surfaces: list[synthetic.Surface]) -> None:
    image = picture(surfaces[0], synthetic.View())
    assert image.shape == (3, *SHAPE) and image.dtype == np.uint8
    assert 70 < image.mean() < 150 and 20 < image.std() < 70
    assert (image == 255).mean() < 0.01 and (image == 0).mean() < 0.02
    fine = image.astype(float) - ndimage.gaussian_filter(image.astype(float), (0, 2, 2))
    quietest = np.quantile(ndimage.uniform_filter(fine.mean(0) ** 2, 16), 0.01) ** 0.5
    assert quietest > 1, "there is fine texture everywhere"


def test_nothing_but_the_event_changes(surfaces: list[synthetic.Surface]) -> None:
    before, after = surfaces
    changed = np.abs(before.height_m - after.height_m) > 0.5
    said = (after.truth > 0) | (before.truth == HARMLESS)
    trees = ndimage.binary_dilation(said, iterations=round(6 / before.cell_m))
    assert (changed & trees).sum() > 0.97 * changed.sum()


def test_collapsed_buildings_are_in_the_truth_and_have_lost_their_height(
    towns: tuple[synthetic.Town, synthetic.Town], surfaces: list[synthetic.Surface]
) -> None:
    before, after = surfaces
    gone = [b for b in towns[1].buildings if b.state == "collapsed"]
    assert len(gone) == EVENT.collapsed
    for building in gone:
        where = inside(after, building.outline_rc_m)
        assert (after.truth[where] == COLLAPSED).mean() > 0.85
        assert np.median(after.height_m[where]) < 0.6 * np.median(before.height_m[where])
    intact = [inside(after, b.outline_rc_m) for b in towns[1].buildings if b.state == "intact"][:20]
    assert max((after.truth[w] == COLLAPSED).mean() for w in intact if w.any()) < 0.35


def test_each_kind_of_change_happens(
    towns: tuple[synthetic.Town, synthetic.Town], surfaces: list[synthetic.Surface]
) -> None:
    states = [b.state for b in towns[1].buildings]
    assert (states.count("partly"), states.count("repainted")) == (EVENT.partly, EVENT.repainted)
    assert {s.kind for s in towns[1].scars} == {"crater", "burn", "debris"}
    assert {COLLAPSED, CRATER, BURN, HARMLESS} <= set(np.unique(surfaces[1].truth).tolist())
    crater = next(s for s in towns[1].scars if s.kind == "crater")
    row, col = (int(m / surfaces[1].cell_m) for m in crater.centre_rc_m)
    assert surfaces[1].height_m[row, col] < -0.5
    assert towns[0].cars != towns[1].cars


def test_the_picture_changes_where_the_truth_says(surfaces: list[synthetic.Surface]) -> None:
    view = synthetic.View(off_nadir_deg=5)
    before, after = (picture(s, view).astype(float).mean(0) for s in surfaces)
    difference = ndimage.uniform_filter(np.abs(after - before), 5)
    truth = surfaces[1].truth[::CELLS, ::CELLS]
    assert np.median(difference[truth == COLLAPSED]) > 4 * np.median(difference[truth == 0])


def test_shadows_point_away_from_the_sun_and_tops_lean(surfaces: list[synthetic.Surface]) -> None:
    height = np.zeros((160, 160), np.float32)
    height[70:90, 70:90] = 8
    grey = np.full((160, 160, 3), 0.3, np.float32)
    nothing = np.zeros((160, 160), np.uint8)
    tower = synthetic.Surface(
        0.25, height, grey, nothing, (height > 0).astype(np.int16), nothing, np.full((2, 3), 0.3, np.float32)
    )
    flat = synthetic.View(sun_azimuth_deg=180, sun_elevation_deg=45, off_nadir_deg=0, haze=0)
    seen = synthetic.render(tower, flat)[1]
    assert seen[50, 80] < 0.5 * seen[110, 80], "sun in the south: shadow in the north"
    assert seen[34, 80] > 0.9 * seen[110, 80], "8 m high at 45 degrees: 8 m = 32 cells long"
    lean = dataclasses.replace(flat, off_nadir_deg=math.degrees(math.atan(0.5)), lean_azimuth_deg=90)
    roof = synthetic.render(dataclasses.replace(tower, albedo=grey + 0.4 * (height > 0)[..., None]), lean)[1]
    bright = np.flatnonzero(roof[80] > 1.5 * roof[80, 20])
    assert bright.min() == pytest.approx(70 + 16, abs=2) and bright.max() == pytest.approx(89 + 16, abs=2)


def test_the_ground_is_registered_as_the_map_says(surfaces: list[synthetic.Surface]) -> None:
    level = dataclasses.replace(surfaces[0], height_m=np.zeros_like(surfaces[0].height_m))
    view = synthetic.View(noise=0.0)
    shift = np.array([2.3, -1.6])
    after_from_before = np.eye(3)
    after_from_before[:2, 2] = shift
    before = picture(level, view)[1]
    other = dataclasses.replace(view, off_nadir_deg=20, gain=(0.9, 0.95, 1.0), haze=0.12)
    after = picture(level, other, CELL_FROM_PIXEL @ np.linalg.inv(after_from_before))[1]
    assert measured_shift(before, after) == pytest.approx(shift, abs=0.03)


# ----------------------------------------------------------------------------------- warp and texture


def test_warp_moves_by_whole_pixels_exactly() -> None:
    image = synthetic.textured(np.random.default_rng(1), (60, 70))
    matrix = np.array([[1, 0, 3], [0, 1, -2], [0, 0, 1.0]])
    moved = synthetic.warp(image, matrix)
    assert moved[3:, :-2] == pytest.approx(image[:-3, 2:], abs=1e-2)
    assert np.isnan(moved[:3]).all() and np.isnan(moved[:, -2:]).all()
    assert synthetic.warp(np.stack([image, image]), matrix, (40, 50)).shape == (2, 40, 50)


@pytest.mark.parametrize("shift", [(0.5, 0.25), (-3.3, 7.7)])
def test_warp_has_the_displacement_it_is_given(shift: tuple[float, float]) -> None:
    image = synthetic.textured(np.random.default_rng(2), (256, 256))
    matrix = np.eye(3)
    matrix[:2, 2] = shift
    moved = np.nan_to_num(synthetic.warp(image, matrix), nan=128)
    assert measured_shift(image, moved) == pytest.approx(np.array(shift), abs=0.05)


def test_texture_has_no_period() -> None:
    image = synthetic.textured(np.random.default_rng(3), (256, 256))
    assert (image.mean(), image.std()) == pytest.approx((128, 40), abs=0.5)
    centred = image - image.mean()
    padded = np.fft.rfft2(centred, (512, 512))
    likeness = np.fft.irfft2(np.abs(padded) ** 2)[:128, :128] / (centred**2).sum()
    likeness[:64, :64] = 0
    assert likeness.max() < 0.3


# -------------------------------------------------------------------------------------------- planting

KINDS: tuple[synthetic.Kind, ...] = ("rubble", "roof loss", "crater", "burn", "repaint", "shadow")


@pytest.fixture(scope="module")
def scene(surfaces: list[synthetic.Surface]) -> ArrayLike:
    return picture(surfaces[0], synthetic.View())


@pytest.mark.parametrize("kind", KINDS)
def test_planted_change_lies_where_it_says(kind: synthetic.Kind, scene: ArrayLike) -> None:
    kept = scene.copy()
    changed, planted = synthetic.plant(kind, scene, (170.0, 190.0), 30, np.random.default_rng(7))
    again, _ = synthetic.plant(kind, scene, (170.0, 190.0), 30, np.random.default_rng(7))
    assert np.array_equal(scene, kept), "the input is not touched"
    assert np.array_equal(changed, again)
    assert changed.dtype == scene.dtype
    assert ndimage.center_of_mass(planted) == pytest.approx((170, 190), abs=5)
    assert 0.3 * 30**2 < planted.sum() < 1.4 * 30**2
    different = (changed != scene).any(0)
    assert not (different & ~ndimage.binary_dilation(planted, iterations=16)).any()
    assert different[planted].mean() > 0.9


def test_planted_rubble_looks_like_its_image(scene: ArrayLike) -> None:
    place, size = (170.0, 190.0), 48
    for blur in (0.0, 1.3):
        image = ndimage.gaussian_filter(scene.astype(np.float32), (0, blur, blur))
        changed, planted = synthetic.plant("rubble", image, place, size, np.random.default_rng(8))
        core = ndimage.binary_erosion(planted, iterations=3)
        assert changed[:, core].min() > image.min() - 15 and changed[:, core].max() < image.max() + 15
        steps = [np.abs(np.diff(a.mean(0), axis=1))[:, :][core[:, 1:]].mean() for a in (image, changed)]
        assert 0.3 < steps[1] / steps[0] < 4, "about as sharp as what was there"


def test_planting_takes_any_bands_and_missing_pixels() -> None:
    rng = np.random.default_rng(9)
    image = np.stack([synthetic.textured(rng, (90, 90)) * k for k in (1, 20, 3, 7)])
    image[:, :10] = np.nan
    changed, planted = synthetic.plant("crater", image, (20.0, 45.0), 24, rng)
    assert np.isnan(changed[:, :10]).all() and np.isfinite(changed[:, 10:]).all()
    assert planted[10:].any()
    nothing, none = synthetic.plant("burn", np.full((1, 50, 50), np.nan), (25.0, 25.0), 10, rng)
    assert np.isnan(nothing).all() and not none.any()
    edge, _ = synthetic.plant("rubble", image[:1, 10:], (0.0, 0.0), 20, rng)
    assert np.isfinite(edge).all()


# --------------------------------------------------------------------------------------- shipped files


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return dict(json.loads((SAMPLES / "ganja_truth.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("name", "when"), [("before", "2020:10:04 07:52:00"), ("after", "2020:10:13 07:49:00")]
)
def test_sample_tiffs_say_where_when_and_that_they_are_synthetic(name: str, when: str) -> None:
    with rasterio.open(SAMPLES / f"ganja_{name}.tif") as source:
        assert source.crs.to_epsg() == 32638 and source.count == 3 and source.dtypes[0] == "uint8"
        assert source.tags()["TIFFTAG_DATETIME"] == when
        assert "not imagery of any real place" in source.tags()["DAMAGEDIFF_SYNTHETIC"]
        assert source.lnglat() == pytest.approx((46.36, 40.68), abs=0.01)


@pytest.mark.parametrize("name", ["before_screenshot", "after_screenshot", "composite"])
def test_sample_pictures_say_that_they_are_synthetic(name: str) -> None:
    with Image.open(SAMPLES / f"ganja_{name}.jpg") as source:
        assert str(source.getexif()[0x010E]).startswith("SYNTHETIC")


def test_the_strip_is_in_the_pixels(truth: dict[str, Any]) -> None:
    with rasterio.open(SAMPLES / "ganja_before.tif") as source:
        image = source.read()
    top, bottom = truth["strip_rows_of_before"]
    strip = image[:, top + 1 : bottom - 1]
    assert bottom == image.shape[1] and bottom - top == 24
    assert np.median(strip) < 40 and (strip > 200).mean() > 0.03, "bright letters on a dark strip"


def test_sample_truth_agrees_with_its_list(truth: dict[str, Any]) -> None:
    with (
        rasterio.open(SAMPLES / "ganja_truth.tif") as source,
        rasterio.open(SAMPLES / "ganja_before.tif") as before,
    ):
        assert source.transform == before.transform and source.shape == before.shape
        classes = source.read(1)
    wanted = {"collapsed": 1, "partly": 1, "crater": 2, "burn": 3, "repainted": 5}
    kinds = [p["kind"] for p in truth["planted"]]
    assert 15 <= kinds.count("collapsed") <= 25 and 3 <= kinds.count("repainted") <= 5
    for item in truth["planted"]:
        if item["kind"] in wanted:
            row, col, bottom, right = (round(v) for v in item["bbox_rc"])
            assert (classes[row:bottom, col:right] == wanted[item["kind"]]).mean() > 0.12, item


def test_sample_footprints_agree_with_the_truth(truth: dict[str, Any]) -> None:
    shapes = json.loads((SAMPLES / "ganja_footprints.geojson").read_text(encoding="utf-8"))["features"]
    states = {f["properties"]["id"]: f["properties"]["state"] for f in shapes}
    assert len(states) == len(shapes) > 500
    listed = {p["building"]: p["kind"] for p in truth["planted"] if p["building"] is not None}
    assert {k: v for k, v in states.items() if v != "intact"} == listed
    with rasterio.open(SAMPLES / "ganja_truth.tif") as source:
        classes, corner = source.read(1), source.transform
    for shape in shapes:
        lon, lat = np.array(shape["geometry"]["coordinates"][0]).T
        x, y = rasterio.warp.transform("EPSG:4326", "EPSG:32638", lon, lat)
        cols, rows = (np.mean(x[:-1]) - corner.c) / corner.a, (np.mean(y[:-1]) - corner.f) / corner.e
        assert 0 <= rows < classes.shape[0] and 0 <= cols < classes.shape[1]
        if shape["properties"]["state"] == "intact":
            assert classes[int(rows), int(cols)] != 1


def test_sample_after_lies_where_the_map_says(truth: dict[str, Any]) -> None:
    pair = []
    for name in ("before", "after"):
        with rasterio.open(SAMPLES / f"ganja_{name}.tif") as source:
            pair.append(source.read(2).astype(float))
    shift = agreement(pair, np.array(truth["after_from_before"]), (1440, 1440))
    assert shift < 0.3, "what stands up leans by about 0.2 px"


def test_sample_screenshots_lie_where_the_map_says(truth: dict[str, Any]) -> None:
    pair = [
        np.asarray(Image.open(SAMPLES / f"ganja_{k}_screenshot.jpg"))[..., 1].astype(float)
        for k in ("before", "after")
    ]
    assert agreement(pair, np.array(truth["screenshots"]["after_from_before"]), pair[0].shape) < 0.3


def agreement(pair: list[ArrayLike], after_from_before: ArrayLike, shape: tuple[int, ...]) -> float:
    """Length of the median displacement in px that is left after the true map, over windows of 128 px."""
    rows, cols = np.indices(shape, float)
    rc = (
        np.tensordot(after_from_before[:2, :2], np.stack([rows, cols]), 1)
        + after_from_before[:2, 2, None, None]
    )
    aligned = ndimage.map_coordinates(pair[1], rc, order=1, cval=np.nan)
    left = []
    for row in range(40, shape[0] - 200, 150):
        for col in range(40, shape[1] - 140, 150):
            window = (slice(row, row + 128), slice(col, col + 128))
            if np.isfinite(aligned[window]).all():
                left.append(
                    measured_shift(*(ndimage.gaussian_laplace(a[window], 1.0) for a in (pair[0], aligned)))
                )
    assert len(left) >= 12
    return float(np.hypot(*np.median(left, axis=0)))


def test_samples_are_small_and_have_no_sidecars() -> None:
    files = [p for p in SAMPLES.iterdir() if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= 15_000_000
    assert not [p.name for p in files if p.suffix in (".xml", ".ovr", ".msk", ".tfw", ".jgw")]
