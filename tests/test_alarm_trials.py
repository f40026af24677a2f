"""Ordinary change counted where it is known: backwards in time, in stable places, between earlier dates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
from click.testing import CliRunner
from test_cli import BURIED, TRUTH, UTM, as_bytes, houses

from damagediff import (
    case_files,
    cells,
    cli,
    cli_values,
    outputs,
    pipeline,
    settings,
    stack_measure,
    synthetic,
    types,
)
from damagediff.errors import EvidenceError, InputError, SettingsError
from damagediff.types import Case, Source

LOT = (slice(250, 300), slice(280, 340))
"""Where a block came down before the event, and where one may be built after it."""
SHAPE = (360, 400)
CALM = (slice(0, 140), slice(0, 400))

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def place(ruins: tuple[Any, ...], seed: int, moved: np.ndarray | None = None) -> np.ndarray:
    """(3, rows, cols) uint8 of one place, rubble where said; `moved`: seen displaced and brighter."""
    rubble = np.random.default_rng(2).normal(130, 45, (3, *SHAPE)).astype(np.float32)
    scene = houses(1)
    for where in ruins:
        scene[:, *where] = rubble[:, *where]
    if moved is not None:
        scene = np.nan_to_num(synthetic.warp(scene, moved) * 0.9 + 18)
    rng = np.random.default_rng(seed)
    own = scenes.ripples(scene.shape[1:], rng)  # without them all would be copies of one picture
    return as_bytes(scene + own + rng.normal(0, 2, scene.shape))


@pytest.fixture
def files(make_raster: Any) -> Callable[..., Path]:
    """``files(name, ruins, seed)`` writes one image of the place."""

    def write(name: str, ruins: tuple[Any, ...], seed: int, moved: np.ndarray | None = None) -> Path:
        path: Path = make_raster(name, place(ruins, seed, moved), **UTM)
        return path

    return write


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., types.Comparison]:
    def run(before: Path, after: Path, *sets: str, **case: Any) -> types.Comparison:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        return pipeline.compare(
            Case(Source(before), Source(after), **case), settings.load(None, sets), folder
        )

    return run


def counted(found: types.Comparison) -> dict[str, int]:
    return {null.name: null.regions for null in found.trust.ordinary.nulls}


def test_what_was_built_is_found_backwards_and_what_was_lost_is_not(
    files: Callable[..., Path], look: Callable[..., types.Comparison]
) -> None:
    before = files("before.tif", (LOT,), 3)
    lost = look(before, files("lost.tif", (LOT, BURIED), 4, TRUTH))
    assert [region.tier for region in lost.regions] == ["structural"]
    assert counted(lost) == {"reversed": 0, "displaced": 0}
    built = look(before, files("built.tif", (BURIED,), 5, TRUTH))
    assert counted(built)["reversed"] == 1
    of_lost, of_built = (
        [r.ordinary_chance for r in found.regions if r.tier == "structural"] for found in (lost, built)
    )
    assert of_lost[0] < of_built[0]
    assert lost.trust.false_alarms_per_megapixel == 0
    assert built.trust.false_alarms_per_km2 == pytest.approx(4 * built.trust.false_alarms_per_megapixel)
    assert lost.trust.false_alarms_per_km2_interval[1] > 0


def test_baselines_tell_what_changed_before_the_event(
    files: Callable[..., Path], look: Callable[..., types.Comparison]
) -> None:
    before, after = files("before.tif", (LOT,), 3), files("after.tif", (LOT, BURIED), 4, TRUTH)
    older = Source(files("older.tif", (), 6, np.linalg.inv(TRUTH)))
    found = look(before, after, baselines=(older,))
    assert counted(found) == {"baselines": 1, "reversed": 0, "displaced": 0}
    assert found.trust.ordinary.headline.name == "baselines"
    assert [image.name for image in found.baselines] == ["older.tif"]
    assert any("older.tif is not known" in note for note in found.notes)
    # the picture itself, its change and its mask do not know of the baseline
    alone = look(before, after)
    np.testing.assert_array_equal(found.change.score, alone.change.score)
    assert found.change.threshold == alone.change.threshold
    assert {r.id: r.bbox_rc for r in found.regions} == {r.id: r.bbox_rc for r in alone.regions}


def test_a_baseline_of_another_place_is_not_used_and_that_is_said(
    files: Callable[..., Path], look: Callable[..., types.Comparison], make_raster: Any
) -> None:
    before, after = files("before.tif", (LOT,), 3), files("after.tif", (LOT, BURIED), 4, TRUTH)
    elsewhere = make_raster("elsewhere.tif", as_bytes(houses(77)[:, ::-1]), **UTM)
    found = look(before, after, baselines=(Source(elsewhere),))
    assert "baselines" not in counted(found) and found.trust.ordinary.headline.name == "reversed"
    assert any("elsewhere.tif was not used: it could not be laid" in note for note in found.notes)
    with pytest.raises(InputError, match="no baseline could be laid"):
        look(before, after, "diff.measure=stack", baselines=(Source(elsewhere),))


def test_regions_in_stable_places_are_the_ordinary_ones(
    files: Callable[..., Path], look: Callable[..., types.Comparison], make_raster: Any
) -> None:
    before, after = files("before.tif", (), 3), files("after.tif", (LOT, BURIED), 4, TRUTH)
    mask = np.zeros((1, *SHAPE), np.uint8)
    mask[0, 200:] = 1
    found = look(before, after, stable=make_raster("stable.tif", mask, **UTM))
    assert counted(found)["stable"] == 1 and found.trust.ordinary.headline.name == "stable"
    null = found.trust.ordinary.headline
    assert null.interval[0] >= 1 and null.counted_px < found.trust.ordinary.analysed_px
    mask[:] = 0
    mask[0, 100:150, 100:150] = 1
    small = look(before, after, stable=make_raster("small.tif", mask, **UTM))
    assert "stable" not in counted(small)
    assert any("stable places were not used" in note for note in small.notes)


def test_the_same_whatever_the_tiles_and_the_workers(
    files: Callable[..., Path], look: Callable[..., types.Comparison]
) -> None:
    before, after = files("before.tif", (LOT,), 3), files("after.tif", (BURIED,), 4, TRUTH)
    older = Source(files("older.tif", (), 6))
    texts = set()
    for tile, workers in ((1024, 1), (128, 3)):
        for measure in ("structure", "stack"):
            sets = (f"tile_px={tile}", f"workers={workers}", f"diff.measure={measure}")
            found = look(before, after, *sets, baselines=(older,))
            texts.add((measure, outputs.results_json(found)))
    assert len(texts) == 2


def test_switched_off_nothing_is_counted(
    files: Callable[..., Path], look: Callable[..., types.Comparison]
) -> None:
    before, after = files("before.tif", (), 3), files("after.tif", (BURIED,), 4, TRUTH)
    found = look(before, after, "trust.selftest=false")
    assert counted(found) == {} and found.trust.false_alarms_per_megapixel is None
    assert "--no-selftest" in found.trust.ordinary.why_not
    assert [region.ordinary_chance for region in found.regions] == [None] * len(found.regions)


# ---- what may be a baseline -------------------------------------------------------------------------


def test_baselines_that_cannot_be_older_are_refused(
    files: Callable[..., Path], look: Callable[..., types.Comparison], make_raster: Any, tmp_path: Path
) -> None:
    before, after = files("before.tif", (), 3), files("after.tif", (BURIED,), 4, TRUTH)
    when = cli_values.date("", "2020-10-04")
    later = Source(files("later.tif", (), 7), *cli_values.date("", "2020-10-05"))
    case = Case(Source(before, *when), Source(after), baselines=(later,))
    with pytest.raises(InputError, match="later.tif: taken on 2020-10-05, after the before image"):
        pipeline.compare(case, settings.Settings(), tmp_path)
    copy = tmp_path / "copy.tif"
    copy.write_bytes(before.read_bytes())
    with pytest.raises(InputError, match="copy.tif: is the same file as before.tif"):
        look(before, after, baselines=(Source(copy),))
    grey = make_raster("grey.tif", place((), 8)[:1], **UTM)
    with pytest.raises(InputError, match="grey.tif: has no red, green, blue"):
        look(before, after, baselines=(Source(grey),))
    with pytest.raises(SettingsError, match="--baseline FILE"):
        look(before, after, "diff.measure=stack")


def test_the_command_line_hashes_baselines_and_stable_places(
    files: Callable[..., Path], make_raster: Any, tmp_path: Path
) -> None:
    mask = np.zeros((1, *SHAPE), np.uint8)
    mask[0][CALM] = 1
    given = [
        files("before.tif", (), 3), files("after.tif", (BURIED,), 4, TRUTH), "-o", tmp_path / "out",
        "--baseline", files("older.tif", (), 6), "--baseline-date", "2019-05-01", "--before-date",
        "2020-10-04", "--stable", make_raster("stable.tif", mask, **UTM), "-q",
    ]  # fmt: skip
    done = CliRunner().invoke(cli.main, ["compare", *map(str, given)])
    assert done.exit_code == 0, done.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    roles = {entry["role"]: entry["name"] for entry in manifest["inputs"]}
    assert roles["baseline"] == "older.tif" and roles["stable places"] == "stable.tif"
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert results["trust"]["ordinary"]["source"] == "baselines"
    assert {null["name"] for null in results["trust"]["ordinary"]["nulls"]} == {
        "baselines", "stable", "reversed", "displaced",
    }  # fmt: skip
    assert len(results["trust"]["false_alarms_per_km2_interval"]) == 2
    assert "ordinary_chance" in results["regions"][0]
    features = json.loads((tmp_path / "out" / "regions.geojson").read_text(encoding="utf-8"))["features"]
    assert "ordinary_chance" in features[0]["properties"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Between earlier images and the before image" in page and "older.tif" in page
    short = CliRunner().invoke(
        cli.main, ["compare", *map(str, given[:10]), "--baseline", "x.tif", "--overwrite"]
    )
    assert short.exit_code == 2 and "2 baselines" in short.output


def test_a_case_with_baselines_survives_its_manifest(tmp_path: Path) -> None:
    when = cli_values.date("", "2019-05-01T10:30Z")
    older = (Source(tmp_path / "a.tif", *when), Source(tmp_path / "b.tif", world_file=tmp_path / "b.tfw"))
    case = Case(
        Source(tmp_path / "c.tif"), Source(tmp_path / "d.tif"), stable=tmp_path / "s.png", baselines=older
    )
    files = dict(case_files.named(case))
    assert {case_files.role(field) for field in files} == {
        "before", "after", "stable places", "baseline", "baseline world file",
    }  # fmt: skip
    values = json.loads(json.dumps(case_files.to_values(case)))
    assert case_files.from_values(values, files) == case
    for field in ("baselines.7.path", "baselines.x.path", "title.path"):
        with pytest.raises(EvidenceError, match="cannot be read"):
            case_files.from_values(values, {**files, field: tmp_path / "a.tif"})


# ---- the test against a stack -----------------------------------------------------------------------


def test_departure_is_the_moderated_t_of_the_new_value() -> None:
    rng = np.random.default_rng(1)
    earlier = [rng.normal(100, 3, (2, 40, 50)).astype(np.float32) for _ in range(5)]
    valid = np.ones((40, 50), bool)
    usual = stack_measure.usual_variance(earlier, valid)
    assert usual == pytest.approx([9.0, 9.0], rel=0.15)
    calm = stack_measure.departure(rng.normal(100, 3, (2, 40, 50)), earlier, usual)
    assert np.sqrt((calm.astype(float) ** 2).mean()) == pytest.approx(1.0, rel=0.2)
    shifted = stack_measure.departure(np.full((2, 40, 50), 130.0), earlier, usual)
    assert np.median(shifted) == pytest.approx(30 / np.sqrt(9 * 1.2), rel=0.15)


def test_the_stack_forgives_places_that_vary_anyway() -> None:
    rng = np.random.default_rng(2)
    field = np.zeros((1, 40, 50))
    field[..., :25] = 1
    earlier = [100 + field * rng.normal(0, 40) + rng.normal(0, 2, field.shape) for _ in range(6)]
    after = 100 + 25 + rng.normal(0, 2, field.shape)
    t = stack_measure.departure(after, earlier, stack_measure.usual_variance(earlier, field[0] >= 0))
    assert np.median(t[:, 25:]) > 2 * np.median(t[:, :25])


def test_measuring_against_the_stack_finds_what_was_buried(
    files: Callable[..., Path], look: Callable[..., types.Comparison]
) -> None:
    before, after = files("before.tif", (), 3), files("after.tif", (BURIED,), 4, TRUTH)
    older = tuple(Source(files(f"older{k}.tif", (), 10 + k)) for k in range(2))
    found = look(before, after, "diff.measure=stack", baselines=older)
    assert found.change.measure == "stack" and len(found.regions) == 1
    top, left, bottom, right = found.regions[0].bbox_rc
    assert abs(top - BURIED[0].start) < 25 and abs(right - BURIED[1].stop) < 25
    assert bottom > top and right > left
    assert set(counted(found)) == {"reversed"}
    assert any("standard errors" in note for note in found.notes)
    assert cells.CELL == found.change.cell_px
