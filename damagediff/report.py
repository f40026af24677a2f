"""Writes report.html, one file, readable offline, that says what was found and how surely, and report.pdf.

Computes nothing: it arranges what a `Comparison` holds. Every word of the user or of a file goes through
jinja2's escaping, and a Content-Security-Policy lets nothing run or load that is not in the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import (
    figure_squares,
    figures,
    outputs,
    regions,
    report_alignment,
    report_buildings,
    report_card,
    report_change,
    report_claims,
    report_detection,
    report_pages,
    report_pdf,
    report_pictures,
    report_review,
    report_sources,
    summary,
    summary_ordinary,
    wording,
)
from . import grid as grids
from .report_buildings import MAX_LISTED
from .settings import Settings, to_dict
from .types import ByteArray, Comparison, Crop, Image, Pictures, Region

PICTURE_QUALITY, CROP_QUALITY = 86, 92
"""JPEG qualities: what is looked at here is not what was measured; before.tif and after_aligned.tif are."""


def write(comparison: Comparison, folder: Path) -> None:
    """Write report.html and, unless switched off, report.pdf into `folder`.

    The same comparison gives the same bytes. The PDF shows figure.png where that lies in `folder` already.

    Raises
    ------
    OSError
        The disk refuses.
    """
    page = html(comparison)
    (folder / "report.html").write_text(page, encoding="utf-8", newline="\n")
    if comparison.settings.get("report", {}).get("pdf", True):
        figure = folder / "figure.png"
        drawn = figure.read_bytes() if figure.exists() else None
        (folder / "report.pdf").write_bytes(report_pdf.pdf(page, outputs.evidence_id(comparison), drawn))


def html(comparison: Comparison) -> str:
    """The report as one page of HTML with its styles, script and pictures inside."""
    return report_pages.render("report.html.j2", ("report.js", "review.js"), context(comparison))


def context(comparison: Comparison) -> dict[str, Any]:
    """Everything the template shows, as words, numbers already written, and data addresses."""
    return {
        **_headline(comparison),
        **_view(comparison),
        "regions": [_region(comparison, region) for region in comparison.regions[:MAX_LISTED]],
        "regions_unlisted": max(0, len(comparison.regions) - MAX_LISTED),
        "cards": list(_cards(comparison)),
        "flags": _flags(comparison),
        "tiers": report_change.tiers(comparison),
        "card": report_card.card(comparison),
        "measured": report_change.measured(comparison),
        "detection": _detection(comparison),
        "ordinary": report_change.ordinary(comparison),
        "buildings": report_buildings.buildings(comparison),
        "squares": report_buildings.squares(comparison),
        "squares_figure": report_pictures.png(figure_squares.png(comparison))
        if comparison.grid_summary
        else None,
        "alignment": report_alignment.alignment_part(comparison),
        "change": report_change.change_part(comparison),
        "measured_by": wording.MEASURED_BY[comparison.change.measure] if comparison.change else "",
        "settings": list(_settings(comparison.settings)),
        "images": report_sources.images(comparison),
        "by_hand": report_sources.placed_by_hand(comparison),
        "versions": comparison.versions,
        "split": _split(comparison),
        "claims": report_claims.claims(comparison),
        "review": report_review.review(comparison),
    }


def _detection(comparison: Comparison) -> dict[str, Any] | None:
    found = report_detection.detection(comparison)
    return found and {**found, "figure": report_pictures.png(found["png"]) if found["png"] else None}


def _headline(comparison: Comparison) -> dict[str, Any]:
    return {
        "title": summary.title(comparison),
        "bracket": summary.bracket(comparison),
        "verdict": comparison.verdict,
        "verdict_class": comparison.verdict.replace(" ", "-"),
        "verdict_meaning": wording.VERDICT_MEANING[comparison.verdict],
        "evidence_id": outputs.evidence_id(comparison),
        "finding": summary.finding(comparison),
        "limits": summary.limits(comparison),
        "notes": [wording.plain(note, 1000) for note in (*comparison.notes, *_not_drawn(comparison))],
        "synthetic": summary.synthetic(comparison),
        "damaged_file": summary.damaged(comparison),
        "accepted": comparison.change is not None,
        "placed": summary.placed(comparison),
        "reason": wording.plain(comparison.alignment.reason, 1000),
    }


def _not_drawn(comparison: Comparison) -> tuple[str, ...]:
    """A note for readers of the figures when their font lacks characters that this page can show."""
    lacking = figures.not_drawable(comparison)
    return (f"In figure.png and figure_clean.png, {lacking}: a box stands for each.",) if lacking else ()


def _view(comparison: Comparison) -> dict[str, Any]:
    """The two pictures of the slider with their words, and where the regions lie on them."""
    pictures, pair = comparison.pictures, comparison.pair
    rows, cols = pictures.before.shape[:2]
    scale = np.array([rows / pair.grid.shape[0], cols / pair.grid.shape[1]] * 2)
    boxes = [
        {"id": region.id, "tier": region.tier, **_rectangle(np.array(region.bbox_rc) * scale)}
        for region in comparison.regions[:MAX_LISTED]
    ]
    panes = [
        _pane(role, image, rgb)
        for role, image, rgb in (
            ("before", pair.before, pictures.before),
            ("after", pair.after, pictures.after),
        )
    ]
    return {
        "panes": panes,
        "boxes": boxes,
        "rows": rows,
        "cols": cols,
        "reduced": _reduced(pictures),
        "scale_words": _scale(comparison),
        **_bar(comparison),
    }


def _scale(comparison: Comparison) -> str:
    """How metres are known; of a refused pair without georeference, only for the before picture."""
    grid = comparison.pair.grid
    one = comparison.change is None and not summary.placed(comparison) and grid.gsd_m is not None
    return wording.scale(grid) + (" (before picture)" if one else "")


def _reduced(pictures: Pictures) -> str:
    """At what resolution the pictures of the page are shown."""
    before, after = (
        f"reduced {wording.number(times, 3)} times" if times > 1 else "at full resolution"
        for times in (pictures.reduction, pictures.after_reduction or pictures.reduction)
    )
    return f"pictures {before}" if before == after else f"before {before}, after {after}"


def _rectangle(edges: np.ndarray) -> dict[str, float]:
    top, left, bottom, right = (round(float(edge), 1) for edge in edges)
    return {"x": left, "y": top, "width": round(right - left, 1), "height": round(bottom - top, 1)}


def _pane(role: str, image: Image, rgb: ByteArray) -> dict[str, Any]:
    date, credit = wording.date(image.acquisition), summary.credit(image.credit)
    return {
        "role": role,
        "date": date,
        "credit": credit,
        "rows": rgb.shape[0],
        "cols": rgb.shape[1],
        "data": report_pictures.jpeg(rgb, PICTURE_QUALITY),
        "alt": f"The place {role}: {wording.plain(image.name)}, {date}, {credit}",
    }


def _bar(comparison: Comparison) -> dict[str, Any]:
    """A scale bar: its length in words and as a share of the picture's width; none without a scale."""
    grid = comparison.pair.grid
    if grid.gsd_m is None:
        return {"bar": None}
    width_m = grid.gsd_m * grid.shape[1]
    length_m = figures.round_length(width_m / 5)
    words = f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"
    return {"bar": {"words": words, "share": round(100 * length_m / width_m, 3)}}


