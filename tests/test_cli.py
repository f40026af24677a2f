"""The command line end to end: run folders, exit codes, the same bytes again, and one line for bad input."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import scenes
from affine import Affine
from click.testing import CliRunner

from damagediff import align_fit, cli, pipeline, settings, synthetic
from damagediff.types import Case, Source

UTM = {"crs": "EPSG:32638", "transform": Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)}
TRUTH = np.array([[1, 0.002, 2.25], [-0.002, 1, -3.5], [0, 0, 1.0]])
BURIED = (slice(150, 200), slice(160, 220))
"""Where the after image shows something else."""
CONTRACT = {
    "report.html",
    "report.pdf",
    "figure.png",
    "figure_clean.png",
    "figure.svg",
    "figure_clean.svg",
    "after_aligned.tif",
    "before.tif",
    "change_score.tif",
    "change_mask.tif",
    "geometry.tif",
    "tie_points.csv",
    "regions.geojson",
    "results.json",
    "manifest.json",
    "comparison.zip",
    "SHA256SUMS",
    "ro-crate-metadata.json",
    "custody.jsonl",
}


def houses(seed, shape=(360, 400)):
    """Streets, roofs and gardens in three bands: structure on two perpendicular directions."""
    rng = np.random.default_rng(seed)
    ground = synthetic.textured(rng, shape) * 0.5 + 40
    roofs = np.zeros(shape, np.float32)
    for row in range(10, shape[0] - 30, 36):
        for col in range(8, shape[1] - 30, 40):
            top, left = row + rng.integers(0, 8), col + rng.integers(0, 8)
            roofs[top : top + 22, left : left + 26] = rng.uniform(120, 230)
            roofs[top + 11 : top + 22, left : left + 26] *= 0.8
    grey = np.where(roofs > 0, roofs + 0.2 * ground, ground)
    return np.stack([grey, grey * 0.95, grey * 0.9]).astype(np.float32)


@pytest.fixture(scope="module")
def scene():
    """(before, after): the after image displaced by TRUTH, brighter, with one block of rubble.

    With ripples of its own: without them it would be an edited copy of the before image, and called one.
    """
    before = houses(1)
    rng = np.random.default_rng(2)
    rubble = rng.normal(0, 45, before.shape).astype(np.float32) + 130
    changed = before.copy()
    changed[:, BURIED[0], BURIED[1]] = rubble[:, BURIED[0], BURIED[1]]
    after = np.nan_to_num(synthetic.warp(changed, TRUTH) * 0.9 + 18)
    after += scenes.ripples(after.shape[1:], rng)
    return as_bytes(before + rng.normal(0, 2, before.shape)), as_bytes(after + rng.normal(0, 2, after.shape))


def as_bytes(data):
    return np.clip(np.rint(data), 1, 255).astype(np.uint8)


@pytest.fixture
def pair(make_raster, scene):
    return make_raster("before.tif", scene[0], **UTM), make_raster("after.tif", scene[1], **UTM)


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def compare(pair, out, *options, selftest=False):
    """One run; without the self-tests, which have tests of their own, unless asked for."""
    return run("compare", *pair, "-o", out, "-q", *options, *([] if selftest else ["--no-selftest"]))


def results(out):
    return json.loads((out / "results.json").read_text(encoding="utf-8"))


def test_a_run_folder_is_complete_and_right(pair, tmp_path):
    out = tmp_path / "run"
    done = compare(pair, out, "--before-date", "2020-10-04", "--after-date", "2020-10-13", selftest=True)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == CONTRACT
    found = results(out)
    corners = np.array([[20, 20], [20, 380], [340, 20], [340, 380]], float)
    matrix = np.array(found["alignment"]["moving_from_reference"])
    apart = align_fit.apply(matrix, corners) - align_fit.apply(TRUTH, corners)
    assert np.hypot(*apart.T).max() < 0.5
    assert found["alignment"]["rmse_px"] < 0.5
    tops = [region for region in found["regions"] if region["tier"] == "structural"]
    row, col = tops[0]["centroid_rc"]
    assert BURIED[0].start < row < BURIED[0].stop and BURIED[1].start < col < BURIED[1].stop
    assert len(found["regions"]) <= 2
    assert "between 2020-10-04 and 2020-10-13" in (out / "report.html").read_text(encoding="utf-8")


def test_rasters_agree_with_one_another(pair, scene, tmp_path):
    out = tmp_path / "run"
    compare(pair, out)
    read = {}
    for name in ("before", "after_aligned", "change_score", "change_mask", "geometry"):
        with rasterio.open(out / f"{name}.tif") as file:
            read[name] = file.read()
            assert file.crs.to_epsg() == 32638
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert np.array_equal(read["before"], scene[0])
    score, mask = read["change_score"][0], read["change_mask"][0]
    assert np.array_equal(np.isnan(score), mask == 255)
    assert np.nanmin(score) >= 0 and np.nanmax(score) <= 1
    assert set(np.unique(mask)) <= {0, 1, 2, 255}
    assert (mask[BURIED] == 1).mean() > 0.5 and (mask == 1).sum() < 3 * 50 * 60
    row, col = 100, 120
    cell = read["geometry"][:, row // 16, col // 16]
    centre = np.array([row // 16 * 16 + 7.5, col // 16 * 16 + 7.5])
    assert cell == pytest.approx(align_fit.apply(TRUTH, centre), abs=0.3)


def test_the_same_run_twice_gives_the_same_bytes(pair, tmp_path):
    folders = []
    for name, options in (("one", ["--workers", "1"]), ("two", ["--workers", "3"])):
        (tmp_path / name).mkdir()
        folders.append(tmp_path / name / "run")
        assert compare(pair, folders[-1], *options, selftest=True).exit_code == 0
    timed = {"manifest.json", "custody.jsonl", "results.json", "ro-crate-metadata.json"}
    for name in sorted(CONTRACT - timed):
        first, second = ((folder / name).read_bytes() for folder in folders)
        assert first == second, name
    first, second = (results(folder) for folder in folders)
    assert first == second


@pytest.fixture(scope="module")
def plain_arrays(tmp_path_factory, scene):
    folder = tmp_path_factory.mktemp("plain")
    paths = []
    for name, pixels in zip(("before.png", "after.png"), scene, strict=True):
        path = folder / name
        with rasterio.open(
            path, "w", driver="PNG", count=3, height=pixels.shape[1], width=pixels.shape[2], dtype="uint8"
        ) as out:
            out.write(pixels)
        paths.append(path)
    return paths


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_tile_size_does_not_change_the_result(plain_arrays, tmp_path):
    case = Case(Source(plain_arrays[0]), Source(plain_arrays[1]))
    found = []
    for tile_px in (64, 1024):
        folder = tmp_path / str(tile_px)
        folder.mkdir()
        found.append(pipeline.compare(case, replace(settings.Settings(), tile_px=tile_px), folder))
    small, large = found
    assert np.array_equal(small.change.score, large.change.score, equal_nan=True)
    assert np.array_equal(small.change.changed, large.change.changed)
    assert small.regions == large.regions
    assert small.change.calibration == large.change.calibration
    for name in ("before.tif", "after_aligned.tif", "change_score.tif", "geometry.tif"):
        first, second = ((tmp_path / str(n) / name).read_bytes() for n in (64, 1024))
        assert first == second, name


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_georeference_there_are_no_metres(plain_arrays, tmp_path):
    out = tmp_path / "run"
    assert compare(plain_arrays, out).exit_code == 0
    found = results(out)
    assert found["alignment"]["ce90_m"] is None and found["change"]["changed_area_m2"] is None
    assert all(region["area_m2"] is None for region in found["regions"])
    scaled = tmp_path / "scaled"
    assert compare(plain_arrays, scaled, "--gsd", "0.5").exit_code == 0
    assert results(scaled)["regions"][0]["area_m2"] == results(scaled)["regions"][0]["area_px"] * 0.25


def test_footprints_give_a_table(pair, tmp_path):
    from damagediff import grid
    from damagediff.types import Grid

    on = Grid((360, 400), UTM["transform"], UTM["crs"], 0.5)
    features = []
    for name, (row, col) in (("gone", (160, 170)), ("kept", (270, 60))):
        ring = np.array([[0, 0], [24, 0], [24, 28], [0, 28], [0, 0]], float) + [row, col]
        lonlat = grid.lonlat_from_grid(on, ring).tolist()
        shape = {"type": "Polygon", "coordinates": [lonlat]}
        features.append({"type": "Feature", "properties": {"id": name}, "geometry": shape})
    path = tmp_path / "footprints.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    out = tmp_path / "run"
    done = compare(pair, out, "--footprints", path, "--cell", "50")
    assert done.exit_code == 0, done.output
    found = results(out)["grid_summary"]
    squares = json.loads((out / "grid.geojson").read_text(encoding="utf-8"))["features"]
    assert found["side_m"] == 50 and len(squares) == len(found["squares"])
    assert sum(s["analysed_px"] for s in found["squares"]) * 0.25 == pytest.approx(
        results(out)["change"]["analysed_share"] * 360 * 400 * 0.25
    )
    assert sum(sum(s["buildings"].values()) for s in found["squares"]) == 2
    assert "Change in squares of 50" in (out / "report.html").read_text(encoding="utf-8")
    gone, kept = results(out)["buildings"]
    assert gone["score"] > 0.5 > kept["score"]
    assert gone["label"] == "visible change" and gone["shift_rc"] == [0, 0]
    assert "only 2 of the outlines" in results(out)["footprint_fit"]["scene"]["reason"]
    assert (out / "buildings.csv").is_file() and (out / "buildings.geojson").is_file()


def test_footprints_off_their_place_are_brought_back_whatever_the_tiles(pair, tmp_path):
    from damagediff import grid
    from damagediff.types import Grid

    on = Grid((360, 400), UTM["transform"], UTM["crs"], 0.5)
    rng, features, apart = np.random.default_rng(1), [], np.array([-4.0, 6.0])
    synthetic.textured(rng, (360, 400))  # as `houses` draws
    for row in range(10, 330, 36):
        for col in range(8, 370, 40):
            top, left = row + rng.integers(0, 8), col + rng.integers(0, 8)
            rng.uniform(120, 230)
            ring = np.array([[0, 0], [22, 0], [22, 26], [0, 26], [0, 0]]) + [top - 0.5, left - 0.5] + apart
            shape = {"type": "Polygon", "coordinates": [grid.lonlat_from_grid(on, ring).tolist()]}
            features.append({"type": "Feature", "properties": {}, "geometry": shape})
    path = tmp_path / "footprints.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    runs = {"whole": ("--workers", "1"), "tiles": ("--workers", "3", "--set", "tile_px=128"), "as_is": ()}
    for name, given in runs.items():
        extra = ("--no-footprint-fit",) if name == "as_is" else ()
        assert compare(pair, tmp_path / name, "--footprints", path, *given, *extra).exit_code == 0
    files = [(tmp_path / name / "buildings.geojson").read_bytes() for name in ("whole", "tiles")]
    assert files[0] == files[1]
    found = results(tmp_path / "whole")["footprint_fit"]["scene"]
    assert np.array(found["shift_rc"]) == pytest.approx(-apart, abs=1)
    assert results(tmp_path / "as_is")["footprint_fit"] is None


def test_another_place_is_refused_with_a_report_and_no_mask(pair, make_raster, tmp_path):
    elsewhere = make_raster("elsewhere.tif", as_bytes(houses(77)[:, ::-1, ::-1]), **UTM)
    out = tmp_path / "run"
    done = compare((pair[0], elsewhere), out)
    assert done.exit_code == 4, done.output
    assert "alignment refused" in done.output
    names = {path.name for path in out.iterdir()}
    assert {"report.html", "results.json", "manifest.json"} <= names
    assert not names & {"change_mask.tif", "change_score.tif", "regions.geojson"}
    found = results(out)
    assert found["verdict"] == "not comparable" and found["change"] is None and found["regions"] == []
    assert "not comparable" in (out / "report.html").read_text(encoding="utf-8")


def test_identical_files_say_so_and_show_no_change(pair, tmp_path):
    out = tmp_path / "run"
    done = compare((pair[0], pair[0]), out)
    assert done.exit_code == 0, done.output
    assert results(out)["regions"] == []
    assert "one picture twice" in done.output
    assert "identical" in (out / "report.html").read_text(encoding="utf-8")


def test_threshold_and_smallest_region_are_reached_from_the_command_line(pair, tmp_path):
    out = tmp_path / "run"
    for options, rule in (
        ((), "calibrated between the pair's own floor and ceiling"),
        (("--threshold", "otsu"), "Otsu's rule (1979)"),
        (("--threshold", "far:0.05"), "what 0.05 of the pair's own unchanged structure exceed"),
        (("--threshold", "0.42", "--hysteresis", "0.8"), "grow from there down to 0.336 (hysteresis)"),
    ):
        assert compare(pair, out, "--overwrite", *options).exit_code == 0
        change = results(out)["change"]
        assert rule in change["threshold_rule"]
        assert (
            change["min_region_rule"].startswith("80 m² by the settings") and change["min_region_px"] == 320
        )
    assert change["threshold"] == 0.42
    for area, least in (("50m2", 208), ("900 px", 912), ("120 m²", 480)):
        assert compare(pair, out, "--overwrite", "--min-region", area).exit_code == 0
        assert results(out)["change"]["min_region_px"] == least
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "480 px" in page or "120 m²" in page


def test_the_sensitivity_to_the_threshold_is_counted(pair, tmp_path):
    out = tmp_path / "run"
    assert compare(pair, out).exit_code == 0
    found = results(out)
    change = found["change"]
    low, used, high = change["sensitivity"]
    assert [entry["times"] for entry in (low, used, high)] == [0.8, 1, 1.2]
    assert used["threshold"] == change["threshold"] and used["changed_px"] == change["changed_area_px"]
    assert used["changed_area_m2"] == change["changed_area_m2"]
    assert used["structural_regions"] == sum(r["tier"] == "structural" for r in found["regions"])
    assert low["changed_px"] >= used["changed_px"] >= high["changed_px"] > 0
    assert compare(pair, out, "--overwrite", "--threshold", str(low["threshold"])).exit_code == 0
    lower = results(out)["change"]
    assert lower["changed_area_px"] == low["changed_px"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "At the threshold used" in page and "At 1.2 times the threshold" in page
    assert used["other_regions"] == sum(r["tier"] == "other" for r in found["regions"])
    assert compare(pair, out, "--overwrite", "--threshold", "0.9").exit_code == 0
    assert [entry["times"] for entry in results(out)["change"]["sensitivity"]] == [0.8, 1]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "At 1.2 times the threshold" not in page and "the score ends at 1" in page


@pytest.mark.parametrize(
    "options",
    [
        ("--threshold", "ostu"),
        ("--threshold", "1.5"),
        ("--hysteresis", "2"),
        ("--min-region", "80"),
        ("--min-region", "many m2"),
        ("--min-region", "1.2.3m2"),
        ("--min-region", "80 ha"),
    ],
)
def test_rules_that_are_none_are_exit_code_2(options, pair, tmp_path):
    done = compare(pair, tmp_path / "run", *options)
    assert done.exit_code == 2, done.output
    (line,) = done.output.strip().splitlines()
    assert line.startswith("damagediff: ") and not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_square_metres_need_the_ground_size_of_a_pixel(plain_arrays, tmp_path):
    done = compare(plain_arrays, tmp_path / "run", "--min-region", "80m2")
    assert done.exit_code == 2 and "--gsd" in done.output
    assert not (tmp_path / "run").exists()
    assert compare(plain_arrays, tmp_path / "run", "--min-region", "80m2", "--gsd", "0.5").exit_code == 0


def bad_inputs(tmp_path, make_raster, scene):
    """(name of the defect, path of an after image that has it)."""
    text = tmp_path / "text.tif"
    text.write_text("this is no image", encoding="utf-8")
    whole = make_raster("whole.png", scene[1])
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    far = UTM | {"transform": Affine(0.5, 0, 900_000, 0, -0.5, 4_504_000)}
    return {
        "missing": tmp_path / "missing.tif",
        "text": text,
        "truncated": truncated,
        "folder": tmp_path,
        "no overlap": make_raster("far.tif", scene[1], **far),
        "all black": make_raster("black.tif", np.zeros_like(scene[1]), **UTM),
        "tiny": make_raster("tiny.tif", scene[1][:, :10, :10], **UTM),
    }


@pytest.mark.parametrize(
    "defect", ["missing", "text", "truncated", "folder", "no overlap", "all black", "tiny"]
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_bad_input_is_one_line_and_exit_code_3(defect, pair, make_raster, scene, tmp_path):
    bad = bad_inputs(tmp_path, make_raster, scene)[defect]
    kept = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for images in ((pair[0], bad), (bad, pair[0])):
        done = compare(images, tmp_path / "out" / "run")
        assert done.exit_code == 3, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        (line,) = done.output.strip().splitlines()
        assert line.startswith("damagediff: ") and bad.name in line
    assert not any((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
    assert kept == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--set", "align.windw=3"], "align.windw"),
        (["--before-date", "11 October"], "--before-date"),
        (["--gsd", "-1"], "--gsd"),
        (["--settings", "nowhere.toml"], "nowhere.toml"),
        (["--before-bands", "red,green"], "band"),
    ],
)
def test_bad_options_are_named(options, says, pair, tmp_path):
    done = compare(pair, tmp_path / "run", *options)
    assert done.exit_code in (2, 3), done.output
    assert says in done.output and not (tmp_path / "run").exists()


def test_an_existing_folder_is_not_touched_without_leave(pair, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    (out / "mine.txt").write_text("keep", encoding="utf-8")
    done = compare(pair, out)
    assert done.exit_code == 6 and [path.name for path in out.iterdir()] == ["mine.txt"]


def test_results_on_stdout_are_only_json(pair, tmp_path):
    done = compare(pair, tmp_path / "run", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["format"] == 1


def test_info_says_what_an_image_is(pair):
    done = run("info", pair[0], "--json")
    (facts,) = json.loads(done.stdout)
    assert facts["name"] == "before.tif"
    assert "EPSG:32638" in done.stdout and done.exit_code == 0
    assert "before.tif" in run("info", pair[0]).stdout


def test_settings_are_printed_as_toml_that_is_accepted(tmp_path):
    done = run("settings", "--set", "align.window_px=96")
    path = tmp_path / "settings.toml"
    path.write_text(done.stdout, encoding="utf-8")
    assert settings.load(Path(path)).align.window_px == 96


def test_help_shows_examples_first():
    text = run("--help").output
    assert text.count("damagediff compare") == 3 or text.count("damagediff ") >= 3
    assert text.index("Examples") < text.index("Commands")


def test_a_hostile_name_stays_text_on_the_terminal(tmp_path):
    done = run("info", tmp_path / "\x1b]0;owned\x07\u202egnp.tif")
    assert done.exit_code == 3 and "\x1b" not in done.output and "\u202e" not in done.output
