"""Panels of composites: layouts with known rectangles, and pictures that must be refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import RasterMaker
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from damagediff import cli, cut, file_facts, intake, intake_layout, pipeline, raster, splitting
from damagediff import settings as options
from damagediff.errors import InputError, SettingsError
from damagediff.types import Case, Source, Split, Window

SIDE = 320
PLAIN = options.Settings(workers=1)


def town(seed: int) -> np.ndarray:
    """(SIDE, SIDE, 3) roofs, shadows, fields and texture of an invented place, turned by 25 degrees."""
    rng, size = np.random.default_rng(seed), 2 * SIDE
    picture = 110 + cv2.GaussianBlur(rng.normal(0, 900, (size, size)), (0, 0), 18)
    for _ in range(700):
        row, col = rng.integers(0, size - 26, 2)
        rows, cols = rng.integers(6, 26, 2)
        picture[row + 2 : row + rows + 3, col + 2 : col + cols + 3] = 45
        picture[row : row + rows, col : col + cols] = rng.uniform(60, 225)
    picture += cv2.GaussianBlur(rng.normal(0, 25, picture.shape), (0, 0), 1)
    turn = cv2.getRotationMatrix2D((SIDE, SIDE), 25, 1)
    turned = cv2.warpAffine(picture, turn, (size, size))[SIDE // 2 : -SIDE // 2, SIDE // 2 : -SIDE // 2]
    colour = turned[..., None] * np.array([1.0, 0.96, 0.88])
    return np.clip(colour + rng.normal(0, 3, colour.shape), 0, 255).astype(np.uint8)


def later(picture: np.ndarray, seed: int = 5) -> np.ndarray:
    """The same place in another light, with noise, and one corner rebuilt."""
    rng = np.random.default_rng(seed)
    changed = picture.astype(float) * 0.85 + 18
    changed[40:90, 40:90] = rng.uniform(60, 200, (50, 50, 1))
    return np.clip(changed + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def sheet(
    panels: tuple[np.ndarray, ...], gap: int, margin: int, stacked: bool = False, page: int = 250
) -> tuple[np.ndarray, list[Window]]:
    """Panels in a row or a column on a plain page, and their rectangles."""
    boxes, at = [], margin
    for panel in panels:
        rows, cols = panel.shape[:2]
        boxes.append(Window(at, margin, rows, cols) if stacked else Window(margin, at, rows, cols))
        at += (rows if stacked else cols) + gap
    shape = [max(b[k] + b[k + 2] for b in boxes) + margin for k in (0, 1)]
    picture = np.full((*shape, 3), page, np.uint8)
    for box, panel in zip(boxes, panels, strict=True):
        picture[box.slices] = panel
    return picture, boxes


def find(
    make_raster: RasterMaker, picture: np.ndarray, name: str = "page.jpg", **wish: object
) -> splitting.Found:
    path = make_raster(name, np.moveaxis(picture, -1, 0))
    return splitting.find(Source(path), cut.Wish(**wish), PLAIN)  # type: ignore[arg-type]


def worst_px(found: splitting.Found, truth: list[Window]) -> int:
    assert found.panels is not None, found.refusal
    return max(int(np.abs(np.array(a) - np.array(b)).max()) for a, b in zip(found.panels, truth, strict=True))


@pytest.mark.parametrize("stacked", [False, True], ids=["side by side", "stacked"])
@pytest.mark.parametrize(("gap", "margin", "page"), [(12, 20, 250), (0, 0, 250), (3, 0, 0), (9, 6, 20)])
def test_panels_are_found(make_raster: RasterMaker, gap: int, margin: int, page: int, stacked: bool) -> None:
    place = town(1)
    picture, truth = sheet((place, later(place)), gap, margin, stacked, page)
    found = find(make_raster, picture)
    assert worst_px(found, truth) <= 3
    assert found.split is not None
    assert found.split.layout == ("one above the other" if stacked else "side by side")
    assert found.split.order_from == "assumed"
    assert "nothing in the picture was read" in " ".join(found.split.doubt)


def test_a_small_third_panel_and_a_title_bar_are_left_out(make_raster: RasterMaker) -> None:
    place = town(2)
    pair, truth = sheet((place, later(place)), 12, 16)
    rows, cols = pair.shape[:2]
    page = np.full((rows + 44, cols + 130, 3), 250, np.uint8)
    page[:36] = (20, 60, 150)
    page[14:22, 20:260:3] = 255  # a line of words
    page[44:, :cols] = pair
    page[60:160, cols + 10 : cols + 110] = town(9)[:100, :100]
    moved = [box._replace(row=box.row + 44) for box in truth]
    found = find(make_raster, page)
    assert worst_px(found, moved) <= 3
    assert found.split is not None
    (locator,) = (other for other in found.split.others if other.kind == "picture")
    assert np.abs(np.array(locator.window) - (60, cols + 10, 100, 100)).max() <= 8
    said = " ".join(found.split.doubt)
    assert "another picture (such as a locator map" in said and "a plain bar of 12 px between them" in said


def test_words_are_no_picture_and_panels_that_touch_have_no_bar(make_raster: RasterMaker) -> None:
    place = town(2)
    pair, truth = sheet((place, later(place)), 0, 16)
    page = np.full((pair.shape[0] + 120, pair.shape[1], 3), 250, np.uint8)
    page[: pair.shape[0]] = pair
    for line in range(4):
        where = (20, pair.shape[0] + 20 + 22 * line)
        cv2.putText(page, "Map legend and words", where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (30, 30, 30), 1)
    found = find(make_raster, page)
    assert worst_px(found, truth) <= 3 and found.split is not None
    assert {other.kind for other in found.split.others} == {"words"}
    said = " ".join(found.split.doubt)
    assert "meet at a seam" in said and "plain bar" not in said and "words, a legend or a drawing" in said


def test_panels_of_unlike_size(make_raster: RasterMaker) -> None:
    place = town(3)
    picture, truth = sheet((place, later(place)[:, :250]), 10, 12)
    assert worst_px(find(make_raster, picture), truth) <= 3


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (town(4), "no two panels"),
        (sheet((town(4), town(5)), 12, 16)[0], "two places"),
        (sheet((town(4), later(town(4)), later(town(4), 6)), 12, 16)[0], "different pairs"),
    ],
    ids=["one picture", "two places", "three dates"],
)
def test_what_is_no_before_and_after_is_refused(
    make_raster: RasterMaker, picture: np.ndarray, why: str
) -> None:
    found = find(make_raster, picture)
    assert found.panels is None
    assert why in str(found.refusal)
    assert "--panels" in str(found.refusal)


def test_a_slider_is_called_one(make_raster: RasterMaker) -> None:
    place = town(6)
    picture = np.concatenate([place[:, :150], later(place)[:, 150:]], 1)
    picture[:, 149:152] = 255
    found = find(make_raster, picture)
    assert found.panels is None
    assert "slider" in str(found.refusal)
    assert "--panels" not in str(found.refusal)


def test_order_turns_both_panels_round(make_raster: RasterMaker) -> None:
    place = town(1)
    picture, truth = sheet((place, later(place)), 12, 20)
    found = find(make_raster, picture, order="after-first")
    assert worst_px(found, truth[::-1]) <= 3
    assert found.split is not None
    assert found.split.order_from == "command line"


def test_rectangles_given_are_taken_as_they_are(make_raster: RasterMaker) -> None:
    given_ = (Window(3, 5, 100, 90), Window(7, 120, 100, 90))
    found = find(make_raster, town(1), panels=given_)
    assert found.panels == given_
    assert found.split is not None
    assert found.split.found_by == "command line"
    turned = find(make_raster, town(1), "turned.jpg", panels=given_, order="after-first")
    assert turned.panels == given_[::-1]


@pytest.mark.parametrize(
    ("panels", "why"),
    [
        ((Window(0, 0, 100, 100), Window(0, 250, 100, 100)), "inside"),
        ((Window(0, 0, 100, 100), Window(0, 0, 0, 100)), "too small"),
        ((Window(0, 0, 100, 100), Window(50, 50, 100, 100)), "overlap"),
    ],
)
def test_impossible_rectangles(make_raster: RasterMaker, panels: tuple[Window, Window], why: str) -> None:
    with pytest.raises(InputError, match=why):
        find(make_raster, town(1), panels=panels)


@given(
    st.integers(1, 8),
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(64, 80), st.integers(64, 80)),
)
@settings(max_examples=24, deadline=None)
def test_a_part_is_read_as_the_whole_is(
    tmp_path_factory: pytest.TempPathFactory, orientation: int, rectangle: tuple[int, int, int, int]
) -> None:
    """Whatever the EXIF turn: the pixels are the whole picture's, and so are the delivered coordinates."""
    from PIL import Image as PillowImage

    path = tmp_path_factory.mktemp("turned") / "turned.png"
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    PillowImage.fromarray(town(7)[:120, :140]).save(path, exif=exif)
    whole = raster.inspect(Source(path), PLAIN.read)
    window = Window(*rectangle)
    part = raster.inspect(Source(path, crop=window), PLAIN.read)
    assert part.shape == window[2:]
    with raster.Reader(whole, ("grey",)) as first, raster.Reader(part, ("grey",)) as second:
        np.testing.assert_array_equal(first.read(window)[0], second.read(Window(0, 0, *part.shape))[0])
        assert second.read(Window(-5, -5, 20, 20))[1].sum() == 15 * 15  # nothing beyond its edge
    rc = np.array([[0.0, 0.0], [10.5, 20.25]])
    np.testing.assert_allclose(
        raster.delivered_from_shown(part, rc),
        raster.delivered_from_shown(whole, rc + [window.row, window.col]),
    )


