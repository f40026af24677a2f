"""Squares of the grid summary: nothing is lost, nothing counted twice, and no share where little was seen."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import scenes
from affine import Affine
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from shapely.geometry import shape

from damagediff import figure_squares, outputs, squares, summary, types, wording
from damagediff.errors import SettingsError
from damagediff.settings import SummarySettings

CLASSES = list(wording.BUILDING_CLASSES)
CODES = (types.NO_CHANGE, types.STRUCTURAL_CHANGE, types.OTHER_CHANGE, types.NOT_ANALYSED)


def change(grid: types.Grid, rng: np.random.Generator) -> types.ChangeMap:
    changed = rng.choice(CODES, [-(-n // 4) for n in grid.shape], p=(0.6, 0.2, 0.1, 0.1)).astype(np.uint8)
    return types.ChangeMap(changed.astype(np.float32), changed, changed != 255, 4, 0.5, "", 0.5, {})


def building(row: float, col: float, label: str) -> types.Building:
    ring = ((row, col), (row + 6, col), (row + 6, col + 8), (row, col + 8), (row, col))
    return types.Building("b", 0.5, 1.0, None, label, ((ring,),), {})


def grids() -> st.SearchStrategy[types.Grid]:
    sizes = st.tuples(st.integers(20, 150), st.integers(20, 150))
    placed = st.builds(
        lambda shape, x, y, gsd: types.Grid(shape, Affine(gsd, 0, x, 0, -gsd, y), "EPSG:32638", gsd),
        sizes,
        st.floats(-1e6, 1e6),
        st.floats(-1e6, 9e6),
        st.floats(0.2, 3),
    )
    return st.one_of(st.builds(types.Grid, sizes), placed)


@given(grids(), st.floats(16, 200), st.integers(0, 2**32 - 1))
@hypothesis_settings(max_examples=80, deadline=None)
def test_sums_over_squares_are_those_of_the_scene(grid: types.Grid, side: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = change(grid, rng)
    places = rng.uniform(-20, np.array(grid.shape) + 20, (12, 2))
    buildings = tuple(building(*rc, str(rng.choice(CLASSES))) for rc in places)
    asked = (
        SummarySettings(cell_px=int(side)) if grid.crs is None else SummarySettings(cell_m=side * grid.gsd_m)
    )
    if asked.cell_m is not None and squares.LEAST_PX > asked.cell_m / grid.gsd_m:
        return
    found = squares.count(drawn, buildings, grid, asked).squares
    seen = summary.amounts(drawn, grid)
    assert sum(s.total_px for s in found) == seen.total_px
    assert sum(s.analysed_px for s in found) == seen.analysed_px
    assert sum(s.structural_px for s in found) == seen.structural_px
    assert sum(s.other_px for s in found) == seen.other_px
    for label in CLASSES:
        assert sum(s.buildings[label] for s in found) == summary.building_counts(buildings)[label]
    covered = np.zeros(grid.shape, int)
    for s in found:
        top, left, bottom, right = s.bbox_rc
        covered[top:bottom, left:right] += 1
        assert s.total_px == (bottom - top) * (right - left) > 0
    assert (covered == 1).all()


def test_squares_begin_at_whole_multiples_in_the_map() -> None:
    grid = types.Grid((400, 400), Affine(0.5, 0, 614_030.0, 0, -0.5, 4_504_020.0), "EPSG:32638", 0.5)
    found = squares.count(change(grid, np.random.default_rng(0)), (), grid, SummarySettings(cell_m=100))
    assert found.side_m == 100 and found.side_px == 200
    edges = {s.bbox_rc for s in found.squares}
    assert (0, 0, 40, 140) in edges and (40, 140, 240, 340) in edges and (240, 340, 400, 400) in edges


def test_no_share_where_too_little_was_analysed() -> None:
    square = types.Square(0, 0, (0, 0, 10, 10), 100, 49, 20, 0, {})
    assert summary.square_share(square, 20) is None
    seen = dataclasses.replace(square, analysed_px=50)
    assert summary.square_share(seen, 20) == 0.4


@pytest.mark.parametrize(
    ("grid", "asked", "says"),
    [
        (types.Grid((400, 400)), SummarySettings(cell_m=100), "--gsd"),
        (types.Grid((400, 400), gsd_m=10), SummarySettings(cell_m=100), "too small"),
        (types.Grid((40_000, 40_000), gsd_m=1), SummarySettings(cell_m=20), "at most"),
    ],
)
def test_what_cannot_be_summed_up_is_said(grid: types.Grid, asked: SummarySettings, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        squares.side_px(grid, asked)


def test_nothing_is_summed_up_unless_asked() -> None:
    grid = types.Grid((40, 40))
    assert squares.count(change(grid, np.random.default_rng(0)), (), grid, SummarySettings()) is None


def summed(**asked: float) -> types.Comparison:
    made = scenes.comparison(buildings=scenes.buildings((320, 480)))
    assert made.change is not None
    found = squares.count(made.change, made.buildings, made.pair.grid, SummarySettings(**asked))
    return dataclasses.replace(made, grid_summary=found)


def test_the_file_of_squares_says_what_results_say(tmp_path: Path) -> None:
    comparison = summed(cell_px=64)
    outputs.write_results(comparison, tmp_path)
    features = json.loads((tmp_path / "grid.geojson").read_text())["features"]
    told = json.loads(outputs.results_json(comparison))["grid_summary"]
    assert len(features) == len(told["squares"]) == 5 * 8
    first = features[0]["properties"]
    assert first["analysed_share"] == told["squares"][0]["analysed_share"]
    assert sum(f["properties"]["visible_change"] for f in features) == 1
    assert all(shape(f["geometry"]).is_valid for f in features)
    assert {f["properties"]["structural_share_of_analysed"] is None for f in features} == {
        True,
        False,
    } or all(f["properties"]["analysed_share"] >= 0.5 for f in features)


def test_the_picture_of_squares_is_the_same_whenever_it_is_drawn() -> None:
    comparison = summed(cell_px=64)
    assert figure_squares.png(comparison) == figure_squares.png(comparison)
    tall = dataclasses.replace(comparison.pictures, before=comparison.pictures.before[:, :20])
    assert figure_squares.png(dataclasses.replace(comparison, pictures=tall))


def test_colours_get_darker_with_the_share() -> None:
    assert [figure_squares.step(x) for x in (0, 1e-9, 0.01, 0.011, 0.5, 1)] == [0, 1, 1, 2, 4, 5]
    light = [int(color[1:3], 16) for _, color, _ in figure_squares.STEPS]
    assert light == sorted(light, reverse=True)
