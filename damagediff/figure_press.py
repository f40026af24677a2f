"""Draws a page that `figure_page` has laid out, and its clean twin."""

from __future__ import annotations

from matplotlib.figure import Figure

from . import figure_boxes, figure_map, wording
from . import figure_hatch as hatch
from . import figure_sheet as sheets
from .figure_boxes import COLORS, HALO, ON_LABEL
from .figure_page import GAP, MARGIN, Page, Panel, page
from .figure_places import PanelPlace
from .figure_presets import PAPER_DPI, Preset
from .figure_sheet import INK, MUTED, PAPER, STRIP, Sheet
from .types import ByteArray, Comparison, Region


def draw(comparison: Comparison, preset: Preset, annotated: bool = True) -> Figure:
    """One page with everything that a reader needs.

    Parameters
    ----------
    preset : Preset
        Size of the page and of its text.
    annotated : bool
        False leaves out everything that was found: no boxes, no enlarged regions.

    Returns
    -------
    Figure
        ``preset.width`` x ``preset.height`` px.
    """
    on = page(comparison, preset, annotated)
    sheet = Sheet(preset.width, preset.height)
    _header(sheet, on)
    left, top = on.px(MARGIN) + on.ticks, on.above
    for k, (panel, place) in enumerate(zip(on.panels, on.arrangement.panels, strict=True)):
        _panel(sheet, on, panel, _moved(place, left, top))
        if k == 0 and on.ticks:
            box = _moved(place, left, top).picture
            figure_map.draw_ticks(sheet, box, comparison.pair.grid, on.unit)
    _pairs(sheet, on, left, top)
    picture_width = on.arrangement.panels[0].picture.width
    top = preset.height - on.below + on.px(GAP)
    on.key.draw(sheet, on.px(MARGIN), top, picture_width)
    _footer(sheet, on, picture_width)
    return sheet.figure


def _moved(place: PanelPlace, left: int, top: int) -> PanelPlace:
    picture = place.picture
    picture = picture._replace(left=picture.left + left, top=picture.top + top)
    return PanelPlace(picture, place.words_left + left, place.words_width, place.head, place.foot)


def _header(sheet: Sheet, on: Page) -> None:
    left, top = on.px(MARGIN), on.px(MARGIN)
    for line in on.header:
        size, step = line.size * on.unit, on.line(line.size)
        if line.strip is None:
            sheet.lines((left, top), line.lines, size, bold=line.bold, color=line.color)
        else:
            height = len(line.lines) * step + on.px(14)
            sheet.strip((left, top, on.width, height), line.strip)
            for k, text in enumerate(line.lines):
                middle = sheet.width / 2, top + on.px(7) + (k + 0.5) * step
                style = {"bold": line.bold, "color": line.color, "ha": "center", "va": "center_baseline"}
                sheet.text(middle, text, size, **style)
        top += on.header_height(line)


def _panel(sheet: Sheet, on: Page, panel: Panel, place: PanelPlace) -> None:
    left, width, picture = place.words_left, place.words_width, place.picture
    name, date = on.head(panel, width)
    sheet.strip((left, picture.top - place.head, width, place.head), STRIP)
    at = left + on.px(14), picture.top - place.head + on.px(10)
    sheet.lines(at, name, 10 * on.unit, bold=True, color=PAPER)
    below = at[0], at[1] + len(name) * on.line(10)
    sheet.lines(below, date, 9 * on.unit, color="#e8e8e8")
    size = picture.width, picture.height
    rgb = hatch.marked(on.comparison, size, max(6, on.px(14))) if panel.boxes else panel.rgb
    axes = sheet.picture(picture, rgb)
    credit = left, picture.top + picture.height + on.ticks + on.px(6)
    sheet.lines(credit, on.credit(panel, width), 8 * on.unit, color=MUTED)
    if panel.boxes:
        figure_boxes.draw(axes, on.shown, on.comparison.pair.grid, size, on.unit, on.rejected)


def _pairs(sheet: Sheet, on: Page, left: int, top: int) -> None:
    pairs = on.arrangement.pairs
    numbered = [(region, crop) for region, crop in on.enlarged if region.id in on.drawn]
    for (x, y), (region, crop) in zip(pairs.corners, numbered, strict=False):
        for half, (word, rgb) in enumerate((("before", crop.before), ("after", crop.after))):
            at = left + x + half * (pairs.side + on.px(GAP) // 3), top + y, pairs.side
            _enlarged(sheet, on, at, (region, word), rgb)


def _enlarged(
    sheet: Sheet, on: Page, at: tuple[int, int, int], what: tuple[Region, str], rgb: ByteArray
) -> None:
    """One enlarged picture, its frame in the colour of the region's box, its pixels repeated."""
    left, top, side = at
    region, word = what
    number, size, how = str(region.id), 8 * on.unit, figure_boxes.mark(region, on.rejected)
    chip, high = on.px(16) + sheets.text_width(number, size, True), on.px(34)
    sheet.strip((left, top, chip, high), COLORS[how])
    style = {"bold": True, "color": ON_LABEL[how], "ha": "center", "va": "center_baseline"}
    sheet.text((left + chip / 2, top + high / 2), number, size, **style)
    word = f"{word}, rejected" if how == "rejected" and word == "after" else word
    area = f"{word} · {wording.area(region.area_px, region.area_m2)}"
    room = side - chip - on.px(10)
    words = area if word != "before" and sheets.text_width(area, size) <= room else word
    at_words = left + chip + on.px(10), top + high / 2
    sheet.text(at_words, sheets.fit(words, size, room), size, va="center_baseline")
    frame, edge = on.px(5), on.px(2)
    below = top + on.tag
    sheet.strip((left, below, side, side), HALO[how] if how == "structural" else INK)
    sheet.strip((left + edge, below + edge, side - 2 * edge, side - 2 * edge), COLORS[how])
    inner = side - 2 * (frame + edge)
    scale = inner / max(rgb.shape[:2])
    height, width = (max(1, round(n * scale)) for n in rgb.shape[:2])
    sheet.strip((left + frame + edge, below + frame + edge, inner, inner), "#dddddd")
    sheet.picture((left + (side - width) // 2, below + (side - height) // 2, width, height), rgb)


def _footer(sheet: Sheet, on: Page, picture_width: int) -> None:
    parts = []
    hidden = len(on.comparison.regions) - len(on.drawn)
    if on.told and hidden:
        parts.append(f"{wording.count(hidden, 'more region')} not drawn here; report.html lists all")
    gsd_m = on.comparison.pair.grid.gsd_m
    if on.preset.paper and gsd_m is not None:
        metres = gsd_m * on.comparison.pair.grid.shape[1] / picture_width
        ratio = wording.number(metres * PAPER_DPI / 0.0254, 2)
        parts.append(f"panels about 1:{ratio} on {on.preset.paper} paper")
    lines = sheets.wrap_parts((*on.footer_parts, *parts), 8 * on.unit, on.width)
    top = sheet.height - on.px(MARGIN) - len(lines) * on.line(8)
    sheet.strip((on.px(MARGIN), top - on.px(10), on.width, max(2, on.px(2))), "#bbbbbb")
    sheet.lines((on.px(MARGIN), top), lines, 8 * on.unit, color=MUTED)