def test_a_run_on_a_composite_tells_it_in_every_output(make_raster: RasterMaker, tmp_path: Path) -> None:
    import rasterio

    place = town(1)
    picture, truth = sheet((place, later(place)), 12, 20)
    path = make_raster("page.png", np.moveaxis(picture, -1, 0))
    out = tmp_path / "run"
    done = CliRunner().invoke(cli.main, ["compare", str(path), "-o", str(out), "--set", "workers=1"])
    assert done.exit_code == 0, done.output
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["pair"]["before"]["crop"] == cut.xywh(truth[0])
    assert results["pair"]["after"]["crop"] == cut.xywh(truth[1])
    assert results["pair"]["identical"] is False
    assert results["pair"]["split"]["order_from"] == "assumed"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert [step["crop"] for step in manifest["transformations"] if step["what"] == "crop"] == [
        cut.xywh(box) for box in truth
    ]
    assert "Cut from one picture" in (out / "report.html").read_text(encoding="utf-8")
    with (
        pytest.warns(NotGeoreferencedWarning),
        rasterio.open(out / "geometry.tif") as dataset,
    ):  # the left panel's content lies in the right one
        row, col = dataset.read()[:, 8, 8]
    assert abs(row - (truth[1].row + 16 * 8 + 7.5)) < 1
    assert abs(col - (truth[1].col + 16 * 8 + 7.5)) < 1


