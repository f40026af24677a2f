"""Writes report.html, one file, readable offline, that says what was found and how surely, and report.pdf.

Computes nothing: it arranges what a `Comparison` holds. Every word of the user or of a file goes through
jinja2's escaping, and a Content-Security-Policy lets nothing run or load that is not in the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import (
    figure_squares,
    figures,
    outputs,
    report_alignment,
    report_buildings,
    report_card,
    report_cards,
    report_change,
    report_claims,
    report_detection,
    report_embed,
    report_pages,
    report_pdf,
    report_pictures,
    report_review,
    report_sources,
    report_viewer,
    summary,
    wording,
)
from .report_buildings import MAX_LISTED
from .settings import Settings, to_dict
from .types import Comparison

SCRIPTS = ("view.js", "modes.js", "regions.js", "report.js", "review.js")
MAX_BYTES = 24_000_000
"""Of a page: it must go through mail and messengers, whose common limit is 25 MB."""
MARKUP_BYTES = 1_500_000
"""Set aside for what stands between the words: styles, scripts, 500 lines each of regions, buildings."""


def check(embed: bool, credits_: tuple[str | None, str | None]) -> None:
    """Refuse a fragment for a news page without a credit for each image.

    Raises
    ------
    SettingsError
        One line that names what to give.
    """
    if embed:
        report_embed.check(*credits_)


def write(comparison: Comparison, folder: Path, embed: bool = False) -> None:
    """Write report.html and, unless switched off, report.pdf; with `embed` also what a news page needs.

    The same comparison gives the same bytes. The PDF shows figure.png where that lies in `folder` already.
    A pair that is not comparable gets nothing for a news page.

    Raises
    ------
    OSError
        The disk refuses.
    """
    if embed:
        report_embed.write(comparison, folder)
    page = html(comparison)
    (folder / "report.html").write_text(page, encoding="utf-8", newline="\n")
    if comparison.settings.get("report", {}).get("pdf", True):
        figure = folder / "figure.png"
        drawn = figure.read_bytes() if figure.exists() else None
        (folder / "report.pdf").write_bytes(report_pdf.pdf(page, outputs.evidence_id(comparison), drawn))


def html(comparison: Comparison) -> str:
    """The report as one page of HTML with its styles, script and pictures inside."""
    return report_pages.render("report.html.j2", SCRIPTS, context(comparison))


def context(comparison: Comparison) -> dict[str, Any]:
    """Everything the template shows, as words, numbers already written, and data addresses."""
    found = _all_but_cards(comparison)
    room = MAX_BYTES - MARKUP_BYTES - _weight(found)
    return {**found, "cards": report_cards.cards(comparison, room)}


def _weight(value: Any) -> int:
    """Characters of all texts in it."""
    if isinstance(value, str):
        return len(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sum(map(_weight, parts))


def _all_but_cards(comparison: Comparison) -> dict[str, Any]:
    return {
        **_headline(comparison),
        **report_viewer.viewer(comparison),
        "regions": report_cards.listed(comparison),
        "regions_unlisted": max(0, len(comparison.regions) - MAX_LISTED),
        "flags": report_cards.flags(comparison),
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
        "data": report_pictures.jpeg(sheet, report_viewer.QUALITY),
        "rows": rows,
        "cols": cols,
        "doubt": split.doubt,
        "rest": bool(split.others),
        "found_by": split.found_by,
    }
