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
from matplotlib_scalebar.scalebar import ScaleBar

from . import (
    figure_animation,
    figure_boxes,
    figure_fonts,
    figure_map,
    figure_presets,
    figure_press,
    summary,
    wording,
)
from . import figure_hatch as hatch
from . import figure_sheet as sheets
from .figure_boxes import COLORS, ON_LABEL
from .figure_fonts import fonts as fonts
from .figure_sheet import INK, MUTED, PAPER, STRIP, Sheet
from .figure_words import SYNTHETIC, boxes, length
from .figure_words import footer as footer
from .figure_words import not_drawable as not_drawable
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
    scale: bool = False


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
    """Write figure.png (annotated), figure_clean.png, and both as PNG and SVG for each page asked for.

    The same comparison gives the same bytes. A pair that is not comparable gets no moving picture.
    """
    if animate is not None:
        figure_animation.write(comparison, folder, animate)
    with sheets.defaults():
        for name, annotated in (("figure", True), ("figure_clean", False)):
            (folder / f"{name}.png").write_bytes(sheets.png(draw_comparison(comparison, annotated)))
        for page, clean in product(dict.fromkeys(pages), (False, True)):
            drawn = figure_press.draw(comparison, figure_presets.PRESETS[page], annotated=not clean)
            stem = folder / f"figure_{page}{'_clean' if clean else ''}"
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
    if annotated and told:
        blocks += [_legend(comparison, shown), *_insets(comparison)]
    blocks.append(_footer(comparison, annotated))
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
    before = Panel(
        "BEFORE" if accepted else f"BEFORE, {apart}", pair.before, pictures.before, scale=not accepted
    )
    after = Panel(
        "AFTER, aligned" if accepted else f"AFTER, {apart}",
        pair.after,
        pictures.after,
        scale=accepted and not three,
    )
    if not three:
        return [before, after]
    name = "AFTER, with numbered regions" if comparison.regions else "AFTER, no region found"
    return [before, after, Panel(name, pair.after, hatch.marked(comparison), boxes=True, scale=True)]


HEAD, FOOT = 92, 78


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
        top += HEAD + max(height for _, height in sizes) + FOOT
    return found


def _inside(slot: int, aspect: float) -> tuple[int, int]:
    """Width and height of a picture as large as a slot and the page allow."""
    height = max(1, min(round(slot / aspect), MAX_PANEL_HEIGHT))
    return max(1, min(slot, round(height * aspect))), height


def _panels(comparison: Comparison, annotated: bool, shown: Sequence[Region]) -> Block:
    panels = _panel_list(comparison, annotated)
    places = arrange(comparison, len(panels))

    def draw(sheet: Sheet, top: int) -> None:
        for panel, (left, below, width, height) in zip(panels, places, strict=True):
            axes = _draw_panel(sheet, panel, (left, top + below - HEAD, width, height), comparison)
            if panel.boxes:
                figure_boxes.draw(axes, shown, comparison.pair.grid, (width, height))

    return Block(max(top + height for _, top, _, height in places) + FOOT, draw)


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
    credit_width = width - (430 if panel.scale else 0)
    credit = sheets.fit(summary.credit(panel.image.credit), 8, credit_width)
    sheet.text((left, top + HEAD + height + 12), credit, 8, color=MUTED)
    if panel.scale:
        _scale(sheet, axes, (left, top + HEAD + height, width), comparison)
    return axes


def _scale(sheet: Sheet, axes: Axes, below: tuple[int, int, int], comparison: Comparison) -> None:
    """Under the picture, where it covers nothing: scale bar and north arrow, or why there is none."""
    left, top, width = below
    grid = comparison.pair.grid
    if grid.gsd_m is None:
        sheet.text((left + width, top + 12), wording.NO_SCALE, 8, color=MUTED, ha="right")
        return
    right = width - (56 if grid.crs else 0)
    metres = grid.gsd_m * grid.shape[1] / width
    bar = ScaleBar(
        metres,
        "m",
        fixed_value=round_length(metres * min(260, width / 4)),
        fixed_units="m",
        location="upper right",
        width_fraction=0.005,
        pad=0,
        border_pad=0,
        sep=4,
        frameon=False,
        color=INK,
        scale_loc="left",
        font_properties=figure_fonts.pattern(8),
        bbox_to_anchor=(right, axes.bbox.height + 16),
        scale_formatter=length,
        rotation="horizontal-only",
        bbox_transform=axes.transData,
    )
    axes.add_artist(bar)
    if grid.crs:
        figure_map.draw_north(sheet, left + width - 18, top + 12)
    if who := wording.scale_source(grid):
        sheet.text((left + width, top + 44), who, 7, color=MUTED, ha="right")


def _legend(comparison: Comparison, shown: Sequence[Region]) -> Block:
    hidden = len(comparison.regions) - _drawn(comparison, shown)

    def draw(sheet: Sheet, top: int) -> None:
        x: float = MARGIN
        for tier, meaning in wording.legend(comparison.change.measure if comparison.change else "").items():
            figure_boxes.draw_swatch(sheet, (round(x), top + 4, 42, 28), tier, 1.0)
            x = sheet.entry((x + 56, top + 4), meaning)
        hatch.legend(sheet, (x, top), comparison)
        if hidden:
            sheet.text(
                (MARGIN, top + 42),
                f"{wording.count(hidden, 'more region')} not drawn here; report.html lists all of them.",
                8,
                color=MUTED,
            )

    return Block(48 + 36 * bool(hidden), draw)


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

    def draw(sheet: Sheet, top: int) -> None:
        for k, region in enumerate(chosen):
            crop = crops[region.id]
            for half, (word, rgb) in enumerate((("before", crop.before), ("after", crop.after))):
                _inset(sheet, (MARGIN + (2 * k + half) * (side + 20), top, side), (region, word), rgb)

    return [Block(GAP // 2, _nothing), Block(side + 74, draw)]


def _inset(sheet: Sheet, at: tuple[int, int, int], what: tuple[Region, str], rgb: ByteArray) -> None:
    left, top, side = at
    region, word = what
    color = COLORS[region.tier]
    label = str(region.id)
    tag = 16 + sheets.text_width(label, 8, True)
    sheet.strip((left, top, tag, 34), color)
    sheet.text(
        (left + tag / 2, top + 17),
        label,
        8,
        bold=True,
        color=ON_LABEL[region.tier],
        ha="center",
        va="center_baseline",
    )
    size = f" · {wording.area(region.area_px, region.area_m2)}" if word == "after" else ""
    sheet.text(
        (left + tag + 10, top + 17), sheets.fit(word + size, 8, side - tag - 10), 8, va="center_baseline"
    )
    sheet.strip((left, top + 38, side, side), color)
    scale = (side - 10) / max(rgb.shape[:2])
    height, width = (max(1, round(n * scale)) for n in rgb.shape[:2])
    sheet.strip((left + 5, top + 43, side - 10, side - 10), "#dddddd")
    sheet.picture((left + (side - width) // 2, top + 38 + (side - height) // 2, width, height), rgb)


def _footer(comparison: Comparison, annotated: bool) -> Block:
    lines = sheets.wrap_parts(footer(comparison, annotated), 8, WIDTH - 2 * MARGIN)

    def draw(sheet: Sheet, top: int) -> None:
        sheet.strip((MARGIN, top + 8, WIDTH - 2 * MARGIN, 2), "#bbbbbb")
        sheet.lines((MARGIN, top + 22), lines, 8, color=MUTED)

    return Block(22 + len(lines) * sheets.line_height(8), draw)
