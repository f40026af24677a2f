"""The same case gives the same bytes wherever and however it runs, and a run can be computed again."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scenes
from affine import Affine
from click.testing import CliRunner
from conftest import RasterMaker

from damagediff import cli, custody, digests, evidence, reproduce, saved, synthetic, verify
from damagediff.errors import EvidenceError

FIGURES = {f"figure{clean}.{kind}" for clean in ("", "_clean") for kind in ("png", "svg")}
UTM = {"crs": "EPSG:32638", "transform": Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)}


@pytest.fixture
def pair(make_raster: RasterMaker) -> tuple[Path, Path]:
    """Two pictures of one place, the second displaced, brighter, and with a part replaced."""
    rng = np.random.default_rng(5)
    ground = synthetic.textured(rng, (280, 300)) * 0.6 + 40
    after = np.roll(ground, (2, -3), (0, 1)) * 0.9 + 12
    after[120:170, 130:190] = rng.normal(120, 40, (50, 60))
    made = [np.clip(np.rint(np.stack([grey, grey * 0.95, grey * 0.9])), 1, 255) for grey in (ground, after)]
    names = ("before.tif", "after.tif")
    before, after_ = (
        make_raster(name, data.astype(np.uint8), **UTM) for name, data in zip(names, made, strict=True)
    )
    return before, after_


def invoke(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def compare(pair: tuple[Path, Path], out: Path, *options: str) -> None:
    done = invoke("compare", *pair, "-o", out, "-q", *options)
    assert done.exit_code == 0, done.output


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


ELSEWHERE = {
    "one": ({"TZ": "UTC", "LANG": "C", "PYTHONHASHSEED": "1"}, 0o022, ["--workers", "1"]),
    "two": (
        {"TZ": "Asia/Baku", "LANG": "az_AZ.UTF-8", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "2"},
        0o077,
        ["--workers=3", "--set", "tile_px=64"],
    ),
}


def test_place_and_manner_of_a_run_leave_no_trace(pair: tuple[Path, Path], tmp_path: Path) -> None:
    found = []
    for name, (environment, mask, options) in ELSEWHERE.items():
        folder = tmp_path / name / "deeper"
        folder.mkdir(parents=True)
        for path in pair:
            shutil.copy(path, folder)
        program = f"import os; os.umask({mask}); from damagediff.cli import main; main()"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
        subprocess.run(
            [
                sys.executable,
                "-c",
                program,
                "compare",
                "before.tif",
                "after.tif",
                "-o",
                "run",
                "-q",
                *options,
            ],
            cwd=folder,
            env=kept | environment | {"HOME": str(folder), "SOURCE_DATE_EPOCH": "1602374400"},
            check=True,
            capture_output=True,
        )
        found.append(contents(folder / "run"))
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
    assert b"2020-10-11T00:00:00Z" in found[0]["manifest.json"]


def test_what_changes_no_result_is_not_in_the_command() -> None:
    typed = ["damagediff", "compare", "b.tif", "--workers", "3", "--set", "tile_px=64", "--set=workers=1"]
    kept = ["--workers=2", "--set", "diff.threshold=0.5", "a.tif"]
    assert evidence.telling(typed + kept) == [*typed[:3], *kept[1:]]


def test_a_reviewed_run_can_be_computed_again(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run, path = tmp_path / "run", tmp_path / "mine.json"
    compare(pair, run)
    evidence_id = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["evidence_id"]
    review = {"format": 1, "evidence_id": evidence_id, "reviewer": "A.B.", "scale": None, "items": []}
    path.write_text(json.dumps(review))
    assert invoke("review", run, path).exit_code == 0
    done = invoke("verify", run, "--inputs", pair[0].parent, "--rerun", "-q", "--json")
    assert done.exit_code == 0, done.output
    found = {each["name"]: each["outcome"] for each in json.loads(done.stdout)["rerun"]}
    assert set(found.values()) == {"identical"}
    assert "report.html" in found and "review-001.json" not in found


def test_a_run_computed_again_is_identical(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run, originals = tmp_path / "run", tmp_path / "originals"
    area = tmp_path / "area.geojson"
    ring = [[614_010, 4_503_990], [614_010, 4_503_880], [614_130, 4_503_880], [614_130, 4_503_990]]
    polygon = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    features = [{"type": "Feature", "properties": {}, "geometry": polygon}]
    area.write_text(json.dumps({"type": "FeatureCollection", "features": features, "crs": _crs(32638)}))
    compare(pair, run, "--aoi", str(area), "--before-date", "2020-10-04", "--title", "Gəncə = Ganja")
    originals.mkdir()
    for number, path in enumerate((*pair, area)):
        shutil.copy(path, originals / f"renamed{number}{path.suffix}")
    done = invoke("verify", run, "--inputs", originals, "--rerun", "-q", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["rerun"]) == told["files"] >= 11
    assert {item["outcome"] for item in told["rerun"]} == {"identical"}


def test_a_finished_run_is_drawn_again_without_its_inputs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "again"
    compare(pair, run)
    for path in pair:
        path.unlink()
    done = invoke("report", run, "-o", out)
    assert done.exit_code == 0, done.output
    drawn = contents(out)
    assert set(drawn) == {*FIGURES, "report.html", "report.pdf"}
    assert drawn == {name: (run / name).read_bytes() for name in drawn}
    (run / "results.json").write_text("{}")
    done = invoke("report", run, "-o", tmp_path / "third")
    assert done.exit_code == 5 and "results.json: was changed" in done.stderr
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize("defect", ["missing", "cut", "pickle", "unknown noun", "bomb", "wrong kind"])
def test_a_comparison_that_is_not_one_is_told(tmp_path: Path, defect: str) -> None:
    saved.write(scenes.comparison(), tmp_path)
    path = tmp_path / saved.FILE
    text = {
        "unknown noun": '{"version": 1, "comparison": {"$Popen": {"args": "true"}}}',
        "pickle": '{"version": 1, "comparison": {"$array": 0}}',
        "wrong kind": '{"version": 1, "comparison": {"$path": "x"}}',
    }.get(defect)
    if defect == "missing":
        path.unlink()
    elif defect == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    elif text is not None:
        held = io.BytesIO()
        np.save(held, np.array([{}]), allow_pickle=True)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(saved.TEXT, text)
            archive.writestr("0.npy", held.getvalue())
    else:
        data = path.read_bytes()
        size = struct.pack("<I", 0xFFFFFFFE)
        place = data.rindex(b"PK\x01\x02")
        path.write_bytes(data[: place + 24] + size + data[place + 28 :])
    with pytest.raises(EvidenceError, match=saved.FILE):
        saved.read(tmp_path)


def _crs(code: int) -> dict[str, object]:
    return {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{code}"}}


def test_an_input_that_is_not_the_one_compared_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    compare(pair, run)
    with pair[1].open("ab") as file:
        file.write(b"more")
    done = invoke("verify", run, "--inputs", tmp_path)
    assert done.exit_code == 5 and "after.tif: input is another file" in done.stderr
    done = invoke("verify", run, "--inputs", tmp_path, "--rerun", "-q")
    assert done.exit_code == 5 and "Traceback" not in done.output


def test_a_run_of_another_version_says_which_results_would_change(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Made by taking a run of this version, changing one result, and sealing it with older versions."""
    run = tmp_path / "run"
    compare(pair, run)
    results = json.loads((run / "results.json").read_text())
    results["change"]["threshold"] += 0.1
    (run / "results.json").write_text(json.dumps(results))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["versions"] |= {"damagediff": "0.0.9", "numpy": "1.0"}
    for item in manifest["outputs"]:
        item.update(digests.entry(run / item["name"]))
    manifest["evidence_id"] = digests.entry(run / "results.json")["sha256"][:12]
    manifest["manifest_sha256"] = digests.NO_DIGEST
    (run / "manifest.json").write_text(digests.sealed(json.dumps(manifest)))
    (run / "SHA256SUMS").write_text(digests.sums(manifest["outputs"]))
    (run / "custody.jsonl").unlink()
    custody.begin(run, digests.of_text(digests.sums(manifest["outputs"])), None)
    assert verify.run(run).findings == ()
    done = invoke("verify", run, "--inputs", tmp_path, "--rerun", "-q")
    assert done.exit_code == 5
    assert "results.json: different (1 values differ: change.threshold)" in done.stderr
    assert "damagediff 0.0.9 in the run" in done.stderr and "numpy 1.0 in the run" in done.stderr
    assert "change_score.tif: identical" in done.stderr


