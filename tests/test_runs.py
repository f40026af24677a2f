"""The same case gives the same bytes wherever and however it runs, and a run can be computed again."""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
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
CASE = """
title = "Two blocks at the crossroads"
event_date = 2020-10-11
place = "40.68,46.36"
footprints = "houses.geojson"
aoi = "area.geojson"
[before]
file = "before.tif"
date = 2020-10-04T07:52:00Z
credit = "© Provider"
[after]
file = "after.tif"
date = 2020-10-13
credit = "© Provider"
[[baseline]]
file = "older.tif"
[[claim]]
text = "A block fell."
[settings]
"""
PAGES = 'report.figures = ["news-1x1"]\nreport.animate = "webp"\n'
REFERENCE = 'diff.measure = "irmad"\nreport.pdf = false\ntrust.selftest = false\n'


def polygons(path: Path, *corners: tuple[float, float, float, float]) -> None:
    """Rectangles of the scene, each (first row, first col, last row, last col), as GeoJSON on its grid."""
    rings = [
        [(614_000 + c / 2, 4_504_000 - r / 2) for r, c in ((a, b), (a, d), (e, d), (e, b), (a, b))]
        for a, b, e, d in corners
    ]
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        for ring in rings
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, "crs": _crs(32638)}))


@pytest.mark.parametrize("more", [PAGES, REFERENCE], ids=["pages", "reference"])
def test_place_and_manner_of_a_run_leave_no_trace(
    pair: tuple[Path, Path], make_raster: RasterMaker, tmp_path: Path, more: str
) -> None:
    """With event, footprints, area, baseline, claim, pages, moving picture; and by a reference measure."""
    found = []
    with rasterio.open(pair[0]) as before:
        older = make_raster("older.tif", np.minimum(before.read(), 254) + np.uint8(1), **UTM)
    for name, (environment, mask, options) in ELSEWHERE.items():
        folder = tmp_path / name / "someones-own-folder"
        folder.mkdir(parents=True)
        parts = {
            "case.toml": lambda path: path.write_text(CASE + more, encoding="utf-8"),
            "before.tif": lambda path: shutil.copy(pair[0], path),
            "after.tif": lambda path: shutil.copy(pair[1], path),
            "older.tif": lambda path: shutil.copy(older, path),
            "area.geojson": lambda path: polygons(path, (10, 10, 270, 280)),
            "houses.geojson": lambda path: polygons(path, (120, 130, 150, 160), (200, 40, 230, 70)),
        }
        for part in sorted(parts, reverse=name == "two"):  # another order in the file system
            parts[part](folder / part)
        program = f"import os; os.umask({mask}); from damagediff.cli import main; main()"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
        done = subprocess.run(
            [sys.executable, "-c", program, "compare", "case.toml", "-o", "run", "-q", *options],
            cwd=folder,
            env=kept
            | environment
            | {"HOME": str(folder), "USER": "zx-someone", "SOURCE_DATE_EPOCH": "1602374400"},
            check=False,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        found.append(contents(folder / "run"))
    pages = {"report.pdf", "figure_news-1x1.svg"} if more == PAGES else set()
    assert found[0].keys() == found[1].keys() >= {"report.html", "figure.png", *pages}
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
    assert b"2020-10-11T00:00:00Z" in found[0]["manifest.json"]
    told = list(words(found[0]))
    assert "comparison.zip/comparison.json" in {name for name, _ in told}
    assert more != PAGES or any(name.startswith("report.pdf/") for name, _ in told)
    private = [b"someones-own", b"zx-someone", str(tmp_path).encode(), platform.node().encode()]
    for secret in (each for each in private if len(each) > 5):  # shorter ones come about by chance
        assert [name for name, data in told if secret in data] == []


def words(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """All that can be read in the files of a run, also in a ZIP file and in the streams of a PDF."""
    for name, data in files.items():
        yield name, data
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from ((f"{name}/{part}", archive.read(part)) for part in archive.namelist())
        if name.endswith(".pdf"):
            for k, stream in enumerate(re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL)):
                for unpacked in (bytes, lambda text: base64.a85decode(text.strip().removesuffix(b"~>"))):
                    with suppress(zlib.error, ValueError):
                        yield f"{name}/{k}", zlib.decompressobj().decompress(unpacked(stream))


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
    polygons(area, (20, 20, 240, 260))
    compare(pair, run, "--aoi", str(area), "--before-date", "2020-10-04", "--title", "Gəncə = Ganja")
    originals.mkdir()
    for number, path in enumerate((*pair, area)):
        shutil.copy(path, originals / f"renamed{number}{path.suffix}")
    done = invoke("verify", run, "--inputs", originals, "--rerun", "-q", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told["rerun"]) == told["files"] >= 11
    assert {item["outcome"] for item in told["rerun"]} == {"identical"}
    assert_one_byte_is_named(run)


def assert_one_byte_is_named(run: Path) -> None:
    """One bit of one byte of every file in turn, at a place drawn by chance: `verify` names that file."""
    rng = np.random.default_rng(8)
    for path in sorted(run.iterdir()):
        good = path.read_bytes()
        data = bytearray(good)
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        done = invoke("verify", run, "--no-record")
        path.write_bytes(good)
        assert done.exit_code == 5 and path.name in done.stderr, path.name
    assert verify.run(run).sound


def test_a_finished_run_is_drawn_again_without_its_inputs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "again"
    compare(pair, run)
    for path in pair:
        path.unlink()
    done = invoke("report", run, "-o", out, "--operator", "A. B.")
    assert done.exit_code == 0, done.output
    record = json.loads((run / custody.LOG).read_text(encoding="utf-8").splitlines()[-1])
    assert record["act"] == "rendered" and record["operator"] == "A. B."
    assert record["files"] == [digests.entry(path) for path in sorted(out.iterdir())]
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


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("verdict", "<b>destroyed</b>", "Trust.verdict is '<b>destroyed</b>'"),
        ("score_mean", "0.5", "Region.score_mean is '0.5'"),
        ("score_mean", True, "Region.score_mean is 'True'"),
        ("notes", {"$tuple": [7]}, "notes is '(7,)'"),
        ("bbox_rc", {"$tuple": [1, 2, 3]}, "Region.bbox_rc is"),
        ("versions", {"$dict": [["numpy", 2]]}, "Comparison.versions is"),
        ("crop", True, "crop is 'True'"),
    ],
)
def test_a_part_of_another_type_is_told_before_anything_is_drawn(
    key: str, value: Any, words: str, tmp_path: Path
) -> None:
    saved.write(scenes.comparison(), tmp_path)
    path = tmp_path / saved.FILE
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    said = json.loads(held[saved.TEXT], object_hook=lambda part: part | {key: value} if key in part else part)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (held | {saved.TEXT: json.dumps(said).encode()}).items():
            archive.writestr(name, data)
    with pytest.raises(EvidenceError, match=re.escape(words)):
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
    custody.begin(run, {"sha256sums": digests.of_text(digests.sums(manifest["outputs"]))}, None)
    done = invoke("verify", run)
    assert done.exit_code == 0 and "which results would now change" in done.stderr
    done = invoke("verify", run, "--inputs", tmp_path, "--rerun", "-q")
    assert (
        done.exit_code == 5
        and "agrees with its manifest, but computed again by other versions" in done.stderr
    )
    assert "results.json: different (1 values differ: change.threshold 0." in done.stderr
    assert "damagediff 0.0.9 in the run" in done.stderr and "numpy 1.0 in the run" in done.stderr
    assert "change_score.tif: identical" in done.stderr


