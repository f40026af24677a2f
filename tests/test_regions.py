"""Regions and buildings on maps drawn by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from damagediff import outcome, regions, types
from damagediff.cells import Measures

STRUCTURAL, OTHER, NOT = types.STRUCTURAL_CHANGE, types.OTHER_CHANGE, types.NOT_ANALYSED


def change(changed: np.ndarray, score: np.ndarray | float = 0.8) -> types.ChangeMap:
    values = np.where(changed == NOT, np.nan, np.broadcast_to(np.float32(score), changed.shape))
    return types.ChangeMap(
        score=values.astype(np.float32),
        changed=changed.astype(np.uint8),
        valid=changed != NOT,
        cell_px=4,
        threshold=0.5,
        threshold_rule="by hand",
        comparability=0.5,
        calibration={},
    )


def measures(shape: tuple[int, int], **given: np.ndarray) -> Measures:
    flat = np.full(shape, 100, np.float32)
    edges = np.zeros((3, *shape), np.int16)
    values = {
        "structure": flat,
        "pattern": flat,
        "orientation": flat,
        "texture": flat * 9,
        "colour": flat,
        "edges_before": edges,
        "edges_after": edges,
        "lines": np.zeros((4, *shape), np.int16),
        "colours": np.zeros((2, 3, *shape), np.uint16),
        "darkest": np.zeros((2, *shape), np.uint8),
        "green": np.zeros((2, *shape), np.float32),
        "light": np.full((2, *shape), 100, np.float32),
        "leaning": np.zeros(shape, np.uint8),
        "valid": np.ones(shape, bool),
    }
    return Measures(**{**values, **given})


def found(changed: np.ndarray, grid: types.Grid | None = None, score: np.ndarray | float = 0.8):
    grid = grid or types.Grid((changed.shape[0] * 4, changed.shape[1] * 4))
    return regions.find(change(changed, score), measures(changed.shape), grid)


def polygon(region: types.Region) -> shapely.Polygon:
    outer, *holes = region.outline_rc
    return shapely.Polygon(outer, holes)


def blank(rows: int = 12, cols: int = 16) -> np.ndarray:
    return np.zeros((rows, cols), np.uint8)


def test_nothing_changed_is_an_empty_tuple() -> None:
    assert found(blank()) == ()


def test_a_rectangle_in_pixel_centre_coordinates() -> None:
    changed = blank()
    changed[2:4, 5:8] = STRUCTURAL
    (region,) = found(changed, types.Grid((48, 64), gsd_m=1.5))
    assert region.id == 1 and region.tier == "structural" and region.flags == ()
    assert region.bbox_rc == (8, 20, 16, 32)
    assert region.area_px == 96 and region.area_m2 == 216
    assert region.centroid_rc == (11.5, 25.5)
    assert polygon(region).bounds == (7.5, 19.5, 15.5, 31.5)
    assert region.score_mean == pytest.approx(0.8) and region.score_max == pytest.approx(0.8)


def test_ids_fall_with_score_mass_and_ties_go_by_position() -> None:
    changed = blank()
    changed[0, 0:2] = changed[5, 3:5] = STRUCTURAL
    changed[9:11, 8:12] = OTHER
    changed[0, 10:14] = STRUCTURAL
    score = np.full(changed.shape, 0.5)
    score[0, 10:14] = 0.6
    ids = [(r.id, r.tier, r.bbox_rc[:2]) for r in found(changed, score=score)]
    assert ids == [
        (1, "other", (36, 32)),
        (2, "structural", (0, 40)),
        (3, "structural", (0, 0)),
        (4, "structural", (20, 12)),
    ]


def test_cells_that_touch_by_a_corner_are_one_valid_region() -> None:
    changed = blank()
    changed[3, 3] = changed[4, 4] = changed[4, 2] = STRUCTURAL
    (region,) = found(changed)
    assert region.area_px == 48
    assert polygon(region).is_valid
    assert polygon(region).area == pytest.approx(48, rel=1e-3)


def test_holes_are_kept() -> None:
    changed = blank()
    changed[2:7, 2:7] = STRUCTURAL
    changed[4, 4] = 0
    (region,) = found(changed)
    assert len(region.outline_rc) == 2
    assert polygon(region).area == region.area_px == 24 * 16


def test_the_last_cells_end_with_the_grid() -> None:
    changed = blank()
    changed[10:, 14:] = STRUCTURAL
    (region,) = found(changed, types.Grid((46, 61)))
    assert region.bbox_rc == (40, 56, 46, 61)
    assert region.area_px == 6 * 5 == polygon(region).area
    assert region.centroid_rc == (42.5, 58.0)
    assert "at image edge" in region.flags


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=48, max_size=48))
def test_any_map_gives_valid_outlines_of_the_same_area(values: list[int]) -> None:
    changed = np.array(values, np.uint8).reshape(6, 8)
    grid = types.Grid((23, 30))
    listed = found(changed, grid)
    assert sum(r.area_px for r in listed) == np.count_nonzero(
        np.repeat(np.repeat(changed, 4, 0), 4, 1)[:23, :30]
    )
    for region in listed:
        assert polygon(region).is_valid
        assert polygon(region).area == pytest.approx(region.area_px, abs=0.1)
        assert all(ring[0] == ring[-1] for ring in region.outline_rc)


def test_flags_say_what_may_explain_a_region() -> None:
    changed = blank()
    changed[2:5, 2:5] = STRUCTURAL
    changed[2:5, 8:11] = OTHER
    changed[8:10, 2:5] = STRUCTURAL
    changed[10, 3] = NOT
    score = np.full(changed.shape, 0.8)
    score[:, 8:] = 0.2
    green = np.zeros((2, *changed.shape), np.float32)
    green[1, 2:5, 2:4] = 0.2
    texture = np.full(changed.shape, 500, np.float32)
    texture[8:10] = 5
    listed = regions.find(
        change(changed, score), measures(changed.shape, green=green, texture=texture), types.Grid((48, 64))
    )
    flags = {r.bbox_rc[:2]: r.flags for r in listed}
    assert flags == {
        (8, 8): ("vegetation",),
        (32, 8): ("at image edge", "low texture"),
        (8, 32): ("colour only",),
    }
    assert all(flag in regions.FLAGS for named in flags.values() for flag in named)


@pytest.mark.parametrize(
    ("tier", "changes", "flags"),
    [
        (OTHER, {}, ("colour only",)),
        (OTHER, {"low_threshold": 0.3}, ()),
        (OTHER, {"low_threshold": 0.45}, ("colour only",)),
        (OTHER, {"measure": "ssim"}, ()),
        (STRUCTURAL, {}, ()),
    ],
)
def test_colour_only_is_said_of_structure_that_stayed(tier, changes, flags) -> None:
    changed = blank()
    changed[2:6, 5:9] = tier
    drawn = dataclasses.replace(change(changed, 0.4), **changes)
    (region,) = regions.find(drawn, measures(changed.shape), types.Grid((48, 64)))
    assert region.flags == flags


def test_a_shadow_that_moved_and_a_lorry_are_named() -> None:
    changed = blank()
    changed[2:5, 2:5] = STRUCTURAL
    changed[2:10, 8:14] = STRUCTURAL
    light = np.full((2, *changed.shape), 100, np.float32)
    light[1, 2:10, 8:12] = 30
    light[:, 2:5, 2:5] = 30  # dark in both
    score = np.full(changed.shape, 0.8)
    grid = types.Grid((48, 64), gsd_m=0.5)
    listed = regions.find(change(changed, score), measures(changed.shape, light=light), grid)
    assert [(r.area_m2, r.flags) for r in listed] == [(192.0, ("shadow moved",)), (36.0, ("vehicle-sized",))]


def pattern(shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (shape[0] // 5 + 1, shape[1] // 5 + 1), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, 5, 0), 5, 1)[: shape[0], : shape[1]]


def test_lean_is_structure_found_again_some_pixels_away() -> None:
    before, other = pattern((100, 100), 1), pattern((100, 100), 2)
    inside = np.zeros(before.shape, bool)
    inside[30:66, 30:70] = True
    leaning = other.copy()
    leaning[42:78, 26:66] = before[30:66, 30:70]
    assert regions.is_lean(before, leaning, inside)
    assert not regions.is_lean(before, before, inside)
    assert not regions.is_lean(before, np.roll(before, 3, 1), inside)
    assert not regions.is_lean(before, other, inside)
    assert not regions.is_lean(before, leaning, np.zeros_like(inside))
    assert not regions.is_lean(np.full_like(before, 90), leaning, inside)


@pytest.mark.parametrize("pitch", [9, 12, 18])
def test_a_like_neighbour_is_no_lean(pitch: int) -> None:
    row = np.full((100, 100), 90, np.uint8)
    for k in range(5, 95 - pitch // 2, pitch):
        row[30:66, k : k + pitch // 2] = 200
    after = np.random.default_rng(1).integers(80, 100, row.shape).astype(np.uint8)
    after[:, 70:] = row[:, 70:]  # the neighbours stand
    inside = np.zeros(row.shape, bool)
    inside[30:66, 52:68] = True
    assert not regions.is_lean(row, after, inside)


def test_leaning_regions_move_to_the_other_tier() -> None:
    changed = blank()
    changed[1:7, 1] = changed[6, 1:8] = changed[1:7, 7] = STRUCTURAL  # a U around another region
    changed[2:4, 3:5] = STRUCTURAL
    drawn = change(changed)
    listed = regions.find(drawn, measures(changed.shape), types.Grid((48, 64)))
    windows = regions.lean_windows(listed, types.Grid((48, 64)))
    assert windows[1] == types.Window(0, 0, 48, 52)
    moved, after = regions.with_lean(drawn, listed, {1})
    assert [(r.id, r.tier, r.flags) for r in after] == [(1, "other", ("lean",)), (2, "structural", ())]
    assert (moved.changed[changed == STRUCTURAL] == OTHER).sum() == 17
    assert (moved.changed[2:4, 3:5] == STRUCTURAL).all()
    assert (drawn.changed == changed).all()


@pytest.mark.parametrize("picture", [0, 1])
def test_a_saturated_region_is_flagged(picture: int) -> None:
    changed = blank()
    changed[2:6, 5:9] = OTHER
    full = np.zeros((2, *changed.shape), np.uint8)
    full[picture, 2:5, 5:9] = 12
    grid = types.Grid((changed.shape[0] * 4, changed.shape[1] * 4))
    (region,) = regions.find(change(changed), measures(changed.shape, full=full), grid)
    assert region.flags == ("saturated",)


def test_radar_is_not_read_as_light() -> None:
    changed = blank()
    changed[2:6, 5:9] = OTHER
    full = np.full((2, *changed.shape), 16, np.uint8)
    radar = dataclasses.replace(change(changed), measure="log_ratio")
    grid = types.Grid((changed.shape[0] * 4, changed.shape[1] * 4))
    (region,) = regions.find(radar, measures(changed.shape, full=full), grid)
    assert region.flags == ("backscatter",)


def test_what_ends_at_graphics_is_not_at_the_edge() -> None:
    changed = blank()
    changed[2:7, 2:7], changed[4, 7:9] = STRUCTURAL, NOT
    changed[10:, 14:] = STRUCTURAL
    told = change(changed)
    assert regions.beside_graphics(told, found(changed)) == found(changed)
    why = np.where(changed == NOT, 1 + outcome.REASONS.index("drawn_over"), 0).astype(np.uint8)
    listed = regions.beside_graphics(dataclasses.replace(told, why=why), found(changed))
    assert {region.bbox_rc[0]: region.flags for region in listed} == {
        8: ("beside graphics",),
        40: ("at image edge",),
    }


def test_a_leaning_region_that_touches_another_one_keeps_its_own_edges() -> None:
    """In the map both are one group then; each is still told by its own cells."""
    changed = blank()
    changed[2:6, 2:6], changed[2:6, 6:9], changed[3, 9:11] = STRUCTURAL, OTHER, NOT
    listed = found(changed)
    assert [region.tier for region in listed] == ["structural", "other"]
    moved, after = regions.with_lean(change(changed), listed, {1})
    why = np.where(changed == NOT, 1 + outcome.REASONS.index("drawn_over"), 0).astype(np.uint8)
    told = regions.beside_graphics(dataclasses.replace(moved, why=why), after)
    assert [region.flags for region in told] == [("lean",), ("beside graphics",)]


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_the_cells_of_a_region_are_those_of_its_outline(seed: int, rows: int, cols: int) -> None:
    """With holes, corners that touch, and cells that the edge of the grid cuts."""
    mask = np.random.default_rng(seed).random((7, 9)) < 0.5
    changed = np.where(mask, STRUCTURAL, types.NO_CHANGE).astype(np.uint8)
    grid = types.Grid((6 * 4 + rows, 8 * 4 + cols))
    listed = regions.find(change(changed), measures(changed.shape), grid)
    count = np.zeros(mask.shape, int)
    for region in listed:
        place, own = regions._cells(region, 4)
        count[place] += own
    assert (count == mask).all()