def test_rasters_are_equal_within_a_stated_tolerance(make_raster: RasterMaker, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    score = rng.random((1, 80, 90), np.float32)
    outcomes = []
    for name, change in (("same", 0.0), ("close", 4e-4), ("far", 0.1)):
        for folder in ("old", name):
            (tmp_path / folder).mkdir(exist_ok=True)
        path = make_raster("change_score.tif", score, **UTM, nodata=np.nan)
        path.rename(tmp_path / "old" / "change_score.tif")
        path = make_raster("change_score.tif", score + np.float32(change), **UTM, nodata=np.nan)
        path.rename(tmp_path / name / "change_score.tif")
        item = digests.entry(tmp_path / "old" / "change_score.tif")
        outcomes.append(reproduce.compare(item, tmp_path / "old", tmp_path / name).outcome)
    assert outcomes == ["identical", "equal within the tolerance", "different"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not known there")
@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.7])
def test_a_killed_run_leaves_nothing_that_looks_whole(
    pair: tuple[Path, Path], tmp_path: Path, seconds: float
) -> None:
    out = tmp_path / "runs" / "run"
    command = [sys.executable, "-m", "damagediff", "compare", *map(str, pair), "-o", str(out), "-q"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists() or verify.run(out).sound
    compare(pair, out, "--overwrite")
    assert verify.run(out).sound
    assert [path.name for path in out.parent.iterdir()] == ["run"]


def test_two_runs_into_one_folder_do_not_mix(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "damagediff", "compare", *map(str, pair), "-o", str(out), "-q"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes == [0, 6], said
    assert sum(bool(re.search("already exists", text)) for text in said) == 1
    assert verify.run(out).sound


def test_pages_of_a_run_are_listed_and_drawn_again(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "again"
    credit = ("--before-credit", "© A", "--after-credit", "© B")
    done = invoke("compare", *pair, "-o", run, "--figure", "news-1x1", "--animate", "webp", *credit)
    pages = {f"figure_news-1x1{clean}.{kind}" for clean in ("", "_clean") for kind in ("png", "svg")}
    listed = {item["name"] for item in json.loads((run / "manifest.json").read_text())["outputs"]}
    assert pages <= listed
    moves = json.loads((run / "results.json").read_text())["verdict"] != "not comparable"
    assert ("figure_animation.webp" in listed) == moves == ("no moving picture" not in done.stderr)
    done = invoke("report", run, "-o", out, "--figure", "a4")
    assert done.exit_code == 0, done.output
    drawn = contents(out)
    assert pages | {"figure_a4.png", "figure_a4_clean.svg"} <= set(drawn)
    assert all(drawn[name] == (run / name).read_bytes() for name in pages)


def test_a_page_to_be_published_without_credits_is_refused_before_anything_is_computed(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    done = invoke("compare", *pair, "-o", tmp_path / "run", "--figure", "news-16x9", "--after-credit", "B")
    assert done.exit_code == 2 and "--before-credit" in done.stderr and "--after" not in done.stderr
    assert not (tmp_path / "run").exists()
    done = invoke("compare", *pair, "-o", tmp_path / "run", "--font", pair[0])
    assert done.exit_code == 3 and "not a TrueType or OpenType font" in done.stderr
    assert not (tmp_path / "run").exists()
