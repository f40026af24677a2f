"""The command line under bad luck and bad will: one line, the right exit code, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from damagediff import cli, pipeline, synthetic

WORLD = "0.5\n0\n0\n-0.5\n614000.25\n4503999.75\n"


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.default_rng(3)
    data = synthetic.textured(rng, (224, 256))[None] * 0.6 + 50
    for row in range(6, 190, 30):
        for col in range(6, 220, 34):
            data[:, row + rng.integers(0, 6) :, col + rng.integers(0, 6) :][:, :18, :20] = rng.uniform(
                100, 240
            )
    return np.clip(np.rint(data), 1, 255).astype(np.uint8)


@pytest.fixture
def pictures(make_raster, pixels):
    noise = np.random.default_rng(4).integers(0, 4, pixels.shape).astype(np.uint8)
    return make_raster("before.png", pixels), make_raster("after.png", np.maximum(pixels, noise + 1))


def compare(pair, out, *options):
    arguments = ["compare", *pair, "-o", out, "-q", *options]
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def one_line(done, code):
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    (line,) = done.output.strip().splitlines()
    assert line.startswith("damagediff: ")
    return line


def geojson(path, *rings):
    shapes = [{"type": "Polygon", "coordinates": [ring]} for ring in rings]
    features = [{"type": "Feature", "properties": {}, "geometry": shape} for shape in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--before-date", "0001-01-01T00:00+14:00"], "--before-date"),
        (["--after-date", "9999-12-31T23:59-12:00"], "--after-date"),
        (["--before-crs", "EPSG:x"], "CRS EPSG:x"),
        (["--before-crs", "EPSG:999999"], "CRS EPSG:999999"),
    ],
)
def test_options_that_cannot_be(pictures, tmp_path, options, says):
    assert says in one_line(compare(pictures, tmp_path / "run", *options), 2)
    assert not (tmp_path / "run").exists()


def test_a_band_named_twice(make_raster, pixels, tmp_path):
    path = make_raster("rgb.png", np.repeat(pixels, 3, 0))
    done = compare((path, path), tmp_path / "run", "--before-bands", "red,red,red")
    assert "red named twice" in one_line(done, 3)


def test_a_wrong_epoch_is_told_at_once(pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "abc")
    monkeypatch.setattr(pipeline, "compare", lambda *_: pytest.fail("must not start"))
    assert "SOURCE_DATE_EPOCH" in one_line(compare(pictures, tmp_path / "run"), 2)


def test_a_name_that_is_no_text(pictures, tmp_path):
    one_line(compare(pictures, tmp_path / "out\udcff"), 6)
    one_line(compare((tmp_path / "a\udcff.tif", pictures[1]), tmp_path / "run"), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.png", "before.png"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not read everything")
def test_a_file_that_may_not_be_read_is_an_input_error(pictures, tmp_path):
    pictures[0].chmod(0)
    assert "before.png" in one_line(compare(pictures, tmp_path / "run"), 3)
    assert "before.png" in one_line(CliRunner().invoke(cli.main, ["info", str(pictures[0])]), 3)


def test_whether_it_may_be_read_is_not_asked_by_the_parser():
    kinds = [parameter.type for command in cli.main.commands.values() for parameter in command.params]
    assert not any(getattr(kind, "readable", False) for kind in kinds)


def test_the_run_folder_may_not_hold_an_input(pictures, tmp_path):
    assert "would replace the input" in one_line(compare(pictures, tmp_path, "--overwrite"), 6)


def test_degrees_on_pictures_are_not_pixels(pictures, tmp_path):
    path = geojson(tmp_path / "f.geojson", [[46, 40], [46.0002, 40], [46.0002, 40.0001], [46, 40]])
    assert "longitude" in one_line(compare(pictures, tmp_path / "run", "--footprints", path), 3)


def test_squares_in_metres_need_metres(pictures, tmp_path):
    assert "--gsd" in one_line(compare(pictures, tmp_path / "run", "--cell", "100"), 2)
    assert "too small" in one_line(compare(pictures, tmp_path / "run", "--cell", "2", "--gsd", "0.5"), 2)


def test_a_broken_geopackage_is_named(pictures, tmp_path):
    path = tmp_path / "houses.gpkg"
    path.write_bytes(b"SQLite format 3\x00" + bytes(2000))
    line = one_line(compare(pictures, tmp_path / "run", "--footprints", path), 3)
    assert line.count("houses.gpkg") == 1


def test_a_world_file_and_a_stated_crs_place_a_picture(pictures, tmp_path):
    world = tmp_path / "both.wld"
    world.write_text(WORLD, encoding="ascii")
    placed = [f"--{side}-{what}" for side in ("before", "after") for what in ("world-file", "crs")]
    values = [world, "EPSG:32638"] * 2
    options = [text for pair in zip(placed, values, strict=True) for text in pair]
    assert "--gsd" in one_line(compare(pictures, tmp_path / "run", *options, "--gsd", "0.5"), 2)
    done = compare(pictures, tmp_path / "run", *options)
    assert done.exit_code == 0, done.output
    grid = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))["pair"]["grid"]
    assert grid["crs"] == "EPSG:32638" and grid["gsd_m"] == 0.5 and grid["transform"][2] == 614_000
    world.write_text("0\n0\n0\n0\n0\n0\n", encoding="ascii")
    assert "no size" in one_line(compare(pictures, tmp_path / "again", *options), 3)


def test_an_input_that_changes_meanwhile_is_no_evidence(pictures, tmp_path, monkeypatch):
    original = pipeline.compare

    def swap(*arguments):
        found = original(*arguments)
        data = bytearray(pictures[1].read_bytes())
        data[-20] ^= 1
        pictures[1].write_bytes(data)
        return found

    monkeypatch.setattr(pipeline, "compare", swap)
    assert "after.png: changed while it was read" in one_line(compare(pictures, tmp_path / "run"), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.png", "before.png"]


WAITING = """
import signal, sys, time
from damagediff import cli, pipeline
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)  # who started the tests may have had them ignored
def wait(case, settings, folder, *rest):
    (folder / "before.tif").write_text("begun")
    print("ready", flush=True)
    time.sleep(30)
