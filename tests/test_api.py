"""damagediff.compare on files and arrays: the bytes of the command line, shown, written, opened again."""

from __future__ import annotations

import configparser
import gc
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import types as python
import venv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browsers
import cv2
import numpy as np
import pytest
import rasterio
import scenes
from affine import Affine
from click.testing import CliRunner
from rasterio.crs import CRS
from test_cli import BURIED, TRUTH, as_bytes, houses

import damagediff as dd
from damagediff import (
    api,
    api_inputs,
    cli,
    folders,
    outputs,
    raster,
    report_notebook,
    runs,
    settings,
    synthetic,
)
from damagediff import summary as sentences
from damagediff.judged import Judgement

PLACE = Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)
QUICK = {"report": {"pdf": False}, "trust": {"selftest": False}, "workers": 1}
TOML = "workers = 1\nreport.pdf = false\ntrust.selftest = false\n"
OF_THE_DAY = {"manifest.json", "custody.jsonl", "ro-crate-metadata.json", "SHA256SUMS"}
"""Files that tell when and how a run was asked for."""


def grounds() -> tuple[np.ndarray, np.ndarray]:
    """(3, 360, 400) uint8 twice: the second displaced, brighter, and with one block of rubble."""
    rng = np.random.default_rng(2)
    before = houses(1)
    changed = before.copy()
    changed[:, *BURIED] = rng.normal(130, 45, before.shape)[:, *BURIED]
    after = np.nan_to_num(synthetic.warp(changed, TRUTH) * 0.9 + 18)
    after += scenes.ripples(after.shape[1:], rng)
    return as_bytes(before + rng.normal(0, 2, before.shape)), as_bytes(after + rng.normal(0, 2, after.shape))


def strangers() -> tuple[np.ndarray, np.ndarray]:
    """(150, 160) float32 twice: pictures of different places."""
    rng = np.random.default_rng(1)
    first, second = (synthetic.textured(rng, (150, 160)).astype(np.float32) for _ in range(2))
    return first, second


@dataclass
class Made:
    folder: Path
    rasters: tuple[dd.Raster, dd.Raster]
    found: dd.Comparison
    """Of the arrays, with a title and dates."""
    heard: list[tuple[str, float]]