def _region(comparison: Comparison, region: Region) -> dict[str, Any]:
    return {
        "id": region.id,
        "tier": region.tier,
        "tier_words": wording.tiers(report_change.measure(comparison))[0][region.tier],
        "area": wording.area(region.area_px, region.area_m2),
        "area_px": region.area_px,
        "score_mean": wording.score(region.score_mean),
        "score_max": wording.score(region.score_max),
        "flags": [{"name": name, "words": _flag(name)} for name in region.flags],
        "place": _place(comparison, region),
        "chance": summary_ordinary.chance(region.ordinary_chance),
        "chance_words": summary_ordinary.chance_words(region.ordinary_chance),
    }


def _place(comparison: Comparison, region: Region) -> str:
    """Longitude and latitude to a metre, or the pixel."""
    grid = comparison.pair.grid
    row, col = region.centroid_rc
    if grid.crs is None:
        return f"row {row:.0f}, column {col:.0f}"
    lon, lat = grids.lonlat_from_grid(grid, np.array([region.centroid_rc]))[0]
    return f"{abs(lat):.5f}° {'N' if lat >= 0 else 'S'}, {abs(lon):.5f}° {'E' if lon >= 0 else 'W'}"


def _flags(comparison: Comparison) -> list[tuple[str, str]]:
    used = sorted({name for region in comparison.regions for name in region.flags})
    return [(name, _flag(name)) for name in used]


def _flag(name: str) -> str:
    return regions.FLAGS.get(name, name)


def _cards(comparison: Comparison) -> Iterator[dict[str, Any]]:
    by_id = {region.id: region for region in comparison.regions}
    for crop in comparison.pictures.crops:
        if crop.region_id in by_id:
            yield _card(comparison, by_id[crop.region_id], crop)


def _card(comparison: Comparison, region: Region, crop: Crop) -> dict[str, Any]:
    halves = [
        {
            "word": word,
            "data": report_pictures.jpeg(rgb, CROP_QUALITY),
            "width": rgb.shape[1],
            "height": rgb.shape[0],
            "alt": f"Region {region.id} {word}",
        }
        for word, rgb in zip(("before", "after"), (crop.before, crop.after), strict=True)
    ]
    return {"region": _region(comparison, region), "halves": halves}


def _settings(given: dict[str, Any]) -> Iterator[dict[str, str | bool]]:
    """Each setting that bears on the result, with its default."""
    defaults = dict(_flat(to_dict(Settings())))
    for key, value in _flat(outputs.result_settings(given)):
        default = defaults.get(key)
        yield {
            "key": key,
            "value": _setting(value),
            "default": _setting(default),
            "changed": value != default,
        }


def _flat(values: dict[str, Any], stage: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{stage}{key}.")
        else:
            yield stage + key, value


def _setting(value: Any) -> str:
    return "not set" if value is None else str(value)


def _split(comparison: Comparison) -> dict[str, Any] | None:
    """The picture that both images were cut from, with the two rectangles drawn; None for two files."""
    split = comparison.case.split
    sheet = comparison.pictures.sheet
    if split is None or sheet is None:
        return None
    rows, cols = sheet.shape[:2]
    return {
        "name": wording.plain(comparison.pair.before.name),
        "data": report_pictures.jpeg(sheet, PICTURE_QUALITY),
        "rows": rows,
        "cols": cols,
        "doubt": split.doubt,
        "rest": bool(split.others),
        "found_by": split.found_by,
    }