pipeline.compare = wait
cli.main(sys.argv[1:])
"""


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_stopped_run_leaves_nothing(name, pictures, tmp_path):
    number = getattr(signal, name)
    command = [
        sys.executable,
        "-c",
        WAITING,
        "compare",
        *map(str, pictures),
        "-o",
        str(tmp_path / "run"),
        "-q",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "ready\n"
        assert len([path for path in tmp_path.iterdir() if ".partial-" in path.name]) == 1
        running.send_signal(number)
        said = running.communicate()[1]
    assert running.returncode == 128 + number
    assert said.splitlines() == ["damagediff: stopped; what was begun is removed"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.png", "before.png"]


@pytest.mark.skipif(os.name == "nt", reason="no such limit")
def test_a_full_disk_names_the_run_and_what_to_try(pictures, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))\n"
    code = limit + "import sys; from damagediff import cli; cli.main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "compare", *map(str, pictures), "-o", str(tmp_path / "run"), "-q"]
    done = subprocess.run(command, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 6 and line.startswith(f"damagediff: {tmp_path / 'run'}: ")
    assert "Free some space" in line and "partial" not in line and "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.png", "before.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize(("option", "code"), [("--exclude", 3), ("--settings", 2), ("--font", 3)])
def test_a_pipe_in_the_place_of_a_file_is_told_and_not_waited_for(pictures, tmp_path, option, code):
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-m", "damagediff", "compare", *map(str, pictures), "-q"]
    command += ["-o", str(tmp_path / "run"), option, str(tmp_path / "pipe")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == code and "regular file" in done.stderr and "Traceback" not in done.stderr


def test_settings_that_are_too_deep_are_told_in_one_line(pictures, tmp_path):
    (tmp_path / "deep.toml").write_text("a=" + "[" * 50_000)
    command = [sys.executable, "-m", "damagediff", "settings", "--settings", str(tmp_path / "deep.toml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
