"""Command align, and the options that steer an alignment: what they may do, and what they may not."""

import csv
import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner

from damagediff import align_fit, align_judge, align_points, cli, pipeline, registration, settings, synthetic
from damagediff.align_fields import Plane
from damagediff.types import Case, Source

UTM = {"crs": "EPSG:32638", "transform": Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)}
SHIFT = np.array([[1, 0, 6.25], [0, 1, -9.5], [0, 0, 1.0]])
TURN = np.array([[0.995, 0.1, 2.0], [-0.1, 0.995, 25.0], [0, 0, 1.0]])
PLACES = np.array([[60.0, 70], [70, 300], [250, 90], [240, 280]])


def ground(seed, shape=(320, 360)):
    """Roofs on textured ground, in one band."""
    rng = np.random.default_rng(seed)
    grey = synthetic.textured(rng, shape) * 0.5 + 40
    for row in range(8, shape[0] - 30, 34):
        for col in range(8, shape[1] - 30, 38):
            top, left = row + rng.integers(0, 8), col + rng.integers(0, 8)
            grey[top : top + 20, left : left + 24] = rng.uniform(120, 230)
            grey[top + 10 : top + 20, left : left + 24] *= 0.8
    return grey[None].astype(np.float32)


def as_bytes(data):
    return np.clip(np.rint(np.nan_to_num(data)), 1, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images():
    before = ground(1)
    return {
        "before": as_bytes(before),
        "shifted": as_bytes(synthetic.warp(before, SHIFT)),
        "turned": as_bytes(synthetic.warp(before, TURN)),
        "elsewhere": as_bytes(ground(55)[:, ::-1, ::-1]),
    }


@pytest.fixture
def files(images, make_raster):
    return {name: make_raster(f"{name}.tif", data, **UTM) for name, data in images.items()}


def align(files, after, out, *options):
    arguments = ["align", files["before"], files[after], "-o", out, "-q", *options]
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def found(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def places(path, before_rc, after_rc):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["before_row", "before_col", "after_row", "after_col"])
        table.writerows(np.hstack([before_rc, after_rc]).tolist())
    return path


def largest_error(matrix, truth):
    return float(
        np.hypot(*(align_fit.apply(np.array(matrix), PLACES) - align_fit.apply(truth, PLACES)).T).max()
    )


def test_the_after_image_is_laid_on_the_before_image(files, images, tmp_path):
    out = tmp_path / "aligned.tif"
    said = found(align(files, "shifted", out, "--json"))
    assert largest_error(said["moving_from_reference"], SHIFT) < 0.5
    with rasterio.open(out) as file:
        aligned, valid = file.read(1), file.read_masks(1) > 0
        assert file.crs.to_epsg() == 32638 and file.transform == UTM["transform"]
    before = images["before"][0].astype(float)
    apart = [np.abs(other - before)[valid].mean() for other in (aligned, images["shifted"][0].astype(float))]
    assert apart[0] < 0.3 * apart[1]
    assert sorted(path.name for path in tmp_path.iterdir() if path not in files.values()) == ["aligned.tif"]


def test_another_place_leaves_nothing(files, tmp_path):
    out = tmp_path / "aligned.tif"
    done = align(files, "elsewhere", out)
    assert done.exit_code == 4 and "alignment refused" in done.output
    assert set(tmp_path.iterdir()) == set(files.values())
    out.write_text("older", encoding="ascii")
    assert align(files, "elsewhere", out, "--overwrite").exit_code == 4
    assert out.read_text(encoding="ascii") == "older"


def test_what_is_in_the_way_is_not_replaced(files, tmp_path):
    (tmp_path / "mine.tif").write_text("keep", encoding="ascii")
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "link.tif").symlink_to(tmp_path / "mine.tif")
    (tmp_path / "dangling.tif").symlink_to(tmp_path / "nowhere.tif")
    for name, why in {
        "mine.tif": "--overwrite",
        "folder.tif": "not a file",
        "link.tif": "not a file",
        "dangling.tif": "not a file",
        "missing/a.tif": "its folder does not exist",
        "a.png": "GeoTIFF",
    }.items():
        done = align(files, "shifted", tmp_path / name)
        assert done.exit_code == 6 and why in done.output and len(done.output.splitlines()) == 1, done.output
    assert (tmp_path / "mine.tif").read_text(encoding="ascii") == "keep"
    assert not (tmp_path / "nowhere.tif").exists() and not (tmp_path / "a.png").exists()
    assert align(files, "shifted", tmp_path / "mine.tif", "--overwrite").exit_code == 0
    with rasterio.open(tmp_path / "mine.tif") as file:
        assert file.shape == (320, 360)


