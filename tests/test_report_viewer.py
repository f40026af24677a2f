"""What lies over the pictures of a page, its cards, its size, and what is made for a news page."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
from PIL import Image as PillowImage

from damagediff import (
    report,
    report_batch,
    report_cards,
    report_embed,
    report_layers,
    report_pictures,
    summary,
    types,
    wording,
)
from damagediff.errors import SettingsError
from damagediff.outcome import REASONS


def html_faults(page: str) -> list[str]:
    """What a parser that follows the standard to the letter finds wrong."""
    parser = pytest.importorskip("tinyhtml5.parser", reason="tinyhtml5 is not installed").HTMLParser()
    parser.parse(page)
    return [f"{code} {said} at line {line}" for (line, _), code, said in parser.errors]


@pytest.mark.parametrize("accepted", [True, False])
def test_pages_are_html_to_the_letter(accepted: bool) -> None:
    buildings = scenes.buildings((320, 480))
    shown = scenes.comparison(accepted=accepted, buildings=buildings if accepted else ())
    assert html_faults(report.html(shown)) == []
    assert html_faults("<!DOCTYPE html><p><b>never closed</p>") != []


def test_the_page_of_a_batch_is_html_to_the_letter() -> None:
    line = dict.fromkeys((key for key, _ in report_batch.HEADS), None) | {"outcome": "failed", "report": None}
    assert html_faults(report_batch.html([line])) == []


def why(reason: Any, comparison: types.Comparison) -> types.Comparison:
    """The same with all that was not analysed left out for one reason."""
    change = comparison.change
    assert change is not None
    hidden = change.changed == types.NOT_ANALYSED
    told = np.where(hidden, REASONS.index(reason) + 1, 0).astype(np.uint8)
    return dataclasses.replace(comparison, change=dataclasses.replace(change, why=told))


@pytest.mark.parametrize(
    ("reason", "layer"),
    [("excluded_by_hand", "excluded"), ("outside_tie_points", "unsupported"), ("no_picture", "blank")],
)
def test_what_was_not_analysed_is_hatched_by_its_reason(reason: str, layer: str) -> None:
    comparison = why(reason, scenes.comparison())
    (hatch,) = report_layers.layers(comparison)["hatches"]
    assert (hatch["name"], hatch["width"], hatch["height"]) == (layer, "480", "320")
    drawn = PillowImage.open(io.BytesIO(base64.b64decode(hatch["data"].split(",")[1]))).convert("RGBA")
    seen = np.asarray(drawn)[..., 3] > 0
    change = comparison.change
    assert change is not None and not seen[change.changed != types.NOT_ANALYSED].any()
    share = seen[change.changed == types.NOT_ANALYSED].mean()
    assert 0.2 < share < 0.5


def test_marks_lie_where_the_regions_are() -> None:
    comparison = scenes.comparison()
    half = comparison.pictures.before[::2, ::2]
    pictures = dataclasses.replace(comparison.pictures, before=half, after=half, reduction=2.0)
    found = report_layers.layers(dataclasses.replace(comparison, pictures=pictures))
    for region, box in zip(comparison.regions, found["boxes"], strict=True):
        top, left, bottom, right = region.bbox_rc
        assert [float(box[k]) for k in ("y", "x")] == [top / 2, left / 2]
        first = re.match(r"M([\d.]+) ([\d.]+)L", box["outline"])
        assert first is not None
        x, y = map(float, first.groups())
        assert abs(x - (left + 0.5) / 2) < 0.06 and abs(y - (top + 0.5) / 2) < 0.06
        assert box["outline"].count("M") == 2, "an outline and its hole"


def test_residuals_are_drawn_as_long_as_said() -> None:
    comparison = scenes.comparison()
    ties = report_layers.layers(comparison)["ties"]
    points = comparison.alignment.tie_points
    drawn = re.findall(r"l(-?[\d.]+) (-?[\d.]+)", "".join(role["lines"] for role in ties["roles"]))
    lengths = sorted(float(np.hypot(float(x), float(y))) for x, y in drawn)
    assert np.allclose(lengths, np.sort(points.residual_px) * ties["times"], atol=0.15)
    assert report_layers.layers(scenes.comparison(accepted=False))["switches"] == []


def large(comparison: types.Comparison, side: int) -> types.Comparison:
    """The same with crops of noise of `side` px, which no JPEG makes small."""
    noise = np.random.default_rng(3).integers(0, 256, (side, side, 3), np.uint8)
    crops = tuple(
        types.Crop(crop.region_id, types.Window(0, 0, side, side), noise, noise)
        for crop in comparison.pictures.crops
    )
    return dataclasses.replace(comparison, pictures=dataclasses.replace(comparison.pictures, crops=crops))


def test_crops_take_the_room_that_is_left() -> None:
    comparison = large(scenes.comparison(), 600)
    for room, side in ((40_000_000, 600), (3_200_000, 300), (0, 86)):
        cards = report_cards.cards(comparison, room)
        assert {half["width"] for card in cards for half in card["halves"]} == {side}
        used = sum(len(half["data"]) for card in cards for half in card["halves"])
        assert used <= room or side == 86
        assert {card["reduced"] for card in cards} == {
            "" if side == 600 else f"reduced {round(600 / side)} times"
        }


def test_a_page_stays_below_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = large(scenes.comparison(), 600)
    whole = len(report.html(comparison).encode())
    limit = whole // 2
    monkeypatch.setattr(report, "MAX_BYTES", limit)
    page = report.html(comparison)
    assert len(page.encode()) < limit and "crops reduced 2 times" in page


def test_an_area_is_no_surer_than_half_a_cell_along_its_outline() -> None:
    comparison = scenes.comparison()
    (region, *_), (card, *_) = comparison.regions, report_cards.cards(comparison, 10**9)
    top, left, bottom, right = region.bbox_rc
    around = 2 * (bottom - top + right - left) * 1.2  # and a hole of a fifth of each side
    assert summary.outline_doubt_px(region, 4) == pytest.approx(around * 2)
    doubt = wording.area(0, around * 2 * scenes.GSD_M**2)
    said = f"± {doubt}: half a cell of 4 px all along the outline"
    assert said in card["region"]["area_doubt"]
    assert summary.outline_doubt_px(region, 1000) == region.area_px


def test_a_place_is_told_in_degrees_and_metres() -> None:
    comparison = scenes.comparison()
    (region, *_), (card, *_) = comparison.regions, report_cards.cards(comparison, 10**9)
    degrees, metres = card["coordinates"]
    row, col = region.centroid_rc
    x, y = comparison.pair.grid.transform @ (col + 0.5, row + 0.5)
    crs, east, north = metres["plain"].split()
    assert (crs, metres["name"]) == ("EPSG:32638", "UTM 38N")
    assert abs(float(east) - x) <= 0.51 and abs(float(north) - y) <= 0.51
    assert degrees["plain"].startswith("40.") and "° N" in degrees["words"]
    (pixel,) = report_cards.cards(scenes.comparison(georeferenced=False), 10**9)[0]["coordinates"]
    assert pixel["plain"] == f"{row:.0f}, {col:.0f}"


@pytest.mark.parametrize(
    ("lon", "lat", "zone"),
    [(47.1, 40.7, "UTM 38N"), (-70.6, -33.4, "UTM 19S"), (10.0, 85.0, "polar stereographic")],
)
def test_zones_have_their_names(lon: float, lat: float, zone: str) -> None:
    assert report_cards.metric(lon, lat)["name"] == zone


def test_a_fragment_for_a_news_page_carries_dates_credits_and_limits(tmp_path: Path) -> None:
    comparison = scenes.comparison(notes=("A synthetic scene.",))
    after = dataclasses.replace(comparison.pair.after, credit="© İki & Co")
    comparison = dataclasses.replace(comparison, pair=dataclasses.replace(comparison.pair, after=after))
    assert report_embed.write(comparison, tmp_path)
    fragment, markup = ((tmp_path / f"embed{name}.html").read_text("ascii") for name in ("", "_juxtapose"))
    for text in (fragment, markup):
        assert "&#169; &#304;ki &amp;" in text and "13 Oct 2020" in text and "SYNTHETIC" in text
        assert "co-registered" in text and "240 m from left to right" in text
        assert not re.search(r"(src|href)=\"(?!data:image/jpeg;|embed_(before|after)\.jpg\")", text)
    for role in ("before", "after"):
        with PillowImage.open(tmp_path / f"embed_{role}.jpg") as drawn:
            assert drawn.size == (480, 320)
        assert f'src="embed_{role}.jpg"' in markup
    first = fragment
    report_embed.write(comparison, tmp_path)
    assert (tmp_path / "embed.html").read_text("ascii") == first


def test_a_pair_that_is_not_comparable_gets_no_fragment(tmp_path: Path) -> None:
    assert not report_embed.write(scenes.comparison(accepted=False), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("credits_", "option"),
    [
        ((None, "© B"), "--before-credit"),
        (("© A", " \u200b"), "--after-credit"),
        ((None, None), "and --after"),
    ],
)
def test_a_fragment_without_credits_is_refused(credits_: tuple[str | None, str | None], option: str) -> None:
    report.check(False, credits_)
    report.check(True, ("© A", "© B"))
    with pytest.raises(SettingsError, match=option):
        report.check(True, credits_)


def test_a_figure_has_the_same_bytes_before_and_after_a_report() -> None:
    def png() -> bytes:
        target = io.BytesIO()
        PillowImage.fromarray(noise).save(target, "PNG")
        return target.getvalue()

    noise = np.random.default_rng(3).integers(0, 256, (600, 600, 3), np.uint8)
    first = png()
    assert len(report_pictures.jpeg_bytes(noise, 92)) > 65_536
    assert png() == first
