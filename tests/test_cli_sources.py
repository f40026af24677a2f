"""The command line with stated scale, place and sources: one line and the right code, or a run that tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import scenes
from affine import Affine
from click.testing import CliRunner
from PIL import ExifTags
from PIL import Image as PillowImage
from scipy import ndimage

from damagediff import case_files, cli, grid, provenance, saved, synthetic, types

TRUE = Affine.translation(680_000, 4_505_000) @ Affine.scale(0.5, -0.5)
TURN_DEG = 25.0


def scene() -> np.ndarray[Any, Any]:
    """(480, 480) roofs on texture."""
    rng = np.random.default_rng(3)
    data = synthetic.textured(rng, (480, 480)) * 0.6 + 50
    for row in range(6, 460, 30):
        for col in range(6, 460, 34):
            top, left = row + rng.integers(0, 6), col + rng.integers(0, 6)
            data[top : top + 18, left : left + 20] = rng.uniform(100, 240)
    return np.clip(data, 1, 255).astype(np.uint8)


def turned(pixels: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The middle of a picture turned by `TURN_DEG`, and the map from its (x, y, 1) to those of the whole."""
    matrix = cv2.getRotationMatrix2D((240, 240), TURN_DEG, 1)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]])) @ np.array([[1, 0, 80], [0, 1, 80], [0, 0, 1.0]])
    return cv2.warpAffine(pixels, matrix, (480, 480), flags=cv2.INTER_CUBIC)[80:400, 80:400], back


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before.png and after.png, turned pictures of one place with one block of roofs gone, and points.csv."""
    folder = tmp_path_factory.mktemp("shots")
    before, back = turned(scene())
    gone = scene()
    gone[200:260, 210:280] = cv2.GaussianBlur(gone, (0, 0), 25)[200:260, 210:280]
    own = scenes.ripples(gone.shape, np.random.default_rng(5))
    after, _ = turned(np.clip(gone + 2 + own, 1, 255).astype(np.uint8))
    exif = PillowImage.Exif()
    exif[ExifTags.Base.Artist] = "Jane Analyst"
    PillowImage.fromarray(before).save(folder / "before.png", exif=exif)
    PillowImage.fromarray(after).save(folder / "after.png")
    xy = np.array([[10.0, 12], [300, 20], [20, 300], [310, 290], [160, 150]])
    whole = (np.c_[xy, np.ones(5)] @ back.T)[:, 1::-1]
    places = grid.reproject_xy("EPSG:32638", "EPSG:4326", grid.world_from_pixel(TRUE, whole))
    rows = [f"{x:.3f},{y:.3f},{lon:.8f},{lat:.8f}" for (x, y), (lon, lat) in zip(xy, places, strict=True)]
    (folder / "points.csv").write_text("\n".join(["x,y,lon,lat", *rows]), encoding="utf-8")
    return folder


def compare(shots: Path, out: Path, *options: object) -> Any:
    arguments = ["compare", shots / "before.png", shots / "after.png", "-o", out, "-q", *options]
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run(shots: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("run") / "run"
    sources = shots / "sources.toml"
    sources.write_text('[after]\npublisher = "Example News"\n', encoding="utf-8")
    done = compare(
        shots,
        out,
        *("--georeference", shots / "points.csv", "--place", "40.67,47.13", "--sources", sources),
        *("--before-url", "https://example.org/a", "--before-original-sha256", "0" * 64),
        *("--after-date", "2020-10-13T07:49"),
    )
    assert done.exit_code == 0, done.output
    return out, done.output


def test_outputs_land_where_the_place_is(run: tuple[Path, str]) -> None:
    """The change lies at rows 200 to 260, columns 210 to 280 of a place that no file of the pair tells."""
    found = json.loads((run[0] / "regions.geojson").read_text(encoding="utf-8"))["features"]
    ring = np.array(found[0]["geometry"]["coordinates"][0])
    rc = grid.pixel_from_world(TRUE, grid.reproject_xy("EPSG:4326", "EPSG:32638", ring))
    assert np.abs(rc.mean(0) - [230, 245]).max() < 8
    assert rc.min() > 180 and rc.max() < 300


def test_rasters_are_north_up_and_hold_the_place(run: tuple[Path, str]) -> None:
    with rasterio.open(run[0] / "before.tif") as out:
        assert out.crs.to_epsg() == 32638 and out.transform.b == out.transform.d == 0
        assert out.transform.a == pytest.approx(0.5, rel=0.01)
        pixels, valid = out.read(1), out.read_masks(1) > 0
        rows, cols = np.nonzero(valid)
        at = grid.pixel_from_world(TRUE, grid.world_from_pixel(out.transform, np.stack([rows, cols], -1)))
    there = ndimage.map_coordinates(scene().astype(np.float32), at.T, order=1)
    assert np.corrcoef(there, pixels[valid])[0, 1] > 0.97


def test_the_run_says_whose_georeference_it_is(run: tuple[Path, str]) -> None:
    out, said = run
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))["pair"]
    by_hand = results["before"]["georeference_by_hand"]
    assert len(by_hand["points"]) == 5 and by_hand["rms_m"] < 0.05
    assert by_hand["turn_deg"] == pytest.approx(
        TURN_DEG, abs=0.8
    )  # and what grid north differs from none here
    assert results["grid"]["gsd_source"] == "analyst's georeference"
    assert results["place"] == {"latitude": 40.67, "longitude": 47.13}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "The analyst&#39;s georeference" in page or "The analyst's georeference" in page
    assert "the analyst's, not the file's" in said
    assert "not the original" in said and "Source record incomplete" in said and "outside the scene" in said
    assert "taken for UTC: the time of the after image." in said


def test_private_fields_stay_out_of_everything(run: tuple[Path, str]) -> None:
    for path in run[0].iterdir():
        assert b"Jane" not in path.read_bytes(), path.name
    manifest = json.loads((run[0] / "manifest.json").read_text(encoding="utf-8"))
    (before,) = (entry for entry in manifest["inputs"] if entry["role"] == "before")
    assert before["file"]["withheld"] == ["EXIF Artist"]
    assert before["source"]["url"] == "https://example.org/a"
    assert {"points of the georeference"} <= {entry["role"] for entry in manifest["inputs"]}


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--gsd", "0.5", "--scale-bar", "0,0,100,0,50"], 2, "Give one of them"),
        (["--scale-bar", "0,0,100"], 2, "--scale-bar"),
        (["--scale-bar", "0,0,900,0,50"], 2, "outside before.png"),
        (["--place", "91,0"], 2, "--place"),
        (["--before-url", "javascript:alert(1)"], 2, "--before-url"),
        (["--after-captured-at", "soon"], 2, "--after-captured-at"),
        (["--georeference", "points.csv", "--gsd", "0.5"], 2, "Give one of them"),
        (["--georeference", "points.csv", "--before-crs", "EPSG:32638"], 2, "--before-crs"),
        (["--georeference", "none.csv"], 3, "no such file"),
        (["--sources", "none.toml"], 3, "none.toml"),
        (["--sources", "before.png"], 3, "not a readable TOML"),
    ],
)
def test_what_cannot_be_is_one_line(
    shots: Path, tmp_path: Path, options: list[str], code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shots)
    done = compare(shots, tmp_path / "run", *options)
    assert done.exit_code == code and says in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_info_tells_the_file_and_keeps_private_words(shots: Path) -> None:
    path = str(shots / "before.png")
    told = CliRunner().invoke(cli.main, ["info", path, "--json"])
    (facts,) = json.loads(told.output)
    assert facts["file"]["withheld"] == ["EXIF Artist"] and "Jane" not in told.output
    assert "Jane Analyst" in CliRunner().invoke(cli.main, ["info", path, "--show-private"]).output
    text = CliRunner().invoke(cli.main, ["info", path]).output
    assert "Left out as private" in text and "Earlier compression" in text and "Jane" not in text


def test_the_run_can_be_computed_and_drawn_again(run: tuple[Path, str], shots: Path, tmp_path: Path) -> None:
    """What was stated of scale, place and sources is in the manifest's case and in the saved comparison."""
    held = saved.read(run[0])
    assert held.pair.before.placed_by_hand is not None and len(held.pair.before.placed_by_hand.points) == 5
    assert held.case.before.record.url == "https://example.org/a" and held.case.place == (40.67, 47.13)
    assert held.file_facts is not None and held.file_facts[0].withheld == ("EXIF Artist",)
    manifest = json.loads((run[0] / "manifest.json").read_text(encoding="utf-8"))
    files = {"before.path": shots / "before.png", "before.map_points": shots / "points.csv"}
    again = case_files.from_values(manifest["case"], files | {"after.path": shots / "after.png"})
    assert again.before.record == held.case.before.record and again.after.record.publisher == "Example News"


