"""Radar: speckle of known looks is known again, its false-alarm rate holds, planted changes are found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import scipy.special
import scipy.stats
from conftest import RasterMaker
from rasterio.transform import from_origin
from test_cli import compare, houses
from test_diff import mirrored

from damagediff import diff, pipeline, radar, settings, tiles, types
from damagediff.errors import SettingsError

SAR = settings.from_dict({"sensor": "sar"})
UTM = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 10, 10)}
CHANGED = np.s_[..., 128:208, 160:240]


def speckle(rng: np.random.Generator, shape: tuple[int, int], looks: int, blur: float = 0.0) -> np.ndarray:
    """(rows, cols) of mean 1: so many looks of a complex Gaussian field, smooth over `blur` px."""
    total = np.zeros(shape)
    for _ in range(looks):
        field = rng.normal(size=(2, *shape))
        if blur:
            field = np.stack([cv2.GaussianBlur(part, (0, 0), blur) for part in field])
        total += (field**2).sum(0) / (field**2).sum(0).mean()
    return total / looks


def ground(shape: tuple[int, int], seed: int = 5) -> np.ndarray:
    """(rows, cols) intensity: fields over 15 dB."""
    fields = np.random.default_rng(seed).uniform(0, 1.5, (shape[0] // 32 + 1, shape[1] // 32 + 1))
    return (1e4 * 10 ** np.kron(fields, np.ones((32, 32))))[: shape[0], : shape[1]]


def pair_of(
    looks: int, blur: float = 0.0, shape: tuple[int, int] = (512, 512), seed: int = 1, change_db: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(1, rows, cols) float32 amplitudes of one ground, twice, one place brighter in the second."""
    rng = np.random.default_rng(seed)
    scene = ground(shape)
    other = scene.copy()
    other[CHANGED] *= 10 ** (change_db / 10)
    first, second = (np.sqrt(x * speckle(rng, shape, looks, blur)) for x in (scene, other))
    return first.astype(np.float32)[None], second.astype(np.float32)[None]


def measured(
    before: np.ndarray, after: np.ndarray, tile: int = 4096, options: settings.Settings = SAR
) -> tuple[diff.Measures, list[diff.Measures]]:
    """Measures of the scene by tiles, and of its ceiling windows."""
    valid = np.ones(before.shape[1:], bool)
    coded, reference = radar.log_coded(before, after, valid, (False, False), options.radar)
    a, b = coded.before_8bit(before), coded.after_8bit(after)
    whole = [mirrored(x) for x in (a, b, valid)]

    def one(w: types.Window) -> tuple[types.Window, diff.Measures]:
        at = (..., *(slice(k, k + n + 2 * diff.HALO) for k, n in zip(w[:2], w[2:], strict=True)))
        return w, diff.measure(*(x[at] for x in whole), ("grey",), reference=reference)

    parts = [one(w) for w in reversed(tiles.plan(valid.shape, tile))]
    ceiling = [
        diff.measure(
            a[(..., *p.slices)], b[(..., *q.slices)], valid[p.slices], ("grey",), reference=reference
        )
        for p, q in diff.ceiling_windows(valid.shape, 1)
    ]
    return diff.assemble(valid.shape, parts).whole(), ceiling


@pytest.mark.parametrize("looks", [1, 2, 4, 8])
@pytest.mark.parametrize("blur", [0.0, 1.2])
def test_the_stated_false_alarm_rate_holds_and_the_looks_are_found(looks: int, blur: float) -> None:
    options = settings.from_dict({"sensor": "sar", "radar": {"false_alarm_rate": 0.01}})
    beyond, found = [], []
    for seed in range(3):
        measures, ceiling = measured(*pair_of(looks, blur, seed=seed))
        change = radar.change_map(measures, ceiling, 400, options)
        beyond.append((change.score > 0.5).mean())
        found.append(change.calibration["equivalent_looks_before"])
        assert not (change.changed == types.OTHER_CHANGE).any()
        assert change.comparability > 0.4
    assert 0.006 < np.mean(beyond) < 0.015
    assert np.mean(found) == pytest.approx(looks, rel=0.2)


def test_correlation_of_speckle_costs_independent_samples() -> None:
    samples = [
        radar.change_map(*measured(*pair_of(4, blur)), 400, SAR).calibration[
            "independent_samples_of_a_window"
        ]
        for blur in (0.0, 0.7, 1.2)
    ]
    # Sum of weights squared over sum of squares of [1, 2, 1] over cells of 4 px, both ways: 113.8.
    assert samples[0] == pytest.approx((4 * 4) ** 4 / (4 * (1 + 4 + 1)) ** 2, rel=0.15)
    assert samples[0] > 1.8 * samples[1] > 3 * samples[2]