def test_an_input_is_never_the_output(files, tmp_path):
    kept = files["shifted"].read_bytes()
    done = align(files, "shifted", files["shifted"], "--overwrite")
    assert done.exit_code == 6 and "would replace the input" in done.output
    assert files["shifted"].read_bytes() == kept


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "columns|places"),
        ("before_row,before_col\n1,2\n", "needs the columns"),
        ("before_row,before_col,after_row,after_col\n1,2,3,x\n", "needs the columns"),
        ("before_row,before_col,after_row,after_col\n1,2,3\n", "needs the columns"),
        ("before_row,before_col,after_row,after_col\n1,2,3,4\n", "1 places"),
        ("before_row,before_col,after_row,after_col\n" + "1,2,3,nan\n" * 4, "outside"),
        ("before_row,before_col,after_row,after_col\n" + "1,2,3,1e999\n" * 4, "outside"),
        ("before_row,before_col,after_row,after_col\n" + "1,2,3,-40\n" * 4, "outside"),
        ("before_row,before_col,after_row,after_col\n" + "50,50,50,20\n" * 3, "lines 2 and 3"),
        ("before_row,before_col,after_row,after_col\n1,2,3,4\n90,80,3,6\n9,50,99,9\n", "shifted.tif"),
        ("\x00\x01\x02\x00", "columns|CSV|places"),
        ("a" * 200_000, "columns|CSV|places"),
        ("before_row,before_col,after_row,after_col\n" + "9" * 200_000, "CSV"),
    ],
)
def test_a_table_that_holds_no_places_is_one_line(files, tmp_path, text, says):
    path = tmp_path / "places.csv"
    path.write_text(text, encoding="utf-8")
    done = align(files, "shifted", tmp_path / "out.tif", "--tie-points", path)
    assert done.exit_code == 3, done.output
    (line,) = done.output.splitlines()
    assert line.startswith("damagediff: places.csv") and any(part in line for part in says.split("|"))
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("what", ["missing", "folder"])
def test_a_table_that_is_no_file_is_one_line(files, tmp_path, what):
    (tmp_path / "folder").mkdir()
    done = align(files, "shifted", tmp_path / "out.tif", "--tie-points", tmp_path / what)
    assert done.exit_code == 3 and what in done.output and len(done.output.splitlines()) == 1


@pytest.mark.parametrize("onto", [np.zeros((4, 2)), PLACES * 0.01, PLACES[:, ::-1], PLACES * np.nan])
def test_places_that_make_an_absurd_map_are_no_hint(onto):
    """One that collapses or mirrors the picture, and has no inverse perhaps."""
    blank = Plane(np.zeros((320, 360), np.float32), np.ones((320, 360), bool))
    reduced = registration._Reduced(blank, blank, np.eye(3), np.eye(3))
    assert len(registration._hints(align_points.marked(PLACES, PLACES + 5), reduced)) == 1
    assert registration._hints(align_points.marked(PLACES, onto), reduced) == []


def test_places_marked_by_hand_help(files, tmp_path):
    path = places(tmp_path / "places.csv", PLACES, align_fit.apply(TURN, PLACES))
    done = align(files, "turned", tmp_path / "out.tif", "--tie-points", path, "--json")
    said = found(done)
    assert "note: Of 4 places marked by hand, 4 agree" in done.stderr
    assert largest_error(said["moving_from_reference"], TURN) < 1


def test_wrong_places_force_no_wrong_alignment(files, tmp_path):
    """Either the pictures win over the places, or nothing is written."""
    for name, wrong in (("far", PLACES + [40, -35]), ("near", align_fit.apply(SHIFT, PLACES) + [5, 5])):
        path = places(tmp_path / f"{name}.csv", PLACES, wrong)
        done = align(files, "shifted", tmp_path / f"{name}.tif", "--tie-points", path, "--json")
        said = json.loads(done.stdout)
        assert (tmp_path / f"{name}.tif").exists() == said["accepted"]
        if said["accepted"]:
            assert largest_error(said["moving_from_reference"], SHIFT) < 0.5


def test_places_do_not_make_another_place_this_one(files, tmp_path):
    path = places(tmp_path / "places.csv", PLACES, PLACES + [3, 4])
    done = align(files, "elsewhere", tmp_path / "out.tif", "--tie-points", path)
    assert done.exit_code == 4 and not (tmp_path / "out.tif").exists()


