"""Files that lead elsewhere, pairs that hold nothing: no request, file or traceback, and inputs untouched."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.transform import from_origin

from damagediff import cli, raster
from damagediff.settings import ReadSettings
from damagediff.types import Source, Window

RGB = ("red", "green", "blue")


@pytest.fixture
def listener():
    """A local server that must never hear anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.fixture
def untouched(tmp_path):
    """Every file of the folder is the same afterwards, and there is no other."""

    def seen():
        return {
            path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in tmp_path.iterdir()
            if path.is_file()
        }

    class Watch:
        before: dict[str, tuple[str, int]]

        def begin(self):
            self.before = seen()

    watch = Watch()
    yield watch
    assert seen() == watch.before


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def one_line(done, code):
    assert done.exit_code == code, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    (line,) = done.output.strip().splitlines()
    assert line.startswith("damagediff: ")
    return line


def disguises(url: str) -> dict[str, str]:
    """Descriptions of rasters that other GDAL drivers would follow, each benign: all it does is ask."""
    source = f"<SourceFilename>/vsicurl/{url}/a.tif</SourceFilename>"
    return {
        "vrt": '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource>{source}</SimpleSource></VRTRasterBand></VRTDataset>",
        "wms": f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}</ServerUrl></Service></GDAL_WMS>',
        "wmts": f"<GDAL_WMTS><GetCapabilitiesUrl>{url}/</GetCapabilitiesUrl></GDAL_WMTS>",
        "wcs": f"<WCS_GDAL><ServiceURL>{url}/?</ServiceURL><CoverageName>a</CoverageName></WCS_GDAL>",
        "mrf": "<MRF_META><Raster><Size x='9' y='9' c='1'/></Raster></MRF_META>",
        "gti": f"<GDALTileIndexDataset><IndexDataset>{url}/a.gpkg</IndexDataset></GDALTileIndexDataset>",
        "gdalg": json.dumps({"type": "gdal_streamed_alg", "command_line": f"gdal raster read {url}/a.tif"}),
        "stac": json.dumps({"stac_version": "1.0.0", "type": "Feature", "assets": {"a": {"href": url}}}),
        "hdf5": "\x89HDF\r\n\x1a\n",
        "netcdf": "CDF\1",
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}/a.png"/></svg>',
        "pdf": "%PDF-1.7",
        "grib": "GRIB",
        "nitf": "NITF02.10",
    }  # fmt: skip


@pytest.mark.parametrize("ending", [".tif", ".png", ".jpg"])
def test_disguises_are_not_images(tmp_path, listener, untouched, ending):
    for name, text in disguises(listener).items():
        (tmp_path / f"{name}{ending}").write_text(text, encoding="latin-1")
    untouched.begin()
    for name in disguises(listener):
        assert "not an image type we read" in one_line(run("info", tmp_path / f"{name}{ending}"), 3)


@pytest.mark.parametrize(
    "form", ["{}/a.tif", "/vsicurl/{}/a.tif", "vrt://{}/a.tif", "/vsizip/{}/a.zip/a.tif"]
)
def test_addresses_are_never_asked(make_raster, tmp_path, listener, form):
    there = form.format(listener)
    path = make_raster("a.png", np.zeros((3, 80, 80), np.uint8))
    one_line(run("info", there), 3)
    one_line(run("compare", path, there, "-o", tmp_path / "run"), 3)
    one_line(run("compare", path, path, "-o", tmp_path / "run", "--before-crs", there), 2)
    one_line(run("compare", path, path, "-o", tmp_path / "run", "--footprints", there), 3)
    assert [name.name for name in tmp_path.iterdir()] == ["a.png"]


def test_tags_that_name_other_files_are_told_and_not_followed(make_raster, tmp_path, listener, untouched):
    rng = np.random.default_rng(0)
    placed = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 0.5, 0.5)}
    path = make_raster("a.tif", rng.integers(10, 20, (3, 256, 256)).astype(np.uint8), **placed)
    make_raster("other.tif", np.full((3, 128, 128), 77, np.uint8))
    with rasterio.open(path, "r+") as out:
        out.update_tags(
            ns="GEOLOCATION", X_DATASET=f"/vsicurl/{listener}/x.tif", Y_DATASET=f"{listener}/y.tif"
        )
        out.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{listener}/o.tif")
    for name in ("a.tif.ovr", "a.tif.msk", "a.ovr"):
        (tmp_path / name).write_bytes((tmp_path / "other.tif").read_bytes())
    (tmp_path / "a.tif.aux.xml").write_text(
        f"<PAMDataset><Metadata domain='OVERVIEWS'><MDI key='OVERVIEW_FILE'>{listener}/a</MDI></Metadata>"
        "</PAMDataset>",
        encoding="ascii",
    )
    untouched.begin()
    image = raster.inspect(Source(path), ReadSettings())
    told = " ".join(image.notes)
    assert "OVERVIEWS" in told and "GEOLOCATION" in told
    with raster.Reader(image, RGB) as reader:
        small, valid, _ = reader.read_reduced(64)
        full, _ = reader.read(Window(0, 0, 256, 256))
    assert valid.all() and full.max() < 20 and small.max() < 20
    assert run("info", path).exit_code == 0


