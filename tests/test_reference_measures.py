"""The selectable references agree with independent implementations, and with themselves in tiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import skimage.metrics
from conftest import RasterMaker
from rasterio.transform import from_origin
from test_cli import TRUTH, as_bytes, compare, houses
from test_diff import RGB, mirrored

from damagediff import diff, irmad, pipeline, reference_measures, settings, synthetic, tiles, types

UTM = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 0.5, 0.5)}
NAMES = tuple(reference_measures.PREPARE)
BURIED = np.s_[..., 120:200, 150:240]


def two_dates(seed: int = 1, bands: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """(bands, 361, 403) uint8: rubble in one place, brightness changed by band everywhere."""
    rng = np.random.default_rng(seed)
    before = np.resize(houses(seed, (361, 403)), (bands, 361, 403))
    before = before + rng.normal(0, 6, before.shape)
    gain = 1 - 0.1 * np.arange(bands)[:, None, None]
    after = gain * before + 12 + rng.normal(0, 4, before.shape)
    after[BURIED] = rng.normal(125, 50, after[BURIED].shape)
    return as_bytes(before), as_bytes(after)


def measured(
    pair: tuple[np.ndarray, np.ndarray], name: str, tile: int, valid: np.ndarray, workers: int = 1
) -> diff.Measures:
    reference = reference_measures.PREPARE[name](*pair, valid)
    whole = [mirrored(x) for x in (*pair, valid)]

    def one(w: types.Window) -> tuple[types.Window, diff.Measures]:
        at = (..., *(slice(a, a + n + 2 * diff.HALO) for a, n in zip(w[:2], w[2:], strict=True)))
        return w, diff.measure(*(x[at] for x in whole), RGB, reference=reference)

    with tiles.pool(workers) as executor:
        parts = tiles.map_ordered(one, tiles.plan(valid.shape, tile), executor, ahead=4)
        return diff.assemble(valid.shape, parts).whole()


@pytest.mark.parametrize("name", NAMES)
def test_whole_tiled_and_parallel_have_the_same_bits(name: str) -> None:
    pair, valid = two_dates(), np.ones((361, 403), bool)
    valid[90:120, 200:260] = False
    whole = measured(pair, name, 2048, valid).reference
    assert whole is not None
    for tile, workers in ((64, 1), (208, 3)):
        np.testing.assert_array_equal(measured(pair, name, tile, valid, workers).reference, whole)


@pytest.mark.parametrize("name", NAMES)
def test_rubble_stands_out(name: str) -> None:
    pair = two_dates()
    found = measured(pair, name, 2048, np.ones((361, 403), bool)).reference
    assert found is not None
    inside = found[33:47, 40:57]
    outside = np.delete(found, np.s_[25:55], axis=0)
    assert np.quantile(inside, 0.1) > np.quantile(outside, 0.9)


def test_ssim_is_that_of_scikit_image() -> None:
    a, b = two_dates()
    found = measured((a, b), "ssim", 128, np.ones((361, 403), bool)).reference
    grey = [
        np.pad(diff.luminance(x, RGB), ((20, 20), (20, 20)), mode="reflect").astype(float) for x in (a, b)
    ]
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    _, full = skimage.metrics.structural_similarity(*grey, full=True, **options)
    expected = (1 - full)[20:380, 20:420].reshape(90, 4, 100, 4).mean((1, 3))
    np.testing.assert_allclose(found[:90, :100], expected, atol=1e-6)


def test_change_vector_is_the_length_of_the_difference() -> None:
    a, b = two_dates()
    found = measured((a, b), "cva", 128, np.ones((361, 403), bool)).reference
    length = np.sqrt(((a.astype(float) - b) ** 2).mean(0))[:360, :400]
    np.testing.assert_allclose(found[:90, :100], length.reshape(90, 4, 100, 4).mean((1, 3)), rtol=1e-5)


def written_from_the_paper(x: np.ndarray, y: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """(canonical correlations, chi-square of each pixel) by the generalised eigenproblem of the paper.

    Sxy Syy^-1 Syx a = rho^2 Sxx a; b ~ Syy^-1 Syx a; both variates of unit variance, positively correlated.
    """
    k = len(x)
    weight = np.ones(x.shape[1])
    for _ in range(rounds):
        s = np.cov(np.concatenate([x, y]), aweights=weight, ddof=0) + np.eye(2 * k) / 12
        sxx, sxy, syy = s[:k, :k], s[:k, k:], s[k:, k:]
        rho2, a = scipy.linalg.eigh(sxy @ np.linalg.inv(syy) @ sxy.T, sxx)
        rho = np.sqrt(rho2)
        b = np.linalg.inv(syy) @ sxy.T @ a / rho
        mean = [np.average(z, axis=1, weights=weight)[:, None] for z in (x, y)]
        mad = a.T @ (x - mean[0]) - b.T @ (y - mean[1])
        chi = (mad**2 / (2 * (1 - rho))[:, None]).sum(0)
        weight = scipy.stats.chi2.sf(chi, k)
    return rho[::-1], chi


@pytest.mark.parametrize("bands", [1, 2, 3, 8])
def test_irmad_solves_the_eigenproblem_of_the_paper(bands: int) -> None:
    rng = np.random.default_rng(bands)
    ground = rng.normal(0, 30, (bands, 120, 130))
    mix = rng.normal(0, 0.3, (bands, bands)) + np.eye(bands)
    before = 120 + ground + rng.normal(0, 5, ground.shape)
    after = 110 + np.tensordot(mix, ground, 1) * 0.8 + rng.normal(0, 9, ground.shape)
    after[:, 30:60, 40:80] = rng.normal(120, 40, (bands, 30, 40))
    before, after = as_bytes(before), as_bytes(after)
    found = irmad.fit(before, after, np.ones(before.shape[1:], bool))
    x, y = (z.reshape(bands, -1).astype(float) for z in (before, after))
    rho, chi = written_from_the_paper(x, y, found.iterations)
    np.testing.assert_allclose(found.correlation, rho, atol=1e-6)
    mine = irmad.chi_square(found, before, after).ravel()
    np.testing.assert_allclose(mine, chi, rtol=2e-3, atol=2e-3)
    kept = np.ones(before.shape[1:], bool)
    kept[30:60, 40:80] = False
    assert np.median(mine[~kept.ravel()]) > 2 * np.median(mine[kept.ravel()])


def test_irmad_does_not_mind_gain_and_mixture_of_bands() -> None:
    before, after = two_dates()
    mixed = as_bytes(np.tensordot([[0.5, 0.2, 0.1], [0.1, 0.6, 0.1], [0.1, 0.1, 0.5]], after, 1) + 10)
    valid = np.ones(before.shape[1:], bool)
    one, two = (irmad.chi_square(irmad.fit(before, x, valid), before, x) for x in (after, mixed))
    assert np.corrcoef(np.log1p(one).ravel(), np.log1p(two).ravel())[0, 1] > 0.9


def test_irmad_bears_copies_of_a_band_constants_and_almost_no_pixels() -> None:
    before, after = two_dates()
    grey = np.repeat(before[:1], 3, 0), np.repeat(after[:1], 3, 0)
    flat = before.copy()
    flat[1] = 7
    few = np.zeros(before.shape[1:], bool)
    few[50:53, 50:53] = True
    everywhere = np.ones_like(few)
    for x, y, valid in ((*grey, everywhere), (flat, after, everywhere), (before, after, few)):
        found = irmad.fit(x, y, valid)
        assert np.isfinite(irmad.chi_square(found, x, y)).all()
        assert ((found.correlation >= 0) & (found.correlation < 1)).all()


def test_nothing_to_part_gives_the_only_value() -> None:
    assert reference_measures.otsu(np.full(9, 3.5, np.float32)) == 3.5
    assert reference_measures.otsu(np.zeros(0, np.float32)) == 0
    two = np.concatenate([np.full(50, 1.0), np.full(60, 9.0)]).astype(np.float32)
    assert 1 <= reference_measures.otsu(two) < 9


@pytest.fixture(scope="module")
def displaced() -> tuple[np.ndarray, np.ndarray]:
    """(before, after) of eight bands, the after image displaced, one block buried."""
    rng = np.random.default_rng(4)
    before = np.resize(houses(1), (8, 360, 400)) + rng.normal(0, 3, (8, 360, 400))
    after = before.copy()
    after[BURIED] = rng.normal(130, 45, after[BURIED].shape)
    after = np.nan_to_num(synthetic.warp(after.astype(np.float32), TRUTH)) * 0.9 + 18
    return as_bytes(before), as_bytes(after + rng.normal(0, 3, after.shape))


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        *(("irmad", *bands) for bands in ((1, 1), (2, 2), (3, 3), (8, 8), (1, 3))),
        *((name, *bands) for name in ("cva", "ssim") for bands in ((2, 2), (3, 1))),
    ],
)
def test_any_number_of_bands(  # noqa: PLR0913
    name: str,
    first: int,
    second: int,
    displaced: tuple[np.ndarray, np.ndarray],
    make_raster: RasterMaker,
    tmp_path: Path,
) -> None:
    paths = [
        make_raster(f"{when}.tif", data[:count], **UTM)
        for when, data, count in zip(("before", "after"), displaced, (first, second), strict=True)
    ]
    (tmp_path / "run").mkdir()
    options = settings.from_dict({"diff": {"measure": name}})
    case = types.Case(*(types.Source(path) for path in paths))
    found = pipeline.compare(case, options, tmp_path / "run")
    change = found.change
    assert change is not None and change.measure == name and "Otsu" in change.threshold_rule
    assert 0 < change.threshold < 1
    assert np.nanmean(change.score[33:47, 40:57]) > np.nanmean(change.score[55:85, 40:57]) + 0.2
    assert set(change.calibration) >= {"floor_reference", "ceiling_reference"}


@pytest.mark.parametrize("name", NAMES)
def test_tiles_and_workers_do_not_change_a_run(
    name: str, displaced: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    paths = [make_raster(f"{k}.tif", data[:3], **UTM) for k, data in enumerate(displaced)]
    case = types.Case(*(types.Source(path) for path in paths))
    options = settings.from_dict({"diff": {"measure": name}})
    found = []
    for tile_px, workers in ((1024, 1), (64, 3)):
        (tmp_path / str(tile_px)).mkdir()
        tiled = replace(options, tile_px=tile_px, workers=workers)
        found.append(pipeline.compare(case, tiled, tmp_path / str(tile_px)))
    whole, tiled = (f.change for f in found)
    assert whole is not None and tiled is not None
    np.testing.assert_array_equal(whole.score, tiled.score)
    np.testing.assert_array_equal(whole.changed, tiled.changed)
    assert whole.threshold == tiled.threshold and whole.calibration == tiled.calibration


def test_a_run_says_which_measure_it_used(
    displaced: tuple[np.ndarray, np.ndarray], make_raster: RasterMaker, tmp_path: Path
) -> None:
    paths = [make_raster(f"{k}.tif", data[:3], **UTM) for k, data in enumerate(displaced)]
    for name, options in (("plain", ()), ("cva", ("--measure", "cva"))):
        done = compare(paths, tmp_path / name, *options)
        assert done.exit_code == 0, done.output
        results = json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))
        manifest = json.loads((tmp_path / name / "manifest.json").read_text(encoding="utf-8"))
        report = (tmp_path / name / "report.html").read_text(encoding="utf-8")
        measure = "structure" if name == "plain" else "cva"
        assert results["change"]["measure"] == manifest["settings"]["diff"]["measure"] == measure
        assert ("Measure chosen by the user: length of the change vector" in report) == (name == "cva")
        assert ("score of lost and altered structure" in report) == (name == "plain")
        assert ("Measure chosen" in " ".join(results["notes"])) == (name == "cva")


def test_the_rule_of_a_reference_tells_its_hysteresis() -> None:
    whole = measured(two_dates(), "ssim", 2048, np.ones((361, 403), bool))
    options = settings.from_dict({"diff": {"measure": "ssim", "hysteresis": 0.8}})
    change = diff.change_map(whole, diff.calibrate(whole, [whole]), types.Grid((361, 403)), options)
    assert f"down to {0.8 * change.threshold:.3g} (hysteresis)" in change.threshold_rule
    assert change.low_threshold == 0.8 * change.threshold