def test_split_writes_the_pixels_as_they_are(make_raster: RasterMaker, tmp_path: Path) -> None:
    import rasterio

    place = town(1)
    picture, truth = sheet((place, later(place)), 12, 20)
    path, out = make_raster("page.png", np.moveaxis(picture, -1, 0)), tmp_path / "cut"
    done = CliRunner().invoke(cli.main, ["split", str(path), "-o", str(out), "--order", "after-first"])
    assert done.exit_code == 0, done.output
    told = json.loads((out / "split.json").read_text(encoding="utf-8"))
    assert told["accepted"] is True
    assert told["panels"] == {"before": cut.xywh(truth[1]), "after": cut.xywh(truth[0])}
    for name, box in (("before.png", truth[1]), ("after.png", truth[0])):
        with pytest.warns(NotGeoreferencedWarning), rasterio.open(out / name) as dataset:
            np.testing.assert_array_equal(dataset.read(), np.moveaxis(picture[box.slices], -1, 0))
    again = CliRunner().invoke(cli.main, ["split", str(path), "-o", str(out), "--overwrite"])
    assert again.exit_code == 0, again.output


def test_refused_split_draws_what_it_considered(make_raster: RasterMaker, tmp_path: Path) -> None:
    path = make_raster("two.png", np.moveaxis(sheet((town(4), town(5)), 12, 16)[0], -1, 0))
    done = CliRunner().invoke(cli.main, ["split", str(path), "-o", str(tmp_path / "cut")])
    assert done.exit_code == 3
    assert (tmp_path / "cut" / "candidates.png").stat().st_size > 0
    assert not (tmp_path / "cut" / "before.png").exists()
    compared = CliRunner().invoke(cli.main, ["compare", str(path), "-o", str(tmp_path / "run")])
    assert compared.exit_code == 3
    assert "--panels" in compared.output
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "-1,0,9,9", "1;2;3;4", ""])
def test_hostile_rectangles(text: str, tmp_path: Path) -> None:
    asked = ["split", "none.png", "-o", str(tmp_path / "x"), "--panels", "0,0,9,9", text]
    done = CliRunner().invoke(cli.main, asked)
    assert done.exit_code == SettingsError.exit_code
    assert "--panels" in done.output


def test_panels_of_two_files_make_no_sense(tmp_path: Path) -> None:
    asked = ["compare", "a.png", "b.png", "-o", str(tmp_path / "x"), "--order", "after-first"]
    assert CliRunner().invoke(cli.main, asked).exit_code == SettingsError.exit_code


def test_the_sample_composite_is_cut_where_its_truth_says() -> None:
    samples = Path(__file__).parents[1] / "sample_images"
    boxes = json.loads((samples / "ganja_truth.json").read_text(encoding="utf-8"))["composite"][
        "panes_bbox_rc"
    ]
    truth = [Window(a, b, c - a, d - b) for a, b, c, d in boxes]
    found = splitting.find(Source(samples / "ganja_composite.jpg"), cut.Wish(), PLAIN)
    assert worst_px(found, truth) <= 2


