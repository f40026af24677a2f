"""Draws a comparison: the publishable figure and its clean twin.

Draws what a `Comparison` holds and computes nothing. A figure is a column of blocks, each of which knows its
height before anything is drawn, so that no text can run into a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import (
    figure_animation,
    figure_boxes,
    figure_fonts,
    figure_key,
    figure_map,
    figure_presets,
    figure_press,
    summary,
    wording,
)
from . import figure_hatch as hatch
from . import figure_sheet as sheets
from .figure_boxes import COLORS, ON_LABEL, Mark
from .figure_fonts import fonts as fonts
from .figure_sheet import INK, MUTED, PAPER, STRIP, Sheet
from .figure_words import SYNTHETIC, boxes
from .figure_words import footer as footer
from .figure_words import not_drawable as not_drawable
from .figure_words import rejected as rejected_in
from .figure_words import round_length as round_length
from .settings import FigurePreset
from .types import (
    ByteArray,
    Comparison,
    Image,
    Region,
)

WIDTH = 2400
MARGIN, GAP = 48, 24
MAX_PANEL_HEIGHT = 1500
ROW_ASPECT, STACK_ASPECT = 1.35, 2.2
"""Pictures wider than this many heights are set below one another."""
INSET_MAX = 420


@dataclass(frozen=True)
class Block:
    """A horizontal part of the figure: its height in px, and how to draw it below a given top."""

    height: int
    draw: Callable[[Sheet, int], None]


@dataclass(frozen=True)
class Panel:
    """One picture of the pair with its words."""

    name: str
    image: Image
    rgb: ByteArray
    boxes: bool = False


def check(pages: Sequence[FigurePreset], credits_: tuple[str | None, str | None], font: Path | None) -> None:
    """Refuse pages to be published without a credit for each image, and a font that cannot be used.

    Raises
    ------
    SettingsError, InputError
        One line that names what to give.
    """
    figure_presets.check(pages, *credits_)
    if font is not None:
        figure_fonts.check(font)


def write(
    comparison: Comparison,
    folder: Path,
    pages: Sequence[FigurePreset] = (),
    animate: figure_animation.Kind | None = None,
) -> None:
    """Write figure (annotated) and figure_clean as PNG and SVG, and both for each page asked for.

    The same comparison gives the same bytes. A pair that is not comparable gets no moving picture.
    """
    if animate is not None:
        figure_animation.write(comparison, folder, animate)
    with sheets.defaults():
        for page, clean in product((None, *dict.fromkeys(pages)), (False, True)):
            if page is None:
                drawn = draw_comparison(comparison, annotated=not clean)
            else:
                drawn = figure_press.draw(comparison, figure_presets.PRESETS[page], annotated=not clean)
            stem = folder / f"figure{f'_{page}' if page else ''}{'_clean' if clean else ''}"
            stem.with_suffix(".png").write_bytes(sheets.png(drawn))
            stem.with_suffix(".svg").write_bytes(sheets.svg(drawn))


def draw_comparison(comparison: Comparison, annotated: bool = True) -> Figure:
    """Before, after and, when annotated, after with numbered boxes and the top regions enlarged.

    Parameters
    ----------
    comparison : Comparison
        One that is not comparable is drawn as before and after only, and marked so.
    annotated : bool
        False leaves out everything that was found: no boxes, no insets.

    Returns
    -------
    Figure
        2,400 px wide, as high as its content asks.
    """
    told = summary.told(comparison)
    shown = boxes(comparison) if annotated else ()
    blocks = [*_heading(comparison, annotated), _panels(comparison, annotated, shown)]
    blocks.append(_key(comparison, annotated, shown))
    if annotated and told:
        blocks += _insets(comparison)
    blocks.append(_footer(comparison, annotated, shown))
    sheet = Sheet(WIDTH, sum(block.height for block in blocks) + MARGIN)
    top = MARGIN
    for block in blocks:
        block.draw(sheet, top)
        top += block.height
    return sheet.figure


def _heading(comparison: Comparison, annotated: bool) -> list[Block]:
    width = WIDTH - 2 * MARGIN
    blocks = [_paragraph(summary.title(comparison), 15, width, bold=True)]
    if summary.synthetic(comparison):
        blocks.append(_banner(SYNTHETIC, "#b00020"))
    if damaged := summary.damaged(comparison):
        blocks.append(_banner(damaged, "#b00020"))
    verdict = summary.verdict_line(comparison)
    if verdict is not None:
        blocks.append(_banner(verdict, INK if comparison.verdict == "not comparable" else "#8a5a00"))
    blocks.append(_paragraph(summary.bracket(comparison), 10, width, color=MUTED))
    if comparison.pair.identical:
        blocks.append(_paragraph("Both files are identical, byte for byte.", 10, width, bold=True))
    if annotated:
        said = (summary.finding(comparison), summary.measure_line(comparison.change))
        blocks.append(_paragraph(" ".join(line for line in said if line), 10, width))
    return [*blocks, Block(GAP // 2, _nothing)]


def _nothing(sheet: Sheet, top: int) -> None:
    return None


def _paragraph(text: str, size: float, width: int, bold: bool = False, color: str = INK) -> Block:
    lines = sheets.wrap(text, size, width, bold)

    def draw(sheet: Sheet, top: int) -> None:
        sheet.lines((MARGIN, top), lines, size, bold=bold, color=color)

    return Block(len(lines) * sheets.line_height(size) + 8, draw)


def _banner(text: str, color: str) -> Block:
    lines = sheets.wrap(text, 13, WIDTH - 2 * MARGIN - 40, bold=True)
    step = sheets.line_height(13)
    height = 62 + (len(lines) - 1) * step

    def draw(sheet: Sheet, top: int) -> None:
        sheet.strip((MARGIN, top, WIDTH - 2 * MARGIN, height), color)
        for k, line in enumerate(lines):
            middle = WIDTH / 2, top + 31 + k * step
            sheet.text(middle, line, 13, bold=True, color=PAPER, ha="center", va="center_baseline")

    return Block(height + 16, draw)


def _panel_list(comparison: Comparison, annotated: bool) -> list[Panel]:
    pair, pictures = comparison.pair, comparison.pictures
    accepted = comparison.change is not None
    three = annotated and summary.told(comparison)
    apart = "not aligned, placed by its georeference" if summary.placed(comparison) else "not aligned"
    before = Panel("BEFORE" if accepted else f"BEFORE, {apart}", pair.before, pictures.before)
    after = Panel("AFTER, aligned" if accepted else f"AFTER, {apart}", pair.after, pictures.after)
    if not three:
        return [before, after]
    name = "AFTER, with numbered regions" if comparison.regions else "AFTER, no region found"
    return [before, after, Panel(name, pair.after, hatch.marked(comparison), boxes=True)]


HEAD = 92


def arrange(comparison: Comparison, panels: int) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each picture in px, below the top of the block that holds them.

    Upright and square pictures stand in one row. Wider ones would be small there: the numbered one gets
    a row for itself. The widest stand below one another. A refused pair may have two shapes.
    """
    pictures = comparison.pictures
    shapes = [rgb.shape for rgb in (pictures.before, pictures.after, pictures.after)][:panels]
    aspects = [cols / rows for rows, cols, _ in shapes]
    across = 1 if max(aspects) > STACK_ASPECT else 2 if max(aspects) > ROW_ASPECT else panels
    found: list[tuple[int, int, int, int]] = []
    top = 0
    while len(found) < panels:
        row = aspects[len(found) : len(found) + across]
        slot = (WIDTH - 2 * MARGIN - (len(row) - 1) * GAP) // len(row)
        sizes = [_inside(slot, aspect) for aspect in row]
        lefts = [MARGIN + k * (slot + GAP) + (slot - width) // 2 for k, (width, _) in enumerate(sizes)]
        found += [(left, top + HEAD, *size) for left, size in zip(lefts, sizes, strict=True)]
        top += HEAD + max(height for _, height in sizes) + _foot(comparison, min(w for w, _ in sizes))
    return found


def _inside(slot: int, aspect: float) -> tuple[int, int]:
    """Width and height of a picture as large as a slot and the page allow."""
    height = max(1, min(round(slot / aspect), MAX_PANEL_HEIGHT))
    return max(1, min(slot, round(height * aspect))), height


def _foot(comparison: Comparison, width: int) -> int:
    """Height of what stands below a row of pictures, the narrowest of them `width` px wide."""
    pair = comparison.pair
    lines = max(len(_credit(image, width)) for image in (pair.before, pair.after))
    return figure_map.room(comparison) + 12 + lines * sheets.line_height(8) + GAP


def _credit(image: Image, width: int) -> list[str]:
    return sheets.wrap(summary.credit(image.credit), 8, width)


def _panels(comparison: Comparison, annotated: bool, shown: Sequence[Region]) -> Block:
    panels = _panel_list(comparison, annotated)
    places = arrange(comparison, len(panels))
    grid, rejected = comparison.pair.grid, rejected_in(comparison)

    def draw(sheet: Sheet, top: int) -> None:
        for k, (panel, (left, below, width, height)) in enumerate(zip(panels, places, strict=True)):
            axes = _draw_panel(sheet, panel, (left, top + below - HEAD, width, height), comparison)
            if panel.boxes:
                figure_boxes.draw(axes, shown, grid, (width, height), rejected=rejected)
            if k == 0 and figure_map.room(comparison):
                figure_map.draw_ticks(sheet, (left, top + below, width, height), grid, 1.0)

    *_, last_top, last_width, last_height = places[-1]
    rows_end = max(below + height for _, below, _, height in places)
    return Block(max(rows_end, last_top + last_height) + _foot(comparison, last_width), draw)


def _draw_panel(sheet: Sheet, panel: Panel, box: tuple[int, int, int, int], comparison: Comparison) -> Axes:
    left, top, width, height = box
    sheet.strip((left, top, width, HEAD), STRIP)
    marks = "SYNTHETIC · " if summary.synthetic(comparison) else ""
    sheet.text(
        (left + 16, top + 12),
        sheets.fit(marks + panel.name, 10, width - 32, True),
        10,
        bold=True,
        color=PAPER,
    )
    date = sheets.fit(wording.date(panel.image.acquisition), 9, width - 32)
    sheet.text((left + 16, top + 50), date, 9, color="#e8e8e8")
    axes = sheet.picture((left, top + HEAD, width, height), panel.rgb)
    below = top + HEAD + height + figure_map.room(comparison) + 12
    sheet.lines((left, below), _credit(panel.image, width), 8, color=MUTED)
    return axes


def _key(comparison: Comparison, annotated: bool, shown: Sequence[Region]) -> Block:
    """Legend, scale bar or why there is none, north arrow, and where on Earth it is."""
    widths = [width for _, _, width, _ in arrange(comparison, len(_panel_list(comparison, annotated)))]
    of = "" if len(set(widths)) == 1 else "numbered picture" if len(widths) == 3 else ""
    said = shown if annotated and summary.told(comparison) else None
    key = figure_key.Key(comparison, said, WIDTH - 2 * MARGIN, 1.0, of)

    def draw(sheet: Sheet, top: int) -> None:
        key.draw(sheet, MARGIN, top, widths[-1] if of else widths[0])

    return Block(key.height + GAP, draw)


def _drawn(comparison: Comparison, shown: Sequence[Region]) -> int:
    *_, width, height = arrange(comparison, 3)[-1]
    return sum(
        label is not None for _, label in figure_boxes.layout(shown, comparison.pair.grid, (width, height))
    )


def _insets(comparison: Comparison) -> list[Block]:
    wanted = int(comparison.settings.get("report", {}).get("insets", 4))
    crops = {crop.region_id: crop for crop in comparison.pictures.crops}
    chosen = [region for region in boxes(comparison) if region.id in crops][:wanted]
    if not chosen:
        return []
    columns = 2 * len(chosen)
    side = min(INSET_MAX, (WIDTH - 2 * MARGIN - (columns - 1) * 20) // columns)

    rejected = rejected_in(comparison)

    def draw(sheet: Sheet, top: int) -> None:
        for k, region in enumerate(chosen):
            crop, how = crops[region.id], figure_boxes.mark(region, rejected)
            for half, (word, rgb) in enumerate((("before", crop.before), ("after", crop.after))):
                _inset(sheet, (MARGIN + (2 * k + half) * (side + 20), top, side), (region, how, word), rgb)

    return [Block(GAP // 2, _nothing), Block(side + 74, draw)]


def _inset(sheet: Sheet, at: tuple[int, int, int], what: tuple[Region, Mark, str], rgb: ByteArray) -> None:
    left, top, side = at
    region, how, word = what
    color = COLORS[how]
    label = str(region.id)
    tag = 16 + sheets.text_width(label, 8, True)
    sheet.strip((left, top, tag, 34), color)
    sheet.text(
        (left + tag / 2, top + 17),
        label,
        8,
        bold=True,
        color=ON_LABEL[how],
        ha="center",
        va="center_baseline",
    )
    if word == "after":
        word = "after, rejected" if how == "rejected" else word
        sized = f"{word} · {wording.area(region.area_px, region.area_m2)}"
        word = sized if sheets.text_width(sized, 8) <= side - tag - 10 else word
    sheet.text((left + tag + 10, top + 17), sheets.fit(word, 8, side - tag - 10), 8, va="center_baseline")
    sheet.strip((left, top + 38, side, side), color)
    scale = (side - 10) / max(rgb.shape[:2])
    height, width = (max(1, round(n * scale)) for n in rgb.shape[:2])
    sheet.strip((left + 5, top + 43, side - 10, side - 10), "#dddddd")
    sheet.picture((left + (side - width) // 2, top + 38 + (side - height) // 2, width, height), rgb)


def _footer(comparison: Comparison, annotated: bool, shown: Sequence[Region]) -> Block:
    parts = list(footer(comparison, annotated))
    grid = comparison.pair.grid
    if grid.gsd_m is not None and (source := wording.scale_source(grid)):
        parts.append(source)
    if annotated and summary.told(comparison):
        hidden = len(comparison.regions) - _drawn(comparison, shown)
        more = f"{wording.count(hidden, 'more region')} not drawn here; report.html lists all"
        parts += [more] if hidden else []
    lines = sheets.wrap_parts(parts, 8, WIDTH - 2 * MARGIN)

    def draw(sheet: Sheet, top: int) -> None:
        sheet.strip((MARGIN, top + 8, WIDTH - 2 * MARGIN, 2), "#bbbbbb")
        sheet.lines((MARGIN, top + 22), lines, 8, color=MUTED)

    return Block(22 + len(lines) * sheets.line_height(8), draw)
