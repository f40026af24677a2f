"""Change on scenes whose truth is known: what was planted is found, and only that."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from damagediff import cells, diff, settings, thresholds, types

RGB = ("red", "green", "blue")
SHAPE = (512, 544)
GRID = types.Grid(SHAPE)
DEFAULT = settings.Settings()
EVERYWHERE = np.ones(SHAPE, bool)


def town(shape: tuple[int, int] = SHAPE, seed: int = 3) -> np.ndarray:
    """(3, rows, cols) float32: houses of many brightnesses and sizes on textured ground, 0..255."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.normal(0, 40, shape).astype(np.float32), (0, 0), 3) + 90
    for row in range(6, shape[0] - 24, 30):
        for col in range(6, shape[1] - 30, 36):
            high, wide = rng.integers(12, 22), rng.integers(14, 28)
            ground[row : row + high, col : col + wide] = rng.uniform(60, 220)
            ground[row + high : row + high + 3, col : col + wide] = 25
    tint = np.array([1.0, 0.95, 0.85], np.float32)[:, None, None]
    return np.clip(cv2.GaussianBlur(ground, (0, 0), 0.8) * tint, 0, 255).astype(np.float32)


def rubble(shape: tuple[int, int], seed: int = 11) -> np.ndarray:
    """(3, rows, cols) float32 of fine irregular texture."""
    rng = np.random.default_rng(seed)
    grey = cv2.GaussianBlur(rng.normal(0, 110, shape).astype(np.float32), (0, 0), 1.2) + 120
    return np.repeat(np.clip(grey, 0, 255)[None], 3, 0)