def test_a_scale_bar_survives_the_manifest() -> None:
    bar = provenance.ScaleBar(((1.0, 2.0), (30.0, 4.5)), 100.0, 2.0)
    before, after = Path("before.png"), Path("after.png")
    case = types.Case(types.Source(before), types.Source(after), scale_bar=bar, place=(40.5, -3.25))
    values = json.loads(json.dumps(case_files.to_values(case)))
    assert case_files.from_values(values, {"before.path": before, "after.path": after}) == case


def test_a_turned_picture_is_not_blamed_for_the_corners_of_the_grid(run: tuple[Path, str]) -> None:
    """Turned by 25 degrees, it fills 59 % of the north-up grid around it."""
    results = json.loads((run[0] / "results.json").read_text(encoding="utf-8"))
    assert results["change"]["analysed_share"] < 0.6
    (check,) = (c for c in results["trust"]["checks"] if c["name"] == "analysed share")
    assert check["measured"] > 0.6 and check["measured"] > 1.5 * results["change"]["analysed_share"]


def test_align_takes_points_too_and_a_georeferenced_after_image(shots: Path, tmp_path: Path) -> None:
    """The after image is placed by its own georeference then; both must agree on where things are."""
    with rasterio.open(
        tmp_path / "after.tif",
        "w",
        driver="GTiff",
        width=480,
        height=480,
        count=1,
        dtype="uint8",
        crs="EPSG:32638",
        transform=TRUE,
    ) as out:
        out.write(scene(), 1)
    arguments = [
        "align",
        shots / "before.png",
        tmp_path / "after.tif",
        "-o",
        tmp_path / "out.tif",
        "-q",
        "--json",
    ]
    done = CliRunner().invoke(
        cli.main, [str(a) for a in (*arguments, "--georeference", shots / "points.csv")]
    )
    assert done.exit_code == 0, done.output
    matrix = np.array(json.loads(done.stdout)["moving_from_reference"])
    assert np.abs(matrix @ [100, 100, 1] - [100, 100, 1]).max() < 0.5
