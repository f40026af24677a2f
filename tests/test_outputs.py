"""Run folders appear whole or not at all; result files keep their contract and never lie by rounding."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import scenes
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import shape

from damagediff import exchange, folders, grid, json_text, lonlat, outputs, summary, tables, types, wording
from damagediff.errors import OutputError


def left_over(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def a_run(out: Path, text: str = "first") -> None:
    """A run folder with one file, listed in its manifest."""
    with folders.run_folder(out) as folder:
        (folder / "results.json").write_text(text)
        (folder / "manifest.json").write_text(json.dumps({"outputs": [{"name": "results.json"}]}))


def test_a_run_appears_when_it_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "run"
    with folders.run_folder(out) as folder:
        (folder / "a.txt").write_text("a")
        assert not out.exists() and folder.parent == out.parent
    assert (out / "a.txt").read_text() == "a"
    assert not left_over(out.parent)


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folders.run_folder(tmp_path / "run") as folder:
        (folder / "a.txt").write_text("a")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_failed_run_keeps_the_old_one(tmp_path: Path) -> None:
    a_run(tmp_path / "run")
    with pytest.raises(ZeroDivisionError), folders.run_folder(tmp_path / "run", overwrite=True):
        raise ZeroDivisionError
    assert (tmp_path / "run" / "results.json").read_text() == "first"
    assert not left_over(tmp_path)


def test_an_existing_run_is_replaced_only_when_asked(tmp_path: Path) -> None:
    a_run(tmp_path / "run")
    with pytest.raises(OutputError, match="already exists"), folders.run_folder(tmp_path / "run"):
        pytest.fail("must not start")
    with folders.run_folder(tmp_path / "run", overwrite=True) as folder:
        (folder / "new.txt").write_text("second")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["new.txt"]
    assert not left_over(tmp_path)


def test_an_empty_folder_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with folders.run_folder(tmp_path / "run", overwrite=True) as folder:
        (folder / "a.txt").write_text("a")
    assert (tmp_path / "run" / "a.txt").exists()


def test_foreign_files_are_never_deleted(tmp_path: Path) -> None:
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    (holiday / "beach.jpg").write_text("x")
    with (
        pytest.raises(OutputError, match="does not look like a run"),
        folders.run_folder(holiday, overwrite=True),
    ):
        pytest.fail("must not start")
    a_run(tmp_path / "run")
    (tmp_path / "run" / "my notes.txt").write_text("x")
    with (
        pytest.raises(OutputError, match="my notes.txt"),
        folders.run_folder(tmp_path / "run", overwrite=True),
    ):
        pytest.fail("must not start")
    assert (holiday / "beach.jpg").exists() and (tmp_path / "run" / "my notes.txt").exists()


def test_links_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name, why in (("link", "symbolic link"), ("dangling", "symbolic link"), ("file", "not a folder")):
        with pytest.raises(OutputError, match=why), folders.run_folder(tmp_path / name, overwrite=True):
            pytest.fail("must not start")


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left") as caught, folders.run_folder(tmp_path / "run"):
        raise OSError(28, "No space left on device")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_a_missing_file_of_ours_is_a_bug_not_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), folders.run_folder(tmp_path / "run"):
        (tmp_path / "elsewhere.txt").read_text()


def test_the_parent_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"), folders.run_folder(tmp_path / "file" / "run"):
        pytest.fail("must not start")


def test_a_rival_that_was_faster_wins(tmp_path: Path) -> None:
    with pytest.raises(OutputError), folders.run_folder(tmp_path / "run") as folder:
        (folder / "late.txt").write_text("x")
        a_run(tmp_path / "run")
    assert (tmp_path / "run" / "results.json").read_text() == "first"
    assert not left_over(tmp_path)


def test_what_killed_runs_left_is_swept_away(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    machine = folders._machine()
    dead = tmp_path / f".run.partial-{machine}-{gone.pid}-0123abcd"
    kept = [
        tmp_path / f".run.partial-{machine}-{os.getpid()}-0123abcd",
        tmp_path / f".run.partial-elsewhere-{gone.pid}-0123abcd",
        tmp_path / f".run2.partial-{machine}-{gone.pid}-0123abcd",
        tmp_path / f".run.replaced-{gone.pid}-0123abcd",
    ]
    for path in (dead, *kept):
        path.mkdir()
        (path / "a.tif").write_text("x")
    a_run(tmp_path / "run")
    assert not dead.exists() and all((path / "a.tif").exists() for path in kept)


def test_a_stop_while_replacing_keeps_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(tmp_path / "run")
    rename = os.rename

    def stop(source: Path, target: Path) -> None:
        if "partial" in str(source):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(folders.os, "rename", stop)
    monkeypatch.setattr(exchange, "_at_once", lambda one, other: False)  # as on systems that have no call
    with pytest.raises(KeyboardInterrupt), folders.run_folder(tmp_path / "run", overwrite=True):
        pass
    assert (tmp_path / "run" / "results.json").read_text() == "first" and not left_over(tmp_path)


def test_an_output_error_inside_names_the_run(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, folders.run_folder(tmp_path / "run"):
        raise OutputError("a.tif: cannot be written")
    assert str(caught.value) == f"{tmp_path / 'run'}: a.tif: cannot be written"


def test_names_that_no_disk_takes_are_one_line(tmp_path: Path) -> None:
    for name in ("out\udcff", "x" * 300):
        with pytest.raises(OutputError), folders.run_folder(tmp_path / name):
            pytest.fail("must not start")
        with pytest.raises(OutputError):
            folders.check_new_file(tmp_path / f"{name}.tif", overwrite=False)


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def results(comparison: types.Comparison) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in JSON")

    return json.loads(outputs.results_json(comparison), parse_constant=refuse)


def test_results_keep_their_contract() -> None:
    found = results(scenes.comparison())
    assert set(found) >= {
        "format",
        "verdict",
        "pair",
        "alignment",
        "change",
        "regions",
        "buildings",
        "trust",
        "settings",
        "versions",
    }
    assert found["format"] == 1 and found["verdict"] == "comparable"
    alignment = found["alignment"]
    assert alignment["accepted"] is True and alignment["tie_points"] == {
        "fit": 60,
        "check": 20,
        "rejected": 0,
    }
    assert alignment["moving_from_reference"] == [[1, 0, 2], [0, 1, -1.5], [0, 0, 1]]
    assert alignment["ce90_m"] == pytest.approx(alignment["ce90_px"] * scenes.GSD_M)
    assert {
        "threshold",
        "changed_share_of_analysed",
        "analysed_share",
        "changed_area_m2",
        "cloud_share_after",
    } <= set(found["change"])
    assert found["change"]["calibration"]["unset"] is None
    keys = {"id", "tier", "area_px", "area_m2", "score_mean", "score_max", "flags", "bbox_rc"}
    assert all(keys <= set(region) and "outline_rc" not in region for region in found["regions"])
    assert {
        "false_alarms_per_km2",
        "false_alarms_per_megapixel",
        "detection_limit_px",
        "detection_limit_m",
    } <= set(found["trust"])
    assert set(found["trust"]["checks"][0]) == {"name", "question", "measured", "limit", "unit", "passed"}


def test_without_scale_there_are_no_metres() -> None:
    found = results(scenes.comparison(georeferenced=False))
    assert found["alignment"]["ce90_m"] is None and found["change"]["changed_area_m2"] is None
    assert found["pair"]["grid"]["crs"] is None


def test_a_refused_pair_says_nothing_of_change(tmp_path: Path) -> None:
    refused = scenes.comparison(accepted=False)
    outputs.write_results(refused, tmp_path)
    found = results(refused)
    assert found["verdict"] == "not comparable" and found["change"] is None and found["regions"] == []
    assert found["alignment"]["accepted"] is False and found["alignment"]["rmse_px"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.json", "tie_points.csv"]


def test_how_the_work_is_cut_up_does_not_change_the_result() -> None:
    one = scenes.comparison()
    other = dataclasses.replace(one, settings=one.settings | {"workers": 7, "tile_px": 64})
    assert outputs.results_json(one) == outputs.results_json(other)
    assert outputs.evidence_id(one) == hashlib.sha256(outputs.results_json(other).encode()).hexdigest()[:12]


def test_tie_points_are_listed_in_order(tmp_path: Path) -> None:
    comparison = scenes.comparison()
    outputs.write_results(comparison, tmp_path)
    rows = table(tmp_path / "tie_points.csv")
    points = comparison.alignment.tie_points
    assert [row["role"] for row in rows] == list(points.role)
    read = np.array([[float(row["reference_row_px"]), float(row["reference_col_px"])] for row in rows])
    np.testing.assert_allclose(read, points.reference_rc, rtol=1e-5)
    assert list(rows[0])[-1] == "origin" and {row["origin"] for row in rows} == {"measured"}
    marked = dataclasses.replace(points, by_hand=np.arange(len(points)) == 3)
    tables.write_tie_points(marked, tmp_path / "marked.csv")
    origins = [row["origin"] for row in table(tmp_path / "marked.csv")]
    assert origins[3] == "hand" and origins.count("measured") == len(points) - 1


def test_areas_are_counted_on_the_mask() -> None:
    change = scenes.change_map(
        (10, 10), (), cell_px=4
    )  # 3 x 3 cells: the last ones hold 4 x 2, 2 x 4 and 2 x 2 px
    mask = np.full((3, 3), types.NOT_ANALYSED, np.uint8)
    mask[0, 0], mask[2, 2], mask[1, 1] = types.STRUCTURAL_CHANGE, types.OTHER_CHANGE, types.NO_CHANGE
    seen = summary.amounts(dataclasses.replace(change, changed=mask), types.Grid((10, 10), gsd_m=0.5))
    assert (seen.analysed_px, seen.structural_px, seen.other_px, seen.total_px) == (36, 16, 4, 100)
    assert seen.area_m2(seen.changed_px) == pytest.approx(5.0)


@pytest.mark.parametrize("georeferenced", [True, False])
def test_regions_are_valid_geojson(tmp_path: Path, georeferenced: bool) -> None:
    comparison = scenes.comparison(georeferenced=georeferenced)
    outputs.write_results(comparison, tmp_path)
    collection = json.loads((tmp_path / "regions.geojson").read_text())
    assert len(collection["features"]) == len(comparison.regions)
    for feature in collection["features"]:
        rings = feature["geometry"]["coordinates"]
        polygon = shape(feature["geometry"])
        assert polygon.is_valid and len(rings) == 2
        assert all(ring[0] == ring[-1] for ring in rings)
        assert polygon.exterior.is_ccw and not polygon.interiors[0].is_ccw
        assert ("crs" in feature["properties"]) is not georeferenced
    assert ("properties" in collection) is not georeferenced


def test_regions_lie_where_they_are(tmp_path: Path) -> None:
    comparison = scenes.comparison(count=1)
    outputs.write_results(comparison, tmp_path)
    polygon = shape(json.loads((tmp_path / "regions.geojson").read_text())["features"][0]["geometry"])
    back = grid.grid_from_lonlat(comparison.pair.grid, np.array(polygon.exterior.coords))
    top, left, bottom, right = comparison.regions[0].bbox_rc
    assert (
        np.abs(back.min(0) - [top, left]).max() < 0.05 and np.abs(back.max(0) - [bottom, right]).max() < 0.05
    )
    assert 46 < polygon.centroid.x < 48 and 40 < polygon.centroid.y < 41


def test_pixel_coordinates_put_the_column_first() -> None:
    square = ((1.0, 7.0), (1.0, 9.0), (3.0, 9.0), (3.0, 7.0))
    geometry = lonlat.geometry(((square,),), types.Grid((20, 20)))
    assert geometry is not None
    assert shape(json.loads(json_text.to_json(geometry))).bounds == (7, 1, 9, 3)


def test_buildings_are_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    shape_rc = (320, 480)
    comparison = scenes.comparison(shape_rc, buildings=scenes.buildings(shape_rc))
    case = dataclasses.replace(comparison.case, footprints=Path("buildings.geojson"))
    outputs.write_results(dataclasses.replace(comparison, case=case), tmp_path)
    rows = table(tmp_path / "buildings.csv")
    assert [row["id"] for row in rows] == ["w1", "'=2+3", "-7"]  # -7 is a number
    assert rows[2]["score"] == "" and rows[1]["label"] == "no visible change above the limit"
    assert (
        rows[0]["p_value"] == "0.002" and rows[0]["shift_row_px"] == "1.5" and rows[0]["why"] == "it was seen"
    )
    assert {row["analyst_grade"] for row in rows} == {""} and {row["grade_scale"] for row in rows} == {
        "none chosen"
    }
    assert list(rows[0])[-1] == "area_px" and [row["area_px"] for row in rows] == ["600", "", ""]
    features = json.loads((tmp_path / "buildings.geojson").read_text())["features"]
    assert features[0]["properties"]["analyst_grade"] is None and features[0]["properties"]["area_px"] == 600
    assert features[1]["properties"]["id"] == "=2+3" and features[2]["properties"]["score"] is None


def test_the_shift_of_footprints_is_told_in_pixels_and_metres() -> None:
    whole = types.Shift(None, (3.0, -4.0), 40, 0.1, 9.0, "shown by the edges of the before image")
    block = types.Shift((0, 1), (0.0, 0.0), 14, None, 2.0, "no common shift could be shown")
    fitted = types.FootprintFit(whole, (block,), 512)
    comparison = scenes.comparison(footprint_fit=fitted)
    told = json.loads(outputs.results_json(comparison))["footprint_fit"]
    gsd_m = comparison.pair.grid.gsd_m
    assert told["scene"]["shift_rc"] == [3, -4] and told["scene"]["shift_m"] == pytest.approx(5 * gsd_m)
    assert told["blocks"][0]["block"] == [0, 1] and told["block_px"] == 512
    words = summary.shift(whole, comparison.pair.grid)
    assert "down" in words and "left" in words and "standard error" in words
    assert summary.shift(block, comparison.pair.grid) == "no common shift could be shown"


def test_coarse_pixels_offer_no_grades() -> None:
    comparison = scenes.comparison(georeferenced=False, gsd_m=3.0)
    assert summary.grade_scale(comparison).startswith("none")
    assert "UNOSAT" in summary.grade_scale(
        scenes.comparison(settings={"buildings": {"grade_scale": "unosat"}})
    )


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_json_numbers_are_finite_and_close(value: float) -> None:
    read = json.loads(json_text.to_json({"value": value}))["value"]
    if math.isfinite(value):
        assert read == pytest.approx(value, rel=1e-5)
        assert math.copysign(1, read) == 1 or read < 0  # no minus zero
    else:
        assert read is None


def test_json_takes_what_files_bring() -> None:
    awkward = {
        "name": "bad\udcff.tif",
        "when": datetime(2020, 10, 4, tzinfo=UTC),
        "n": np.int64(3),
        "place": "Gəncə",
    }
    text = json_text.to_json(awkward)
    assert json.loads(text) == {
        "name": "bad?.tif",
        "when": "2020-10-04T00:00:00+00:00",
        "n": 3,
        "place": "Gəncə",
    }
    assert "Gəncə" in text and list(json.loads(text)) == sorted(awkward)


@given(st.floats(0, 1))
def test_shares_never_lie(value: float) -> None:
    words = wording.share(value)
    assert (words == "0 %") == (value == 0) and (words == "100 %") == (value == 1)
    if words[0] not in "<>":
        assert float(words.split()[0]) / 100 == pytest.approx(value, abs=0.0051)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0 %"),
        (1e-9, "<0.1 %"),
        (0.0078, "0.8 %"),
        (0.35, "35 %"),
        (0.9995, ">99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_shares_in_words(value: float, words: str) -> None:
    assert wording.share(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (0.66, "0.66"),
        (1234, "1,200"),
        (19.4, "19"),
        (0.00001, "<0.0001"),
        (0.999, "1.0"),
        (-3.14, "-3.1"),
    ],
)
def test_numbers_in_words(value: float, words: str) -> None:
    assert wording.number(value) == words


@pytest.mark.parametrize(
    ("value", "words"), [(1.0, "1.00"), (0.9999, ">0.99"), (0.001, "<0.01"), (0.57, "0.57")]
)
def test_scores_in_words(value: float, words: str) -> None:
    assert wording.score(value) == words


@given(st.floats(1e-12, 1e12))
def test_no_number_is_written_as_zero(value: float) -> None:
    assert any(digit in wording.number(value) for digit in "123456789")


@pytest.mark.parametrize(
    ("m2", "words"), [(None, "4,321 px"), (82.0, "82 m²"), (19_400, "1.9 ha"), (2.3e6, "2.3 km²")]
)
def test_areas_in_words(m2: float | None, words: str) -> None:
    assert wording.area(4321, m2) == words


def acquired(day: int | None, hour: int = 0, precision: types.DatePrecision = "day") -> types.Acquisition:
    when = None if day is None else datetime(2020, 10, day, hour, tzinfo=UTC)
    return types.Acquisition(when, precision, "test")


def test_a_time_is_never_more_than_a_bracket() -> None:
    assert wording.bracket(acquired(4), acquired(13)) == "between 2020-10-04 and 2020-10-13 (9 days)"
    assert wording.bracket(acquired(4, 7, "minute"), acquired(5, 9)) == (
        "between 2020-10-04 07:00 UTC and 2020-10-05 (1 day)"
    )
    assert "same day" in wording.bracket(acquired(4, 7), acquired(4, 9))
    assert "check the dates" in wording.bracket(acquired(13), acquired(4))
    assert "not known" in wording.bracket(acquired(None), acquired(4))
    assert "not known" in wording.bracket(acquired(None), acquired(None))
    assert wording.date(acquired(None)) == "date not known"
    assert wording.date(acquired(4, 7, "minute")) == "4 Oct 2020, 07:00 UTC"


@given(st.text())
def test_names_cannot_play_tricks(text: str) -> None:
    shown = wording.plain(text)
    assert not set(shown) & set("\u202e\u2066\u200f\u061c\x00\x1b\n\r\u2028\ufeff")
    shown.encode("utf-8")
    assert len(shown) <= 300


def test_names_in_any_script_stay() -> None:
    for name in ("Gəncə 11 oktyabr", "Գանձակ", "گنجه می‌رود", "Гянджа", "甘哲"):
        assert wording.plain(name) == name


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_read_only_place_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"), folders.run_folder(tmp_path / "run"):
        pytest.fail("must not start")
    tmp_path.chmod(0o700)