def noisy(image: np.ndarray, seed: int, sigma: float = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (image + rng.normal(0, sigma, image.shape)).astype(np.float32)


def moved(image: np.ndarray, rows: float, cols: float) -> np.ndarray:
    matrix = np.array([[1, 0, cols], [0, 1, rows]], np.float32)
    size = image.shape[:0:-1]
    return np.stack([cv2.warpAffine(b, matrix, size, borderMode=cv2.BORDER_REFLECT_101) for b in image])


def mirrored(data: np.ndarray) -> np.ndarray:
    edge = [(0, 0)] * (data.ndim - 2) + [(diff.HALO, diff.HALO)] * 2
    return np.pad(data, edge, mode="reflect")


def measured(before8: np.ndarray, after8: np.ndarray, valid: np.ndarray, tile: int) -> diff.Measures:
    """Measures of a scene by tiles of this side, as the pipeline takes them."""
    shape, h = valid.shape, diff.HALO
    whole = [mirrored(x) for x in (before8, after8, valid)]
    windows = [
        types.Window(r, c, min(tile, shape[0] - r), min(tile, shape[1] - c))
        for r in range(0, shape[0], tile)
        for c in range(0, shape[1], tile)
    ]

    def one(w: types.Window) -> diff.Measures:
        at = (..., slice(w.row, w.row + w.rows + 2 * h), slice(w.col, w.col + w.cols + 2 * h))
        return diff.measure(*(x[at] for x in whole), RGB)

    return diff.assemble(shape, [(w, one(w)) for w in reversed(windows)]).whole()


def compared(
    before: np.ndarray,
    after: np.ndarray,
    valid: np.ndarray | None = None,
    options: settings.Settings = DEFAULT,
) -> tuple[types.ChangeMap, diff.Measures]:
    """The whole story on arrays."""
    valid = np.ones(before.shape[1:], bool) if valid is None else valid
    radiometry = diff.fit_radiometry(before, after, valid, RGB)
    a, b = radiometry.before_8bit(before), radiometry.after_8bit(after)
    measures = measured(a, b, valid, 2048)
    pairs = diff.ceiling_windows(valid.shape, 1)
    ceiling = [
        diff.measure(a[(..., *p.slices)], b[(..., *q.slices)], valid[p.slices] & valid[q.slices], RGB)
        for p, q in pairs
    ]
    calibration = diff.calibrate(measures, ceiling)
    return diff.change_map(measures, calibration, types.Grid(valid.shape), options), measures


def with_rubble(image: np.ndarray, where: types.Window) -> np.ndarray:
    after = image.copy()
    after[(..., *where.slices)] = rubble((where.rows, where.cols))
    return after


@pytest.fixture(scope="module")
def before() -> np.ndarray:
    return noisy(town(), 1)


@pytest.fixture(scope="module")
def destroyed() -> types.Window:
    return types.Window(180, 200, 96, 112)


def test_whole_and_tiled_have_the_same_bits(before: np.ndarray, destroyed: types.Window) -> None:
    cut = (slice(0, 501), slice(0, 539))  # no multiple of the cell
    a = before[:, *cut].astype(np.uint8)
    b = moved(with_rubble(before, destroyed), 1.3, -0.7)[:, *cut].astype(np.uint8)
    valid = np.ones(a.shape[1:], bool)
    valid[100:130, 300:420] = False
    whole = measured(a, b, valid, 2048)
    for tile in (64, 208):
        tiled = measured(a, b, valid, tile)
        for name in vars(whole):
            np.testing.assert_array_equal(getattr(tiled, name), getattr(whole, name), err_msg=name)


def test_identical_images_score_nothing(before: np.ndarray) -> None:
    change, measures = compared(before, before)
    assert change.score.max() < 0.01
    assert (change.changed == types.NO_CHANGE).all()
    assert change.comparability > 0.99
    assert max(measures.structure.max(), measures.pattern.max(), measures.orientation.max()) < 0.02


def test_rubble_is_found_where_it_lies_and_nowhere_else(before: np.ndarray, destroyed: types.Window) -> None:
    change, _ = compared(before, noisy(with_rubble(town(), destroyed), 2))
    truth = np.zeros(SHAPE, bool)
    truth[destroyed.slices] = True
    found = diff.to_pixels(change.changed, types.Window(0, 0, *SHAPE)) == types.STRUCTURAL_CHANGE
    assert found[truth].mean() > 0.8
    assert found[~cv2.dilate(truth.astype(np.uint8), np.ones((41, 41))).astype(bool)].sum() == 0
    assert not (change.changed == types.OTHER_CHANGE).any()


def test_a_shift_of_two_pixels_is_not_change(before: np.ndarray) -> None:
    change, _ = compared(before, moved(noisy(town(), 2), 1.6, -1.2))
    assert (change.changed == types.NO_CHANGE).all()
    assert change.comparability > 0.5


def test_unrelated_images_are_not_analysed(before: np.ndarray) -> None:
    rng = np.random.default_rng(5)
    change, _ = compared(before, noisy(rubble(SHAPE), int(rng.integers(9))))
    assert change.comparability < DEFAULT.diff.min_comparability
    assert (change.changed == types.NOT_ANALYSED).all()


def test_invalid_pixels_are_respected_and_change_nothing_else(
    before: np.ndarray, destroyed: types.Window
) -> None:
    after = noisy(with_rubble(town(), destroyed), 2)
    valid = np.ones(SHAPE, bool)
    valid[:60] = False
    holed = before.copy(), after.copy()
    for data in holed:
        data[:, :60] = np.nan
    change, measures = compared(*holed, valid)
    plain, _ = compared(before, after)
    assert np.isnan(change.score[:17]).all() and (change.changed[:17] == types.NOT_ANALYSED).all()
    assert np.isfinite(change.score[18:]).all()
    assert measures.valid[18:].all()
    agree = change.changed[40:] == plain.changed[40:]
    assert agree.mean() > 0.99


def test_a_burn_without_structural_change_is_other_change(before: np.ndarray) -> None:
    after = town()
    after[:, 150:260, 150:280] *= np.array([0.3, 0.25, 0.25], np.float32)[:, None, None]
    after[:, 150:260, 150:280] += 8
    change, _ = compared(before, noisy(after, 2))
    found = diff.to_pixels(change.changed, types.Window(0, 0, *SHAPE))
    assert (found[170:240, 170:260] > 0).mean() > 0.8
    assert (found[170:240, 170:260] == types.OTHER_CHANGE).mean() > 0.5
    assert (found[320:] == types.NO_CHANGE).all()


def test_thresholds_and_rule_come_from_the_settings(before: np.ndarray, destroyed: types.Window) -> None:
    after = noisy(with_rubble(town(), destroyed), 2)
    options = settings.from_dict({"diff": {"threshold": 0.999}})
    change, _ = compared(before, after, options=options)
    assert change.threshold == 0.999 and "settings" in change.threshold_rule
    assert not (change.changed == types.STRUCTURAL_CHANGE).any()


@pytest.mark.parametrize("rule", ["otsu", "triangle", "li", "kapur", "rosin"])
def test_rules_from_the_literature_find_the_rubble_too(
    rule: str, before: np.ndarray, destroyed: types.Window
) -> None:
    options = settings.from_dict({"diff": {"threshold": rule}})
    change, _ = compared(before, noisy(with_rubble(town(), destroyed), 2), options=options)
    found = diff.to_pixels(change.changed, types.Window(0, 0, *SHAPE)) == types.STRUCTURAL_CHANGE
    assert found[destroyed.slices].mean() > 0.8 and thresholds.WORDS[rule] in change.threshold_rule
    assert 0 < change.threshold < 1


def test_a_rule_that_finds_no_two_groups_falls_back_and_says_so() -> None:
    alike = np.full(100, 0.3, np.float32)
    found, rule = diff.threshold_of(alike, settings.DiffSettings(threshold="otsu"))
    assert found == diff.automatic_threshold(alike) and "all scores are alike" in rule


def test_hysteresis_grows_what_was_found(before: np.ndarray, destroyed: types.Window) -> None:
    after = noisy(with_rubble(town(), destroyed), 2)
    areas = []
    for share in (1.0, 0.6):
        change, _ = compared(before, after, options=settings.from_dict({"diff": {"hysteresis": share}}))
        areas.append(change.changed == types.STRUCTURAL_CHANGE)
    assert areas[0].sum() < areas[1].sum() and (areas[1] | ~areas[0]).all()


def test_a_smallest_region_below_what_is_resolved_is_told() -> None:
    asked = {"min_region_px": 5, "min_region_unit": "px"}
    least, rule = diff.min_region(types.Grid((80, 80), gsd_m=0.5), settings.from_dict({"regions": asked}))
    assert least == 5 and "below 200 px is below what can be resolved" in rule
    asked["min_region_px"] = 200
    assert "resolved" not in diff.min_region(types.Grid((80, 80)), settings.from_dict({"regions": asked}))[1]


def test_inputs_stay_as_they_are(before: np.ndarray, destroyed: types.Window) -> None:
    after = with_rubble(before, destroyed)
    valid = EVERYWHERE.copy()
    valid[:40] = False
    copies = before.copy(), after.copy(), valid.copy()
    compared(before, after, valid)
    for kept, given in zip(copies, (before, after, valid), strict=True):
        np.testing.assert_array_equal(kept, given)


@pytest.mark.parametrize(
    "sensor",
    [
        pytest.param(lambda x: 255 * (x / 255) ** 0.6, id="gamma"),
        pytest.param(lambda x: 0.55 * x + 70, id="haze"),
        pytest.param(lambda x: 37 * x + 900, id="16 bit"),
        pytest.param(lambda x: x / 400 + 0.02, id="reflectance"),
    ],
)
def test_radiometry_undoes_the_sensor(sensor, before: np.ndarray) -> None:
    after = sensor(np.clip(noisy(town(), 2), 0, 255)).astype(np.float32)
    radiometry = diff.fit_radiometry(before, after, EVERYWHERE, RGB)
    back = radiometry.after_8bit(after).astype(float)
    assert np.abs(back - np.clip(noisy(town(), 2), 0, 255)).mean() < 2
    assert radiometry.trusted_share > 0.2


@pytest.mark.parametrize("where", ["before", "after", "both"])
def test_one_broken_pixel_spoils_no_radiometry(where: str, before: np.ndarray) -> None:
    after = (noisy(town(), 2) * 3 + 500).astype(np.float32)
    pair = {"before": before.astype(np.float32) * 3 + 500, "after": after}
    for name in pair if where == "both" else (where,):
        pair[name] = pair[name].copy()
        pair[name][0, 40, 50] = 1e30
    with np.errstate(all="raise", under="ignore"):
        radiometry = diff.fit_radiometry(pair["before"], pair["after"], EVERYWHERE, RGB)
    assert radiometry.trusted_share > 0.2
    whole = radiometry.after_8bit(after).astype(float) - radiometry.before_8bit(before * 3 + 500)
    assert np.abs(whole).mean() < 6


def test_damage_does_not_teach_the_radiometry(before: np.ndarray) -> None:
    """With 60 % of the scene in rubble, gain and offset of the spared part are still recovered."""
    after = with_rubble(town(), types.Window(0, 0, int(SHAPE[0] * 0.6), SHAPE[1])) * 0.9 + 10
    after = noisy(np.clip(0.6 * after + 50, 0, 255), 2)
    radiometry = diff.fit_radiometry(before, after, EVERYWHERE, RGB)
    back = radiometry.after_8bit(after).astype(float)
    spared = np.s_[:, int(SHAPE[0] * 0.6) + 20 :]
    assert np.abs(back[spared] - before[spared]).mean() < 7
    assert 0.93 < back[spared].std() / before[spared].std() < 1.07
    assert back[:, :280].std() > 0.85 * rubble(SHAPE)[:, :280].std() * 0.9


def test_a_mostly_destroyed_scene_keeps_its_floor(before: np.ndarray) -> None:
    spared = np.zeros(SHAPE, bool)
    spared[: SHAPE[0] * 2 // 5] = True
    after = np.where(spared, town(), rubble(SHAPE))
    change, _ = compared(before, noisy(after, 2))
    structural = diff.to_pixels(change.changed, types.Window(0, 0, *SHAPE)) == types.STRUCTURAL_CHANGE
    assert structural[230:].mean() > 0.8
    assert structural[:180].mean() < 0.01


def test_before_of_any_type_becomes_8_bits() -> None:
    wide = town() * 40 + 2000
    radiometry = diff.fit_radiometry(wide, wide, EVERYWHERE, RGB)
    a, b = radiometry.before_8bit(wide), radiometry.after_8bit(wide)
    assert radiometry.scale is not None and radiometry.scale[0] > 2000
    assert a.dtype == np.uint8 and a.min() == 0 and a.max() == 255
    assert np.abs(a.astype(int) - b).max() <= 1
    plain = np.rint(town())
    same = diff.fit_radiometry(plain, plain, EVERYWHERE, RGB)
    np.testing.assert_array_equal(same.before_8bit(plain), plain)
    np.testing.assert_array_equal(same.after_8bit(plain), plain)


def test_a_pair_that_is_not_aligned_can_still_be_drawn() -> None:
    grey = town()[:1] * 9
    nowhere = np.zeros(SHAPE, bool)
    radiometry = diff.fit_radiometry(grey, grey[:, ::-1], nowhere, ("grey",))
    assert radiometry.trusted_share == 0
    assert radiometry.before_8bit(grey).std() > 20
    assert radiometry.after_8bit(grey[:, ::-1]).std() > 20


def test_luminance_is_exact() -> None:
    bands = np.array([[[255, 0, 0, 10]], [[255, 255, 0, 20]], [[255, 0, 255, 30]]], np.uint8)
    assert diff.luminance(bands, RGB).tolist() == [[255, 149, 29, 18]]
    assert diff.luminance(bands, ("nir", "other", "other")).tolist() == [[255, 85, 85, 20]]
    np.testing.assert_array_equal(diff.luminance(bands[:1], ("grey",)), bands[0])


@pytest.mark.parametrize("shape", [(2000, 3000), (240, 160), (128, 128)])
def test_ceiling_windows_lie_inside_and_apart(shape: tuple[int, int]) -> None:
    pairs = diff.ceiling_windows(shape, 4)
    assert 8 <= len(pairs) <= 32
    assert pairs == diff.ceiling_windows(shape, 4) != diff.ceiling_windows(shape, 5)
    for a, b in pairs:
        assert a[2:] == b[2:] and a.rows > 2 * diff.HALO
        assert all(w.row >= 0 and w.col >= 0 for w in (a, b))
        assert all(w.row + w.rows <= shape[0] and w.col + w.cols <= shape[1] for w in (a, b))
        assert np.hypot(a.row - b.row, a.col - b.col) > 30


def test_a_scene_too_small_to_calibrate_is_not_analysed() -> None:
    small = town((64, 64))
    assert diff.ceiling_windows((64, 64), 1) == ()
    change, _ = compared(small, noisy(small, 2))
    assert change.comparability == 0
    assert (change.changed == types.NOT_ANALYSED).all()


def test_cells_become_pixels_the_same_in_any_window() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    whole = diff.to_pixels(values, types.Window(0, 0, 11, 14))
    assert whole[0, 0] == 0 and whole[10, 13] == 11 and whole[4, 3] == 4
    np.testing.assert_array_equal(diff.to_pixels(values, types.Window(5, 2, 6, 9)), whole[5:11, 2:11])


def test_components_touch_by_corners_and_are_numbered_by_position() -> None:
    mask = np.array([[0, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0]], bool)
    labels, count = cells.components(mask)
    assert count == 3
    assert labels.tolist() == [[0, 1, 0, 0, 2], [1, 0, 0, 0, 0], [0, 0, 0, 3, 0]]


def test_smoothing_does_not_leak_from_invalid_cells() -> None:
    values = np.full((9, 9), 0.5, np.float32)
    valid = np.ones((9, 9), bool)
    values[4, 4], valid[4, 4] = np.nan, False
    smooth = cells.smooth(values, valid, 2)
    np.testing.assert_allclose(smooth[valid], 0.5, rtol=1e-5)
    assert smooth[4, 4] == 0


def test_minimum_mapping_unit_follows_the_ground() -> None:
    assert diff.min_region_px(types.Grid(SHAPE), DEFAULT) == 200
    assert diff.min_region_px(types.Grid(SHAPE, gsd_m=0.3), DEFAULT) == 889
    assert diff.min_region_px(types.Grid(SHAPE, gsd_m=10.0), DEFAULT) == diff.MIN_RESOLVED_PX