def test_the_logarithm_of_the_ratio_has_the_variance_of_fishers_distribution() -> None:
    """What the null rests on: var ln F(2L, 2L) = 2 psi'(L), and `looks_of` turns psi' back into L."""
    for looks in (1, 3, 8):
        ratio = scipy.stats.f(2 * looks, 2 * looks)
        expected = ratio.expect(lambda x: np.log(x) ** 2)
        assert 2 * scipy.special.polygamma(1, looks) == pytest.approx(expected, rel=1e-3)
        assert radar.looks_of(float(scipy.special.polygamma(1, looks))) == pytest.approx(looks)
    assert radar.looks_of(1e-9) == 1e4 and radar.looks_of(1e9) == 1e-2


def test_a_score_of_one_half_is_the_stated_rate_whatever_the_speckle() -> None:
    for rate in (0.05, 1e-3, 1e-6):
        for sd in (0.1, 2.0):
            at = scipy.stats.norm.isf(rate / 2) * sd
            scores = radar._score(np.array([0, at / 2, at, 2 * at, 1e4 * at]), sd, rate)
            assert scores[2] == pytest.approx(0.5) and scores[0] == 0
            assert (np.diff(scores) > 0).all() and scores[-1] < 1


@pytest.mark.parametrize("change_db", [6.0, -6.0])
@pytest.mark.parametrize("looks", [1, 4])
def test_a_change_is_found_where_it_lies(change_db: float, looks: int) -> None:
    before, after = pair_of(looks, 0.7, change_db=change_db)
    change = radar.change_map(*measured(before, after * 1.7), 400, SAR)
    found = diff.to_pixels(change.changed, types.Window(0, 0, 512, 512)) == types.OTHER_CHANGE
    truth = np.zeros((512, 512), bool)
    truth[CHANGED] = True
    assert found[truth].mean() > 0.85
    assert found[~cv2.dilate(truth.astype(np.uint8), np.ones((17, 17))).astype(bool)].sum() == 0
    assert change.calibration["offset_db"] == pytest.approx(20 * np.log10(1.7), abs=0.3)
    assert not (change.changed == types.STRUCTURAL_CHANGE).any()


def test_a_mostly_changed_scene_keeps_its_spread() -> None:
    before, after = pair_of(4)
    plain = radar.change_map(*measured(before, after), 400, SAR).calibration
    after[..., :300, :] *= 2
    changed = radar.change_map(*measured(before, after), 400, SAR).calibration
    name = "speckle_of_the_log_ratio_db"
    assert changed[name] == pytest.approx(plain[name], rel=0.1)


def test_whole_and_tiled_have_the_same_bits() -> None:
    before, after = (x[:, :501, :475] for x in pair_of(2, change_db=5))
    whole, _ = measured(before, after)
    for tile in (64, 208):
        tiled, _ = measured(before, after, tile)
        for name in vars(whole):
            np.testing.assert_array_equal(getattr(tiled, name), getattr(whole, name), err_msg=name)


@pytest.mark.parametrize("kind", ["amplitude", "intensity", "db"])
def test_amplitude_intensity_and_decibels_say_the_same(kind: str) -> None:
    turned = {"amplitude": lambda a: a, "intensity": lambda a: a * a, "db": lambda a: 20 * np.log10(a)}[kind]
    options = settings.from_dict({"sensor": "sar", "radar": {"values": kind}})
    before, after = (turned(x).astype(np.float32) for x in pair_of(4, change_db=6))
    change = radar.change_map(*measured(before, after, options=options), 400, options)
    assert change.calibration["equivalent_looks_before"] == pytest.approx(4, rel=0.2)
    assert (change.changed[34:50, 42:58] == types.OTHER_CHANGE).mean() > 0.9


@pytest.mark.parametrize(
    "fill", [lambda x: x * 0, lambda x: x * 0 + 7, lambda x: -x, lambda x: np.where(x > 100, x, 0)]
)
def test_odd_values_raise_nothing(fill: Any) -> None:
    before, after = pair_of(1, shape=(256, 256))
    for pair in ((fill(before), after), (before, fill(after)), (fill(before), fill(after))):
        change = radar.change_map(*measured(*(x.astype(np.float32) for x in pair)), 400, SAR)
        assert np.isfinite(change.score).all() and 0 <= change.threshold <= 1