def texture(seed: int, shape: tuple[int, int] = (200, 220)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(30, 220, (3, shape[0] // 10, shape[1] // 10)), np.ones((1, 10, 10)))
    return np.clip(coarse + rng.integers(-8, 9, coarse.shape), 1, 255).astype(np.uint8)


def degenerate() -> dict[str, tuple[np.ndarray, int]]:
    """The after image by its defect, and the exit code."""
    plain = texture(1)
    ramp = np.broadcast_to(np.linspace(1, 250, 220), (3, 200, 220)).astype(np.uint8)
    checks = np.broadcast_to((np.indices((200, 220)).sum(0) % 2 * 200 + 20), (3, 200, 220)).astype(np.uint8)
    missing = plain.astype(np.float32)
    missing[:, 20:] = np.nan
    return {
        "black": (np.zeros_like(plain), 3),
        "flat": (np.full_like(plain, 128), 3),
        "one pixel": (plain[:, :1, :1], 3),
        "one row": (plain[:, :1], 3),
        "one column": (plain[:, :, :1], 3),
        "not a number": (np.full(plain.shape, np.nan, np.float32), 3),
        "infinite": (np.full(plain.shape, np.inf, np.float32), 3),
        "nearly nothing valid": (missing, 4),
        "noise": (np.random.default_rng(5).integers(0, 256, plain.shape).astype(np.uint8), 4),
        "ramp": (ramp, 4),
        "checkerboard": (checks, 4),
        "another place": (texture(2), 4),
    }


@pytest.mark.parametrize("defect", degenerate())
def test_pairs_that_hold_nothing_are_refused(make_raster, tmp_path, untouched, defect):
    after, code = degenerate()[defect]
    pair = make_raster("before.tif", texture(1)), make_raster("after.tif", after)
    untouched.begin()
    for k, images in enumerate((pair, pair[::-1])):
        done = run("compare", *images, "-o", tmp_path / f"run{k}", "-q")
        assert done.exit_code == code, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        if code == 3:
            assert len(done.output.strip().splitlines()) == 1
            assert not (tmp_path / f"run{k}").exists()


def test_a_flat_pair_and_a_black_one(make_raster, tmp_path):
    for value in (0, 128):
        path = make_raster(f"{value}.tif", np.full((3, 100, 100), value, np.uint8))
        assert "nothing to compare" in one_line(run("compare", path, path, "-o", tmp_path / "run", "-q"), 3)


def cut(path: Path, share: float) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def test_a_damaged_file_stops_the_run_unless_accepted_and_then_everything_says_so(make_raster, tmp_path):
    before = make_raster("before.png", texture(1, (400, 400)))
    after = cut(make_raster("after.png", np.minimum(texture(1, (400, 400)), 240)), 0.8)
    assert "--accept-damaged" in one_line(run("info", after), 3)
    assert "after.png: damaged: it ends within" in one_line(
        run("compare", before, after, "-o", tmp_path / "run", "-q"), 3
    )
    assert not (tmp_path / "run").exists()
    assert "damaged (it ends within" in run("info", after, "--accept-damaged").output
    done = run("compare", before, after, "-o", tmp_path / "run", "-q", "--accept-damaged")
    assert done.exit_code == 0, done.output
    assert "DAMAGED file, accepted" in done.output
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert results["pair"]["before"]["integrity"] == {"state": "complete", "findings": []}
    assert results["pair"]["after"]["integrity"]["state"] == "damaged"
    assert results["settings"]["read"]["accept_damaged"] is True
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    states = {entry["role"]: entry["integrity"]["state"] for entry in manifest["inputs"]}
    assert states == {"before": "complete", "after": "damaged"}
    assert manifest["environment"]["sandbox"] == raster.sandbox()
    assert "DAMAGED FILE ACCEPTED: AFTER" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.skipif(os.name == "nt", reason="no such environment")
def test_no_home_and_an_empty_environment(make_raster, tmp_path):
    pair = make_raster("before.tif", texture(1)), make_raster("after.tif", np.minimum(texture(1), 240))
    for path in pair:
        path.chmod(0o444)
    code = "from damagediff.cli import main; main()"
    command = [sys.executable, "-c", code, "compare", *map(str, pair), "-o", str(tmp_path / "run"), "-q"]
    kept = {key: os.environ[key] for key in ("PYTHONPATH", "PATH") if key in os.environ}
    done = subprocess.run(command, env=kept, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.tif", "before.tif", "run"]
