"""Places that the user leaves out, and the area that is asked about: read, placed, obeyed, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import scenes
from affine import Affine
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rasterio.warp import Resampling, reproject
from test_cli import BURIED, TRUTH, UTM, as_bytes, houses

from damagediff import areas, cli, grid, notes, outcome, pipeline, settings, synthetic, types
from damagediff.errors import InputError
from damagediff.types import Case, Grid, Source

SHAPE = (360, 400)
PLAIN = Grid(SHAPE)
ON_UTM = Grid(SHAPE, UTM["transform"], UTM["crs"], 0.5)
LIMITS = settings.ReadSettings()
BOX = (slice(130, 221), slice(140, 241))
"""Around what was buried."""

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_an_area_of_interest_over_everything_leaves_no_rest() -> None:
    def said(asked: np.ndarray) -> str:
        case = SimpleNamespace(exclude=None, aoi=Path("aoi.geojson"))
        area = SimpleNamespace(excluded=None, asked=asked)
        return " ".join(notes.of_areas(SimpleNamespace(case=case, areas=area)))  # type: ignore[arg-type]

    whole = np.ones((20, 30), bool)
    assert said(whole) == "The area of interest, aoi.geojson, covers all of the scene."
    whole[0, 0] = False
    assert "Nothing is said about the rest" in said(whole)


def ring(box: tuple[slice, slice] = BOX) -> np.ndarray:
    """(5, 2) row, col of the outer edges of a box of pixels."""
    top, bottom, left, right = box[0].start, box[0].stop, box[1].start, box[1].stop
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left], [top, left]]) - 0.5


def polygons(path: Path, on: Grid, *rings: np.ndarray) -> Path:
    features = []
    for rc in rings:
        xy = grid.lonlat_from_grid(on, rc) if on.crs else rc[:, ::-1]
        shape = {"type": "Polygon", "coordinates": [xy.tolist()]}
        features.append({"type": "Feature", "properties": {}, "geometry": shape})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


def wkt(path: Path) -> Path:
    """The box as a CSV of WKT."""
    xy = ", ".join(f"{x:.9f} {y:.9f}" for x, y in grid.lonlat_from_grid(ON_UTM, ring()))
    path.write_text(f'id,WKT\n1,"POLYGON (({xy}))"\n', encoding="utf-8")
    return path


def drawn(box: tuple[slice, slice] = BOX, shape: tuple[int, int] = SHAPE, value: int = 7) -> np.ndarray:
    """(1, rows, cols) uint8 mask of a box."""
    mask = np.zeros((1, *shape), np.uint8)
    mask[0][box] = value
    return mask


def truth(box: tuple[slice, slice] = BOX) -> np.ndarray:
    return drawn(box)[0] > 0


@pytest.fixture(scope="module")
def pixels() -> tuple[np.ndarray, np.ndarray]:
    """(before, after) as in the tests of the command line: one block of rubble."""
    rng = np.random.default_rng(2)
    before = houses(1)
    changed = before.copy()
    changed[:, *BURIED] = (rng.normal(0, 45, before.shape).astype(np.float32) + 130)[:, *BURIED]
    after = np.nan_to_num(synthetic.warp(changed, TRUTH) * 0.9 + 18)
    after = after + scenes.ripples(
        after.shape[1:], rng
    )  # without them it would be a copy of the before image
    return as_bytes(before + rng.normal(0, 2, before.shape)), as_bytes(after + rng.normal(0, 2, after.shape))


@pytest.fixture
def pair(make_raster: Any, pixels: tuple[np.ndarray, np.ndarray]) -> tuple[Path, Path]:
    return make_raster("before.tif", pixels[0], **UTM), make_raster("after.tif", pixels[1], **UTM)


@pytest.fixture
def look(tmp_path: Path, pair: tuple[Path, Path]) -> Callable[..., types.Comparison]:
    """``look(exclude=..., tile_px=...)`` compares; the rasters lie in tmp_path / "run"."""

    def run(tile_px: int = 1024, images: tuple[Path, Path] = pair, **where: Path) -> types.Comparison:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        options = replace(settings.Settings(), tile_px=tile_px)
        return pipeline.compare(Case(*map(Source, images), **where), options, folder)

    return run


def before_of(pair: tuple[Path, Path]) -> types.Image:
    from damagediff import raster

    return raster.inspect(Source(pair[0]), LIMITS)


# ---- read and placed ----------------------------------------------------------------------------


def test_polygons_and_rasters_say_the_same(tmp_path: Path, make_raster: Any, pair: tuple[Path, Path]) -> None:
    before = before_of(pair)
    given_ = {
        "polygon, lon/lat": polygons(tmp_path / "a.geojson", ON_UTM, ring()),
        "two that overlap": polygons(tmp_path / "b.geojson", ON_UTM, ring(), ring((slice(140, 200), BOX[1]))),
        "lines of text": wkt(tmp_path / "w.csv"),
        "tiff, georeferenced": make_raster("c.tif", drawn(), **UTM),
        "png on the before image": make_raster("d.png", drawn()),
        "tiff with nodata": make_raster("e.tif", drawn() + 1, nodata=1, **UTM),
    }
    for name, path in given_.items():
        found = areas.read(path, None, before, ON_UTM, LIMITS)
        np.testing.assert_array_equal(found.excluded, truth(), err_msg=name)
        assert found.asked is None
    plain = areas.read(None, polygons(tmp_path / "f.geojson", PLAIN, ring()), before, PLAIN, LIMITS)
    np.testing.assert_array_equal(plain.asked, truth())
    assert plain.excluded is None


def test_a_mask_of_another_projection_and_pixel_lands_where_it_is(
    make_raster: Any, pair: tuple[Path, Path]
) -> None:
    far = np.zeros((1, 700, 700), np.uint8)
    xy = grid.reproject_xy("EPSG:32638", "EPSG:32639", np.array([[613_970.0, 4_504_030.0]]))[0]
    transform = Affine(0.4, 0, xy[0], 0, -0.4, xy[1])
    reproject(
        drawn()[0],
        far[0],
        src_transform=UTM["transform"],
        src_crs=UTM["crs"],
        dst_transform=transform,
        dst_crs="EPSG:32639",
        resampling=Resampling.nearest,
    )
    path = make_raster("far.tif", far, crs="EPSG:32639", transform=transform)
    found = areas.read(path, None, before_of(pair), ON_UTM, LIMITS).excluded
    assert found is not None
    inner = cv2.erode(truth().astype(np.uint8), np.ones((5, 5))) > 0
    outer = cv2.dilate(truth().astype(np.uint8), np.ones((5, 5))) > 0
    assert found[inner].all() and not found[~outer].any()


@given(st.integers(1, 23), st.integers(1, 19), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_blocks_count_every_pixel_once(rows: int, cols: int, factor: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((rows, cols)) < 0.1
    found = areas.any_in_blocks(values, factor)
    assert found.shape == (-(-rows // factor), -(-cols // factor))
    for (r, c), flag in np.ndenumerate(found):
        assert flag == values[r * factor : (r + 1) * factor, c * factor : (c + 1) * factor].any()


def test_windows_beyond_the_edge_are_mirrored() -> None:
    excluded = np.zeros((40, 50), bool)
    excluded[2, 3] = True
    usable = areas.Areas(excluded).usable(types.Window(-5, -5, 50, 60))
    wanted = ~np.pad(excluded, 5, mode="reflect")
    np.testing.assert_array_equal(usable, wanted)
    assert areas.Areas().usable(types.Window(-5, 0, 7, 9)).all()


# ---- obeyed -------------------------------------------------------------------------------------


def test_an_excluded_place_is_not_analysed_and_the_rest_is(
    look: Callable[..., types.Comparison], tmp_path: Path
) -> None:
    plain = look()
    assert any(region.tier == "structural" for region in plain.regions)
    found = look(exclude=polygons(tmp_path / "out.geojson", ON_UTM, ring()))
    assert found.change is not None and plain.change is not None and found.change.why is not None
    with rasterio.open(tmp_path / "run" / "change_mask.tif") as file:
        mask = file.read(1)
    with rasterio.open(tmp_path / "run" / "change_score.tif") as file:
        score = file.read(1)
    assert (mask[BOX] == 255).all() and np.isnan(score[BOX]).all()
    around = cv2.dilate(truth().astype(np.uint8), np.ones((33, 33))) > 0
    inside = around | (plain.change.changed == 255).repeat(4, 0).repeat(4, 1)
    assert (mask[~inside] != 255).all()
    assert not any(region.tier == "structural" for region in found.regions)
    assert (found.change.why[BOX[0].start // 4 + 1 : BOX[0].stop // 4, 40:60] == 2).all()
    assert ((found.change.why > 0) == (found.change.changed == 255)).all()
    assert any("Excluded by hand: 6.4 % of the scene, by out.geojson" in note for note in found.notes)
    with rasterio.open(tmp_path / "run" / "before.tif") as file:
        assert file.dataset_mask()[BOX].all(), "the picture itself is kept"


def test_what_is_excluded_teaches_nothing(
    look: Callable[..., types.Comparison],
    make_raster: Any,
    pixels: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
) -> None:
    """Whatever the before image shows there, every number of the rest is the same."""
    exclude = polygons(tmp_path / "out.geojson", ON_UTM, ring())
    found = []
    for seed in (1, 2):
        before = pixels[0].copy()
        noise = np.random.default_rng(seed).integers(1, 256, before.shape, np.uint8)
        before[:, *BOX] = noise[:, *BOX]
        images = make_raster(f"before{seed}.tif", before, **UTM), tmp_path / "after.tif"
        found.append(look(images=images, exclude=exclude))
    first, second = found
    assert first.change is not None and second.change is not None
    np.testing.assert_array_equal(
        first.alignment.moving_from_reference, second.alignment.moving_from_reference
    )
    np.testing.assert_array_equal(first.change.score, second.change.score)
    assert first.change.calibration == second.change.calibration
    assert first.change.threshold == second.change.threshold and first.regions == second.regions
    points = first.alignment.tie_points.reference_rc
    inner = (slice(BOX[0].start + 16, BOX[0].stop - 16), slice(BOX[1].start + 16, BOX[1].stop - 16))
    assert len(points) and not truth(inner)[tuple(np.rint(points).astype(int).T)].any()


def test_the_area_of_interest_cuts_the_answer_and_changes_no_number_in_it(
    look: Callable[..., types.Comparison], tmp_path: Path
) -> None:
    plain, found = look(), look(aoi=polygons(tmp_path / "in.geojson", ON_UTM, ring()))
    assert plain.change is not None and found.change is not None and found.change.why is not None
    asked = areas.Areas(None, truth()).asked_cells()
    assert asked is not None
    np.testing.assert_array_equal(found.change.score[asked], plain.change.score[asked])
    np.testing.assert_array_equal(found.change.changed[asked], plain.change.changed[asked])
    assert np.isnan(found.change.score[~asked]).all() and (found.change.changed[~asked] == 255).all()
    assert (found.change.why[~asked] == 1).all() and not found.change.why[asked].any()
    assert found.change.threshold == plain.change.threshold
    assert {r.area_px for r in found.regions} <= {r.area_px for r in plain.regions}
    assert any(region.tier == "structural" for region in found.regions)
    share = next(check for check in found.trust.checks if check.name == "analysed share")
    assert share.measured == 1.0 and share.passed


def test_what_the_border_of_the_area_cuts_too_small_is_no_region(
    look: Callable[..., types.Comparison], tmp_path: Path
) -> None:
    sliver = (slice(BURIED[0].start - 40, BURIED[0].start + 9), slice(100, 300))
    found = look(aoi=polygons(tmp_path / "in.geojson", ON_UTM, ring(sliver)))
    assert found.change is not None
    assert all(region.area_px >= found.change.min_region_px for region in found.regions)


def test_tiles_do_not_show(look: Callable[..., types.Comparison], tmp_path: Path) -> None:
    triangle = np.array([[30.3, 20.7], [300.2, 90.1], [120.9, 371.4], [30.3, 20.7]])
    where = {
        "exclude": polygons(tmp_path / "out.geojson", ON_UTM, ring((slice(40, 77), slice(200, 263)))),
        "aoi": polygons(tmp_path / "in.geojson", ON_UTM, triangle),
    }
    written = []
    for tile_px in (64, 1024):
        found = look(tile_px, **where)
        read = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
        assert found.change is not None and found.change.why is not None
        written.append((read, found.regions, found.change.sensitivity, found.change.why.tobytes()))
    assert written[0] == written[1]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_results_report_and_manifest_tell_what_was_left_out(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out, exclude = tmp_path / "run", polygons(tmp_path / "out.geojson", ON_UTM, ring())
    aoi = polygons(tmp_path / "in.geojson", ON_UTM, ring((slice(20, 340), slice(20, 340))))
    done = run("compare", *pair, "-o", out, "-q", "--exclude", exclude, "--aoi", aoi)
    assert done.exit_code == 0, done.output
    change = json.loads((out / "results.json").read_text(encoding="utf-8"))["change"]
    shares = change["not_analysed"]
    assert set(shares) == set(outcome.REASONS)
    assert change["analysed_share"] + sum(shares.values()) == pytest.approx(1, abs=1e-4)
    assert shares["excluded_by_hand"] > 0.06 and shares["outside_area_of_interest"] > 0.2
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "excluded by hand" in page and "outside the area of interest" in page
    inputs = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    named = {entry["role"]: entry for entry in inputs}
    assert (
        named["excluded places"]["name"] == "out.geojson" and len(named["area of interest"]["sha256"]) == 64
    )


def test_align_takes_no_tie_point_from_an_excluded_place(pair: tuple[Path, Path], tmp_path: Path) -> None:
    half = polygons(tmp_path / "half.geojson", ON_UTM, ring((slice(0, 360), slice(0, 150))))
    counts = []
    for options in ((), ("--exclude", half)):
        done = run("align", *pair, "-o", tmp_path / "a.tif", "-q", "--json", "--overwrite", *options)
        assert done.exit_code == 0, done.output
        counts.append(sum(json.loads(done.stdout)["tie_points"].values()))
    assert 0 < counts[1] < counts[0]


# ---- refused ------------------------------------------------------------------------------------


def defects(tmp_path: Path, make_raster: Any) -> dict[str, Path]:
    text, broken = tmp_path / "text.png", tmp_path / "broken.geojson"
    text.write_text("no mask", encoding="utf-8")
    broken.write_text('{"type": "FeatureCollection", "features": [', encoding="utf-8")
    whole = make_raster("whole.png", np.random.default_rng(0).integers(0, 2, (1, *SHAPE)).astype(np.uint8))
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return {
        "missing": tmp_path / "missing.png",
        "missing polygons": tmp_path / "missing.geojson",
        "text": text,
        "broken": broken,
        "truncated": cut,
        "folder": tmp_path,
        "three bands": make_raster("three.tif", np.repeat(drawn(), 3, 0), **UTM),
        "lossy": make_raster("lossy.jpg", drawn(value=255)),
        "another size": make_raster("size.png", drawn(shape=(300, 400))),
        "empty": make_raster("empty.png", drawn(value=0)),
        "elsewhere": make_raster("far.tif", drawn(), **UTM | {"transform": Affine(0.5, 0, 0, 0, -0.5, 0)}),
        "polygons elsewhere": polygons(tmp_path / "far.geojson", ON_UTM, ring() + 9_000),
    }


@pytest.mark.parametrize("option", ["--exclude", "--aoi"])
def test_bad_files_are_one_line_and_exit_code_3(
    option: str, pair: tuple[Path, Path], make_raster: Any, tmp_path: Path
) -> None:
    for defect, path in defects(tmp_path, make_raster).items():
        done = run("compare", *pair, "-o", tmp_path / "out" / "run", "-q", option, path)
        assert done.exit_code == 3, (defect, done.output)
        (line,) = done.output.strip().splitlines()
        assert line.startswith("damagediff: ") and path.name in line, (defect, line)
        assert not (tmp_path / "out" / "run").exists()


def test_nothing_left_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = before_of(pair)
    whole = polygons(tmp_path / "all.geojson", ON_UTM, ring((slice(0, 360), slice(0, 400))))
    part = polygons(tmp_path / "part.geojson", ON_UTM, ring())
    with pytest.raises(InputError, match=r"all\.geojson: excludes all of the images"):
        areas.read(whole, None, before, ON_UTM, LIMITS)
    with pytest.raises(InputError, match=r"part\.geojson: excludes all of the area of interest"):
        areas.read(part, part, before, ON_UTM, LIMITS)


def test_no_feature_of_an_area_is_left_out_in_silence(tmp_path: Path) -> None:
    path = polygons(tmp_path / "mixed.geojson", PLAIN, ring())
    content = json.loads(path.read_text(encoding="utf-8"))
    world = [[-1e12, -1e12], [1e12, -1e12], [1e12, 1e12], [-1e12, 1e12], [-1e12, -1e12]]
    for extra, said in (
        ({"type": "Polygon", "coordinates": [world]}, "feature 2 reaches too far"),
        ({"type": "Point", "coordinates": [150, 150]}, "feature 2 is no polygon"),
    ):
        feature = {"type": "Feature", "properties": {}, "geometry": extra}
        path.write_text(json.dumps({**content, "features": [*content["features"], feature]}))
        with pytest.raises(InputError, match=said):
            areas.read(path, None, None, PLAIN, LIMITS)  # type: ignore[arg-type]


def test_an_area_of_interest_smaller_than_a_cell_is_refused(tmp_path: Path) -> None:
    path = polygons(tmp_path / "tiny.geojson", PLAIN, ring((slice(100, 102), slice(100, 102))))
    with pytest.raises(InputError, match="too small"):
        areas.read(None, path, None, PLAIN, LIMITS)  # type: ignore[arg-type]


def test_a_georeferenced_mask_needs_georeferenced_images(make_raster: Any, pair: tuple[Path, Path]) -> None:
    with pytest.raises(InputError, match="the images are not"):
        areas.read(make_raster("m.tif", drawn(), **UTM), None, before_of(pair), PLAIN, LIMITS)