def test_a_measure_cannot_be_chosen_for_radar() -> None:
    with pytest.raises(SettingsError, match="diff.measure = cva: radar pairs"):
        settings.from_dict({"sensor": "sar", "diff": {"measure": "cva"}})


@pytest.fixture(scope="module")
def town() -> tuple[np.ndarray, np.ndarray]:
    """(1, rows, cols) uint8 amplitude of a town in 4 looks, twice, one place flooded: dark."""
    rng = np.random.default_rng(8)
    scene = (houses(3)[0].astype(float) / 2) ** 2
    flooded = scene.copy()
    flooded[CHANGED] *= 0.02
    both = (np.sqrt(x * speckle(rng, scene.shape, 4)) for x in (scene, flooded))
    first, second = (np.clip(np.rint(x), 0, 255).astype(np.uint8)[None] for x in both)
    return first, second


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_run_on_bitmaps_says_that_it_is_radar(
    town: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    paths = [make_raster(f"{when}.bmp", data) for when, data in zip(("before", "after"), town, strict=True)]
    done = compare(paths, tmp_path / "run", "--sensor", "sar")
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert results["change"]["measure"] == "log_ratio" and results["settings"]["sensor"] == "sar"
    assert results["change"]["calibration"]["equivalent_looks_before"] > 1
    assert results["alignment"]["model"] == "none"
    assert results["alignment"]["moving_from_reference"] == np.eye(3).tolist()
    (region,) = results["regions"]
    assert region["tier"] == "other" and "backscatter" in region["flags"]
    assert set(region["flags"]) <= {"backscatter", "at image edge"}
    assert 128 <= region["centroid_rc"][0] <= 208 and 160 <= region["centroid_rc"][1] <= 240
    assert "1 region of changed radar backscatter" in report and "Radar pair: regions are" in report
    assert "visible change: built structure" not in report
    assert "region of visible change" not in report and "regions of visible change" not in report
    used = next(entry for entry in results["change"]["sensitivity"] if entry["times"] == 1)
    assert used["other_regions"] == 1 and used["structural_regions"] == 0
    assert "1 region of changed backscatter;" in report
    geo = json.loads((tmp_path / "run" / "regions.geojson").read_text(encoding="utf-8"))
    assert geo["features"][0]["properties"]["label"] == "changed backscatter"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_picture_in_colour_is_no_radar(
    town: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    grey = [np.repeat(x, 3, 0) for x in town]
    coloured = [np.clip(x * np.array([1.0, 0.8, 0.6])[:, None, None], 0, 255).astype(np.uint8) for x in grey]
    for name, pictures, code in (("grey", grey, 0), ("colour", coloured, 3)):
        paths = [make_raster(f"{name}{k}.png", x) for k, x in enumerate(pictures)]
        done = compare(paths, tmp_path / name, "--sensor", "sar")
        assert done.exit_code == code, done.output
        assert code == 0 or ("in colour" in done.output and not (tmp_path / name).exists())


def test_tiles_and_workers_do_not_change_a_run(
    town: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    case = types.Case(*(types.Source(make_raster(f"{k}.tif", x, **UTM)) for k, x in enumerate(town)))
    found = []
    for tile_px, workers in ((1024, 1), (64, 3)):
        (tmp_path / str(tile_px)).mkdir()
        options = replace(SAR, tile_px=tile_px, workers=workers)
        found.append(pipeline.compare(case, options, tmp_path / str(tile_px)).change)
    whole, tiled = found
    np.testing.assert_array_equal(whole.score, tiled.score)
    np.testing.assert_array_equal(whole.changed, tiled.changed)
    assert whole.calibration == tiled.calibration and whole.threshold == tiled.threshold


def test_a_motion_beyond_what_speckle_explains_is_applied(
    town: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    moved = np.roll(town[1], (9, -7), (1, 2))
    paths = [make_raster("before.tif", town[0], **UTM), make_raster("after.tif", moved, **UTM)]
    (tmp_path / "run").mkdir()
    found = pipeline.compare(types.Case(*(types.Source(p) for p in paths)), SAR, tmp_path / "run").alignment
    assert found.accepted and found.model != "none"
    np.testing.assert_allclose(found.moving_from_reference[:2, 2], [9, -7], atol=1.5)
