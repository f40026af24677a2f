"""Scale and place as stated: what a bar measures, how wrong it may be, and what contradicts itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import scenes
from hypothesis import given
from hypothesis import strategies as st

from damagediff import cli_values, errors, provenance, scale, summary, types, wording

CASE = types.Case(types.Source(Path("a.png")), types.Source(Path("b.png")))


def test_a_bar_measures_a_pixel_and_its_doubt() -> None:
    bar = scale.scale_bar("10,20,310,420,250,2")
    assert bar.length_px == pytest.approx(500)
    assert bar.gsd_m == pytest.approx(0.5)
    assert bar.relative_uncertainty == pytest.approx(4 / 500)


def test_each_end_is_read_to_a_pixel_unless_told() -> None:
    assert scale.scale_bar("0,0,100,0,50").uncertainty_px == 1


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_misread_bar_stays_within_its_doubt(first: float, second: float) -> None:
    read = provenance.ScaleBar(((10 + first, 5), (110 + second, 5)), 50.0, 1.0)
    assert abs(read.gsd_m / 0.5 - 1) <= read.relative_uncertainty / (1 - read.relative_uncertainty)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5,6,7",
        "a,b,c,d,e",
        "0,0,0,0,50",
        "0,0,100,0,0",
        "0,0,100,0,-5",
        "0,0,100,0,nan",
        "0,0,inf,0,50",
        "0,0,100,0,50,-1",
        "0,0,7,0,50",
        "0,0,100,0,50,13",
        "0,0,100,0,1e300",
    ],
)
def test_what_is_no_bar_is_refused(text: str) -> None:
    with pytest.raises(errors.SettingsError, match="--scale-bar"):
        scale.scale_bar(text)


@given(st.text(max_size=60))
def test_no_text_is_a_crash(text: str) -> None:
    try:
        bar = scale.scale_bar(text)
    except errors.SettingsError:
        return
    assert 0 < bar.gsd_m < 1e8


def pair(georeferenced: bool = False) -> types.Pair:
    return scenes.pair((200, 300), georeferenced, None, True)


def test_the_doubt_of_the_bar_reaches_areas_and_figures() -> None:
    images = pair()
    case = dataclasses.replace(CASE, scale_bar=scale.scale_bar("10,20,210,20,100"))
    on = scale.working_grid(case, images.before, images.after)
    assert (on.gsd_m, on.gsd_source) == (0.5, "scale bar")
    assert on.gsd_relative_uncertainty == pytest.approx(0.01)
    assert on.area_relative_uncertainty == pytest.approx(0.02)
    assert "lengths ± 1.0 %, areas ± 2.0 %" in wording.scale(on)
    told = scenes.comparison()
    told = dataclasses.replace(
        told, pair=dataclasses.replace(told.pair, grid=dataclasses.replace(on, shape=told.pair.grid.shape))
    )
    assert "m² ± 2.0 %" in summary.finding(told)


def test_a_stated_size_has_no_known_doubt() -> None:
    images = pair()
    on = scale.working_grid(dataclasses.replace(CASE, gsd_m=0.5), images.before, images.after)
    assert (on.gsd_source, on.gsd_relative_uncertainty) == ("stated", None)
    assert "±" not in wording.scale(on)


def test_a_bar_outside_the_picture_is_refused() -> None:
    images = pair()
    case = dataclasses.replace(CASE, scale_bar=scale.scale_bar("10,20,310,20,100"))
    with pytest.raises(errors.SettingsError, match=r"\(310, 20\) lies outside"):
        scale.working_grid(case, images.before, images.after)


def test_a_bar_on_a_georeferenced_image_is_refused() -> None:
    images = pair(georeferenced=True)
    case = dataclasses.replace(CASE, scale_bar=scale.scale_bar("10,20,210,20,100"))
    with pytest.raises(errors.SettingsError, match="tells its own"):
        scale.working_grid(case, images.before, images.after)


@pytest.mark.parametrize(
    ("changes", "source", "names"),
    [
        (
            {"gsd_m": 0.5, "scale_bar": provenance.ScaleBar(((0, 0), (100, 0)), 50)},
            {},
            "--gsd and --scale-bar",
        ),
        ({"gsd_m": 0.5}, {"map_points": Path("p.csv")}, "--gsd and --georeference"),
        ({}, {"map_points": Path("p.csv"), "crs": "EPSG:32638"}, "--before-crs"),
        ({}, {"map_points": Path("p.csv"), "world_file": Path("w")}, "--before-world-file"),
    ],
)
def test_contradictions_are_told_before_any_file_is_opened(changes, source, names) -> None:
    before = dataclasses.replace(CASE.before, **source)
    with pytest.raises(errors.SettingsError, match=names):
        scale.check(dataclasses.replace(CASE, before=before, **changes))


def test_a_place_is_latitude_and_longitude() -> None:
    assert cli_values.place("40.68, 46.36") == (40.68, 46.36)
    assert cli_values.place(None) is None


@pytest.mark.parametrize("text", ["", "40.68", "40,46,1", "north", "91,0", "0,181", "nan,0", "0,inf"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(errors.SettingsError, match="--place"):
        cli_values.place(text)