def test_rasters_are_equal_within_a_stated_tolerance(make_raster: RasterMaker, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    score = rng.random((1, 80, 90), np.float32)
    assert outcomes(make_raster, tmp_path, "change_score.tif", score, (0.0, 4e-4, 0.1)) == [
        ("identical", "the same bytes"),
        ("equal within the tolerance", "largest difference 0.0004, 0.00% of its pixels by more than 0.001"),
        ("different", "largest difference 0.1, 100.00% of its pixels by more than 0.001"),
    ]
    picture = rng.integers(10, 200, (3, 80, 90), np.uint8)
    found = outcomes(make_raster, tmp_path, "before.tif", picture, (0, 1, 2))
    assert [outcome for outcome, _ in found] == ["identical", "equal within the tolerance", "different"]


def test_a_class_is_no_number(make_raster: RasterMaker, tmp_path: Path) -> None:
    """No change (0) called visible change (1) is another result, though the values are one apart."""
    mask = np.zeros((1, 80, 90), np.uint8)
    outcome, words_ = outcomes(make_raster, tmp_path, "change_mask.tif", mask, (1,))[0]
    assert outcome == "different" and "100.00% of its pixels" in words_


def outcomes(
    make_raster: RasterMaker, folder: Path, name: str, data: np.ndarray, changes: tuple[float, ...]
) -> list[tuple[str, str]]:
    """What is said of a raster against itself with a constant added."""
    found = []
    for k, change in enumerate(changes):
        old, new = folder / f"old-{name}-{k}", folder / f"new-{name}-{k}"
        for place, values in ((old, data), (new, data + data.dtype.type(change))):
            place.mkdir()
            make_raster(name, values, **UTM).rename(place / name)
        compared = reproduce.compare(digests.entry(old / name), old, new)
        found.append((compared.outcome, compared.words))
    return found


@pytest.mark.parametrize(
    ("old", "new", "outcome", "says"),
    [
        (
            "a,b\n1,2.000001\n",
            "a,b\n1,2.000002\n",
            "equal within the tolerance",
            "1 numbers differ, by 5e-07",
        ),
        ("a,b\n1,2\n", "a,b\n1,3\n", "different", "line 2.b 2.0 → 3.0"),
        ("a,p_value\n1,.5\n", "a,p_value\n1,.502\n", "equal within the tolerance", "by 0.002 at most"),
        ("a,measured\n1,7.2\n", "a,measured\n1,7.1\n", "equal within the tolerance", "by 0.01 at most"),
        ("a,measured\n1,7.2\n", "a,measured\n1,7.0\n", "different", "7.2 → 7.0"),
        ("a,measured\n1,7\n", "a,measured\n1,8\n", "different", "7.0 → 8.0"),
        ("a,b\n1,x\n", "a,b\n1,y\n", "different", "line 2.b x → y"),
        ("a,b\n1,2\n", "a,b\n1,2\n3,4\n", "different", "line 3 nothing → 2 entries"),
        ("a,b\n1,2\n", "a,c\n1,2\n", "different", "columns"),
        ("a,b\n1,2\n", "a,b\n1,2,3\n", "different", "cannot be read"),
    ],
    ids=[
        "last digit",
        "number",
        "rank",
        "rounded",
        "rounded more",
        "whole",
        "word",
        "line more",
        "other column",
        "no table",
    ],
)
def test_tables_are_compared_cell_by_cell(
    tmp_path: Path, old: str, new: str, outcome: str, says: str
) -> None:
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "regions.csv").write_text(text)
    item = digests.entry(tmp_path / "old" / "regions.csv")
    found = reproduce.compare(item, tmp_path / "old", tmp_path / "new")
    assert found.outcome == outcome and says in found.words


