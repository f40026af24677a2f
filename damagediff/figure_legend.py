"""A small key on one picture, for maps that are drawn by other programs: colours, dates, credits, doubts."""

from __future__ import annotations

from . import figure_boxes, summary, wording
from . import figure_sheet as sheets
from .figure_sheet import Sheet
from .types import Comparison

WIDTH, MARGIN, SWATCH = 900, 24, 42
"""Px of the picture, of its edge, and of a sample of a line."""
TITLE, WORDS = 10, 8
"""Sizes of letters."""


def png(comparison: Comparison, evidence_id: str) -> bytes:
    """The key as a PNG: the same comparison gives the same bytes."""
    with sheets.defaults():
        return _draw(comparison, evidence_id)


def _draw(comparison: Comparison, evidence_id: str) -> bytes:
    inner = WIDTH - 2 * MARGIN
    title = sheets.wrap(summary.title(comparison), TITLE, inner, bold=True)[:3]
    tiers = wording.legend(comparison.change.measure if comparison.change else "")
    rows = [(tier, sheets.wrap(words, WORDS, inner - SWATCH - 14)) for tier, words in tiers.items()]
    told = [line for words in _told(comparison, evidence_id) for line in sheets.wrap(words, WORDS, inner)]
    step, high = sheets.line_height(WORDS), sheets.line_height(TITLE)
    height = 2 * MARGIN + len(title) * high + (sum(len(lines) for _, lines in rows) + len(told)) * step + 24
    sheet = Sheet(WIDTH, height)
    sheet.lines((MARGIN, MARGIN), title, TITLE, bold=True)
    y = MARGIN + len(title) * high + 8
    for tier, lines in rows:
        figure_boxes.draw_swatch(sheet, (MARGIN, y + 4, SWATCH, step - 8), tier, 1.0)
        sheet.lines((MARGIN + SWATCH + 14, y), lines, WORDS)
        y += len(lines) * step
    sheet.lines((MARGIN, y + 12), told, WORDS)
    return sheets.png(sheet.figure)


def _told(comparison: Comparison, evidence_id: str) -> list[str]:
    pair = comparison.pair
    images = [
        f"{name}: {wording.date(image.acquisition)} · {summary.credit(image.credit)}"
        for name, image in (("Before", pair.before), ("After", pair.after))
    ]
    return [
        *images,
        f"{comparison.verdict} · found automatically, not verified on the ground",
        f"damagediff {comparison.versions.get('damagediff', '')} · evidence id {evidence_id}",
    ]
