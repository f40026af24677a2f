"""The manifest lists everything, tells nothing private, and repeats."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import scenes

from damagediff import digests, evidence, outputs, versions
from damagediff.errors import InputError, SettingsError

STARTED = datetime(2024, 3, 1, 12, 30, 5, tzinfo=UTC)
COMMAND = [
    "/usr/local/bin/damagediff",
    "compare",
    "/home/someone/b.tif",
    "data/a.tif",
    "--out=/srv/secret/run",
    "-o",
    "../../someone/run",
    "--title",
    "Ganja 10/11 October",
    r"C:\Users\someone\x.tif",
    "~/x/y.toml",
]


@pytest.fixture(autouse=True)
def no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def manifest(folder: Path, started: datetime = STARTED) -> dict:
    evidence.write_manifest(folder, scenes.comparison(), COMMAND, started)
    return json.loads((folder / "manifest.json").read_text())


def test_every_file_is_listed_with_its_hash(tmp_path: Path) -> None:
    outputs.write_results(scenes.comparison(), tmp_path)
    (tmp_path / "figure.png").write_bytes(b"pixels")
    found = manifest(tmp_path)
    files = {path.name: path for path in tmp_path.iterdir() if path.name not in digests.BESIDE}
    assert {entry["name"] for entry in found["outputs"]} == set(files)
    for entry in found["outputs"]:
        data = files[entry["name"]].read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (tmp_path / "results.json").read_bytes()
    assert (
        hashlib.sha256((tmp_path / "results.json").read_bytes()).hexdigest().startswith(found["evidence_id"])
    )


def test_inputs_are_named_and_hashed(tmp_path: Path) -> None:
    footprints = tmp_path / "houses.geojson"
    footprints.write_text("{}")
    comparison = scenes.comparison()
    comparison = dataclasses.replace(
        comparison, case=dataclasses.replace(comparison.case, footprints=footprints)
    )
    run = tmp_path / "run"
    run.mkdir()
    evidence.write_manifest(run, comparison, COMMAND, STARTED)
    found = json.loads((run / "manifest.json").read_text())["inputs"]
    assert [item["role"] for item in found] == ["before", "after", "footprints"]
    assert found[0]["sha256"] == "b" * 64 and found[2]["sha256"] == hashlib.sha256(b"{}").hexdigest()


def test_nothing_private_is_told(tmp_path: Path) -> None:
    found = manifest(tmp_path)
    assert found["command"] == [
        "damagediff",
        "compare",
        "b.tif",
        "data/a.tif",
        "--out=run",
        "-o",
        "run",
        "--title",
        "Ganja 10/11 October",
        "x.tif",
        "y.toml",
    ]
    text = (tmp_path / "manifest.json").read_text()
    assert "someone" not in text and "secret" not in text and str(tmp_path) not in text


def test_only_the_time_differs_between_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = manifest(tmp_path), manifest(tmp_path, datetime(2025, 1, 1, tzinfo=UTC))
    assert first["created"] == "2024-03-01T12:30:05Z" and first != second
    same = {"created": "", "manifest_sha256": "", "ro_crate_sha256": ""}
    assert first | same == second | same
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert manifest(tmp_path)["created"] == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(SettingsError, match="SOURCE_DATE_EPOCH"):
        manifest(tmp_path)


def test_inputs_that_change_are_noticed(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("before.tif", "after.tif", "houses.geojson", "places.csv")}
    for path in paths.values():
        path.write_text(path.name)
    before, after, houses, places = paths.values()
    found = scenes.comparison()
    images = {
        side: dataclasses.replace(
            getattr(found.pair, side), path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for side, path in (("before", before), ("after", after))
    }
    case = dataclasses.replace(found.case, footprints=houses, tie_points=places)
    found = dataclasses.replace(found, case=case, pair=dataclasses.replace(found.pair, **images))
    sealed = evidence.seal(case)
    evidence.check_unchanged(found, sealed)
    for path in paths.values():
        path.write_text(path.name.upper())
        with pytest.raises(InputError, match=f"{path.name}: changed"):
            evidence.check_unchanged(found, sealed)
        path.write_text(path.name)
    places.unlink()
    with pytest.raises(InputError, match="places.csv: changed"):
        evidence.check_unchanged(found, sealed)


def test_versions_name_what_touches_pixels() -> None:
    found = versions.versions()
    assert {
        "damagediff",
        "python",
        "numpy",
        "scipy",
        "rasterio",
        "GDAL",
        "PROJ",
        "GEOS",
        "matplotlib",
    } <= set(found)
    assert all(found.values()) and "not known" not in {found["numpy"], found["rasterio"]}
    assert found == versions.versions()