def test_two_proposals_elsewhere_are_ambiguous() -> None:
    def judged(col: int, score: float) -> intake.Judged:
        panels = Window(0, 0, 100, 100), Window(0, col, 100, 100)
        return intake.Judged(intake.Proposal(panels, 1, None, (1, 1)), score, 7.0)

    assert intake.choose([judged(110, 40.0), judged(220, 3.0)])[0] == judged(110, 40.0)
    best, why = intake.choose([judged(110, 40.0), judged(220, 30.0)])
    assert best is None
    assert "2 different pairs" in why
    assert intake.choose([]) == (None, "no two parts of it show the same place")


def test_a_georeference_of_the_whole_is_not_that_of_a_part(make_raster: RasterMaker) -> None:
    from affine import Affine

    pixels = np.moveaxis(town(1), -1, 0)
    path = make_raster("map.tif", pixels, crs="EPSG:32638", transform=Affine(1, 0, 5e5, 0, -1, 4.5e6))
    part = raster.inspect(Source(path, crop=Window(0, 0, 80, 80)), PLAIN.read)
    assert part.crs is None
    assert any("georeference is not used" in note for note in part.notes)


def test_a_date_of_the_whole_is_not_that_of_its_panels(make_raster: RasterMaker) -> None:
    path = make_raster("map.tif", np.moveaxis(town(1), -1, 0), tags={"acquisition_date": "2020-10-20"})
    panel = Window(0, 0, 80, 80)
    part = raster.inspect(Source(path, crop=panel), PLAIN.read)
    assert (part.acquisition.acquired, part.acquisition.source) == (None, "not known")
    assert any("2020-10-20" in note and "taken for neither" in note for note in part.notes)
    stated = raster.inspect(Source(path, datetime(2020, 10, 4, tzinfo=UTC), crop=panel), PLAIN.read)
    assert stated.acquisition.source == "command line"
    assert not any("2020-10-20" in note for note in stated.notes)


def test_a_point_outside_a_panel_says_from_where_points_count(
    make_raster: RasterMaker, tmp_path: Path
) -> None:
    path = make_raster("page.png", np.moveaxis(town(1), -1, 0))
    (tmp_path / "points.csv").write_text("x,y,lon,lat\n1,1,46,40\n95,1,46.1,40\n1,70,46,39.9\n")
    source = Source(path, crop=Window(7, 9, 80, 80), map_points=tmp_path / "points.csv")
    with pytest.raises(
        InputError, match="column 95, row 1 lies outside the panel of page.png .* column 9, row 7"
    ):
        raster.inspect(source, PLAIN.read)


def test_a_panel_given_too_small_is_refused_before_it_is_cut(
    make_raster: RasterMaker, tmp_path: Path
) -> None:
    path = make_raster("page.png", np.moveaxis(town(1), -1, 0))
    asked = ["split", str(path), "-o", str(tmp_path / "x"), "--panels", "0,0,80,63", "90,0,80,80"]
    done = CliRunner().invoke(cli.main, asked)
    assert done.exit_code == 3 and "0,0,80,63 is too small" in done.output
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("orientation", [1, 6])
def test_what_a_file_tells_is_the_same_of_its_parts(tmp_path: Path, orientation: int) -> None:
    """Blocks of a JPEG count from the corner of the file: those of a panel would tell of a cut."""
    from PIL import Image as PillowImage

    exif, path = PillowImage.Exif(), tmp_path / "page.jpg"
    exif[0x0112] = orientation
    PillowImage.fromarray(sheet((town(1), town(2)), 11, 13)[0]).save(path, quality=80, exif=exif)
    whole = raster.inspect(Source(path), PLAIN.read)
    part = raster.inspect(Source(path, crop=Window(13, 13, 300, 301)), PLAIN.read)
    assert file_facts.examine(part, False) == file_facts.examine(whole, False)


def test_two_parts_of_one_file_are_not_identical(make_raster: RasterMaker) -> None:
    path = make_raster("page.png", np.moveaxis(town(1), -1, 0))
    parts = [Source(path, crop=Window(0, col, 100, 100)) for col in (0, 110)]
    assert not pipeline.open_pair(Case(parts[0], parts[1]), PLAIN).identical
    assert pipeline.open_pair(Case(parts[0], parts[0]), PLAIN).identical


def test_a_plain_page_has_no_parts() -> None:
    page = intake_layout.page(np.full((200, 300, 3), 255, np.uint8))
    assert intake.propose(page.picture, 1, (200, 300), lambda w: page.picture[w.slices]) == ()


def test_facts_of_a_split_are_plain() -> None:
    told = Split("side by side", "command line", "before-first", "command line", None, ("by hand",))
    assert json.loads(json.dumps(told.facts()))["doubt"] == ["by hand"]