def test_the_model_is_no_richer_than_allowed(files, tmp_path):
    said = found(
        align(files, "shifted", tmp_path / "out.tif", "--model", "translation", "--no-local", "--json")
    )
    assert said["model"] == "translation" and said["local"] is None
    matrix = np.array(said["moving_from_reference"])
    assert matrix[:2, :2] == pytest.approx(np.eye(2)) and largest_error(matrix, SHIFT) < 0.5


def test_a_larger_shift_than_allowed_is_refused(files, tmp_path):
    done = align(files, "shifted", tmp_path / "out.tif", "--max-shift", "5")
    assert done.exit_code == 4 and not (tmp_path / "out.tif").exists()
    (line,) = done.output.splitlines()
    assert "px of the working grid, more than --max-shift 5 allows" in line
    assert "raise --max-shift" in line and "--tie-points" not in line
    assert align(files, "shifted", tmp_path / "out.tif", "--max-shift", "20").exit_code == 0
    for wrong in ("-1", "nan", "x"):
        assert align(files, "shifted", tmp_path / "b.tif", "--max-shift", wrong).exit_code == 2


def test_the_model_that_is_reported_is_the_one_that_is_used(files):
    case = Case(Source(files["before"]), Source(files["shifted"]))
    with pipeline.open_scene(case, settings.Settings()) as scene:
        alignment, model = registration.register(scene)
    assert alignment.accepted and alignment.model == model.kind
    assert np.array_equal(alignment.moving_from_reference, model.matrix)
    assert alignment.local is model.local


def test_a_picture_of_another_size_is_not_moved_for_that(make_raster, images, tmp_path):
    large = synthetic.warp(ground(1), np.array([[1.5, 0, 2.25], [0, 1.5, -1.25], [0, 0, 1]]), (480, 540))
    plain = {"before": make_raster("b.png", images["before"]), "large": make_raster("l.png", as_bytes(large))}
    assert align(plain, "large", tmp_path / "a.tif", "--max-shift", "4").exit_code == 0
    done = align(plain, "large", tmp_path / "b.tif", "--max-shift", "1")
    assert done.exit_code == 4 and "px of the before image" in done.output


def test_the_final_model_is_held_to_the_largest_shift_too(files, monkeypatch, tmp_path):
    """What the reduced images say may lie within the limit, and the last fit beyond it."""
    asked = []

    def once(*arguments):
        asked.append(arguments)
        return None if len(asked) == 1 else align_judge.Refusal("beyond", "raise it")

    monkeypatch.setattr(align_judge, "too_far", once)
    done = align(files, "shifted", tmp_path / "out.tif")
    assert done.exit_code == 4 and "alignment refused: beyond. raise it" in done.output and len(asked) == 2


def test_georeferenced_images_are_joined_by_a_homography_only_on_request(make_raster, tmp_path):
    picture = ground(3, (560, 600))
    bend = np.array([[1.0, 0, 0], [0, 1, 0], [1.2e-4, -0.8e-4, 1]])
    files = {
        "before": make_raster("before.tif", as_bytes(picture), **UTM),
        "bent": make_raster("bent.tif", as_bytes(synthetic.warp(picture, bend)), **UTM),
    }
    for options, rich in (((), False), (("--model", "homography"), True)):
        done = align(files, "bent", tmp_path / f"{rich}.tif", "--no-local", "--json", *options)
        said = json.loads(done.stdout)
        assert np.array(said["moving_from_reference"])[2, :2].any() == rich
        assert not rich or said["model"] == "homography"


@pytest.mark.parametrize(("axis", "how"), [(2, "left to right"), (1, "top to bottom")])
def test_a_mirrored_picture_of_another_date_is_said_to_be_mirrored(make_raster, axis, how, tmp_path):
    """The pair is refused for lack of evidence, and told why there is none."""
    rng = np.random.default_rng(4)
    fields = synthetic.textured(rng, (320, 360))[None].astype(
        np.float32
    )  # no lattice: that is refused as such
    later = synthetic.warp(fields, SHIFT) * 0.8 + rng.normal(0, 12, (1, 320, 360)) + 20
    plain = {
        "before": make_raster("before.png", as_bytes(fields)),
        "mirrored": make_raster("mirrored.png", np.ascontiguousarray(np.flip(as_bytes(later), axis))),
    }
    done = align(plain, "mirrored", tmp_path / "out.tif")
    assert done.exit_code == 4 and f"mirrored {how}. Turn it back first" in done.output
    assert "by chance" not in done.output
