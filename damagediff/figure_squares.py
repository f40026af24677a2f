"""Draws the grid summary: the share of change in each square over a pale picture, for the report."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from . import figure_sheet as sheets
from . import summary, wording
from .figure_sheet import INK, PAPER, Sheet
from .types import Comparison, GridSummary, Square

WIDTH = 1200
MAX_HEIGHT = 1500
STEPS = (
    (0.0, "#f7f7f7", "0 %"),
    (0.01, "#d5dbe3", "up to 1 %"),
    (0.05, "#a9b7c8", "up to 5 %"),
    (0.2, "#7388a3", "up to 20 %"),
    (0.5, "#40587a", "up to 50 %"),
    (1.0, "#182c49", "more"),
)
"""Greatest share, colour and words of each step: one hue, ever darker, so that grey print keeps the order."""
NOTHING = "no share: less than half analysed"
LIGHT_TEXT_FROM = 4
"""Step from which figures are written light on dark."""


def png(comparison: Comparison) -> bytes:
    """The squares as PNG."""
    with sheets.defaults():
        return sheets.png(draw_squares(comparison))


def draw_squares(comparison: Comparison) -> Figure:
    """Each square in the colour of its share of structural change, with the share where there is room.

    Under the share, with footprints, how many of the analysed buildings show visible or possible change.
    Squares of which less than half was analysed are crossed out and have no share.
    """
    found, rgb = comparison.grid_summary, comparison.pictures.before
    assert found is not None
    scale = min(WIDTH / rgb.shape[1], MAX_HEIGHT / rgb.shape[0])
    width, height = (max(1, round(n * scale)) for n in (rgb.shape[1], rgb.shape[0]))
    sheet = Sheet(WIDTH, height + 130)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    pale = np.repeat((150 + grey * (105 / 255)).astype(np.uint8)[..., None], 3, axis=2)
    axes = sheet.picture((0, 0, width, height), pale)
    grid_scale = width / comparison.pair.grid.shape[1]
    written = _room(found, grid_scale)
    for square in found.squares:
        _draw_square(axes, square, grid_scale, written)
    _legend(sheet, height)
    return sheet.figure


def step(share: float) -> int:
    """Which of the `STEPS` a share belongs to; only nothing at all is in the first."""
    return next(k for k, (most, _, _) in enumerate(STEPS) if share <= most)


def _room(found: GridSummary, scale: float) -> bool:
    return found.side_px * scale > sheets.text_width("<0.1 %", 7) + 8


def _draw_square(axes: Axes, square: Square, scale: float, written: bool) -> None:
    top, left, bottom, right = (edge * scale for edge in square.bbox_rc)
    share = summary.square_share(square, square.structural_px)
    style: dict[str, Any] = {"linewidth": sheets.points(2), "edgecolor": INK}
    corner, size = (left, top), (right - left, bottom - top)
    if share is None:
        axes.add_patch(Rectangle(corner, *size, facecolor="none", hatch="xx", alpha=0.5, **style))
        return
    which = step(share)
    axes.add_patch(Rectangle(corner, *size, facecolor=STEPS[which][1], alpha=0.8, **style))
    words = [wording.share(share)]
    changed, analysed = summary.square_buildings(square)
    if analysed:
        words.append(f"{changed} of {analysed}")
    fits = all(sheets.text_width(word, 7) + 8 < right - left for word in words)
    if not written or not fits or bottom - top < sheets.line_height(7) * len(words):
        return
    for k, word in enumerate(words):
        at = (left + right) / 2, (top + bottom) / 2 + (k - (len(words) - 1) / 2) * sheets.line_height(7)
        color = PAPER if which >= LIGHT_TEXT_FROM else INK
        font = sheets.font(7, bold=k == 0)
        axes.add_artist(Text(*at, word, fontproperties=font, ha="center", va="center_baseline", color=color))


def _legend(sheet: Sheet, top: int) -> None:
    x: float = 8
    for _, color, words in STEPS:
        sheet.strip((x, top + 16, 30, 24), color, edgecolor=INK, linewidth=sheets.points(1))
        x = sheet.entry((x + 40, top + 15), words) - 14
    sheet.strip((8, top + 56, 30, 24), "none", edgecolor=INK, linewidth=sheets.points(1), hatch="xxx")
    sheet.entry((48, top + 55), NOTHING)
    sheet.text(
        (8, top + 94),
        "Visible change, share of the area analysed; under it, buildings with visible or possible change.",
        7,
    )