def test_saved_comparisons_are_compared_by_their_numbers(tmp_path: Path) -> None:
    """Other versions alone change nothing; a score in its last digits is told; a half other one differs."""
    made = scenes.comparison()
    assert made.change is not None
    score = made.change.score
    near, far = score * (1 + 1e-6), np.where(np.arange(score.shape[1]) % 2, score, 1 - score)
    others = {
        "versions": replace(made, versions=made.versions | {"numpy": "1.0"}),
        "near": replace(made, change=replace(made.change, score=near.astype(score.dtype))),
        "far": replace(made, change=replace(made.change, score=far.astype(score.dtype))),
    }
    found = {}
    (tmp_path / "old").mkdir()
    saved.write(made, tmp_path / "old")
    for name, other in others.items():
        (tmp_path / name).mkdir()
        saved.write(other, tmp_path / name)
        item = digests.entry(tmp_path / "old" / saved.FILE)
        found[name] = reproduce.compare(item, tmp_path / "old", tmp_path / name)
    equal = "equal within the tolerance"
    assert {name: each.outcome for name, each in found.items()} == {
        "versions": equal,
        "near": equal,
        "far": "different",
    }
    assert found["versions"].words == "only versions differ"
    assert re.search(r"1 numbers differ, by \de-0[67] at most \(\d+\.npy\)", found["near"].words)


def test_what_is_drawn_from_other_results_is_not_called_equal() -> None:
    drawn = reproduce.Compared("figure.png", "equal within the tolerance", reproduce.OTHER_BYTES)
    results = reproduce.Compared("results.json", "different", "1 values differ")
    same = reproduce.Compared("results.json", "identical", "the same bytes")
    assert reproduce.together([drawn, same]) == (drawn, same)
    assert [item.outcome for item in reproduce.together([drawn, results])] == ["different", "different"]
    kept = replace(same, name=saved.FILE)
    assert reproduce.together([drawn, same, kept])[0].outcome == "equal within the tolerance"
    assert reproduce.together([drawn, same, kept], exact=True)[0].outcome == "different"


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
    done = invoke(
        "compare", *pair, "-o", run, "--figure", "news-1x1", "--animate", "webp", "--embed", *credit
    )
    pages = {f"figure_news-1x1{clean}.{kind}" for clean in ("", "_clean") for kind in ("png", "svg")}
    listed = {item["name"] for item in json.loads((run / "manifest.json").read_text())["outputs"]}
    assert pages <= listed
    moves = json.loads((run / "results.json").read_text())["verdict"] != "not comparable"
    assert ("figure_animation.webp" in listed) == moves == ("no moving picture" not in done.stderr)
    news = {"embed.html", "embed_juxtapose.html", "embed_before.jpg", "embed_after.jpg"}
    assert (news <= listed) == moves == ("nothing for a news page" not in done.stderr)
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
    done = invoke("compare", *pair, "-o", tmp_path / "run", "--embed")
    assert done.exit_code == 2 and "--embed" in done.stderr and "--before-credit and --after" in done.stderr
    assert not (tmp_path / "run").exists()
    done = invoke("compare", *pair, "-o", tmp_path / "run", "--font", pair[0])
    assert done.exit_code == 3 and "not a TrueType or OpenType font" in done.stderr
    assert not (tmp_path / "run").exists()
