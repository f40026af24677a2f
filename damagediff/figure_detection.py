"""Draws the self-test: share found against size for each kind planted, and one example of each, marked."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import figure_sheet as sheets
from . import missed
from .detection import DetectionCurve, PlantedExample
from .figure_sheet import INK, MUTED, Sheet
from .types import ByteArray, Comparison

PANEL = (400, 260)
"""Width and height of one panel with its surroundings."""
COLUMNS = 3
INNER = (64, 44, 24, 56)
"""Left, top, right and bottom of a panel that its words take."""
PICTURE_PX = 168
CURVE, BAND = "#0072B2", "#c9d6e3"
SYNTHETIC = "SYNTHETIC"
LEVELS = (0.0, 0.5, 0.9, 1.0)


def png(comparison: Comparison) -> bytes:
    """The self-test's figure as PNG."""
    with sheets.defaults():
        return sheets.png(draw_detection(comparison))


def draw_detection(comparison: Comparison) -> Figure:
    """A panel a kind: dots as counted, curve and band as fitted; below, examples in pairs, each marked.

    Of damage the share found; of what is harmless the share taken for visible change.
    """
    found, metre = comparison.trust.detection, comparison.pair.grid.gsd_m
    curves = [curve for curve in found.curves if curve.tallies]
    rows = -(-len(curves) // COLUMNS)
    shown = -(-len(found.examples) // COLUMNS)
    sheet = Sheet(COLUMNS * PANEL[0], rows * PANEL[1] + shown * (PICTURE_PX + 48) + 8)
    for k, curve in enumerate(curves):
        _panel(sheet, (k % COLUMNS * PANEL[0], k // COLUMNS * PANEL[1]), curve, metre)
    for k, example in enumerate(found.examples):
        top = rows * PANEL[1] + k // COLUMNS * (PICTURE_PX + 48)
        _example(sheet, (k % COLUMNS * PANEL[0] + 24, top), example)
    return sheet.figure


def _panel(sheet: Sheet, at: tuple[int, int], curve: DetectionCurve, metre: float | None) -> None:
    """One kind."""
    left, top, right, bottom = INNER
    width, height = PANEL[0] - left - right, PANEL[1] - top - bottom
    box = (at[0] + left) / sheet.width, 1 - (at[1] + top + height) / sheet.height
    axes = sheet.figure.add_axes((*box, width / sheet.width, height / sheet.height))
    _draw(axes, curve)
    sizes = [2, 4, 8, 16, 32, 64]
    for size in sizes:
        x = at[0] + left + width * _along(size)
        sheet.text((x, at[1] + top + height + 6), f"{size}", 6.5, ha="center", color=MUTED)
    for level in LEVELS[::2] + LEVELS[1:2]:
        y = at[1] + top + height * (1 - _up(level))
        sheet.text((at[0] + left - 8, y), f"{level:.0%}", 6.5, ha="right", va="center", color=MUTED)
    unit = "size in px" if metre is None else f"size in px ({metre:.3g} m each)"
    sheet.text((at[0] + left + width, at[1] + top + height + 28), unit, 6.5, ha="right", color=MUTED)
    name = missed.ONE_OF[curve.kind][1].capitalize() + (" (harmless)" if curve.harmless else "")
    sheet.text((at[0] + left, at[1] + 8), name, 8, bold=True)
    share = "taken for visible change" if curve.harmless else "found"
    sheet.text((at[0] + left + 8, at[1] + top + 26), share, 6.5, color=MUTED)


def _along(size_px: float) -> float:
    return (math.log2(size_px) - 0.7) / 5.6


def _up(share: float) -> float:
    return (share + 0.06) / 1.12


def _draw(axes: Axes, curve: DetectionCurve) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(MUTED)
        spine.set_linewidth(sheets.points(1))
    if not curve.harmless:
        axes.axhline(_up(0.9), color=MUTED, linewidth=sheets.points(1), linestyle=(0, (4, 3)))
    fitted = (curve.structural if curve.harmless else curve.found).curve
    if fitted:
        table = np.array(fitted)
        x = np.array([_along(size) for size in table[:, 0]])
        axes.fill_between(x, _up_all(table[:, 2]), _up_all(table[:, 3]), color=BAND, linewidth=0)
        axes.plot(x, _up_all(table[:, 1]), color=CURVE, linewidth=sheets.points(3))
    for tally in curve.tallies:
        count = tally.structural if curve.harmless else tally.found
        at = _along(tally.size_px), _up(count / tally.planted)
        area = sheets.points(9) * math.sqrt(1 + tally.planted / 2)
        axes.plot(*at, "o", color=INK, markersize=area, alpha=0.8, markeredgewidth=0)


def _up_all(shares: np.ndarray) -> np.ndarray:
    return np.array([_up(float(share)) for share in shares])


def _example(sheet: Sheet, at: tuple[int, int], example: PlantedExample) -> None:
    """Before and after of one planted object, the after marked in its pixels."""
    for k, bands in enumerate((example.before, example.after)):
        left = at[0] + k * (PICTURE_PX + 8)
        sheet.picture((left, at[1], PICTURE_PX, PICTURE_PX), _rgb(bands))
    sheet.strip((at[0] + PICTURE_PX + 8, at[1], PICTURE_PX, 26), "#b00020", zorder=3)
    mark = at[0] + 1.5 * PICTURE_PX + 8, at[1] + 13
    sheet.text(mark, SYNTHETIC, 7, bold=True, ha="center", va="center", color="#ffffff", zorder=4)
    words = f"{missed.ONE_OF[example.kind][0]}, {example.size_px} px: {'' if example.found else 'not '}found"
    sheet.text((at[0], at[1] + PICTURE_PX + 8), words, 7)


def _rgb(bands: ByteArray) -> ByteArray:
    """(rows, cols, 3) of the first three bands, or of one three times."""
    three = bands[:3] if len(bands) >= 3 else np.repeat(bands[:1], 3, 0)
    return np.ascontiguousarray(np.moveaxis(three, 0, -1))
