"""Buildings on maps drawn by hand: what is measured inside, how unusual it is, and the class."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from damagediff import buildings, settings, types, wording

OTHER, NOT = types.OTHER_CHANGE, types.NOT_ANALYSED


def change(changed: np.ndarray, score: np.ndarray | float = 0.8) -> types.ChangeMap:
    values = np.where(changed == NOT, np.nan, np.broadcast_to(np.float32(score), changed.shape))
    valid = changed != NOT
    return types.ChangeMap(
        values.astype(np.float32), changed.astype(np.uint8), valid, 4, 0.5, "by hand", 0.5, {}
    )


def blank() -> np.ndarray:
    return np.zeros((12, 16), np.uint8)


def square(row: float, col: float, side: float) -> tuple[tuple[float, float], ...]:
    r0, c0, r1, c1 = row - 0.5, col - 0.5, row + side - 0.5, col + side - 0.5
    return ((r0, c0), (r0, c1), (r1, c1), (r1, c0), (r0, c0))


def measured(given, drawn: types.ChangeMap, grid: types.Grid, **asked) -> tuple[types.Building, ...]:
    texture = np.full(drawn.score.shape, 900, np.float32)
    given_settings = settings.from_dict({"buildings": asked})
    return buildings.measure(given, drawn, texture, grid, given_settings)


def building(rings, drawn: types.ChangeMap, grid: types.Grid) -> types.Building:
    (result,) = measured([("7", (rings,), {"use": "school"})], drawn, grid)
    return result


def test_buildings_take_the_median_inside() -> None:
    changed = blank()
    score = np.full(changed.shape, 0.1)
    score[2:4, 2:4] = 0.9
    drawn = change(changed, score)
    grid = types.Grid((48, 64), gsd_m=0.5)
    assert building((square(8, 8, 8),), drawn, grid).area_px == 64
    hit = building([square(8, 8, 8)], drawn, grid)
    assert hit.score == pytest.approx(0.9) and hit.label == "visible change"
    assert "above the threshold of 0.50" in hit.why
    assert hit.analysed_share == 1 and hit.area_m2 == pytest.approx(16)
    assert hit.id == "7" and hit.properties == {"use": "school"} and len(hit.parts_rc) == 1
    assert building([square(8, 11, 8)], drawn, grid).score == pytest.approx(0.9)
    beside = building([square(8, 13, 8)], drawn, grid)
    assert beside.score == pytest.approx(0.1) and beside.label == "no visible change above the limit"
    court = building([square(4, 4, 16), square(8, 8, 8)], drawn, grid)
    assert court.score == pytest.approx(0.1) and court.area_m2 == pytest.approx((256 - 64) / 4)
    json.dumps(hit.properties)


def test_a_footprint_smaller_than_a_cell_is_not_analysed() -> None:
    score = np.full((12, 16), 0.7)
    tiny = building([square(13.3, 13.3, 0.2)], change(blank(), score), types.Grid((48, 64)))
    assert "smaller" in tiny.why
    assert tiny.score is None and tiny.label == "not analysed" and tiny.area_m2 is None
    small = building([square(12, 12, 4)], change(blank(), score), types.Grid((48, 64)))
    assert small.score == pytest.approx(0.7)


def test_parts_count_together_and_a_world_wide_footprint_costs_nothing() -> None:
    score = np.full((12, 16), 0.2)
    score[:, 8:] = 0.8
    drawn, grid = change(blank(), score), types.Grid((48, 64))
    parts = ((square(4, 4, 4),), (square(4, 40, 12),))
    (both,) = measured([("m", parts, {})], drawn, grid)
    assert both.score == pytest.approx(0.8) and len(both.parts_rc) == 2
    vast = building([square(-5e6, -5e6, 1e7)], drawn, grid)
    assert vast.label == "not analysed" and "less than half" in vast.why


def test_footprints_that_were_not_analysed_have_no_value() -> None:
    changed = blank()
    changed[:, 8:] = NOT
    drawn, grid = change(changed), types.Grid((48, 64))
    assert building([square(10, 26, 8)], drawn, grid).score is not None
    half = building([square(10, 29, 8)], drawn, grid)
    assert half.score is None and half.label == "not analysed" and half.analysed_share == 3 / 8
    outside = building([square(-30, 90, 8)], drawn, grid)
    assert outside.score is None and outside.analysed_share == 0
    across = building([square(-4, 10, 8)], drawn, grid)
    assert across.analysed_share == 0.5 and across.score is not None


def test_a_footprint_that_only_touches_the_edge_has_no_value() -> None:
    drawn, grid = change(blank()), types.Grid((48, 64))
    for corner in ((10, 63.5), (47.5, 10), (47.5, 63.5), (-8.5, 10), (10, -8.5)):
        assert building([square(*corner, 8)], drawn, grid).score is None


def test_a_crossed_outline_is_repaired() -> None:
    bow = ((8.0, 8.0), (16.0, 16.0), (8.0, 16.0), (16.0, 8.0), (8.0, 8.0))
    assert building([bow], change(blank()), types.Grid((48, 64))).score == pytest.approx(0.8)


def town(seed: int = 3, rows: int = 120, cols: int = 140) -> tuple[np.ndarray, types.Grid]:
    """Scores of a pair in which nothing changed, smooth over some cells, and its grid."""
    rng = np.random.default_rng(seed)
    logit = -3 + 0.8 * rng.standard_normal((rows, cols))
    return (1 / (1 + np.exp(-logit))).astype(np.float32), types.Grid((4 * rows, 4 * cols))


def spread(count: int, side: int, grid: types.Grid, seed: int = 5) -> list:
    rng = np.random.default_rng(seed)
    at = rng.integers(0, np.array(grid.shape) - side, (count, 2)) // 4 * 4
    return [(str(k), ((square(*rc, side),),), {}) for k, rc in enumerate(at.tolist())]


def test_p_values_of_unchanged_buildings_are_even() -> None:
    score, grid = town()
    found = measured(spread(600, 16, grid), change(np.zeros(score.shape), score), grid)
    chance = np.array([b.p_value for b in found])
    for level in (0.05, 0.2, 0.5):
        assert (chance <= level).mean() == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 500))
    assert {b.label for b in found} == {wording.NO_CHANGE}


def test_a_score_that_stands_out_below_the_threshold_is_possible_change() -> None:
    score, grid = town()
    score[40:44, 40:44] = 0.45
    (odd,) = measured([("odd", ((square(160, 160, 16),),), {})], change(np.zeros(score.shape), score), grid)
    assert odd.label == wording.POSSIBLE and odd.p_value < 0.05 and "below the threshold" in odd.why
    (same,) = measured(
        [("odd", ((square(160, 160, 16),),), {})],
        change(np.zeros(score.shape), score),
        grid,
        false_discovery_rate=0.0,
    )
    assert same.label == wording.NO_CHANGE


def test_a_score_that_half_of_the_pair_reaches_is_no_visible_change() -> None:
    rng = np.random.default_rng(1)
    score = rng.uniform(0.52, 0.9, (60, 60)).astype(np.float32)
    drawn, grid = change(np.zeros(score.shape), score), types.Grid((240, 240))
    low = float(np.median(score)) - 0.02
    score[20:24, 20:24] = low
    (found,) = measured([("a", ((square(80, 80, 16),),), {})], change(drawn.changed, score), grid)
    assert found.score > 0.5 and found.as_high_share > 0.5
    assert found.label == wording.POSSIBLE and "score as high" in found.why


def test_changed_places_are_no_measure_of_the_unchanged() -> None:
    score, grid = town()
    changed = np.zeros(score.shape, np.uint8)
    score[:, 70:], changed[:, 70:] = 0.6, types.STRUCTURAL_CHANGE
    (found,) = measured([("a", ((square(160, 400, 16),),), {})], change(changed, score), grid)
    assert found.p_value < 0.01 and found.as_high_share == pytest.approx(0.5, abs=0.1)


def test_too_small_a_scene_has_no_p_value() -> None:
    score = np.full((6, 6), 0.2)
    (found,) = measured(
        [("a", ((square(4, 4, 8),),), {})], change(np.full((6, 6), NOT), score), types.Grid((24, 24))
    )
    assert found.p_value is None
    vast = building([square(0, 0, 47)], change(blank()), types.Grid((48, 64)))
    assert vast.score is not None and vast.p_value is None


def test_the_same_seed_gives_the_same_p_values() -> None:
    score, grid = town()
    drawn, given = change(np.zeros(score.shape), score), spread(20, 16, grid)
    assert measured(given, drawn, grid) == measured(given, drawn, grid)
    assert [b.p_value for b in measured(given[:5], drawn, grid)] == [
        b.p_value for b in measured(given, drawn, grid)
    ][:5]


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0, 1))
def test_what_stands_out_is_the_smallest_and_kept_to_the_rate(chance: list[float], rate: float) -> None:
    values = np.array(chance, float)
    chosen = buildings.stand_out(values, rate)
    if chosen.any():
        assert values[chosen].max() <= rate * chosen.sum() / len(values)
        assert (values[~chosen] >= values[chosen].max()).all()
    assert (buildings.stand_out(values, 1.0)).sum() == len(values)