KNOWN: dict[str, Any] = {
    "title": "Two blocks",
    "before_date": "2020-10-04T07:52Z",
    "after_date": date(2020, 10, 13),
}
AS_OPTIONS = ["--title", "Two blocks", "--before-date", "2020-10-04T07:52Z", "--after-date", "2020-10-13"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("api")
    before, after = (
        dd.Raster(pixels, PLACE, "EPSG:32638", ("red", "green", "blue"), name=name)
        for pixels, name in zip(grounds(), ("before", "after"), strict=True)
    )
    heard: list[tuple[str, float]] = []
    found = dd.compare(before, after, QUICK, lambda *told: heard.append(told), **KNOWN)
    return Made(folder, (before, after), found, heard)


@pytest.fixture(scope="module")
def by_command(made: Made) -> Path:
    """The run that the command line makes of the same arrays as files."""
    for each in made.rasters:
        each.save(made.folder / f"{each.name}.tif")
    (made.folder / "quick.toml").write_text(TOML)
    names = [str(made.folder / name) for name in ("before.tif", "after.tif", "by_command", "quick.toml")]
    asked = ["compare", *names[:2], "-o", names[2], "--settings", names[3], "-q", *AS_OPTIONS]
    done = CliRunner().invoke(cli.main, asked)
    assert done.exit_code == 0, done.output
    return made.folder / "by_command"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def told_of_the_run(folder: Path) -> dict[str, Any]:
    """Its manifest without when and how it was asked for."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {k: v for k, v in manifest.items() if k not in ("created", "command") and "sha256" not in k}


def scratch() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("damagediff-*"))


@pytest.fixture
def own_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for temporary files of this test alone."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    yield


# ---- one pipeline -------------------------------------------------------------------------------


def test_arrays_give_the_bytes_that_the_command_line_makes_of_them_as_files(
    made: Made, by_command: Path
) -> None:
    written = made.found.write(made.folder / "written")
    ours, theirs = contents(written), contents(by_command)
    assert [name for name in ours if ours[name] != theirs.get(name) and name not in OF_THE_DAY] == []
    assert ours.keys() == theirs.keys()
    assert told_of_the_run(written) == told_of_the_run(by_command)
    command = json.loads(ours["manifest.json"])["command"]
    assert command == ["damagediff.compare", "before.tif", "after.tif"]
    assert made.heard[0] == ("reading", 0.0) and {stage for stage, _ in made.heard} >= {"measuring change"}
    assert all(0 <= share <= 1 for _, share in made.heard)


def test_an_array_of_a_file_is_the_same_picture_as_the_file(made: Made, tmp_path: Path) -> None:
    """By the call of earlier versions, which writes rasters into a folder that is there."""
    paths = []
    for each in made.rasters:
        paths.append(tmp_path / f"{each.name}.tif")
        with rasterio.open(
            paths[-1], "w", driver="GTiff", width=400, height=360, count=3, dtype="uint8", crs="EPSG:32638",
            transform=PLACE, photometric="RGB", compress="deflate",
        ) as out:  # fmt: skip
            out.write(each.pixels)
    (tmp_path / "rasters").mkdir()
    case = dd.Case(*map(dd.Source, paths))
    found = dd.compare(case, settings.from_dict(QUICK), tmp_path / "rasters")
    assert found.change is not None and made.found.change is not None
    np.testing.assert_array_equal(found.change.score, made.found.change.score)
    np.testing.assert_array_equal(found.pictures.after, made.found.pictures.after)
    assert found.regions == made.found.regions and found.regions
    assert (tmp_path / "rasters" / "change_mask.tif").exists()
    with pytest.raises(dd.OutputError, match="no rasters"):
        found.write(tmp_path / "run")


HOSTILE = ("<script>alert(1)<script>", '"><svg onload=alert(2)>')


def test_plain_arrays_with_hostile_names_and_nothing_printed(
    made: Made, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, after = (
        dd.Raster(each.pixels, name=name) for each, name in zip(made.rasters, HOSTILE, strict=True)
    )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        told: Any = {"gsd_m": 0.4, "before_credit": HOSTILE[0], "title": HOSTILE[1]}
        found = dd.compare(
            replace(before, pixels=before.pixels[0]), after, QUICK, out=tmp_path / "run", **told
        )
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(threads)
    assert capfd.readouterr() == ("", "")
    assert found.pair.grid.crs is None and found.pair.grid.gsd_m == 0.4 and found.pair.roles == ("grey",)
    assert found.pair.before.credit == HOSTILE[0] and found.pair.before.name == f"{HOSTILE[0]}.tif"
    assert len(found.regions) == 1 and found.regions_geojson()["properties"]["crs"] is None
    assert found.folder == tmp_path / "run" and dd.open_run(tmp_path / "run").regions == found.regions
    page = found._repr_html_()
    assert "&lt;script&gt;" in page and not re.search("<script|<svg onload", page)


@pytest.mark.usefixtures("own_scratch")
def test_a_refused_alignment_is_an_answer(tmp_path: Path) -> None:
    paths = [dd.Raster(pixels).save(tmp_path / f"{k}.tif") for k, pixels in enumerate(strangers())]
    (tmp_path / "quick.toml").write_text(TOML)
    found = dd.compare(str(paths[0]), dd.Source(paths[1]), tmp_path / "quick.toml")
    assert found.verdict == "not comparable" and found.change is None and found.regions == ()
    page = found._repr_html_()
    assert 'class="dd-stage"' not in page and page.count("data:image/jpeg") == 2
    same = dd.compare(dd.Case(*map(dd.Source, paths)), settings=QUICK)
    assert outputs.evidence_id(found) == outputs.evidence_id(same)
    paths[0].write_bytes(paths[1].read_bytes())
    with pytest.raises(dd.InputError, match="changed while it was read"):
        found.write(tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---- what comes back ----------------------------------------------------------------------------


def test_a_comparison_is_the_noun_of_types_and_says_little(made: Made) -> None:
    found = made.found
    assert isinstance(found, dd.types.Comparison) and isinstance(found, dd.Comparison)
    assert repr(found) == f"<damagediff.Comparison 'before.tif', 'after.tif': {found.verdict}, 1 region>"
    assert found.results()["verdict"] == found.verdict
    assert found.results()["regions"][0]["area_px"] == found.regions[0].area_px
    (feature,) = found.regions_geojson()["features"]
    assert feature["properties"]["id"] == 1 and feature["geometry"]["type"] == "Polygon"


@pytest.mark.usefixtures("own_scratch")
def test_rasters_are_kept_until_the_comparison_is_forgotten(tmp_path: Path) -> None:
    found = dd.compare(*strangers(), QUICK)
    assert len(scratch()) == 1
    again = replace(found, notes=("another",))
    copied = pickle.loads(pickle.dumps(found))
    del found
    gc.collect()
    assert len(scratch()) == 1 and again.folder is None
    del again
    gc.collect()
    assert not scratch()
    assert copied.verdict == "not comparable" and copied.folder is None
    with pytest.raises(dd.OutputError, match="Compare again with out="):
        copied.write(tmp_path / "run")


@pytest.mark.usefixtures("own_scratch")
def test_nothing_is_written_of_a_comparison_whose_rasters_the_system_removed(
    made: Made, tmp_path: Path
) -> None:
    found = dd.compare(*strangers(), QUICK)
    shutil.rmtree(scratch().pop())
    with pytest.raises(dd.OutputError, match="removed from the temporary folder. Compare again with out="):
        found.write(tmp_path / "run")
    kept = made.found._kept
    assert isinstance(kept, api._Kept) and kept.computed is not None
    left = tmp_path / "left"
    shutil.copytree(kept.computed.rasters, left)
    (left / "change_mask.tif").unlink()
    with pytest.raises(dd.OutputError, match="removed from the temporary folder"):
        runs.write(replace(kept.computed, rasters=left), tmp_path / "run", runs.Order(()))
    assert not (tmp_path / "run").exists() and "not comparable" in found._repr_html_()


@pytest.mark.skipif(sys.platform == "win32", reason="there, asking whether a process lives would end it")
@pytest.mark.usefixtures("own_scratch")
def test_what_a_killed_kernel_left_is_removed_by_the_next_comparison() -> None:
    ours = folders.scratch()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = ours.with_name(ours.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-"))
    (left / "rasters").mkdir(parents=True)
    others = [ours.with_name(name) for name in ("damagediff-notes", f"damagediff-{ended.pid}-x")]
    for other in others:
        other.mkdir()
    second = folders.scratch()
    assert left != ours and scratch() == {ours, second, *others}
    api._remove(ours, ended.pid)
    assert ours.exists()


@pytest.mark.usefixtures("own_scratch")
def test_nothing_is_left_of_what_failed(made: Made, tmp_path: Path) -> None:
    with pytest.raises(dd.InputError, match="all its valid pixels") as caught:
        dd.compare(made.rasters[0], np.ones((100, 100), np.uint8), QUICK)
    assert caught.value.exit_code == 3 and not scratch()
    (tmp_path / "run").mkdir()
    with pytest.raises(dd.OutputError, match="already exists"):
        dd.compare(*made.rasters, QUICK, out=tmp_path / "run")
    assert not scratch()


def test_a_run_is_opened_when_it_is_sound_and_copied_whole(
    made: Made, by_command: Path, tmp_path: Path
) -> None:
    opened = dd.open_run(str(by_command))
    assert opened._repr_html_() == made.found._repr_html_()
    assert contents(opened.write(tmp_path / "copy")) == contents(by_command)
    with pytest.raises(dd.OutputError, match="already exists"):
        opened.write(tmp_path / "copy")
    (tmp_path / "copy" / "regions.geojson").write_text("{}")
    with pytest.raises(dd.EvidenceError, match="was changed"):
        dd.open_run(tmp_path / "copy")
    with pytest.raises(dd.EvidenceError):
        dd.open_run(made.folder / "no such run")


# ---- what goes in -------------------------------------------------------------------------------

GREY = np.zeros((70, 80), np.uint8)
ODD: Any = [[1], [1, 2]]
"""Of no type that anything here takes."""
NO_IMAGES: dict[str, tuple[dd.Raster, str]] = {
    "a row": (dd.Raster(GREY[0]), "is no image"),
    "nothing": (dd.Raster(GREY[:0]), "is no image"),
    "bands last": (dd.Raster(np.zeros((70, 80, 3), np.uint8)), "moveaxis"),
    "a mask": (dd.Raster(GREY > 0), "type bool"),
    "complex": (dd.Raster(GREY * 1j), "type complex128"),
    "int64": (dd.Raster(GREY.astype(np.int64)), "type int64"),
    "objects": (dd.Raster(GREY.astype(object)), "type object"),
    "mask of another shape": (dd.Raster(GREY, valid=GREY[1:] > 0), "valid is bool of shape"),
    "mask of numbers": (dd.Raster(GREY, valid=GREY), "valid is uint8"),
    "nodata of another type": (dd.Raster(GREY, nodata=-9999), "nodata -9999 is no value of uint8"),
    "nodata between": (dd.Raster(GREY, nodata=0.5), "nodata 0.5"),
    "crs alone": (dd.Raster(GREY, crs="EPSG:4326"), "has no transform"),
    "transform alone": (dd.Raster(GREY, PLACE), "has no crs"),
    "no crs": (dd.Raster(GREY, PLACE, "EPSG:none\x1b[2J"), "CRS EPSG:none"),
    "too few roles": (dd.Raster(GREY, bands=("red", "green")), "2 bands are named and 1 there"),
    "odd role": (dd.Raster(GREY, bands=("<b>",)), "unknown: <b>"),
    "role twice": (dd.Raster(np.stack([GREY, GREY]), bands=("red", "red")), "named twice: red"),
    "only alpha": (dd.Raster(GREY, bands=("alpha",)), "none is left"),
    "rows of several lengths": (dd.Raster(ODD), "a list that is no array"),
    "mask in a list": (dd.Raster(GREY, valid=ODD[:1]), "valid is int64 of shape (1, 1)"),
    "mask beside a masked array": (
        dd.Raster(np.ma.masked_array(GREY), valid=GREY[1:] > 0),
        "valid is bool of shape",
    ),
    "nodata in a list": (dd.Raster(GREY, nodata=ODD), "nodata [[1], [1, 2]]"),
    "nodata beyond float32": (dd.Raster(GREY.astype(np.float32), nodata=1e300), "no value of float32"),
    "transform in the order of GDAL": (
        dd.Raster(GREY, PLACE.to_gdal(), "EPSG:32638"),
        "Affine.from_gdal",
    ),
    "transform of two numbers": (dd.Raster(GREY, ODD, "EPSG:32638"), "not an affine.Affine"),
    "crs in a list": (dd.Raster(GREY, PLACE, ODD), "not EPSG:n, WKT"),
    "roles in lists": (dd.Raster(GREY, bands=ODD), "bands: not a tuple of texts"),
}


@pytest.mark.parametrize("defect", NO_IMAGES)
def test_an_array_that_is_no_image(defect: str, tmp_path: Path) -> None:
    bad, words = NO_IMAGES[defect]
    with pytest.raises(dd.InputError, match=re.escape(words)) as caught:
        bad.save(tmp_path / "a.tif")
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert not any(tmp_path.iterdir())


def test_an_array_does_not_take_the_place_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(dd.OutputError, match="a folder"):
        dd.Raster(GREY).save(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "..\\b", "a\0b", "n" * 300, 5])
def test_a_name_that_is_no_name_of_a_file(name: Any) -> None:
    with pytest.raises(dd.InputError, match="no name for an array"):
        dd.compare(dd.Raster(GREY, name=name), GREY)


@pytest.mark.parametrize(
    "kind", ["uint8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
def test_an_array_comes_back_from_its_file_without_loss(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    pixels = (rng.random((5, 70, 90)) * 120).astype(kind)[:, ::-1]
    valid = rng.random((70, 90)) > 0.2
    roles = ("other", "blue", "green", "red", "nir")
    given = dd.Raster(
        np.ma.masked_array(pixels, pixels == pixels[0, 3, 4]), PLACE, CRS.from_epsg(3857), roles, valid
    )
    kept = pixels.copy()
    path = given.save(tmp_path / "a.tif")
    image = raster.inspect(dd.Source(path), settings.ReadSettings())
    assert (image.roles, image.crs, image.transform, image.shape) == (roles[1:], "EPSG:3857", PLACE, (70, 90))
    with raster.Reader(image, ("red", "green", "blue", "nir")) as reader:
        data, found = reader.read(dd.types.Window(0, 0, 70, 90))
    expected = valid & ~(pixels == pixels[0, 3, 4]).any(0)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(data, np.where(expected, pixels[[3, 2, 1, 4]].astype(np.float32), 0))
    np.testing.assert_array_equal(pixels, kept)
    assert path.read_bytes() == given.save(tmp_path / "b.tif").read_bytes()


def test_an_array_on_the_grid_of_a_comparison(made: Made) -> None:
    grid = made.found.pair.grid
    placed = dd.Raster.on_grid(made.found.pictures.after[..., 0], grid, "again")
    assert (placed.transform, placed.crs, placed.name) == (grid.transform, grid.crs, "again")
    assert dd.Raster.on_grid(GREY, dd.Grid((70, 80))).crs is None
    with pytest.raises(dd.InputError, match="70 x 80 px do not fit a grid of"):
        dd.Raster.on_grid(GREY, grid)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"before_date": "last week"}, "before_date = 'last week': not a date"),
        ({"event_date": "2020-13-01"}, "event_date"),
        ({"place": (140.0, 40.0)}, "latitude comes first"),
        ({"gsd_m": -1.0}, "gsd_m = -1"),
        ({"gsd_m": float("nan")}, "gsd_m = nan"),
        ({"gsd_m": "0.5"}, "gsd_m = 0.5: a pixel size must be a number"),
        ({"place": "40N"}, "latitude comes first"),
        ({"title": 5}, "title = '5': must be a text"),
        ({"footprints": ODD}, "footprints: a list is no file"),
        ({"baselines": "old.tif"}, "baselines: a str is no list of files"),
        ({"baselines": [GREY]}, "baselines: a ndarray is no file"),
        ({"before_credit": "x" * 400}, "--before-credit"),
        ({"settings": {"align": {"widow_px": 3}}}, "align.widow_px"),
        ({"settings": 7}, "settings: expected"),
        ({"settings": "no such file.toml"}, "no such file.toml"),
    ],
)
def test_what_cannot_be_so(told: dict[str, Any], words: str) -> None:
    with pytest.raises(dd.SettingsError, match=re.escape(words)):
        dd.compare(GREY, GREY, **told)


@pytest.mark.parametrize(
    ("given", "known", "words"),
    [
        ((GREY, GREY), {"titel": "x"}, "no keyword 'titel'"),
        ((GREY,), {}, "the after image is missing"),
        ((dd.Case(dd.Source(Path("a")), dd.Source(Path("b"))), GREY), {}, "holds both images"),
        ((dd.Case(dd.Source(Path("a")), dd.Source(Path("b"))),), {"title": "x"}, "holds both images"),
        ((dd.Case(dd.Source(Path("a")), dd.Source(Path("b"))), dd.Settings()), {}, "the folder"),
    ],
)
def test_a_call_that_has_no_meaning(given: tuple[Any, ...], known: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        dd.compare(*given, **known)


def test_a_case_may_name_its_files_by_texts_and_leave_out_its_title() -> None:
    odd: Any = {"before": "a.tif", "after": dd.Source("b.tif"), "aoi": "c.geojson", "title": None}
    case = api_inputs.checked(dd.Case(**odd))
    expected = dd.Case(dd.Source(Path("a.tif")), dd.Source(Path("b.tif")), aoi=Path("c.geojson"))
    assert case == expected
    with pytest.raises(dd.SettingsError, match="after: a int is no file"):
        dd.compare(replace(case, after=5))


@pytest.mark.parametrize("name", ["a\0b", 5])
@pytest.mark.usefixtures("own_scratch")
def test_a_run_folder_that_no_system_can_make(name: Any, made: Made) -> None:
    with pytest.raises(dd.OutputError, match="no name for a run folder"):
        dd.compare(GREY, GREY, out=name)
    with pytest.raises(dd.OutputError, match="no name for a run folder"):
        made.found.write(name)
    assert not scratch()


def test_something_that_is_no_image() -> None:
    with pytest.raises(dd.InputError, match="after: a list is no image"):
        dd.compare(GREY, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("value", "when", "precision", "for_utc"),
    [
        ("2020-10-04", datetime(2020, 10, 4, tzinfo=UTC), "day", False),
        ("2020-10-04T07:52", datetime(2020, 10, 4, 7, 52, tzinfo=UTC), "minute", True),
        ("2020-10-04T07:52+04:00", datetime(2020, 10, 4, 3, 52, tzinfo=UTC), "minute", False),
        (date(2020, 10, 4), datetime(2020, 10, 4, tzinfo=UTC), "day", False),
        (datetime(2020, 10, 4, 7, 52, 3), datetime(2020, 10, 4, 7, 52, 3, tzinfo=UTC), "second", True),
        (
            datetime(2020, 10, 4, 7, 52, tzinfo=timezone(timedelta(hours=4))),
            datetime(2020, 10, 4, 3, 52, tzinfo=UTC),
            "second",
            False,
        ),
    ],
)
def test_dates_as_text_and_as_values(
    value: Any, when: datetime, precision: str, for_utc: bool, tmp_path: Path
) -> None:
    case = api_inputs.case_of("a.tif", "b.tif", {"before_date": value}, tmp_path)
    assert (case.before.acquired, case.before.acquired_precision) == (when, precision)
    assert case.taken_for_utc == (("the before image",) if for_utc else ())


# ---- in a notebook ------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags, attributes and words of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_hostile_names_are_words_in_a_notebook() -> None:
    text = report_notebook.html(browsers.COMPARED)
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= {
        "div", "style", "p", "span", "b", "ul", "li", "form", "img", "input", "svg", "g", "rect", "text",
        "table", "caption", "tr", "th", "td", "details", "summary",
    }  # fmt: skip
    names = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in names if name.startswith("on") or name in ("href", "action", "srcset")]
    sources = [attributes["src"] or "" for _, attributes in page.tags if "src" in attributes]
    assert len(sources) == 2 and all(one.startswith("data:image/jpeg;base64,") for one in sources)
    assert not re.search(r"url\(|@import|https?:", text)
    shown = "".join(page.words)
    assert shown.count(browsers.HOSTILE) >= 3  # title, credit and note, as they are


def test_a_notebook_shows_verdict_numbers_and_limits() -> None:
    shape = (160, 240)
    found = scenes.comparison(shape, buildings=scenes.buildings(shape))
    words = " ".join(" ".join(Page(report_notebook.html(found)).words).split())
    for said in (sentences.title(found), sentences.bracket(found), found.verdict, sentences.finding(found)):
        assert said in words
    assert all(check.question in words for check in found.trust.checks)
    assert all(line in words for line in sentences.limits(found))
    seen = sentences.amounts(found.change, found.pair.grid)
    assert seen.area(seen.total_px - seen.analysed_px) in words
    assert "buildings: visible change" in words


def test_a_notebook_says_what_reviewers_decided() -> None:
    found = scenes.comparison((160, 240))
    said = (Judgement("region", "1", "rejected", "a lorry"), Judgement("region", "2", "accepted", ""))
    reviewed = replace(found, reviews=(dd.types.Review("review-001.json", "<b>A.B.", None, said),))
    words = " ".join(" ".join(Page(report_notebook.html(reviewed)).words).split())
    assert "Reviewed by <b>A.B. : of 12 regions 1 accepted, 1 rejected, 10 not judged" in words
    assert "not judged" not in report_notebook.html(found)


def test_the_swipe_works_without_scripts_and_two_of_them_apart(browser: Any, tmp_path: Path) -> None:
    piece = report_notebook.html(scenes.comparison((160, 240)))
    page_file = tmp_path / "page.html"
    page_file.write_text(
        f"<!doctype html><meta charset=utf-8><body style='margin: 0'>{piece}{piece}", encoding="utf-8"
    )
    context = browser.new_context(
        java_script_enabled=False, offline=True, viewport={"width": 700, "height": 900}
    )
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    stages = page.locator(".dd-stage")
    box = stages.nth(0).bounding_box()
    lines = page.locator(".dd-line")

    def at() -> list[float]:
        return [round((lines.nth(k).bounding_box()["x"] + 1 - box["x"]) / box["width"], 2) for k in (0, 1)]

    assert at() == [0.5, 0.5]
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], y)
    assert at() == [0.2, 0.5]
    page.mouse.click(box["x"] + 0.8 * box["width"], y)
    page.mouse.move(box["x"] + box["width"] / 2, 0)
    assert at() == [0.8, 0.5]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert at() == [0.78, 0.5]
    assert page.url == page_file.as_uri()
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    context.close()


# ---- for those who program ----------------------------------------------------------------------


def test_every_public_name_is_there_and_described() -> None:
    assert set(dd.__all__) <= set(dir(dd))
    for name in dd.__all__:
        value = getattr(dd, name)
        assert isinstance(value, str | python.ModuleType) or (value.__doc__ and "(*" not in value.__doc__), (
            name
        )
    for kind in (dd.Comparison, dd.Raster):
        public = [name for name in vars(kind) if not name.startswith("_")]
        described = [name for name in public if getattr(vars(kind)[name], "__doc__", None)]
        fields = set(getattr(kind, "__annotations__", ()))
        assert set(public) - fields <= set(described), kind


USER = """
import damagediff as dd
import numpy as np
from affine import Affine


def told(stage: str, share: float) -> None: ...


place = Affine(0.5, 0, 680_000, 0, -0.5, 4_505_000)
before = dd.Raster(np.zeros((3, 100, 100), np.uint8), place, "EPSG:32638", name="a")
try:
    found: dd.Comparison = dd.compare(before, "b.tif", {"workers": 1}, told, before_date="2020-10-04")
except (dd.InputError, dd.errors.OutputError) as error:
    raise SystemExit(error.exit_code) from error
first: dd.Region = found.regions[0]
area: float | None = first.area_m2
verdict: str = found.verdict
kept: dd.types.Comparison = dd.open_run(found.write("run"))
reveal_type(kept.trust.checks[0].passed)
dd.compare(before, "b.tif", titel="x")
"""


def test_a_typed_program_is_checked_against_the_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment that has the package as installed: without py.typed mypy would see nothing of it."""
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    assert "py.typed" in config["options.package_data"]["damagediff"].split()
    mypy = pytest.importorskip("mypy.api", reason="mypy is not installed")
    venv.create(tmp_path / "venv", with_pip=False)
    packages = next((tmp_path / "venv").glob("[lL]ib/**/site-packages"))
    (packages / "damagediff").symlink_to(Path(dd.__file__).parent, target_is_directory=True)
    (packages / "others.pth").write_text(
        "\n".join(path for path in sys.path if path.endswith("site-packages"))
    )
    monkeypatch.chdir(tmp_path)  # where mypy looks for sources first
    script = tmp_path / "user.py"
    script.write_text(USER)
    python_ = next((tmp_path / "venv").glob("[bS]*/python*"))
    asked = [
        "--strict",
        "--python-executable",
        str(python_),
        "--cache-dir",
        str(tmp_path / "cache"),
        str(script),
    ]
    said, failed, _ = mypy.run([*asked, "--config-file", ""])
    errors = re.findall(r"^.*: error: .*$", said, re.MULTILINE)
    assert not failed and 'Revealed type is "bool | None"' in said.replace(
        "Union[bool, None]", "bool | None"
    ), said
    assert len(errors) == 2 and all("titel" in one or "No overload" in one for one in errors), said
